//! State machine, log and client table as one thing that moves forward and back together.
//!
//! Protocols decide the order; this carries it out. Appending executes at once, rolling back
//! undoes newest first, committing lets the undo records go. A committed prefix can be written
//! as a [snapshot](History::snapshot) and read back elsewhere. In the steady state a request
//! allocates nothing.
//!
//! What is kept, and what happens at the bound ([`Bounds`]):
//!
//! | what | bound | policy |
//! |---|---|---|
//! | committed entries | `retained_bytes` | the oldest are dropped; who lacks them needs a snapshot |
//! | clients | `clients_max` | a sixteenth is forgotten, the least recently heard; see [`client_table`](crate::client_table) |
//! | speculative entries and their undo records | none here | the protocol stops appending, by [`speculative_len`](History::speculative_len) and [`speculative_bytes`](History::speculative_bytes) |
//! | empty buffers kept for later | 2 MiB of chunks, 1,024 results of 4 KiB | what comes on top is freed |

mod adopt;
mod arena;
mod check;
mod entry;
mod log;
mod request;
mod snapshot;

pub use adopt::{Adopted, OwnedEntries, owned};
pub use entry::EntryRef;
pub use log::Log;
pub use request::{Origin, RequestRef, StoredRequest, chain};
pub use snapshot::SnapshotAt;

use crate::client_table::{CLIENTS_MAX, ClientTable, Freshness};
use crate::mutant::Mutant;
use crate::state_machine::{Stamp, StateMachine};
use alloc::vec::Vec;
use derive_where::derive_where;
use entry::Undo;
use wire::{AgreedTime, ClientId, RequestNumber, SlotNumber, SummaryHash, ViewNumber};

/// Committed entries are kept for others up to this many bytes unless configured otherwise.
pub const DEFAULT_RETAINED_BYTES: usize = 64 << 20;

/// How much a history keeps; see the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Committed entries are kept for others up to this many bytes. May differ between replicas.
    pub retained_bytes: usize,
    /// So many clients are remembered. Decides which requests are new, so it must be the same at
    /// every replica.
    pub clients_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            retained_bytes: DEFAULT_RETAINED_BYTES,
            clients_max: CLIENTS_MAX,
        }
    }
}

/// The reply to a client's newest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SavedReply<'a> {
    /// The request.
    pub number: RequestNumber,
    /// Its slot.
    pub slot: SlotNumber,
    /// The summary hash at the slot.
    pub hash: SummaryHash,
    /// Whether the slot can no longer change.
    pub committed: bool,
    /// What the state machine returned.
    pub result: &'a [u8],
}

/// The replicated history of one replica.
///
/// Equality and hash are those of the contents: where bytes lie in memory does not count.
#[derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct History<S: StateMachine> {
    machine: S,
    log: Log<S::Undo>,
    clients: ClientTable,
    /// Whether entries have an agreed time.
    timed: bool,
    retained_bytes: usize,
    /// Where results are built; kept so that a request costs no growth.
    #[derive_where(skip)]
    scratch: Vec<u8>,
    mutant: Option<Mutant>,
}

impl<S: StateMachine> History<S> {
    /// An empty history of `machine`. `timed` says whether the fabric stamps.
    pub fn new(machine: S, timed: bool, bounds: Bounds) -> Self {
        Self {
            machine,
            log: Log::default(),
            clients: ClientTable::new(bounds.clients_max),
            timed,
            retained_bytes: bounds.retained_bytes,
            scratch: Vec::new(),
            mutant: None,
        }
    }

    /// The same with a deliberate break, for tests of what should catch it.
    #[must_use]
    pub fn broken(mut self, mutant: Option<Mutant>) -> Self {
        self.mutant = mutant;
        self
    }

    fn breaks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The summary hash after `request`, given the hash and the agreed time before it.
    pub fn chain(
        &self,
        before: SummaryHash,
        time: AgreedTime,
        mut request: RequestRef<'_>,
    ) -> SummaryHash {
        if self.breaks(Mutant::HashWithoutClient) {
            request.client = ClientId::ZERO;
            request.number = RequestNumber::ZERO;
        }
        chain(before, time, request)
    }

    /// The log.
    pub fn log(&self) -> &Log<S::Undo> {
        &self.log
    }

    /// The state machine.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// The clients.
    pub fn clients(&self) -> &ClientTable {
        &self.clients
    }

