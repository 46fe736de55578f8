//! What a replica knows of the others: when they were heard, who is taken for crashed, what they
//! last said to be committed.

use crate::quorum::{MAX_REPLICAS, ReplicaSet};
use core::hash::{Hash, Hasher};
use wire::{ReplicaId, SlotNumber, Tick};

/// The other replicas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peers {
    heard: [Tick; MAX_REPLICAS],
    snapshot_sent: [Option<Tick>; MAX_REPLICAS],
    start_sent: [Option<Tick>; MAX_REPLICAS],
    suspected: ReplicaSet,
    committed: [SlotNumber; MAX_REPLICAS],
}

impl Peers {
    pub(crate) fn new(now: Tick) -> Self {
        Self {
            heard: [now; MAX_REPLICAS],
            snapshot_sent: [None; MAX_REPLICAS],
            start_sent: [None; MAX_REPLICAS],
            suspected: ReplicaSet::default(),
            committed: [SlotNumber::ZERO; MAX_REPLICAS],
        }
    }

    /// A replica showed a sign of life; returns whether it was taken for crashed.
    pub(crate) fn hear(&mut self, replica: ReplicaId, now: Tick) -> bool {
        self.heard[usize::from(replica.0)] = now;
        self.suspected.remove(replica)
    }

    pub(crate) fn suspect(&mut self, replica: ReplicaId) {
        self.suspected.insert(replica);
    }

    /// A replica is about to take part again.
    pub(crate) fn expect(&mut self, replica: ReplicaId) {
        self.suspected.remove(replica);
    }

    pub(crate) fn is_suspected(&self, replica: ReplicaId) -> bool {
        self.suspected.contains(replica)
    }

    pub(crate) fn suspects(&self) -> usize {
        self.suspected.len()
    }

    /// From now on everyone is listened to: nobody's silence so far means anything.
    pub(crate) fn listen(&mut self, now: Tick) {
        self.heard = [now; MAX_REPLICAS];
    }

    /// How long a replica has been silent, in nanoseconds.
    pub(crate) fn silence(&self, replica: ReplicaId, now: Tick) -> u64 {
        now.since(self.heard[usize::from(replica.0)])
    }

    /// What a replica said to be committed.
    pub(crate) fn committed(&self, replica: ReplicaId) -> SlotNumber {
        self.committed[usize::from(replica.0)]
    }

    pub(crate) fn note_committed(&mut self, replica: ReplicaId, slot: SlotNumber) {
        let known = &mut self.committed[usize::from(replica.0)];
        *known = slot.max(*known);
    }

    /// A replica has restarted and forgotten everything.
    pub(crate) fn forget(&mut self, replica: ReplicaId) {
        self.committed[usize::from(replica.0)] = SlotNumber::ZERO;
        self.snapshot_sent[usize::from(replica.0)] = None;
        self.start_sent[usize::from(replica.0)] = None;
    }

    /// Whether a replica may be sent a snapshot (again): making one costs time linear in the
    /// state.
    pub(crate) fn may_send_snapshot(&mut self, to: ReplicaId, now: Tick, every_us: u64) -> bool {
        is_due(&mut self.snapshot_sent[usize::from(to.0)], now, every_us)
    }

    /// Whether a replica may be sent the view's beginning (again): it may be long, and on its
    /// way already.
    pub(crate) fn may_send_start(&mut self, to: ReplicaId, now: Tick, every_us: u64) -> bool {
        is_due(&mut self.start_sent[usize::from(to.0)], now, every_us)
    }

    /// A view begins: nobody was sent its beginning.
    pub(crate) fn begin_view(&mut self) {
        self.start_sent = [None; MAX_REPLICAS];
    }
}

fn is_due(sent: &mut Option<Tick>, now: Tick, every_us: u64) -> bool {
    let due = sent.is_none_or(|at| now.since(at) >= every_us * 1_000);
    if due {
        *sent = Some(now);
    }
    due
}

/// When somebody was heard is no part of a replica's state; who is suspected is.
impl PartialEq for Peers {
    fn eq(&self, other: &Self) -> bool {
        (self.suspected, self.committed) == (other.suspected, other.committed)
    }
}

impl Eq for Peers {}

impl Hash for Peers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.suspected.hash(state);
        self.committed.hash(state);
    }
}
