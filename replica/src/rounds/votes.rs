//! What the members have said of their logs in this epoch, and what follows from it.
//!
//! An acknowledgement is a prefix with its digest. It counts here once this replica's own chain
//! is as long and has the same digest there; until then it is kept.

use super::chain::Chain;
use super::mutant::Mutant;
use super::replica_at;
use crate::quorum::MAX_REPLICAS;
use wire::message::rounds::{Frontier, RoundPacket};
use wire::{Members, Position, ReplicaId};

/// What one member said last, and how much of it was found to be so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Said {
    /// The packet that it said it in.
    number: u64,
    acknowledged: Frontier,
    locked: Frontier,
    committed: Position,
    /// The longest prefix of this replica's chain that it has voted for.
    agrees: Position,
    /// The same for what it has seen locked.
    agrees_locked: Position,
    /// The same for what it knows to be decided.
    agrees_decided: Position,
}

/// One entry a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Votes {
    said: [Said; MAX_REPLICAS],
    mutant: Option<Mutant>,
}

impl Votes {
    /// Nobody has said anything. With a deliberate break, for tests of what should catch it.
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Self {
            mutant,
            ..Self::default()
        }
    }

    /// Takes what a member says in a packet of this epoch; older packets say nothing new.
    pub(super) fn hear(&mut self, packet: &RoundPacket<'_>, chain: &Chain) {
        let said = &mut self.said[usize::from(packet.replica.0)];
        if packet.number <= said.number {
            return;
        }
        said.number = packet.number;
        said.acknowledged = packet.acknowledged;
        said.locked = packet.locked;
        said.committed = packet.committed;
        said.count(chain, self.mutant);
    }

    /// The chain has a new head.
    pub(super) fn on_push(&mut self, chain: &Chain) {
        let head = chain.head();
        for said in &mut self.said {
            if said.acknowledged.position == head || said.locked.position == head {
                said.count(chain, self.mutant);
            }
        }
    }

    /// The chain was changed above `kept`: what was found above is to be found anew.
    pub(super) fn on_change_above(&mut self, kept: Position, chain: &Chain) {
        for said in &mut self.said {
            said.agrees = said.agrees.min(kept);
            said.agrees_locked = said.agrees_locked.min(kept);
            said.agrees_decided = said.agrees_decided.min(kept);
            said.count(chain, self.mutant);
        }
    }

    /// The longest prefix of the own chain that `count` members have voted for, this one included.
    pub(super) fn acknowledged_by(
        &self,
        voters: Members,
        me: ReplicaId,
        head: Position,
        count: usize,
    ) -> Position {
        self.reached(voters, me, head, count, |said| said.agrees)
    }

    /// The longest prefix of the own chain that `count` members have seen locked.
    pub(super) fn locked_by(
        &self,
        voters: Members,
        me: ReplicaId,
        own: Position,
        count: usize,
    ) -> Position {
        self.reached(voters, me, own, count, |said| said.agrees_locked)
    }

    fn reached(
        &self,
        voters: Members,
        me: ReplicaId,
        own: Position,
        count: usize,
        of: impl Fn(&Said) -> Position,
    ) -> Position {
        // This is asked for with every packet: only the `count` longest are kept in order.
        let mut reached = [Position::ZERO; MAX_REPLICAS];
        for member in voters.iter() {
            let mut next = if member == me {
                own
            } else {
                of(&self.said[usize::from(member.0)])
            };
            for place in &mut reached[..count] {
                if next > *place {
                    core::mem::swap(place, &mut next);
                }
            }
        }
        reached[count - 1]
    }

    /// The longest prefix of the own chain that some member knows to be decided.
    pub(super) fn known_decided(&self) -> Position {
        let decided = self.said.iter().map(|said| said.agrees_decided);
        decided.max().unwrap_or_default()
    }

    /// Whether a member has voted in this epoch, as far as it was heard.
    pub(super) fn is_heard(&self, member: ReplicaId) -> bool {
        self.said[usize::from(member.0)].number > 0
    }

    /// Up to where a member said that the log is decided.
    pub(super) fn decided_at(&self, member: ReplicaId) -> Position {
        self.said[usize::from(member.0)].committed
    }

    /// A member that has seen a prefix locked which the own chain contradicts.
    pub(super) fn contradiction(&self, chain: &Chain) -> Option<ReplicaId> {
        let contradicts = |said: &Said| chain.begins_with(&said.locked) == Some(false);
        self.said.iter().position(contradicts).map(replica_at)
    }

    /// The member that has seen the longest prefix locked, if it is longer than `than`.
    pub(super) fn furthest_locked(&self, than: Position) -> Option<ReplicaId> {
        let (index, said) = self
            .said
            .iter()
            .enumerate()
            .max_by_key(|(_, said)| said.locked.position)?;
        (said.locked.position > than).then(|| replica_at(index))
    }
}

