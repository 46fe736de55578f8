//! Agreed time never runs back along a log.

use super::{Invariant, Sight};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct AgreedTimeMonotone;

impl Invariant for AgreedTimeMonotone {
    fn name(&self) -> &'static str {
        "agreed_time_monotone"
    }

    fn paper(&self) -> &'static str {
        "ours, beside NSDI'15 section 3.3: the root's rounds as a clock for state machines"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Step(step) = sight else {
            return Ok(());
        };
        let mut before = step.member.entry(step.kept).map(|entry| entry.time);
        for entry in step.appended() {
            if let Some(time) = before.filter(|time| entry.time < *time) {
                return Err(format!(
                    "replica {}: agreed time is {time} µs at the slot before {} and {} µs there",
                    step.replica, entry.slot, entry.time
                ));
            }
            before = Some(entry.time);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, step, step_from};
    use super::*;

    #[test]
    fn time_that_runs_back_is_found_within_a_step_and_across_steps() {
        let mut invariant = AgreedTimeMonotone;
        let before = FakeLog::of(&["a", "b"]);
        let mut after = FakeLog::of(&["a", "b", "c"]);
        assert_eq!(invariant.see(&step_from(0, &before, &after)), Ok(()));
        after.entries[2].time.0 = 0;
        assert!(invariant.see(&step(0, &after)).is_err());
        let seen = invariant.see(&step_from(0, &before, &after)).unwrap_err();
        assert!(seen.contains("before 3"), "{seen}");
    }
}
