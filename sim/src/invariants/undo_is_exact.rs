//! A rollback restores the exact state: digest before an execution = digest after its undo.
//!
//! The watch is in the state machine itself, see `checked`.

use super::{Invariant, Sight};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UndoIsExact;

impl Invariant for UndoIsExact {
    fn name(&self) -> &'static str {
        "undo_is_exact"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.4: application-level rollback"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Step(step) => step.member.machine_fault().map_or(Ok(()), |fault| {
                Err(format!("replica {}: {fault}", step.replica))
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, step};
    use super::*;

    #[test]
    fn what_the_watched_machine_tells_is_told() {
        let mut invariant = UndoIsExact;
        let mut log = FakeLog::of(&["a"]);
        assert_eq!(invariant.see(&step(0, &log)), Ok(()));
        log.fault = Some("the state was 1 and is 2".to_owned());
        assert!(invariant.see(&step(0, &log)).unwrap_err().contains("is 2"));
    }
}
