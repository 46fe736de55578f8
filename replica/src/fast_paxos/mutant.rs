//! Deliberate breaks of Fast Paxos: what the checkers must catch.

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// A majority of votes chooses in a fast ballot, as it does in a classic one.
    ClassicForFast,
    /// A view begins with what the coordinator told, and behind it the requests in the order of
    /// whoever reported last, whatever the votes are.
    PickAny,
    /// A view begins with the longest log of all, of whatever ballot.
    PickStale,
    /// A replica accepts what it has not got, past a hole.
    AcceptPastHole,
    /// A restarted replica goes on with an empty log in its persisted view.
    RejoinAtOnce,
    /// A replica that has promised a view still votes in the old one.
    NoFreeze,
    /// A replica commits what the coordinator says up to whatever slot, with whatever it has there.
    CommitUnchecked,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 7] = [
        Self::ClassicForFast,
        Self::PickAny,
        Self::PickStale,
        Self::AcceptPastHole,
        Self::RejoinAtOnce,
        Self::NoFreeze,
        Self::CommitUnchecked,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClassicForFast => "classic-for-fast",
            Self::PickAny => "pick-any",
            Self::PickStale => "pick-stale",
            Self::AcceptPastHole => "accept-past-hole",
            Self::RejoinAtOnce => "rejoin-at-once",
            Self::NoFreeze => "no-freeze",
            Self::CommitUnchecked => "commit-unchecked",
        }
    }
}
