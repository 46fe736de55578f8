//! Replicas with equal logs have equal states, at every step; and in the end all logs are equal.
//!
//! A summary hash stands for a whole log, so one state goes with it, wherever and whenever a
//! replica has that log: after executing, after undoing, after installing what others sent.

use super::{End, Invariant, Sight, Step};
use std::collections::BTreeMap;
use wire::{ReplicaId, SummaryHash};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EqualLogsEqualStates {
    /// By the summary hash of a log: the digest of the state, and who had it first.
    states: BTreeMap<SummaryHash, (SummaryHash, ReplicaId)>,
}

impl EqualLogsEqualStates {
    fn on_step(&mut self, step: &Step<'_>) -> Result<(), String> {
        let digest = step.member.core().status().digest;
        let log = (digest, step.replica);
        let (known, first) = *self.states.entry(step.after.hash).or_insert(log);
        if known == digest {
            return Ok(());
        }
        Err(format!(
            "replicas {first} and {} have equal logs up to slot {} and different states {known} \
             and {digest}",
            step.replica, step.after.last
        ))
    }
}

impl Invariant for EqualLogsEqualStates {
    fn name(&self) -> &'static str {
        "equal_logs_equal_states"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 2: replicas are deterministic state machines"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Step(step) => self.on_step(step),
            Sight::End(end) => on_end(end),
            _ => Ok(()),
        }
    }
}

fn on_end(end: &End<'_>) -> Result<(), String> {
    let mut statuses = end.members.iter().map(|(_, member)| member.core().status());
    let Some(first) = statuses.next() else {
        return Ok(());
    };
    for status in statuses {
        if (status.last_committed, status.hash) != (first.last_committed, first.hash) {
            return Err(format!(
                "replicas {} and {} end with different logs: slot {} hash {}, slot {} hash {}",
                first.replica,
                status.replica,
                first.last_committed,
                first.hash,
                status.last_committed,
                status.hash
            ));
        }
        if status.digest != first.digest {
            return Err(format!(
                "replicas {} and {} have equal logs up to slot {} and different states {} and \
                     {}",
                first.replica, status.replica, first.last_committed, first.digest, status.digest
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, ended, step};
    use super::*;
    use wire::SummaryHash;

    #[test]
    fn different_ends_are_found() {
        let one = FakeLog::of(&["a", "b"]).committed(2);
        let same = FakeLog::of(&["a", "b"]).committed(2);
        let shorter = FakeLog::of(&["a"]).committed(1);
        let mut odd = FakeLog::of(&["a", "b"]).committed(2);
        odd.digest = SummaryHash([9; 32]);
        ended(&[&one, &same], |end| {
            assert_eq!(EqualLogsEqualStates::default().see(end), Ok(()));
        });
        ended(&[&one, &shorter], |end| {
            assert!(
                EqualLogsEqualStates::default()
                    .see(end)
                    .unwrap_err()
                    .contains("different logs")
            );
        });
        ended(&[&one, &odd], |end| {
            assert!(
                EqualLogsEqualStates::default()
                    .see(end)
                    .unwrap_err()
                    .contains("different states")
            );
        });
    }

    #[test]
    fn one_log_has_one_state_whoever_has_it_and_when() {
        let mut invariant = EqualLogsEqualStates::default();
        let one = FakeLog::of(&["a", "b"]);
        let other = FakeLog::of(&["a", "c"]);
        let mut odd = FakeLog::of(&["a", "b"]);
        odd.digest = SummaryHash([9; 32]);
        for (replica, log) in [(0, &one), (1, &other), (1, &one)] {
            assert_eq!(invariant.see(&step(replica, log)), Ok(()));
        }
        let seen = invariant.see(&step(2, &odd)).unwrap_err();
        assert!(
            seen.starts_with("replicas 0 and 2 have equal logs up to slot 2"),
            "{seen}"
        );
    }
}
