//! What a view begins with, from f+1 reports (OSDI'16, section 5.4).
//!
//! Only the logs of the newest view among them count. The longest of them has everything that a
//! client may have been told of, and more; where any of them knows of a no-op, others may have
//! gone on without the request. What is committed is never up for discussion, whoever reports it.

use super::ledger::place_of;
use super::{Mutant, session_of};
use crate::history::StoredRequest;
use alloc::vec::Vec;
use wire::message::Incarnations;
use wire::message::nopaxos::{Committed, Run};
use wire::{EpochNumber, ReplicaId, SequenceNumber, ViewNumber};

/// A replica's log as it stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reported {
    pub(super) replica: ReplicaId,
    pub(super) last_normal_view: ViewNumber,
    pub(super) incarnations: Incarnations,
    pub(super) committed: Committed,
    /// The newest position, in the session of `last_normal_view`.
    pub(super) head: SequenceNumber,
    pub(super) no_ops: Vec<Run>,
    /// What is above `committed`.
    pub(super) requests: Vec<StoredRequest>,
}

impl Reported {
    pub(super) fn is_of_newest_life(&self, known: &Incarnations) -> bool {
        self.incarnations.of(self.replica) >= known.of(self.replica)
    }
}

/// A log on a committed prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) committed: Committed,
    /// Who has it.
    pub(super) holder: ReplicaId,
    /// The session of the log's end, and its newest position.
    pub(super) session: EpochNumber,
    pub(super) head: SequenceNumber,
    pub(super) requests: Vec<StoredRequest>,
}

/// Merges; there must be a report.
pub(super) fn merge(mutant: Option<Mutant>, reports: &[Reported]) -> Merged {
    let views = reports.iter().map(|report| report.last_normal_view);
    let newest = views.max().expect("a majority has reported");
    let session = session_of(newest);
    let counts = |report: &&Reported| {
        report.last_normal_view == newest || mutant == Some(Mutant::MergeStaleLogs)
    };
    let kept = || reports.iter().filter(counts);
    let longest = kept().max_by_key(|report| report.head);
    let longest = longest.expect("one report is of the newest view");
    let holder = reports.iter().max_by_key(|report| report.committed.place);
    let holder = holder.expect("a majority has reported");
    let committed = holder.committed;
    let is_no_op = |request: &StoredRequest| {
        let place = place_of(request);
        let mut runs = kept().flat_map(|report| &report.no_ops);
        mutant != Some(Mutant::MergeForgetsNoOps)
            && place.session == session
            && runs.any(|run| run.first <= place.position && place.position <= run.last)
    };
    let above = longest.requests.iter();
    let above = above.filter(|request| place_of(request) > committed.place);
    Merged {
        committed,
        holder: holder.replica,
        session,
        head: if committed.place.session == session {
            longest.head.max(committed.place.position)
        } else {
            longest.head
        },
        requests: above
            .filter(|request| !is_no_op(request))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests;
