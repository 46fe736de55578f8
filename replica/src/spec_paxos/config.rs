//! What a Speculative Paxos replica is told at its start. Every time is in microseconds.

use crate::deferred::DeferredLimits;
use crate::history::Bounds;
use crate::mutant::Mutant;
use crate::quorum::Quorum;
use wire::ReplicaId;

/// Settings of one replica; all replicas of a group have the same but for `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This replica.
    pub me: ReplicaId,
    /// The group's quorums.
    pub quorum: Quorum,
    /// Whether the fabric stamps: requests without a stamp are then dropped, and entries have
    /// an agreed time.
    pub stamps: bool,
    /// Whether a replica that missed a packet asks its peers for it before it goes on.
    pub gap_awareness: bool,
    /// What may be kept.
    pub limits: Limits,
    /// Times.
    pub timings: Timings,
    /// A deliberate break of the protocol, for tests of what should catch it. No deployment can
    /// set it.
    pub mutant: Option<Mutant>,
}

impl Config {
    /// A stamped group with default timings.
    pub fn new(me: ReplicaId, quorum: Quorum) -> Self {
        assert!(
            usize::from(me.0) < quorum.n(),
            "replica {me} of a group of {}",
            quorum.n()
        );
        Self {
            me,
            quorum,
            stamps: true,
            gap_awareness: true,
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
    /// Entries, with their undo records, that may wait for a commit. A replica that has reached
    /// it executes nothing new until something commits; clients ask again.
    pub speculative_entries: usize,
    /// The same in bytes of operations and results.
    pub speculative_bytes: usize,
    /// Requests that may wait for a view change, or for a restarted replica to be let in.
    pub deferred: DeferredLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: Bounds::default(),
            speculative_entries: 65_536,
            speculative_bytes: 64 << 20,
            deferred: DeferredLimits::default(),
        }
    }
}

/// How long to wait for what, in microseconds. Waits that depend on the network and on the
/// machine adapt; these are their lower bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// The leader asks for hashes this often while something is not committed.
    pub sync_us: u64,
    /// The leader's sign of life when idle.
    pub heartbeat_us: u64,
    /// A replica that has not got to the slot it was asked about says so after this time.
    pub patience_us: u64,
    /// The leader reconciles if hashes that would commit have not come by then.
    pub sync_timeout_us: u64,
    /// A replica that has heard nothing from the leader for so long takes it for crashed.
    pub suspect_us: u64,
    /// A view change is tried again in the next view after this time; doubles with each failure.
    pub view_change_us: u64,
    /// Messages of a view change are sent again this often.
    pub resend_us: u64,
    /// A packet that is missing may still arrive out of order within this time.
    pub reorder_us: u64,
    /// A peer has this long to send a packet that is missing.
    pub fetch_us: u64,
    /// The leader of a degraded view looks this often whether a superquorum is back; doubles
    /// each time that it did not last.
    pub return_us: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            sync_us: 2_000,
            heartbeat_us: 2_000,
            patience_us: 3_000,
            sync_timeout_us: 12_000,
            suspect_us: 6_000,
            view_change_us: 20_000,
            resend_us: 4_000,
            reorder_us: 20,
            fetch_us: 100,
            return_us: 20_000,
        }
    }
}
