//! Is a history linearizable? A checker for any sequential model, and models.
//!
//! The search is the one of Wing and Gong, "Testing and Verifying Concurrent Objects" (1993): take
//! an operation that nothing else must precede, apply it to the sequential object, go on, and take
//! it back when there is no way on. Lowe, "Testing for Linearizability" (2017), remembers every
//! pair (set of operations placed, state of the object) that was tried. Histories are cut into one
//! part for each key, since a history is linearizable exactly when its parts are (Herlihy and Wing
//! 1990, theorem 1, locality).
//!
//! It judges what clients saw and nothing else. It is not a check of the replicas' logs, nor of
//! exactly-once execution beyond what an outcome shows.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::hash::Hash;

use crate::history::{Call, History};

mod counterexample;
mod events;
pub mod kv;
mod search;
mod text_bytes;

pub use counterexample::Counterexample;

use search::{Ending, Search};

/// A sequential, deterministic object: what a history is measured against.
pub trait Model {
    /// The object between two operations.
    type State: Clone + Debug + Eq + Hash;
    /// What can be asked. The order is only used to find equal operations.
    type Operation: Clone + Debug + Ord;
    /// What can be answered. The order is only used to find equal outcomes.
    type Outcome: Clone + Debug + Ord;

    /// The object before the first operation.
    fn initial() -> Self::State;

    /// The object after `operation` with `outcome`, or `None` when the object in `state` would
    /// not have given that outcome. An outcome of `None` is unknown: whatever the object would
    /// have answered, it is right.
    fn step(
        state: &Self::State,
        operation: &Self::Operation,
        outcome: Option<&Self::Outcome>,
    ) -> Option<Self::State>;

    /// The part of the object that `operation` is confined to. `None` means all of it; one such
    /// operation and the whole history is checked in one part.
    fn key(operation: &Self::Operation) -> Option<&[u8]>;

    /// Whether `operation` with `outcome` leaves the object as it was, in *every* state in which
    /// it is possible: a read, or a comparison that failed. Such operations cost the search
    /// nothing. `false` is always right, and slow; a wrong `true` makes the verdict wrong.
    fn only_observes(_operation: &Self::Operation, _outcome: Option<&Self::Outcome>) -> bool {
        false
    }

    /// Bytes that one remembered state takes, for [`Bounds::memory_bytes`].
    fn state_bytes(_state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

/// How much work a check may cost. Deciding linearizability is NP-complete, so there is a limit.
///
/// Operations with an outcome are cheap. Many *writes of unknown outcome* on one key are not: each
/// may explain something, now or later. Histories with hundreds of them on a key end in
/// [`Verdict::Unknown`]; spread such a run over more keys, or let clients repeat their requests
/// until they are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Calls of [`Model::step`] for one key.
    pub steps_per_key: u64,
    /// Calls of [`Model::step`] in all.
    pub steps: u64,
    /// Bytes of remembered configurations for one key; they are freed before the next key.
    pub memory_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            steps_per_key: 20_000_000,
            steps: 200_000_000,
            memory_bytes: 1 << 30,
        }
    }
}

/// Which bound ended a check before it knew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// [`Bounds::steps_per_key`] or, if `total`, [`Bounds::steps`].
    Steps {
        /// The key being checked; `None` when the history has one part.
        key: Option<Vec<u8>>,
        /// The bound.
        limit: u64,
        /// Whether it is the bound for all keys together.
        total: bool,
    },
    /// [`Bounds::memory_bytes`].
    Memory {
        /// The key being checked.
        key: Option<Vec<u8>>,
        /// The bound.
        limit: u64,
    },
    /// More operations on one key than can be numbered.
    TooManyOperations {
        /// The key.
        key: Option<Vec<u8>>,
        /// Its operations.
        operations: usize,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps { key, limit, total } => {
                let scope = if *total { "all keys" } else { "one key" };
                write!(
                    f,
                    "{}: no verdict after {limit} steps for {scope}",
                    Key(key.as_deref())
                )
            }
            Self::Memory { key, limit } => {
                write!(
                    f,
                    "{}: no verdict within {limit} bytes of memory",
                    Key(key.as_deref())
                )
            }
            Self::TooManyOperations { key, operations } => {
                let most = events::MAX_OPERATIONS;
                let key = Key(key.as_deref());
                write!(
                    f,
                    "{key}: {operations} operations, at most {most} can be checked"
                )
            }
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<O, R> {
    /// There is an order that explains every outcome.
    Linearizable,
    /// There is none, and here is where it ends.
    Violation(Box<Counterexample<O, R>>),
    /// The bounds were reached; no key that was decided is in violation.
    Unknown {
        /// The first bound that was reached.
        why: Why,
    },
}

/// A verdict and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<O, R> {
    /// What was found.
    pub verdict: Verdict<O, R>,
    /// Operations in the history.
    pub operations: usize,
    /// Parts (keys) that the history fell into.
    pub parts: usize,
    /// Calls of [`Model::step`].
    pub steps: u64,
}

/// Checks `history` against `M`. The same history and bounds give the same report.
pub fn check<M: Model>(
    history: &History<M::Operation, M::Outcome>,
    bounds: &Bounds,
) -> Report<M::Operation, M::Outcome> {
    let parts = partition::<M>(history.calls());
    let mut report = Report {
        verdict: Verdict::Linearizable,
        operations: history.len(),
        parts: parts.len(),
        steps: 0,
    };
    for (key, calls) in parts {
        let left = bounds.steps.saturating_sub(report.steps);
        let total = left < bounds.steps_per_key;
        let steps = left.min(bounds.steps_per_key);
        let mut unknown = |why: Why| {
            if report.verdict == Verdict::Linearizable {
                report.verdict = Verdict::Unknown { why };
            }
        };
        let owned = || key.map(<[u8]>::to_vec);
        let Some(mut search) = Search::<M>::new(&calls, steps, bounds.memory_bytes) else {
            unknown(Why::TooManyOperations {
                key: owned(),
                operations: calls.len(),
            });
            continue;
        };
        match search.run() {
            Ending::Placed => {}
            Ending::OutOfSteps => {
                let limit = if total {
                    bounds.steps
                } else {
                    bounds.steps_per_key
                };
                unknown(Why::Steps {
                    key: owned(),
                    limit,
                    total,
                });
            }
            Ending::OutOfMemory => {
                unknown(Why::Memory {
                    key: owned(),
                    limit: bounds.memory_bytes,
                });
            }
            Ending::Impossible => {
                report.verdict = Verdict::Violation(Box::new(search.counterexample(key)));
                report.steps += search.steps();
                return report;
            }
        }
        report.steps += search.steps();
    }
    report
}

type Part<'a, M> = Vec<&'a Call<<M as Model>::Operation, <M as Model>::Outcome>>;

/// The operations by key, or all in one part when one of them has no key.
fn partition<M: Model>(
    calls: &[Call<M::Operation, M::Outcome>],
) -> BTreeMap<Option<&[u8]>, Part<'_, M>> {
    let whole = calls.iter().any(|call| M::key(&call.operation).is_none());
    let mut parts: BTreeMap<Option<&[u8]>, Part<'_, M>> = BTreeMap::new();
    for call in calls {
        let key = if whole { None } else { M::key(&call.operation) };
        parts.entry(key).or_default().push(call);
    }
    parts
}

/// A key as people read it.
struct Key<'a>(Option<&'a [u8]>);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "key \"{}\"", key.escape_ascii()),
            None => f.write_str("whole history"),
        }
    }
}

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod tests;
