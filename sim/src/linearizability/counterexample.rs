//! Why a history is not linearizable, in a form that a person can check by hand.
//!
//! It is one longest order that the search found, and the operations that should come next. It is
//! not a smallest sub-history: writes cannot be left out of a history without changing what its
//! reads may see.

use std::fmt::{self, Debug};

use super::Key;
use crate::history::{Call, Moment};

/// How many operations of the linearizable prefix are printed, from its end.
const PRINTED_PREFIX: usize = 12;

/// Where every order of one part of a history ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample<O, R> {
    /// The key; `None` when the history was checked in one part.
    pub key: Option<Vec<u8>>,
    /// Operations on the key.
    pub operations: usize,
    /// The order that got furthest in time, first operation first.
    pub prefix: Vec<Call<O, R>>,
    /// The object after that order, in its `Debug` form.
    pub state: String,
    /// The first response that is still to come. No order explains the history up to here.
    pub deadline: Moment,
    /// The operations with an outcome that were invoked by then and could not be placed.
    pub unplaced: Vec<Call<O, R>>,
    /// The operations without one that were invoked by then and, if they took effect, do not help.
    pub unknown: Vec<Call<O, R>>,
}

impl<O: Debug, R: Debug> fmt::Display for Counterexample<O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: not linearizable at tick {} ({} of {} operations placed)",
            Key(self.key.as_deref()),
            self.deadline.tick,
            self.prefix.len(),
            self.operations,
        )?;
        let hidden = self.prefix.len().saturating_sub(PRINTED_PREFIX);
        writeln!(
            f,
            "longest order, last {} operations:",
            self.prefix.len() - hidden
        )?;
        let shown = &self.prefix[hidden..];
        let width = [shown, &self.unplaced, &self.unknown]
            .into_iter()
            .flatten()
            .map(|call| Times(call).to_string().len())
            .max()
            .unwrap_or(0);
        rows(f, shown, width)?;
        writeln!(f, "state after it: {}", self.state)?;
        writeln!(f, "cannot be placed next, in any order that gets this far:")?;
        rows(f, &self.unplaced, width)?;
        if !self.unknown.is_empty() {
            writeln!(f, "outcome unknown, of no help:")?;
            rows(f, &self.unknown, width)?;
        }
        Ok(())
    }
}

fn rows<O: Debug, R: Debug>(
    f: &mut fmt::Formatter<'_>,
    calls: &[Call<O, R>],
    width: usize,
) -> fmt::Result {
    for call in calls {
        let times = Times(call).to_string();
        write!(
            f,
            "  {times:<width$}  client {:<3} {:?}",
            call.client, call.operation
        )?;
        match &call.completion {
            Some(completion) => writeln!(f, " -> {:?}", completion.outcome)?,
            None => writeln!(f, " -> unknown")?,
        }
    }
    Ok(())
}

/// `[invoked, returned]` in ticks.
struct Times<'a, O, R>(&'a Call<O, R>);

impl<O, R> fmt::Display for Times<'_, O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.completion {
            Some(completion) => {
                write!(f, "[{}, {}]", self.0.invoked.tick, completion.returned.tick)
            }
            None => write!(f, "[{}, -]", self.0.invoked.tick),
        }
    }
}
