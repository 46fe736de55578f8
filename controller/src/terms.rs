//! Fresh terms: numbers that no controller ever gave a group before. Pure; the file is in `store`.
//!
//! A term names one uninterrupted life of one root, so a term that was used once must never come
//! back, whatever crashes or gets lost. A term has 32 bits:
//!
//! ```text
//! | counter: 30 bits | controller: 2 bits |
//! ```
//!
//! - **Unique across controllers.** Controllers with state files of their own have different
//!   numbers, 0 to 3. Controllers that share a state file have the same number; a lock file keeps
//!   their steps apart.
//! - **Unique over crashes.** The state is on disk, synced, before a term is handed out. Who crashes
//!   between taking and writing has lost a number, nothing else.
//! - **Greater than all before, even when the state file was lost.** The counter never falls behind
//!   the seconds since 2025, so that a new file begins above all that an old one gave, as long as
//!   terms were not taken more than once a second on the average since the file began; the pauses
//!   of [`crate::controller`] between two installations see to that. [`NEW_FILE_MARGIN`] is there
//!   for bursts. What is found on the switch counts too. Thirty bits of seconds last until 2059.
//!
//! What is left: two controllers with state files of their own agree on the order of their terms
//! only through what they find on the switch and through their clocks. If the second one takes over
//! at the very moment in which the switch reboots, its term may be smaller (never equal) by up to
//! the skew of the clocks and the margin. Members do not follow a smaller term; they ask for a
//! greater one. Controllers that share the state file do not have this.
//!
//! One counter serves all groups: a group that gets the registers of another one then still has a
//! greater term than they hold. One installation takes one term for all groups of its switch.
//!
//! `wire.md`, "What the root does with a group packet".

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::{EpochNumber, GroupId};

pub use store::TermStore;

/// The version of the state file.
pub const SCHEMA: u32 = 1;

/// Controllers are numbered from 0 to one less than this.
pub const CONTROLLERS: u8 = 1 << CONTROLLER_BITS;

/// A new state file begins this many terms above the clock.
///
/// More than the pauses between tries let a controller take in its first second; not much more,
/// because it is also how far a controller with a new file is ahead of one with an old file.
pub const NEW_FILE_MARGIN: u32 = 32;

/// 2025-01-01T00:00:00Z in Unix seconds: where the counter's clock begins.
pub const CLOCK_BEGINS_UNIX_S: u64 = 1_735_689_600;

const CONTROLLER_BITS: u32 = 2;
const MAX_COUNTER: u32 = u32::MAX >> CONTROLLER_BITS;

/// Why there is no fresh term.
#[derive(Debug, Error)]
pub enum TermError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The state file holds something else.
    #[error(
        "state file {} is damaged ({reason}); move it away to begin a new one, whose terms begin \
         above the clock", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The state file is another controller's.
    #[error(
        "state file {} belongs to controller {found}, but this is controller {ours}; give each \
         controller number its own file", .path.display()
    )]
    OtherController {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: u8,
        /// Who we are.
        ours: u8,
    },
    /// The number of the controller.
    #[error("controller number is {0}; valid is 0 to {max}", max = CONTROLLERS - 1)]
    ControllerNumber(u8),
    /// The clock is wrong.
    #[error("the clock says {unix_us} µs since 1970, which is before 2025; set the clock")]
    Clock {
        /// What it says.
        unix_us: u64,
    },
    /// There is no greater term.
    #[error("there is no term above {used} in 32 bits; give the groups new ids")]
    Exhausted {
        /// The greatest term used or seen.
        used: u32,
    },
}

/// A term and when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenTerm {
    /// The term.
    pub term: EpochNumber,
    /// Unix time in µs; greater with each term.
    pub taken_us: u64,
}

/// What the file holds: which terms were taken. [`TermStore`] keeps it on disk; on its own it is a
/// value, for the simulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermState {
    schema: u32,
    controller: u8,
    /// No term with this counter or a greater one was taken.
    next_counter: u32,
    last_taken_us: u64,
    /// The newest term of each group.
    groups: Vec<GroupRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRecord {
    group: u32,
    /// The root for which it was taken.
    switch: String,
    term: u32,
    taken_us: u64,
}

