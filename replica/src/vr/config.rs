//! What a replica of Viewstamped Replication is told at its start. Every time is in microseconds.

use super::Mutant;
use crate::deferred::DeferredLimits;
use crate::history::Bounds;
use crate::quorum::Quorum;
use wire::{DEFAULT_PAYLOAD_LIMIT, ReplicaId, STAMP_LEN};

/// Settings of one replica; all replicas of a group have the same but for `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This replica.
    pub me: ReplicaId,
    /// The group's quorums.
    pub quorum: Quorum,
    /// Whether requests that come while others are on the way wait for them and go together.
    /// Else each goes at once, alone.
    pub batching: bool,
    /// Bytes of a message that fit a packet.
    pub payload_limit: usize,
    /// What may be kept.
    pub limits: Limits,
    /// Times.
    pub timings: Timings,
    /// A deliberate break of the protocol, for tests of what should catch it. No deployment can
    /// set it.
    pub mutant: Option<Mutant>,
}

impl Config {
    /// A group that batches, with default limits and timings.
    pub fn new(me: ReplicaId, quorum: Quorum) -> Self {
        assert!(
            usize::from(me.0) < quorum.n(),
            "replica {me} of a group of {}",
            quorum.n()
        );
        Self {
            me,
            quorum,
            batching: true,
            payload_limit: DEFAULT_PAYLOAD_LIMIT - STAMP_LEN,
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
    /// Entries that may wait for a commit. A leader that has reached it takes nothing new until
    /// something commits; clients ask again.
    pub uncommitted_entries: usize,
    /// The same in bytes of operations and results.
    pub uncommitted_bytes: usize,
    /// Requests that may wait for a view change.
    pub deferred: DeferredLimits,
    /// Requests that a follower keeps behind some that it lacks.
    pub ahead_requests: usize,
    /// The same in bytes of operations.
    pub ahead_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: Bounds::default(),
            uncommitted_entries: 65_536,
            uncommitted_bytes: 64 << 20,
            deferred: DeferredLimits::default(),
            ahead_requests: 4_096,
            ahead_bytes: 1 << 20,
        }
    }
}

/// How long to wait for what, in microseconds. How long a leader may be silent adapts; what
/// stands here is its lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// The leader's sign of life when it has nothing to say, and its question to who has not
    /// answered.
    pub heartbeat_us: u64,
    /// A follower that has heard nothing from the leader for so long takes it for crashed.
    pub suspect_us: u64,
    /// A view change is tried again in the next view after this time; doubles with each failure.
    pub view_change_us: u64,
    /// Questions, and messages of a view change, are sent again this often.
    pub resend_us: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat_us: 2_000,
            suspect_us: 6_000,
            view_change_us: 20_000,
            resend_us: 4_000,
        }
    }
}
