//! Batched socket calls: many datagrams in, many out, one system call each.
//!
//! Sending goes through `rustix`, which has a safe `sendmmsg`; receiving through `nix`, which has
//! a safe `recvmmsg` (rustix has none). Both work on UDP and on packet sockets. What the kernel
//! refuses is counted as a drop where a wire would lose it, and an error only where the
//! descriptor itself is unusable.

use std::array;
use std::cell::Cell;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread::LocalKey;

use nix::sys::socket::{
    LinkAddr, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg,
};
use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

use crate::{DropReason, FRAME_LIMIT, LinkCounters, LinkError};

/// Most datagrams in one system call.
pub(crate) const BATCH: usize = 32;

/// Datagrams waiting for one `sendmmsg`.
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    messages: Vec<Message>,
}

struct Message {
    start: usize,
    end: usize,
    /// `None` when the socket itself knows where frames go.
    to: Option<SocketAddrAny>,
}

impl Outgoing {
    /// An empty batch with room for [`BATCH`] datagrams of up to `longest` bytes.
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(BATCH * longest),
            messages: Vec::with_capacity(BATCH),
        }
    }

    /// Whether the next datagram needs [`send_all`](Self::send_all) first.
    pub(crate) fn is_full(&self) -> bool {
        self.messages.len() >= BATCH
    }

    /// Adds one datagram; there must be room.
    pub(crate) fn push(&mut self, to: Option<SocketAddrAny>, datagram: &[u8]) {
        assert!(!self.is_full(), "a full batch is sent before it takes more");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        self.messages.push(Message { start, end, to });
    }

    /// Sends everything that waits and counts each datagram as sent or dropped.
    pub(crate) fn send_all(
        &mut self,
        socket: BorrowedFd<'_>,
        counters: &mut LinkCounters,
    ) -> Result<(), LinkError> {
        let mut next = 0;
        let mut result = Ok(());
        while next < self.messages.len() {
            match self.send_from(next, socket) {
                Ok(sent) => {
                    for message in &self.messages[next..next + sent] {
                        counters.sent.count(message.end - message.start);
                    }
                    next += sent;
                }
                Err(Errno::INTR) => {}
                // The buffer stays full for the rest of the batch too.
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => {
                    let rest = self.messages.len() - next;
                    counters.drops.add(DropReason::QueueFull, rest as u64);
                    break;
                }
                // The error belongs to the first of the remaining datagrams.
                Err(errno) => {
                    if let Some(reason) = drop_reason(errno) {
                        counters.drops.count(reason);
                        next += 1;
                    } else {
                        result = Err(LinkError::io("send a batch of datagrams", errno));
                        break;
                    }
                }
            }
        }
        self.bytes.clear();
        self.messages.clear();
        result
    }

    /// One `sendmmsg` from message `next` on; how many it took.
    fn send_from(&self, next: usize, socket: BorrowedFd<'_>) -> Result<usize, Errno> {
        // Headers are made anew for each call, and a call for a full batch's headers to send one
        // datagram would spend more on them than on the datagram's bytes.
        match self.messages.len() - next {
            0 | 1 => self.send_up_to::<1>(next, socket),
            2..=4 => self.send_up_to::<4>(next, socket),
            _ => self.send_up_to::<BATCH>(next, socket),
        }
    }

    /// One `sendmmsg` of at most `N` messages.
    fn send_up_to<const N: usize>(
        &self,
        next: usize,
        socket: BorrowedFd<'_>,
    ) -> Result<usize, Errno> {
        let waiting = &self.messages[next..];
        let slices: [[IoSlice<'_>; 1]; N] = array::from_fn(|index| {
            let bytes = waiting
                .get(index)
                .map_or(&[][..], |m| &self.bytes[m.start..m.end]);
            [IoSlice::new(bytes)]
        });
        let mut control: [SendAncillaryBuffer<'_, '_, '_>; N] =
            array::from_fn(|_| SendAncillaryBuffer::default());
        let mut controls = control.iter_mut();
        let mut headers: [MMsgHdr<'_>; N] = array::from_fn(|index| {
            let control = controls.next().expect("both arrays have the same length");
            match waiting.get(index).and_then(|message| message.to.as_ref()) {
                Some(to) => MMsgHdr::new_with_addr(to, &slices[index], control),
                None => MMsgHdr::new(&slices[index], control),
            }
        });
        let count = waiting.len().min(N);
        // Without NOSIGNAL nothing changes for datagrams; it says that none is expected.
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmmsg(socket, &mut headers[..count], flags)
    }
}

