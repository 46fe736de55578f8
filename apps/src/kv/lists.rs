//! Commands on lists.

use super::arguments::{index, is_word, range, require_count, require_integer};
use super::edit::Edit;
use super::failure::Failure;
use super::keyspace::List;
use super::reply::ReplyWriter;
use super::undo::ListChange;
use super::view::View;
use alloc::boxed::Box;
use alloc::vec::Vec;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Head,
    Tail,
}

impl End {
    fn parse(word: &[u8]) -> Result<Self, Failure> {
        if is_word(word, "LEFT") {
            Ok(Self::Head)
        } else if is_word(word, "RIGHT") {
            Ok(Self::Tail)
        } else {
            Err(Failure::SYNTAX)
        }
    }
}

pub(super) fn lpush(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    push(edit, arguments, reply, End::Head, false)
}

pub(super) fn rpush(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    push(edit, arguments, reply, End::Tail, false)
}

pub(super) fn lpushx(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    push(edit, arguments, reply, End::Head, true)
}

pub(super) fn rpushx(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    push(edit, arguments, reply, End::Tail, true)
}

fn push(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
    end: End,
    only_existing: bool,
) -> Outcome {
    let length = edit.list(arguments[1])?.map(List::len);
    let elements = &arguments[2..];
    if only_existing && length.is_none() {
        reply.integer(0);
        return Ok(());
    }
    push_all(
        edit,
        arguments[1],
        elements.iter().map(|element| Box::from(*element)),
        end,
    );
    reply.count(length.unwrap_or(0) + elements.len());
    Ok(())
}

fn push_all(
    edit: &mut Edit<'_>,
    key: &[u8],
    elements: impl ExactSizeIterator<Item = Box<[u8]>>,
    end: End,
) {
    let count = elements.len();
    edit.change_list(key, |list| match end {
        End::Head => {
            elements.for_each(|element| list.push_front(element));
            ListChange::Grew {
                front: count,
                back: 0,
            }
        }
        End::Tail => {
            list.extend(elements);
            ListChange::Grew {
                front: 0,
                back: count,
            }
        }
    });
}

/// Takes elements off one end, into the inverse. `count` is at most the length.
fn take(edit: &mut Edit<'_>, key: &[u8], count: usize, end: End) {
    edit.change_list(key, |list| match end {
        End::Head => {
            // Not `split_off`, which would move the elements that stay.
            let front = list.drain(..count).collect();
            ListChange::Shrank {
                front,
                back: List::new(),
            }
        }
        End::Tail => {
            let back = list.split_off(list.len() - count);
            ListChange::Shrank {
                front: List::new(),
                back,
            }
        }
    });
}

pub(super) fn lpop(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    pop(edit, arguments, reply, End::Head, "lpop")
}

pub(super) fn rpop(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    pop(edit, arguments, reply, End::Tail, "rpop")
}

