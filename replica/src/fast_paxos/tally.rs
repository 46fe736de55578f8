//! Counting votes: what a coordinator knows of the others' logs in the ballot that it leads.

use crate::quorum::{MAX_REPLICAS, Quorum};
use alloc::collections::VecDeque;
use wire::message::fast_paxos::Vote;
use wire::{SlotNumber, SummaryHash};

/// What the others have accepted and voted for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tally {
    of: [Voter; MAX_REPLICAS],
}

/// One replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Voter {
    /// Whether it has voted in this ballot.
    voted: bool,
    /// It has accepted what it was told up to here.
    settled: SlotNumber,
    /// Its log is the coordinator's up to here.
    same: SlotNumber,
    /// Its log is another one somewhere up to here; 0: nowhere.
    other: SlotNumber,
    /// Its votes for slots that the coordinator's log has not reached, oldest first.
    early: VecDeque<(SlotNumber, SummaryHash)>,
}

impl Voter {
    /// Its hash at a slot of the coordinator's log is known.
    fn compare(&mut self, slot: SlotNumber, equal: bool) {
        if equal {
            self.same = slot.max(self.same);
        } else if slot > self.same {
            self.other = slot.max(self.other);
        }
    }
}

impl Tally {
    /// A ballot begins: votes of earlier ones do not count.
    pub(super) fn begin(&mut self) {
        for voter in &mut self.of {
            voter.early.clear();
            let early = core::mem::take(&mut voter.early);
            *voter = Voter {
                early,
                ..Voter::default()
            };
        }
    }

    /// Counts a vote; `own` is the coordinator's newest slot and `hash_at` its hash at a slot, if
    /// it still has it.
    pub(super) fn add(
        &mut self,
        vote: &Vote,
        own: SlotNumber,
        hash_at: impl Fn(SlotNumber) -> Option<SummaryHash>,
        early_max: usize,
    ) {
        let voter = &mut self.of[usize::from(vote.replica.0)];
        voter.voted = true;
        voter.settled = vote.settled.max(voter.settled);
        voter.same = voter.settled.max(voter.same);
        if vote.slot > own {
            let newest = voter
                .early
                .back()
                .map_or(SlotNumber::ZERO, |(slot, _)| *slot);
            if vote.slot > newest && voter.early.len() < early_max {
                voter.early.push_back((vote.slot, vote.hash));
            }
        } else if let Some(hash) = hash_at(vote.slot) {
            voter.compare(vote.slot, hash == vote.hash);
        }
    }

    /// The coordinator's log has reached `slot`, with this hash.
    pub(super) fn reach(&mut self, slot: SlotNumber, hash: SummaryHash) {
        for voter in &mut self.of {
            while let Some((early, voted)) = voter.early.front().copied() {
                if early > slot {
                    break;
                }
                voter.early.pop_front();
                if early == slot {
                    voter.compare(slot, voted == hash);
                }
            }
        }
    }

    /// Up to where a majority has accepted what it was told, given what the coordinator, whose
    /// place is `me`, has told.
    pub(super) fn accepted(&self, quorum: Quorum, me: usize, told: SlotNumber) -> SlotNumber {
        self.nth(quorum, me, told, quorum.majority(), |voter| voter.settled)
    }

    /// Up to where `needed` logs are the coordinator's, which ends at `own`.
    pub(super) fn voted(
        &self,
        quorum: Quorum,
        me: usize,
        own: SlotNumber,
        needed: usize,
    ) -> SlotNumber {
        self.nth(quorum, me, own, needed, |voter| voter.same)
    }

    /// The `needed`-th greatest of what the replicas have reached, none beyond the coordinator.
    fn nth(
        &self,
        quorum: Quorum,
        me: usize,
        own: SlotNumber,
        needed: usize,
        reached: impl Fn(&Voter) -> SlotNumber,
    ) -> SlotNumber {
        let mut slots = [SlotNumber::ZERO; MAX_REPLICAS];
        for (slot, voter) in slots.iter_mut().zip(&self.of) {
            *slot = reached(voter).min(own);
        }
        slots[me] = own;
        let slots = &mut slots[..quorum.n()];
        slots.sort_unstable_by(|one, other| other.cmp(one));
        slots[needed - 1]
    }

    /// How many have another log than the coordinator's somewhere above `committed`.
    pub(super) fn others(&self, committed: SlotNumber) -> usize {
        let differs = |voter: &&Voter| voter.other > committed.max(voter.same);
        self.of.iter().filter(differs).count()
    }

    /// Whether the replica at this place has voted in this ballot.
    pub(super) fn has_voted(&self, place: usize) -> bool {
        self.of[place].voted
    }

    /// Whether the replica at this place has accepted everything up to `slot`.
    pub(super) fn has_accepted(&self, place: usize, slot: SlotNumber) -> bool {
        self.of[place].settled >= slot
    }

    /// The place of a replica whose log goes beyond the coordinator's.
    pub(super) fn ahead(&self) -> Option<usize> {
        self.of.iter().position(|voter| !voter.early.is_empty())
    }

    /// The most votes for slots ahead that are kept of one replica.
    pub(super) fn early(&self) -> usize {
        let early = self.of.iter().map(|voter| voter.early.len());
        early.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
