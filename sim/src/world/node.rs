//! A replica with its clock, disk, processor and inbox: what is around a core on a host.

use super::clock::Clock;
use super::member::{Member, Observed};
use replica::{Effects, Persistent};
use std::collections::VecDeque;
use wire::{SlotNumber, SummaryHash, Tick};

/// A write to a disk that is well.
const DISK_NS: u64 = 20_000;
/// Messages that wait for the processor; more are dropped, as a socket's buffer does.
pub(super) const INBOX_MAX: usize = 4_096;

/// What a replica can be handed.
#[derive(Debug)]
pub(super) enum Input {
    /// A datagram: stamp and message.
    Packet(Vec<u8>),
    /// A message of the bulk channel.
    Bulk(Vec<u8>),
    /// Its timer.
    Deadline,
}

/// What survives the process.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) saved: Option<Persistent>,
    full: Vec<usize>,
    slow: Vec<(usize, u64)>,
}

impl Disk {
    pub(super) fn fill(&mut self, item: usize) {
        self.full.push(item);
    }

    pub(super) fn slow_down(&mut self, item: usize, latency_ns: u64) {
        self.slow.push((item, latency_ns));
    }

    /// Ends what an item did to it.
    pub(super) fn remove(&mut self, item: usize) {
        self.full.retain(|other| *other != item);
        self.slow.retain(|(other, _)| *other != item);
    }

    pub(super) fn is_full(&self) -> bool {
        !self.full.is_empty()
    }

    pub(super) fn latency_ns(&self) -> u64 {
        let slow = self.slow.iter().map(|(_, latency)| *latency);
        slow.max().unwrap_or(DISK_NS)
    }
}

/// Effects that wait for a write to be durable.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) effects: Effects,
    /// The first effect that was not carried out.
    pub(super) at: usize,
    pub(super) write: Persistent,
}

/// The replica's processor and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) inbox: VecDeque<Input>,
    pub(super) busy_until: Tick,
    pub(super) unfinished: Option<Unfinished>,
    /// The timer fired while it was busy.
    pub(super) timer_due: bool,
}

/// A replica on its host.
pub(super) struct Node {
    /// None while its process is not running.
    pub(super) member: Option<Box<dyn Member>>,
    pub(super) clock: Clock,
    pub(super) disk: Disk,
    pub(super) work: Work,
    /// Counts its starts.
    pub(super) incarnation: u64,
    /// Whether it has been normal since it started and has not lost its place since: otherwise it
    /// counts as down.
    pub(super) is_whole: bool,
    /// The item that ended it, if it is to start again, and whether its disk survives.
    pub(super) ended_by: Option<(usize, bool)>,
    /// The time of its timer, in true time, and its number.
    pub(super) armed: Option<Tick>,
    pub(super) generation: u64,
    /// As invariants last saw it.
    pub(super) seen: Observed,
    /// Hashes of its log as last seen, from slot 1.
    hashes: Vec<SummaryHash>,
}

impl Node {
    pub(super) fn new(member: Box<dyn Member>, clock: Clock) -> Self {
        let disk = Disk {
            // `format` marks a first boot.
            saved: Some(Persistent::default()),
            ..Disk::default()
        };
        Self {
            seen: member.observed(),
            member: Some(member),
            clock,
            disk,
            work: Work::default(),
            incarnation: 1,
            is_whole: true,
            ended_by: None,
            armed: None,
            generation: 0,
            hashes: Vec::new(),
        }
    }

    pub(super) fn is_busy(&self, now: Tick) -> bool {
        self.work.unfinished.is_some() || now < self.work.busy_until
    }

    /// The process ends.
    pub(super) fn end(&mut self) {
        self.member = None;
        self.is_whole = false;
        self.forget_work();
    }

    /// A new process starts.
    pub(super) fn start(&mut self, member: Box<dyn Member>) {
        self.seen = member.observed();
        self.hashes.clear();
        self.member = Some(member);
        self.ended_by = None;
        self.forget_work();
    }

    fn forget_work(&mut self) {
        self.work = Work::default();
        self.armed = None;
        self.generation += 1;
    }

    /// Looks at the replica anew: what it was before, what it is now, and up to where its log is
    /// the same. `None` if nothing has changed.
    pub(super) fn look(&mut self) -> Option<(Observed, Observed, SlotNumber)> {
        let member = self.member.as_deref()?;
        let (before, after) = (self.seen, member.observed());
        if before == after {
            return None;
        }
        self.seen = after;
        let mut kept = before.last.min(after.last);
        while kept > after.base && self.known(kept) != member.hash_at(kept) {
            kept = SlotNumber(kept.0 - 1);
        }
        kept = kept.max(after.base);
        let keep = usize::try_from(kept.0).expect("logs of runs are short");
        // A snapshot has no hashes for what it stands for.
        self.hashes.resize(keep, SummaryHash::EMPTY);
        for slot in kept.0 + 1..=after.last.0 {
            let hash = member.hash_at(SlotNumber(slot)).unwrap_or_default();
            self.hashes.push(hash);
        }
        Some((before, after, kept))
    }

    fn known(&self, slot: SlotNumber) -> Option<SummaryHash> {
        let index = usize::try_from(slot.0.checked_sub(1)?).ok()?;
        self.hashes.get(index).copied()
    }
}
