//! The last request of each client: what makes a retransmission harmless.
//!
//! Part of the replicated state: it changes when an entry is appended and goes back when the
//! entry is rolled back.

use alloc::collections::BTreeMap;
use wire::{ClientId, RequestNumber, SlotNumber};

/// A client's newest request and where it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientRecord {
    /// The request.
    pub number: RequestNumber,
    /// Its slot.
    pub slot: SlotNumber,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientTable {
    records: BTreeMap<ClientId, ClientRecord>,
}

impl ClientTable {
    /// How request `number` of `client` relates to the table.
    pub fn freshness(&self, client: ClientId, number: RequestNumber) -> Freshness {
        match self.records.get(&client) {
            Some(record) if number < record.number => Freshness::Stale,
            Some(record) if number == record.number => Freshness::Repeated(record.slot),
            _ => Freshness::New,
        }
    }

    /// Notes a request; returns the record it replaces, for [`restore`](Self::restore).
    pub fn record(&mut self, client: ClientId, record: ClientRecord) -> Option<ClientRecord> {
        let previous = self.records.insert(client, record);
        assert!(
            previous.is_none_or(|old| old.number < record.number),
            "requests of one client are appended in order"
        );
        previous
    }

    /// Puts back what [`record`](Self::record) replaced.
    pub fn restore(&mut self, client: ClientId, previous: Option<ClientRecord>) {
        match previous {
            Some(record) => self.records.insert(client, record),
            None => self.records.remove(&client),
        };
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no client is known.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_makes_a_request_new_again() {
        let mut table = ClientTable::default();
        let client = ClientId(1);
        let first = ClientRecord {
            number: RequestNumber(1),
            slot: SlotNumber(4),
        };
        let second = ClientRecord {
            number: RequestNumber(2),
            slot: SlotNumber(9),
        };
        assert_eq!(table.record(client, first), None);
        let previous = table.record(client, second);
        assert_eq!(table.freshness(client, RequestNumber(1)), Freshness::Stale);
        assert_eq!(
            table.freshness(client, RequestNumber(2)),
            Freshness::Repeated(SlotNumber(9))
        );
        table.restore(client, previous);
        assert_eq!(table.freshness(client, RequestNumber(2)), Freshness::New);
        assert_eq!(
            table.freshness(client, RequestNumber(1)),
            Freshness::Repeated(SlotNumber(4))
        );
        table.restore(client, None);
        assert!(table.is_empty());
    }
}
