//! Under synchronous rounds a member votes once for a position of an epoch: what it has
//! acknowledged stays acknowledged, unless it has seen a longer prefix locked since and adopted
//! that. And frontiers that are decided agree.

use super::{Invariant, Sight};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use wire::message::Message;
use wire::message::rounds::{Frontier, RoundPacket, RoundsMessage};
use wire::{Position, ReplicaId, RoundsEpoch, SummaryHash};

/// What a life of a member has voted for in its newest epoch.
#[derive(Debug, Default)]
struct Voted {
    epoch: RoundsEpoch,
    longest: Frontier,
    locked: Position,
    digests: BTreeMap<Position, SummaryHash>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct VotesStand {
    votes: BTreeMap<(ReplicaId, u64), Voted>,
    decided: BTreeMap<Position, (SummaryHash, ReplicaId)>,
}

impl VotesStand {
    fn on_packet(&mut self, packet: &RoundPacket<'_>) -> Result<(), String> {
        let who = (packet.replica, packet.incarnation);
        let voted = self.votes.entry(who).or_default();
        if voted.epoch != packet.epoch {
            *voted = Voted {
                epoch: packet.epoch,
                ..Voted::default()
            };
        }
        let Frontier { position, digest } = packet.acknowledged;
        let locks_more = packet.locked.position > voted.locked;
        voted.locked = voted.locked.max(packet.locked.position);
        let before = voted.digests.get(&packet.locked.position);
        if locks_more && before != Some(&packet.locked.digest) {
            // It may have adopted another log; its votes count from here. It has not if the lock
            // is a prefix that it had voted for itself.
            voted.digests.clear();
        } else if position < voted.longest.position {
            return Err(format!(
                "replica {} has acknowledged position {} of epoch {} and now only position {position}",
                packet.replica, voted.longest.position, packet.epoch
            ));
        }
        voted.longest = packet.acknowledged;
        match voted.digests.entry(position) {
            Entry::Occupied(known) if *known.get() != digest => Err(format!(
                "replica {} votes twice for position {position} of epoch {}: digest {}, then \
                 {digest}",
                packet.replica,
                packet.epoch,
                known.get()
            )),
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(place) => {
                place.insert(digest);
                Ok(())
            }
        }
    }

    fn on_decided(&mut self, packet: &RoundPacket<'_>) -> Result<(), String> {
        let Frontier { position, digest } = packet.locked;
        if position != packet.committed {
            return Ok(());
        }
        let first = (digest, packet.replica);
        let (known, other) = *self.decided.entry(position).or_insert(first);
        if known == digest {
            return Ok(());
        }
        Err(format!(
            "replicas {other} and {} have decided different logs up to position {position}: \
             digests {known} and {digest}",
            packet.replica
        ))
    }
}

impl Invariant for VotesStand {
    fn name(&self) -> &'static str {
        "votes_stand"
    }

    fn paper(&self) -> &'static str {
        "ours: docs/protocols/rounds.md, section on votes"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Sent(sent) => match &sent.message {
                Message::Rounds(RoundsMessage::Round(packet)) => {
                    self.on_packet(packet)?;
                    self.on_decided(packet)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::sent;
    use super::*;
    use wire::message::rounds::Batch;

    fn at(position: u64, mark: u8) -> Frontier {
        Frontier {
            position: Position(position),
            digest: SummaryHash([mark; 32]),
        }
    }

    fn packet(acknowledged: Frontier, locked: Frontier) -> Message<'static> {
        Message::Rounds(RoundsMessage::Round(RoundPacket {
            replica: ReplicaId(1),
            incarnation: 1,
            number: 1,
            epoch: RoundsEpoch::default(),
            acknowledged,
            locked,
            committed: Position::ZERO,
            barrier: false,
            batch: Batch::EMPTY,
        }))
    }

    /// What was voted for above it stays: nothing was adopted.
    #[test]
    fn a_lock_of_what_was_voted_for_takes_no_vote_back() {
        let mut invariant = VotesStand::default();
        for (acknowledged, locked) in [(at(3, 1), at(1, 1)), (at(5, 1), at(1, 1))] {
            let seen = invariant.see(&sent(1, packet(acknowledged, locked)));
            assert_eq!(seen, Ok(()));
        }
        let seen = invariant.see(&sent(1, packet(at(3, 1), at(3, 1))));
        assert!(seen.is_err());
    }

    #[test]
    fn a_second_vote_is_found_and_an_adopted_lock_is_none() {
        for (again, locked, holds) in [
            (at(4, 1), at(1, 1), true),
            (at(5, 1), at(1, 1), true),
            (at(4, 2), at(1, 1), false),
            (at(3, 1), at(1, 1), false),
            (at(4, 2), at(2, 2), true),
            (at(3, 2), at(2, 2), true),
            (at(5, 1), at(4, 1), true),
        ] {
            let mut invariant = VotesStand::default();
            invariant.see(&sent(1, packet(at(4, 1), at(1, 1)))).unwrap();
            let seen = invariant.see(&sent(1, packet(again, locked)));
            assert_eq!(seen.is_ok(), holds, "{again:?} {locked:?} {seen:?}");
        }
    }

    #[test]
    fn decided_frontiers_that_differ_are_found() {
        let mut invariant = VotesStand::default();
        let decided = |replica, mark| {
            let Message::Rounds(RoundsMessage::Round(mut round)) = packet(at(4, mark), at(3, mark))
            else {
                unreachable!("it was just built");
            };
            round.replica = ReplicaId(replica);
            round.committed = Position(3);
            Message::Rounds(RoundsMessage::Round(round))
        };
        invariant.see(&sent(1, decided(1, 1))).unwrap();
        invariant.see(&sent(2, decided(2, 1))).unwrap();
        let seen = invariant.see(&sent(3, decided(3, 2))).unwrap_err();
        assert!(seen.contains("position 3"), "{seen}");
    }
}
