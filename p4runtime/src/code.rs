//! The canonical codes of gRPC as a plain enum, so that code without gRPC can use them.

use std::fmt;

/// A canonical status code. The numbers are those on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum Code {
    /// It was done.
    Ok = 0,
    /// The caller gave up.
    Cancelled = 1,
    /// No better code fits; of a batch, that the details tell more.
    Unknown = 2,
    /// The request is wrong whatever the state of the switch.
    InvalidArgument = 3,
    /// It took too long.
    DeadlineExceeded = 4,
    /// The named thing does not exist.
    NotFound = 5,
    /// The thing to be made exists.
    AlreadyExists = 6,
    /// The caller may not, for instance because it is not the primary.
    PermissionDenied = 7,
    /// A table or another bounded thing is full.
    ResourceExhausted = 8,
    /// The switch is not in a state for this, for instance because no program is loaded.
    FailedPrecondition = 9,
    /// It was given up because of something at the same time.
    Aborted = 10,
    /// An index or a value does not fit.
    OutOfRange = 11,
    /// The server does not have this.
    Unimplemented = 12,
    /// The server broke.
    Internal = 13,
    /// The server cannot be reached now.
    Unavailable = 14,
    /// Data was lost.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The name as the gRPC documentation writes it, such as `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl From<i32> for Code {
    /// A number that is no code becomes [`Code::Unknown`], as gRPC does it.
    fn from(number: i32) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
            .unwrap_or(Self::Unknown)
    }
}

impl From<tonic::Code> for Code {
    fn from(code: tonic::Code) -> Self {
        Self::from(i32::from(code))
    }
}

impl From<Code> for tonic::Code {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_both_ways() {
        for number in 0..17 {
            assert_eq!(Code::from(number).number(), number);
            assert_eq!(
                tonic::Code::from(Code::from(number)),
                tonic::Code::from(number)
            );
        }
        assert_eq!(Code::from(17), Code::Unknown);
        assert_eq!(Code::from(-1), Code::Unknown);
    }
}
