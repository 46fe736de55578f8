//! Making another replica's entries one's own: what is equal stays, from the first difference on
//! everything is undone and executed anew.

use super::{History, RequestRef, StoredRequest};
use crate::state_machine::StateMachine;
use alloc::vec::Vec;
use wire::message::Entries;
use wire::{SlotNumber, SummaryHash, ViewNumber};

/// Entries that outlive the message they came in, each with the summary hash there.
pub type OwnedEntries = Vec<(SummaryHash, StoredRequest)>;

/// What was changed to get from one log to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The last slot that could stay.
    pub kept: SlotNumber,
    /// What was undone, newest first.
    pub undone: Vec<StoredRequest>,
    /// How many entries were executed.
    pub executed: u64,
}

/// Entries of a message as values that outlive it.
pub fn owned(entries: &Entries<'_>) -> OwnedEntries {
    entries
        .iter()
        .map(|entry| (entry.hash, StoredRequest::from_entry(&entry)))
        .collect()
}

impl<S: StateMachine> History<S> {
    /// Leaves out the entries above `base` that are committed here already; returns what is left
    /// and the slot below it.
    ///
    /// Panics if they are others than the ones committed here: then two replicas have committed
    /// different logs, and going on would only hide it.
    pub fn above_committed(
        &self,
        base: SlotNumber,
        mut entries: OwnedEntries,
    ) -> (SlotNumber, OwnedEntries) {
        let log = self.log();
        let committed = log.last_committed();
        if base >= committed {
            return (base, entries);
        }
        let covered = usize::try_from(committed.0 - base.0).unwrap_or(usize::MAX);
        // A snapshot may reach beyond what a view began with: then all of it is covered.
        let covered = covered.min(entries.len());
        let slots = (base.0 + 1..).map(SlotNumber);
        for (slot, (hash, _)) in slots.zip(entries.drain(..covered)) {
            assert!(
                log.hash_at(slot).is_none_or(|own| own == hash),
                "another log than the one that comes is committed here at slot {slot}"
            );
        }
        (committed, entries)
    }

    /// Whether each hash of `entries` above `base` follows from the one before.
    pub fn chain_holds(&self, base: SlotNumber, entries: &[(SummaryHash, StoredRequest)]) -> bool {
        let log = self.log();
        let Some(mut before) = log.hash_at(base) else {
            return false;
        };
        let mut time = log
            .get(base)
            .map_or_else(|| log.base_time(), |entry| entry.time);
        entries.iter().all(|(hash, request)| {
            time = time.max(request.origin.time);
            before = self.chain(before, time, RequestRef::from(request));
            before == *hash
        })
    }

    /// Makes the log above `base` be `entries`, of which [`chain_holds`](Self::chain_holds);
    /// `base` must not be below the committed prefix.
    pub fn replace_above(
        &mut self,
        view: ViewNumber,
        base: SlotNumber,
        entries: OwnedEntries,
    ) -> Adopted {
        let log = self.log();
        let slots = (base.0 + 1..).map(SlotNumber);
        let same = slots
            .zip(&entries)
            .take_while(|(slot, (hash, _))| log.hash_at(*slot) == Some(*hash))
            .count();
        let kept = SlotNumber(base.0 + same as u64);
        let mut undone = Vec::new();
        self.rollback(kept, |request| undone.push(request));
        let executed = (entries.len() - same) as u64;
        for (hash, request) in entries.into_iter().skip(same) {
            self.append(view, request.as_ref());
            assert_eq!(self.log().last_hash(), hash, "the chain was checked");
        }
        Adopted {
            kept,
            undone,
            executed,
        }
    }
}
