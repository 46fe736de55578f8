//! Who asks the node for operations: any thread by a [`Client`](crate::Client), or a program that
//! lives on the node's own thread, as a load generator does.

use crate::core::Answer;
use crate::handle::{CallError, Submission};
use link::{Descriptors, Inbox};
use wire::Tick;

/// An operation to be asked for now.
#[derive(Debug)]
pub struct Call<T> {
    /// The operation.
    pub operation: Box<[u8]>,
    /// The member that is asked first, counted round.
    pub prefers: usize,
    /// What the caller knows it by.
    pub token: T,
}

/// Where a node's operations come from and where its answers go.
pub trait Callers: Send {
    /// What a caller knows its operation by.
    type Token: Send;

    /// The next operation whose time has come. Not asked while all logical clients are busy: then
    /// callers wait.
    fn next(&mut self, now: Tick) -> Option<Call<Self::Token>>;

    /// An operation is done, or given up.
    fn finished(&mut self, now: Tick, token: Self::Token, outcome: Result<Answer, CallError>);

    /// When [`next`](Self::next) may have something without anything else happening.
    fn deadline(&self) -> Option<Tick>;

    /// Arms the wake-ups, as [`link::Node::prepare_to_wait`] does.
    fn prepare_to_wait(&mut self) -> bool;

    /// Adds what becomes readable when there is something.
    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>);
}

/// Callers on other threads.
#[derive(Debug)]
pub struct Handles {
    pub(crate) inbox: Inbox<Submission>,
}

impl Callers for Handles {
    type Token = tokio::sync::oneshot::Sender<Result<Answer, CallError>>;

    fn next(&mut self, _now: Tick) -> Option<Call<Self::Token>> {
        let submission = self.inbox.receive()?;
        Some(Call {
            operation: submission.operation.into_boxed_slice(),
            prefers: submission.prefers,
            token: submission.answer,
        })
    }

    fn finished(&mut self, _now: Tick, token: Self::Token, outcome: Result<Answer, CallError>) {
        // The caller may be gone; its request is done all the same.
        let _ = token.send(outcome);
    }

    fn deadline(&self) -> Option<Tick> {
        None
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.inbox.prepare_to_wait()
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.inbox.readiness());
    }
}
