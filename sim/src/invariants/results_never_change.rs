//! A client never sees a result that later changes: the result of a committed request is the same
//! at every replica, and the one that its client was told.

use super::{Invariant, Sight};
use std::collections::BTreeMap;
use wire::{ClientId, RequestNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ResultsNeverChange {
    results: BTreeMap<(ClientId, RequestNumber), Box<[u8]>>,
}

impl ResultsNeverChange {
    fn compare(
        &mut self,
        request: (ClientId, RequestNumber),
        result: &[u8],
        who: impl FnOnce() -> String,
    ) -> Result<(), String> {
        let known = self.results.entry(request).or_insert_with(|| result.into());
        if **known == *result {
            return Ok(());
        }
        let (client, number) = request;
        Err(format!(
            "request {number} of client {:x}: {} has {:?}, before it was {:?}",
            client.0,
            who(),
            String::from_utf8_lossy(result),
            String::from_utf8_lossy(known)
        ))
    }
}

impl Invariant for ResultsNeverChange {
    fn name(&self) -> &'static str {
        "results_never_change"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.2: speculative results become final as they are"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Step(step) => {
                for entry in step.committed() {
                    let request = (entry.client, entry.number);
                    let replica = step.replica;
                    self.compare(request, entry.result, || format!("replica {replica}"))?;
                }
                Ok(())
            }
            Sight::Answered(answer) => {
                let request = (answer.client, answer.number);
                self.compare(request, answer.result, || "its client".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, answered, step};
    use super::*;

    #[test]
    fn a_committed_result_that_differs_from_the_answer_is_found() {
        let mut invariant = ResultsNeverChange::default();
        let log = FakeLog::of(&["a", "b"]).committed(2);
        invariant.see(&answered(&log, 1)).unwrap();
        assert_eq!(invariant.see(&step(0, &log)), Ok(()));
        let mut other = FakeLog::of(&["a", "b"]).committed(2);
        other.entries[0].result = b"something else".to_vec();
        let seen = invariant.see(&step(1, &other)).unwrap_err();
        assert!(seen.contains("replica 1"), "{seen}");
    }

    #[test]
    fn an_answer_that_differs_from_what_was_committed_is_found() {
        let mut invariant = ResultsNeverChange::default();
        let mut log = FakeLog::of(&["a"]).committed(1);
        invariant.see(&step(0, &log)).unwrap();
        log.entries[0].result = b"something else".to_vec();
        assert!(
            invariant
                .see(&answered(&log, 1))
                .unwrap_err()
                .contains("its client")
        );
    }
}