    /// How many bytes of committed entries may be kept for others.
    pub fn retained_bytes(&self) -> usize {
        self.retained_bytes
    }

    /// How many entries may yet be undone.
    pub fn speculative_len(&self) -> usize {
        self.log.speculative_len()
    }

    /// Operations and results of the entries that may yet be undone, in bytes.
    pub fn speculative_bytes(&self) -> usize {
        self.log.speculative_bytes()
    }

    /// How a request relates to what its client asked before.
    pub fn freshness(&self, client: ClientId, number: RequestNumber) -> Freshness {
        self.clients.freshness(client, number)
    }

    /// The reply to the client's newest request, whether its entry is still in the log or not.
    pub fn saved_reply(&self, client: ClientId) -> Option<SavedReply<'_>> {
        let record = self.clients.get(client)?;
        let (hash, result) = self.reply_of(record);
        Some(SavedReply {
            number: record.number,
            slot: record.slot,
            hash,
            committed: record.slot <= self.log.last_committed(),
            result,
        })
    }

    /// Appends and executes a request that is new; returns its slot.
    pub fn append(&mut self, view: ViewNumber, request: RequestRef<'_>) -> SlotNumber {
        let slot = self.log.last().next();
        let time = if self.breaks(Mutant::TimeRunsBack) {
            request.origin.time
        } else {
            self.log.last_time().max(request.origin.time)
        };
        let hash = self.chain(self.log.last_hash(), time, request);
        let at = Stamp {
            slot,
            time: self.timed.then_some(time),
        };
        self.scratch.clear();
        let machine = self
            .machine
            .execute(at, request.operation, &mut self.scratch);
        let clients = self.clients.record(request.client, request.number, slot);
        let entry = EntryRef {
            view,
            request,
            time,
            hash,
            result: &self.scratch,
        };
        self.log.push(entry, Undo { machine, clients });
        slot
    }

    /// Whether the state machine can answer an operation without a place in the log.
    pub fn is_read(&self, operation: &[u8]) -> bool {
        self.machine.is_read(operation)
    }

    /// Answers a read from the state after the newest entry. `time` is an agreed time not before
    /// that entry's.
    pub fn read(&self, time: AgreedTime, operation: &[u8], reply: &mut Vec<u8>) {
        assert!(
            time >= self.log.last_time(),
            "a read at {time}, and the log is at {}",
            self.log.last_time()
        );
        self.machine
            .read(self.timed.then_some(time), operation, reply);
    }

    /// Executes the request of the entry at `slot` once more, as if nobody remembered. Only a
    /// mutant gets here.
    pub(crate) fn execute_again(&mut self, slot: SlotNumber) {
        let Some(entry) = self.log.get(slot) else {
            return;
        };
        let at = Stamp {
            slot,
            time: self.timed.then_some(entry.time),
        };
        self.scratch.clear();
        self.machine
            .execute(at, entry.request.operation, &mut self.scratch);
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
            let mut request = None;
            let undo = self
                .log
                .pop(|entry| request = Some(entry.request.to_stored()));
            let undo = undo.expect("speculative entries can be undone");
            let request = request.expect("an entry was popped");
            if !self.breaks(Mutant::SkipUndo) {
                self.machine.undo(undo.machine);
            }
            if !self.breaks(Mutant::KeepClientTable) {
                self.clients.restore(request.client, undo.clients);
            }
            removed(request);
        }
    }

    /// Makes everything up to `slot` final; drops old entries beyond the bound on memory.
    pub fn commit(&mut self, slot: SlotNumber) {
        assert!(
            slot <= self.log.last(),
            "cannot commit {slot}, the log ends at {}",
            self.log.last()
        );
        while self.log.last_committed() < slot {
            let replaced = self.log.commit_next();
            self.clients.forget(replaced);
        }
        self.machine.commit(slot);
        self.truncate();
    }

    fn truncate(&mut self) {
        if self.breaks(Mutant::NeverTruncate) {
            return;
        }
        let Self { log, clients, .. } = self;
        while log.is_above(self.retained_bytes) {
            log.drop_oldest(|slot, entry, replaced| {
                let client = entry.request.client;
                let reply = (entry.hash, entry.result);
                match replaced {
                    None => clients.save(client, slot, reply),
                    Some(replaced) => clients.save_replaced(replaced, client, slot, reply),
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
