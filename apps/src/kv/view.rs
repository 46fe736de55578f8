//! Looking at the state without touching it: what commands that never write are given.
//!
//! A key whose deadline has passed is hidden, not removed. That a command gets a [`View`] and no
//! `Edit` is what makes it a read.

use super::failure::Failure;
use super::keyspace::{Entry, Hash, Key, Keyspace, List, Set, Value};

/// The state at an agreed time.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'s> {
    space: &'s Keyspace,
    now_us: u64,
    stamped: bool,
    any_due: bool,
}

impl<'s> View<'s> {
    /// The state at `now_us`; `stamped` says whether that is an agreed time.
    pub(super) fn new(space: &'s Keyspace, now_us: u64, stamped: bool) -> Self {
        let first = space.first_deadline();
        Self {
            space,
            now_us,
            stamped,
            any_due: first.is_some_and(|(deadline_us, _)| deadline_us <= now_us),
        }
    }

    /// The agreed time in microseconds, for commands that cannot do without.
    pub(super) fn time_us(self) -> Result<u64, Failure> {
        if self.stamped {
            Ok(self.now_us)
        } else {
            Err(Failure::NO_TIME)
        }
    }

    /// Number of keys that are not due. Linear in the number of those that are.
    pub(super) fn live_keys(self) -> usize {
        let due = if self.any_due {
            self.space.due(self.now_us)
        } else {
            0
        };
        self.space.len() - due
    }

    /// Keys that are not due, in byte order.
    pub(super) fn iter_live(self) -> impl Iterator<Item = &'s Key> {
        let live = move |(_, entry): &(&Key, &Entry)| !is_due(entry, self.now_us);
        self.space.iter().filter(live).map(|(key, _)| key)
    }

    pub(super) fn entry(self, key: &[u8]) -> Option<&'s Entry> {
        let entry = self.space.get(key)?;
        let hidden = self.any_due && is_due(entry, self.now_us);
        (!hidden).then_some(entry)
    }

    pub(super) fn exists(self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// The string at a key; absent is fine, another type is not.
    pub(super) fn text(self, key: &[u8]) -> Result<Option<&'s [u8]>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// The hash at a key; absent is fine, another type is not.
    pub(super) fn hash(self, key: &[u8]) -> Result<Option<&'s Hash>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// The list at a key; absent is fine, another type is not.
    pub(super) fn list(self, key: &[u8]) -> Result<Option<&'s List>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// The set at a key; absent is fine, another type is not.
    pub(super) fn set(self, key: &[u8]) -> Result<Option<&'s Set>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }
}

/// Whether a key's deadline has passed.
pub(super) fn is_due(entry: &Entry, now_us: u64) -> bool {
    entry
        .deadline_us
        .is_some_and(|deadline_us| deadline_us <= now_us)
}
