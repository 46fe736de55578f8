//! Table entries as the control plane says them, and their way into a table and back.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::error::ControlError;
use super::field::wide_ones;
use super::info::{ActionInfo, KeyFieldInfo, MatchKind, TableInfo};
use super::instruction::split;
use super::program::{KeyField, TableProgram};
use super::table::{StoredKey, key_value};

/// How one field of a key is to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Match {
    /// Equal to this value. Fits exact and optional fields.
    Exact(u128),
    /// The first bits equal those of the value; its other bits are 0. Length 0 matches anything.
    Lpm {
        /// The value.
        value: u128,
        /// Bits that count.
        prefix_length: u8,
    },
    /// Equal where the mask is 1; the value is 0 elsewhere. Mask 0 matches anything.
    Ternary {
        /// The value.
        value: u128,
        /// Which bits count.
        mask: u128,
    },
    /// From low to high, both included.
    Range {
        /// The least value.
        low: u128,
        /// The greatest value.
        high: u128,
    },
    /// Anything. Fits all but exact fields; it reads back as the field's own kind, except for
    /// optional fields.
    Any,
}

/// What tells an entry from the others of its table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey {
    /// One for each field of the key, in order.
    pub matches: Vec<Match>,
    /// Higher wins; 0 where the table needs none.
    pub priority: u32,
}

/// A table entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntrySpec {
    /// One for each field of the key, in order.
    pub matches: Vec<Match>,
    /// Higher wins; 0 where the table needs none.
    pub priority: u32,
    /// One of the table's actions.
    pub action: String,
    /// As many as the action has parameters.
    pub parameters: Vec<u128>,
}

impl EntrySpec {
    /// What tells it from the others.
    pub fn key(&self) -> EntryKey {
        EntryKey {
            matches: self.matches.clone(),
            priority: self.priority,
        }
    }
}

/// Checks a key and packs it as the table compares it.
pub(crate) fn stored_key(
    info: &TableInfo,
    program: &TableProgram,
    matches: &[Match],
    priority: u32,
) -> Result<StoredKey, ControlError> {
    let table = || info.name.clone();
    if info.key.is_empty() {
        return Err(ControlError::NoKey { table: table() });
    }
    if matches.len() != info.key.len() {
        return Err(ControlError::KeyCount {
            table: table(),
            expected: info.key.len(),
            found: matches.len(),
        });
    }
    match (info.needs_priority, priority) {
        (true, 0) => return Err(ControlError::PriorityMissing { table: table() }),
        (false, 1..) => {
            return Err(ControlError::PriorityNotAllowed {
                table: table(),
                priority,
            });
        }
        _ => {}
    }
    let mut key = StoredKey {
        values: vec![0; program.key.len()],
        masks: vec![0; program.key.len()],
        ranges: Vec::new(),
        prefix_length: 0,
        priority,
    };
    for (number, ((field, place), given)) in info
        .key
        .iter()
        .zip(&program.fields)
        .zip(matches)
        .enumerate()
    {
        match resolve(info, field, *given)? {
            Resolved::Masked { value, mask } => {
                if field.kind == MatchKind::Lpm {
                    key.prefix_length = u8::try_from(mask.count_ones()).unwrap_or(u8::MAX);
                }
                put(place, &mut key.values, value);
                put(place, &mut key.masks, mask);
            }
            Resolved::Range { low, high } => {
                let number = u16::try_from(number).expect("keys are bounded by MAX_KEY_WORDS");
                key.ranges.push((number, low, high));
            }
        }
    }
    Ok(key)
}

/// A match of any kind as the table compares it.
enum Resolved {
    Masked { value: u128, mask: u128 },
    Range { low: u128, high: u128 },
}

/// Checks one match against its field.
fn resolve(info: &TableInfo, field: &KeyFieldInfo, given: Match) -> Result<Resolved, ControlError> {
    let all = wide_ones(u8::try_from(field.width).unwrap_or(128));
    let masked = |value: u128, mask: u128| {
        fits(field, value)?;
        fits(field, mask)?;
        if value & !mask == 0 {
            return Ok(Resolved::Masked { value, mask });
        }
        bad(
            info,
            field,
            format!("{value:#x} has bits outside of its mask {mask:#x}"),
        )
    };
    let found = match (field.kind, given) {
        (MatchKind::Exact | MatchKind::Optional, Match::Exact(value)) => return masked(value, all),
        (MatchKind::Ternary, Match::Ternary { value, mask }) => return masked(value, mask),
        (
            MatchKind::Lpm,
            Match::Lpm {
                value,
                prefix_length,
            },
        ) => {
            if u16::from(prefix_length) > field.width {
                let problem = format!("prefix length {prefix_length} of {} bits", field.width);
                return bad(info, field, problem);
            }
            let host_bits = field.width - u16::from(prefix_length);
            return masked(
                value,
                all & !wide_ones(u8::try_from(host_bits).unwrap_or(128)),
            );
        }
        (MatchKind::Range, Match::Range { low, high }) => {
            fits(field, low)?;
            fits(field, high)?;
            if low > high {
                return bad(
                    info,
                    field,
                    format!("the range {low:#x} to {high:#x} is empty"),
                );
            }
            return Ok(Resolved::Range { low, high });
        }
        (MatchKind::Range, Match::Any) => return Ok(Resolved::Range { low: 0, high: all }),
        (MatchKind::Lpm | MatchKind::Ternary | MatchKind::Optional, Match::Any) => {
            return masked(0, 0);
        }
        (_, Match::Exact(_)) => MatchKind::Exact,
        (_, Match::Lpm { .. }) => MatchKind::Lpm,
        (_, Match::Ternary { .. }) => MatchKind::Ternary,
        (_, Match::Range { .. }) => MatchKind::Range,
        (_, Match::Any) => MatchKind::Optional,
    };
    Err(ControlError::WrongMatchKind {
        table: info.name.clone(),
        field: field.name.clone(),
        expected: field.kind,
        found,
    })
}

