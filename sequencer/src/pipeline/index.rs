//! A hash index from key words to slots: open addressing, linear probing, at most half full.
//!
//! The keys themselves stay with the caller, who passes a view of them, so that a table stores each
//! key once. The hash is fixed: the same entries give the same layout in every run. Keys come from
//! the control plane, packets only look them up, so a packet cannot make its own chain longer.

use alloc::vec;
use alloc::vec::Vec;

/// Slots are below this, so that a bucket fits 64 bits.
const EMPTY: u64 = 0;

/// Keys of `words` words each, indexed by slot.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) all: &'a [u64],
    pub(crate) words: usize,
}

impl Keys<'_> {
    #[inline]
    fn of(&self, slot: u32) -> &[u64] {
        let first = slot as usize * self.words;
        &self.all[first..first + self.words]
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Upper half: upper half of the hash. Lower half: slot + 1. The length is a power of two.
    buckets: Vec<u64>,
    used: usize,
}

#[inline]
fn hash(key: &[u64]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for &word in key {
        state = (state ^ word).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        state ^= state >> 32;
    }
    state
}

const TAG: u64 = 0xFFFF_FFFF_0000_0000;

impl Index {
    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The slot of `key`.
    #[inline]
    pub(crate) fn find(&self, keys: Keys<'_>, key: &[u64]) -> Option<u32> {
        self.position(keys, key).map(|at| slot_of(self.buckets[at]))
    }

    #[inline]
    fn position(&self, keys: Keys<'_>, key: &[u64]) -> Option<usize> {
        if self.buckets.is_empty() {
            return None;
        }
        let mask = self.buckets.len() - 1;
        let hash = hash(key);
        let mut at = home(hash, mask);
        // Ends: at most half of the buckets are used.
        loop {
            let bucket = self.buckets[at];
            if bucket == EMPTY {
                return None;
            }
            if (bucket ^ hash) & TAG == 0 && keys.of(slot_of(bucket)) == key {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// The slot of a key of one word.
    #[inline]
    pub(crate) fn find_one(&self, keys: &[u64], key: u64) -> Option<u32> {
        let mask = self.buckets.len().checked_sub(1)?;
        let hash = hash(&[key]);
        let mut at = home(hash, mask);
        // Ends: at most half of the buckets are used.
        loop {
            let bucket = self.buckets[at & mask];
            if bucket == EMPTY {
                return None;
            }
            if (bucket ^ hash) & TAG == 0 && keys[slot_of(bucket) as usize] == key {
                return Some(slot_of(bucket));
            }
            at += 1;
        }
    }

    /// Adds a key that is not there yet; its words must already stand at `slot`.
    pub(crate) fn insert(&mut self, keys: Keys<'_>, slot: u32) {
        if (self.used + 1) * 2 > self.buckets.len() {
            self.grow(keys);
        }
        self.place(keys, slot);
        self.used += 1;
    }

    fn place(&mut self, keys: Keys<'_>, slot: u32) {
        let mask = self.buckets.len() - 1;
        let hash = hash(keys.of(slot));
        let mut at = home(hash, mask);
        while self.buckets[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.buckets[at] = (hash & TAG) | (u64::from(slot) + 1);
    }

    fn grow(&mut self, keys: Keys<'_>) {
        let larger = (self.buckets.len() * 2).max(8);
        let old = core::mem::replace(&mut self.buckets, vec![EMPTY; larger]);
        for bucket in old.into_iter().filter(|&bucket| bucket != EMPTY) {
            self.place(keys, slot_of(bucket));
        }
    }

    /// Removes a key and gives the slot it had. The words must still stand at that slot.
    pub(crate) fn remove(&mut self, keys: Keys<'_>, key: &[u64]) -> Option<u32> {
        let mut hole = self.position(keys, key)?;
        let slot = slot_of(self.buckets[hole]);
        let mask = self.buckets.len() - 1;
        let mut at = (hole + 1) & mask;
        // Moves back what the hole would cut off from its home.
        while self.buckets[at] != EMPTY {
            let from_home = at.wrapping_sub(home(hash(keys.of(slot_of(self.buckets[at]))), mask));
            if from_home & mask >= at.wrapping_sub(hole) & mask {
                self.buckets[hole] = self.buckets[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.buckets[hole] = EMPTY;
        self.used -= 1;
        Some(slot)
    }
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the mask keeps only low bits"
)]
fn home(hash: u64, mask: usize) -> usize {
    // The upper half is the tag; the lower half was mixed with it last.
    hash as usize & mask
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half of a bucket is slot + 1"
)]
fn slot_of(bucket: u64) -> u32 {
    (bucket as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_map(operations in prop::collection::vec((any::<bool>(), 0_u64..40), 0..300)) {
            let mut index = Index::default();
            let mut words = Vec::new();
            let mut model = BTreeMap::new();
            for (insert, number) in operations {
                // Few values in both words, so that chains and removals meet.
                let key = [number % 5, number / 5];
                if insert && !model.contains_key(&key) {
                    let slot = u32::try_from(words.len() / 2).unwrap();
                    words.extend(key);
                    index.insert(Keys { all: &words, words: 2 }, slot);
                    model.insert(key, slot);
                } else if !insert {
                    let removed = index.remove(Keys { all: &words, words: 2 }, &key);
                    prop_assert_eq!(removed, model.remove(&key));
                }
                for number in 0..40 {
                    let key = [number % 5, number / 5];
                    let found = index.find(Keys { all: &words, words: 2 }, &key);
                    prop_assert_eq!(found, model.get(&key).copied());
                }
                // Keys of one word take a way of their own.
                let mut single = Index::default();
                let numbers: Vec<u64> = model.keys().map(|key| key[0] + 5 * key[1]).collect();
                for slot in 0..u32::try_from(numbers.len()).unwrap() {
                    single.insert(Keys { all: &numbers, words: 1 }, slot);
                }
                for number in 0..40 {
                    let wanted = numbers.iter().position(|other| *other == number);
                    let found = single.find_one(&numbers, number);
                    prop_assert_eq!(found.map(|slot| slot as usize), wanted);
                }
                prop_assert_eq!(index.is_empty(), model.is_empty());
            }
        }
    }
}
