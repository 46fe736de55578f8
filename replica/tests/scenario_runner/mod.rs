//! Runs scenario files on real replicas.

pub(crate) mod command;
mod diff;
mod grammar;
mod group;
mod machine;
mod names;
mod network;
mod pattern;
pub(crate) mod promises;
mod quiet;
mod render;
mod replies;
mod root;
mod show;
mod words;

use command::Command;
use group::Group;
use replica::Mutant;

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// What came of a file that has no error.
#[derive(Debug)]
pub(crate) enum Verdict {
    AsWritten,
    Differs {
        /// The first line that is another.
        line: usize,
        diff: String,
        /// The file with the new outcome.
        text: String,
    },
}

/// A scenario file in parts.
struct Scenario<'a> {
    /// Everything above the rule.
    head: &'a str,
    outcome: &'a str,
    /// With their line numbers.
    commands: Vec<(usize, Command)>,
    mutants: Vec<(usize, Mutant)>,
}

const RULE: &str = "----";

/// Runs the file with this text, and again with each mutant that it names.
pub(crate) fn check(text: &str) -> Result<Verdict, Failure> {
    let scenario = Scenario::parse(text)?;
    let lines = scenario.run(None)?;
    if lines.is_empty() {
        let line = scenario.head.lines().count() + 1;
        let what = "a scenario prints something; there is no `show`".into();
        return Err(Failure { line, what });
    }
    let mut outcome = join(&lines);
    for (line, mutant) in &scenario.mutants {
        let name = mutant.name();
        let what = match scenario.run(Some(*mutant)) {
            Err(Failure { line, what }) => format!("line {line}: {}", in_short(&what)),
            Ok(other) if other != lines => "another outcome".into(),
            Ok(_) => {
                let what = format!("mutant {name} makes no difference here");
                return Err(Failure { line: *line, what });
            }
        };
        outcome += &["\nunlike ", name, ": ", &what, "\n"].concat();
    }
    if outcome == scenario.outcome {
        return Ok(Verdict::AsWritten);
    }
    let above = scenario.head.lines().count() + 1;
    let mut pairs = scenario.outcome.lines().zip(outcome.lines());
    let same = pairs.by_ref().take_while(|(old, new)| old == new).count();
    Ok(Verdict::Differs {
        line: above + 1 + same,
        diff: diff::diff(scenario.outcome, &outcome),
        text: format!("{}{RULE}\n{outcome}", scenario.head),
    })
}

/// An assertion of a core may be worded anew without a change of any outcome.
fn in_short(what: &str) -> &str {
    if what.starts_with(quiet::PANICKED) {
        "a check of the core's own fails"
    } else {
        what.lines().next().unwrap_or_default()
    }
}

fn join(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

impl<'a> Scenario<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let at = |line: usize| move |what: String| Failure { line, what };
        let (head, outcome) = split(text);
        if !head.starts_with("# ") {
            let what = "a scenario begins with a comment that says what it shows";
            return Err(at(1)(what.into()));
        }
        let mut commands = Vec::new();
        let mut mutants = Vec::new();
        for (number, line) in (1..).zip(head.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            if line.trim().is_empty() {
                continue;
            }
            let command = Command::parse(line).map_err(at(number))?;
            match command {
                Command::Unlike(mutant) => mutants.push((number, mutant)),
                Command::Group(_) if !commands.is_empty() => {
                    return Err(at(number)("a scenario has one group".into()));
                }
                Command::Group(_) => commands.push((number, command)),
                _ if commands.is_empty() => {
                    return Err(at(number)("the first command is `group N`".into()));
                }
                _ => commands.push((number, command)),
            }
        }
        Ok(Self {
            head,
            outcome,
            commands,
            mutants,
        })
    }

    fn run(&self, mutant: Option<Mutant>) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        let mut group = None;
        for (line, command) in &self.commands {
            let step = || {
                if let Command::Group(settings) = command {
                    group = Some(Group::new(*settings, mutant)?);
                    return Ok(());
                }
                let group = group.as_mut().expect("the first command makes the group");
                group.carry_out(command, &mut lines)
            };
            quiet::catch(step).map_err(|what| Failure { line: *line, what })?;
        }
        Ok(lines)
    }
}

/// A file without a rule was not run yet: all of it is commands.
fn split(text: &str) -> (&str, &str) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == RULE {
            return (&text[..start], &text[start + line.len()..]);
        }
        start += line.len();
    }
    (text, "")
}
