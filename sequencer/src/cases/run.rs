//! Runs case files on a [`Switch`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::{Action, Case, CaseFile, Expected, Step};
use crate::pipeline::{ControlError, Copies, PortNumber, Switch};

/// A case that did not go as it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("case `{case}`, line {line}: {problem}")]
pub struct Failure {
    /// The case.
    pub case: String,
    /// The line of the step, counted from 1.
    pub line: usize,
    /// What went otherwise.
    pub problem: String,
}

/// What came out for the last `send`, and where it was sent.
struct Outcome {
    line: usize,
    /// Frames by port, in order; expected ones are taken away.
    frames: BTreeMap<PortNumber, Vec<Vec<u8>>>,
}

/// Runs all cases, each on a switch that has no state but the file's set-up.
pub fn run(file: &CaseFile, switch: &mut Switch) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in &file.cases {
        switch.clear_state();
        if let Err(failure) = run_case(file, case, switch) {
            failures.push(failure);
        }
    }
    failures
}

fn run_case(file: &CaseFile, case: &Case, switch: &mut Switch) -> Result<(), Failure> {
    let mut now_us = 0;
    let mut outcome: Option<Outcome> = None;
    for step in file.setup.iter().chain(&case.steps) {
        let failure = |line, problem| Failure {
            case: case.name.clone(),
            line,
            problem,
        };
        if !matches!(step.action, Action::Expect(_))
            && let Some(outcome) = outcome.take()
        {
            nothing_left(&outcome).map_err(|problem| failure(outcome.line, problem))?;
        }
        let done = match &step.action {
            Action::Now(time) => {
                now_us = *time;
                Ok(())
            }
            Action::Send { port, frame } => {
                let mut copies = Copies::new();
                switch.process(now_us, *port, frame, &mut copies);
                let mut frames: BTreeMap<_, Vec<_>> = BTreeMap::new();
                for (port, frame) in copies.iter() {
                    frames.entry(port).or_default().push(frame.to_vec());
                }
                outcome = Some(Outcome {
                    line: step.line,
                    frames,
                });
                Ok(())
            }
            Action::Expect(expected) => take(outcome.as_mut(), expected),
            _ => control(step, switch),
        };
        done.map_err(|problem| failure(step.line, problem))?;
    }
    let end = |outcome: Outcome| {
        nothing_left(&outcome).map_err(|problem| Failure {
            case: case.name.clone(),
            line: outcome.line,
            problem,
        })
    };
    outcome.map_or(Ok(()), end)
}

/// The steps that are requests to the control plane.
fn control(step: &Step, switch: &mut Switch) -> Result<(), String> {
    let text = |error: ControlError| error.to_string();
    match &step.action {
        Action::Insert { table, entry } => switch.insert_entry(table, entry).map_err(text),
        Action::Delete { table, key } => switch.delete_entry(table, key).map_err(text),
        Action::Default { table, call } => switch.set_default_action(table, call).map_err(text),
        Action::Multicast { id, replicas } => {
            switch.set_multicast_group(*id, replicas).map_err(text)
        }
        Action::Counter {
            name,
            index,
            packets,
        } => {
            let found = switch.read_counter(name, *index).map_err(text)?.packets;
            equal(name, *index, (*packets).into(), found.into())
        }
        Action::Register { name, index, value } => equal(
            name,
            *index,
            *value,
            switch.read_register(name, *index).map_err(text)?,
        ),
        Action::Now(_) | Action::Send { .. } | Action::Expect(_) => Ok(()),
    }
}

fn equal(name: &str, index: u64, wanted: u128, found: u128) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    Err(format!("`{name}`[{index}] is {found}, expected {wanted}"))
}

fn take(outcome: Option<&mut Outcome>, expected: &Expected) -> Result<(), String> {
    let outcome = outcome.ok_or("`expect` without a `send` before it")?;
    let frames = outcome.frames.get_mut(&expected.port);
    let Some(frames) = frames.filter(|frames| !frames.is_empty()) else {
        return Err(format!(
            "no frame left port {}, or no more of them",
            expected.port
        ));
    };
    let frame = frames.remove(0);
    if expected.matches(expected.port, &frame) {
        return Ok(());
    }
    let wanted = spelled(&expected.frame, Some(&expected.mask));
    let port = expected.port;
    Err(format!(
        "port {port}:\n  expected {wanted}\n  found    {}",
        spelled(&frame, None)
    ))
}

fn nothing_left(outcome: &Outcome) -> Result<(), String> {
    for (port, frames) in &outcome.frames {
        if let Some(frame) = frames.first() {
            return Err(format!(
                "a frame left port {port} unexpected: {}",
                spelled(frame, None)
            ));
        }
    }
    Ok(())
}

fn spelled(frame: &[u8], mask: Option<&[u8]>) -> String {
    let mut text = String::new();
    for (at, byte) in frame.iter().enumerate() {
        if mask.is_some_and(|mask| mask[at] == 0) {
            text.push_str("??");
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}
