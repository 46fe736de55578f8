//! The last request of each client: what makes a retransmission harmless.
//!
//! Part of the replicated state: it changes when an entry is appended and goes back, exactly,
//! when the entry is rolled back. While a client's newest entry is in the log its reply is read
//! there; when the log drops the entry, hash and result move here, so that a committed reply can
//! be sent again for as long as the client is known.
//!
//! Bound: `clients_max` clients. When one more comes, the least recently heard of them are
//! forgotten, a sixteenth of the bound at a time, so that the search for them costs little per
//! request. Which ones follows from the log alone, so all replicas with the same bound forget
//! the same ones. A forgotten client that asks for its last request again would have it executed
//! again: the bound must be far above the number of clients that may still be waiting.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use derive_where::derive_where;
use wire::{ClientId, RequestNumber, SlotNumber, SummaryHash};

/// How many clients are remembered unless configured otherwise.
pub const CLIENTS_MAX: usize = 65_536;

/// One part in so many of the table is forgotten at a time.
const FORGET_PART: usize = 16;

/// Buffers of replies that are kept to be used again; what comes on top is freed.
const SPARE_RESULTS_MAX: usize = 1_024;

/// A buffer larger than this is freed rather than kept: most results fit one packet.
const SPARE_RESULT_BYTES_MAX: usize = 4_096;

/// A client's newest request and where it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientRecord {
    /// The request.
    pub number: RequestNumber,
    /// Its slot.
    pub slot: SlotNumber,
    /// What the log no longer holds of the reply.
    saved: Option<SavedResult>,
}

/// The part of a committed reply that its log entry held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SavedResult {
    pub(crate) hash: SummaryHash,
    pub(crate) result: Vec<u8>,
}

impl ClientRecord {
    fn new(number: RequestNumber, slot: SlotNumber) -> Self {
        Self {
            number,
            slot,
            saved: None,
        }
    }

    /// A record whose entry is in no log.
    pub(crate) fn with_reply(
        number: RequestNumber,
        slot: SlotNumber,
        hash: SummaryHash,
        result: &[u8],
    ) -> Self {
        let result = result.to_vec();
        Self {
            number,
            slot,
            saved: Some(SavedResult { hash, result }),
        }
    }

    /// Hash and result, if the log no longer holds them.
    pub(crate) fn saved(&self) -> Option<&SavedResult> {
        self.saved.as_ref()
    }
}

/// What a new record took the place of; see [`ClientTable::record`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Replaced {
    /// The client's record before.
    previous: Option<ClientRecord>,
    /// Who was forgotten to make room, in ascending order of clients.
    forgotten: Vec<(ClientId, ClientRecord)>,
}

impl Replaced {
    /// The records in it, with their clients; `client` is whose record did the replacing.
    pub(crate) fn records(
        &self,
        client: ClientId,
    ) -> impl Iterator<Item = (ClientId, &ClientRecord)> {
        let forgotten = self
            .forgotten
            .iter()
            .map(|(client, record)| (*client, record));
        self.previous
            .iter()
            .map(move |record| (client, record))
            .chain(forgotten)
    }

    /// The record of `client` at `slot`.
    fn find(&mut self, client: ClientId, slot: SlotNumber) -> Option<&mut ClientRecord> {
        if let Some(record) = self.previous.as_mut().filter(|record| record.slot == slot) {
            return Some(record);
        }
        let index = self
            .forgotten
            .binary_search_by_key(&client, |(client, _)| *client);
        let (_, record) = self.forgotten.get_mut(index.ok()?)?;
        Some(record).filter(|record| record.slot == slot)
    }
}

/// How a request relates to what its client asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not seen in this log.
    New,
    /// The client's newest; its reply is at the slot.
    Repeated(SlotNumber),
    /// Older than the client's newest: nobody waits for it.
    Stale,
}

/// All clients.
#[derive(Clone)]
#[derive_where(Debug, PartialEq, Eq, Hash)]
pub struct ClientTable {
    records: BTreeMap<ClientId, ClientRecord>,
    clients_max: usize,
    /// Emptied buffers for results: no part of the state.
    #[derive_where(skip)]
    spare: Vec<Vec<u8>>,
}

impl Default for ClientTable {
    fn default() -> Self {
        Self::new(CLIENTS_MAX)
    }
}

impl ClientTable {
    /// An empty table for at most `clients_max` clients, which must not be 0.
    pub fn new(clients_max: usize) -> Self {
        assert!(
            clients_max > 0,
            "a client table for no client, at least 1 is needed"
        );
        Self {
            records: BTreeMap::new(),
            clients_max,
            spare: Vec::new(),
        }
    }

