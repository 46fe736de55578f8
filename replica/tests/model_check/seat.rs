//! One replica of the model: the real core, and what outlives its process.

use crate::bounds::{Bounds, REPLICAS};
use crate::machine::Word;
use replica::spec_paxos::{Boot, Config, SpecPaxos};
use replica::{Effects, Mode, Persistent, Protocol, Quorum};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wire::{ReplicaId, SlotNumber, SummaryHash, Tick, ViewNumber};

/// The time of everything: order and duration are the checker's choice.
pub(crate) const NOW: Tick = Tick(0);

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

impl PartialEq for Seat {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Seat {}

impl Hash for Seat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

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
            digest: digest(&core, persisted, lives),
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
        let handled = catch_unwind(AssertUnwindSafe(|| {
            event(&mut core, effects);
            core.check();
        }));
        handled.map_err(|panic| panic_text(panic.as_ref()))?;
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
        let log = self.core.history().log();
        let hash = |slot| log.hash_at(SlotNumber(slot)).expect("nothing is truncated");
        (1..=last.0).map(hash).collect()
    }

    /// Whether two committed slots hold one request.
    pub(crate) fn committed_twice(&self) -> bool {
        let log = self.core.history().log();
        let committed = log.last_committed();
        let requests = || {
            log.above(log.base())
                .take_while(|(slot, _)| *slot <= committed)
                .map(|(slot, entry)| (slot, entry.request.client, entry.request.number))
        };
        let repeated = |(slot, client, number)| {
            requests().any(|other| other.0 < slot && (other.1, other.2) == (client, number))
        };
        requests().any(repeated)
    }
}

fn digest(core: &SpecPaxos<Word>, persisted: Persistent, lives: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (core, persisted, lives).hash(&mut hasher);
    hasher.finish()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without text").to_owned()
}
