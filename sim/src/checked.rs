//! A state machine that watches itself: an execution that is undone must leave no trace.
//!
//! It wraps the real one, remembers the digest of the state before each execution, and compares
//! after its undo. What it finds is told by [`Checked::fault`], not by a panic, so that it is an
//! invariant like the others. The digest is kept between changes: it costs time linear in the
//! state, and protocols and invariants ask for it often.

use replica::{RestoreError, Stamp, StateMachine};
use std::cell::Cell;
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// A state machine with its watch.
#[derive(Clone, Debug, Default)]
pub struct Checked<S> {
    machine: S,
    digest: Cell<Option<SummaryHash>>,
    /// The newest slot executed and not undone.
    newest: Option<SlotNumber>,
    fault: Option<String>,
}

/// An undo record with the digest that must be there again afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckedUndo<U> {
    undo: U,
    before: SummaryHash,
    slot: SlotNumber,
}

impl<S: StateMachine> Checked<S> {
    /// Watches `machine`.
    pub fn new(machine: S) -> Self {
        Self {
            machine,
            digest: Cell::new(None),
            newest: None,
            fault: None,
        }
    }

    /// The first undo that did not restore the state.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

impl<S> Checked<S> {
    /// Remembers the first thing that is wrong.
    fn blame(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }
}

impl<S: StateMachine> StateMachine for Checked<S> {
    type Undo = CheckedUndo<S::Undo>;

    fn execute(&mut self, at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> Self::Undo {
        let before = self.digest();
        self.digest.set(None);
        if let Some(newest) = self.newest.filter(|newest| *newest >= at.slot) {
            self.blame(format!(
                "slot {} is executed, and slot {newest} was not undone",
                at.slot
            ));
        }
        self.newest = Some(at.slot);
        let undo = self.machine.execute(at, operation, reply);
        CheckedUndo {
            undo,
            before,
            slot: at.slot,
        }
    }

    fn is_read(&self, operation: &[u8]) -> bool {
        self.machine.is_read(operation)
    }

    fn read(&self, time: Option<AgreedTime>, operation: &[u8], reply: &mut Vec<u8>) {
        self.machine.read(time, operation, reply);
    }

    fn undo(&mut self, undo: Self::Undo) {
        self.digest.set(None);
        let CheckedUndo { undo, before, slot } = undo;
        self.machine.undo(undo);
        if self.newest != Some(slot) {
            self.blame(format!(
                "slot {slot} is undone, and the newest is {:?}",
                self.newest
            ));
        }
        self.newest = slot.0.checked_sub(1).map(SlotNumber);
        let after = self.digest();
        if after != before {
            self.blame(format!(
                "the state was {before} before slot {slot} was executed and is {after} after its \
                 undo"
            ));
        }
    }

    fn commit(&mut self, slot: SlotNumber) {
        self.machine.commit(slot);
    }

    fn digest(&self) -> SummaryHash {
        if let Some(digest) = self.digest.get() {
            return digest;
        }
        let digest = self.machine.digest();
        self.digest.set(Some(digest));
        digest
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        self.machine.snapshot(out);
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.digest.set(None);
        self.newest = None;
        self.machine.restore(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apps::kv::{Kv, encode};

    /// Forgets to take the last byte back.
    #[derive(Debug, Default)]
    struct Sloppy(Vec<u8>);

    impl StateMachine for Sloppy {
        type Undo = usize;

        fn execute(&mut self, _: Stamp, operation: &[u8], _: &mut Vec<u8>) -> usize {
            let before = self.0.len();
            self.0.extend_from_slice(operation);
            before
        }
        fn undo(&mut self, undo: usize) {
            self.0.truncate(undo + 1);
        }
        fn commit(&mut self, _: SlotNumber) {}
        fn digest(&self) -> SummaryHash {
            let mut digest = SummaryHash::EMPTY;
            digest.0[0] = u8::try_from(self.0.len()).unwrap();
            digest
        }
        fn snapshot(&self, _: &mut Vec<u8>) {}
        fn restore(&mut self, _: &[u8]) -> Result<(), RestoreError> {
            Ok(())
        }
    }

    fn at(slot: u64) -> Stamp {
        Stamp {
            slot: SlotNumber(slot),
            time: None,
        }
    }

    #[test]
    fn a_machine_that_undoes_exactly_has_no_fault() {
        let mut machine = Checked::new(Kv::default());
        let before = machine.digest();
        let first = machine.execute(at(1), &encode::set(b"k", b"1"), &mut Vec::new());
        let second = machine.execute(at(2), &encode::increment(b"k", 4), &mut Vec::new());
        assert_ne!(machine.digest(), before);
        machine.undo(second);
        machine.undo(first);
        assert_eq!((machine.digest(), machine.fault()), (before, None));
    }

    #[test]
    fn an_execution_that_was_never_undone_is_told() {
        let mut machine = Checked::new(Kv::default());
        for slot in [1, 2, 2] {
            assert_eq!(machine.fault(), None);
            machine.execute(at(slot), &encode::get(b"k"), &mut Vec::new());
        }
        assert!(
            machine
                .fault()
                .is_some_and(|text| text.contains("was not undone"))
        );
    }

    #[test]
    fn an_undo_that_leaves_something_behind_is_told_with_its_slot() {
        let mut machine = Checked::new(Sloppy::default());
        let undo = machine.execute(at(7), b"abc", &mut Vec::new());
        machine.undo(undo);
        assert!(machine.fault().is_some_and(|text| text.contains("slot 7")));
    }
}