/// The reason to drop one datagram for, `None` if the socket itself is broken.
fn drop_reason(errno: Errno) -> Option<DropReason> {
    match errno {
        Errno::MSGSIZE => Some(DropReason::Oversize),
        Errno::NETUNREACH
        | Errno::HOSTUNREACH
        | Errno::HOSTDOWN
        | Errno::NETDOWN
        | Errno::CONNREFUSED
        | Errno::PERM
        | Errno::ACCESS
        | Errno::ADDRNOTAVAIL
        | Errno::NXIO
        | Errno::NODEV
        | Errno::INVAL => Some(DropReason::Refused),
        _ => None,
    }
}

/// Buffers for one `recvmmsg`.
pub(crate) struct Incoming {
    buffers: Box<[u8]>,
    /// How many datagrams the next system call asks for.
    asks: usize,
}

/// Fewest datagrams that a system call asks for.
const ASK_LEAST: usize = 4;

/// One byte more than a frame may have, so that a longer one shows.
const SLOT: usize = FRAME_LIMIT + 1;

impl Incoming {
    /// Room for [`BATCH`] datagrams of up to [`FRAME_LIMIT`] bytes.
    pub(crate) fn new() -> Self {
        Self {
            buffers: vec![0; BATCH * SLOT].into_boxed_slice(),
            asks: ASK_LEAST,
        }
    }

    /// Calls `each` with source and bytes of at most `limit` waiting datagrams and returns how
    /// many there were. Bytes beyond [`FRAME_LIMIT`] are cut off: the caller checks the length.
    ///
    /// A system call asks for twice as many as the last one brought: buffers that stay empty cost
    /// their headers all the same, and most looks of a node that waits find one datagram or none.
    pub(crate) fn receive<S: Source>(
        &mut self,
        socket: BorrowedFd<'_>,
        limit: usize,
        each: &mut dyn FnMut(Option<S>, &[u8]),
    ) -> Result<usize, LinkError> {
        let mut headers = S::take_headers();
        let mut total = 0;
        let result = loop {
            let asked = self.asks.min(limit - total);
            if asked == 0 {
                break Ok(total);
            }
            match receive_with(&mut headers, &mut self.buffers, socket, asked, each) {
                Ok(taken) => {
                    total += taken;
                    self.asks = (2 * taken).clamp(ASK_LEAST, BATCH);
                    if taken < asked {
                        break Ok(total);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        S::HEADERS.set(Some(headers));
        result
    }
}

fn receive_with<S: Source>(
    headers: &mut MultiHeaders<S>,
    buffers: &mut [u8],
    socket: BorrowedFd<'_>,
    count: usize,
    each: &mut dyn FnMut(Option<S>, &[u8]),
) -> Result<usize, LinkError> {
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = array::from_fn(|_| [IoSliceMut::new(&mut [])]);
    for (slice, buffer) in slices[..count]
        .iter_mut()
        .zip(buffers.chunks_exact_mut(SLOT))
    {
        *slice = [IoSliceMut::new(buffer)];
    }
    let flags = MsgFlags::MSG_DONTWAIT;
    let slices = slices[..count].iter_mut();
    let messages = match recvmmsg(socket.as_raw_fd(), headers, slices, flags, None) {
        Ok(messages) => messages,
        // Nothing is here now. All but the first two report on earlier datagrams or on an
        // interface that went down.
        Err(
            nix::Error::EAGAIN
            | nix::Error::EINTR
            | nix::Error::ECONNREFUSED
            | nix::Error::ENETDOWN
            | nix::Error::EHOSTUNREACH
            | nix::Error::ENETUNREACH,
        ) => return Ok(0),
        Err(errno) => return Err(LinkError::io("receive a batch of datagrams", errno)),
    };
    let mut received = 0;
    for message in messages {
        received += 1;
        each(message.address, message.iovs().next().unwrap_or_default());
    }
    Ok(received)
}

/// A kind of source address that `recvmmsg` reports.
///
/// Its headers hold raw pointers and so cannot move between threads with a socket; they live with
/// the thread instead, one set for each kind of address because the kernel writes the address
/// length into them.
pub(crate) trait Source: SockaddrLike + Copy + 'static {
    const HEADERS: &'static LocalKey<Cell<Option<MultiHeaders<Self>>>>;

    /// The thread's headers, or new ones if a `receive` further out is using them.
    fn take_headers() -> MultiHeaders<Self> {
        Self::HEADERS
            .take()
            .unwrap_or_else(|| MultiHeaders::preallocate(BATCH, None))
    }
}

macro_rules! source {
    ($kind:ty, $headers:ident) => {
        thread_local! {
            static $headers: Cell<Option<MultiHeaders<$kind>>> = const { Cell::new(None) };
        }

        impl Source for $kind {
            const HEADERS: &'static LocalKey<Cell<Option<MultiHeaders<Self>>>> = &$headers;
        }
    };
}

source!(SockaddrIn, IPV4_HEADERS);
source!(SockaddrIn6, IPV6_HEADERS);
source!(LinkAddr, PACKET_HEADERS);
