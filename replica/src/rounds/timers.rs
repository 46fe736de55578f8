//! What a replica with synchronous rounds waits for.

use crate::timers::Kind;

/// The kinds of timers, in the order in which they fire when due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// It is time for a packet, whatever there is to say.
    Beat,
    /// The own packet has not come back.
    Flight,
    /// A packet of the group is missing: ask for it.
    Gap,
    /// Nothing has been decided for a while.
    Stall,
    /// Messages that agree on an epoch are sent again.
    Resend,
    /// An epoch that has not begun is given up for the next.
    GiveUp,
    /// A restarted replica asks to be let in.
    Recover,
    /// Decided positions are missing: ask for them.
    Fetch,
}

impl Timer {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Beat,
        Self::Flight,
        Self::Gap,
        Self::Stall,
        Self::Resend,
        Self::GiveUp,
        Self::Recover,
        Self::Fetch,
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
