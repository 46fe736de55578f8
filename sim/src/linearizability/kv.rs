//! The sequential key-value object: one register for each key.
//!
//! Its words are those of Redis where Redis has them: `incr` and `append` take an absent value
//! for 0 and for the empty string, integers are 64 bits in decimal with no leading zeros. Values
//! do not expire. It is a specification to measure the replicated application against, and shares
//! no code with it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Model, text_bytes};

/// What a client can ask.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvOperation {
    /// Reads. Outcome: [`KvOutcome::Value`].
    Get {
        /// The key.
        #[serde(with = "text_bytes")]
        key: Vec<u8>,
    },
    /// Writes. Outcome: [`KvOutcome::Ok`].
    Set {
        /// The key.
        #[serde(with = "text_bytes")]
        key: Vec<u8>,
        /// The new value.
        #[serde(with = "text_bytes")]
        value: Vec<u8>,
    },
    /// Removes. Outcome: [`KvOutcome::Integer`], 1 if there was a value, else 0.
    Del {
        /// The key.
        #[serde(with = "text_bytes")]
        key: Vec<u8>,
    },
    /// Adds. Outcome: [`KvOutcome::Integer`], the sum; or [`KvOutcome::Error`] if the value is no
    /// integer or the sum is out of range.
    Incr {
        /// The key.
        #[serde(with = "text_bytes")]
        key: Vec<u8>,
        /// What to add.
        by: i64,
    },
    /// Appends. Outcome: [`KvOutcome::Integer`], the new length in bytes.
    Append {
        /// The key.
        #[serde(with = "text_bytes")]
        key: Vec<u8>,
        /// The bytes to append.
        #[serde(with = "text_bytes")]
        value: Vec<u8>,
    },
    /// Writes `value` if the value is `expected`. Outcome: [`KvOutcome::Ok`] if it was written;
    /// else [`KvOutcome::Value`] with what was found, or [`KvOutcome::Error`] without.
    Cas {
        /// The key.
        #[serde(with = "text_bytes")]
        key: Vec<u8>,
        /// What must be there; `None`: nothing.
        #[serde(with = "text_bytes::optional")]
        expected: Option<Vec<u8>>,
        /// The new value.
        #[serde(with = "text_bytes")]
        value: Vec<u8>,
    },
}

/// What a client can be told.
///
/// An error that leaves open whether the operation took effect (no quorum, connection lost) is no
/// outcome: leave such an operation without one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvOutcome {
    /// A value, or that there is none.
    Value(#[serde(with = "text_bytes::optional")] Option<Vec<u8>>),
    /// A number.
    Integer(i64),
    /// Done.
    Ok,
    /// Refused by the object itself, without effect.
    Error,
}

/// The value of one key.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct KvState(Option<Arc<[u8]>>);

/// The key-value object.
#[derive(Clone, Copy, Debug)]
pub struct Kv;

impl Model for Kv {
    type State = KvState;
    type Operation = KvOperation;
    type Outcome = KvOutcome;

    fn initial() -> KvState {
        KvState(None)
    }

    fn step(
        state: &KvState,
        operation: &KvOperation,
        outcome: Option<&KvOutcome>,
    ) -> Option<KvState> {
        if let (KvOperation::Get { .. }, Some(KvOutcome::Value(value))) = (operation, outcome) {
            // Reads are most of a history: compare them in place.
            return (value.as_deref() == state.0.as_deref()).then(|| state.clone());
        }
        // A refused comparison may be answered with or without what was found.
        let bare_refusal = matches!(operation, KvOperation::Cas { .. })
            && matches!(outcome, Some(KvOutcome::Error));
        let (after, right) = apply(state, operation);
        let possible = match outcome {
            None => true,
            Some(outcome) => *outcome == right || (bare_refusal && right != KvOutcome::Ok),
        };
        possible.then_some(after)
    }

    fn key(operation: &KvOperation) -> Option<&[u8]> {
        Some(operation.key())
    }

    fn only_observes(operation: &KvOperation, outcome: Option<&KvOutcome>) -> bool {
        match operation {
            KvOperation::Get { .. } => true,
            KvOperation::Del { .. } => outcome == Some(&KvOutcome::Integer(0)),
            KvOperation::Cas { .. } => outcome.is_some_and(|outcome| *outcome != KvOutcome::Ok),
            KvOperation::Incr { .. } => outcome == Some(&KvOutcome::Error),
            KvOperation::Set { .. } | KvOperation::Append { .. } => false,
        }
    }

    fn state_bytes(state: &KvState) -> usize {
        size_of::<KvState>() + state.0.as_ref().map_or(0, |value| value.len())
    }
}

impl KvOperation {
    /// The key that the operation is about.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Get { key }
            | Self::Set { key, .. }
            | Self::Del { key }
            | Self::Incr { key, .. }
            | Self::Append { key, .. }
            | Self::Cas { key, .. } => key,
        }
    }
}

impl fmt::Debug for KvOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key().escape_ascii();
        match self {
            Self::Get { .. } => write!(f, "get {key}"),
            Self::Set { value, .. } => write!(f, "set {key} \"{}\"", value.escape_ascii()),
            Self::Del { .. } => write!(f, "del {key}"),
            Self::Incr { by, .. } => write!(f, "incr {key} {by}"),
            Self::Append { value, .. } => write!(f, "append {key} \"{}\"", value.escape_ascii()),
            Self::Cas {
                expected, value, ..
            } => {
                let expected = Quoted(expected.as_deref());
                write!(f, "cas {key} {expected} \"{}\"", value.escape_ascii())
            }
        }
    }
}

impl fmt::Debug for KvOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{}", Quoted(value.as_deref())),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Ok => f.write_str("ok"),
            Self::Error => f.write_str("error"),
        }
    }
}

impl fmt::Debug for KvState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.0.as_deref()))
    }
}

/// What the object does and what it answers.
fn apply(state: &KvState, operation: &KvOperation) -> (KvState, KvOutcome) {
    let present = state.0.as_deref();
    let holding = |value: &[u8]| KvState(Some(Arc::from(value)));
    match operation {
        KvOperation::Get { .. } => (state.clone(), KvOutcome::Value(present.map(<[u8]>::to_vec))),
        KvOperation::Set { value, .. } => (holding(value), KvOutcome::Ok),
        KvOperation::Del { .. } => (
            KvState(None),
            KvOutcome::Integer(i64::from(present.is_some())),
        ),
        KvOperation::Incr { by, .. } => {
            let number = present.map_or(Some(0), parse_integer);
            match number.and_then(|number| number.checked_add(*by)) {
                Some(sum) => (holding(sum.to_string().as_bytes()), KvOutcome::Integer(sum)),
                None => (state.clone(), KvOutcome::Error),
            }
        }
        KvOperation::Append { value, .. } => {
            let whole = [present.unwrap_or_default(), value].concat();
            let length = i64::try_from(whole.len()).unwrap_or(i64::MAX);
            (holding(&whole), KvOutcome::Integer(length))
        }
        KvOperation::Cas {
            expected, value, ..
        } => {
            if present == expected.as_deref() {
                (holding(value), KvOutcome::Ok)
            } else {
                (state.clone(), KvOutcome::Value(present.map(<[u8]>::to_vec)))
            }
        }
    }
}

/// The integer that `value` is the one decimal form of.
fn parse_integer(value: &[u8]) -> Option<i64> {
    let number: i64 = str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

/// A value as people read it.
struct Quoted<'a>(Option<&'a [u8]>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "\"{}\"", value.escape_ascii()),
            None => f.write_str("nothing"),
        }
    }
}
