//! `downbeat replay`: one seed again, step by step on a terminal, all at once elsewhere.

use crate::arguments::ReplayArguments;
use crate::failure::Failure;
use crate::output::Output;
use sim::report;
use sim::world::{Blueprint, World};
use std::io::{self, BufRead, IsTerminal};

const HELP: &str = "Enter: one event · n 10: ten events · c: to the end · p r0: state of a replica \
                    · f: the faults · q: quit";

/// What was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    /// So many events.
    Next(u64),
    /// To the end.
    Continue,
    /// A replica's state.
    Print(usize),
    /// The schedule.
    Faults,
    /// No more.
    Quit,
    /// Something else.
    Unknown,
}

impl Command {
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => Self::Next(1),
            ["n", count] => count.parse().map_or(Self::Unknown, Self::Next),
            ["c"] => Self::Continue,
            ["f"] => Self::Faults,
            ["q"] => Self::Quit,
            ["p", name] => {
                let index = name.strip_prefix('r').and_then(|index| index.parse().ok());
                index.map_or(Self::Unknown, Self::Print)
            }
            _ => Self::Unknown,
        }
    }
}

/// Runs the verb.
pub(crate) fn run(arguments: &ReplayArguments, output: Output) -> Result<(), Failure> {
    let settings = super::sim::settings(&arguments.flags)?;
    output.say(&format!("seed {}", arguments.seed));
    let blueprint = Blueprint::new();
    let mut world = World::new(&settings, arguments.seed, &blueprint, true);
    for item in world.schedule() {
        output.say(&item.to_string());
    }
    let ended = if io::stdin().is_terminal() && io::stdout().is_terminal() {
        output.say(HELP);
        interact(&mut world, output)?
    } else {
        while sim::run::step(&mut world) {
            output.text(&world.take_lines());
        }
        true
    };
    if !ended {
        return Ok(());
    }
    let outcome = world.outcome();
    output.text(&world.take_lines());
    let answered = outcome.tally.answered();
    output.say(&format!(
        "{}: {} events, {answered} operations answered, {} µs of virtual time",
        outcome.ending.name(),
        outcome.events,
        outcome.end.0 / 1_000
    ));
    output.object(serde_json::json!({
        "event": "summary",
        "seed": arguments.seed,
        "failure": outcome.ending.name(),
        "seen": report::failure(&outcome),
        "events": outcome.events,
        "trace": format!("{:016x}", outcome.trace),
    }));
    super::sim::verdict(&outcome)
}

/// Whether the run was brought to its end.
fn interact(world: &mut World<'_>, output: Output) -> Result<bool, Failure> {
    let mut lines = io::stdin().lock().lines();
    loop {
        let Some(line) = lines.next().transpose()? else {
            return Ok(false);
        };
        match Command::parse(&line) {
            Command::Next(count) => {
                for _ in 0..count {
                    if !advance(world, output) {
                        return Ok(true);
                    }
                }
            }
            Command::Continue => {
                while advance(world, output) {}
                return Ok(true);
            }
            Command::Print(replica) => match world.describe(replica) {
                Some(text) => output.line(&text),
                None => output.say("there is no such replica"),
            },
            Command::Faults => {
                for item in world.schedule() {
                    output.line(&item.to_string());
                }
            }
            Command::Quit => return Ok(false),
            Command::Unknown => output.say(HELP),
        }
    }
}

/// Goes on until something was printed. False: the run is over.
fn advance(world: &mut World<'_>, output: Output) -> bool {
    loop {
        let more = sim::run::step(world);
        let lines = world.take_lines();
        output.text(&lines);
        if !more || !lines.is_empty() {
            return more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_typed() {
        for (line, expected) in [
            ("", Command::Next(1)),
            ("n 10", Command::Next(10)),
            ("c", Command::Continue),
            (" p r2 ", Command::Print(2)),
            ("f", Command::Faults),
            ("q", Command::Quit),
            ("p c1", Command::Unknown),
            ("n ten", Command::Unknown),
            ("what", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), expected, "{line:?}");
        }
    }
}
