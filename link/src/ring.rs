//! A wire within one process: two bounded rings of bytes, one for each direction.
//!
//! A frame costs two copies and no system call while its receiver runs; a sleeping receiver is
//! woken through its [`Waker`], whose documentation shows the race that the flag avoids.
//!
//! Layout of a ring: each frame is its length (2 bytes, little endian) and its bytes, published
//! at once, so that a reader that finds anything finds whole frames.

use std::os::fd::{AsFd, BorrowedFd};

use rtrb::{Consumer, Producer, RingBuffer};
use wire::Tick;

use crate::link::check_frame_length;
use crate::{DropReason, FRAME_LIMIT, Link, LinkCounters, LinkError, Waker};

/// Bytes of a ring that suits a network of hosts in one process: about 150 long or 2,000 short
/// frames.
pub const DEFAULT_CAPACITY: usize = 256 * 1024;

/// Bytes of the length in front of each frame.
const LENGTH_BYTES: usize = 2;

/// One end of an in-process wire.
pub struct RingLink {
    outgoing: Producer<u8>,
    incoming: Consumer<u8>,
    peer: Waker,
    waker: Waker,
    /// Frames were sent since the last flush.
    unflushed: bool,
    /// A frame that wraps around the end of the ring is put together here.
    scratch: Box<[u8; FRAME_LIMIT]>,
    counters: LinkCounters,
}

/// Makes a wire whose ends each have a bell of their own. `capacity` is bytes per direction; it
/// must hold at least one frame of [`FRAME_LIMIT`] bytes.
pub fn pair(capacity: usize) -> Result<(RingLink, RingLink), LinkError> {
    pair_with_wakers(capacity, Waker::new()?, Waker::new()?)
}

/// Makes a wire whose first end is received from by the thread of `first`, and the second by the
/// thread of `second`.
pub fn pair_with_wakers(
    capacity: usize,
    first: Waker,
    second: Waker,
) -> Result<(RingLink, RingLink), LinkError> {
    if !(FRAME_LIMIT + LENGTH_BYTES..=usize::MAX / 2).contains(&capacity) {
        return Err(LinkError::Setting {
            what: "the capacity of a ring in bytes",
            value: capacity.to_string(),
            valid: "9218 and more",
        });
    }
    let (to_second, from_first) = RingBuffer::new(capacity);
    let (to_first, from_second) = RingBuffer::new(capacity);
    let a = RingLink::new(to_second, from_second, second.clone(), first.clone());
    let b = RingLink::new(to_first, from_first, first, second);
    Ok((a, b))
}

impl RingLink {
    fn new(outgoing: Producer<u8>, incoming: Consumer<u8>, peer: Waker, waker: Waker) -> Self {
        Self {
            outgoing,
            incoming,
            peer,
            waker,
            unflushed: false,
            scratch: Box::new([0; FRAME_LIMIT]),
            counters: LinkCounters::default(),
        }
    }

    fn try_send(&mut self, frame: &[u8]) -> Result<(), DropReason> {
        check_frame_length(frame)?;
        let length = u16::try_from(frame.len()).map_err(|_| DropReason::Oversize)?;
        let mut chunk = self
            .outgoing
            .write_chunk(LENGTH_BYTES + frame.len())
            .map_err(|_| DropReason::QueueFull)?;
        let (first, second) = chunk.as_mut_slices();
        let length = length.to_le_bytes();
        copy_into(first, second, 0, &length);
        copy_into(first, second, LENGTH_BYTES, frame);
        chunk.commit_all();
        Ok(())
    }
}

impl Link for RingLink {
    fn send(&mut self, frame: &[u8]) {
        match self.try_send(frame) {
            Ok(()) => {
                self.counters.sent.count(frame.len());
                self.unflushed = true;
            }
            Err(reason) => self.counters.drops.count(reason),
        }
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        if self.unflushed {
            self.unflushed = false;
            self.peer.wake();
        }
        Ok(())
    }

    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError> {
        self.waker.disarm();
        let available = self.incoming.slots();
        if available == 0 {
            return Ok(0);
        }
        let Ok(chunk) = self.incoming.read_chunk(available) else {
            return Ok(0);
        };
        let (first, second) = chunk.as_slices();
        let mut position = 0;
        let mut frames = 0;
        while frames < limit && position < available {
            let mut length = [0; LENGTH_BYTES];
            copy_from(first, second, position, &mut length);
            position += LENGTH_BYTES;
            let length = usize::from(u16::from_le_bytes(length));
            let frame = if let Some(frame) = contiguous(first, second, position, length) {
                frame
            } else {
                let scratch = &mut self.scratch[..length];
                copy_from(first, second, position, scratch);
                scratch
            };
            position += length;
            frames += 1;
            self.counters.received.count(length);
            each(frame);
        }
        chunk.commit(position);
        Ok(frames)
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.waker.arm();
        self.incoming.slots() > 0
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.waker.as_fd())
    }

    fn advance(&mut self, _now: Tick) -> Option<Tick> {
        None
    }

    fn counters(&self) -> LinkCounters {
        self.counters
    }
}

/// Copies `bytes` to `position` of the space that `first` and `second` make up.
fn copy_into(first: &mut [u8], second: &mut [u8], position: usize, bytes: &[u8]) {
    let split = first.len().saturating_sub(position).min(bytes.len());
    let (head, tail) = bytes.split_at(split);
    if !head.is_empty() {
        first[position..position + split].copy_from_slice(head);
    }
    if !tail.is_empty() {
        let start = (position + split) - first.len();
        second[start..start + tail.len()].copy_from_slice(tail);
    }
}

/// Fills `bytes` from `position` of the space that `first` and `second` make up.
fn copy_from(first: &[u8], second: &[u8], position: usize, bytes: &mut [u8]) {
    let split = first.len().saturating_sub(position).min(bytes.len());
    let (head, tail) = bytes.split_at_mut(split);
    if !head.is_empty() {
        head.copy_from_slice(&first[position..position + split]);
    }
    if !tail.is_empty() {
        let start = (position + split) - first.len();
        tail.copy_from_slice(&second[start..start + tail.len()]);
    }
}

/// The `length` bytes from `position`, if they do not wrap.
fn contiguous<'a>(
    first: &'a [u8],
    second: &'a [u8],
    position: usize,
    length: usize,
) -> Option<&'a [u8]> {
    if position + length <= first.len() {
        first.get(position..position + length)
    } else {
        let start = position.checked_sub(first.len())?;
        second.get(start..start + length)
    }
}

#[cfg(test)]
mod tests;
