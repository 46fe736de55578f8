//! Inverse steps: what it takes to put the state back, and no more than that.
//!
//! Each step describes one small change by what was there before. Steps are taken back newest
//! first, so each finds the state exactly as its change left it.

use super::keyspace::{Entry, Key, Keyspace, List, Value};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Takes one execution back; the undo type of the store.
#[derive(Debug)]
pub struct Undo {
    pub(super) now_us_before: Option<u64>,
    pub(super) steps: Vec<Step>,
}

/// The inverse of one change.
#[derive(Debug)]
pub(super) enum Step {
    /// The whole key was put, replaced or removed.
    Entry { key: Key, before: Option<Entry> },
    /// Only the deadline changed.
    Deadline { key: Key, before_us: Option<u64> },
    /// The content of a string was replaced.
    Text { key: Key, before: Vec<u8> },
    /// Bytes of a string from `at` on were overwritten, and it may have grown from `length`.
    TextRange {
        key: Key,
        at: usize,
        before: Vec<u8>,
        length: usize,
    },
    /// A field of a hash was put, replaced or removed.
    Field {
        key: Key,
        field: Box<[u8]>,
        before: Option<Vec<u8>>,
    },
    /// A member was added to a set, or removed from it.
    Member {
        key: Key,
        member: Box<[u8]>,
        was_member: bool,
    },
    /// A list changed.
    List { key: Key, change: ListChange },
    /// A key got another name, and what had that name is gone.
    Renamed {
        from: Key,
        to: Key,
        replaced: Option<Entry>,
    },
    /// Everything was removed.
    Flushed { before: Box<Keyspace> },
}

/// The inverse of one change of a list.
#[derive(Debug)]
pub(super) enum ListChange {
    /// Elements were pushed to both ends.
    Grew { front: usize, back: usize },
    /// Elements were removed from both ends; both in the order they had.
    Shrank { front: List, back: List },
    /// One element was replaced.
    Replaced { index: usize, before: Box<[u8]> },
    /// One element was inserted.
    Inserted { index: usize },
    /// The list was rotated; this many steps to the right bring it back.
    Rotated { right: usize },
    /// Elements were removed; their indices in the list before, ascending.
    Thinned { removed: Vec<(usize, Box<[u8]>)> },
}

/// Takes steps back, newest first, until `keep` are left.
pub(super) fn revert(space: &mut Keyspace, steps: &mut Vec<Step>, keep: usize) {
    while steps.len() > keep {
        let step = steps
            .pop()
            .expect("the length was just seen to be over `keep`");
        revert_step(space, step);
    }
}

fn revert_step(space: &mut Keyspace, step: Step) {
    match step {
        Step::Entry {
            key,
            before: Some(entry),
        } => drop(space.insert(&key, entry)),
        Step::Entry { key, before: None } => drop(space.remove(&key)),
        Step::Deadline { key, before_us } => drop(space.set_deadline(&key, before_us)),
        Step::Text { key, before } => *value(space, &key) = Value::Text(before),
        Step::TextRange {
            key,
            at,
            before,
            length,
        } => {
            if let Value::Text(text) = value(space, &key) {
                text[at..at + before.len()].copy_from_slice(&before);
                text.truncate(length);
            }
        }
        Step::Field { key, field, before } => {
            if let Value::Hash(hash) = value(space, &key) {
                match before {
                    Some(content) => drop(hash.insert(field, content)),
                    None => drop(hash.remove(&field)),
                }
            }
        }
        Step::Member {
            key,
            member,
            was_member,
        } => {
            if let Value::Set(set) = value(space, &key) {
                if was_member {
                    set.insert(member);
                } else {
                    set.remove(&member);
                }
            }
        }
        Step::List { key, change } => {
            if let Value::List(list) = value(space, &key) {
                revert_list(list, change);
            }
        }
        Step::Renamed { from, to, replaced } => {
            let entry = space
                .remove(&to)
                .expect("a renamed key stands under its new name");
            space.insert(&from, entry);
            if let Some(replaced) = replaced {
                space.insert(&to, replaced);
            }
        }
        Step::Flushed { before } => *space = *before,
    }
}

fn value<'s>(space: &'s mut Keyspace, key: &[u8]) -> &'s mut Value {
    space
        .value_mut(key)
        .expect("a step is taken back on the state its change left")
}

fn revert_list(list: &mut List, change: ListChange) {
    match change {
        ListChange::Grew { front, back } => {
            list.truncate(list.len() - back);
            list.drain(..front);
        }
        ListChange::Shrank { front, back } => {
            for element in front.into_iter().rev() {
                list.push_front(element);
            }
            list.extend(back);
        }
        ListChange::Replaced { index, before } => list[index] = before,
        ListChange::Inserted { index } => drop(list.remove(index)),
        ListChange::Rotated { right } => list.rotate_right(right),
        ListChange::Thinned { removed } => put_back(list, removed),
    }
}

/// Merges removed elements into a list at the indices they had. Linear, as the removal was.
fn put_back(list: &mut List, removed: Vec<(usize, Box<[u8]>)>) {
    let kept = core::mem::take(list);
    list.reserve(kept.len() + removed.len());
    let mut removed = removed.into_iter().peekable();
    for element in kept {
        while let Some((_, back)) = removed.next_if(|(index, _)| *index == list.len()) {
            list.push_back(back);
        }
        list.push_back(element);
    }
    list.extend(removed.map(|(_, element)| element));
}
