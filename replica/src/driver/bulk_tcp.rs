//! Bulk between processes: one TCP connection for each direction of each pair of replicas.
//!
//! A connection begins with the group and the sender's index; then come messages, each behind
//! its length in 32 bits. One thread accepts, one reads each connection, one writes to each
//! peer; a lost connection is made again when there is something to send.

use super::bulk::{BULK_LIMIT, BulkSender, QUEUE_BYTES, QUEUE_LIMIT};
use link::{Inbox, InboxSender, LinkError, StopFlag, Waker};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::string::{String, ToString};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use std::vec::Vec;
use wire::{GroupId, ReplicaId};

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const IO_TIMEOUT: Duration = Duration::from_secs(5);
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Bytes that open a connection: a word that says what this is, group, sender.
const HELLO_LEN: usize = 4 + 4 + 1;
const HELLO_WORD: [u8; 4] = *b"dbk1";

/// Why the bulk channel could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The listening socket.
    #[error(
        "cannot listen for bulk connections on {address}: {source}; choose an address of this host and a free port"
    )]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A thread could not be started.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The sending side; receiving threads live until `stop` is raised.
pub struct TcpBulk {
    peers: Vec<Option<Peer>>,
}

/// What waits for one replica: bounded in messages and in bytes, however slow it is.
struct Peer {
    queue: SyncSender<Vec<u8>>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
}

impl Peer {
    fn send(&self, message: &[u8]) -> bool {
        // One message may be as long as any; what comes on top must fit the bound with it.
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + message.len() > QUEUE_BYTES {
            return false;
        }
        self.waiting.fetch_add(message.len(), Ordering::Relaxed);
        let taken = self.queue.try_send(message.to_vec()).is_ok();
        if !taken {
            self.waiting.fetch_sub(message.len(), Ordering::Relaxed);
        }
        taken
    }
}

impl TcpBulk {
    /// Listens on `listen` and sends to `peers` (by replica index; the own entry is unused).
    pub fn open(
        group: GroupId,
        me: ReplicaId,
        listen: SocketAddr,
        peers: &[SocketAddr],
        stop: &StopFlag,
    ) -> Result<(Self, Inbox<Vec<u8>>), BulkError> {
        let listener = TcpListener::bind(listen)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| BulkError::Listen {
                address: listen,
                source,
            })?;
        let (sender, inbox) = link::inbox::inbox(QUEUE_LIMIT, Waker::new()?);
        let accept_stop = stop.clone();
        spawn("bulk-accept", move || {
            accept(&listener, group, &sender, &accept_stop);
        })?;
        let mut senders = Vec::new();
        for (index, address) in peers.iter().enumerate() {
            if index == usize::from(me.0) {
                senders.push(None);
                continue;
            }
            let (queue, messages) = sync_channel(QUEUE_LIMIT);
            let (address, stop) = (*address, stop.clone());
            let waiting = Arc::new(AtomicUsize::new(0));
            let messages = Waiting {
                messages,
                bytes: Arc::clone(&waiting),
            };
            spawn("bulk-write", move || {
                write_to(address, group, me, &messages, &stop);
            })?;
            senders.push(Some(Peer { queue, waiting }));
        }
        Ok((Self { peers: senders }, inbox))
    }
}

