//! Merge (NSDI'15, section 4.4, figure 6): which log a new view begins with, given f+1 reports.
//!
//! (a) Only reports of the newest installed view count. (b) The log begins with the longest
//! committed prefix among them. (c) Slot by slot, a value on the same prefix with enough votes
//! stays: a superquorum may have completed it, and of any f+1 reports at least ⌈f/2⌉+1 were in
//! that superquorum. (d) Other requests follow, once each; this is for liveness only.
//!
//! If the newest installed view was degraded, (c) and (d) do not apply: f+1 logs hold what was
//! committed, each is a prefix of the leader's, so the longest is taken as it is.

use crate::history::StoredRequest;
use crate::mutant::Mutant;
use crate::quorum::Quorum;
use alloc::vec::Vec;
use wire::message::{DoViewChange, Incarnations};
use wire::{ReplicaId, SlotNumber, SummaryHash, ViewNumber};

/// A frozen log as its replica reported it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Report {
    pub(super) replica: ReplicaId,
    pub(super) last_normal_view: ViewNumber,
    /// Whether that view was degraded.
    pub(super) degraded: bool,
    /// The lives of the replicas that the reporter knew of.
    pub(super) incarnations: Incarnations,
    pub(super) committed: SlotNumber,
    pub(super) committed_hash: SummaryHash,
    /// Everything above `committed`: the hash there, and the request.
    pub(super) entries: Vec<(SummaryHash, StoredRequest)>,
}

impl Report {
    pub(super) fn from_message(message: &DoViewChange<'_>) -> Self {
        Self {
            replica: message.replica,
            last_normal_view: message.last_normal_view,
            degraded: message.degraded,
            incarnations: message.incarnations,
            committed: message.committed,
            committed_hash: message.committed_hash,
            entries: message
                .entries
                .iter()
                .map(|entry| (entry.hash, StoredRequest::from_entry(&entry)))
                .collect(),
        }
    }

    /// Whether nobody is known to have a newer life than the one that reported.
    pub(super) fn is_of_newest_life(&self, known: &Incarnations) -> bool {
        self.incarnations.of(self.replica) == known.of(self.replica)
    }

    /// The newest slot reported.
    fn last(&self) -> SlotNumber {
        SlotNumber(self.committed.0 + self.entries.len() as u64)
    }

    fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
        if slot == self.committed {
            return Some(self.committed_hash);
        }
        self.entry_at(slot).map(|(hash, _)| *hash)
    }

    fn entry_at(&self, slot: SlotNumber) -> Option<&(SummaryHash, StoredRequest)> {
        let above = slot.0.checked_sub(self.committed.0)?.checked_sub(1)?;
        self.entries.get(usize::try_from(above).ok()?)
    }
}

/// What the new view begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// The committed prefix: its last slot, the hash there, and a replica that holds it.
    pub(super) committed: SlotNumber,
    pub(super) committed_hash: SummaryHash,
    pub(super) holder: ReplicaId,
    /// Entries above it that must stay, in order, with their hashes.
    pub(super) agreed: Vec<(SummaryHash, StoredRequest)>,
    /// Other requests in slot order: candidates for the slots after, duplicates among them.
    pub(super) leftovers: Vec<StoredRequest>,
}

/// Merges f+1 reports. `mutant` is a deliberate break, for tests.
pub(super) fn merge(quorum: Quorum, mutant: Option<Mutant>, reports: &[Report]) -> Merged {
    assert_eq!(
        reports.len(),
        quorum.majority(),
        "exactly f+1 reports are merged"
    );
    let newest = reports.iter().map(|report| report.last_normal_view).max();
    let kept: Vec<&Report> = reports
        .iter()
        .filter(|report| {
            Some(report.last_normal_view) == newest || mutant == Some(Mutant::MergeStaleReports)
        })
        .collect();
    let longest = kept
        .iter()
        .max_by_key(|report| report.committed)
        .expect("f+1 is at least 1");
    let ordered = kept.iter().any(|report| report.degraded);
    if ordered && mutant != Some(Mutant::DegradedMergeByVotes) {
        return longest_of(&kept, longest);
    }
    let needed = match mutant {
        Some(Mutant::MergeOneVote) => 1,
        Some(Mutant::MergeForgetsAgreed) => usize::MAX,
        _ => quorum.merge_votes().min(kept.len()),
    };
    let agreed = agreed_suffix(needed, &kept, longest);
    // Without this the break would show nothing: what the votes drop follows all the same.
    let leftovers = if ordered {
        Vec::new()
    } else {
        leftovers(&kept, longest.committed, &agreed)
    };
    Merged {
        committed: longest.committed,
        committed_hash: longest.committed_hash,
        holder: longest.replica,
        agreed,
        leftovers,
    }
}

/// After a degraded view: every log is a prefix of its leader's.
fn longest_of(kept: &[&Report], committed: &Report) -> Merged {
    let tallest = kept
        .iter()
        .max_by_key(|report| report.last())
        .expect("f+1 is at least 1");
    let above = (committed.committed.0 + 1..=tallest.last().0).map(SlotNumber);
    Merged {
        committed: committed.committed,
        committed_hash: committed.committed_hash,
        holder: committed.replica,
        agreed: above
            .filter_map(|slot| tallest.entry_at(slot).cloned())
            .collect(),
        leftovers: Vec::new(),
    }
}

/// Rule (c).
fn agreed_suffix(
    needed: usize,
    kept: &[&Report],
    longest: &Report,
) -> Vec<(SummaryHash, StoredRequest)> {
    let mut agreed = Vec::new();
    let mut below = (longest.committed, longest.committed_hash);
    loop {
        let slot = below.0.next();
        let on_prefix = || {
            kept.iter()
                .filter(|report| report.hash_at(below.0) == Some(below.1))
                .filter_map(|report| report.entry_at(slot))
        };
        let winner = on_prefix()
            .find(|(hash, _)| on_prefix().filter(|(other, _)| other == hash).count() >= needed);
        let Some((hash, request)) = winner else {
            return agreed;
        };
        agreed.push((*hash, request.clone()));
        below = (slot, *hash);
    }
}

/// Rule (d): every other request of a kept log, in slot order.
fn leftovers(
    kept: &[&Report],
    committed: SlotNumber,
    agreed: &[(SummaryHash, StoredRequest)],
) -> Vec<StoredRequest> {
    let mut others: Vec<(SlotNumber, &StoredRequest)> = Vec::new();
    for report in kept {
        let slots = (report.committed.0 + 1..).map(SlotNumber);
        for (slot, (hash, request)) in slots.zip(&report.entries) {
            let index = slot
                .0
                .checked_sub(committed.0)
                .and_then(|above| above.checked_sub(1));
            let stays = index
                .and_then(|index| agreed.get(usize::try_from(index).ok()?))
                .is_some_and(|(agreed_hash, _)| agreed_hash == hash);
            if !stays {
                others.push((slot, request));
            }
        }
    }
    others.sort_by_key(|(slot, request)| (*slot, request.origin));
    others
        .into_iter()
        .map(|(_, request)| request.clone())
        .collect()
}

#[cfg(test)]
mod tests;
