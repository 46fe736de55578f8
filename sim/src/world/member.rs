//! A replica of some protocol as the simulator sees it. Another protocol is one more constructor
//! here; nothing else in the simulator knows which one it runs.

use crate::checked::Checked;
use crate::clocked::Clocked;
use crate::mutant::Mutant;
use crate::settings::{ProtocolName, Settings};
use replica::fast_paxos::{self, FastPaxos};
use replica::history::History;
use replica::mencius::{self, Mencius};
use replica::nopaxos::{self, NoPaxos};
use replica::rounds::{self, Rounds};
use replica::spec_paxos::{Config, SpecPaxos};
use replica::unreplicated::Unreplicated;
use replica::vr::{self, Vr};
use replica::{Boot, Held, Mode, Protocol, Quorum, Status};
use wire::{
    AgreedTime, ClientId, DEFAULT_PAYLOAD_LIMIT, ReplicaId, RequestNumber, STAMP_LEN, SlotNumber,
    SummaryHash, Tick, ViewNumber,
};

/// A log entry, for invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenEntry<'a> {
    /// Its slot.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
    /// Who asked.
    pub client: ClientId,
    /// The client's number for it.
    pub number: RequestNumber,
    /// The agreed time.
    pub time: AgreedTime,
    /// What was asked.
    pub operation: &'a [u8],
    /// What the state machine returned.
    pub result: &'a [u8],
}

/// A replica's state, for invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What it is doing.
    pub mode: Mode,
    /// Its view.
    pub view: ViewNumber,
    /// The slot below its oldest entry.
    pub base: SlotNumber,
    /// Its newest slot.
    pub last: SlotNumber,
    /// Its newest committed slot.
    pub last_committed: SlotNumber,
    /// The hash at its newest slot.
    pub hash: SummaryHash,
}

impl Default for Observed {
    /// A replica with an empty log.
    fn default() -> Self {
        Self {
            mode: Mode::Normal,
            view: ViewNumber::ZERO,
            base: SlotNumber::ZERO,
            last: SlotNumber::ZERO,
            last_committed: SlotNumber::ZERO,
            hash: SummaryHash::EMPTY,
        }
    }
}

/// Something that must not grow beyond a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// What it is.
    pub name: &'static str,
    /// How much there is.
    pub value: u64,
    /// How much there may be.
    pub bound: u64,
}

/// One replica.
pub trait Member {
    /// The core, to drive it.
    fn protocol(&mut self) -> &mut dyn Protocol;

    /// The core, to ask it.
    fn core(&self) -> &dyn Protocol;

    /// Its state.
    fn observed(&self) -> Observed;

    /// The summary hash at a slot that is held, or at the base.
    fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash>;

    /// The entry at a slot that is held. A protocol that hides its log has none.
    fn entry(&self, slot: SlotNumber) -> Option<SeenEntry<'_>>;

    /// What the watched state machine found wrong.
    fn machine_fault(&self) -> Option<&str>;

    /// Everything with a bound.
    fn bounds(&self) -> Vec<Bounded>;
}

type Machine = Checked<Clocked>;

const RETAINED_BYTES: usize = 16 << 10;
const SPECULATIVE_ENTRIES: usize = 48;
const DEFERRED_REQUESTS: usize = 64;
const UNDECIDED_POSITIONS: u64 = 48;
const HELD_PACKETS: usize = 64;
const RETAINED_POSITIONS: u64 = 12;
const TAKEN_REQUESTS: usize = 4;
const WAITING_READS: usize = 4;
const AHEAD_REQUESTS: usize = 8;
const WINDOW_TURNS: u64 = 6;
const REVOKED_TURNS: u64 = 4;
const RETAINED_BATCHES: usize = 12;

/// What a replica is told at its start, whatever the protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Birth {
    /// Which replica.
    pub(super) me: ReplicaId,
    /// The group's quorums.
    pub(super) quorum: Quorum,
    /// How many replicas there are that are members or may become members.
    pub(super) known: usize,
    /// Its own time.
    pub(super) now: Tick,
}

fn machine(settings: &Settings, birth: &Birth) -> Machine {
    Checked::new(if settings.ends_keys_by_local_clocks() {
        Clocked::local(birth.me.0)
    } else {
        Clocked::agreed()
    })
}

