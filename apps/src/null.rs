//! A service that does nothing: what is left is what replication itself costs. Papers call its
//! operations null operations.

use alloc::vec::Vec;
use replica::StateMachine;
use replica::state_machine::{RestoreError, Stamp};
use wire::{SlotNumber, SummaryHash};

/// Counts operations and answers none of them anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Null {
    executed: u64,
}

impl StateMachine for Null {
    type Undo = ();

    fn execute(&mut self, _at: Stamp, _operation: &[u8], _reply: &mut Vec<u8>) {
        self.executed += 1;
    }

    fn undo(&mut self, (): ()) {
        self.executed -= 1;
    }

    fn commit(&mut self, _slot: SlotNumber) {}

    fn digest(&self) -> SummaryHash {
        let mut digest = SummaryHash::EMPTY;
        digest.0[..8].copy_from_slice(&self.executed.to_be_bytes());
        digest
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.executed.to_be_bytes());
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let bytes = snapshot.try_into().map_err(|_| RestoreError {
            at: snapshot.len().min(8),
            reason: "a count of 8 bytes",
        })?;
        self.executed = u64::from_be_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_forth_and_back_and_survives_a_snapshot() {
        let mut machine = Null::default();
        let at = Stamp {
            slot: SlotNumber(1),
            time: None,
        };
        let mut reply = Vec::new();
        let before = machine.digest();
        machine.execute(at, b"anything", &mut reply);
        let after = machine.digest();
        assert!(reply.is_empty() && before != after);
        let mut snapshot = Vec::new();
        machine.snapshot(&mut snapshot);
        machine.undo(());
        assert_eq!(machine.digest(), before);
        machine.restore(&snapshot).unwrap();
        assert_eq!(machine.digest(), after);
        assert_eq!(machine.restore(&snapshot[1..]).unwrap_err().at, 7);
    }
}
