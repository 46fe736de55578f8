//! What a replica waits for: at most one deadline of each kind.
//!
//! A core is told the time and never asks for it. A model checker may fire any timer that is
//! armed, whatever the time; so nothing but the kind may decide what a timer does.

use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use wire::Tick;

/// Kinds that a protocol may have.
const KINDS_MAX: usize = 16;

/// The kinds of timers of a protocol.
pub(crate) trait Kind: Copy + Hash + PartialEq + 'static {
    /// Every kind, in the order in which they fire when due together; at most 16.
    const ALL: &'static [Self];

    /// Its place in [`ALL`](Self::ALL).
    fn index(self) -> usize;
}

/// The armed timers of one replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers<K> {
    at: [Option<Tick>; KINDS_MAX],
    kinds: PhantomData<K>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            at: [None; KINDS_MAX],
            kinds: PhantomData,
        }
    }
}

impl<K: Kind> Timers<K> {
    pub(crate) fn arm(&mut self, timer: K, at: Tick) {
        self.at[timer.index()] = Some(at);
    }

    /// Arms a timer unless it is armed for an earlier time.
    pub(crate) fn arm_by(&mut self, timer: K, at: Tick) {
        let armed = self.at[timer.index()];
        self.at[timer.index()] = Some(armed.map_or(at, |earlier| earlier.min(at)));
    }

    pub(crate) fn cancel(&mut self, timer: K) {
        self.at[timer.index()] = None;
    }

    pub(crate) fn is_armed(&self, timer: K) -> bool {
        self.at[timer.index()].is_some()
    }

    pub(crate) fn armed(&self) -> impl Iterator<Item = K> + '_ {
        K::ALL.iter().copied().filter(|timer| self.is_armed(*timer))
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Tick> {
        self.at.iter().flatten().min().copied()
    }

    /// A timer whose time has come; the caller cancels it by firing it.
    pub(crate) fn due(&self, now: Tick) -> Option<K> {
        let is_due = |timer: &K| self.at[timer.index()].is_some_and(|at| at <= now);
        K::ALL.iter().copied().find(is_due)
    }
}

/// When a timer fires is no part of a replica's state, only whether it may.
impl<K: Kind> PartialEq for Timers<K> {
    fn eq(&self, other: &Self) -> bool {
        self.armed().eq(other.armed())
    }
}

impl<K: Kind> Eq for Timers<K> {}

impl<K: Kind> Hash for Timers<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.armed().for_each(|timer| timer.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Two {
        First,
        Second,
    }

    impl Kind for Two {
        const ALL: &'static [Self] = &[Self::First, Self::Second];

        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn the_earliest_is_next_and_only_what_is_due_fires() {
        let mut timers = Timers::default();
        assert_eq!((timers.next(), timers.due(Tick(9))), (None, None));
        timers.arm(Two::Second, Tick(20));
        timers.arm(Two::First, Tick(10));
        timers.arm_by(Two::First, Tick(15));
        assert_eq!(timers.next(), Some(Tick(10)));
        assert_eq!(timers.due(Tick(9)), None);
        assert_eq!(timers.due(Tick(30)), Some(Two::First));
        timers.cancel(Two::First);
        assert_eq!(timers.due(Tick(30)), Some(Two::Second));
    }
}
