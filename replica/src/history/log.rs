//! The log: what was asked, in which order, with which result.
//!
//! Slots up to `base` have been dropped; slots up to `last_committed` can no longer change; the
//! rest is speculative and carries what is needed to take it back.

use super::StoredRequest;
use crate::client_table::ClientRecord;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use wire::{AgreedTime, SlotNumber, SummaryHash, ViewNumber};

/// How to take an entry back. Kept until the entry is committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Undo<U> {
    /// The state machine's part.
    pub machine: U,
    /// What the client table held before.
    pub client: Option<ClientRecord>,
}

/// One slot of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogEntry<U> {
    /// The view in which it was appended: a label for people, read by no rule.
    pub view: ViewNumber,
    /// The request.
    pub request: StoredRequest,
    /// The agreed time, monotone along the log.
    pub time: AgreedTime,
    /// The summary hash of the log up to here.
    pub hash: SummaryHash,
    /// What the state machine returned.
    pub result: Box<[u8]>,
    /// `None` once committed.
    pub undo: Option<Undo<U>>,
}

impl<U> LogEntry<U> {
    /// What the entry counts against the bound on retained bytes.
    fn weight(&self) -> usize {
        size_of::<Self>() + self.request.operation.len() + self.result.len()
    }
}

/// The log of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log<U> {
    base: SlotNumber,
    base_hash: SummaryHash,
    base_time: AgreedTime,
    last_committed: SlotNumber,
    entries: VecDeque<LogEntry<U>>,
    weight: usize,
}

impl<U> Default for Log<U> {
    fn default() -> Self {
        Self {
            base: SlotNumber::ZERO,
            base_hash: SummaryHash::EMPTY,
            base_time: AgreedTime::ZERO,
            last_committed: SlotNumber::ZERO,
            entries: VecDeque::new(),
            weight: 0,
        }
    }
}

impl<U> Log<U> {
    /// The slot below the oldest entry that is still held.
    pub fn base(&self) -> SlotNumber {
        self.base
    }

    /// The newest slot.
    pub fn last(&self) -> SlotNumber {
        SlotNumber(self.base.0 + self.entries.len() as u64)
    }

    /// The newest slot that can no longer change.
    pub fn last_committed(&self) -> SlotNumber {
        self.last_committed
    }

    /// The entry at `slot`, if it is held.
    pub fn get(&self, slot: SlotNumber) -> Option<&LogEntry<U>> {
        self.entries.get(self.index(slot)?)
    }

    /// The summary hash at `slot`: known for held entries and for the base.
    pub fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
        if slot == self.base {
            return Some(self.base_hash);
        }
        self.get(slot).map(|entry| entry.hash)
    }

    /// The hash at the newest slot.
    pub fn last_hash(&self) -> SummaryHash {
        self.entries
            .back()
            .map_or(self.base_hash, |entry| entry.hash)
    }

    /// The agreed time at the newest slot.
    pub fn last_time(&self) -> AgreedTime {
        self.entries
            .back()
            .map_or(self.base_time, |entry| entry.time)
    }

    /// The agreed time at the base.
    pub fn base_time(&self) -> AgreedTime {
        self.base_time
    }

    /// Entries above `from`, with their slots. `from` must not be below the base.
    pub fn above(
        &self,
        from: SlotNumber,
    ) -> impl Iterator<Item = (SlotNumber, &LogEntry<U>)> + Clone {
        assert!(
            from >= self.base,
            "entries up to {} are gone, asked above {from}",
            self.base
        );
        let skip = usize::try_from(from.0 - self.base.0).unwrap_or(usize::MAX);
        let slots = (from.0 + 1..).map(SlotNumber);
        slots.zip(self.entries.iter().skip(skip))
    }

    pub(super) fn push(&mut self, entry: LogEntry<U>) {
        assert!(
            entry.undo.is_some(),
            "an entry is speculative when it is appended"
        );
        self.weight += entry.weight();
        self.entries.push_back(entry);
    }

    /// Removes the newest entry, which must be speculative.
    pub(super) fn pop(&mut self) -> Option<LogEntry<U>> {
        if self.last() == self.last_committed {
            return None;
        }
        let entry = self.entries.pop_back()?;
        self.weight -= entry.weight();
        Some(entry)
    }

    /// Makes everything up to `slot` final.
    pub(super) fn commit(&mut self, slot: SlotNumber) {
        assert!(
            slot <= self.last(),
            "cannot commit {slot}, the log ends at {}",
            self.last()
        );
        while self.last_committed < slot {
            self.last_committed = self.last_committed.next();
            let index = self.index(self.last_committed).expect("above the base");
            self.entries[index].undo = None;
        }
    }

    /// Drops the oldest committed entries until at most `weight` bytes are held, or none is left
    /// that may go.
    pub(super) fn truncate(&mut self, weight: usize) {
        while self.weight > weight && self.base < self.last_committed {
            let Some(entry) = self.entries.pop_front() else {
                return;
            };
            self.weight -= entry.weight();
            self.base = self.base.next();
            self.base_hash = entry.hash;
            self.base_time = entry.time;
        }
    }

    fn index(&self, slot: SlotNumber) -> Option<usize> {
        usize::try_from(slot.0.checked_sub(self.base.0)?.checked_sub(1)?).ok()
    }

    /// Panics if the log's own bookkeeping is wrong.
    pub fn check(&self) {
        assert!(self.base <= self.last_committed && self.last_committed <= self.last());
        let mut time = self.base_time;
        for (slot, entry) in self.above(self.base) {
            assert!(entry.time >= time, "agreed time runs back at slot {slot}");
            assert_eq!(
                entry.undo.is_none(),
                slot <= self.last_committed,
                "undo at slot {slot}"
            );
            time = entry.time;
        }
        assert_eq!(
            self.weight,
            self.entries.iter().map(LogEntry::weight).sum::<usize>()
        );
    }
}
