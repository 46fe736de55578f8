//! State machine, log and client table as one thing that moves forward and back together.
//!
//! Protocols decide the order; this carries it out. Appending executes at once, rolling back
//! undoes newest first, committing lets the undo records go.

mod log;
mod request;

pub use log::{Log, LogEntry, Undo};
pub use request::{Origin, StoredRequest};

use crate::client_table::{ClientRecord, ClientTable, Freshness};
use crate::state_machine::{Stamp, StateMachine};
use alloc::vec::Vec;
use wire::{AgreedTime, ClientId, RequestNumber, SlotNumber, SummaryHash, ViewNumber};

/// Committed entries are kept for others up to this many bytes unless configured otherwise.
pub const DEFAULT_RETAINED_BYTES: usize = 64 << 20;

/// The replicated history of one replica.
pub struct History<S: StateMachine> {
    machine: S,
    log: Log<S::Undo>,
    clients: ClientTable,
    /// Whether entries have an agreed time.
    timed: bool,
    retained_bytes: usize,
    /// Where results are built; kept so that a request costs no growth.
    scratch: Vec<u8>,
}

impl<S: StateMachine> History<S> {
    /// An empty history of `machine`. `timed` says whether the fabric stamps.
    pub fn new(machine: S, timed: bool, retained_bytes: usize) -> Self {
        Self {
            machine,
            log: Log::default(),
            clients: ClientTable::default(),
            timed,
            retained_bytes,
            scratch: Vec::new(),
        }
    }

    /// The log.
    pub fn log(&self) -> &Log<S::Undo> {
        &self.log
    }

    /// The state machine.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// How a request relates to what its client asked before.
    pub fn freshness(&self, client: ClientId, number: RequestNumber) -> Freshness {
        self.clients.freshness(client, number)
    }

    /// Appends and executes a request that is new; returns its slot.
    pub fn append(&mut self, view: ViewNumber, request: StoredRequest) -> SlotNumber {
        let slot = self.log.last().next();
        let time = self.log.last_time().max(request.origin.time);
        let hash = chain(self.log.last_hash(), time, &request);
        let at = Stamp {
            slot,
            time: self.timed.then_some(time),
        };
        self.scratch.clear();
        let machine = self
            .machine
            .execute(at, &request.operation, &mut self.scratch);
        let record = ClientRecord {
            number: request.number,
            slot,
        };
        let client = self.clients.record(request.client, record);
        let result = self.scratch.as_slice().into();
        let undo = Some(Undo { machine, client });
        self.log.push(LogEntry {
            view,
            request,
            time,
            hash,
            result,
            undo,
        });
        slot
    }

    /// Undoes everything above `keep`, newest first; hands each request to `removed`.
    /// `keep` must not be below the committed prefix.
    pub fn rollback(&mut self, keep: SlotNumber, mut removed: impl FnMut(StoredRequest)) {
        let committed = self.log.last_committed();
        assert!(
            keep >= committed,
            "cannot roll back to {keep}: {committed} is committed"
        );
        while self.log.last() > keep {
            let entry = self.log.pop().expect("above the committed prefix");
            let undo = entry.undo.expect("speculative entries can be undone");
            self.machine.undo(undo.machine);
            self.clients.restore(entry.request.client, undo.client);
            removed(entry.request);
        }
    }

    /// Makes everything up to `slot` final; drops old entries beyond the bound on memory.
    pub fn commit(&mut self, slot: SlotNumber) {
        self.log.commit(slot);
        self.machine.commit(slot);
        self.log.truncate(self.retained_bytes);
    }

    /// Panics if the parts do not fit each other.
    pub fn check(&self) {
        self.log.check();
    }
}

/// The summary hash after `request` at `time`, given the one before it.
///
/// Covers what decides the state and the reply: client, request number, agreed time, operation.
/// The view label and the reply address are not covered, hence never read for a decision.
pub fn chain(before: SummaryHash, time: AgreedTime, request: &StoredRequest) -> SummaryHash {
    let mut hasher = blake3::Hasher::new();
    let mut fixed = [0; 56];
    fixed[..32].copy_from_slice(&before.0);
    fixed[32..40].copy_from_slice(&request.client.0.to_be_bytes());
    fixed[40..48].copy_from_slice(&request.number.0.to_be_bytes());
    fixed[48..].copy_from_slice(&time.0.to_be_bytes());
    hasher.update(&fixed);
    hasher.update(&request.operation);
    SummaryHash(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests;