impl Said {
    fn count(&mut self, chain: &Chain, mutant: Option<Mutant>) {
        if mutant == Some(Mutant::CountAnyDigest) {
            self.agrees = self
                .agrees
                .max(self.acknowledged.position.min(chain.head()));
        }
        let (acknowledged, locked) = (self.acknowledged, self.locked);
        if chain.begins_with(&acknowledged) == Some(true) {
            self.agrees = self.agrees.max(acknowledged.position);
            self.count_decided(acknowledged.position);
        }
        if chain.begins_with(&locked) == Some(true) {
            self.agrees_locked = self.agrees_locked.max(locked.position);
            self.count_decided(locked.position);
        }
    }

    /// The member's log is this replica's up to `agrees`, as it is now: what it voted for before
    /// it adopted another log tells nothing of what it knows to be decided.
    fn count_decided(&mut self, agrees: Position) {
        if self.committed <= agrees {
            self.agrees_decided = self.agrees_decided.max(self.committed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::Cover;
    use super::super::proposal::foreign;
    use super::*;
    use wire::message::rounds::{Batch, Footing, Value};
    use wire::{AgreedTime, RoundsEpoch, SummaryHash};

    const ME: ReplicaId = ReplicaId(0);
    const GROUP: Members = Members(0b111);

    fn chain_of(length: u64) -> Chain {
        let mut chain = Chain::above(Footing::default(), Cover::Everything);
        for number in 0..length {
            let mut proposal = foreign(AgreedTime::ZERO);
            proposal.number = number;
            chain.push(&Value::Packet(proposal));
        }
        chain
    }

    fn at(chain: &Chain, position: u64) -> Frontier {
        chain.footing_at(Position(position)).unwrap().frontier
    }

    fn packet(
        replica: u8,
        number: u64,
        acknowledged: Frontier,
        locked: Frontier,
    ) -> RoundPacket<'static> {
        RoundPacket {
            replica: ReplicaId(replica),
            incarnation: 1,
            number,
            epoch: RoundsEpoch::default(),
            acknowledged,
            locked,
            committed: Position::ZERO,
            barrier: false,
            batch: Batch::EMPTY,
        }
    }

    #[test]
    fn an_acknowledgement_counts_once_the_own_chain_is_as_long() {
        let (long, mut short) = (chain_of(3), chain_of(1));
        let mut votes = Votes::default();
        votes.hear(&packet(1, 1, at(&long, 3), Frontier::default()), &short);
        assert_eq!(
            votes.acknowledged_by(GROUP, ME, Position(1), 2),
            Position::ZERO
        );
        for number in 1..3 {
            let mut proposal = foreign(AgreedTime::ZERO);
            proposal.number = number;
            short.push(&Value::Packet(proposal));
            votes.on_push(&short);
        }
        assert_eq!(
            votes.acknowledged_by(GROUP, ME, Position(3), 2),
            Position(3)
        );
        assert_eq!(
            votes.acknowledged_by(GROUP, ME, Position(3), 3),
            Position::ZERO
        );
    }

    #[test]
    fn another_log_does_not_count_and_its_lock_contradicts() {
        let chain = chain_of(3);
        let other = Frontier {
            position: Position(2),
            digest: SummaryHash([7; 32]),
        };
        let mut votes = Votes::default();
        votes.hear(&packet(1, 1, other, at(&chain, 1)), &chain);
        assert_eq!(
            votes.acknowledged_by(GROUP, ME, Position(3), 2),
            Position::ZERO
        );
        assert_eq!(votes.locked_by(GROUP, ME, Position(2), 2), Position(1));
        assert_eq!(votes.contradiction(&chain), None);
        votes.hear(&packet(2, 1, other, other), &chain);
        assert_eq!(votes.contradiction(&chain), Some(ReplicaId(2)));
    }

    #[test]
    fn an_older_packet_says_nothing_new() {
        let chain = chain_of(3);
        let mut votes = Votes::default();
        votes.hear(&packet(1, 2, at(&chain, 3), Frontier::default()), &chain);
        votes.hear(&packet(1, 1, at(&chain, 1), Frontier::default()), &chain);
        assert_eq!(
            votes.acknowledged_by(GROUP, ME, Position(3), 2),
            Position(3)
        );
    }

    /// A member that had voted like this replica and then adopted another log knows that one to
    /// be decided, not this one.
    #[test]
    fn what_is_decided_in_another_log_is_not_decided_here() {
        let chain = chain_of(5);
        let mut votes = Votes::default();
        votes.hear(&packet(1, 1, at(&chain, 5), at(&chain, 1)), &chain);
        let other = Frontier {
            position: Position(4),
            digest: SummaryHash([7; 32]),
        };
        let mut adopted = packet(1, 2, other, other);
        adopted.committed = Position(3);
        votes.hear(&adopted, &chain);
        assert_eq!(votes.known_decided(), Position::ZERO);
        let mut same = packet(2, 1, at(&chain, 4), at(&chain, 3));
        same.committed = Position(2);
        votes.hear(&same, &chain);
        assert_eq!(votes.known_decided(), Position(2));
    }
}
