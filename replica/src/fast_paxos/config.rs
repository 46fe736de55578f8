//! What a replica of Fast Paxos is told at its start. Every time is in microseconds.

use super::Mutant;
use crate::deferred::DeferredLimits;
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

    /// Equal votes that choose in a fast ballot.
    pub(super) fn fast_quorum(&self) -> usize {
        if self.breaks(Mutant::ClassicForFast) {
            self.quorum.majority()
        } else {
            self.quorum.superquorum()
        }
    }
}

/// Bounds on memory, so that no slow replica or client can make another one grow without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// What the log and the client table may hold.
    pub history: Bounds,
    /// Entries that may wait for a commit. A replica that has reached it takes nothing new until
    /// something commits; clients ask again.
    pub uncommitted_entries: usize,
    /// The same in bytes of operations and results.
    pub uncommitted_bytes: usize,
    /// Requests that may wait for a view change.
    pub deferred: DeferredLimits,
    /// Votes of one replica that a coordinator keeps for slots that it has not reached itself.
    pub early_votes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: Bounds::default(),
            uncommitted_entries: 65_536,
            uncommitted_bytes: 64 << 20,
            deferred: DeferredLimits::default(),
            early_votes: 4_096,
        }
    }
}

/// How long to wait for what, in microseconds. How long a coordinator may be silent and how long
/// a choice may take adapt; what stands here are their lower bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// The coordinator's sign of life, and its question to everybody.
    pub heartbeat_us: u64,
    /// Who has said nothing for so long is taken for crashed.
    pub suspect_us: u64,
    /// What is not chosen after so long gets a ballot of its own.
    pub stuck_us: u64,
    /// A replica that lacks something waits so long for it before it asks.
    pub late_us: u64,
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
            stuck_us: 500,
            late_us: 500,
            view_change_us: 20_000,
            resend_us: 4_000,
        }
    }
}
