//! The front door for RESP2 and RESP3 clients.
//!
//! It parses commands (`request`), answers what is about the connection (`local`), sends the
//! rest through a [`Submit`] and renders the replies (`render`). Not here: what commands on the
//! state mean, which is [`crate::kv`], and how operations reach the replicas. `docs/redis.md` has
//! the list of commands and the differences from Redis.

mod connection;
#[cfg(test)]
mod documentation;
mod info;
mod inline;
mod local;
mod plan;
mod render;
mod request;
mod submit;

pub use info::Info;
pub use local::LOCAL;
pub use request::{MAX_ARGUMENTS, MAX_BUFFERED, MAX_INLINE};
pub use submit::{Submit, SubmitError};

use connection::Connection;
use info::Shared;
use local::Session;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most connections at a time, unless set otherwise.
pub const DEFAULT_MAX_CLIENTS: usize = 1_000;
/// How long open connections may take to finish their burst when the front closes.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failed accept, so that a lack of file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves connections until `shutdown` ends, then lets the bursts in hand finish.
pub async fn serve<S: Submit>(
    listener: TcpListener,
    submit: S,
    info: Arc<dyn Info>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    serve_with(listener, submit, info, shutdown, DEFAULT_MAX_CLIENTS).await
}

/// [`serve`] with another bound on connections; those over it are answered with an error.
pub async fn serve_with<S: Submit>(
    listener: TcpListener,
    submit: S,
    info: Arc<dyn Info>,
    shutdown: impl Future<Output = ()> + Send,
    max_clients: usize,
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        info,
        clients: AtomicUsize::new(0),
        max_clients,
        accepted: AtomicU64::new(0),
        commands: AtomicU64::new(0),
        started: Instant::now(),
        port: listener.local_addr()?.port(),
    });
    let (close, closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() >= max_clients => turn_away(&stream),
                Ok((stream, peer)) => {
                    let id = shared.accepted.fetch_add(1, Ordering::Relaxed) + 1;
                    let session = Session::new(id, peer);
                    let shared = Arc::clone(&shared);
                    let (submit, closing) = (submit.clone(), closing.clone());
                    connections.spawn(connection(stream, submit, shared, session, closing));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
    drop(listener);
    close.send_replace(true);
    let finish = async { while connections.join_next().await.is_some() {} };
    // Past the deadline the set is dropped, which ends what is left.
    let _ = timeout(CLOSE_DEADLINE, finish).await;
    Ok(())
}

async fn connection<S: Submit>(
    stream: TcpStream,
    submit: S,
    shared: Arc<Shared>,
    session: Session,
    closing: watch::Receiver<bool>,
) {
    // Replies are written whole, so waiting for more to send only costs time. If the option
    // cannot be set, the connection is slower and still right.
    let _ = stream.set_nodelay(true);
    shared.clients.fetch_add(1, Ordering::Relaxed);
    // An error here is a client that went away or broke its side; others are not concerned.
    let _ = Connection::new(stream, submit, &shared, session)
        .run(closing)
        .await;
    shared.clients.fetch_sub(1, Ordering::Relaxed);
}

/// Says why, if the socket takes it at once, and closes.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
}
