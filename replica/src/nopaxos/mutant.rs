//! Deliberate breaks of NOPaxos: what the checkers must catch.

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// The leader takes a packet that it lacks for a no-op, and asks nobody.
    GapAlone,
    /// A follower that is told of a no-op says that it has it and keeps the request.
    KeepRequest,
    /// A replica goes on past a packet that it lacks.
    SkipHoles,
    /// A new view begins with the longest log of the newest view, whatever no-ops others know of.
    MergeForgetsNoOps,
    /// A new view begins with the longest log of all, of whatever view.
    MergeStaleLogs,
    /// The leader commits what nobody else has.
    SyncAlone,
    /// A follower takes its own log for the leader's, whatever no-ops the leader lists.
    SyncUnchecked,
    /// A restarted replica goes on with an empty log in its persisted view.
    RejoinAtOnce,
    /// A replica that has stopped for a view change goes on appending and answering.
    NoFreeze,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 9] = [
        Self::GapAlone,
        Self::KeepRequest,
        Self::SkipHoles,
        Self::MergeForgetsNoOps,
        Self::MergeStaleLogs,
        Self::SyncAlone,
        Self::SyncUnchecked,
        Self::RejoinAtOnce,
        Self::NoFreeze,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GapAlone => "gap-alone",
            Self::KeepRequest => "keep-request",
            Self::SkipHoles => "skip-holes",
            Self::MergeForgetsNoOps => "merge-forgets-no-ops",
            Self::MergeStaleLogs => "merge-stale-logs",
            Self::SyncAlone => "sync-alone",
            Self::SyncUnchecked => "sync-unchecked",
            Self::RejoinAtOnce => "rejoin-at-once",
            Self::NoFreeze => "no-freeze",
        }
    }
}
