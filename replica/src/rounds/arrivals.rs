//! Packets of the group whose turn has not come: behind one that is missing, or of a term that
//! has not begun here.

use super::proposal::Stored;
use alloc::collections::BTreeMap;
use wire::{EpochNumber, SequenceNumber};

/// Bounded: what comes beyond the bound is dropped and fetched from a member in its turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Arrivals {
    term: EpochNumber,
    /// The highest number of that term that has come, kept or not.
    seen: SequenceNumber,
    held: BTreeMap<SequenceNumber, Stored>,
}

impl Arrivals {
    /// The newest term of which packets have come.
    pub(super) fn term(&self) -> EpochNumber {
        self.term
    }

    /// A packet of a newer term has come: those of older terms are of no use any more.
    pub(super) fn begin(&mut self, term: EpochNumber) {
        assert!(term > self.term, "terms grow");
        self.term = term;
        self.seen = SequenceNumber::default();
        self.held.clear();
    }

    /// The highest number of the newest term that had to wait, though there may have been no room
    /// for its packet.
    pub(super) fn seen(&self) -> SequenceNumber {
        self.seen
    }

    /// Keeps a packet of the newest term; false if it is there already or there is no room.
    pub(super) fn hold(&mut self, sequence: SequenceNumber, packet: Stored, limit: usize) -> bool {
        self.seen = self.seen.max(sequence);
        if self.held.contains_key(&sequence) {
            return false;
        }
        if self.held.len() >= limit {
            // The nearest are the most useful.
            let last = self.held.last_key_value().map(|(last, _)| *last);
            if last.is_none_or(|last| last < sequence) {
                return false;
            }
            self.held.pop_last();
        }
        self.held.insert(sequence, packet);
        true
    }

    /// Takes the packet with this number; forgets everything before it.
    pub(super) fn take(&mut self, sequence: SequenceNumber) -> Option<Stored> {
        while let Some((first, _)) = self.held.first_key_value() {
            if *first > sequence {
                return None;
            }
            let (first, packet) = self.held.pop_first().expect("there is a first");
            if first == sequence {
                return Some(packet);
            }
        }
        None
    }

    /// A packet that waits.
    pub(super) fn get(&self, sequence: SequenceNumber) -> Option<&Stored> {
        self.held.get(&sequence)
    }

    /// How many packets are missing from `next` on before one that waits; `None`: nothing waits.
    pub(super) fn missing_from(&self, next: SequenceNumber) -> Option<u64> {
        let (first, _) = self.held.range(next..).next()?;
        Some(first.0 - next.0)
    }

    /// Packets that wait.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::proposal::foreign;
    use super::*;
    use wire::AgreedTime;

    fn packet(number: u64) -> Stored {
        let mut proposal = foreign(AgreedTime::ZERO);
        proposal.number = number;
        Stored::new(&proposal)
    }

    fn seq(number: u64) -> SequenceNumber {
        SequenceNumber(number)
    }

    #[test]
    fn packets_are_taken_in_turn_and_holes_show() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(EpochNumber(1));
        assert!(arrivals.hold(seq(5), packet(5), 9));
        assert!(arrivals.hold(seq(3), packet(3), 9));
        assert!(!arrivals.hold(seq(3), packet(33), 9));
        assert_eq!(arrivals.missing_from(seq(1)), Some(2));
        assert_eq!(arrivals.take(seq(1)), None);
        assert_eq!(arrivals.take(seq(3)), Some(packet(3)));
        assert_eq!(arrivals.missing_from(seq(4)), Some(1));
        assert_eq!(arrivals.take(seq(6)), None);
        assert_eq!((arrivals.len(), arrivals.missing_from(seq(6))), (0, None));
    }

    #[test]
    fn the_furthest_make_room_for_the_nearest() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(EpochNumber(1));
        for number in [4, 9] {
            assert!(arrivals.hold(seq(number), packet(number), 2));
        }
        assert!(!arrivals.hold(seq(10), packet(10), 2));
        assert_eq!(arrivals.seen(), seq(10));
        assert!(arrivals.hold(seq(3), packet(3), 2));
        assert!(arrivals.get(seq(9)).is_none() && arrivals.get(seq(4)).is_some());
        assert_eq!(arrivals.seen(), seq(10));
        arrivals.begin(EpochNumber(2));
        assert_eq!(arrivals.seen(), seq(0));
    }
}
