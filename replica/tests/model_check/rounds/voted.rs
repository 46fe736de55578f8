//! What a life of a member has voted for, as its packets tell: one value a position of an epoch,
//! unless a longer prefix was locked in between and adopted.

use std::collections::BTreeMap;
use wire::message::rounds::RoundPacket;
use wire::{Position, RoundsEpoch, SummaryHash};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Voted {
    epoch: RoundsEpoch,
    longest: Position,
    locked: Position,
    digests: BTreeMap<Position, SummaryHash>,
}

impl Voted {
    /// It says this. The error: it has voted twice, or takes a vote back.
    pub(crate) fn says(&mut self, packet: &RoundPacket<'_>) -> Result<(), String> {
        if self.epoch != packet.epoch {
            *self = Self {
                epoch: packet.epoch,
                ..Self::default()
            };
        }
        let said = packet.acknowledged;
        if packet.locked.position > self.locked {
            self.locked = packet.locked.position;
            self.digests.clear();
        } else if said.position < self.longest {
            return Err(format!(
                "it takes votes up to {} back to {}",
                self.longest, said.position
            ));
        }
        self.longest = said.position;
        let known = *self.digests.entry(said.position).or_insert(said.digest);
        if known == said.digest {
            Ok(())
        } else {
            Err(format!("it votes twice at position {}", said.position))
        }
    }
}
