//! What a Speculative Paxos replica is told at its start. Every time is in microseconds.

use crate::history::DEFAULT_RETAINED_BYTES;
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
    /// How long committed entries are kept for others, in bytes of memory.
    pub retained_bytes: usize,
    /// Timers.
    pub timers: Timers,
}

impl Config {
    /// A stamped group with default timers.
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
            retained_bytes: DEFAULT_RETAINED_BYTES,
            timers: Timers::default(),
        }
    }
}

/// How long to wait for what, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timers {
    /// The leader asks for hashes this often while something is not committed.
    pub sync_us: u64,
    /// The leader's sign of life when idle.
    pub heartbeat_us: u64,
    /// A replica that has not got to the slot it was asked about says so after this time.
    pub patience_us: u64,
    /// The leader reconciles if hashes that would commit have not come by then.
    pub sync_timeout_us: u64,
    /// A replica that has heard nothing from another for so long takes it for crashed.
    pub suspect_us: u64,
    /// A view change is tried again in the next view after this time; doubles with each failure.
    pub view_change_us: u64,
    /// Messages of a view change are sent again this often.
    pub resend_us: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            sync_us: 2_000,
            heartbeat_us: 10_000,
            patience_us: 3_000,
            sync_timeout_us: 15_000,
            suspect_us: 60_000,
            view_change_us: 40_000,
            resend_us: 8_000,
        }
    }
}
