//! Deliberate breaks of the protocol: what the checkers must catch.
//!
//! Each is one mistake that somebody made or could make. A checker that none of them trips is
//! not a checker. `downbeat sim --mutants` prints which invariant caught which, and when.

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// f+1 equal hashes commit.
    CommitByMajority,
    /// A mismatch starts a view change, and the leader commits its own prefix all the same.
    CommitOnMismatch,
    /// A follower commits whatever its own hash at the slot is.
    CommitUnchecked,
    /// A replica goes on executing and answering after it has promised a view.
    NoFreeze,
    /// The newest installed view is read off the newest log entry.
    LastNormalFromLog,
    /// Reports of older views count like those of the newest.
    MergeStaleReports,
    /// One vote is enough for an entry to stay.
    MergeOneVote,
    /// No entry stays because of votes: all follow in slot order.
    MergeForgetsAgreed,
    /// What a truncated log holds again is appended again.
    MergeDuplicates,
    /// A delayed START-VIEW of an older view, or of the one installed, is installed.
    OldStartView,
    /// The merged log is committed before anybody else has it.
    InViewAlone,
    /// A restarted replica goes on in its persisted view.
    RejoinAtOnce,
    /// Reports of earlier lives count.
    IgnoreIncarnations,
    /// The leader of a degraded view answers before f+1 have the entry.
    DegradedRepliesEarly,
    /// Logs of a degraded view are merged by votes.
    DegradedMergeByVotes,
    /// Nothing bounds what waits for a commit.
    SpeculateWithoutBound,
    /// A snapshot holds what is not committed.
    SnapshotOfSpeculation,
    /// A rollback forgets to undo what was executed.
    SkipUndo,
    /// A rollback does not put the client table back.
    KeepClientTable,
    /// A request that comes again is executed again for its reply, and no entry says so.
    ExecuteRepeated,
    /// Who installs a snapshot takes over log position and clients, and keeps the state it had.
    SnapshotWithoutState,
    /// Committed entries are never dropped.
    NeverTruncate,
    /// The summary hash leaves out whose request an entry is, and which.
    HashWithoutClient,
    /// Agreed time follows the stamp even when it runs back.
    TimeRunsBack,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 24] = [
        Self::CommitByMajority,
        Self::CommitOnMismatch,
        Self::CommitUnchecked,
        Self::NoFreeze,
        Self::LastNormalFromLog,
        Self::MergeStaleReports,
        Self::MergeOneVote,
        Self::MergeForgetsAgreed,
        Self::MergeDuplicates,
        Self::OldStartView,
        Self::InViewAlone,
        Self::RejoinAtOnce,
        Self::IgnoreIncarnations,
        Self::DegradedRepliesEarly,
        Self::DegradedMergeByVotes,
        Self::SpeculateWithoutBound,
        Self::SnapshotOfSpeculation,
        Self::SkipUndo,
        Self::KeepClientTable,
        Self::ExecuteRepeated,
        Self::SnapshotWithoutState,
        Self::NeverTruncate,
        Self::HashWithoutClient,
        Self::TimeRunsBack,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitByMajority => "commit-by-majority",
            Self::CommitOnMismatch => "commit-on-mismatch",
            Self::CommitUnchecked => "commit-unchecked",
            Self::NoFreeze => "no-freeze",
            Self::LastNormalFromLog => "last-normal-from-log",
            Self::MergeStaleReports => "merge-stale-reports",
            Self::MergeOneVote => "merge-one-vote",
            Self::MergeForgetsAgreed => "merge-forgets-agreed",
            Self::MergeDuplicates => "merge-duplicates",
            Self::OldStartView => "old-start-view",
            Self::InViewAlone => "in-view-alone",
            Self::RejoinAtOnce => "rejoin-at-once",
            Self::IgnoreIncarnations => "ignore-incarnations",
            Self::DegradedRepliesEarly => "degraded-replies-early",
            Self::DegradedMergeByVotes => "degraded-merge-by-votes",
            Self::SpeculateWithoutBound => "speculate-without-bound",
            Self::SnapshotOfSpeculation => "snapshot-of-speculation",
            Self::SkipUndo => "skip-undo",
            Self::KeepClientTable => "keep-client-table",
            Self::ExecuteRepeated => "execute-repeated",
            Self::SnapshotWithoutState => "snapshot-without-state",
            Self::NeverTruncate => "never-truncate",
            Self::HashWithoutClient => "hash-without-client",
            Self::TimeRunsBack => "time-runs-back",
        }
    }
}
