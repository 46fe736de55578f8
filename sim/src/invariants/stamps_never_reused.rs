//! A stamp names one packet: (epoch, sequence) is unique and grows by one within an epoch, each
//! epoch that begins is greater than all before (an older one may go on for a while at a root that
//! the group has left), and no replica sees one stamp on two different packets.

use super::{Invariant, Sight, Stamped};
use std::collections::BTreeMap;
use wire::{EpochNumber, SequenceNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct StampsNeverReused {
    /// By epoch: the last number.
    newest: BTreeMap<EpochNumber, SequenceNumber>,
    contents: BTreeMap<(EpochNumber, SequenceNumber), Box<[u8]>>,
}

impl StampsNeverReused {
    fn on_stamped(&mut self, stamped: &Stamped<'_>) -> Result<(), String> {
        let (epoch, sequence) = (stamped.epoch, stamped.sequence);
        let greatest = self.newest.keys().next_back();
        let follows = match self.newest.get(&epoch) {
            Some(last) => sequence == last.next(),
            None => greatest.is_none_or(|old| epoch > *old) && sequence == SequenceNumber(1),
        };
        if !follows {
            return Err(format!(
                "the root stamped epoch {epoch} sequence {sequence} after {:?}",
                self.newest.iter().next_back()
            ));
        }
        self.newest.insert(epoch, sequence);
        self.contents
            .insert((epoch, sequence), stamped.message.into());
        Ok(())
    }
}

impl Invariant for StampsNeverReused {
    fn name(&self) -> &'static str {
        "stamps_never_reused"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 3.3: the root serialises the packets of a group"
    }

    fn trusts_the_root(&self) -> bool {
        true
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Stamped(stamped) => self.on_stamped(stamped),
            Sight::Received(replica, stamped) => {
                let stamp = (stamped.epoch, stamped.sequence);
                match self.contents.get(&stamp) {
                    Some(content) if **content == *stamped.message => Ok(()),
                    Some(_) => Err(format!(
                        "replica {replica} got another packet than the root stamped with epoch {} \
                         sequence {}",
                        stamp.0, stamp.1
                    )),
                    None => Err(format!(
                        "replica {replica} got epoch {} sequence {}, which the root never stamped",
                        stamp.0, stamp.1
                    )),
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ReplicaId;

    fn stamped(epoch: u32, sequence: u64, message: &[u8]) -> Stamped<'_> {
        Stamped {
            epoch: EpochNumber(epoch),
            sequence: SequenceNumber(sequence),
            message,
        }
    }

    fn after(first: &[(u32, u64)], then: (u32, u64)) -> Result<(), String> {
        let mut invariant = StampsNeverReused::default();
        for (epoch, sequence) in first {
            invariant.see(&Sight::Stamped(stamped(*epoch, *sequence, b"x")))?;
        }
        invariant.see(&Sight::Stamped(stamped(then.0, then.1, b"y")))
    }

    #[test]
    fn numbers_grow_by_one_and_begin_anew_with_a_greater_epoch() {
        assert_eq!(after(&[(4, 1), (4, 2)], (4, 3)), Ok(()));
        assert_eq!(after(&[(4, 1), (4, 2)], (9, 1)), Ok(()));
        for then in [(4, 2), (4, 4), (3, 1), (9, 2), (4, 1)] {
            assert!(after(&[(4, 1), (4, 2)], then).is_err(), "{then:?}");
        }
    }

    #[test]
    fn a_replica_gets_what_was_stamped() {
        let mut invariant = StampsNeverReused::default();
        invariant.see(&Sight::Stamped(stamped(4, 1, b"x"))).unwrap();
        let mut received = |stamped| {
            invariant
                .see(&Sight::Received(ReplicaId(1), stamped))
                .map_err(drop)
        };
        assert_eq!(received(stamped(4, 1, b"x")), Ok(()));
        assert_eq!(received(stamped(4, 1, b"y")), Err(()));
        assert_eq!(received(stamped(4, 2, b"x")), Err(()));
    }
}
