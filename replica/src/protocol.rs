//! The contract of a protocol core, and what it tells operators about itself.

use crate::Effects;
use crate::quorum::MAX_REPLICAS;
use wire::message::rounds::Membership;
use wire::{
    Members, Message, ReplicaId, RoundNumber, RoundsEpoch, SlotNumber, StampHeader, SummaryHash,
    Tick, ViewNumber,
};

/// One replica of one protocol: a value that turns packets and times into effects.
pub trait Protocol {
    /// A message arrived at `now`. `stamp` is the header it came with, `None` if it came by the
    /// bulk channel.
    fn on_message(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    );

    /// `now` reached the time last returned by [`deadline`](Self::deadline). Calling early is
    /// harmless.
    fn on_deadline(&mut self, now: Tick, out: &mut Effects);

    /// When to call [`on_deadline`](Self::on_deadline) next. Ask again after every other call.
    fn deadline(&self) -> Option<Tick>;

    /// What an operator sees. Costs time linear in the application's state (its digest).
    fn status(&self) -> Status;

    /// Panics if this replica's own state breaks a property it must always keep.
    fn check(&self);
}

/// What a replica is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Executes requests.
    Normal,
    /// Has stopped until the view's log is agreed on.
    Reconciling,
    /// Has restarted, or fallen behind what others keep of the log: votes for nothing.
    Recovering,
    /// Is no member of the group any more: votes for nothing, and keeps what it has promised.
    Outside,
}

impl Mode {
    /// The mode in one lowercase word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Reconciling => "reconciling",
            Self::Recovering => "recovering",
            Self::Outside => "outside",
        }
    }
}

/// A replica's state as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which replica.
    pub replica: ReplicaId,
    /// What it is doing.
    pub mode: Mode,
    /// Whether the leader orders in the view that it is in, or was in last.
    pub degraded: bool,
    /// Its view.
    pub view: ViewNumber,
    /// The newest slot executed.
    pub last_speculative: SlotNumber,
    /// The newest slot that can no longer change.
    pub last_committed: SlotNumber,
    /// The summary hash at the newest slot executed.
    pub hash: SummaryHash,
    /// The digest of the application's state at the newest slot executed.
    pub digest: SummaryHash,
    /// What there is to say of synchronous rounds, if they are the protocol.
    pub rounds: Option<RoundsStatus>,
    /// What has happened so far.
    pub counters: Counters,
}

/// Synchronous rounds as operators see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundsStatus {
    /// The epoch that is installed.
    pub epoch: RoundsEpoch,
    /// Who votes in the epoch.
    pub members: Members,
    /// Who is decided to be a member, from the next epoch on.
    pub decided: Membership,
    /// The newest closed round in the stamps that came.
    pub closed_round: RoundNumber,
    /// Who was heard in it. When little is said a round may hold one member's packet.
    pub closed_members: Members,
    /// For how many microseconds of agreed time each member had not been heard in it.
    pub silent_us: [u64; MAX_REPLICAS],
}

/// Events since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Requests appended, counting again those that were rolled back and appended anew.
    pub executed: u64,
    /// Entries undone.
    pub rolled_back: u64,
    /// View changes begun.
    pub view_changes: u64,
    /// Requests that came while the replica had stopped.
    pub deferred: u64,
    /// Requests dropped because too many were deferred.
    pub deferred_dropped: u64,
    /// Requests without a stamp on a group that has stamps.
    pub unstamped: u64,
    /// Reads answered without a place in the log.
    pub reads: u64,
    /// Requests older than their client's last.
    pub stale: u64,
    /// Requests answered from the log.
    pub resent: u64,
    /// Requests dropped because too much waited for a commit, or for a barrier.
    pub throttled: u64,
    /// Packets of the group that came twice.
    pub copies: u64,
    /// Packets of the group that were missing and came from a peer.
    pub gaps_filled: u64,
    /// Times that a replica went on without a missing packet.
    pub gaps_given_up: u64,
    /// Views entered in which the leader orders.
    pub degraded_views: u64,
    /// Snapshots sent to replicas that were too far behind for the log.
    pub snapshots_sent: u64,
    /// Snapshots installed.
    pub snapshots_installed: u64,
    /// Messages that no correct replica sends.
    pub rejected: u64,
}
