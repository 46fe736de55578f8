//! What can go wrong with a switch, in words that name the table, the key and the reason.
//!
//! P4Runtime 1.4, section "Error Reporting Messages": a batch that failed in part carries a
//! `google.rpc.Status` in the details of the gRPC status, with one `p4.v1.Error` an update.

use std::fmt;

use thiserror::Error;

use crate::p4info::{P4InfoError, UnknownName};
use crate::status::decode_details;
use crate::table::{DecodeError, EncodeError};
use crate::{Code, Description, ElectionId, P4Info, describe, v1};

/// Why the switch did not do what it was asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is not one.
    #[error("{address:?} is not an address ({reason}), write host:port")]
    Address {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// Nobody answered in time.
    #[error("cannot connect to switch at {address} within {deadline_ms} ms: {reason}")]
    Connect {
        /// The address.
        address: String,
        /// How long it was tried.
        deadline_ms: u128,
        /// What the last try said.
        reason: String,
    },
    /// A call failed as a whole.
    #[error("{rpc} failed with {code}: {message}")]
    Rpc {
        /// The name of the call.
        rpc: &'static str,
        /// The code.
        code: Code,
        /// What the server says.
        message: String,
    },
    /// Some updates of a batch failed; the others were made.
    #[error(transparent)]
    Write(#[from] WriteFailure),
    /// A call or an answer on the stream took too long.
    #[error("{what} took more than {timeout_ms} ms")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        timeout_ms: u128,
    },
    /// Another controller has a higher election id.
    #[error("election id {ours} does not make us primary, the highest seen is {}", or_none(*highest))]
    NotPrimary {
        /// What we asked with.
        ours: ElectionId,
        /// The highest that the switch has seen.
        highest: Option<ElectionId>,
    },
    /// The stream ended, and with it the session.
    #[error("the session ended with {code}: {reason}")]
    SessionLost {
        /// The code.
        code: Code,
        /// What the server or the transport says.
        reason: String,
    },
    /// Nothing can be sent: there is no stream yet, or too much waits in it.
    #[error("cannot send on the stream: {0}")]
    Stream(&'static str),
    /// The switch answered something that is not P4Runtime.
    #[error("switch sent {0}")]
    Answer(String),
    /// The program does not have such an object.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The switch sent a P4Info that is wrong.
    #[error(transparent)]
    P4Info(#[from] P4InfoError),
    /// A value is no entry.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// An entry of the switch is not one of the declared table.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

fn or_none(id: Option<ElectionId>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

impl ClientError {
    /// The canonical code, where the switch or the transport gave one for the whole call.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Rpc { code, .. } | Self::SessionLost { code, .. } => Some(*code),
            Self::Connect { .. } => Some(Code::Unavailable),
            Self::Timeout { .. } => Some(Code::DeadlineExceeded),
            _ => None,
        }
    }

    pub(super) fn rpc(rpc: &'static str, status: &tonic::Status) -> Self {
        let errors = decode_details(status.details());
        let mut message = status.message().to_owned();
        for error in errors.iter().filter(|error| error.canonical_code != 0) {
            message.push_str("; ");
            message.push_str(&error.message);
        }
        Self::Rpc {
            rpc,
            code: status.code().into(),
            message,
        }
    }
}

/// An update that was not made.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedUpdate {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The update as it was sent.
    pub update: v1::Update,
    /// The object and key in words.
    pub description: Description,
    /// Why, as a code.
    pub code: Code,
    /// Why, in words.
    pub message: String,
}

impl fmt::Display for FailedUpdate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.update.r#type() {
            v1::update::Type::Insert => "insert into",
            v1::update::Type::Modify => "modify",
            v1::update::Type::Delete => "delete from",
            v1::update::Type::Unspecified => "unspecified update of",
        };
        let Self {
            description,
            code,
            message,
            ..
        } = self;
        write!(formatter, "{kind} {description}: {code}")?;
        if message.is_empty() {
            Ok(())
        } else {
            write!(formatter, ": {message}")
        }
    }
}

/// Updates of one batch that were not made; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteFailure {
    /// In the order of the batch.
    pub failed: Vec<FailedUpdate>,
    /// How many updates the batch had.
    pub batch_len: usize,
}

impl fmt::Display for WriteFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} of {} updates failed",
            self.failed.len(),
            self.batch_len
        )?;
        for failed in &self.failed {
            write!(formatter, "\n  {failed}")?;
        }
        Ok(())
    }
}

impl std::error::Error for WriteFailure {}

/// The error of a batch that got `status`.
pub(super) fn write_error(
    status: &tonic::Status,
    updates: Vec<v1::Update>,
    info: &P4Info,
) -> ClientError {
    let errors = decode_details(status.details());
    // Details that do not go with the batch cannot be assigned to its updates.
    if errors.len() != updates.len() || errors.iter().all(|error| error.canonical_code == 0) {
        return ClientError::rpc("Write", status);
    }
    let batch_len = updates.len();
    let pairs = updates.into_iter().zip(errors).enumerate();
    let failed = pairs
        .filter(|(_, (_, error))| error.canonical_code != 0)
        .map(|(index, (update, error))| FailedUpdate {
            index,
            description: describe(&update.entity.clone().unwrap_or_default(), info),
            code: Code::from(error.canonical_code),
            message: error.message,
            update,
        });
    WriteFailure {
        failed: failed.collect(),
        batch_len,
    }
    .into()
}
