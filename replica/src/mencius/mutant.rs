//! Deliberate breaks of Mencius: what the checkers must catch.

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// One server fewer than a majority makes a proposal chosen.
    CommitByMinority,
    /// Whoever revokes takes every instance for a no-op, whatever was accepted there.
    RevokeIgnoresAccepted,
    /// What an owner has not proposed up to another server's proposal counts as skipped, though
    /// only its owner may say so.
    SkipForOthers,
    /// That an owner's proposals are chosen counts for those that did not come, as no-ops.
    LearnPastHole,
    /// A chosen instance is executed though one below it is not decided.
    ExecuteOutOfOrder,
    /// A restarted server takes part at once, with nothing.
    RejoinAtOnce,
    /// A server accepts what an owner proposes, and says so, in spite of its promise to who
    /// revokes.
    AcceptRevoked,
    /// A restarted server proposes from the first instance on that it has not executed, and asks
    /// nobody whether it may.
    BeginAtOnce,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 8] = [
        Self::CommitByMinority,
        Self::RevokeIgnoresAccepted,
        Self::SkipForOthers,
        Self::LearnPastHole,
        Self::ExecuteOutOfOrder,
        Self::RejoinAtOnce,
        Self::AcceptRevoked,
        Self::BeginAtOnce,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitByMinority => "commit-by-minority",
            Self::RevokeIgnoresAccepted => "revoke-ignores-accepted",
            Self::SkipForOthers => "skip-for-others",
            Self::LearnPastHole => "learn-past-hole",
            Self::ExecuteOutOfOrder => "execute-out-of-order",
            Self::RejoinAtOnce => "rejoin-at-once",
            Self::AcceptRevoked => "accept-revoked",
            Self::BeginAtOnce => "begin-at-once",
        }
    }
}
