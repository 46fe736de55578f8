//! Why a request was refused, without gRPC: a code, a sentence, and for a batch one error a part.

use std::fmt;

use p4runtime::Code;
use p4runtime::bytestring::BytestringError;
use p4runtime::v1;

use crate::pipeline::ControlError;

/// A message is cut after this many characters, so that a batch of failures fits into headers.
pub(super) const MAX_MESSAGE_CHARS: usize = 300;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The canonical code. Of a batch that failed in part: [`Code::Unknown`].
    pub code: Code,
    /// What, with which value, what is valid.
    pub message: String,
    /// Of a batch that failed in part: one for each part, in order, OK for those that were done.
    pub errors: Vec<v1::Error>,
}

impl Failure {
    /// A failure of a whole request.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            errors: Vec::new(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(super) fn unimplemented(what: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            format!("{what} is not implemented by this switch"),
        )
    }

    /// A value that does not fit into `what`.
    pub(super) fn value(what: &str, error: &BytestringError) -> Self {
        Self::new(Code::OutOfRange, format!("{what}: {error}"))
    }

    /// One failure for a batch; none if every part was done.
    pub(super) fn of_batch(request: &str, results: Vec<Result<(), Self>>) -> Option<Self> {
        let failed = results.iter().filter(|result| result.is_err()).count();
        if failed == 0 {
            return None;
        }
        let message = format!(
            "{failed} of {} parts of the {request} failed",
            results.len()
        );
        let errors = results.into_iter().map(|result| match result {
            Ok(()) => v1::Error::default(),
            Err(failure) => v1::Error {
                canonical_code: failure.code.number(),
                message: failure.message.chars().take(MAX_MESSAGE_CHARS).collect(),
                space: "downbeat".to_owned(),
                ..Default::default()
            },
        });
        Some(Self {
            code: Code::Unknown,
            message,
            errors: errors.collect(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        use ControlError as E;
        let code = match &error {
            E::EntryExists { .. } | E::GroupExists { .. } => Code::AlreadyExists,
            E::NoSuchEntry { .. } | E::NoSuchGroup { .. } => Code::NotFound,
            E::TableFull { .. } | E::TooManyReplicas { .. } => Code::ResourceExhausted,
            E::EntriesConstant { .. } | E::DefaultConstant { .. } => Code::PermissionDenied,
            E::ValueTooWide { .. } | E::IndexOutOfRange { .. } => Code::OutOfRange,
            E::NoSuchTable { .. }
            | E::NoSuchAction { .. }
            | E::NoSuchRegister { .. }
            | E::NoSuchCounter { .. }
            | E::NoDirectCounter { .. }
            | E::KeyCount { .. }
            | E::WrongMatchKind { .. }
            | E::BadMatch { .. }
            | E::ParameterCount { .. }
            | E::PriorityMissing { .. }
            | E::PriorityNotAllowed { .. }
            | E::NoKey { .. }
            | E::GroupZero
            | E::BadPort { .. }
            | E::ReplicaTwice { .. } => Code::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}
