//! Commands on strings, and on integers written as strings.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the table of commands holds functions of one signature"
)]

use super::arguments::{integer, is_word, range, require_integer};
use super::edit::{Edit, MAX_STRING_SIZE};
use super::expiry::{self, Unit};
use super::failure::Failure;
use super::keyspace::Value;
use super::reply::ReplyWriter;
use super::view::View;
use alloc::format;
use alloc::vec::Vec;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

pub(super) fn get(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.bulk_or_null(view.text(arguments[1])?);
    Ok(())
}

pub(super) fn mget(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.array(arguments.len() - 1);
    for key in &arguments[1..] {
        // A key of another type reads as absent here.
        reply.bulk_or_null(view.text(key).unwrap_or_default());
    }
    Ok(())
}

pub(super) fn strlen(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(view.text(arguments[1])?.map_or(0, <[u8]>::len));
    Ok(())
}

pub(super) fn getrange(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let first = require_integer(arguments[2])?;
    let last = require_integer(arguments[3])?;
    let text = view.text(arguments[1])?.unwrap_or_default();
    let both_before = first < 0 && last < first;
    // Redis takes a last position before the string as the first byte, here but not in LRANGE.
    let reaches = i64::try_from(text.len()).is_ok_and(|length| last >= -length);
    let last = if reaches || both_before { last } else { 0 };
    reply.bulk(&text[range(first, last, text.len())]);
    Ok(())
}

/// When SET writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition<'a> {
    Always,
    Absent,
    Present,
    Equal(&'a [u8]),
}

/// The options of SET.
struct SetOptions<'a> {
    condition: Condition<'a>,
    deadline_us: Option<u64>,
    keeps_deadline: bool,
    returns_old: bool,
}

impl<'a> SetOptions<'a> {
    fn parse(edit: &Edit<'_>, words: &[&'a [u8]]) -> Result<Self, Failure> {
        let mut options = Self {
            condition: Condition::Always,
            deadline_us: None,
            keeps_deadline: false,
            returns_old: false,
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            if is_word(word, "GET") {
                options.returns_old = true;
            } else if is_word(word, "KEEPTTL") {
                options.keep_deadline()?;
            } else if is_word(word, "NX") {
                options.only_if(Condition::Absent)?;
            } else if is_word(word, "XX") {
                options.only_if(Condition::Present)?;
            } else if is_word(word, "IFEQ") {
                options.only_if(Condition::Equal(words.next().ok_or(Failure::SYNTAX)?))?;
            } else {
                let unit = Unit::from_option(word).ok_or(Failure::SYNTAX)?;
                let amount = words.next().ok_or(Failure::SYNTAX)?;
                if options.keeps_deadline || options.deadline_us.is_some() {
                    return Err(Failure::SYNTAX);
                }
                options.deadline_us = Some(expiry::deadline_us(edit, unit, amount, "set")?);
            }
        }
        Ok(options)
    }

    fn keep_deadline(&mut self) -> Outcome {
        if self.deadline_us.is_some() {
            return Err(Failure::SYNTAX);
        }
        self.keeps_deadline = true;
        Ok(())
    }

    fn only_if(&mut self, condition: Condition<'a>) -> Outcome {
        if self.condition != Condition::Always && self.condition != condition {
            return Err(Failure::SYNTAX);
        }
        self.condition = condition;
        Ok(())
    }
}

pub(super) fn set(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let (key, value) = (arguments[1], arguments[2]);
    if arguments.len() == 3 {
        edit.put(key, Value::Text(value.to_vec()), None);
        reply.ok();
        return Ok(());
    }
    let options = SetOptions::parse(edit, &arguments[3..])?;
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Absent => !edit.exists(key),
        Condition::Present => edit.exists(key),
        Condition::Equal(expected) => edit.text(key)? == Some(expected),
    };
    if options.returns_old {
        reply.bulk_or_null(edit.text(key)?);
    } else if holds {
        reply.ok();
    } else {
        reply.null();
    }
    if holds {
        let kept_us = if options.keeps_deadline {
            edit.entry(key).and_then(|entry| entry.deadline_us)
        } else {
            None
        };
        edit.put(
            key,
            Value::Text(value.to_vec()),
            options.deadline_us.or(kept_us),
        );
    }
    Ok(())
}

pub(super) fn setex(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    set_expiring(edit, arguments, reply, Unit::AfterSeconds, "setex")
}

pub(super) fn psetex(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    set_expiring(edit, arguments, reply, Unit::AfterMilliseconds, "psetex")
}

