//! What a replica of NOPaxos waits for.

use crate::timers::Kind;

/// The kinds of timers, in the order in which they fire when due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// Leader: synchronize, which is also its sign of life.
    Synchronize,
    /// A packet is missing: the leader wants a no-op there, others ask the leader.
    Gap,
    /// Follower: what is committed may be asked for again.
    Fetch,
    /// Follower: the leader has been silent for too long.
    LeaderSilent,
    /// A view change's messages are sent again.
    Resend,
    /// A view change is given up for the next view.
    GiveUp,
    /// A restarted replica asks to be let in.
    Recover,
}

impl Timer {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Synchronize,
        Self::Gap,
        Self::Fetch,
        Self::LeaderSilent,
        Self::Resend,
        Self::GiveUp,
        Self::Recover,
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
