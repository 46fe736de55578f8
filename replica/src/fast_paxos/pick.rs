//! What a new view begins with, given f+1 reports: the rule of Fast Paxos for a log.
//!
//! (a) Only reports of the newest ballot among them count. (b) What its coordinator told anybody
//! stays: it began from everything that may have been chosen before. (c) Behind that, what a fast
//! quorum may have voted for stays. Of q reports at least `fast quorum - (n - q)` are then in that
//! quorum, and have voted for it: Lamport's O4, for logs in place of single values. Fast quorums
//! and their intersections are so large that no two logs can both have as many votes. (d) Other
//! requests may follow, once each; this is for liveness only.
//!
//! A hash stands for everything before it, so the longest log with enough votes has every shorter
//! one in it.

use super::Mutant;
use crate::history::{OwnedEntries, StoredRequest};
use crate::quorum::Quorum;
use alloc::vec::Vec;
use wire::message::Incarnations;
use wire::message::fast_paxos::Ballot;
use wire::{ReplicaId, SlotNumber, SummaryHash};

/// A replica's log as it stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Report {
    pub(super) replica: ReplicaId,
    pub(super) accepted: Ballot,
    pub(super) settled: SlotNumber,
    pub(super) incarnations: Incarnations,
    pub(super) committed: SlotNumber,
    pub(super) committed_hash: SummaryHash,
    /// Everything above `committed`.
    pub(super) entries: OwnedEntries,
}

impl Report {
    /// The newest slot of the log.
    fn last(&self) -> SlotNumber {
        SlotNumber(self.committed.0 + self.entries.len() as u64)
    }

    pub(super) fn is_of_newest_life(&self, known: &Incarnations) -> bool {
        self.incarnations.of(self.replica) >= known.of(self.replica)
    }

    /// The hash at a slot that is not below what is committed.
    fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
        let above = slot.0.checked_sub(self.committed.0)?;
        if above == 0 {
            return Some(self.committed_hash);
        }
        let index = usize::try_from(above - 1).ok()?;
        self.entries.get(index).map(|(hash, _)| *hash)
    }

    /// Up to where no vote is needed for what this replica has.
    fn floor(&self) -> SlotNumber {
        self.settled.max(self.committed)
    }
}

/// What was picked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Picked {
    /// Who holds it all.
    pub(super) holder: ReplicaId,
    /// The slot below the first entry, which the holder has committed, and its hash.
    pub(super) base: SlotNumber,
    pub(super) base_hash: SummaryHash,
    /// Everything that somebody knows to be committed.
    pub(super) committed: SlotNumber,
    pub(super) entries: OwnedEntries,
    /// What else was reported: in the order in which it may follow, where it is new.
    pub(super) rest: Vec<StoredRequest>,
}

/// Equal reports, of `reports`, with which a log may have been chosen in a fast ballot.
pub(super) fn votes_needed(quorum: Quorum, reports: usize) -> usize {
    let silent = quorum.n() - reports;
    quorum.superquorum().saturating_sub(silent).max(1)
}

/// The rule. There is at least one report.
pub(super) fn pick(quorum: Quorum, reports: Vec<Report>, mutant: Option<Mutant>) -> Picked {
    let needed = votes_needed(quorum, reports.len());
    let committed = reports.iter().map(|report| report.committed).max();
    let committed = committed.expect("there is a report");
    let newest = reports.iter().map(|report| report.accepted).max();
    let newest = newest.expect("there is a report");
    let (mut reports, _older): (Vec<_>, Vec<_>) = reports
        .into_iter()
        .partition(|report| report.accepted == newest || mutant == Some(Mutant::PickStale));
    // Who has the most of what was told has all of it that anybody has.
    let (mut holder, mut end) = (0, SlotNumber::ZERO);
    for (index, report) in reports.iter().enumerate() {
        let floor = match mutant {
            Some(Mutant::PickStale) => report.last(),
            _ => report.floor().min(report.last()),
        };
        if floor > end {
            (holder, end) = (index, floor);
        }
    }
    if mutant == Some(Mutant::PickAny) {
        reports.reverse();
        holder = reports.len() - 1 - holder;
    } else {
        let votes = |slot, hash| {
            let same = |report: &&Report| report.hash_at(slot) == Some(hash);
            reports.iter().filter(same).count()
        };
        let (told, told_end) = (holder, end);
        for (index, report) in reports.iter().enumerate() {
            let mut slot = report.last();
            while slot > end {
                let hash = report.hash_at(slot).expect("within the log");
                if votes(slot, hash) >= needed && extends(report, &reports[told], told_end) {
                    (holder, end) = (index, slot);
                }
                slot = SlotNumber(slot.0 - 1);
            }
        }
    }
    take(reports, holder, end, committed)
}

/// Whether a log has what was told, up to `slot`, in it.
fn extends(report: &Report, told: &Report, slot: SlotNumber) -> bool {
    report.hash_at(slot) == told.hash_at(slot)
}

fn take(mut reports: Vec<Report>, holder: usize, end: SlotNumber, committed: SlotNumber) -> Picked {
    let best = &mut reports[holder];
    let stays = usize::try_from(end.0.saturating_sub(best.committed.0)).unwrap_or(usize::MAX);
    let behind = best.entries.split_off(stays.min(best.entries.len()));
    let mut picked = Picked {
        holder: best.replica,
        base: best.committed,
        base_hash: best.committed_hash,
        committed: committed.min(end),
        entries: core::mem::replace(&mut best.entries, behind),
        rest: Vec::new(),
    };
    for report in reports {
        let requests = report.entries.into_iter().map(|(_, request)| request);
        picked.rest.extend(requests);
    }
    picked
}

#[cfg(test)]
mod tests;
