//! What a server of Mencius is told at its start. Every time is in microseconds.

use super::Mutant;
use crate::history::Bounds;
use crate::quorum::Quorum;
use wire::{DEFAULT_PAYLOAD_LIMIT, ReplicaId, STAMP_LEN};

/// Settings of one server; all servers of a group have the same but for `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This server.
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

    /// Whether this server is deliberately broken in this way.
    pub(super) fn breaks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Instances in one turn of all servers.
    pub(super) fn turn(&self) -> u64 {
        self.quorum.n() as u64
    }

    /// Nothing is accepted further than so many instances beyond what is executed.
    pub(super) fn span(&self) -> u64 {
        self.turn() * 4 * (self.limits.window + self.limits.revoke_ahead)
    }
}

/// Bounds on memory, so that no slow server or client can make another one grow without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// What the log and the client table may hold.
    pub history: Bounds,
    /// A server proposes for its own instances at most so many turns beyond what it has executed.
    pub window: u64,
    /// So many turns beyond what is in use are revoked together: the group does not stop for each
    /// instance of a server that is gone. The window must be larger by 2 at least: a server that
    /// was revoked though it is there must be able to propose beyond that.
    pub revoke_ahead: u64,
    /// Requests that a server has taken and that are not executed. More are not taken; clients
    /// ask again.
    pub requests: usize,
    /// The same in bytes.
    pub request_bytes: usize,
    /// Executed batches that are kept for others. Who lacks more gets a snapshot.
    pub retained_batches: usize,
    /// The same in bytes.
    pub retained_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: Bounds::default(),
            window: 1_024,
            revoke_ahead: 512,
            requests: 65_536,
            request_bytes: 64 << 20,
            retained_batches: 65_536,
            retained_bytes: 32 << 20,
        }
    }
}

/// How long to wait for what, in microseconds. How long a server may be silent adapts; what
/// stands here is its lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// The sign of life of a server that has nothing to say, and its question to who has not
    /// answered.
    pub heartbeat_us: u64,
    /// A server that has been silent for so long is taken for crashed.
    pub suspect_us: u64,
    /// Questions are sent again this often.
    pub resend_us: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat_us: 2_000,
            suspect_us: 6_000,
            resend_us: 4_000,
        }
    }
}
