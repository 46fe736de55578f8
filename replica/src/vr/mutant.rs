//! Deliberate breaks of Viewstamped Replication: what the checkers must catch.

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// The leader commits, and answers, what nobody else has.
    CommitAlone,
    /// A new view begins with the new leader's own log.
    OwnLog,
    /// A restarted replica goes on with an empty log in its persisted view.
    RejoinAtOnce,
    /// A replica that has stopped for a view change still follows the old leader.
    NoFreeze,
    /// A leader's word counts whatever view it is of.
    FollowOldLeader,
    /// A follower acknowledges what it has not got, past a hole.
    AcknowledgePastHole,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 6] = [
        Self::CommitAlone,
        Self::OwnLog,
        Self::RejoinAtOnce,
        Self::NoFreeze,
        Self::FollowOldLeader,
        Self::AcknowledgePastHole,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitAlone => "commit-alone",
            Self::OwnLog => "own-log",
            Self::RejoinAtOnce => "rejoin-at-once",
            Self::NoFreeze => "no-freeze",
            Self::FollowOldLeader => "follow-old-leader",
            Self::AcknowledgePastHole => "acknowledge-past-hole",
        }
    }
}
