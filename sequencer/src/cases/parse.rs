//! Reads case files. Any bytes give a file or an error with its line, never a panic.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Action, Case, CaseFile, Expected, Step};
use crate::pipeline::{ActionCall, EntryKey, EntrySpec, Match, PortNumber, Replica};

/// What is wrong with a case file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct CaseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// A line with the lines that go on with it.
struct Line<'a> {
    number: usize,
    words: Vec<&'a str>,
}

impl Line<'_> {
    fn error(&self, problem: impl Into<String>) -> CaseError {
        CaseError {
            line: self.number,
            problem: problem.into(),
        }
    }
}

/// Reads a case file; see the module for its language.
pub fn parse(text: &str) -> Result<CaseFile, CaseError> {
    let mut file = CaseFile {
        program: String::new(),
        needs_clock: false,
        setup: Vec::new(),
        cases: Vec::new(),
    };
    let mut in_setup = false;
    for line in lines(text)? {
        match line.words.as_slice() {
            ["program", name] => (*name).clone_into(&mut file.program),
            ["needs", "clock"] => file.needs_clock = true,
            ["setup"] if file.cases.is_empty() => in_setup = true,
            ["setup"] => return Err(line.error("`setup` goes before the first case")),
            ["case", name @ ..] if !name.is_empty() => {
                in_setup = false;
                file.cases.push(Case {
                    name: name.join(" "),
                    steps: Vec::new(),
                });
            }
            _ => {
                let step = Step {
                    line: line.number,
                    action: action(&line)?,
                };
                match file.cases.last_mut() {
                    Some(case) => case.steps.push(step),
                    None if in_setup => file.setup.push(step),
                    None => return Err(line.error("a step before `setup` and any `case`")),
                }
            }
        }
    }
    if file.program.is_empty() {
        return Err(CaseError {
            line: 1,
            problem: "no `program NAME`".to_owned(),
        });
    }
    Ok(file)
}

fn lines(text: &str) -> Result<Vec<Line<'_>>, CaseError> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let content = line.split_once('#').map_or(line, |(before, _)| before);
        let words: Vec<&str> = content.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        if content.starts_with(char::is_whitespace) {
            let problem = || "the first line cannot go on with one before".to_owned();
            let last = lines.last_mut();
            last.ok_or_else(|| CaseError {
                line: number,
                problem: problem(),
            })?
            .words
            .extend(words);
        } else {
            lines.push(Line { number, words });
        }
    }
    Ok(lines)
}

fn action(line: &Line<'_>) -> Result<Action, CaseError> {
    Ok(match line.words.as_slice() {
        ["insert", table, rest @ ..] => {
            let (key, call) = split_at_arrow(line, rest)?;
            let EntryKey { matches, priority } = entry_key(line, key)?;
            let ActionCall { action, parameters } = action_call(line, call)?;
            let entry = EntrySpec {
                matches,
                priority,
                action,
                parameters,
            };
            Action::Insert {
                table: (*table).to_owned(),
                entry,
            }
        }
        ["delete", table, key @ ..] => Action::Delete {
            table: (*table).to_owned(),
            key: entry_key(line, key)?,
        },
        ["default", table, "->", call @ ..] => Action::Default {
            table: (*table).to_owned(),
            call: action_call(line, call)?,
        },
        ["multicast", id, "=", replicas @ ..] => {
            let replicas = replicas.iter().map(|word| replica(line, word));
            Action::Multicast {
                id: small(line, id)?,
                replicas: replicas.collect::<Result<_, _>>()?,
            }
        }
        ["now", time] => Action::Now(medium(line, time)?),
        ["send", port, bytes @ ..] => {
            let (frame, mask) = hex(line, bytes)?;
            if mask.contains(&0) {
                return Err(line.error("`??` is for expected frames only"));
            }
            Action::Send {
                port: PortNumber(small(line, port)?),
                frame,
            }
        }
        ["expect", port, bytes @ ..] => {
            let (frame, mask) = hex(line, bytes)?;
            Action::Expect(Expected {
                port: PortNumber(small(line, port)?),
                frame,
                mask,
            })
        }
        ["counter", name, index, packets] => Action::Counter {
            name: (*name).to_owned(),
            index: medium(line, index)?,
            packets: medium(line, packets)?,
        },
        ["register", name, index, value] => Action::Register {
            name: (*name).to_owned(),
            index: medium(line, index)?,
            value: number(line, value)?,
        },
        [other, ..] => return Err(line.error(format!("`{other}` with these words is no step"))),
        [] => return Err(line.error("an empty step")),
    })
}

fn split_at_arrow<'l, 'a>(
    line: &Line<'_>,
    words: &'l [&'a str],
) -> Result<(&'l [&'a str], &'l [&'a str]), CaseError> {
    let at = words.iter().position(|word| *word == "->");
    let at = at.ok_or_else(|| line.error("no `->` between key and action"))?;
    Ok((&words[..at], &words[at + 1..]))
}

