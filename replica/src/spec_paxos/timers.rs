//! What a replica waits for: at most one deadline of each kind.
//!
//! A core is told the time and never asks for it. A model checker may fire any timer that is
//! armed, whatever the time; so nothing but the kind may decide what a timer does.

use core::hash::{Hash, Hasher};
use wire::Tick;

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

/// The armed timers of one replica.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    at: [Option<Tick>; Timer::ALL.len()],
}

impl Timers {
    pub(super) fn arm(&mut self, timer: Timer, at: Tick) {
        self.at[timer as usize] = Some(at);
    }

    /// Arms a timer unless it is armed for an earlier time.
    pub(super) fn arm_by(&mut self, timer: Timer, at: Tick) {
        let armed = self.at[timer as usize];
        self.at[timer as usize] = Some(armed.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub(super) fn is_armed(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    pub(super) fn armed(&self) -> impl Iterator<Item = Timer> + '_ {
        Timer::ALL.into_iter().filter(|timer| self.is_armed(*timer))
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Tick> {
        self.at.iter().flatten().min().copied()
    }

    /// A timer whose time has come; the caller cancels it by firing it.
    pub(super) fn due(&self, now: Tick) -> Option<Timer> {
        let is_due = |timer: &Timer| self.at[*timer as usize].is_some_and(|at| at <= now);
        Timer::ALL.into_iter().find(is_due)
    }
}

/// When a timer fires is no part of a replica's state, only whether it may.
impl PartialEq for Timers {
    fn eq(&self, other: &Self) -> bool {
        self.armed().eq(other.armed())
    }
}

impl Eq for Timers {}

impl Hash for Timers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.armed().for_each(|timer| timer.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_next_and_only_what_is_due_fires() {
        let mut timers = Timers::default();
        assert_eq!((timers.next(), timers.due(Tick(9))), (None, None));
        timers.arm(Timer::GiveUp, Tick(20));
        timers.arm(Timer::Resend, Tick(10));
        timers.arm_by(Timer::Resend, Tick(15));
        assert_eq!(timers.next(), Some(Tick(10)));
        assert_eq!(timers.due(Tick(9)), None);
        assert_eq!(timers.due(Tick(30)), Some(Timer::Resend));
        timers.cancel(Timer::Resend);
        assert_eq!(timers.due(Tick(30)), Some(Timer::GiveUp));
    }

    #[test]
    fn each_kind_has_its_own_place() {
        for (index, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, index);
        }
    }
}