impl BulkSender for TcpBulk {
    fn send(&mut self, to: ReplicaId, message: &[u8]) -> bool {
        let peer = self.peers.get(usize::from(to.0)).and_then(Option::as_ref);
        message.len() <= BULK_LIMIT && peer.is_some_and(|peer| peer.send(message))
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), BulkError> {
    thread::Builder::new()
        .name(name.to_string())
        .spawn(work)
        .map(|_| ())
        .map_err(|source| BulkError::Thread {
            name: name.to_string(),
            source,
        })
}

fn accept(listener: &TcpListener, group: GroupId, inbox: &InboxSender<Vec<u8>>, stop: &StopFlag) {
    while !stop.is_raised() {
        let mut waiting = [
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        if poll(&mut waiting, None).is_err() {
            continue;
        }
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        let (inbox, stop) = (inbox.clone(), stop.clone());
        // A connection that cannot have its thread is dropped; the peer connects again.
        let _ = spawn("bulk-read", move || {
            let _ = read_from(stream, group, &inbox, &stop);
        });
    }
}

fn read_from(
    mut stream: TcpStream,
    group: GroupId,
    inbox: &InboxSender<Vec<u8>>,
    stop: &StopFlag,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(STOP_CHECK))?;
    let mut hello = [0; HELLO_LEN];
    read_exact(&mut stream, &mut hello, stop)?;
    let foreign = hello[..4] != HELLO_WORD || hello[4..8] != group.0.to_be_bytes();
    if foreign {
        return Err(io::Error::other("not a bulk connection of this group"));
    }
    loop {
        let mut length = [0; 4];
        read_exact(&mut stream, &mut length, stop)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > BULK_LIMIT {
            return Err(io::Error::other("bulk message over the limit"));
        }
        // Grows with what arrives: a length that lies costs its sender the bytes.
        let mut message = Vec::new();
        while message.len() < length {
            let have = message.len();
            message.resize(length.min(have + (64 << 10)), 0);
            read_exact(&mut stream, &mut message[have..], stop)?;
        }
        // A full inbox drops it: protocols ask again.
        let _ = inbox.send(message);
    }
}

/// Like `Read::read_exact`, but looks at `stop` while nothing comes.
fn read_exact(stream: &mut TcpStream, mut buffer: &mut [u8], stop: &StopFlag) -> io::Result<()> {
    while !buffer.is_empty() {
        if stop.is_raised() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => buffer = &mut buffer[count..],
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// The writing thread's end of a queue.
struct Waiting {
    messages: Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

fn write_to(
    address: SocketAddr,
    group: GroupId,
    me: ReplicaId,
    waiting: &Waiting,
    stop: &StopFlag,
) {
    let mut connection: Option<TcpStream> = None;
    while !stop.is_raised() {
        let message = match waiting.messages.recv_timeout(STOP_CHECK) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // A connection may have died since the last message: then one more try on a new one.
        for _ in 0..2 {
            if connection.is_none() {
                connection = connect(address, group, me).ok();
            }
            let Some(stream) = &mut connection else { break };
            if write_message(stream, &message).is_ok() {
                break;
            }
            connection = None;
        }
        waiting.bytes.fetch_sub(message.len(), Ordering::Relaxed);
    }
}

fn connect(address: SocketAddr, group: GroupId, me: ReplicaId) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    let mut hello = Vec::from(HELLO_WORD);
    hello.extend(group.0.to_be_bytes());
    hello.push(me.0);
    stream.write_all(&hello)?;
    Ok(stream)
}

fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn receive(inbox: &mut Inbox<Vec<u8>>) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(message) = inbox.receive() {
                return message;
            }
            assert!(Instant::now() < deadline, "nothing arrived within 10 s");
            thread::yield_now();
        }
    }

    fn free_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    }

    #[test]
    fn messages_of_any_length_arrive_in_order() {
        let stop = StopFlag::new().unwrap();
        let addresses = [free_address(), free_address()];
        let open = |me| {
            let me = ReplicaId(me);
            let listen = addresses[usize::from(me.0)];
            TcpBulk::open(GroupId(1), me, listen, &addresses, &stop).unwrap()
        };
        let (mut first, _keep) = open(0);
        let (_second, mut inbox) = open(1);
        let big: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_be_bytes()[3]).collect();
        for message in [b"a".as_slice(), &big, b""] {
            assert!(first.send(ReplicaId(1), message));
        }
        assert_eq!(receive(&mut inbox), b"a");
        assert!(receive(&mut inbox) == big);
        assert_eq!(receive(&mut inbox), b"");
        assert!(!first.send(ReplicaId(0), b"to myself"));
        assert!(!first.send(ReplicaId(9), b"to nobody"));
        stop.stop();
    }

    #[test]
    fn what_waits_for_a_replica_that_takes_nothing_is_bounded() {
        let (queue, _messages) = sync_channel(QUEUE_LIMIT);
        let peer = Peer {
            queue,
            waiting: Arc::default(),
        };
        let large = std::vec![0; QUEUE_BYTES];
        assert!(peer.send(&large), "one message of any length");
        assert!(!peer.send(b"more"));
        assert_eq!(peer.waiting.load(Ordering::Relaxed), QUEUE_BYTES);
    }

    #[test]
    fn foreign_connections_and_lying_lengths_are_closed() {
        let stop = StopFlag::new().unwrap();
        let addresses = [free_address(), free_address()];
        let (_bulk, mut inbox) =
            TcpBulk::open(GroupId(1), ReplicaId(0), addresses[0], &addresses, &stop).unwrap();
        let mut foreign = TcpStream::connect(addresses[0]).unwrap();
        foreign.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        foreign
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        assert!(matches!(foreign.read(&mut [0]), Ok(0) | Err(_)), "closed");
        let mut liar = connect(addresses[0], GroupId(1), ReplicaId(1)).unwrap();
        liar.write_all(&u32::MAX.to_be_bytes()).unwrap();
        liar.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        assert!(matches!(liar.read(&mut [0]), Ok(0) | Err(_)), "closed");
        assert_eq!(inbox.receive(), None);
        stop.stop();
    }
}
