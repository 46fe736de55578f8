//! No two replicas ever commit different logs.

use super::{Invariant, Sight};
use std::collections::BTreeMap;
use wire::{SlotNumber, SummaryHash};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CommittedPrefixAgreement {
    /// What was committed first at each slot, at any replica.
    hashes: BTreeMap<SlotNumber, SummaryHash>,
}

impl Invariant for CommittedPrefixAgreement {
    fn name(&self) -> &'static str {
        "committed_prefix_agreement"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.6: synchronized logs are prefixes of one another"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Step(step) = sight else {
            return Ok(());
        };
        let mut agree = |slot: SlotNumber, hash: SummaryHash| {
            let known = *self.hashes.entry(slot).or_insert(hash);
            if known == hash {
                return Ok(());
            }
            Err(format!(
                "replica {} committed {hash} at slot {slot}, another one {known}",
                step.replica
            ))
        };
        for entry in step.committed() {
            agree(entry.slot, entry.hash)?;
        }
        // A prefix that came as a snapshot has no entries, but a hash at its end.
        let last = step.after.last_committed;
        match step.member.hash_at(last) {
            Some(hash) if last > step.before.last_committed => agree(last, hash),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, step, step_from};
    use super::*;

    #[test]
    fn two_replicas_that_commit_different_entries_are_found() {
        let mut invariant = CommittedPrefixAgreement::default();
        let one = FakeLog::of(&["a", "b"]).committed(2);
        let same = FakeLog::of(&["a", "b", "c"]).committed(3);
        let other = FakeLog::of(&["a", "x", "c"]).committed(1);
        assert_eq!(invariant.see(&step(0, &one)), Ok(()));
        assert_eq!(invariant.see(&step(1, &same)), Ok(()));
        assert_eq!(
            invariant.see(&step(2, &other)),
            Ok(()),
            "the rest is speculative"
        );
        let moved = FakeLog::of(&["a", "x", "c"]).committed(2);
        let seen = invariant.see(&step_from(2, &other, &moved)).unwrap_err();
        assert!(
            seen.contains("replica 2") && seen.contains("slot 2"),
            "{seen}"
        );
    }
}
