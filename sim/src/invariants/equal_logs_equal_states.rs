//! Replicas with equal logs have equal states, and in the end all logs are equal.

use super::{Invariant, Sight};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EqualLogsEqualStates;

impl Invariant for EqualLogsEqualStates {
    fn name(&self) -> &'static str {
        "equal_logs_equal_states"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 2: replicas are deterministic state machines"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::End(end) = sight else {
            return Ok(());
        };
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
                    first.replica,
                    status.replica,
                    first.last_committed,
                    first.digest,
                    status.digest
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, ended};
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
            assert_eq!(EqualLogsEqualStates.see(end), Ok(()));
        });
        ended(&[&one, &shorter], |end| {
            assert!(
                EqualLogsEqualStates
                    .see(end)
                    .unwrap_err()
                    .contains("different logs")
            );
        });
        ended(&[&one, &odd], |end| {
            assert!(
                EqualLogsEqualStates
                    .see(end)
                    .unwrap_err()
                    .contains("different states")
            );
        });
    }
}
