//! The state itself: keys, values, deadlines, and the index of deadlines.
//!
//! Ordered maps only, so that every replica walks them alike. Not here: undo, and what is due.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

pub(super) type Key = Box<[u8]>;
pub(super) type Hash = BTreeMap<Box<[u8]>, Vec<u8>>;
pub(super) type List = VecDeque<Box<[u8]>>;
pub(super) type Set = BTreeSet<Box<[u8]>>;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(Vec<u8>),
    Hash(Hash),
    List(List),
    Set(Set),
}

impl Value {
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
        }
    }

    /// Whether this is a collection with nothing in it; such a key does not exist.
    pub(super) fn is_empty_collection(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Hash(hash) => hash.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Set(set) => set.is_empty(),
        }
    }
}

/// A value and when it ends, in microseconds of agreed time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) deadline_us: Option<u64>,
}

/// All keys.
///
/// Invariant: `deadlines` holds exactly the pairs of deadline and key of those entries that have
/// a deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keyspace {
    entries: BTreeMap<Key, Entry>,
    deadlines: BTreeSet<(u64, Key)>,
}

impl Keyspace {
    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The value, to be changed in place; deadlines go through `set_deadline`.
    pub(super) fn value_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Puts an entry and gives back the one it replaces.
    pub(super) fn insert(&mut self, key: &[u8], entry: Entry) -> Option<Entry> {
        if let Some(deadline_us) = entry.deadline_us {
            self.deadlines.insert((deadline_us, key.into()));
        }
        let Some(place) = self.entries.get_mut(key) else {
            self.entries.insert(key.into(), entry);
            return None;
        };
        let before = core::mem::replace(place, entry);
        let now_us = place.deadline_us;
        if before.deadline_us != now_us {
            self.forget_deadline(key, before.deadline_us);
        }
        Some(before)
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.forget_deadline(key, entry.deadline_us);
        Some(entry)
    }

    /// Changes the deadline of an existing key and gives back the one before.
    pub(super) fn set_deadline(&mut self, key: &[u8], deadline_us: Option<u64>) -> Option<u64> {
        let entry = self.entries.get_mut(key)?;
        let before_us = core::mem::replace(&mut entry.deadline_us, deadline_us);
        self.forget_deadline(key, before_us);
        if let Some(deadline_us) = deadline_us {
            self.deadlines.insert((deadline_us, key.into()));
        }
        before_us
    }

    /// The key that ends first, and when.
    pub(super) fn first_deadline(&self) -> Option<(u64, &Key)> {
        self.deadlines
            .first()
            .map(|(deadline_us, key)| (*deadline_us, key))
    }

    /// How many keys have a deadline not after `now_us`. Linear in that number.
    pub(super) fn due(&self, now_us: u64) -> usize {
        self.deadlines
            .iter()
            .take_while(|(deadline_us, _)| *deadline_us <= now_us)
            .count()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// Asserts the invariant; for tests and restored snapshots.
    pub(super) fn check(&self) {
        let indexed = self
            .entries
            .iter()
            .filter_map(|(key, entry)| entry.deadline_us.map(|deadline_us| (deadline_us, key)));
        let mut count = 0;
        for (deadline_us, key) in indexed {
            assert!(
                self.deadlines.contains(&(deadline_us, key.clone())),
                "deadline not indexed"
            );
            count += 1;
        }
        assert_eq!(
            count,
            self.deadlines.len(),
            "index holds deadlines that no entry has"
        );
        assert!(
            self.entries
                .values()
                .all(|entry| !entry.value.is_empty_collection()),
            "an empty collection has a key"
        );
    }

    fn forget_deadline(&mut self, key: &[u8], deadline_us: Option<u64>) {
        if let Some(deadline_us) = deadline_us {
            let pair = (deadline_us, Key::from(key));
            let was_there = self.deadlines.remove(&pair);
            assert!(was_there, "the index of deadlines has lost a key");
        }
    }
}
