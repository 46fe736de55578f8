//! Which packets of the group have come, in the root's count: what is next, what waits behind a
//! hole, and what others may ask for.
//!
//! Data only. What to do about a hole is in `gaps`.

use crate::history::StoredRequest;
use alloc::collections::{BTreeMap, VecDeque};
use wire::{AgreedTime, ClientId, EpochNumber, RequestNumber, SequenceNumber};

/// Packets behind a hole may be at most this far ahead of it: what comes on a busy fabric while a
/// busy peer is asked.
pub(super) const WINDOW: u64 = 1_024;
/// A replica that sees an epoch for the first time takes so many packets before for missed.
const LATE_MAX: u64 = 128;
/// Packets that are remembered for others.
pub(super) const RING: usize = 4_096;

/// A packet that came before its turn, or came from a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Waiting {
    /// Not a request.
    Other,
    /// A request.
    Request(StoredRequest),
}

impl Waiting {
    /// Whether this is the packet with that request, or without one.
    fn is(&self, request: Option<(ClientId, RequestNumber)>) -> bool {
        match self {
            Self::Other => request.is_none(),
            Self::Request(own) => request == Some((own.client, own.number)),
        }
    }
}

/// What is remembered of a packet whose turn has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Passed {
    /// It never came.
    Absent,
    /// Not a request.
    Other,
    /// A request, which the log or the client table can tell.
    Request {
        client: ClientId,
        number: RequestNumber,
        time: AgreedTime,
    },
}

/// How a packet relates to what has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its turn is now.
    Now,
    /// Something before it is missing.
    Ahead,
    /// Its turn has been, and it was missed then.
    Late,
    /// It has been here already.
    Copy,
    /// The root began a new epoch.
    NewEpoch,
}

/// What a peer can be told of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// Its turn has not been; it may still come.
    NotYet,
    /// Its turn has been.
    Passed(Passed),
    /// It is here and waits for its turn.
    Waits(&'a Waiting),
}

/// The packets of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Arrivals {
    epoch: EpochNumber,
    next: SequenceNumber,
    waiting: BTreeMap<SequenceNumber, Waiting>,
    /// The packets before `next`, the newest last.
    ring: VecDeque<Passed>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            epoch: EpochNumber::ZERO,
            next: SequenceNumber(1),
            waiting: BTreeMap::new(),
            ring: VecDeque::with_capacity(RING),
        }
    }
}

impl Arrivals {
    pub(super) fn epoch(&self) -> EpochNumber {
        self.epoch
    }

    /// The packet whose turn is next.
    pub(super) fn next(&self) -> SequenceNumber {
        self.next
    }

    /// Where a packet belongs. Nothing changes.
    pub(super) fn place(
        &self,
        epoch: EpochNumber,
        sequence: SequenceNumber,
        request: Option<(ClientId, RequestNumber)>,
    ) -> Place {
        if epoch > self.epoch {
            Place::NewEpoch
        } else if epoch < self.epoch {
            Place::Late
        } else if sequence < self.next {
            self.place_of_passed(sequence, request)
        } else {
            match self.waiting.get(&sequence) {
                Some(waiting) if waiting.is(request) => Place::Copy,
                Some(_) => Place::Late,
                None if sequence == self.next => Place::Now,
                None => Place::Ahead,
            }
        }
    }

    /// A number alone does not make a copy: a root that counts twice gives different requests one
    /// number, and none of them may be taken for the other.
    fn place_of_passed(
        &self,
        sequence: SequenceNumber,
        request: Option<(ClientId, RequestNumber)>,
    ) -> Place {
        match self.passed(sequence) {
            Some(Passed::Request { client, number, .. }) if request == Some((client, number)) => {
                Place::Copy
            }
            _ => Place::Late,
        }
    }

    fn passed(&self, sequence: SequenceNumber) -> Option<Passed> {
        let back = usize::try_from(self.next.0.checked_sub(sequence.0)?).ok()?;
        let index = self.ring.len().checked_sub(back)?;
        self.ring.get(index).copied()
    }

    /// Begins an epoch. Packets before its first one here are missed only if they are few: a
    /// replica that comes late does not ask for the past.
    pub(super) fn begin(&mut self, epoch: EpochNumber, first: SequenceNumber) {
        assert!(
            self.waiting.is_empty(),
            "the old epoch's packets are dealt with first"
        );
        self.epoch = epoch;
        self.ring.clear();
        self.next = if first.0 <= LATE_MAX {
            SequenceNumber(1)
        } else {
            first
        };
    }

    /// The packet whose turn is now has been dealt with.
    pub(super) fn pass(&mut self, passed: Passed) {
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(passed);
        self.next = self.next.next();
    }

    /// A late packet is here after all, for those who ask.
    pub(super) fn found(&mut self, sequence: SequenceNumber, passed: Passed) {
        let back = self.next.0.saturating_sub(sequence.0);
        let index = usize::try_from(back)
            .ok()
            .and_then(|back| self.ring.len().checked_sub(back));
        if let Some(place) = index.and_then(|index| self.ring.get_mut(index)) {
            *place = passed;
        }
    }

    /// Keeps a packet until its turn.
    pub(super) fn hold(&mut self, sequence: SequenceNumber, packet: Waiting) {
        self.waiting.insert(sequence, packet);
    }

    /// Takes the packet whose turn is now, if it waits. The caller passes it.
    pub(super) fn ready(&mut self) -> Option<Waiting> {
        self.waiting.remove(&self.next)
    }

    /// The hole before the first packet that waits: its first number and its length.
    pub(super) fn hole(&self) -> Option<(SequenceNumber, u64)> {
        let (first, _) = self.waiting.first_key_value()?;
        Some((self.next, first.0 - self.next.0))
    }

    /// Whether `sequence` lies too far ahead to wait for what is missing before it.
    pub(super) fn is_beyond_window(&self, sequence: SequenceNumber) -> bool {
        sequence.0 - self.next.0 >= WINDOW
    }

    /// Goes on at `sequence`, without what has not come before it.
    pub(super) fn skip_to(&mut self, sequence: SequenceNumber) {
        let skipped = sequence.0.saturating_sub(self.next.0);
        if skipped >= RING as u64 {
            self.ring.clear();
            self.next = sequence;
        }
        while self.next < sequence {
            self.pass(Passed::Absent);
        }
    }

    /// Takes everything that waits, in order, and goes on behind it.
    pub(super) fn take_waiting(&mut self) -> BTreeMap<SequenceNumber, Waiting> {
        let waiting = core::mem::take(&mut self.waiting);
        if let Some((last, _)) = waiting.last_key_value() {
            self.skip_to(last.next());
        }
        waiting
    }

    /// What a peer can be told.
    pub(super) fn tell(&self, epoch: EpochNumber, sequence: SequenceNumber) -> Known<'_> {
        if epoch > self.epoch {
            Known::NotYet
        } else if epoch < self.epoch {
            Known::Passed(Passed::Absent)
        } else if sequence < self.next {
            Known::Passed(self.passed(sequence).unwrap_or(Passed::Absent))
        } else {
            self.waiting
                .get(&sequence)
                .map_or(Known::NotYet, Known::Waits)
        }
    }

    /// How many packets wait behind a hole, and how many are remembered for others.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.waiting.len(), self.ring.len())
    }

    pub(super) fn check(&self) {
        assert!(self.waiting.len() as u64 <= WINDOW && self.ring.len() <= RING);
        assert!(
            self.waiting.keys().all(|sequence| *sequence >= self.next),
            "a packet waits for a turn that has been"
        );
    }
}

#[cfg(test)]
mod tests;
