//! Equal summary hashes mean equal entries: client, number, operation, agreed time and result.
//!
//! A hash that leaves something out lets replicas agree on it and differ in what it stands for.

use super::{Invariant, Sight};
use crate::world::SeenEntry;
use std::collections::BTreeMap;
use wire::{AgreedTime, ClientId, RequestNumber, SlotNumber, SummaryHash};

/// What a hash stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meaning {
    slot: SlotNumber,
    client: ClientId,
    number: RequestNumber,
    time: AgreedTime,
    operation: Box<[u8]>,
    result: Box<[u8]>,
}

impl Meaning {
    fn of(entry: &SeenEntry<'_>) -> Self {
        Self {
            slot: entry.slot,
            client: entry.client,
            number: entry.number,
            time: entry.time,
            operation: entry.operation.into(),
            result: entry.result.into(),
        }
    }

    fn is(&self, entry: &SeenEntry<'_>) -> bool {
        self.slot == entry.slot
            && self.client == entry.client
            && self.number == entry.number
            && self.time == entry.time
            && *self.operation == *entry.operation
            && *self.result == *entry.result
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EqualHashEqualEntries {
    meanings: BTreeMap<SummaryHash, Meaning>,
}

impl Invariant for EqualHashEqualEntries {
    fn name(&self) -> &'static str {
        "equal_hash_equal_entries"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.2: a summary hash stands for all previous operations"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Step(step) = sight else {
            return Ok(());
        };
        for entry in step.appended() {
            match self.meanings.get(&entry.hash) {
                None => drop(self.meanings.insert(entry.hash, Meaning::of(&entry))),
                Some(known) if known.is(&entry) => {}
                Some(known) => {
                    return Err(format!(
                        "hash {} stands for {known:?}, and at replica {} for {:?}",
                        entry.hash,
                        step.replica,
                        Meaning::of(&entry)
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, step};
    use super::*;

    #[test]
    fn a_hash_that_covers_too_little_is_found() {
        let log = FakeLog::of(&["a", "b"]);
        for change in 0..4 {
            let mut invariant = EqualHashEqualEntries::default();
            assert_eq!(invariant.see(&step(0, &log)), Ok(()));
            assert_eq!(invariant.see(&step(1, &log)), Ok(()));
            let mut other = FakeLog::of(&["a", "b"]);
            let entry = &mut other.entries[1];
            match change {
                0 => entry.number.0 += 1,
                1 => entry.time.0 += 1,
                2 => entry.operation.push(0),
                _ => entry.result.push(0),
            }
            let seen = invariant.see(&step(2, &other)).unwrap_err();
            assert!(seen.contains("replica 2"), "{seen}");
        }
    }
}
