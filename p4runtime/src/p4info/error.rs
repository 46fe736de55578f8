//! What can be wrong with a P4Info, and with a name that was looked up in one.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why a P4Info was not taken.
#[derive(Debug, Error)]
pub enum P4InfoError {
    /// The file could not be read.
    #[error("cannot read p4info {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file has more than [`super::MAX_FILE_BYTES`].
    #[error("p4info {} has {bytes} bytes, at most {limit} are read", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// What is read at most.
        limit: u64,
    },
    /// The text form is wrong; the message names line and column or the field.
    #[error("p4info text is not a P4Info message: {0}")]
    Text(String),
    /// The binary form is wrong.
    #[error("p4info bytes are not a P4Info message: {0}")]
    Binary(String),
    /// Two objects have the same id, or an object has none.
    #[error("{kind} {name} has id {id}, which {other} has; ids are unique and not 0")]
    Id {
        /// What the object is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The id.
        id: u32,
        /// Who has the id, or what it means.
        other: String,
    },
    /// Something has a width or size that makes no sense.
    #[error("{what} has {quantity} {value}, valid is {valid}")]
    Number {
        /// The object and its part.
        what: String,
        /// What the number is.
        quantity: &'static str,
        /// The number.
        value: i64,
        /// What would be right.
        valid: &'static str,
    },
    /// A field is matched in a way that this crate does not know.
    #[error("{what} is matched by {kind}, known are exact, lpm, ternary, range and optional")]
    Kind {
        /// The table and field.
        what: String,
        /// The kind.
        kind: String,
    },
    /// A table refers to an action that the P4Info does not have.
    #[error("table {table} uses action {id}, which the p4info does not have")]
    DanglingAction {
        /// The table.
        table: String,
        /// The id of the action.
        id: u32,
    },
}

/// A name that the program does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct UnknownName {
    /// What was looked for: `table`, `action`, …
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The most similar name, if any is similar.
    pub nearest: Option<String>,
    /// All names there are.
    pub valid: Vec<String>,
}

impl UnknownName {
    /// Collects the valid names and finds the nearest.
    pub fn new<'a>(
        kind: &'static str,
        name: &str,
        valid: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        /// Below this two names have little in common.
        const SIMILAR: f64 = 0.7;
        let valid: Vec<String> = valid.into_iter().map(str::to_owned).collect();
        let nearest = valid
            .iter()
            .map(|candidate| (similarity(name, candidate), candidate))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, candidate)| candidate.clone());
        Self {
            kind,
            name: name.to_owned(),
            nearest,
            valid,
        }
    }
}

/// From 0 to 1; of full names or of their last parts, whichever are more alike.
fn similarity(name: &str, candidate: &str) -> f64 {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::jaro_winkler(name, candidate);
    whole.max(strsim::jaro_winkler(&last(name), &last(candidate)))
}

impl fmt::Display for UnknownName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        write!(formatter, "the program has no {kind} {name:?}")?;
        if let Some(nearest) = &self.nearest {
            write!(formatter, ", did you mean {nearest:?}?")?;
        }
        if self.valid.is_empty() {
            write!(formatter, " (it has no {kind} at all)")
        } else {
            write!(formatter, " (valid: {})", self.valid.join(", "))
        }
    }
}