/// A replica on its first boot.
pub(super) fn first_boot(settings: &Settings, birth: Birth) -> Box<dyn Member> {
    let machine = machine(settings, &birth);
    match settings.protocol {
        ProtocolName::SpecPaxos => {
            let config = spec_paxos_config(settings, &birth);
            Box::new(SpecPaxos::format(config, machine, birth.now))
        }
        ProtocolName::Rounds => {
            let config = rounds_config(settings, &birth);
            Box::new(Rounds::format(config, machine, birth.now))
        }
        ProtocolName::Vr => {
            let config = vr_config(settings, &birth);
            Box::new(Vr::format(config, machine, birth.now))
        }
        ProtocolName::NoPaxos => {
            let config = nopaxos_config(settings, &birth);
            Box::new(NoPaxos::format(config, machine, birth.now))
        }
        ProtocolName::FastPaxos => {
            let config = fast_paxos_config(settings, &birth);
            Box::new(FastPaxos::format(config, machine, birth.now))
        }
        ProtocolName::Mencius => {
            let config = mencius_config(settings, &birth);
            Box::new(Mencius::format(config, machine, birth.now))
        }
        ProtocolName::Unreplicated => {
            let retained = replica::history::DEFAULT_RETAINED_BYTES;
            Box::new(Unreplicated::new(machine, true, retained))
        }
    }
}

/// A replica that starts again; `None` while its protocol cannot: then a crash is for good.
pub(super) fn restart(settings: &Settings, birth: Birth, boot: Boot) -> Option<Box<dyn Member>> {
    let machine = machine(settings, &birth);
    match settings.protocol {
        ProtocolName::SpecPaxos => {
            let config = spec_paxos_config(settings, &birth);
            Some(Box::new(SpecPaxos::restart(
                config, machine, birth.now, boot,
            )))
        }
        ProtocolName::Rounds => {
            let config = rounds_config(settings, &birth);
            Some(Box::new(Rounds::restart(config, machine, birth.now, boot)))
        }
        ProtocolName::Vr => {
            let config = vr_config(settings, &birth);
            Some(Box::new(Vr::restart(config, machine, birth.now, boot)))
        }
        ProtocolName::NoPaxos => {
            let config = nopaxos_config(settings, &birth);
            Some(Box::new(NoPaxos::restart(config, machine, birth.now, boot)))
        }
        ProtocolName::FastPaxos => {
            let config = fast_paxos_config(settings, &birth);
            Some(Box::new(FastPaxos::restart(
                config, machine, birth.now, boot,
            )))
        }
        ProtocolName::Mencius => {
            let config = mencius_config(settings, &birth);
            Some(Box::new(Mencius::restart(config, machine, birth.now, boot)))
        }
        ProtocolName::Unreplicated => None,
    }
}

/// Whether `restart` gives a replica of this protocol.
pub fn can_restart(protocol: ProtocolName) -> bool {
    !protocol.is_one_server()
}

/// Bounds are small, so that runs of some hundred requests reach them; but not where throughput
/// is what is looked at.
fn spec_paxos_config(settings: &Settings, birth: &Birth) -> Config {
    let mut config = Config::new(birth.me, birth.quorum);
    config.mutant = settings.mutant.and_then(Mutant::of_spec_paxos);
    config.gap_awareness = settings.gap_awareness.unwrap_or(true);
    if settings.pauses {
        config.limits.history.retained_bytes = RETAINED_BYTES;
        config.limits.speculative_entries = SPECULATIVE_ENTRIES;
        config.limits.deferred.requests = DEFERRED_REQUESTS;
    }
    config
}

fn rounds_config(settings: &Settings, birth: &Birth) -> rounds::Config {
    let mut config = rounds::Config::with_others(birth.me, birth.quorum, birth.known);
    config.mutant = settings.mutant.and_then(Mutant::of_rounds);
    config.payload_limit = DEFAULT_PAYLOAD_LIMIT - STAMP_LEN;
    if settings.pauses {
        config.limits.history.retained_bytes = RETAINED_BYTES;
        config.limits.undecided = UNDECIDED_POSITIONS;
        config.limits.held = HELD_PACKETS;
        config.limits.retained = RETAINED_POSITIONS;
        config.limits.requests = TAKEN_REQUESTS;
        config.limits.reads = WAITING_READS;
    }
    config
}

