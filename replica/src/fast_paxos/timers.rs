//! What a replica of Fast Paxos waits for.

use crate::timers::Kind;

/// The kinds of timers, in the order in which they fire when due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// Everything that came together is appended: vote for it. Armed for at once.
    Vote,
    /// Coordinator: show a sign of life, which asks everybody to vote again.
    Heartbeat,
    /// Coordinator: what is on the way should have been chosen by now.
    Stuck,
    /// Ask the coordinator for what is missing.
    Ask,
    /// Replica: the coordinator has been silent for too long.
    CoordinatorSilent,
    /// A view change's messages are sent again.
    Resend,
    /// A view change is given up for the next view.
    GiveUp,
    /// A restarted replica asks to be let in.
    Recover,
}

impl Timer {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Vote,
        Self::Heartbeat,
        Self::Stuck,
        Self::Ask,
        Self::CoordinatorSilent,
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
