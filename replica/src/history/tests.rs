//! Forward and back: whatever is appended and rolled back leaves no trace.

mod forward_and_back;
mod model;
mod snapshots;

use super::*;
use crate::state_machine::RestoreError;
use alloc::boxed::Box;
use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;
use wire::{AgreedTime, EpochNumber, HostAddress, SequenceNumber};

/// No snapshot of a [`Tape`] has this byte.
const NEVER_ON_TAPE: u8 = 0xFF;

/// Appends the operation's bytes to a string; undo cuts them off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Tape(Vec<u8>);

impl StateMachine for Tape {
    type Undo = usize;

    /// Answers with the tape's length before, then with the operation.
    fn execute(&mut self, _at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> usize {
        let before = self.0.len();
        self.0.extend_from_slice(operation);
        reply.extend_from_slice(&before.to_be_bytes());
        reply.extend_from_slice(operation);
        before
    }
    fn undo(&mut self, undo: usize) {
        self.0.truncate(undo);
    }
    fn commit(&mut self, _slot: SlotNumber) {}
    fn digest(&self) -> SummaryHash {
        SummaryHash(*blake3::hash(&self.0).as_bytes())
    }
    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        if let Some(at) = snapshot.iter().position(|byte| *byte == NEVER_ON_TAPE) {
            let reason = "this byte is on no tape";
            return Err(RestoreError { at, reason });
        }
        self.0 = snapshot.to_vec();
        Ok(())
    }
}

fn request(client: u64, number: u64, time: u64, operation: &[u8]) -> StoredRequest {
    StoredRequest {
        origin: Origin {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(number),
            time: AgreedTime(time),
        },
        client: ClientId(client),
        number: RequestNumber(number),
        reply_to: HostAddress::default(),
        operation: operation.into(),
    }
}

fn bounded(retained_bytes: usize, clients_max: usize) -> History<Tape> {
    let bounds = Bounds {
        retained_bytes,
        clients_max,
    };
    History::new(Tape::default(), true, bounds)
}

fn history() -> History<Tape> {
    History::new(Tape::default(), true, Bounds::default())
}

/// Appends request `number` of `client` at time `number`, with a short operation.
fn ask(history: &mut History<Tape>, client: u64, number: u64) -> SlotNumber {
    let operation = [u8::try_from(client).unwrap(), u8::try_from(number).unwrap()];
    let request = request(client, number, number, &operation);
    history.append(ViewNumber(0), request.as_ref())
}

fn freshness(history: &History<Tape>, client: u64, number: u64) -> Freshness {
    history.freshness(ClientId(client), RequestNumber(number))
}

fn snapshot_of(history: &mut History<Tape>) -> (SnapshotAt, Box<[u8]>) {
    let mut bytes = Vec::new();
    let at = history.snapshot(&mut bytes);
    (at, bytes.into())
}

fn hash_of(history: &History<Tape>) -> u64 {
    let mut hasher = DefaultHasher::new();
    history.hash(&mut hasher);
    hasher.finish()
}