/// Why bytes are no state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadState {
    Damaged(String),
    OtherController(u8),
}

impl TermState {
    /// The state of a controller of which nothing is known: it may have been there before.
    pub fn new(controller: u8, now_us: u64) -> Result<Self, TermError> {
        let next_counter = counter_of_clock(now_us)?.saturating_add(NEW_FILE_MARGIN);
        Ok(Self {
            schema: SCHEMA,
            controller,
            next_counter,
            last_taken_us: now_us,
            groups: Vec::new(),
        })
    }

    pub(crate) fn from_json(bytes: &[u8], controller: u8) -> Result<Self, BadState> {
        let state: Self =
            serde_json::from_slice(bytes).map_err(|error| BadState::Damaged(error.to_string()))?;
        let damaged = |reason: String| Err(BadState::Damaged(reason));
        if state.schema != SCHEMA {
            return damaged(format!("schema is {}, valid is {SCHEMA}", state.schema));
        }
        if state.next_counter > MAX_COUNTER + 1 {
            return damaged(format!(
                "next_counter {} has over 30 bits",
                state.next_counter
            ));
        }
        for record in &state.groups {
            if counter_of_term(record.term) >= state.next_counter {
                let (group, term) = (record.group, record.term);
                return damaged(format!(
                    "term {term} of group {group} is not below next_counter"
                ));
            }
        }
        if state.controller != controller {
            return Err(BadState::OtherController(state.controller));
        }
        Ok(state)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("numbers and strings always have a JSON form");
        bytes.push(b'\n');
        bytes
    }

    /// Takes a term for the groups of a switch: greater than `observed` and all taken before.
    pub fn take(
        &mut self,
        switch: &str,
        groups: &[GroupId],
        observed: EpochNumber,
        now_us: u64,
    ) -> Result<TakenTerm, TermError> {
        // Below the first counter nothing was observed: 0 is "not stamped".
        let above_observed = counter_of_term(observed.0) + 1;
        let counter = self
            .next_counter
            .max(counter_of_clock(now_us)?)
            .max(above_observed);
        if counter > MAX_COUNTER {
            let used = observed.0.max(term_of(counter - 1, self.controller));
            return Err(TermError::Exhausted { used });
        }
        let term = term_of(counter, self.controller);
        // A clock that was set back must not take rounds back with it.
        let taken_us = now_us.max(self.last_taken_us.saturating_add(1));
        self.next_counter = counter + 1;
        self.last_taken_us = taken_us;
        self.groups
            .retain(|record| !groups.contains(&GroupId(record.group)));
        let record = |group: &GroupId| GroupRecord {
            group: group.0,
            switch: switch.to_owned(),
            term,
            taken_us,
        };
        self.groups.extend(groups.iter().map(record));
        Ok(TakenTerm {
            term: EpochNumber(term),
            taken_us,
        })
    }

    /// The root for which each group's newest term was taken.
    pub fn roots(&self) -> BTreeMap<GroupId, String> {
        let root = |record: &GroupRecord| (GroupId(record.group), record.switch.clone());
        self.groups.iter().map(root).collect()
    }

    /// The newest terms of the groups whose root is this switch.
    pub fn recorded(&self, switch: &str) -> BTreeMap<GroupId, TakenTerm> {
        let records = self.groups.iter().filter(|record| record.switch == switch);
        let taken = |record: &GroupRecord| {
            let term = EpochNumber(record.term);
            (
                GroupId(record.group),
                TakenTerm {
                    term,
                    taken_us: record.taken_us,
                },
            )
        };
        records.map(taken).collect()
    }
}

fn counter_of_clock(now_us: u64) -> Result<u32, TermError> {
    let too_early = || TermError::Clock { unix_us: now_us };
    let seconds = (now_us / 1_000_000)
        .checked_sub(CLOCK_BEGINS_UNIX_S)
        .ok_or_else(too_early)?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn counter_of_term(term: u32) -> u32 {
    term >> CONTROLLER_BITS
}

fn term_of(counter: u32, controller: u8) -> u32 {
    (counter << CONTROLLER_BITS) | u32::from(controller)
}
