//! Changing the state so that every change can be taken back.
//!
//! Commands touch the keyspace only through an [`Edit`]: it hides keys whose deadline has passed
//! and records the inverse of each change. A key is due when its deadline is not after the agreed
//! time; it is removed, with an inverse, when a command touches it, and at most
//! [`SWEEP_LIMIT`] due keys are removed before each operation whoever touches them.

use super::failure::Failure;
use super::keyspace::{Entry, Hash, Keyspace, List, Set, Value};
use super::undo::{ListChange, Step, revert};
use super::view::{View, is_due};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Due keys removed ahead of one operation, so that its cost stays bounded.
pub(super) const SWEEP_LIMIT: usize = 16;
/// Largest string a key can hold, in bytes. Strings grow by APPEND and SETRANGE only: what SET
/// can write is bounded by the size of an operation.
pub(super) const MAX_STRING_SIZE: usize = 1 << 20;

pub(super) struct Edit<'s> {
    space: &'s mut Keyspace,
    steps: &'s mut Vec<Step>,
    now_us: u64,
    stamped: bool,
    any_due: bool,
}

impl<'s> Edit<'s> {
    /// Starts an operation at `now_us`; `stamped` says whether its stamp has an agreed time.
    pub(super) fn new(
        space: &'s mut Keyspace,
        steps: &'s mut Vec<Step>,
        now_us: u64,
        stamped: bool,
    ) -> Self {
        let mut edit = Self {
            space,
            steps,
            now_us,
            stamped,
            any_due: true,
        };
        edit.sweep();
        edit
    }

    /// The agreed time in microseconds, for commands that cannot do without.
    pub(super) fn time_us(&self) -> Result<u64, Failure> {
        if self.stamped {
            Ok(self.now_us)
        } else {
            Err(Failure::NO_TIME)
        }
    }

    /// How much has been recorded, for [`undo_to`](Self::undo_to).
    pub(super) const fn mark(&self) -> usize {
        self.steps.len()
    }

    /// Takes back everything since the mark.
    pub(super) fn undo_to(&mut self, mark: usize) {
        revert(self.space, self.steps, mark);
    }

