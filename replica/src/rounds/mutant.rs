//! Deliberate breaks of synchronous rounds: what the checkers must catch.

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// f+1 votes commit.
    CommitByMajority,
    /// An acknowledgement counts whatever its digest is.
    CountAnyDigest,
    /// The digest at a position covers what is there and nothing before it.
    DigestOfLast,
    /// A hole is voted a no-op at once, and the vote is changed when the packet comes after all.
    /// (The first half alone is harmless: an early no-op is still the only vote.)
    VoteTwice,
    /// A replica goes on voting after it has promised an epoch.
    NoFence,
    /// Reports of older epochs count like those of the newest.
    MergeStaleReports,
    /// One vote is enough for a value to stay.
    MergeOneVote,
    /// The longest locked prefix has no say.
    MergeForgetsLock,
    /// A beginning is installed again, over newer votes.
    OldStartEpoch,
    /// A restarted replica goes on in its persisted epoch.
    RejoinAtOnce,
    /// Epochs and reports of earlier lives count.
    IgnoreIncarnations,
    /// An epoch is started for lives that its reporters had not heard of.
    LetInUnheard,
    /// A coordinator makes a second beginning of one epoch.
    StartTwice,
    /// A state that is installed takes the votes above it away.
    StateForgetsVotes,
    /// A request that is proposed twice is executed twice.
    ExecuteTwice,
    /// Locked is taken for decided.
    CommitOwnLock,
    /// Who has restarted reports like who has its votes.
    CountForgetful,
    /// An epoch with new members begins on reports of the old ones alone.
    ChangeWithoutNew,
    /// New members vote as soon as the change is decided, in the epoch that is.
    ChangeAtOnce,
    /// A read is answered at once, from what is executed.
    ReadWithoutBarrier,
    /// A packet that is under way when a read comes is a barrier for it.
    ReadInFlightPacket,
    /// A barrier is looked for where the root's number puts it in the epoch installed here,
    /// whatever term it was stamped in, and outlives the epoch in which it was sent.
    ReadAfterEpochChange,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 22] = [
        Self::CommitByMajority,
        Self::CountAnyDigest,
        Self::DigestOfLast,
        Self::VoteTwice,
        Self::NoFence,
        Self::MergeStaleReports,
        Self::MergeOneVote,
        Self::MergeForgetsLock,
        Self::OldStartEpoch,
        Self::RejoinAtOnce,
        Self::IgnoreIncarnations,
        Self::LetInUnheard,
        Self::StartTwice,
        Self::StateForgetsVotes,
        Self::ExecuteTwice,
        Self::CommitOwnLock,
        Self::CountForgetful,
        Self::ChangeWithoutNew,
        Self::ChangeAtOnce,
        Self::ReadWithoutBarrier,
        Self::ReadInFlightPacket,
        Self::ReadAfterEpochChange,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitByMajority => "commit-by-majority",
            Self::CountAnyDigest => "count-any-digest",
            Self::DigestOfLast => "digest-of-last",
            Self::VoteTwice => "vote-twice",
            Self::NoFence => "no-fence",
            Self::MergeStaleReports => "merge-stale-reports",
            Self::MergeOneVote => "merge-one-vote",
            Self::MergeForgetsLock => "merge-forgets-lock",
            Self::OldStartEpoch => "old-start-epoch",
            Self::RejoinAtOnce => "rejoin-at-once",
            Self::IgnoreIncarnations => "ignore-incarnations",
            Self::LetInUnheard => "let-in-unheard",
            Self::StartTwice => "start-twice",
            Self::StateForgetsVotes => "state-forgets-votes",
            Self::ExecuteTwice => "execute-twice",
            Self::CommitOwnLock => "commit-own-lock",
            Self::CountForgetful => "count-forgetful",
            Self::ChangeWithoutNew => "change-without-new",
            Self::ChangeAtOnce => "change-at-once",
            Self::ReadWithoutBarrier => "read-without-barrier",
            Self::ReadInFlightPacket => "read-in-flight-packet",
            Self::ReadAfterEpochChange => "read-after-epoch-change",
        }
    }
}