fn vr_config(settings: &Settings, birth: &Birth) -> vr::Config {
    let mut config = vr::Config::new(birth.me, birth.quorum);
    config.mutant = settings.mutant.and_then(Mutant::of_vr);
    config.batching = settings.batching;
    if settings.pauses {
        config.limits.history.retained_bytes = RETAINED_BYTES;
        config.limits.uncommitted_entries = SPECULATIVE_ENTRIES;
        config.limits.ahead_requests = AHEAD_REQUESTS;
        config.limits.deferred.requests = DEFERRED_REQUESTS;
    }
    config
}

fn nopaxos_config(settings: &Settings, birth: &Birth) -> nopaxos::Config {
    let mut config = nopaxos::Config::new(birth.me, birth.quorum);
    config.mutant = settings.mutant.and_then(Mutant::of_nopaxos);
    if settings.pauses {
        config.limits.history.retained_bytes = RETAINED_BYTES;
        config.limits.uncommitted_requests = SPECULATIVE_ENTRIES;
        config.limits.waiting_packets = HELD_PACKETS;
    }
    config
}

fn fast_paxos_config(settings: &Settings, birth: &Birth) -> fast_paxos::Config {
    let mut config = fast_paxos::Config::new(birth.me, birth.quorum);
    config.mutant = settings.mutant.and_then(Mutant::of_fast_paxos);
    if settings.pauses {
        config.limits.history.retained_bytes = RETAINED_BYTES;
        config.limits.uncommitted_entries = SPECULATIVE_ENTRIES;
        config.limits.early_votes = AHEAD_REQUESTS;
        config.limits.deferred.requests = DEFERRED_REQUESTS;
    }
    config
}

fn mencius_config(settings: &Settings, birth: &Birth) -> mencius::Config {
    let mut config = mencius::Config::new(birth.me, birth.quorum);
    config.mutant = settings.mutant.and_then(Mutant::of_mencius);
    config.batching = settings.batching;
    if settings.pauses {
        config.limits.history.retained_bytes = RETAINED_BYTES;
        config.limits.window = WINDOW_TURNS;
        config.limits.revoke_ahead = REVOKED_TURNS;
        config.limits.requests = TAKEN_REQUESTS;
        config.limits.retained_batches = RETAINED_BATCHES;
    }
    config
}

fn of_status(status: &Status, base: SlotNumber) -> Observed {
    Observed {
        mode: status.mode,
        view: status.view,
        base,
        last: status.last_speculative,
        last_committed: status.last_committed,
        hash: status.hash,
    }
}

fn entry_of(history: &History<Machine>, slot: SlotNumber) -> Option<SeenEntry<'_>> {
    let entry = history.log().get(slot)?;
    Some(SeenEntry {
        slot,
        hash: entry.hash,
        client: entry.request.client,
        number: entry.request.number,
        time: entry.time,
        operation: entry.request.operation,
        result: entry.result,
    })
}

/// A core that shows its history and says what it holds.
macro_rules! member_with_history {
    ($core:ident) => {
        impl Member for $core<Machine> {
            fn protocol(&mut self) -> &mut dyn Protocol {
                self
            }

            fn core(&self) -> &dyn Protocol {
                self
            }

            fn observed(&self) -> Observed {
                of_status(&self.status(), self.history().log().base())
            }

            fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
                self.history().log().hash_at(slot)
            }

            fn entry(&self, slot: SlotNumber) -> Option<SeenEntry<'_>> {
                entry_of(self.history(), slot)
            }

            fn machine_fault(&self) -> Option<&str> {
                self.history().machine().fault()
            }

            fn bounds(&self) -> Vec<Bounded> {
                self.held()
                    .into_iter()
                    .map(|Held { name, value, bound }| Bounded { name, value, bound })
                    .collect()
            }
        }
    };
}

member_with_history!(SpecPaxos);
member_with_history!(Rounds);
member_with_history!(Vr);
member_with_history!(NoPaxos);
member_with_history!(FastPaxos);
member_with_history!(Mencius);

impl Member for Unreplicated<Machine> {
    fn protocol(&mut self) -> &mut dyn Protocol {
        self
    }

    fn core(&self) -> &dyn Protocol {
        self
    }

    fn observed(&self) -> Observed {
        let status = self.status();
        of_status(&status, status.last_speculative)
    }

    fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
        let status = self.status();
        (slot == status.last_speculative).then_some(status.hash)
    }

    fn entry(&self, _slot: SlotNumber) -> Option<SeenEntry<'_>> {
        None
    }

    fn machine_fault(&self) -> Option<&str> {
        None
    }

    fn bounds(&self) -> Vec<Bounded> {
        Vec::new()
    }
}
