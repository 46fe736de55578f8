//! Links in virtual time, and the root that stamps what goes to the group.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use wire::{EpochNumber, GroupId, Kind, RoundNumber, Sender, SequenceNumber, StampHeader, Tick};

/// One way over a link and through the switch, in nanoseconds.
const HOP_NS: u64 = 8_000;
/// A packet of the bulk channel takes longer, and keeps its order.
const BULK_NS: u64 = 60_000;
const ROUND_SHIFT: u8 = 8;

/// What links do to packets, in parts per million.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Lost.
    pub loss_ppm: u32,
    /// Overtaken: held back by up to `reorder_ns`.
    pub reorder_ppm: u32,
    /// The longest that a packet is held back.
    pub reorder_ns: u64,
    /// Delivered twice.
    pub duplicate_ppm: u32,
}

/// Where a packet is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Replica(usize),
    Client(usize),
}

/// When it arrives, its number (packets of one tick keep their order), where, and what.
type Packet = (Tick, u64, Target, Vec<u8>);

/// Everything that is on its way.
pub(super) struct Network {
    random: ChaCha8Rng,
    faults: Faults,
    queue: BinaryHeap<Reverse<Packet>>,
    sent: u64,
    sequence: u64,
}

impl Network {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            faults,
            queue: BinaryHeap::new(),
            sent: 0,
            sequence: 0,
        }
    }

    /// From now on links do no harm.
    pub(super) fn heal(&mut self) {
        self.faults = Faults::default();
    }

    pub(super) fn next_at(&self) -> Option<Tick> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Target, Vec<u8>)> {
        self.queue
            .pop()
            .map(|Reverse((_, _, target, payload))| (target, payload))
    }

    /// A packet from host to host, or a message of the bulk channel, which is reliable.
    pub(super) fn send(&mut self, now: Tick, target: Target, payload: Vec<u8>, bulk: bool) {
        if bulk {
            self.push(Tick(now.0 + BULK_NS), target, payload);
        } else {
            self.deliver(Tick(now.0 + 2 * HOP_NS), target, payload);
        }
    }

    /// A request to the group: to the root, stamped, and a copy to each replica.
    pub(super) fn multicast(&mut self, now: Tick, group: GroupId, copies: usize, message: &[u8]) {
        if self.happens(self.faults.loss_ppm) {
            return;
        }
        let at_root = Tick(now.0 + HOP_NS);
        self.sequence += 1;
        let stamp = StampHeader {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(self.sequence),
            round: RoundNumber((at_root.0 / 1_000) >> ROUND_SHIFT),
            round_shift: ROUND_SHIFT,
            ..StampHeader::unstamped(Kind::Request, Sender::Outsider, group)
        };
        let mut payload = stamp.to_bytes().to_vec();
        payload.extend_from_slice(message);
        for index in 0..copies {
            let at = Tick(at_root.0 + HOP_NS);
            self.deliver(at, Target::Replica(index), payload.clone());
        }
    }

    /// The last hop, with its faults.
    fn deliver(&mut self, at: Tick, target: Target, payload: Vec<u8>) {
        if self.happens(self.faults.loss_ppm) {
            return;
        }
        if self.happens(self.faults.duplicate_ppm) {
            let again = Tick(at.0 + self.random.next_u64() % 100_000);
            self.push(again, target, payload.clone());
        }
        let late = if self.happens(self.faults.reorder_ppm) {
            self.random.next_u64() % self.faults.reorder_ns.max(1)
        } else {
            0
        };
        self.push(Tick(at.0 + late), target, payload);
    }

    fn push(&mut self, at: Tick, target: Target, payload: Vec<u8>) {
        self.sent += 1;
        self.queue.push(Reverse((at, self.sent, target, payload)));
    }

    fn happens(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.random.next_u64() % 1_000_000 < u64::from(ppm)
    }
}
