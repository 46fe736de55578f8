//! No request is executed twice: a committed log has each (client, number) at most once.

use super::{Invariant, Sight};
use std::collections::BTreeMap;
use wire::{ClientId, RequestNumber, SlotNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ExactlyOnce {
    slots: BTreeMap<(ClientId, RequestNumber), SlotNumber>,
}

impl Invariant for ExactlyOnce {
    fn name(&self) -> &'static str {
        "exactly_once"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.1: the client table filters duplicates"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Step(step) = sight else {
            return Ok(());
        };
        for entry in step.committed() {
            let request = (entry.client, entry.number);
            let slot = *self.slots.entry(request).or_insert(entry.slot);
            if slot != entry.slot {
                return Err(format!(
                    "request {} of client {:x} is committed at slots {slot} and {} (replica {})",
                    entry.number, entry.client.0, entry.slot, step.replica
                ));
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
    fn a_request_that_is_committed_twice_is_found() {
        let mut invariant = ExactlyOnce::default();
        let once = FakeLog::of(&["a", "b", "c"]).committed(3);
        assert_eq!(invariant.see(&step(0, &once)), Ok(()));
        let twice = FakeLog::of(&["a", "b", "c", "a"]).committed(4);
        let seen = invariant.see(&step(1, &twice)).unwrap_err();
        assert!(seen.contains("slots 1 and 4"), "{seen}");
    }
}
