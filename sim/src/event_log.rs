//! What happened in a run, one line an event, and the number that stands for all of it.
//!
//! Fixed columns, separated by blanks; the last one is free text:
//!
//! ```text
//!   time_ns  node   event      detail
//!  17204113  r2     recv       SYNC view 0 slot 9 committed 4 1f2e3d4c
//! ```
//!
//! | column | width | what |
//! |---|---|---|
//! | time | 12 | nanoseconds of virtual time since the start, right-aligned |
//! | node | 5 | `r0` a replica, `c0` a client, `root`, `ctl` the controller, `sim` the run itself |
//! | event | 9 | one of the words below |
//! | detail | rest | the message in the words of the papers, or what there is to say |
//!
//! Events: `send` `recv` `drop` (a frame or bulk message, with why), `bulk` (sent by the bulk
//! channel), `timer`, `persist`, `start`, `crash`, `state` (a replica's mode, view or committed slot
//! changed), `undo` (entries were rolled back), `stamp`, `install`, `ask`, `answer`, `fault`,
//! `heal`, `end`.
//!
//! The same seed and settings give the same lines, byte for byte.

use std::fmt::{self, Write as _};
use wire::Tick;

/// Who an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A replica.
    Replica(usize),
    /// A client.
    Client(usize),
    /// The switch.
    Root,
    /// The controller.
    Controller,
    /// The run.
    Sim,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica(index) => f.pad(&format!("r{index}")),
            Self::Client(index) => f.pad(&format!("c{index}")),
            Self::Root => f.pad("root"),
            Self::Controller => f.pad("ctl"),
            Self::Sim => f.pad("sim"),
        }
    }
}

impl Who {
    fn number(self) -> u64 {
        match self {
            Self::Replica(index) => index as u64,
            Self::Client(index) => 0x100 + index as u64,
            Self::Root => 0x1000,
            Self::Controller => 0x1001,
            Self::Sim => 0x1002,
        }
    }
}

/// FNV-1a, 64 bits: its start value and prime.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The log of one run.
#[derive(Clone, Debug)]
pub struct EventLog {
    lines: Option<String>,
    trace: u64,
    count: u64,
}

impl EventLog {
    /// A log that keeps its lines, or only counts.
    pub fn new(keep: bool) -> Self {
        Self {
            lines: keep.then(String::new),
            trace: FNV_START,
            count: 0,
        }
    }

    /// Whether lines are kept.
    pub fn is_kept(&self) -> bool {
        self.lines.is_some()
    }

    /// Notes an event; `detail` is written only if lines are kept.
    pub fn note(&mut self, now: Tick, who: Who, event: &str, detail: fmt::Arguments<'_>) {
        self.count += 1;
        self.mix(now.0);
        self.mix(who.number());
        for byte in event.bytes() {
            self.mix(byte.into());
        }
        if let Some(lines) = &mut self.lines {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{:>12} {who:<5} {event:<9} {detail}", now.0);
        }
    }

    fn mix(&mut self, value: u64) {
        self.trace = (self.trace ^ value).wrapping_mul(FNV_PRIME);
    }

    /// Events so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A number that two runs share only if the times, nodes and kinds of all their events are
    /// the same (or by an accident of one in 2^64).
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// Takes the lines since the last call; empty if none are kept.
    pub fn take(&mut self) -> String {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_fixed() {
        let mut log = EventLog::new(true);
        log.note(
            Tick(1_204),
            Who::Replica(2),
            "recv",
            format_args!("SYNC view {}", 0),
        );
        log.note(
            Tick(1_204_113),
            Who::Controller,
            "install",
            format_args!("term {}", 9),
        );
        assert_eq!(
            log.take(),
            "        1204 r2    recv      SYNC view 0\n     1204113 ctl   install   term 9\n"
        );
        assert_eq!(log.take(), "");
        assert_eq!(log.count(), 2);
    }

    #[test]
    fn the_trace_does_not_need_the_lines_and_tells_runs_apart() {
        let run = |keep: bool, at: u64| {
            let mut log = EventLog::new(keep);
            log.note(Tick(at), Who::Root, "stamp", format_args!("x"));
            log.trace()
        };
        assert_eq!(run(true, 1), run(false, 1));
        assert_ne!(run(true, 1), run(true, 2));
    }
}