fn fits(field: &KeyFieldInfo, value: u128) -> Result<(), ControlError> {
    if value & !wide_ones(u8::try_from(field.width).unwrap_or(128)) == 0 {
        return Ok(());
    }
    let what = format!("value of field `{}`", field.name);
    Err(ControlError::ValueTooWide {
        what,
        value,
        width: field.width,
    })
}

fn bad<T>(info: &TableInfo, field: &KeyFieldInfo, problem: String) -> Result<T, ControlError> {
    let (table, field) = (info.name.clone(), field.name.clone());
    Err(ControlError::BadMatch {
        table,
        field,
        problem,
    })
}

fn put(place: &KeyField, words: &mut [u64], value: u128) {
    let (high, low) = split(value);
    if place.wide {
        words[place.word] = high;
        words[place.word + 1] = low;
    } else {
        words[place.word] = low;
    }
}

/// The way back from [`stored_key`].
pub(crate) fn given_matches(
    info: &TableInfo,
    program: &TableProgram,
    key: &StoredKey,
) -> Vec<Match> {
    let fields = info.key.iter().zip(&program.fields).enumerate();
    fields
        .map(|(number, (field, place))| {
            let value = key_value(place, &key.values);
            let mask = key_value(place, &key.masks);
            match field.kind {
                MatchKind::Optional if mask == 0 => Match::Any,
                MatchKind::Exact | MatchKind::Optional => Match::Exact(value),
                MatchKind::Lpm => Match::Lpm {
                    value,
                    prefix_length: u8::try_from(mask.count_ones()).unwrap_or(u8::MAX),
                },
                MatchKind::Ternary => Match::Ternary { value, mask },
                MatchKind::Range => {
                    let range = key
                        .ranges
                        .iter()
                        .find(|range| usize::from(range.0) == number);
                    let (_, low, high) = range.copied().unwrap_or_default();
                    Match::Range { low, high }
                }
            }
        })
        .collect()
}

/// Which of the table's actions is meant, and its parameter words.
pub(crate) fn stored_action(
    info: &TableInfo,
    action: &str,
    parameters: &[u128],
) -> Result<(u16, Vec<u64>), ControlError> {
    let Some(choice) = info
        .actions
        .iter()
        .position(|offered| offered.name == action)
    else {
        return Err(ControlError::NoSuchAction {
            table: info.name.clone(),
            name: action.to_owned(),
            valid: names(info.actions.iter().map(|offered| offered.name.as_str())),
        });
    };
    let offered = &info.actions[choice];
    if parameters.len() != offered.parameters.len() {
        return Err(ControlError::ParameterCount {
            action: action.to_owned(),
            expected: offered.parameters.len(),
            found: parameters.len(),
        });
    }
    let mut words = Vec::new();
    for (parameter, &value) in offered.parameters.iter().zip(parameters) {
        if value & !wide_ones(u8::try_from(parameter.width).unwrap_or(128)) != 0 {
            let what = format!("parameter `{}` of action `{action}`", parameter.name);
            return Err(ControlError::ValueTooWide {
                what,
                value,
                width: parameter.width,
            });
        }
        let (high, low) = split(value);
        if parameter.width > 64 {
            words.push(high);
        }
        words.push(low);
    }
    let choice = u16::try_from(choice).expect("tables have fewer than 2^16 actions");
    Ok((choice, words))
}

/// The way back from [`stored_action`]. There may be more words than the action needs.
pub(crate) fn given_parameters(action: &ActionInfo, words: &[u64]) -> Vec<u128> {
    let mut words = words.iter().copied();
    let mut next = || u128::from(words.next().unwrap_or_default());
    let parameters = action.parameters.iter();
    parameters
        .map(|p| {
            if p.width > 64 {
                (next() << 64) | next()
            } else {
                next()
            }
        })
        .collect()
}

/// Names for an error message.
pub(crate) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let list = names.collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        "none".to_string()
    } else {
        list
    }
}