    /// How request `number` of `client` relates to the table.
    pub fn freshness(&self, client: ClientId, number: RequestNumber) -> Freshness {
        match self.records.get(&client) {
            Some(record) if number < record.number => Freshness::Stale,
            Some(record) if number == record.number => Freshness::Repeated(record.slot),
            _ => Freshness::New,
        }
    }

    /// The client's record.
    pub fn get(&self, client: ClientId) -> Option<&ClientRecord> {
        self.records.get(&client)
    }

    /// All records, in ascending order of clients.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, &ClientRecord)> {
        self.records
            .iter()
            .map(|(client, record)| (*client, record))
    }

    /// Notes a request; returns what it replaces, for [`restore`](Self::restore) or
    /// [`forget`](Self::forget).
    pub fn record(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        slot: SlotNumber,
    ) -> Replaced {
        let record = ClientRecord::new(number, slot);
        if let Some(known) = self.records.get_mut(&client) {
            assert!(
                known.number < number,
                "requests of one client are appended in order"
            );
            return Replaced {
                previous: Some(core::mem::replace(known, record)),
                forgotten: Vec::new(),
            };
        }
        let forgotten = self.make_room();
        self.records.insert(client, record);
        Replaced {
            previous: None,
            forgotten,
        }
    }

    /// Puts back what [`record`](Self::record) replaced.
    pub fn restore(&mut self, client: ClientId, replaced: Replaced) {
        match replaced.previous {
            Some(record) => self.records.insert(client, record),
            None => self.records.remove(&client),
        };
        for (client, record) in replaced.forgotten {
            let other = self.records.insert(client, record);
            assert!(
                other.is_none(),
                "client {client} was both forgotten and known"
            );
        }
    }

    /// Lets go of what [`record`](Self::record) replaced; keeps the memory.
    pub fn forget(&mut self, replaced: Replaced) {
        let forgotten = replaced.forgotten.into_iter().map(|(_, record)| record);
        for record in replaced.previous.into_iter().chain(forgotten) {
            self.recycle(record);
        }
    }

    /// Keeps the reply to the client's newest request, which the log is about to drop.
    pub(crate) fn save(
        &mut self,
        client: ClientId,
        slot: SlotNumber,
        (hash, result): (SummaryHash, &[u8]),
    ) {
        let saved = self.saved_result(hash, result);
        let record = self
            .records
            .get_mut(&client)
            .expect("nothing newer replaced the record");
        assert_eq!(record.slot, slot, "the record of client {client}");
        record.saved = Some(saved);
    }

    /// Keeps a reply whose record was replaced by an entry that may yet be undone.
    pub(crate) fn save_replaced(
        &mut self,
        replaced: &mut Replaced,
        client: ClientId,
        slot: SlotNumber,
        (hash, result): (SummaryHash, &[u8]),
    ) {
        let saved = self.saved_result(hash, result);
        let record = replaced
            .find(client, slot)
            .expect("the entry that replaced it holds it");
        record.saved = Some(saved);
    }

    /// Replaces all records.
    pub(crate) fn install(&mut self, records: BTreeMap<ClientId, ClientRecord>) {
        assert!(records.len() <= self.clients_max);
        self.records = records;
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no client is known.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many clients may be known.
    pub fn clients_max(&self) -> usize {
        self.clients_max
    }

    fn saved_result(&mut self, hash: SummaryHash, bytes: &[u8]) -> SavedResult {
        let mut result = self.spare.pop().unwrap_or_default();
        result.extend_from_slice(bytes);
        SavedResult { hash, result }
    }

    fn recycle(&mut self, record: ClientRecord) {
        let Some(SavedResult { mut result, .. }) = record.saved else {
            return;
        };
        let fits = result.capacity() <= SPARE_RESULT_BYTES_MAX;
        if fits && self.spare.len() < SPARE_RESULTS_MAX {
            result.clear();
            self.spare.push(result);
        }
    }

    /// Forgets the least recently heard clients if the table is full.
    fn make_room(&mut self) -> Vec<(ClientId, ClientRecord)> {
        if self.records.len() < self.clients_max {
            return Vec::new();
        }
        let count = (self.clients_max / FORGET_PART).max(1);
        let mut slots: Vec<SlotNumber> = self.records.values().map(|r| r.slot).collect();
        let (_, newest_forgotten, _) = slots.select_nth_unstable(count - 1);
        let newest_forgotten = *newest_forgotten;
        let old = |_: &ClientId, record: &mut ClientRecord| record.slot <= newest_forgotten;
        let forgotten: Vec<_> = self.records.extract_if(.., old).collect();
        assert_eq!(forgotten.len(), count, "each client has a slot of its own");
        forgotten
    }
}

#[cfg(test)]
mod tests;
