//! Positions of the session that are known to hold no request, as runs.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use wire::SequenceNumber;
use wire::message::nopaxos::Run;

/// So many runs of what is committed are remembered, for followers that missed a synchronization.
pub(super) const COMMITTED_MAX: usize = 32;

/// The no-ops above `base`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct NoOps {
    base: SequenceNumber,
    /// By first position: the last one. They neither overlap nor touch.
    runs: BTreeMap<SequenceNumber, SequenceNumber>,
}

fn after(position: SequenceNumber) -> SequenceNumber {
    SequenceNumber(position.0.saturating_add(1))
}

impl NoOps {
    /// No no-op is known, and none is asked for up to `base`.
    pub(super) fn above(base: SequenceNumber) -> Self {
        Self {
            base,
            runs: BTreeMap::new(),
        }
    }

    /// What is not remembered lies below.
    pub(super) fn base(&self) -> SequenceNumber {
        self.base
    }

    pub(super) fn contains(&self, position: SequenceNumber) -> bool {
        let before = self.runs.range(..=position).next_back();
        before.is_some_and(|(_, last)| position <= *last)
    }

    pub(super) fn insert(&mut self, mut run: Run) {
        let touching = self.runs.range(..=after(run.last)).rev();
        let touching = touching.take_while(|(_, last)| after(**last) >= run.first);
        let touching: Vec<_> = touching.map(|(first, _)| *first).collect();
        for first in touching {
            let last = self.runs.remove(&first).expect("it was just seen");
            run.first = run.first.min(first);
            run.last = run.last.max(last);
        }
        self.runs.insert(run.first, run.last);
    }

    /// All runs, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = Run> + Clone + '_ {
        self.runs.iter().map(|(first, last)| Run {
            first: *first,
            last: *last,
        })
    }

    /// Forgets the oldest runs of what is committed, if there are many.
    pub(super) fn committed(&mut self, position: SequenceNumber) {
        let committed = self.runs.range(..=position).count();
        for _ in COMMITTED_MAX..committed {
            let (_, last) = self.runs.pop_first().expect("they were counted");
            self.base = last;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn check(&self) {
        let mut end = None;
        for run in self.iter() {
            assert!(run.first <= run.last && run.first > self.base);
            assert!(end.is_none_or(|end| after(end) < run.first));
            end = Some(run.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_the_set_of_their_positions(
            inserted in vec((1..60_u64, 0..5_u64), 0..12),
        ) {
            let mut no_ops = NoOps::default();
            let mut set = BTreeSet::new();
            for (first, more) in inserted {
                let last = SequenceNumber(first + more);
                no_ops.insert(Run { first: SequenceNumber(first), last });
                set.extend(first..=last.0);
                no_ops.check();
            }
            for position in 0..70 {
                prop_assert_eq!(no_ops.contains(SequenceNumber(position)), set.contains(&position));
            }
        }
    }

    #[test]
    fn old_runs_are_forgotten_from_below() {
        let mut no_ops = NoOps::default();
        let run = |position| Run {
            first: SequenceNumber(position),
            last: SequenceNumber(position),
        };
        let many = COMMITTED_MAX as u64 + 3;
        for index in 1..=many {
            no_ops.insert(run(2 * index));
        }
        no_ops.committed(SequenceNumber(2 * many - 2));
        assert_eq!(no_ops.base(), SequenceNumber(4));
        assert_eq!(no_ops.len(), COMMITTED_MAX + 1);
        no_ops.insert(run(u64::MAX));
        no_ops.check();
    }
}
