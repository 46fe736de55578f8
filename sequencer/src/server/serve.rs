//! Listening, and ending in an orderly way.

use std::future::Future;
use std::time::Duration;

use p4runtime::v1::p4_runtime_server::P4RuntimeServer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::ControlHandle;
use super::grpc::Service;

/// The longest request: a program with its P4Info fits.
pub const MAX_REQUEST_BYTES: usize = 64 << 20;

/// So many calls of one connection run at a time.
const MAX_CALLS_PER_CONNECTION: u32 = 128;

/// How long connections have to end after their streams were ended.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Why the server ended by itself.
#[derive(Debug, Error)]
pub enum ServeError {
    /// 0 means "no device".
    #[error("device id is 0, valid is 1 or more")]
    DeviceId,
    /// The transport failed.
    #[error("P4Runtime server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves P4Runtime for one device until `shutdown` is over: then streams end with `UNAVAILABLE`
/// and calls are finished, for at most two seconds.
///
/// `control` leads to the thread that owns the device; see [`super::control_queue`].
pub async fn serve(
    listener: TcpListener,
    control: ControlHandle,
    device_id: u64,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    if device_id == 0 {
        return Err(ServeError::DeviceId);
    }
    let (stop, stopping) = watch::channel(false);
    let mut stopped = stopping.clone();
    let service = Service::new(device_id, control, stopping);
    let service = P4RuntimeServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let signal = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    let serving = Server::builder()
        .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, signal);
    let grace = async {
        // The sender lives as long as `serving`, so that waiting ends only with the value.
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = grace => Ok(()),
    }
}
