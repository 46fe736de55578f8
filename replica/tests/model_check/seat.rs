//! One replica of the model: the real core, and what outlives its process.

use crate::bounds::{Bounds, REPLICAS};
use crate::common::{self, NOW, equal_by_digest};
use crate::machine::Word;
use replica::spec_paxos::{Boot, Config, SpecPaxos};
use replica::{Effects, Mode, Persistent, Protocol, Quorum};
use wire::{ReplicaId, SlotNumber, SummaryHash, ViewNumber};

/// A replica that is up.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    core: SpecPaxos<Word>,
    persisted: Persistent,
    /// Starts so far.
    lives: u64,
    /// Of everything above.
    digest: u64,
    pub(crate) mode: Mode,
    pub(crate) view: ViewNumber,
    pub(crate) degraded: bool,
    /// The hashes of the committed slots.
    pub(crate) committed: Vec<SummaryHash>,
}

equal_by_digest!(Seat);

fn config(me: ReplicaId, bounds: &Bounds) -> Config {
    let quorum = Quorum::of(REPLICAS).expect("a possible size");
    Config {
        gap_awareness: bounds.gap_awareness,
        mutant: bounds.mutant,
        ..Config::new(me, quorum)
    }
}

impl Seat {
    /// A replica on its first boot.
    pub(crate) fn format(me: ReplicaId, bounds: &Bounds) -> Self {
        let core = SpecPaxos::format(config(me, bounds), Word::default(), NOW);
        Self::new(core, Persistent::default(), 0)
    }

    /// The same replica after a crash that took its log.
    pub(crate) fn restarted(&self, me: ReplicaId, bounds: &Bounds) -> Self {
        let boot = Boot {
            persisted: bounds.persists.then_some(self.persisted),
            incarnation: self.lives + 1,
        };
        let core = SpecPaxos::restart(config(me, bounds), Word::default(), NOW, boot);
        Self::new(core, self.persisted, self.lives + 1)
    }

    fn new(core: SpecPaxos<Word>, persisted: Persistent, lives: u64) -> Self {
        let status = core.status();
        let mut seat = Self {
            digest: common::digest_of((&core, persisted, lives)),
            mode: status.mode,
            view: status.view,
            degraded: status.degraded,
            committed: Vec::new(),
            core,
            persisted,
            lives,
        };
        seat.committed = seat.hashes(status.last_committed);
        seat
    }

    /// Lets the core handle one event; the error is what it panicked with.
    pub(crate) fn after(
        &self,
        effects: &mut Effects,
        event: impl FnOnce(&mut SpecPaxos<Word>, &mut Effects),
    ) -> Result<Self, String> {
        let mut core = self.core.clone();
        common::guarded(|| {
            event(&mut core, effects);
            core.check();
        })?;
        let persists = effects.iter().filter_map(|effect| match effect {
            replica::Effect::Persist(state) => Some(*state),
            _ => None,
        });
        let persisted = persists.last().unwrap_or(self.persisted);
        Ok(Self::new(core, persisted, self.lives))
    }

    /// Names the state: equal digests, equal states.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn core(&self) -> &SpecPaxos<Word> {
        &self.core
    }

    /// Whether it has restarted.
    pub(crate) fn has_restarted(&self) -> bool {
        self.lives > 0
    }

    /// The summary hashes of slots 1 to `last`, all of which it holds.
    pub(crate) fn hashes(&self, last: SlotNumber) -> Vec<SummaryHash> {
        common::hashes(self.core.history(), last)
    }

    /// Whether two committed slots hold one request.
    pub(crate) fn committed_twice(&self) -> bool {
        common::commits_twice(self.core.history())
    }
}
