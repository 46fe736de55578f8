//! What ends a command early, and with which exit code: 1 a check failed, 2 wrong use or missing
//! set-up, 3 a safety violation was found. 0 is success. These numbers are an interface.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A check or a threshold failed.
    Check(String),
    /// Wrong use, or something that is needed is not there.
    Usage(String),
    /// The replicas lied.
    Safety(String),
}

impl Failure {
    /// An error of a library, with its causes, as a missing set-up.
    pub(crate) fn usage(error: &(dyn Error + 'static)) -> Self {
        Self::Usage(chain(error))
    }

    /// Prints the failure to standard error and gives its code.
    pub(crate) fn report(self) -> ExitCode {
        let (text, code) = match self {
            Self::Check(text) => (text, 1),
            Self::Usage(text) => (text, 2),
            Self::Safety(text) => (text, 3),
        };
        // Nobody may be reading; the code says it too.
        let _ = writeln!(io::stderr(), "error: {text}");
        ExitCode::from(code)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::usage(&error)
    }
}

/// An error and its causes on one line, each cause once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            let _ = write!(text, ": {part}");
        }
        cause = error.source();
    }
    text
}
