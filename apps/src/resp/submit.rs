//! How the front hands operations to the replicas.

use std::future::Future;

/// A way to the replica group.
///
/// The front clones it once per connection, and each connection has at most one operation
/// outstanding: a clone is one logical client, with its own request numbers.
pub trait Submit: Clone + Send + Sync + 'static {
    /// Has an operation executed exactly once and returns the state machine's reply. Retries are
    /// its business; it ends with an error when it gives up.
    fn submit(
        &self,
        operation: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, SubmitError>> + Send;

    /// Most bytes of one operation.
    fn operation_limit(&self) -> usize;
}

/// An operation that has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// It was not sent, as it is too large.
    #[error("operation of {size} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// It was not executed and will not be.
    #[error("not executed: {0}")]
    NotExecuted(String),
    /// No reply came in time: it may have been executed, or still be.
    #[error("outcome unknown: {0}")]
    Unavailable(String),
}

impl SubmitError {
    /// Whether the operation may still take effect.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The line a RESP client sees, without the minus sign.
    pub fn reply(&self) -> String {
        match self {
            Self::TooLarge { .. } => format!("ERR {self}"),
            Self::NotExecuted(_) => format!("TRYAGAIN {self}"),
            Self::Unavailable(_) => format!("UNAVAILABLE {self}"),
        }
    }
}