fn entry_key(line: &Line<'_>, words: &[&str]) -> Result<EntryKey, CaseError> {
    let (priority, words) = match words {
        [first, rest @ ..] if first.starts_with('@') => {
            let number = number(line, &first[1..])?;
            let problem = || line.error("a priority of more than 32 bits");
            (u32::try_from(number).map_err(|_| problem())?, rest)
        }
        _ => (0, words),
    };
    let matches = words
        .iter()
        .map(|word| key_match(line, word))
        .collect::<Result<_, _>>()?;
    Ok(EntryKey { matches, priority })
}

fn key_match(line: &Line<'_>, word: &str) -> Result<Match, CaseError> {
    if word == "*" {
        return Ok(Match::Any);
    }
    if let Some((value, length)) = word.split_once('/') {
        let prefix_length = u8::try_from(number(line, length)?);
        let prefix_length = prefix_length.map_err(|_| line.error("a prefix over 255 bits"))?;
        return Ok(Match::Lpm {
            value: number(line, value)?,
            prefix_length,
        });
    }
    if let Some((value, mask)) = word.split_once('&') {
        return Ok(Match::Ternary {
            value: number(line, value)?,
            mask: number(line, mask)?,
        });
    }
    if let Some((low, high)) = word.split_once("..") {
        return Ok(Match::Range {
            low: number(line, low)?,
            high: number(line, high)?,
        });
    }
    Ok(Match::Exact(number(line, word)?))
}

fn action_call(line: &Line<'_>, words: &[&str]) -> Result<ActionCall, CaseError> {
    let [action, parameters @ ..] = words else {
        return Err(line.error("no action"));
    };
    let parameters = parameters
        .iter()
        .map(|word| number(line, word))
        .collect::<Result<_, _>>()?;
    Ok(ActionCall {
        action: (*action).to_owned(),
        parameters,
    })
}

fn replica(line: &Line<'_>, word: &str) -> Result<Replica, CaseError> {
    let (port, rid) = word
        .split_once(':')
        .ok_or_else(|| line.error("a replica is PORT:RID"))?;
    Ok(Replica {
        port: PortNumber(small(line, port)?),
        rid: small(line, rid)?,
    })
}

fn small(line: &Line<'_>, word: &str) -> Result<u16, CaseError> {
    let problem = || line.error(format!("`{word}` is more than 65535"));
    u16::try_from(number(line, word)?).map_err(|_| problem())
}

fn medium(line: &Line<'_>, word: &str) -> Result<u64, CaseError> {
    let problem = || line.error(format!("`{word}` has more than 64 bits"));
    u64::try_from(number(line, word)?).map_err(|_| problem())
}

/// Decimal, `0x…`, an IPv4 address or a MAC address.
fn number(line: &Line<'_>, word: &str) -> Result<u128, CaseError> {
    let parsed = if let Some(digits) = word.strip_prefix("0x") {
        plain(digits, 16)
    } else if word.contains('.') {
        grouped(word, '.', 4, 10)
    } else if word.contains(':') {
        grouped(word, ':', 6, 16)
    } else {
        plain(word, 10)
    };
    parsed.ok_or_else(|| line.error(format!("`{word}` is no number, IPv4 or MAC address")))
}

fn plain(digits: &str, radix: u32) -> Option<u128> {
    // `from_str_radix` would take a sign.
    let only_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u128::from_str_radix(digits, radix)
        .ok()
        .filter(|_| only_digits)
}

/// `count` bytes with a separator between them.
fn grouped(word: &str, separator: char, count: usize, radix: u32) -> Option<u128> {
    let bytes = word
        .split(separator)
        .map(|part| plain(part, radix).filter(|byte| *byte < 256));
    let bytes = bytes
        .collect::<Option<Vec<_>>>()
        .filter(|bytes| bytes.len() == count)?;
    Some(bytes.into_iter().fold(0, |value, byte| value << 8 | byte))
}

/// Bytes and their mask.
fn hex(line: &Line<'_>, words: &[&str]) -> Result<(Vec<u8>, Vec<u8>), CaseError> {
    let (mut bytes, mut mask) = (Vec::new(), Vec::new());
    for word in words {
        let pairs = word.as_bytes().chunks(2);
        for pair in pairs {
            if pair == b"??" {
                bytes.push(0);
                mask.push(0);
                continue;
            }
            let text = core::str::from_utf8(pair)
                .ok()
                .filter(|text| text.len() == 2);
            let byte = text
                .and_then(|text| plain(text, 16))
                .and_then(|v| u8::try_from(v).ok());
            let problem = || line.error(format!("`{word}` is not pairs of hexadecimal digits"));
            bytes.push(byte.ok_or_else(problem)?);
            mask.push(0xFF);
        }
    }
    Ok((bytes, mask))
}
