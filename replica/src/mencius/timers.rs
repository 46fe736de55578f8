//! What a server of Mencius waits for.

use crate::timers::Kind;

/// The kinds of timers, in the order in which they fire when due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// Show a sign of life, which asks who has not answered.
    Heartbeat,
    /// Look whether something does not go on: what is missing, and who is silent.
    Watch,
    /// A restarted server asks to be let in.
    Recover,
}

impl Timer {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Heartbeat, Self::Watch, Self::Recover];
}

impl Kind for Timer {
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        self as usize
    }
}

/// The armed timers of one server.
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
