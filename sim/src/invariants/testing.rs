//! Replicas that are nothing but a log, to show invariants what must never be.

use super::{Answered, End, Sent, Sight, Step};
use crate::history::History;
use crate::world::{Bounded, Member, Observed, SeenEntry};
use replica::{Counters, Mode, Protocol, Status};
use wire::message::Message;
use wire::{AgreedTime, ClientId, ReplicaId, RequestNumber, SlotNumber, SummaryHash, ViewNumber};

#[derive(Clone, Debug)]
pub(super) struct FakeEntry {
    pub(super) hash: SummaryHash,
    pub(super) client: ClientId,
    pub(super) number: RequestNumber,
    pub(super) time: AgreedTime,
    pub(super) operation: Vec<u8>,
    pub(super) result: Vec<u8>,
}

/// A log of requests named by a letter; the same letter is the same request.
#[derive(Clone, Debug)]
pub(super) struct FakeLog {
    pub(super) entries: Vec<FakeEntry>,
    pub(super) committed: u64,
    pub(super) mode: Mode,
    pub(super) fault: Option<String>,
    pub(super) bounds: Vec<Bounded>,
    pub(super) digest: SummaryHash,
}

impl FakeLog {
    pub(super) fn of(names: &[&str]) -> Self {
        let mut hash = SummaryHash::EMPTY;
        let mut entries = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let letter = name.as_bytes()[0];
            // Stands for all names before: an arithmetic hash is enough here.
            for (at, byte) in (0..).zip(hash.0.iter_mut()) {
                *byte = byte.wrapping_mul(31).wrapping_add(letter).wrapping_add(at);
            }
            entries.push(FakeEntry {
                hash,
                client: ClientId(1),
                number: RequestNumber(letter.into()),
                time: AgreedTime(10 * (index as u64 + 1)),
                operation: name.as_bytes().to_vec(),
                result: name.as_bytes().to_vec(),
            });
        }
        Self {
            entries,
            committed: 0,
            mode: Mode::Normal,
            fault: None,
            bounds: Vec::new(),
            digest: SummaryHash::EMPTY,
        }
    }

    pub(super) fn committed(mut self, slot: u64) -> Self {
        self.committed = slot;
        self
    }
}

impl Protocol for FakeLog {
    fn on_message(
        &mut self,
        _: wire::Tick,
        _: Option<&wire::StampHeader>,
        _: Message<'_>,
        _: &mut replica::Effects,
    ) {
    }
    fn on_deadline(&mut self, _: wire::Tick, _: &mut replica::Effects) {}
    fn deadline(&self) -> Option<wire::Tick> {
        None
    }
    fn status(&self) -> Status {
        let observed = self.observed();
        Status {
            replica: ReplicaId(0),
            mode: observed.mode,
            degraded: false,
            view: observed.view,
            last_speculative: observed.last,
            last_committed: observed.last_committed,
            hash: observed.hash,
            digest: self.digest,
            rounds: None,
            counters: Counters::default(),
        }
    }
    fn check(&self) {}
}

impl Member for FakeLog {
    fn protocol(&mut self) -> &mut dyn Protocol {
        self
    }
    fn core(&self) -> &dyn Protocol {
        self
    }
    fn observed(&self) -> Observed {
        Observed {
            mode: self.mode,
            view: ViewNumber(0),
            base: SlotNumber(0),
            last: SlotNumber(self.entries.len() as u64),
            last_committed: SlotNumber(self.committed),
            hash: self
                .entries
                .last()
                .map_or(SummaryHash::EMPTY, |entry| entry.hash),
        }
    }
    fn hash_at(&self, slot: SlotNumber) -> Option<SummaryHash> {
        if slot == SlotNumber(0) {
            return Some(SummaryHash::EMPTY);
        }
        self.entry(slot).map(|entry| entry.hash)
    }
    fn entry(&self, slot: SlotNumber) -> Option<SeenEntry<'_>> {
        let index = usize::try_from(slot.0.checked_sub(1)?).ok()?;
        let entry = self.entries.get(index)?;
        Some(SeenEntry {
            slot,
            hash: entry.hash,
            client: entry.client,
            number: entry.number,
            time: entry.time,
            operation: &entry.operation,
            result: &entry.result,
        })
    }
    fn machine_fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
    fn bounds(&self) -> Vec<Bounded> {
        self.bounds.clone()
    }
}

/// A replica gets from an empty log to this one in one step.
pub(super) fn step(replica: u8, after: &FakeLog) -> Sight<'_> {
    Sight::Step(Step {
        replica: ReplicaId(replica),
        before: Observed::default(),
        after: after.observed(),
        kept: SlotNumber(0),
        member: after,
    })
}

/// A replica gets from one log to another in one step.
pub(super) fn step_from<'a>(replica: u8, before: &FakeLog, after: &'a FakeLog) -> Sight<'a> {
    let pairs = before.entries.iter().zip(&after.entries);
    let kept = pairs.take_while(|(old, new)| old.hash == new.hash).count();
    Sight::Step(Step {
        replica: ReplicaId(replica),
        before: before.observed(),
        after: after.observed(),
        kept: SlotNumber(kept as u64),
        member: after,
    })
}

/// A client is told of the request at a slot.
pub(super) fn answered(log: &FakeLog, slot: u64) -> Sight<'_> {
    let entry = log.entry(SlotNumber(slot)).expect("a slot of the log");
    Sight::Answered(Answered {
        client: entry.client,
        number: entry.number,
        slot: entry.slot,
        hash: entry.hash,
        result: entry.result,
    })
}

/// A replica sends a message.
pub(super) fn sent(replica: u8, message: Message<'_>) -> Sight<'_> {
    Sight::Sent(Sent {
        replica: ReplicaId(replica),
        message,
    })
}

/// The run ends with these replicas.
pub(super) fn ended(logs: &[&FakeLog], look: impl FnOnce(&Sight<'_>)) {
    let members: Vec<(ReplicaId, &dyn Member)> = (0..)
        .map(ReplicaId)
        .zip(logs.iter().map(|log| *log as &dyn Member))
        .collect();
    let history = History::new();
    look(&Sight::End(End {
        members: &members,
        history: &history,
    }));
}
