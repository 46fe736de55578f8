//! Commands about when keys end. Time is the agreed time of the operation's stamp: a replica's own
//! clock never enters, so a key ends at the same point of the log everywhere.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the table of commands holds functions of one signature"
)]

use super::arguments::{is_word, require_integer};
use super::edit::Edit;
use super::failure::Failure;
use super::reply::ReplyWriter;
use super::view::View;
use core::cmp::Ordering;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

const US_PER_SECOND: i64 = 1_000_000;
const US_PER_MILLISECOND: i64 = 1_000;

/// How a command says when a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    AfterSeconds,
    AfterMilliseconds,
    AtSeconds,
    AtMilliseconds,
}

impl Unit {
    /// The option words of SET and GETEX.
    pub(super) fn from_option(word: &[u8]) -> Option<Self> {
        if is_word(word, "EX") {
            Some(Self::AfterSeconds)
        } else if is_word(word, "PX") {
            Some(Self::AfterMilliseconds)
        } else if is_word(word, "EXAT") {
            Some(Self::AtSeconds)
        } else if is_word(word, "PXAT") {
            Some(Self::AtMilliseconds)
        } else {
            None
        }
    }

    const fn scale_us(self) -> i64 {
        match self {
            Self::AfterSeconds | Self::AtSeconds => US_PER_SECOND,
            Self::AfterMilliseconds | Self::AtMilliseconds => US_PER_MILLISECOND,
        }
    }

    const fn is_relative(self) -> bool {
        matches!(self, Self::AfterSeconds | Self::AfterMilliseconds)
    }
}

/// The deadline that a positive amount means; for commands where zero is an error.
pub(super) fn deadline_us(
    edit: &Edit<'_>,
    unit: Unit,
    amount: &[u8],
    name: &str,
) -> Result<u64, Failure> {
    let amount = require_integer(amount)?;
    if amount <= 0 {
        return Err(Failure::expire_time(name));
    }
    any_deadline_us(edit, unit, amount, name)
}

/// The deadline that any amount means; one in the past is 0 at least.
fn any_deadline_us(edit: &Edit<'_>, unit: Unit, amount: i64, name: &str) -> Result<u64, Failure> {
    let now_us = i64::try_from(edit.time_us()?).unwrap_or(i64::MAX);
    let base_us = if unit.is_relative() { now_us } else { 0 };
    let deadline_us = amount
        .checked_mul(unit.scale_us())
        .and_then(|amount_us| amount_us.checked_add(base_us))
        .ok_or_else(|| Failure::expire_time(name))?;
    Ok(u64::try_from(deadline_us).unwrap_or(0))
}

pub(super) fn expire(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    change(edit, arguments, reply, Unit::AfterSeconds, "expire")
}

pub(super) fn pexpire(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    change(edit, arguments, reply, Unit::AfterMilliseconds, "pexpire")
}

pub(super) fn expireat(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    change(edit, arguments, reply, Unit::AtSeconds, "expireat")
}

pub(super) fn pexpireat(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    change(edit, arguments, reply, Unit::AtMilliseconds, "pexpireat")
}

/// When EXPIRE and its like take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Condition {
    /// Whether the key must have a deadline, or must have none.
    has_deadline: Option<bool>,
    /// What the new deadline must be, compared with the old one.
    comparison: Option<Ordering>,
}

impl Condition {
    fn parse(words: &[&[u8]]) -> Result<Self, Failure> {
        let given = |flag: &str| words.iter().any(|word| is_word(word, flag));
        let flags = ["NX", "XX", "GT", "LT"];
        if !words
            .iter()
            .all(|word| flags.iter().any(|flag| is_word(word, flag)))
        {
            return Err(Failure::SYNTAX);
        }
        let [none, some, later, earlier] = flags.map(given);
        if none && (some || later || earlier) {
            return Err(Failure::fixed(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        let comparison = match (later, earlier) {
            (true, true) => {
                return Err(Failure::fixed(
                    "ERR GT and LT options at the same time are not compatible",
                ));
            }
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        };
        let has_deadline = (none || some).then_some(some);
        Ok(Self {
            has_deadline,
            comparison,
        })
    }

    /// A key without a deadline counts as ending after any other.
    fn allows(self, current_us: Option<u64>, wanted_us: u64) -> bool {
        let compared = current_us.map_or(Ordering::Less, |current_us| wanted_us.cmp(&current_us));
        self.has_deadline
            .is_none_or(|must| must == current_us.is_some())
            && self.comparison.is_none_or(|must| must == compared)
    }
}

fn change(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
    unit: Unit,
    name: &str,
) -> Outcome {
    let amount = require_integer(arguments[2])?;
    let wanted_us = any_deadline_us(edit, unit, amount, name)?;
    let condition = Condition::parse(&arguments[3..])?;
    let current = edit.entry(arguments[1]).map(|entry| entry.deadline_us);
    let changes = current.is_some_and(|current_us| condition.allows(current_us, wanted_us));
    if changes {
        edit.set_deadline(arguments[1], Some(wanted_us));
    }
    reply.integer(i64::from(changes));
    Ok(())
}

pub(super) fn persist(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let changes = edit
        .entry(arguments[1])
        .is_some_and(|entry| entry.deadline_us.is_some());
    if changes {
        edit.set_deadline(arguments[1], None);
    }
    reply.integer(i64::from(changes));
    Ok(())
}

pub(super) fn ttl(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let left_us = left_us(view, arguments[1])?;
    reply.integer(left_us.map_or_else(|code| code, rounded_seconds));
    Ok(())
}

pub(super) fn pttl(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let left_us = left_us(view, arguments[1])?;
    reply.integer(left_us.map_or_else(|code| code, milliseconds));
    Ok(())
}

pub(super) fn expiretime(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.integer(end_us(view, arguments[1]).map_or_else(|code| code, rounded_seconds));
    Ok(())
}

pub(super) fn pexpiretime(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.integer(end_us(view, arguments[1]).map_or_else(|code| code, milliseconds));
    Ok(())
}

/// When a key ends, or the answer -2 for no such key and -1 for no end.
fn end_us(view: View<'_>, key: &[u8]) -> Result<u64, i64> {
    view.entry(key).ok_or(-2_i64)?.deadline_us.ok_or(-1)
}

/// How long a key still lives; the outer error is for a fabric without time.
fn left_us(view: View<'_>, key: &[u8]) -> Result<Result<u64, i64>, Failure> {
    match end_us(view, key) {
        Ok(deadline_us) => Ok(Ok(deadline_us.saturating_sub(view.time_us()?))),
        Err(code) => Ok(Err(code)),
    }
}

/// Rounded up, so that a key with a positive rest never reads as 0.
fn milliseconds(us: u64) -> i64 {
    i64::try_from(us.div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Rounded to the nearest second.
fn rounded_seconds(us: u64) -> i64 {
    i64::try_from(us.saturating_add(500_000) / 1_000_000).unwrap_or(i64::MAX)
}
