//! The entries of one table, and how a packet finds its own.
//!
//! Exact keys are hashed. A table with one longest-prefix field has one hash index for each prefix
//! length in use, longest first. Ternary, range and optional keys are a list in the order of
//! priority. Looking up neither allocates nor compares strings; only the control plane allocates.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::index::{Index, Keys};
use super::program::{KeyField, Lookup, TableProgram};
use super::state::CounterValue;

/// The most words a table's key may have; the loader refuses longer ones.
pub(crate) const MAX_KEY_WORDS: usize = 16;

/// The entries with one mask over the whole key: all exact entries, or those of a prefix length.
#[derive(Clone, Debug)]
struct Group {
    prefix_length: u8,
    mask: Box<[u64]>,
    index: Index,
}

/// An entry's key as the index structures need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    /// Masked values.
    pub(crate) values: Vec<u64>,
    pub(crate) masks: Vec<u64>,
    /// For each range field: its index in the key, low, high.
    pub(crate) ranges: Vec<(u16, u128, u128)>,
    /// Of the longest-prefix field, 0 if there is none.
    pub(crate) prefix_length: u8,
    /// Larger goes first.
    pub(crate) priority: u32,
}

#[derive(Clone, Debug)]
struct Slot {
    /// `None`: free.
    key: Option<StoredKey>,
    choice: u16,
    counter: CounterValue,
}

/// What a look-up says to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) slot: u32,
    pub(crate) choice: u16,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    lookup: Lookup,
    key_words: usize,
    parameter_words: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// `key_words` for each slot: what [`Index`] compares.
    keys: Vec<u64>,
    /// `parameter_words` for each slot.
    parameters: Vec<u64>,
    groups: Vec<Group>,
    /// Slots, highest priority first, older first among equals.
    order: Vec<u32>,
    default_choice: u16,
    default_parameters: Vec<u64>,
    used: usize,
}

