//! The committed prefix as bytes, and back.
//!
//! ```text
//! snapshot = version (1 byte, 1), state machine: length (8 bytes) and its own snapshot,
//!            clients: count (4 bytes) and records in ascending order
//! record   = client (8), request number (8), slot (8), summary hash at the slot (32),
//!            result: length (4) and bytes
//! ```
//!
//! Big-endian throughout. Two replicas with the same committed prefix write the same bytes,
//! whatever they have truncated or executed on top. How far the snapshot reaches is not in the
//! bytes: [`SnapshotAt`] goes with them, and who installs one has both from somebody it trusts.

use super::{History, Log, Undo};
use crate::client_table::ClientRecord;
use crate::mutant::Mutant;
use crate::state_machine::{RestoreError, Stamp, StateMachine};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use wire::{AgreedTime, ClientId, RequestNumber, SlotNumber, SummaryHash};

const VERSION: u8 = 1;

/// No log gets this far; whoever says so would make the next slots overflow.
const LAST_SLOT_MAX: SlotNumber = SlotNumber(u64::MAX / 2);

/// Where in the log a snapshot stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SnapshotAt {
    /// The last slot it covers.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
    /// The agreed time there.
    pub time: AgreedTime,
}

impl<S: StateMachine> History<S> {
    /// Appends the committed state to `out`. Speculative entries are undone before and executed
    /// again after; nothing else may be seen of it. Takes time linear in the state.
    ///
    /// Panics if an entry has another result the second time: the state machine is then not
    /// deterministic or its undo not exact, and replicas cannot be held together.
    pub fn snapshot(&mut self, out: &mut Vec<u8>) -> SnapshotAt {
        let slot = self.log.last_committed();
        let at = SnapshotAt {
            slot,
            hash: self.log.hash_at(slot).expect("at or above the base"),
            time: self.log.time_at(slot).expect("at or above the base"),
        };
        let start = out.len();
        out.push(VERSION);
        out.extend_from_slice(&[0; 8]);
        if self.breaks(Mutant::SnapshotOfSpeculation) {
            self.machine.snapshot(out);
        } else {
            self.with_committed_machine(|machine| machine.snapshot(out));
        }
        let machine_len = (out.len() - start - 9) as u64;
        out[start + 1..start + 9].copy_from_slice(&machine_len.to_be_bytes());
        self.write_clients(out);
        at
    }

    /// Replaces everything by what [`snapshot`](Self::snapshot) wrote: the log is then empty
    /// and goes on above `at`. What was speculative is gone without a trace, so whoever still
    /// needs those requests rolls back before. On an error nothing changes.
    pub fn restore(&mut self, at: SnapshotAt, bytes: &[u8]) -> Result<(), RestoreError> {
        let committed = self.log.last_committed();
        let refused = |reason| Err(RestoreError { at: 0, reason });
        if at.slot < committed {
            return refused("it ends below a slot that is committed here");
        }
        if at.slot == committed && self.log.hash_at(committed) != Some(at.hash) {
            return refused("another log up to its last slot is committed here");
        }
        if at.slot > LAST_SLOT_MAX {
            return refused("its last slot leaves no room for a log above");
        }
        let mut reader = Reader { bytes, at: 0 };
        if reader.array()? != [VERSION] {
            return refused("unknown version of the snapshot format");
        }
        let machine_len = u64::from_be_bytes(reader.array()?);
        let machine_start = reader.at;
        let machine = reader.take(machine_len)?;
        let clients = read_clients(&mut reader, at, self.clients.clients_max())?;
        if reader.at != bytes.len() {
            return Err(reader.error("more bytes follow the last client"));
        }
        if !self.breaks(Mutant::SnapshotWithoutState) {
            self.machine
                .restore(machine)
                .map_err(|error| RestoreError {
                    at: error.at.saturating_add(machine_start),
                    reason: error.reason,
                })?;
        }
        self.clients.install(clients);
        self.log = Log::above_snapshot(at);
        Ok(())
    }

