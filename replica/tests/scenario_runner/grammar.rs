//! From a line to a [`Command`].

use super::command::{Command, Handling, Receivers, Send, Settings};
use super::pattern::Pattern;
use super::words::{Words, single_letter};
use replica::Mutant;
use replica::spec_paxos::Timer;
use wire::message::Wants;
use wire::{EpochNumber, RoundNumber, SequenceNumber, ViewNumber};

const NAMES: &str = "group, unlike, request, other, epoch, round, deliver, copy, drop, hold, \
                     release, cut, mend, fire, wait, crash, restart, forge, say, show";

impl Command {
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let mut words = Words::of(line);
        let name = words.take("a command")?;
        let command = match name {
            "group" => group(&mut words)?,
            "unlike" => Self::Unlike(mutant(words.take("a mutant")?)?),
            "request" => request(&mut words)?,
            "other" => Self::Other(receivers(&mut words)?),
            "epoch" => Self::Epoch(EpochNumber(words.number("an epoch")?)),
            "round" => Self::Round(RoundNumber(words.number("a round")?)),
            "deliver" if words.skip("all") => Self::DeliverAll,
            "deliver" if words.peek().and_then(single_letter).is_some() => {
                Self::DeliverPacket(words.letter()?, receivers(&mut words)?)
            }
            "deliver" => Self::Messages(Handling::Deliver, Pattern::parse(&mut words)?),
            "copy" => Self::Messages(Handling::Copy, Pattern::parse(&mut words)?),
            "drop" => Self::Messages(Handling::Drop, Pattern::parse(&mut words)?),
            "hold" => Self::Messages(Handling::Hold, Pattern::parse(&mut words)?),
            "release" => Self::Messages(Handling::Release, Pattern::parse(&mut words)?),
            "cut" => Self::Messages(Handling::Cut, Pattern::parse(&mut words)?),
            "mend" => Self::Messages(Handling::Mend, Pattern::parse(&mut words)?),
            "fire" => fire(&mut words)?,
            "wait" => wait(&mut words)?,
            "crash" => Self::Crash(words.replica()?),
            "restart" => restart(&mut words)?,
            "forge" => forge(&mut words)?,
            "say" => return Ok(Self::Say(line.trim_start()["say".len()..].trim().into())),
            "show" => show(&mut words)?,
            other => return Err(format!("unknown command `{other}`; there are: {NAMES}")),
        };
        words.end()?;
        Ok(command)
    }
}

fn group(words: &mut Words<'_>) -> Result<Command, String> {
    let mut settings = Settings {
        n: words.number("a group's size")?,
        ..Settings::default()
    };
    while let Some(word) = words.peek() {
        words.skip(word);
        match word {
            "gap-awareness" => {
                words.expect("off")?;
                settings.no_gap_awareness = true;
            }
            "unstamped" => settings.unstamped = true,
            "retained" => settings.retained = Some(words.number("retained bytes")?),
            "speculative" => settings.speculative = Some(words.number("speculative entries")?),
            "deferred" => settings.deferred = Some(words.number("deferred requests")?),
            other => {
                return Err(format!(
                    "unknown setting `{other}`; there are: gap-awareness off, unstamped, \
                     retained, speculative, deferred"
                ));
            }
        }
    }
    Ok(Command::Group(settings))
}

fn mutant(name: &str) -> Result<Mutant, String> {
    Mutant::ALL
        .into_iter()
        .find(|mutant| mutant.name() == name)
        .ok_or_else(|| format!("unknown mutant `{name}`; `replica::Mutant` names them"))
}

fn receivers(words: &mut Words<'_>) -> Result<Receivers, String> {
    words.expect("to")?;
    if words.skip("all") {
        Ok(Receivers::All)
    } else if words.skip("nobody") {
        Ok(Receivers::Some(Vec::new()))
    } else {
        words.replicas().map(Receivers::Some)
    }
}