impl Table {
    pub(crate) fn new(program: &TableProgram, default: (u16, Vec<u64>)) -> Self {
        Self {
            lookup: program.lookup,
            key_words: program.key.len(),
            parameter_words: program.parameter_words,
            slots: Vec::new(),
            free: Vec::new(),
            keys: Vec::new(),
            parameters: Vec::new(),
            groups: Vec::new(),
            order: Vec::new(),
            default_choice: default.0,
            default_parameters: default.1,
            used: 0,
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn default(&self) -> (u16, &[u64]) {
        (self.default_choice, &self.default_parameters)
    }

    pub(crate) fn set_default(&mut self, choice: u16, parameters: Vec<u64>) {
        self.default_choice = choice;
        self.default_parameters = parameters;
    }

    #[inline]
    pub(crate) fn parameters(&self, slot: u32) -> &[u64] {
        let first = slot as usize * self.parameter_words;
        &self.parameters[first..first + self.parameter_words]
    }

    pub(crate) fn choice(&self, slot: u32) -> u16 {
        self.slots[slot as usize].choice
    }

    pub(crate) fn counter(&self, slot: u32) -> CounterValue {
        self.slots[slot as usize].counter
    }

    #[inline]
    pub(crate) fn counter_mut(&mut self, slot: u32) -> &mut CounterValue {
        &mut self.slots[slot as usize].counter
    }

    /// The entry for a key, already masked by the table's static masks.
    pub(crate) fn find(&self, key: &[u64], fields: &[KeyField]) -> Option<Found> {
        let slot = match self.lookup {
            Lookup::None => None,
            Lookup::One | Lookup::Hashed => self.find_hashed(key),
            Lookup::Ordered => self.find_ordered(key, fields),
        }?;
        Some(Found {
            slot,
            choice: self.slots[slot as usize].choice,
        })
    }

    /// The entry for a key of one exact word.
    #[inline]
    pub(crate) fn find_one(&self, key: u64) -> Option<Found> {
        let slot = self.groups.first()?.index.find_one(&self.keys, key)?;
        Some(Found {
            slot,
            choice: self.slots[slot as usize].choice,
        })
    }

    fn find_hashed(&self, key: &[u64]) -> Option<u32> {
        let keys = Keys {
            all: &self.keys,
            words: self.key_words,
        };
        let mut masked = [0; MAX_KEY_WORDS];
        self.groups.iter().find_map(|group| {
            for ((to, word), mask) in masked.iter_mut().zip(key).zip(&group.mask) {
                *to = word & mask;
            }
            group.index.find(keys, &masked[..key.len()])
        })
    }

    fn find_ordered(&self, key: &[u64], fields: &[KeyField]) -> Option<u32> {
        self.order.iter().copied().find(|&slot| {
            let Some(stored) = &self.slots[slot as usize].key else {
                return false;
            };
            let masked = key.iter().zip(&stored.masks).zip(&stored.values);
            masked
                .into_iter()
                .all(|((word, mask), value)| word & mask == *value)
                && stored.ranges.iter().all(|&(field, low, high)| {
                    (low..=high).contains(&key_value(&fields[usize::from(field)], key))
                })
        })
    }

    /// The slot of the entry with this very key.
    pub(crate) fn slot_of(&self, key: &StoredKey) -> Option<u32> {
        match self.lookup {
            Lookup::None => None,
            Lookup::One | Lookup::Hashed => {
                let keys = Keys {
                    all: &self.keys,
                    words: self.key_words,
                };
                let group = self
                    .groups
                    .iter()
                    .find(|g| g.prefix_length == key.prefix_length)?;
                group.index.find(keys, &key.values)
            }
            Lookup::Ordered => {
                let range = self.order_of(key.priority);
                let same = |slot: &u32| self.slots[*slot as usize].key.as_ref() == Some(key);
                self.order[range].iter().copied().find(same)
            }
        }
    }

    /// Where in the order the entries of a priority stand.
    fn order_of(&self, priority: u32) -> core::ops::Range<usize> {
        let priority_of = |slot: u32| {
            self.slots[slot as usize]
                .key
                .as_ref()
                .map_or(0, |key| key.priority)
        };
        let first = self
            .order
            .partition_point(|&slot| priority_of(slot) > priority);
        let end = self
            .order
            .partition_point(|&slot| priority_of(slot) >= priority);
        first..end
    }

    /// Adds an entry whose key is not there yet. `parameters` may be shorter than the room for them.
    pub(crate) fn insert(&mut self, key: &StoredKey, choice: u16, parameters: &[u64]) {
        let fresh = Slot {
            key: Some(key.clone()),
            choice,
            counter: CounterValue::default(),
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = fresh;
            slot
        } else {
            self.slots.push(fresh);
            self.keys.extend(vec![0; self.key_words]);
            self.parameters.extend(vec![0; self.parameter_words]);
            u32::try_from(self.slots.len() - 1).expect("tables are bounded far below 2^32 entries")
        };
        self.write_parameters(slot, parameters);
        let first = slot as usize * self.key_words;
        self.keys[first..first + self.key_words].copy_from_slice(&key.values);
        if self.lookup == Lookup::Ordered {
            let at = self.order_of(key.priority).end;
            self.order.insert(at, slot);
        } else {
            let at = self.group_for(key);
            let keys = Keys {
                all: &self.keys,
                words: self.key_words,
            };
            self.groups[at].index.insert(keys, slot);
        }
        self.used += 1;
    }

    fn group_for(&mut self, key: &StoredKey) -> usize {
        let longer = |group: &Group| group.prefix_length > key.prefix_length;
        let at = self.groups.partition_point(longer);
        if self
            .groups
            .get(at)
            .is_none_or(|group| group.prefix_length != key.prefix_length)
        {
            let group = Group {
                prefix_length: key.prefix_length,
                mask: key.masks.clone().into_boxed_slice(),
                index: Index::default(),
            };
            self.groups.insert(at, group);
        }
        at
    }

    /// Replaces the action of an entry; the counter stays.
    pub(crate) fn modify(&mut self, slot: u32, choice: u16, parameters: &[u64]) {
        self.slots[slot as usize].choice = choice;
        self.write_parameters(slot, parameters);
    }

    fn write_parameters(&mut self, slot: u32, parameters: &[u64]) {
        let first = slot as usize * self.parameter_words;
        let room = &mut self.parameters[first..first + self.parameter_words];
        room.fill(0);
        room[..parameters.len()].copy_from_slice(parameters);
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(key) = self.slots[slot as usize].key.take() else {
            return;
        };
        if self.lookup == Lookup::Ordered {
            self.order.retain(|&other| other != slot);
        } else if let Some(at) = self
            .groups
            .iter()
            .position(|group| group.prefix_length == key.prefix_length)
        {
            let keys = Keys {
                all: &self.keys,
                words: self.key_words,
            };
            self.groups[at].index.remove(keys, &key.values);
            if self.groups[at].index.is_empty() {
                self.groups.remove(at);
            }
        }
        self.free.push(slot);
        self.used -= 1;
    }

    /// Slots and keys of all entries: by priority where there is one, else by slot.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &StoredKey)> {
        let ordered = self.lookup == Lookup::Ordered;
        let count = if ordered {
            self.order.len()
        } else {
            self.slots.len()
        };
        (0..count).filter_map(move |at| {
            let at = if ordered { self.order[at] as usize } else { at };
            let slot = u32::try_from(at).expect("tables are bounded far below 2^32 entries");
            self.slots[at].key.as_ref().map(|key| (slot, key))
        })
    }
}

/// The value of one field of a packed key.
pub(crate) fn key_value(field: &KeyField, key: &[u64]) -> u128 {
    if field.wide {
        (u128::from(key[field.word]) << 64) | u128::from(key[field.word + 1])
    } else {
        u128::from(key[field.word])
    }
}
