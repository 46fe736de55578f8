//! What a client was told of, and what was committed once, stays where it is: in every committed
//! log that reaches its slot, with the same hash.

use super::{Invariant, Sight, Step};
use std::collections::BTreeMap;
use wire::{ClientId, ReplicaId, RequestNumber, SlotNumber, SummaryHash};

/// A request that its client knows to be done.
#[derive(Clone, Copy, Debug)]
struct Told {
    hash: SummaryHash,
    client: ClientId,
    number: RequestNumber,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CommittedNeverLostOrMoved {
    told: BTreeMap<SlotNumber, Told>,
    committed: BTreeMap<SlotNumber, SummaryHash>,
}

impl CommittedNeverLostOrMoved {
    fn on_step(&mut self, step: &Step<'_>) -> Result<(), String> {
        let (replica, before, after) = (step.replica, step.before, step.after);
        if after.last_committed < before.last_committed {
            return Err(format!(
                "replica {replica} had committed slot {} and now only slot {}",
                before.last_committed, after.last_committed
            ));
        }
        if step.kept < before.last_committed.min(before.last) && after.base <= step.kept {
            return Err(format!(
                "replica {replica} had committed slot {}, and its log changed above slot {}",
                before.last_committed, step.kept
            ));
        }
        for entry in step.committed() {
            self.committed.entry(entry.slot).or_insert(entry.hash);
            self.compare(entry.slot, entry.hash, replica)?;
        }
        Ok(())
    }

    fn compare(
        &self,
        slot: SlotNumber,
        hash: SummaryHash,
        replica: ReplicaId,
    ) -> Result<(), String> {
        match self.told.get(&slot) {
            Some(told) if told.hash != hash => Err(format!(
                "client {:x} was told that request {} stands at slot {slot} with {}; replica \
                 {replica} committed {hash} there",
                told.client.0, told.number, told.hash
            )),
            _ => Ok(()),
        }
    }
}

impl Invariant for CommittedNeverLostOrMoved {
    fn name(&self) -> &'static str {
        "committed_never_lost_or_moved"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.6: a successful operation survives in all subsequent views"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Step(step) => self.on_step(step),
            Sight::Answered(answer) => {
                let told = Told {
                    hash: answer.hash,
                    client: answer.client,
                    number: answer.number,
                };
                if let Some(other) = self.told.insert(answer.slot, told)
                    && other.hash != told.hash
                {
                    return Err(format!(
                        "clients {:x} and {:x} were told of different requests at slot {}",
                        other.client.0, told.client.0, answer.slot
                    ));
                }
                match self.committed.get(&answer.slot) {
                    Some(hash) if *hash != told.hash => Err(format!(
                        "client {:x} was told that request {} stands at slot {} with {}, where {} \
                         was committed before",
                        told.client.0, told.number, answer.slot, told.hash, hash
                    )),
                    _ => Ok(()),
                }
            }
            Sight::End(end) => {
                let newest = self.told.last_key_value();
                for (replica, member) in end.members {
                    let last = member.observed().last_committed;
                    if let Some((slot, told)) = newest.filter(|(slot, _)| **slot > last) {
                        return Err(format!(
                            "client {:x} was told that request {} stands at slot {slot}; in the \
                             end replica {replica} has committed slot {last} and no more",
                            told.client.0, told.number
                        ));
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, answered, ended, step, step_from};
    use super::*;

    #[test]
    fn what_a_client_was_told_of_must_be_committed_there() {
        let mut invariant = CommittedNeverLostOrMoved::default();
        let told = FakeLog::of(&["z", "x"]);
        invariant.see(&answered(&told, 2)).unwrap();
        let moved = FakeLog::of(&["x", "z"]).committed(2);
        let seen = invariant.see(&step(1, &moved)).unwrap_err();
        assert!(seen.contains("slot 2"), "{seen}");
    }

    #[test]
    fn nobody_is_told_of_something_else_than_what_was_committed() {
        let mut invariant = CommittedNeverLostOrMoved::default();
        let committed = FakeLog::of(&["a"]).committed(1);
        invariant.see(&step(0, &committed)).unwrap();
        let seen = invariant
            .see(&answered(&FakeLog::of(&["b"]), 1))
            .unwrap_err();
        assert!(seen.contains("committed before"), "{seen}");
    }

    #[test]
    fn a_committed_prefix_neither_shrinks_nor_changes() {
        let mut invariant = CommittedNeverLostOrMoved::default();
        let before = FakeLog::of(&["a", "b"]).committed(2);
        invariant.see(&step(0, &before)).unwrap();
        let shrunk = FakeLog::of(&["a", "b"]).committed(1);
        assert!(invariant.see(&step_from(0, &before, &shrunk)).is_err());
        let changed = FakeLog::of(&["a", "c"]).committed(2);
        assert!(invariant.see(&step_from(0, &before, &changed)).is_err());
    }

    #[test]
    fn what_was_told_is_there_in_the_end() {
        let mut invariant = CommittedNeverLostOrMoved::default();
        invariant
            .see(&answered(&FakeLog::of(&["a", "b"]), 2))
            .unwrap();
        let short = FakeLog::of(&["a"]).committed(1);
        ended(&[&short], |end| {
            let seen = invariant.see(end).unwrap_err();
            assert!(seen.contains("no more"), "{seen}");
        });
    }
}