fn set_expiring(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
    unit: Unit,
    name: &str,
) -> Outcome {
    let deadline_us = expiry::deadline_us(edit, unit, arguments[2], name)?;
    edit.put(
        arguments[1],
        Value::Text(arguments[3].to_vec()),
        Some(deadline_us),
    );
    reply.ok();
    Ok(())
}

pub(super) fn setnx(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let is_new = !edit.exists(arguments[1]);
    if is_new {
        edit.put(arguments[1], Value::Text(arguments[2].to_vec()), None);
    }
    reply.integer(i64::from(is_new));
    Ok(())
}

pub(super) fn getset(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.bulk_or_null(edit.text(arguments[1])?);
    edit.put(arguments[1], Value::Text(arguments[2].to_vec()), None);
    Ok(())
}

pub(super) fn getdel(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.bulk_or_null(edit.text(arguments[1])?);
    edit.remove(arguments[1]);
    Ok(())
}

pub(super) fn getex(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let (key, words) = (arguments[1], &arguments[2..]);
    let timed = match words {
        [] => None,
        [word] if is_word(word, "PERSIST") => None,
        [word, amount] => Some((Unit::from_option(word).ok_or(Failure::SYNTAX)?, amount)),
        _ => return Err(Failure::SYNTAX),
    };
    let Some(text) = edit.text(key)? else {
        reply.null();
        return Ok(());
    };
    reply.bulk(text);
    if let Some((unit, amount)) = timed {
        let deadline_us = expiry::deadline_us(edit, unit, amount, "getex")?;
        edit.set_deadline(key, Some(deadline_us));
    } else if !words.is_empty() {
        edit.set_deadline(key, None);
    }
    Ok(())
}

pub(super) fn mset(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    put_pairs(edit, pairs(arguments, "mset")?);
    reply.ok();
    Ok(())
}

pub(super) fn msetnx(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let pairs = pairs(arguments, "msetnx")?;
    let all_new = !pairs.iter().step_by(2).any(|key| edit.exists(key));
    if all_new {
        put_pairs(edit, pairs);
    }
    reply.integer(i64::from(all_new));
    Ok(())
}

fn pairs<'a, 'b>(arguments: &'a [&'b [u8]], name: &str) -> Result<&'a [&'b [u8]], Failure> {
    let pairs = &arguments[1..];
    if pairs.len().is_multiple_of(2) {
        Ok(pairs)
    } else {
        Err(Failure::arity(name))
    }
}

fn put_pairs(edit: &mut Edit<'_>, pairs: &[&[u8]]) {
    for pair in pairs.chunks_exact(2) {
        edit.put(pair[0], Value::Text(pair[1].to_vec()), None);
    }
}

pub(super) fn append(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let length = edit.text(arguments[1])?.map_or(0, <[u8]>::len);
    check_size(length + arguments[2].len())?;
    reply.count(edit.write_text(arguments[1], length, arguments[2]));
    Ok(())
}

pub(super) fn setrange(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let offset = require_integer(arguments[2])?;
    let offset = usize::try_from(offset).map_err(|_| Failure::OFFSET_RANGE)?;
    let bytes = arguments[3];
    let length = edit.text(arguments[1])?.map_or(0, <[u8]>::len);
    if bytes.is_empty() {
        reply.count(length);
        return Ok(());
    }
    check_size(offset.saturating_add(bytes.len()))?;
    reply.count(edit.write_text(arguments[1], offset, bytes));
    Ok(())
}

fn check_size(size: usize) -> Outcome {
    if size <= MAX_STRING_SIZE {
        return Ok(());
    }
    Err(Failure::owned(format!(
        "ERR string exceeds maximum allowed size ({MAX_STRING_SIZE} bytes)"
    )))
}

pub(super) fn incr(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    add(edit, arguments[1], 1, reply)
}

pub(super) fn decr(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    add(edit, arguments[1], -1, reply)
}

pub(super) fn incrby(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    add(edit, arguments[1], require_integer(arguments[2])?, reply)
}

pub(super) fn decrby(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let by = require_integer(arguments[2])?.checked_neg();
    add(
        edit,
        arguments[1],
        by.ok_or(Failure::fixed("ERR decrement would overflow"))?,
        reply,
    )
}

fn add(edit: &mut Edit<'_>, key: &[u8], by: i64, reply: Reply<'_, '_>) -> Outcome {
    let before = match edit.text(key)? {
        Some(text) => integer(text).ok_or(Failure::NOT_INTEGER)?,
        None => 0,
    };
    let sum = before.checked_add(by).ok_or(Failure::OVERFLOW)?;
    edit.replace_text(key, decimal(sum));
    reply.integer(sum);
    Ok(())
}

pub(super) fn decimal(number: i64) -> Vec<u8> {
    format!("{number}").into_bytes()
}