    /// What commands that never write are given.
    pub(super) fn view(&self) -> View<'_> {
        View::new(self.space, self.now_us, self.stamped)
    }

    pub(super) fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        if self.any_due
            && self
                .space
                .get(key)
                .is_some_and(|entry| is_due(entry, self.now_us))
        {
            self.take_out(key);
        }
        self.space.get(key)
    }

    pub(super) fn exists(&mut self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// The string at a key; absent is fine, another type is not.
    pub(super) fn text(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// The hash at a key; absent is fine, another type is not.
    pub(super) fn hash(&mut self, key: &[u8]) -> Result<Option<&Hash>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// The list at a key; absent is fine, another type is not.
    pub(super) fn list(&mut self, key: &[u8]) -> Result<Option<&List>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// The set at a key; absent is fine, another type is not.
    pub(super) fn set(&mut self, key: &[u8]) -> Result<Option<&Set>, Failure> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    /// Puts a whole key. A deadline that has passed already, or an empty collection, leaves no key.
    pub(super) fn put(&mut self, key: &[u8], value: Value, deadline_us: Option<u64>) {
        let gone = deadline_us.is_some_and(|deadline_us| deadline_us <= self.now_us);
        if gone || value.is_empty_collection() {
            self.take_out(key);
            return;
        }
        let before = self.space.insert(key, Entry { value, deadline_us });
        self.steps.push(Step::Entry {
            key: key.into(),
            before,
        });
    }

    /// Removes a key; says whether it was there and not due.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let there = self.exists(key);
        if there {
            self.take_out(key);
        }
        there
    }

    /// Changes when an existing key ends. A deadline that has passed removes the key.
    pub(super) fn set_deadline(&mut self, key: &[u8], deadline_us: Option<u64>) {
        if deadline_us.is_some_and(|deadline_us| deadline_us <= self.now_us) {
            self.take_out(key);
            return;
        }
        let before_us = self.space.set_deadline(key, deadline_us);
        self.steps.push(Step::Deadline {
            key: key.into(),
            before_us,
        });
    }

    /// Gives an existing key another name, in place of what had it.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) {
        if from == to {
            return;
        }
        let Some(entry) = self.space.remove(from) else {
            return;
        };
        let replaced = self.space.insert(to, entry);
        self.steps.push(Step::Renamed {
            from: from.into(),
            to: to.into(),
            replaced,
        });
    }

    pub(super) fn flush(&mut self) {
        let before = Box::new(core::mem::take(self.space));
        self.steps.push(Step::Flushed { before });
    }

    /// Replaces the content of an existing string and keeps its deadline, or makes a new one.
    pub(super) fn replace_text(&mut self, key: &[u8], text: Vec<u8>) {
        match self.space.value_mut(key) {
            Some(Value::Text(place)) => {
                let before = core::mem::replace(place, text);
                self.steps.push(Step::Text {
                    key: key.into(),
                    before,
                });
            }
            _ => self.put(key, Value::Text(text), None),
        }
    }

    /// Writes bytes into a string from `at` on, which grows with zero bytes if it must, and
    /// returns its new length. The caller has checked type and size.
    pub(super) fn write_text(&mut self, key: &[u8], at: usize, bytes: &[u8]) -> usize {
        let Some(Value::Text(text)) = self.space.value_mut(key) else {
            let mut text = alloc::vec![0; at];
            text.extend_from_slice(bytes);
            let length = text.len();
            self.put(key, Value::Text(text), None);
            return length;
        };
        let length = text.len();
        let end = at + bytes.len();
        let before = text.get(at..end.min(length)).unwrap_or_default().to_vec();
        // The inverse writes `before` back first, so it must lie within the old length.
        let back_at = at.min(length);
        if end > length {
            text.resize(end, 0);
        }
        text[at..end].copy_from_slice(bytes);
        let grown = text.len();
        self.steps.push(Step::TextRange {
            key: key.into(),
            at: back_at,
            before,
            length,
        });
        grown
    }

    /// Puts one field; says whether it is new. The caller has checked the type.
    pub(super) fn put_field(&mut self, key: &[u8], field: &[u8], content: Vec<u8>) -> bool {
        let Some(Value::Hash(hash)) = self.space.value_mut(key) else {
            let hash = Hash::from([(Box::from(field), content)]);
            self.put(key, Value::Hash(hash), None);
            return true;
        };
        let before = match hash.get_mut(field) {
            Some(place) => Some(core::mem::replace(place, content)),
            None => hash.insert(field.into(), content),
        };
        let is_new = before.is_none();
        self.steps.push(Step::Field {
            key: key.into(),
            field: field.into(),
            before,
        });
        is_new
    }

    /// Removes one field; says whether it was there. The caller has checked the type.
    pub(super) fn remove_field(&mut self, key: &[u8], field: &[u8]) -> bool {
        let Some(Value::Hash(hash)) = self.space.value_mut(key) else {
            return false;
        };
        let Some((field, before)) = hash.remove_entry(field) else {
            return false;
        };
        self.steps.push(Step::Field {
            key: key.into(),
            field,
            before: Some(before),
        });
        self.remove_if_empty(key);
        true
    }

    /// Adds one member; says whether it is new. The caller has checked the type.
    pub(super) fn add_member(&mut self, key: &[u8], member: &[u8]) -> bool {
        let Some(Value::Set(set)) = self.space.value_mut(key) else {
            self.put(key, Value::Set(Set::from([Box::from(member)])), None);
            return true;
        };
        if set.contains(member) {
            return false;
        }
        set.insert(member.into());
        let member = member.into();
        self.steps.push(Step::Member {
            key: key.into(),
            member,
            was_member: false,
        });
        true
    }

    /// Removes one member; says whether it was there. The caller has checked the type.
    pub(super) fn remove_member(&mut self, key: &[u8], member: &[u8]) -> bool {
        let Some(Value::Set(set)) = self.space.value_mut(key) else {
            return false;
        };
        let Some(member) = set.take(member) else {
            return false;
        };
        self.steps.push(Step::Member {
            key: key.into(),
            member,
            was_member: true,
        });
        self.remove_if_empty(key);
        true
    }

    /// Changes the list at a key, made empty if there is none, by a function that returns the
    /// inverse of what it did. The caller has checked the type.
    pub(super) fn change_list(&mut self, key: &[u8], change: impl FnOnce(&mut List) -> ListChange) {
        if self.space.get(key).is_none() {
            // An empty list only lives until the end of this function.
            let entry = Entry {
                value: Value::List(List::new()),
                deadline_us: None,
            };
            self.space.insert(key, entry);
            self.steps.push(Step::Entry {
                key: key.into(),
                before: None,
            });
        }
        let Some(Value::List(list)) = self.space.value_mut(key) else {
            return;
        };
        let change = change(list);
        self.steps.push(Step::List {
            key: key.into(),
            change,
        });
        self.remove_if_empty(key);
    }

    fn remove_if_empty(&mut self, key: &[u8]) {
        if self
            .space
            .get(key)
            .is_some_and(|entry| entry.value.is_empty_collection())
        {
            self.take_out(key);
        }
    }

    fn take_out(&mut self, key: &[u8]) {
        if let Some(entry) = self.space.remove(key) {
            self.steps.push(Step::Entry {
                key: key.into(),
                before: Some(entry),
            });
        }
    }

    fn sweep(&mut self) {
        for _ in 0..SWEEP_LIMIT {
            match self.space.first_deadline() {
                Some((deadline_us, key)) if deadline_us <= self.now_us => {
                    let key = key.clone();
                    self.take_out(&key);
                }
                _ => break,
            }
        }
        let first = self.space.first_deadline();
        self.any_due = first.is_some_and(|(deadline_us, _)| deadline_us <= self.now_us);
    }
}