fn pop(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
    end: End,
    name: &str,
) -> Outcome {
    let (key, count) = match arguments {
        [_, key] => (*key, None),
        [_, key, count] => (*key, Some(require_count(count)?)),
        _ => return Err(Failure::arity(name)),
    };
    let Some(list) = edit.list(key)? else {
        if count.is_some() {
            reply.null_array();
        } else {
            reply.null();
        }
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(list.len());
    if count.is_some() {
        reply.array(taken);
    }
    match end {
        End::Head => list
            .iter()
            .take(taken)
            .for_each(|element| reply.bulk(element)),
        End::Tail => list
            .iter()
            .rev()
            .take(taken)
            .for_each(|element| reply.bulk(element)),
    }
    take(edit, key, taken, end);
    Ok(())
}

pub(super) fn llen(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(view.list(arguments[1])?.map_or(0, List::len));
    Ok(())
}

pub(super) fn lrange(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let first = require_integer(arguments[2])?;
    let last = require_integer(arguments[3])?;
    let list = view.list(arguments[1])?;
    let range = range(first, last, list.map_or(0, List::len));
    reply.array(range.len());
    list.into_iter()
        .flat_map(|list| list.range(range.clone()))
        .for_each(|one| reply.bulk(one));
    Ok(())
}

pub(super) fn lindex(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let Some(list) = view.list(arguments[1])? else {
        reply.null();
        return Ok(());
    };
    let index = index(require_integer(arguments[2])?, list.len());
    reply.bulk_or_null(
        index
            .and_then(|index| list.get(index))
            .map(|element| &element[..]),
    );
    Ok(())
}

pub(super) fn lset(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let length = edit.list(arguments[1])?.ok_or(Failure::NO_SUCH_KEY)?.len();
    let position = require_integer(arguments[2])?;
    let index = index(position, length).ok_or(Failure::INDEX_RANGE)?;
    edit.change_list(arguments[1], |list| {
        let before = core::mem::replace(&mut list[index], arguments[3].into());
        ListChange::Replaced { index, before }
    });
    reply.ok();
    Ok(())
}

pub(super) fn linsert(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let after = if is_word(arguments[2], "BEFORE") {
        false
    } else if is_word(arguments[2], "AFTER") {
        true
    } else {
        return Err(Failure::SYNTAX);
    };
    let Some(list) = edit.list(arguments[1])? else {
        reply.integer(0);
        return Ok(());
    };
    let length = list.len();
    let Some(pivot) = list.iter().position(|element| **element == *arguments[3]) else {
        reply.integer(-1);
        return Ok(());
    };
    let index = pivot + usize::from(after);
    edit.change_list(arguments[1], |list| {
        list.insert(index, arguments[4].into());
        ListChange::Inserted { index }
    });
    reply.count(length + 1);
    Ok(())
}

pub(super) fn ltrim(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let first = require_integer(arguments[2])?;
    let last = require_integer(arguments[3])?;
    if let Some(length) = edit.list(arguments[1])?.map(List::len) {
        let range = range(first, last, length);
        edit.change_list(arguments[1], |list| {
            let back = list.split_off(range.end);
            let front = list.drain(..range.start).collect();
            ListChange::Shrank { front, back }
        });
    }
    reply.ok();
    Ok(())
}

pub(super) fn lrem(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let count = require_integer(arguments[2])?;
    let wanted = arguments[3];
    let Some(list) = edit.list(arguments[1])? else {
        reply.integer(0);
        return Ok(());
    };
    let most = match usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) {
        0 => usize::MAX,
        count => count,
    };
    let all = list.iter().map(|element| &element[..]).enumerate();
    let equal = |(_, element): &(usize, &[u8])| *element == wanted;
    let indices: Vec<usize> = if count < 0 {
        let found = all.rev().filter(equal).take(most);
        let mut indices: Vec<usize> = found.map(|(index, _)| index).collect();
        indices.reverse();
        indices
    } else {
        all.filter(equal)
            .take(most)
            .map(|(index, _)| index)
            .collect()
    };
    reply.count(indices.len());
    if !indices.is_empty() {
        edit.change_list(arguments[1], |list| thin(list, &indices));
    }
    Ok(())
}

/// Removes the elements at ascending indices, in one pass.
fn thin(list: &mut List, indices: &[usize]) -> ListChange {
    let mut removed = Vec::with_capacity(indices.len());
    let mut kept = List::with_capacity(list.len() - indices.len());
    let mut next = indices.iter().copied().peekable();
    for (index, element) in core::mem::take(list).into_iter().enumerate() {
        if next.next_if_eq(&index).is_some() {
            removed.push((index, element));
        } else {
            kept.push_back(element);
        }
    }
    *list = kept;
    ListChange::Thinned { removed }
}

pub(super) fn rpoplpush(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    move_one(
        edit,
        (arguments[1], End::Tail),
        (arguments[2], End::Head),
        reply,
    )
}

pub(super) fn lmove(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let (from, to) = (End::parse(arguments[3])?, End::parse(arguments[4])?);
    move_one(edit, (arguments[1], from), (arguments[2], to), reply)
}

fn move_one(
    edit: &mut Edit<'_>,
    (from, from_end): (&[u8], End),
    (to, to_end): (&[u8], End),
    reply: Reply<'_, '_>,
) -> Outcome {
    let element = edit.list(from)?.and_then(|list| match from_end {
        End::Head => list.front().cloned(),
        End::Tail => list.back().cloned(),
    });
    let Some(element) = element else {
        reply.null();
        return Ok(());
    };
    edit.list(to)?;
    reply.bulk(&element);
    if from == to {
        // In one step, so that a list of one element keeps its key and deadline.
        edit.change_list(from, |list| rotate(list, from_end, to_end));
    } else {
        take(edit, from, 1, from_end);
        push_all(edit, to, core::iter::once(element), to_end);
    }
    Ok(())
}

/// Moves an element from one end of a list to the other or the same end.
fn rotate(list: &mut List, from: End, to: End) -> ListChange {
    match (from, to) {
        (End::Head, End::Tail) => list.rotate_left(1),
        (End::Tail, End::Head) => list.rotate_right(1),
        _ => return ListChange::Rotated { right: 0 },
    }
    ListChange::Rotated {
        right: if from == End::Head { 1 } else { list.len() - 1 },
    }
}
