//! What an application must be to be replicated: deterministic, and able to take a step back.
//!
//! Not here: how operations are ordered. A state machine never learns which protocol runs it.

use alloc::vec::Vec;
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// When, in the replicated history, an operation is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The log slot that holds the operation.
    pub slot: SlotNumber,
    /// The agreed time: equal at every replica, never smaller than the previous slot's.
    /// `None` on fabrics without stamps: operations that need the time must then answer
    /// with an error that says so.
    pub time: Option<AgreedTime>,
}

/// A deterministic service with undo.
///
/// The same operations with the same stamps give the same replies and the same state
/// everywhere. Nothing here may read a clock, draw a random number, iterate a randomly
/// seeded map or look outside `self`.
pub trait StateMachine {
    /// What [`undo`](Self::undo) needs to take one execution back, exactly.
    type Undo;

    /// Executes one operation, appends its result to `reply` (never touching what is there),
    /// and returns how to take it back. A malformed operation is answered with an error in
    /// `reply`; it never panics.
    fn execute(&mut self, at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> Self::Undo;

    /// Whether an operation changes nothing, whatever the state: it may then be answered by
    /// [`read`](Self::read), without a place in the log. An operation of which a part writes is no
    /// read. Must not depend on the state.
    fn is_read(&self, operation: &[u8]) -> bool {
        let _ = operation;
        false
    }

    /// Answers an operation for which [`is_read`](Self::is_read) holds: appends to `reply` what
    /// [`execute`](Self::execute) would at this agreed time, which is not before that of the last
    /// execution. Not called for other operations.
    fn read(&self, time: Option<AgreedTime>, operation: &[u8], reply: &mut Vec<u8>) {
        let _ = (time, operation, reply);
        unreachable!("a state machine without reads is asked for one");
    }

    /// Takes back the newest execution that is neither undone nor committed.
    fn undo(&mut self, undo: Self::Undo);

    /// Everything up to `slot` is final; its undo records have been dropped.
    fn commit(&mut self, slot: SlotNumber);

    /// A digest of the whole logical state: equal at two replicas exactly when their states
    /// are, and the same before an execution as after its undo. May cost time linear in the
    /// state; asked for by operators and tests, never per request.
    fn digest(&self) -> SummaryHash;

    /// Appends the whole committed state to `out`, for [`restore`](Self::restore).
    fn snapshot(&self, out: &mut Vec<u8>);

    /// Replaces the state by one that [`snapshot`](Self::snapshot) wrote.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError>;
}

/// A snapshot that cannot be read back; the state machine is left as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("snapshot is not valid at byte {at}: {reason}")]
pub struct RestoreError {
    /// Offset of the first byte that makes no sense.
    pub at: usize,
    /// What was expected there.
    pub reason: &'static str,
}
