//! What a replica of Speculative Paxos waits for.

use crate::timers::Kind;

/// The kinds of timers, in the order in which they fire when due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// Leader: ask for hashes, or show a sign of life.
    Ask,
    /// Leader: the hashes that would commit have not come.
    SyncOverdue,
    /// Follower: answer a question about a slot that was not reached.
    Answer,
    /// Follower: fetch what is committed elsewhere.
    FetchCommitted,
    /// Follower: the leader has been silent for too long.
    LeaderSilent,
    /// A view change's messages are sent again.
    Resend,
    /// A view change is given up for the next view.
    GiveUp,
    /// A packet of the group is missing: ask a peer, or go on without it.
    Gap,
    /// A restarted replica asks to be let in.
    Recover,
    /// Leader of a degraded view: see whether a superquorum is back.
    Return,
}

impl Timer {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Ask,
        Self::SyncOverdue,
        Self::Answer,
        Self::FetchCommitted,
        Self::LeaderSilent,
        Self::Resend,
        Self::GiveUp,
        Self::Gap,
        Self::Recover,
        Self::Return,
    ];
}

impl Kind for Timer {
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        self as usize
    }
}

/// The armed timers of one replica.
pub(super) type Timers = crate::timers::Timers<Timer>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_place() {
        for (index, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer.index(), index);
        }
    }
}
