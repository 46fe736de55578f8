//! Clients cannot tell the group from one server: their history is linearizable.

use super::{Invariant, Sight};
use crate::linearizability::kv::Kv;
use crate::linearizability::{Bounds, Verdict, check};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LinearizableHistory;

impl Invariant for LinearizableHistory {
    fn name(&self) -> &'static str {
        "linearizable_history"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.1: linearizability"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::End(end) = sight else {
            return Ok(());
        };
        match check::<Kv>(end.history, &Bounds::default()).verdict {
            Verdict::Linearizable => Ok(()),
            Verdict::Violation(example) => Err(example.to_string()),
            // Clients repeat their requests until they are answered, so this does not happen.
            Verdict::Unknown { why } => Err(format!("no verdict: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{End, Sight};
    use super::*;
    use crate::history::History;
    use crate::linearizability::kv::{KvOperation, KvOutcome};

    #[test]
    fn a_read_of_what_was_never_written_is_found() {
        let read = KvOperation::Get { key: b"k".into() };
        for (value, fine) in [(None, true), (Some(b"1".to_vec()), false)] {
            let mut history = History::new();
            let id = history.invoke(1, read.clone(), 1);
            history.complete(id, 2, KvOutcome::Value(value)).unwrap();
            let end = Sight::End(End {
                members: &[],
                history: &history,
            });
            assert_eq!(LinearizableHistory.see(&end).is_ok(), fine);
        }
    }
}