fn request(words: &mut Words<'_>) -> Result<Command, String> {
    let letter = words.letter()?;
    let mut send = Send {
        letter,
        client: None,
        operation: None,
        wants: Wants::Reply,
        sequence: None,
        unstamped: false,
        to: Receivers::All,
    };
    loop {
        if words.skip("of") {
            send.client = Some(words.letter()?);
        } else if words.skip("does") {
            send.operation = Some(words.letter()?);
        } else if words.skip("wants") {
            send.wants = match words.take("what it wants")? {
                "commit" => Wants::Commit,
                "reconciliation" => Wants::Reconciliation,
                other => {
                    return Err(format!(
                        "a request wants commit or reconciliation, not `{other}`"
                    ));
                }
            };
        } else if words.skip("seq") {
            send.sequence = Some(SequenceNumber(words.number("a sequence number")?));
        } else if words.skip("unstamped") {
            send.unstamped = true;
        } else {
            send.to = receivers(words)?;
            return Ok(Command::Request(send));
        }
    }
}

fn fire(words: &mut Words<'_>) -> Result<Command, String> {
    let name = words.take("a timer")?;
    let timer = Timer::ALL
        .into_iter()
        .find(|timer| timer_name(*timer) == name);
    let timer = timer.ok_or_else(|| {
        let names: Vec<_> = Timer::ALL.into_iter().map(timer_name).collect();
        format!("unknown timer `{name}`; there are: {}", names.join(", "))
    })?;
    words.expect("at")?;
    Ok(Command::Fire(timer, words.replicas()?))
}

/// A timer as the language writes it: `SyncOverdue` is `sync-overdue`.
pub(crate) fn timer_name(timer: Timer) -> String {
    let mut name = String::new();
    for letter in format!("{timer:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn wait(words: &mut Words<'_>) -> Result<Command, String> {
    let count: u64 = words.number("a time")?;
    match words.take("ms or us")? {
        "us" => Ok(Command::Wait(count)),
        "ms" => Ok(Command::Wait(count * 1_000)),
        other => Err(format!("times are in ms or us, not `{other}`")),
    }
}

fn restart(words: &mut Words<'_>) -> Result<Command, String> {
    let replica = words.replica()?;
    let disk = match words.take("with or without disk")? {
        "with" => true,
        "without" => false,
        other => return Err(format!("with or without disk, not `{other}`")),
    };
    words.expect("disk")?;
    let life = words
        .skip("life")
        .then(|| words.number("a life"))
        .transpose()?;
    Ok(Command::Restart {
        replica,
        disk,
        life,
    })
}

fn forge(words: &mut Words<'_>) -> Result<Command, String> {
    let kind = match words.take("a message")? {
        "in-view" => "in-view",
        "sync-reply" => "sync-reply",
        "start-view-change" => "start-view-change",
        "sync" => "sync",
        other => {
            return Err(format!(
                "`{other}` cannot be forged; there are: sync, sync-reply, start-view-change, in-view"
            ));
        }
    };
    let mut view = ViewNumber::ZERO;
    words.expect("from")?;
    let from = words.replica()?;
    words.expect("to")?;
    let to = words.replica()?;
    if words.skip("view") {
        view = words.view()?;
    }
    Ok(Command::Forge {
        kind,
        from,
        to,
        view,
    })
}

fn show(words: &mut Words<'_>) -> Result<Command, String> {
    Ok(match words.peek() {
        None => Command::Show(Vec::new()),
        Some("replies") => {
            words.skip("replies");
            Command::ShowReplies(words.letter()?)
        }
        Some("messages") => {
            words.skip("messages");
            let any = words.is_empty();
            Command::ShowMessages(if any {
                Pattern::any()
            } else {
                Pattern::parse(words)?
            })
        }
        Some("counter") => {
            words.skip("counter");
            Command::ShowCounter(words.take("a counter")?.into())
        }
        Some("entries") => {
            words.skip("entries");
            Command::ShowEntries(words.replica()?)
        }
        Some("timers") => {
            words.skip("timers");
            Command::ShowTimers(words.replica()?)
        }
        Some("disk") => {
            words.skip("disk");
            Command::ShowDisk(words.replica()?)
        }
        Some(_) => Command::Show(words.replicas()?),
    })
}
