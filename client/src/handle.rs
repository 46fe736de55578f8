//! What callers hold: clone it, call it from any thread or task.

use crate::core::{Answer, Divergence};
use crate::runtime::Statistics;
use link::InboxSender;
use link::inbox::InboxError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// An operation on its way to the node.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) operation: Vec<u8>,
    /// The member that is asked first.
    pub(crate) prefers: usize,
    pub(crate) answer: oneshot::Sender<Result<Answer, CallError>>,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It does not fit a packet; nothing was sent.
    #[error("an operation of {size} bytes is over the limit of {limit} bytes of one packet")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// Too many calls wait already; nothing was sent.
    #[error("too many calls are waiting for the group; try again later")]
    Overloaded,
    /// Asked again and again without an answer. It may have taken effect, or may still.
    #[error("the group did not answer in time; whether the operation took effect is unknown")]
    OutcomeUnknown,
    /// Replicas with equal logs answered differently.
    #[error(transparent)]
    Divergence(Divergence),
    /// The client's own thread is gone.
    #[error("the client has been shut down")]
    Closed,
}

/// A handle on the client node.
#[derive(Clone, Debug)]
pub struct Client {
    sender: InboxSender<Submission>,
    operation_limit: usize,
    statistics: Arc<Statistics>,
    prefers: usize,
}

impl Client {
    pub(crate) fn new(
        sender: InboxSender<Submission>,
        operation_limit: usize,
        statistics: Arc<Statistics>,
        prefers: usize,
    ) -> Self {
        Self {
            sender,
            operation_limit,
            statistics,
            prefers,
        }
    }

    /// The same client for callers who would have this member (counted round) asked first. While it
    /// does not answer another one is, and now and then both, to see whether it is back. Changes nothing where requests go to the whole group.
    #[must_use]
    pub fn preferring(&self, member: usize) -> Self {
        Self {
            prefers: member,
            ..self.clone()
        }
    }

    /// Bytes of the longest operation.
    pub fn operation_limit(&self) -> usize {
        self.operation_limit
    }

    /// What happened so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Has the group execute `operation` exactly once; retries until it is answered or the time
    /// to give up has come.
    pub async fn call(&self, operation: Vec<u8>) -> Result<Answer, CallError> {
        let answers = self.submit(operation)?;
        answers.await.unwrap_or(Err(CallError::Closed))
    }

    /// The same for threads without a runtime. Panics within an asynchronous one.
    pub fn call_blocking(&self, operation: Vec<u8>) -> Result<Answer, CallError> {
        let answers = self.submit(operation)?;
        answers.blocking_recv().unwrap_or(Err(CallError::Closed))
    }

    fn submit(
        &self,
        operation: Vec<u8>,
    ) -> Result<oneshot::Receiver<Result<Answer, CallError>>, CallError> {
        let (size, limit) = (operation.len(), self.operation_limit);
        if size > limit {
            return Err(CallError::TooLarge { size, limit });
        }
        let (answer, answers) = oneshot::channel();
        let submission = Submission {
            operation,
            prefers: self.prefers,
            answer,
        };
        match self.sender.send(submission) {
            Ok(()) => Ok(answers),
            Err(InboxError::Full(_)) => Err(CallError::Overloaded),
            Err(InboxError::Closed(_)) => Err(CallError::Closed),
        }
    }
}
