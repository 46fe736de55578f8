//! A key-value store with exact undo, as a pure state machine.
//!
//! Strings, hashes, lists and sets under byte-string keys, with deadlines in agreed time. An
//! operation is a batch of commands ([`encode`]), its reply a list of typed values ([`reply`]).
//! Nothing here reads a clock, draws a random number or walks a randomly seeded map. Not here:
//! RESP, which is [`crate::resp`], and how operations reach the replicas.

mod arguments;
mod commands;
mod cursor;
mod decode;
mod edit;
pub mod encode;
mod expiry;
mod failure;
mod glob;
mod hashes;
mod keys;
mod keyspace;
mod lists;
pub mod reply;
mod server;
mod sets;
mod snapshot;
mod strings;
mod transactions;
mod undo;
mod view;

#[cfg(test)]
mod tests;

pub use commands::{Description, REFUSED, check, descriptions};
pub use failure::Failure;
pub use undo::Undo;

#[cfg(feature = "front")]
pub(crate) use failure::printable;
#[cfg(feature = "front")]
pub(crate) use glob::matches as glob_matches;

use alloc::format;
use alloc::vec::Vec;
use cursor::Fault;
use decode::Batch;
use edit::Edit;
use keyspace::Keyspace;
use replica::{RestoreError, Stamp, StateMachine};
use reply::ReplyWriter;
use view::View;
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// Limit on a reply's size that fits one packet with the default payload limit, in bytes.
pub const DEFAULT_REPLY_LIMIT: usize = 1_200;
/// Smallest limit on a reply's size, in bytes: any error must fit.
pub const MIN_REPLY_LIMIT: usize = 512;

/// The latest time the store can hold; see `snapshot`.
const MAX_TIME_US: u64 = u64::MAX - 1;

/// A limit on replies that is too small to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reply limit of {limit} bytes is too small: it must be {MIN_REPLY_LIMIT} at least")]
pub struct ReplyLimitError {
    /// What was asked for, in bytes.
    pub limit: usize,
}

/// The store.
///
/// Equality compares everything, keys that are due but not yet removed included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kv {
    reply_limit: usize,
    now_us: Option<u64>,
    space: Keyspace,
}

impl Default for Kv {
    fn default() -> Self {
        Self {
            reply_limit: DEFAULT_REPLY_LIMIT,
            now_us: None,
            space: Keyspace::default(),
        }
    }
}

impl Kv {
    /// An empty store whose replies take at most this many bytes each. The limit decides what a
    /// batch executes, so it must be the same at every replica.
    pub fn with_reply_limit(limit: usize) -> Result<Self, ReplyLimitError> {
        if limit < MIN_REPLY_LIMIT {
            return Err(ReplyLimitError { limit });
        }
        Ok(Self {
            reply_limit: limit,
            ..Self::default()
        })
    }

    /// Most bytes one reply takes.
    pub const fn reply_limit(&self) -> usize {
        self.reply_limit
    }

    /// Number of keys that are not due at the last executed stamp. Linear in those that are.
    pub fn live_keys(&self) -> usize {
        self.space.len() - self.now_us.map_or(0, |now_us| self.space.due(now_us))
    }

    /// Number of keys with a deadline, those that are due but not yet removed included.
    pub fn expiring_keys(&self) -> usize {
        self.space.expiring()
    }

    /// Asserts what must always hold; linear in the state.
    pub fn check(&self) {
        self.space.check();
    }

    fn run(&mut self, batch: Batch<'_>, stamped: bool, reply: &mut Vec<u8>, undo: &mut Undo) {
        let start = reply.len();
        let now_us = self.now_us.unwrap_or(0);
        let mut edit = Edit::new(&mut self.space, &mut undo.steps, now_us, stamped);
        let mut writer = ReplyWriter::new(reply, self.reply_limit);
        match transactions::run_batch(&mut edit, batch, self.reply_limit, &mut writer) {
            Ok(executed) => writer.finish(executed),
            Err(fault) => {
                // Unreachable by construction, as the batch was checked; still not a panic.
                edit.undo_to(0);
                reply.truncate(start);
                refuse(reply, fault);
            }
        }
    }

    /// The store's time once an operation of this agreed time is run. The log never runs back;
    /// should a stamp do so, the store's time stands still.
    fn at(&self, time: Option<AgreedTime>) -> Option<u64> {
        let time_us = time.map(|time| time.0.min(MAX_TIME_US));
        self.now_us.max(time_us)
    }
}

impl StateMachine for Kv {
    type Undo = Undo;

    fn execute(&mut self, at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> Undo {
        let mut undo = Undo {
            now_us_before: self.now_us,
            steps: Vec::new(),
        };
        self.now_us = self.at(at.time);
        match Batch::parse(operation) {
            Ok(batch) => self.run(batch, at.time.is_some(), reply, &mut undo),
            Err(fault) => refuse(reply, fault),
        }
        undo
    }

    fn is_read(&self, operation: &[u8]) -> bool {
        Batch::parse(operation).is_ok_and(transactions::only_reads)
    }

    fn read(&self, time: Option<AgreedTime>, operation: &[u8], reply: &mut Vec<u8>) {
        let start = reply.len();
        let mut view = View::new(&self.space, self.at(time).unwrap_or(0), time.is_some());
        let mut writer = ReplyWriter::new(reply, self.reply_limit);
        let run = |batch| {
            transactions::run_batch(&mut view, batch, self.reply_limit, &mut writer)
                .map(|executed| writer.finish(executed))
        };
        if let Err(fault) = Batch::parse(operation).and_then(run) {
            reply.truncate(start);
            refuse(reply, fault);
        }
    }

    fn undo(&mut self, undo: Undo) {
        let Undo {
            now_us_before,
            mut steps,
        } = undo;
        undo::revert(&mut self.space, &mut steps, 0);
        self.now_us = now_us_before;
    }

    fn commit(&mut self, _slot: SlotNumber) {
        // All that a commit frees is in the undo records, which the caller drops.
    }

    fn digest(&self) -> SummaryHash {
        snapshot::digest(&self.space, self.now_us)
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        snapshot::write(&self.space, self.now_us, out);
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let (space, now_us) =
            snapshot::read(snapshot).map_err(|Fault { at, reason }| RestoreError { at, reason })?;
        self.space = space;
        self.now_us = now_us;
        Ok(())
    }
}

fn refuse(reply: &mut Vec<u8>, Fault { at, reason }: Fault) {
    let text = format!("ERR operation is not valid at byte {at}: {reason}");
    ReplyWriter::refuse(reply, &text);
}
