//! The store with the time that it is given; or, deliberately broken, with a clock of its own.

use apps::kv::Kv;
use replica::{RestoreError, Stamp, StateMachine};
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// A clock of its own gains a fortieth of agreed time for each place in the group.
const GAINS: u64 = 40;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Clocked {
    kv: Kv,
    /// How fast its clock is, in fortieths more than agreed time. 0: it has none.
    gains: u64,
    /// The time when its clock began.
    began: Option<AgreedTime>,
}

impl Clocked {
    /// The store that goes by agreed time.
    pub fn agreed() -> Self {
        Self::default()
    }

    /// The store of the replica at a place in its group, with a clock of its own.
    pub fn local(place: u8) -> Self {
        Self {
            gains: place.into(),
            ..Self::default()
        }
    }

    fn clock(&mut self, agreed: AgreedTime) -> AgreedTime {
        let began = *self.began.get_or_insert(agreed);
        let since = agreed.0.saturating_sub(began.0);
        AgreedTime(agreed.0 + since / GAINS * self.gains)
    }
}

impl StateMachine for Clocked {
    type Undo = <Kv as StateMachine>::Undo;

    fn execute(&mut self, at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> Self::Undo {
        let time = at.time.map(|time| self.clock(time));
        self.kv.execute(Stamp { time, ..at }, operation, reply)
    }

    fn is_read(&self, operation: &[u8]) -> bool {
        self.kv.is_read(operation)
    }

    fn read(&self, time: Option<AgreedTime>, operation: &[u8], reply: &mut Vec<u8>) {
        // A clock of its own would show in writes soon enough.
        self.kv.read(time, operation, reply);
    }

    fn undo(&mut self, undo: Self::Undo) {
        self.kv.undo(undo);
    }

    fn commit(&mut self, slot: SlotNumber) {
        self.kv.commit(slot);
    }

    fn digest(&self) -> SummaryHash {
        self.kv.digest()
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        self.kv.snapshot(out);
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.kv.restore(snapshot)
    }
}
