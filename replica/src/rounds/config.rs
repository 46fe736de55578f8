//! What a replica with synchronous rounds is told at its start. Every time is in microseconds.

use super::mutant::Mutant;
use crate::history::Bounds;
use crate::quorum::{MAX_REPLICAS, Quorum};
use wire::{DEFAULT_PAYLOAD_LIMIT, Members, ReplicaId, STAMP_LEN};

/// Settings of one replica; all replicas of a group have the same but for `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This replica.
    pub me: ReplicaId,
    /// Who was in the group on its first boot. Changes since are in the log.
    pub members: Members,
    /// How many replicas there are that are members or may become members: their numbers are
    /// below this one.
    pub known: usize,
    /// Bytes that a message may have in one packet, without the stamp.
    pub payload_limit: usize,
    /// What may be kept.
    pub limits: Limits,
    /// Times.
    pub timings: Timings,
    /// How operations that change nothing are answered.
    pub reads: ReadPath,
    /// A deliberate break of the protocol, for tests of what should catch it. No deployment can
    /// set it.
    pub mutant: Option<Mutant>,
}

impl Config {
    /// A group with default limits and timings.
    pub fn new(me: ReplicaId, quorum: Quorum) -> Self {
        Self::with_others(me, quorum, quorum.n())
    }

    /// The same with replicas besides the first members: `known` in all.
    pub fn with_others(me: ReplicaId, quorum: Quorum, known: usize) -> Self {
        assert!(
            usize::from(me.0) < known && quorum.n() <= known && known <= MAX_REPLICAS,
            "replica {me} of {known}, with {} members",
            quorum.n()
        );
        Self {
            me,
            members: Members::first(quorum.n()),
            known,
            payload_limit: DEFAULT_PAYLOAD_LIMIT - STAMP_LEN,
            limits: Limits::default(),
            timings: Timings::default(),
            reads: ReadPath::default(),
            mutant: None,
        }
    }

    /// Whether this replica is deliberately broken in this way.
    pub(super) fn breaks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// How operations that change nothing are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadPath {
    /// By the member that is asked, once a packet that it sent since is acknowledged.
    #[default]
    Barrier,
    /// In the log, like all others.
    Log,
}

/// Bounds on memory, so that no slow replica or client can make another one grow without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// What executed requests and the client table may hold.
    pub history: Bounds,
    /// Positions that may wait for a decision. A replica that has reached it votes for nothing
    /// more until something is decided.
    pub undecided: u64,
    /// Packets that may wait for one that is missing before them.
    pub held: usize,
    /// Decided positions kept for members that missed them; who is further behind gets the state.
    pub retained: u64,
    /// Requests of clients that this replica has taken and not executed. Beyond it requests are
    /// dropped; their clients ask again, elsewhere.
    pub requests: usize,
    /// Reads of clients that wait at this replica; beyond it they are dropped like requests.
    pub reads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: Bounds::default(),
            undecided: 1_024,
            held: 2_048,
            retained: 4_096,
            requests: 8_192,
            reads: 8_192,
        }
    }
}

/// How long to wait for what, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// A packet is sent at least this often while anybody heard of lately has something to learn.
    pub retry_us: u64,
    /// A packet is sent at least this often.
    pub idle_us: u64,
    /// The own packet is taken for lost if it is not back by then; follows the measured time.
    pub flight_us: u64,
    /// A packet that is missing may still arrive out of order within this time.
    pub reorder_us: u64,
    /// Members have this long to send a packet that is missing; follows the measured time, as do
    /// `suspect_us` and `give_up_us`.
    pub fetch_us: u64,
    /// Nothing was decided for so long, though something could be: another epoch is wanted.
    /// Doubles with each epoch in which nothing is decided.
    pub suspect_us: u64,
    /// Who has not been heard for so long is waited for no more.
    pub silent_us: u64,
    /// Messages that agree on an epoch are sent again this often.
    pub resend_us: u64,
    /// An epoch that has not begun by then is given up for the next; doubles like `suspect_us`.
    pub give_up_us: u64,
    /// A wish for another epoch counts for so long.
    pub wish_us: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            retry_us: 1_000,
            idle_us: 20_000,
            flight_us: 1_000,
            reorder_us: 20,
            fetch_us: 200,
            suspect_us: 8_000,
            silent_us: 50_000,
            resend_us: 2_000,
            give_up_us: 10_000,
            wish_us: 50_000,
        }
    }
}
