//! What the leader of a degraded view has ordered behind something that a follower lacks: kept
//! until that has come. Without it a follower that is a few entries behind stays there, for while
//! it fetches them the next ones pass by.
//!
//! Data only: a run of entries without a hole. What begins behind another hole is not kept.

use crate::history::StoredRequest;
use alloc::vec::Vec;
use wire::{SlotNumber, SummaryHash};

/// Entries that are kept at most.
pub(super) const ENTRIES_MAX: usize = 1_024;
/// Bytes of their operations at most.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// A run of entries, as a PREPARE carries one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Run {
    /// The slot before the first entry, and its hash.
    pub(super) base: SlotNumber,
    pub(super) base_hash: SummaryHash,
    /// Up to where the leader had committed when it sent the newest of them.
    pub(super) committed: SlotNumber,
    pub(super) entries: Vec<(SummaryHash, StoredRequest)>,
}

impl Run {
    /// The slot of the last entry.
    pub(super) fn end(&self) -> SlotNumber {
        SlotNumber(self.base.0 + self.entries.len() as u64)
    }

    fn bytes(&self) -> usize {
        let operations = self.entries.iter().map(|(_, request)| &request.operation);
        operations.map(|operation| operation.len()).sum()
    }
}

/// The run that is kept; empty if none is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ahead {
    run: Run,
    bytes: usize,
}

impl Ahead {
    /// Keeps `run` if it continues what is kept and there is room; returns up to where entries
    /// are missing before what is kept, or before `run` if that is not.
    pub(super) fn keep(&mut self, run: Run) -> SlotNumber {
        let bytes = run.bytes();
        let entries = self.run.entries.len() + run.entries.len();
        let fits = entries <= ENTRIES_MAX && self.bytes + bytes <= BYTES_MAX;
        if self.run.entries.is_empty() {
            if !fits {
                return run.end();
            }
            (self.run, self.bytes) = (run, bytes);
        } else if fits && run.base == self.run.end() {
            self.bytes += bytes;
            self.run.committed = self.run.committed.max(run.committed);
            self.run.entries.extend(run.entries);
        }
        self.run.base
    }

    /// Takes what is kept if a log that ends at `last` reaches it.
    pub(super) fn take(&mut self, last: SlotNumber) -> Option<Run> {
        if self.run.entries.is_empty() || self.run.base > last {
            return None;
        }
        Some(core::mem::take(self).run)
    }

    /// How many entries, and the bytes of their operations.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.run.entries.len(), self.bytes)
    }

    pub(super) fn check(&self) {
        assert!(self.run.entries.len() <= ENTRIES_MAX && self.bytes <= BYTES_MAX);
    }
}

#[cfg(test)]
mod tests;
