//! What a replica of NOPaxos is told at its start. Every time is in microseconds.

use super::Mutant;
use crate::history::Bounds;
use crate::quorum::Quorum;
use wire::ReplicaId;

/// Settings of one replica; all replicas of a group have the same but for `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This replica.
    pub me: ReplicaId,
    /// The group's quorums.
    pub quorum: Quorum,
    /// What may be kept.
    pub limits: Limits,
    /// Times.
    pub timings: Timings,
    /// A deliberate break of the protocol, for tests of what should catch it. No deployment can
    /// set it.
    pub mutant: Option<Mutant>,
}

impl Config {
    /// A group with default limits and timings.
    pub fn new(me: ReplicaId, quorum: Quorum) -> Self {
        assert!(
            usize::from(me.0) < quorum.n(),
            "replica {me} of a group of {}",
            quorum.n()
        );
        Self {
            me,
            quorum,
            limits: Limits::default(),
            timings: Timings::default(),
            mutant: None,
        }
    }

    /// Whether this replica is deliberately broken in this way.
    pub(super) fn breaks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// Bounds on memory, so that no slow replica or client can make another one grow without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// What the log and the client table may hold.
    pub history: Bounds,
    /// Requests that may wait for a synchronization. A replica that has reached it takes nothing
    /// more until one succeeds.
    pub uncommitted_requests: usize,
    /// The same in bytes of operations.
    pub uncommitted_bytes: usize,
    /// Packets that may wait behind one that is missing. The newest are dropped first.
    pub waiting_packets: usize,
    /// The same in bytes of operations.
    pub waiting_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: Bounds::default(),
            uncommitted_requests: 65_536,
            uncommitted_bytes: 64 << 20,
            waiting_packets: 4_096,
            waiting_bytes: 8 << 20,
        }
    }
}

/// How long to wait for what, in microseconds. How long a leader may be silent adapts; what
/// stands here is its lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// The leader synchronizes this often, if there is nothing to synchronize as a sign of life.
    pub sync_us: u64,
    /// A follower that has heard nothing from the leader for so long takes it for crashed.
    pub suspect_us: u64,
    /// A view change is tried again in the next view after this time; doubles with each failure.
    pub view_change_us: u64,
    /// Questions, and messages of a view change, are sent again this often.
    pub resend_us: u64,
    /// A packet that is missing may still arrive out of order within this time.
    pub reorder_us: u64,
    /// The leader has this long to send a packet that is missing, and followers to agree that
    /// nobody needs it. Doubles each time.
    pub fetch_us: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            sync_us: 2_000,
            suspect_us: 6_000,
            view_change_us: 20_000,
            resend_us: 4_000,
            reorder_us: 20,
            fetch_us: 100,
        }
    }
}
