//! Runs one case: what `sequencer::cases::run` does with a value, on a switch behind interfaces.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use sequencer::cases::{Action, Case, CaseFile, Expected, Failure};

use crate::barrier;
use crate::hosts::{Arrived, Hosts};
use crate::switch::Switch;

/// How long the marks of a barrier may take; they take less than a millisecond on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The switch with its hosts.
pub(crate) struct Bench {
    /// Where entries are written and counters read.
    pub(crate) switch: Switch,
    /// Where frames go in and come out.
    pub(crate) hosts: Hosts,
    /// How many barriers there were.
    pub(crate) barriers: u64,
}

/// What came out for the last `send`, and where it was sent; expected frames are taken away.
struct Outcome {
    line: usize,
    frames: Arrived,
}

/// Loads the program anew and goes through set-up and case.
pub(crate) fn run_case(file: &CaseFile, case: &Case, bench: &mut Bench) -> Result<(), Failure> {
    let failure = |line, problem| Failure {
        case: case.name.clone(),
        line,
        problem,
    };
    prepare(file, bench).map_err(|problem| failure(1, problem))?;
    let mut outcome: Option<Outcome> = None;
    for step in file.setup.iter().chain(&case.steps) {
        if !matches!(step.action, Action::Expect(_))
            && let Some(outcome) = outcome.take()
        {
            nothing_left(&outcome).map_err(|problem| failure(outcome.line, problem))?;
        }
        let done = match &step.action {
            Action::Send { port, frame } => exchange(bench, port.0, frame).map(|frames| {
                let line = step.line;
                outcome = Some(Outcome { line, frames });
            }),
            Action::Expect(expected) => take(outcome.as_mut(), expected),
            action => bench.switch.control(action),
        };
        done.map_err(|problem| failure(step.line, problem))?;
    }
    outcome.map_or(Ok(()), |outcome| {
        nothing_left(&outcome).map_err(|problem| failure(outcome.line, problem))
    })
}

fn prepare(file: &CaseFile, bench: &mut Bench) -> Result<(), String> {
    let program = &file.program;
    bench.switch.load(program)?;
    for port in bench.hosts.ports() {
        let entry = barrier::entry(program, port);
        let unknown = || format!("tests/cases_on_bmv2/barrier.rs has no entry for `{program}`");
        bench.switch.control(&entry.ok_or_else(unknown)?)?;
    }
    Ok(())
}

/// Sends the frame with a barrier behind it and returns all that came out before the barrier.
fn exchange(bench: &mut Bench, port: u16, frame: &[u8]) -> Result<Arrived, String> {
    bench.barriers += 1;
    let current = bench.barriers;
    let mut missing: BTreeSet<u16> = bench.hosts.ports();
    let marks: Vec<Vec<u8>> = missing
        .iter()
        .map(|to| barrier::frame(*to, current))
        .collect();
    let frames: Vec<&[u8]> = std::iter::once(frame)
        .chain(marks.iter().map(Vec::as_slice))
        .collect();
    bench.hosts.send(port, &frames)?;
    let mut arrived = Arrived::new();
    let mut stray = None;
    let complete = bench.hosts.receive(PATIENCE, |at, frame| {
        match barrier::number(frame) {
            None => arrived.entry(at).or_default().push(frame.to_vec()),
            Some(number) => {
                if number != current || !missing.remove(&at) {
                    stray = Some(format!("mark {number} left port {at} late or twice"));
                }
            }
        }
        missing.is_empty()
    })?;
    if let Some(stray) = stray {
        return Err(stray);
    }
    if !complete {
        return Err(format!(
            "the frames that mark the end did not leave ports {missing:?} within {PATIENCE:?}"
        ));
    }
    Ok(arrived)
}

fn take(outcome: Option<&mut Outcome>, expected: &Expected) -> Result<(), String> {
    let port = expected.port;
    let outcome = outcome.ok_or("`expect` without a `send` before it")?;
    let frames = outcome.frames.get_mut(&port.0);
    let Some(frames) = frames.filter(|frames| !frames.is_empty()) else {
        return Err(format!("no frame left port {port}, or no more of them"));
    };
    let frame = frames.remove(0);
    if expected.matches(port, &frame) {
        return Ok(());
    }
    Err(format!(
        "port {port}:\n  expected {}\n  found    {}",
        spelled(&expected.frame, Some(&expected.mask)),
        spelled(&frame, None)
    ))
}

fn nothing_left(outcome: &Outcome) -> Result<(), String> {
    let mut ports = outcome.frames.iter();
    let left = ports.find_map(|(port, frames)| frames.first().map(|frame| (port, frame)));
    left.map_or(Ok(()), |(port, frame)| {
        let frame = spelled(frame, None);
        Err(format!("a frame left port {port} unexpected: {frame}"))
    })
}

fn spelled(frame: &[u8], mask: Option<&[u8]>) -> String {
    let mut text = String::new();
    for (at, byte) in frame.iter().enumerate() {
        if mask.is_some_and(|mask| mask[at] == 0) {
            text.push_str("??");
        } else {
            write!(text, "{byte:02x}").unwrap();
        }
    }
    text
}
