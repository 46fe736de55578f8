//! The replicated service of the model: a word that grows by a letter per request.

use replica::{RestoreError, Stamp, StateMachine};
use wire::{SlotNumber, SummaryHash};

/// Longer words than any run of the model writes are not needed for the digest.
const LETTERS_MAX: usize = 32;

/// Answers each request with the word so far, so that a result tells the whole order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Word(Vec<u8>);

impl StateMachine for Word {
    /// The word's length before.
    type Undo = usize;

    fn execute(&mut self, _at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> usize {
        let before = self.0.len();
        self.0.extend_from_slice(operation);
        reply.extend_from_slice(&self.0);
        before
    }

    fn undo(&mut self, undo: usize) {
        self.0.truncate(undo);
    }

    fn commit(&mut self, _slot: SlotNumber) {}

    fn digest(&self) -> SummaryHash {
        let mut digest = [0; LETTERS_MAX];
        digest[..self.0.len()].copy_from_slice(&self.0);
        SummaryHash(digest)
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.0 = snapshot.to_vec();
        Ok(())
    }
}
