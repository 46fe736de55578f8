//! The log: what was asked, in which order, with which result.
//!
//! Slots up to `base` have been dropped; slots up to `last_committed` can no longer change; the
//! rest is speculative and carries what is needed to take it back. Entries are small records of
//! one size, what they carry lies in an [`Arena`]. Two logs are equal when their entries are,
//! wherever the bytes lie.

use super::SnapshotAt;
use super::arena::Arena;
use super::entry::{EntryRef, Record, Undo};
use crate::client_table::Replaced;
use alloc::collections::VecDeque;
use core::hash::{Hash, Hasher};
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// The log of one replica.
#[derive(Clone, Debug)]
pub struct Log<U> {
    /// The slot below the oldest entry, and hash and time there.
    below: SnapshotAt,
    last_committed: SlotNumber,
    records: VecDeque<Record>,
    /// Of the speculative entries, oldest first.
    undos: VecDeque<Undo<U>>,
    arena: Arena,
    weight: usize,
    speculative_bytes: usize,
}

impl<U> Default for Log<U> {
    fn default() -> Self {
        Self::above_snapshot(SnapshotAt::default())
    }
}

impl<U> Log<U> {
    /// A log without entries that goes on from a snapshot.
    pub(super) fn above_snapshot(below: SnapshotAt) -> Self {
        Self {
            below,
            last_committed: below.slot,
            records: VecDeque::new(),
            undos: VecDeque::new(),
            arena: Arena::default(),
            weight: 0,
            speculative_bytes: 0,
        }
    }

    /// The slot below the oldest entry that is still held.
    pub fn base(&self) -> SlotNumber {
        self.below.slot
    }

    /// The newest slot.
    pub fn last(&self) -> SlotNumber {
        SlotNumber(self.base().0 + self.records.len() as u64)
    }

    /// The newest slot that can no longer change.
    pub fn last_committed(&self) -> SlotNumber {
        self.last_committed
    }