    /// Shows `look` the state machine as of the last committed slot.
    fn with_committed_machine(&mut self, look: impl FnOnce(&S)) {
        let mut replaced = VecDeque::new();
        for undo in self.log.take_undos().into_iter().rev() {
            self.machine.undo(undo.machine);
            replaced.push_front(undo.clients);
        }
        look(&self.machine);
        let mut undos = VecDeque::with_capacity(replaced.len());
        let entries = self.log.above(self.log.last_committed());
        for ((slot, entry), clients) in entries.zip(replaced) {
            let at = Stamp {
                slot,
                time: self.timed.then_some(entry.time),
            };
            self.scratch.clear();
            let operation = entry.request.operation;
            let machine = self.machine.execute(at, operation, &mut self.scratch);
            assert!(
                self.scratch == entry.result,
                "slot {slot} was undone and executed again with another result: the state machine \
                 is not deterministic, or its undo is not exact"
            );
            undos.push_back(Undo { machine, clients });
        }
        self.log.put_undos(undos);
    }

    /// Writes the client table as of the last committed slot.
    fn write_clients(&self, out: &mut Vec<u8>) {
        let mut records: BTreeMap<ClientId, &ClientRecord> = self.clients.iter().collect();
        for (_, entry, undo) in self.log.speculative().rev() {
            let client = entry.request.client;
            records.remove(&client);
            records.extend(undo.clients.records(client));
        }
        let count = u32::try_from(records.len()).expect("fewer than 2^32 clients are remembered");
        out.extend_from_slice(&count.to_be_bytes());
        for (client, record) in records {
            let (hash, result) = self.reply_of(record);
            out.extend_from_slice(&client.0.to_be_bytes());
            out.extend_from_slice(&record.number.0.to_be_bytes());
            out.extend_from_slice(&record.slot.0.to_be_bytes());
            out.extend_from_slice(&hash.0);
            let len = u32::try_from(result.len()).expect("results are shorter than 4 GiB");
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(result);
        }
    }

    /// Hash and result that go with a client's record.
    pub(super) fn reply_of<'a>(&'a self, record: &'a ClientRecord) -> (SummaryHash, &'a [u8]) {
        if let Some(saved) = record.saved() {
            return (saved.hash, &saved.result);
        }
        let entry = self
            .log
            .get(record.slot)
            .expect("what is not in the log was saved");
        (entry.hash, entry.result)
    }
}

fn read_clients(
    reader: &mut Reader<'_>,
    at: SnapshotAt,
    clients_max: usize,
) -> Result<BTreeMap<ClientId, ClientRecord>, RestoreError> {
    let counted = reader.clone();
    let count = u32::from_be_bytes(reader.array()?);
    if u64::from(count) > clients_max as u64 {
        return Err(counted.error("it has more clients than are remembered here"));
    }
    let mut clients = BTreeMap::new();
    let mut slots = BTreeSet::new();
    for _ in 0..count {
        let start = reader.clone();
        let client = ClientId(u64::from_be_bytes(reader.array()?));
        if clients
            .last_key_value()
            .is_some_and(|(last, _)| *last >= client)
        {
            return Err(start.error("clients are not in ascending order"));
        }
        let number = RequestNumber(u64::from_be_bytes(reader.array()?));
        let slot = SlotNumber(u64::from_be_bytes(reader.array()?));
        let hash = SummaryHash(reader.array()?);
        let len = u32::from_be_bytes(reader.array()?);
        let result = reader.take(len.into())?;
        if slot == SlotNumber::ZERO || slot > at.slot {
            return Err(start.error("a client's slot is not in the log up to the snapshot"));
        }
        if slot == at.slot && hash != at.hash {
            return Err(start.error("the hash at the last slot is not the snapshot's"));
        }
        if !slots.insert(slot) {
            return Err(start.error("two clients have the same slot"));
        }
        let record = ClientRecord::with_reply(number, slot, hash, result);
        clients.insert(client, record);
    }
    Ok(clients)
}

/// A position in bytes that somebody else wrote.
#[derive(Clone)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, reason: &'static str) -> RestoreError {
        RestoreError {
            at: self.at,
            reason,
        }
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], RestoreError> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let taken = taken.ok_or_else(|| self.error("a length passes the end of the bytes"))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let rest = &self.bytes[self.at..];
        let taken = *rest
            .first_chunk()
            .ok_or_else(|| self.error("the bytes end inside a field"))?;
        self.at += N;
        Ok(taken)
    }
}
