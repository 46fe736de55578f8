//! Packets of the session that came before their turn, and what is known to be missing.

use super::Limits;
use crate::history::StoredRequest;
use alloc::collections::BTreeMap;
use wire::message::nopaxos::Run;
use wire::{EpochNumber, SequenceNumber};

/// A packet; `None` if it was not a request, or is known to count as none.
pub(super) type Packet = Option<StoredRequest>;

/// The packets of one session behind the log's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Arrivals {
    session: EpochNumber,
    /// The newest position known to have been given out.
    seen: SequenceNumber,
    waiting: BTreeMap<SequenceNumber, Packet>,
    bytes: usize,
}

fn bytes_of(packet: &Packet) -> usize {
    packet.as_ref().map_or(0, |request| request.operation.len())
}

impl Arrivals {
    /// Goes on with a session; packets of another one are of no use any more.
    pub(super) fn of_session(&mut self, session: EpochNumber) {
        if session != self.session {
            *self = Self {
                session,
                ..Self::default()
            };
        }
    }

    /// The root has got this far.
    pub(super) fn note(&mut self, position: SequenceNumber) {
        self.seen = self.seen.max(position);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a packet until its turn. If too much waits, what comes latest is dropped, and is
    /// missing when its turn comes.
    pub(super) fn hold(&mut self, limits: &Limits, position: SequenceNumber, packet: Packet) {
        self.note(position);
        self.bytes += bytes_of(&packet);
        if let Some(before) = self.waiting.insert(position, packet) {
            self.bytes -= bytes_of(&before);
        }
        while self.waiting.len() > limits.waiting_packets || self.bytes > limits.waiting_bytes {
            let Some((_, dropped)) = self.waiting.pop_last() else {
                break;
            };
            self.bytes -= bytes_of(&dropped);
        }
    }

    /// Takes the packet at a position, if it is here.
    pub(super) fn take(&mut self, position: SequenceNumber) -> Option<Packet> {
        let packet = self.waiting.remove(&position)?;
        self.bytes -= bytes_of(&packet);
        Some(packet)
    }

    /// The log has got this far.
    pub(super) fn forget_up_to(&mut self, head: SequenceNumber) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > head {
                break;
            }
            self.bytes -= bytes_of(&entry.remove());
        }
    }

    /// What is missing behind the log's head before the first packet that is here.
    pub(super) fn hole(&self, head: SequenceNumber) -> Option<Run> {
        let last = match self.waiting.first_key_value() {
            Some((position, _)) => SequenceNumber(position.0.saturating_sub(1)),
            None => self.seen,
        };
        (last > head).then(|| Run {
            first: head.next(),
            last,
        })
    }

    /// How many packets wait, and the bytes of their operations.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.waiting.len(), self.bytes)
    }
}