    /// The entry at `slot`, if it is held.
    pub fn get(&self, slot: SlotNumber) -> Option<EntryRef<'_>> {
        let record = self.records.get(self.index(slot)?)?;
        Some(record.entry(&self.arena))
    }

    /// The summary hash at `slot`: known for held entries and for the base.
    pub fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
        if slot == self.base() {
            return Some(self.below.hash);
        }
        self.records
            .get(self.index(slot)?)
            .map(|record| record.hash)
    }

    /// The agreed time at `slot`: known for held entries and for the base.
    pub fn time_at(&self, slot: SlotNumber) -> Option<AgreedTime> {
        if slot == self.base() {
            return Some(self.below.time);
        }
        self.records
            .get(self.index(slot)?)
            .map(|record| record.time)
    }

    /// The hash at the newest slot.
    pub fn last_hash(&self) -> SummaryHash {
        self.records
            .back()
            .map_or(self.below.hash, |record| record.hash)
    }

    /// The agreed time at the newest slot.
    pub fn last_time(&self) -> AgreedTime {
        self.records
            .back()
            .map_or(self.below.time, |record| record.time)
    }

    /// The agreed time at the base.
    pub fn base_time(&self) -> AgreedTime {
        self.below.time
    }

    /// Entries above `from`, with their slots. `from` must not be below the base.
    pub fn above(
        &self,
        from: SlotNumber,
    ) -> impl Iterator<Item = (SlotNumber, EntryRef<'_>)> + Clone {
        assert!(
            from >= self.base(),
            "entries up to {} are gone, asked above {from}",
            self.base()
        );
        let skip = usize::try_from(from.0 - self.base().0).unwrap_or(usize::MAX);
        let entries = self
            .records
            .iter()
            .skip(skip)
            .map(|record| record.entry(&self.arena));
        (from.0 + 1..).map(SlotNumber).zip(entries)
    }

    /// How many entries are speculative.
    pub(super) fn speculative_len(&self) -> usize {
        self.undos.len()
    }

    /// Operations and results of the speculative entries, in bytes.
    pub(super) fn speculative_bytes(&self) -> usize {
        self.speculative_bytes
    }

    /// Adds an entry, which is speculative.
    pub(super) fn push(&mut self, entry: EntryRef<'_>, undo: Undo<U>) {
        let slot = self.last().next();
        for (_, replaced) in undo.clients.records(entry.request.client) {
            self.mark_replaced(replaced.slot, Some(slot));
        }
        let payload = self.arena.put(entry.request.operation, entry.result);
        let record = Record::new(&entry, payload);
        self.weight += record.weight();
        self.speculative_bytes += record.payload.len();
        self.records.push_back(record);
        self.undos.push_back(undo);
    }

    /// Removes the newest entry, which must be speculative, after handing it to `last_look`.
    pub(super) fn pop(&mut self, last_look: impl FnOnce(EntryRef<'_>)) -> Option<Undo<U>> {
        let undo = self.undos.pop_back()?;
        let record = self
            .records
            .pop_back()
            .expect("each undo record has an entry");
        for (_, replaced) in undo.clients.records(record.client) {
            self.mark_replaced(replaced.slot, None);
        }
        self.weight -= record.weight();
        self.speculative_bytes -= record.payload.len();
        last_look(record.entry(&self.arena));
        self.arena.release_newest(record.payload);
        Some(undo)
    }

    /// Makes the oldest speculative entry final; returns what the client table need no longer
    /// keep for it.
    pub(super) fn commit_next(&mut self) -> Replaced {
        let undo = self
            .undos
            .pop_front()
            .expect("there is a speculative entry");
        self.last_committed = self.last_committed.next();
        let index = self.index(self.last_committed).expect("above the base");
        self.speculative_bytes -= self.records[index].payload.len();
        undo.clients
    }

    /// What the committed entries that are held count against the bound on retained bytes. Takes
    /// time linear in their number.
    pub fn committed_weight(&self) -> usize {
        let committed = self.last_committed.0 - self.base().0;
        let committed = usize::try_from(committed).expect("entries are held in memory");
        self.records
            .iter()
            .take(committed)
            .map(Record::weight)
            .sum()
    }

    /// Whether more than `weight` bytes are held and the oldest entry may go.
    pub(super) fn is_above(&self, weight: usize) -> bool {
        self.weight > weight && self.base() < self.last_committed
    }

    /// Drops the oldest entry, which must be committed. Its reply is handed to `save`, with the
    /// undo record that holds the client's record if an entry that may yet be undone replaced
    /// it; not if nobody can ask for the reply any more.
    pub(super) fn drop_oldest(
        &mut self,
        save: impl FnOnce(SlotNumber, EntryRef<'_>, Option<&mut Replaced>),
    ) {
        assert!(
            self.base() < self.last_committed,
            "only committed entries are dropped"
        );
        let record = self.records.pop_front().expect("above the base");
        let slot = self.base().next();
        let dropped = record.entry(&self.arena);
        match record.replaced_by {
            None => save(slot, dropped, None),
            Some(by) if by <= self.last_committed => {}
            Some(by) => {
                let index = by.0 - self.last_committed.0 - 1;
                let index = usize::try_from(index).expect("undo records are held in memory");
                save(slot, dropped, Some(&mut self.undos[index].clients));
            }
        }
        self.arena.release_oldest(record.payload);
        self.weight -= record.weight();
        self.below = SnapshotAt {
            slot,
            hash: record.hash,
            time: record.time,
        };
    }

    /// Takes the undo records out, for a while: oldest first.
    pub(super) fn take_undos(&mut self) -> VecDeque<Undo<U>> {
        core::mem::take(&mut self.undos)
    }

    /// Puts undo records back in, oldest first.
    pub(super) fn put_undos(&mut self, undos: VecDeque<Undo<U>>) {
        assert!(self.undos.is_empty(), "undo records were taken out before");
        self.undos = undos;
    }

    fn mark_replaced(&mut self, slot: SlotNumber, by: Option<SlotNumber>) {
        if let Some(record) = self
            .index(slot)
            .and_then(|index| self.records.get_mut(index))
        {
            record.replaced_by = by;
        }
    }

    fn index(&self, slot: SlotNumber) -> Option<usize> {
        usize::try_from(slot.0.checked_sub(self.base().0)?.checked_sub(1)?).ok()
    }

    /// The speculative entries with their undo records, oldest first.
    pub(super) fn speculative(
        &self,
    ) -> impl DoubleEndedIterator<Item = (SlotNumber, EntryRef<'_>, &Undo<U>)> {
        let entry_at = |index: usize| {
            let slot = SlotNumber(self.last_committed.0 + 1 + index as u64);
            (slot, self.get(slot).expect("each undo record has an entry"))
        };
        let undos = self.undos.iter().enumerate();
        undos.map(move |(index, undo)| {
            let (slot, entry) = entry_at(index);
            (slot, entry, undo)
        })
    }

    /// The slot that took the place of the entry at `slot` in the client table.
    pub(super) fn replaced_by(&self, slot: SlotNumber) -> Option<SlotNumber> {
        self.records.get(self.index(slot)?)?.replaced_by
    }

    /// Panics if the log's own bookkeeping is wrong; looks at speculative entries only.
    pub(super) fn check(&self) {
        assert!(self.base() <= self.last_committed && self.last_committed <= self.last());
        assert_eq!(
            self.undos.len() as u64,
            self.last().0 - self.last_committed.0,
            "every speculative entry can be undone, and no other"
        );
        let mut time = self
            .time_at(self.last_committed)
            .expect("at or above the base");
        let mut bytes = 0;
        for (slot, entry) in self.above(self.last_committed) {
            assert!(entry.time >= time, "agreed time runs back at slot {slot}");
            time = entry.time;
            bytes += entry.request.operation.len() + entry.result.len();
        }
        assert_eq!(self.speculative_bytes, bytes);
    }

    /// Walks the whole log.
    pub(super) fn check_thoroughly(&self) {
        self.check();
        let mut before = (self.below.hash, self.below.time);
        for (slot, entry) in self.above(self.base()) {
            let time = before.1.max(entry.request.origin.time);
            assert_eq!(entry.time, time, "agreed time at slot {slot}");
            let hash = super::chain(before.0, time, entry.request);
            assert_eq!(entry.hash, hash, "summary hash at slot {slot}");
            before = (hash, time);
        }
        assert_eq!(
            self.weight,
            self.records.iter().map(Record::weight).sum::<usize>()
        );
        self.arena
            .check(self.records.iter().map(|record| record.payload));
    }
}

impl<U: PartialEq> PartialEq for Log<U> {
    fn eq(&self, other: &Self) -> bool {
        self.below == other.below
            && self.last_committed == other.last_committed
            && self.undos == other.undos
            && self.above(self.base()).eq(other.above(other.base()))
    }
}

impl<U: Eq> Eq for Log<U> {}

impl<U: Hash> Hash for Log<U> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.below.hash(state);
        self.last_committed.hash(state);
        self.undos.hash(state);
        for (_, entry) in self.above(self.base()) {
            entry.hash(state);
        }
    }
}
