//! The state machine of the scenarios: a string to which each operation appends its letter; one
//! that is `?` reads it.

use replica::{RestoreError, Stamp, StateMachine};
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// All letters so far. The result of an operation is the string after it, so that a result
/// tells the whole prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Letters(pub(crate) String);

impl StateMachine for Letters {
    /// The length before.
    type Undo = usize;

    fn execute(&mut self, _at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> usize {
        let before = self.0.len();
        self.0.push_str(&String::from_utf8_lossy(operation));
        reply.extend_from_slice(self.0.as_bytes());
        before
    }

    fn is_read(&self, operation: &[u8]) -> bool {
        operation == b"?"
    }

    fn read(&self, _time: Option<AgreedTime>, _operation: &[u8], reply: &mut Vec<u8>) {
        reply.extend_from_slice(self.0.as_bytes());
    }

    fn undo(&mut self, undo: usize) {
        assert!(undo < self.0.len(), "undone twice, or out of order");
        self.0.truncate(undo);
    }

    fn commit(&mut self, _slot: SlotNumber) {}

    fn digest(&self) -> SummaryHash {
        SummaryHash(*blake3::hash(self.0.as_bytes()).as_bytes())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let text = std::str::from_utf8(snapshot).map_err(|error| RestoreError {
            at: error.valid_up_to(),
            reason: "letters were expected",
        })?;
        text.clone_into(&mut self.0);
        Ok(())
    }
}
