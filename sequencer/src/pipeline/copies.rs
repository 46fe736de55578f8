//! What comes out of the switch for a packet: a reusable arena of frames.

use alloc::vec::Vec;
use core::ops::Range;

use super::PortNumber;

/// Why a packet, or a copy of it, did not leave the switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Packets that ingress dropped.
    pub in_ingress: u32,
    /// Copies that egress dropped.
    pub in_egress: u32,
    /// Packets for a multicast group that does not exist.
    pub without_group: u32,
    /// Frames longer than [`super::MAX_FRAME_BYTES`].
    pub oversized: u32,
}

#[derive(Clone, Debug)]
struct Frame {
    port: PortNumber,
    priority: u8,
    bytes: Range<usize>,
}

/// The frames that leave the switch, in the order in which they leave.
///
/// [`Switch::process`](super::Switch::process) appends; the caller clears. After the buffer has
/// grown to its working size nothing is allocated any more.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    arena: Vec<u8>,
    frames: Vec<Frame>,
    losses: Losses,
}

impl Copies {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all frames and losses, keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.frames.clear();
        self.losses = Losses::default();
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// No frame at all.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Ports and frames, in order. Frames of one port keep this order on the way out.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (PortNumber, &[u8])> + Clone {
        self.frames
            .iter()
            .map(|frame| (frame.port, &self.arena[frame.bytes.clone()]))
    }

    /// As [`Copies::iter`], with the priority that the program set: 0 to 7, higher goes first.
    pub fn with_priority(&self) -> impl ExactSizeIterator<Item = (PortNumber, u8, &[u8])> + Clone {
        self.frames
            .iter()
            .map(|frame| (frame.port, frame.priority, &self.arena[frame.bytes.clone()]))
    }

    /// What did not leave, since the last [`Copies::clear`].
    pub fn losses(&self) -> Losses {
        self.losses
    }

    pub(crate) fn losses_mut(&mut self) -> &mut Losses {
        &mut self.losses
    }

    /// Begins a frame; `part` and `finish` complete it.
    #[inline]
    pub(crate) fn begin(&self) -> usize {
        self.arena.len()
    }

    #[inline]
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.arena.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn finish(&mut self, begin: usize, port: PortNumber, priority: u8) {
        self.frames.push(Frame {
            port,
            priority,
            bytes: begin..self.arena.len(),
        });
    }
}
