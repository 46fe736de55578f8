//! What must hold between log and client table, said as assertions.

use super::History;
use crate::client_table::ClientRecord;
use crate::state_machine::StateMachine;
use alloc::collections::BTreeSet;
use wire::{ClientId, SlotNumber};

impl<S: StateMachine> History<S> {
    /// Panics if the parts do not fit each other. Looks at what is speculative only, so that it
    /// can be called after every event; see [`check_thoroughly`](Self::check_thoroughly).
    pub fn check(&self) {
        self.log.check();
        assert!(self.clients.len() <= self.clients.clients_max());
        for (slot, entry, undo) in self.log.speculative() {
            let client = entry.request.client;
            if self.log.replaced_by(slot).is_none() {
                let record = self.clients.get(client).map(|record| record.slot);
                assert_eq!(record, Some(slot), "the newest slot of client {client}");
            }
            for (client, record) in undo.clients.records(client) {
                assert!(record.slot < slot, "slot {slot} replaced a later one");
                self.check_record(client, record, Some(slot));
            }
        }
    }

    /// Panics if anything is inconsistent. Walks all entries and all clients.
    pub fn check_thoroughly(&self) {
        self.check();
        self.log.check_thoroughly();
        let mut slots = BTreeSet::new();
        for (client, record) in self.clients.iter() {
            assert!(
                slots.insert(record.slot),
                "two clients at slot {}",
                record.slot
            );
            self.check_record(client, record, None);
        }
        for (slot, entry) in self.log.above(self.log.base()) {
            let client = entry.request.client;
            match self.log.replaced_by(slot) {
                Some(by) => assert!(slot < by && by <= self.log.last()),
                None => assert!(
                    slots.contains(&slot),
                    "slot {slot} of client {client} is in no record"
                ),
            }
        }
    }

    /// A record has its reply in exactly one place, and the entry knows who replaced it.
    fn check_record(&self, client: ClientId, record: &ClientRecord, by: Option<SlotNumber>) {
        let slot = record.slot;
        assert!(slot > SlotNumber::ZERO && slot <= self.log.last());
        let entry = self.log.get(slot);
        assert_eq!(
            record.saved().is_some(),
            entry.is_none(),
            "the reply to client {client} at slot {slot} is in the log or saved, not both"
        );
        if let Some(entry) = entry {
            assert_eq!(
                (entry.request.client, entry.request.number),
                (client, record.number)
            );
            assert_eq!(self.log.replaced_by(slot), by, "what replaced slot {slot}");
        }
    }
}
