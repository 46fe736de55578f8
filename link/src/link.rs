//! The trait every carrier of frames implements, and what can go wrong with one.
//!
//! Not here: any carrier. A link is a wire, so it has no addresses, no connection and no
//! promise of delivery; those belong to `endpoint` and to the protocols above.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use wire::Tick;

use crate::{DropReason, LinkCounters};

/// Bytes of the longest frame any carrier takes: a 9,000-byte IP packet, its Ethernet header,
/// and room for tags a switch may add.
pub const FRAME_LIMIT: usize = 9_216;

/// Bytes of the shortest frame any carrier takes: an Ethernet header.
pub const FRAME_MINIMUM: usize = 14;

/// One end of a point-to-point wire carrying Ethernet frames (destination address first, no
/// preamble, no frame check sequence).
///
/// Lossy, like a wire: a frame that cannot be taken is dropped and counted, never blocks.
/// Frames that are delivered keep their order unless a middleware was asked to break it.
///
/// The caller's cycle is: `advance` with the time, `receive` and `send` as needed, `flush`
/// after the last `send`; before sleeping `prepare_to_wait`, then wait on `readiness`, with the
/// time that `advance` returned as the limit. `receive` ends the wait.
pub trait Link: Send {
    /// Queues one frame of [`FRAME_MINIMUM`] to [`FRAME_LIMIT`] bytes. The other end may see it
    /// at once, and is sure to be woken for it only by [`flush`](Self::flush).
    fn send(&mut self, frame: &[u8]);

    /// Ends a batch: hands over what is buffered and wakes the other end if it sleeps.
    fn flush(&mut self) -> Result<(), LinkError>;

    /// Calls `each` for at most `limit` waiting frames and returns for how many; never blocks.
    /// Frames that are dropped on the way in are counted but do not reach `each`.
    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError>;

    /// Arms the wake-up. True: frames are already here, do not sleep. False: from now on a frame
    /// makes [`readiness`](Self::readiness) readable, until the next `receive`.
    fn prepare_to_wait(&mut self) -> bool;

    /// The descriptor that is readable when frames wait, if this link has one.
    fn readiness(&self) -> Option<BorrowedFd<'_>>;

    /// Gives the link the time and returns when it next needs it, `None` if never. A link that
    /// holds frames back sends the due ones here; call it before `receive` and `send`.
    fn advance(&mut self, now: Tick) -> Option<Tick>;

    /// Frames and bytes in and out since the link was made, and the drops by reason.
    fn counters(&self) -> LinkCounters;
}

impl<L: Link + ?Sized> Link for Box<L> {
    fn send(&mut self, frame: &[u8]) {
        (**self).send(frame);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        (**self).flush()
    }

    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError> {
        (**self).receive(limit, each)
    }

    fn prepare_to_wait(&mut self) -> bool {
        (**self).prepare_to_wait()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        (**self).readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        (**self).advance(now)
    }

    fn counters(&self) -> LinkCounters {
        (**self).counters()
    }
}

/// Why a link or endpoint could not be made or cannot go on. A lost frame is never an error.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The kernel refused an operation that a working descriptor allows.
    #[error("cannot {operation}: {source}")]
    Io {
        /// What was tried, as words that follow "cannot".
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A socket could not be bound to the address asked for.
    #[error(
        "cannot bind a UDP socket to {address}: {source}; choose an address of this host and a \
         free port"
    )]
    Bind {
        /// The address and port asked for.
        address: std::net::SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// No interface has this name.
    #[error("there is no network interface named {name:?}; `ip link` lists them")]
    NoInterface {
        /// The name asked for.
        name: String,
    },
    /// An interface could not be opened for raw frames, or a socket bound to it.
    #[error("cannot use interface {name}: {source}; it takes root or CAP_NET_RAW")]
    Interface {
        /// The interface asked for.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file could not be created.
    #[error("cannot create {}: {source}", path.display())]
    File {
        /// Where it was to be.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A setting is outside of what the carrier can do.
    #[error("{what} is {value}, valid are {valid}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: String,
        /// The values that work.
        valid: &'static str,
    },
}

impl LinkError {
    /// Wraps what the kernel said about `operation`, words that follow "cannot".
    pub(crate) fn io(operation: &'static str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self::Io { operation, source }
    }
}

/// Whether the length of `frame` is one that every carrier takes, else the reason to drop it.
pub(crate) fn check_frame_length(frame: &[u8]) -> Result<(), DropReason> {
    if frame.len() > FRAME_LIMIT {
        return Err(DropReason::Oversize);
    }
    if frame.len() < FRAME_MINIMUM {
        return Err(DropReason::Undersize);
    }
    Ok(())
}
