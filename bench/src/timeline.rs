//! What happened in each second of a run, and when replies came, closely enough to find gaps.
//!
//! The longest gap of a run cannot be had from the longest gaps of its clients: while one waits,
//! another may be served. So each millisecond keeps its first and its last reply, which merges
//! exactly. Gaps that do not cross the border of a millisecond are not seen; every gap of a
//! millisecond or more is, to the nanosecond.

use std::collections::BTreeMap;

use crate::recorder::OutcomeClass;

/// Seconds that are kept; two hours cost 58 MB.
pub(crate) const MAX_SECONDS: u64 = 7_200;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
const NANOSECONDS_PER_SLOT: u64 = 1_000_000;
const SLOTS: usize = 1_000;

/// First and last reply of a millisecond, in ns since its start.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
}

const EMPTY: Slot = Slot {
    first: u32::MAX,
    last: 0,
};

/// One second of a run.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    /// Operations that ended in this second, by class.
    pub(crate) counts: [u64; OutcomeClass::ALL.len()],
    /// Sum and maximum of the latencies of the successful ones, in ns.
    pub(crate) latency_sum_ns: u128,
    pub(crate) latency_max_ns: u64,
    slots: Box<[Slot]>,
}

/// All seconds in which something ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    seconds: BTreeMap<u64, Second>,
    beyond: u64,
    last_reply_ns: u64,
}

impl Timeline {
    pub(crate) fn record(&mut self, class: OutcomeClass, at_ns: u64, latency_ns: u64) {
        let number = at_ns / NANOSECONDS_PER_SECOND;
        if number >= MAX_SECONDS {
            self.beyond += 1;
            return;
        }
        let second = self.seconds.entry(number).or_insert_with(Second::new);
        second.counts[class.index()] += 1;
        if class == OutcomeClass::Failed {
            return;
        }
        second.latency_sum_ns += u128::from(latency_ns);
        second.latency_max_ns = second.latency_max_ns.max(latency_ns);
        let within = at_ns % NANOSECONDS_PER_SECOND;
        let offset = u32::try_from(within % NANOSECONDS_PER_SLOT).expect("below a million");
        let slot = usize::try_from(within / NANOSECONDS_PER_SLOT).expect("below a thousand");
        second.slots[slot].include(Slot {
            first: offset,
            last: offset,
        });
        self.last_reply_ns = self.last_reply_ns.max(at_ns);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (number, theirs) in &other.seconds {
            let ours = self.seconds.entry(*number).or_insert_with(Second::new);
            for (count, more) in ours.counts.iter_mut().zip(theirs.counts) {
                *count += more;
            }
            ours.latency_sum_ns += theirs.latency_sum_ns;
            ours.latency_max_ns = ours.latency_max_ns.max(theirs.latency_max_ns);
            for (slot, more) in ours.slots.iter_mut().zip(&theirs.slots) {
                slot.include(*more);
            }
        }
        self.beyond += other.beyond;
        self.last_reply_ns = self.last_reply_ns.max(other.last_reply_ns);
    }

    /// The longest time without a reply between `from_ns` and `until_ns`, the time before the
    /// first and after the last reply included.
    pub(crate) fn longest_gap_ns(&self, from_ns: u64, until_ns: u64) -> u64 {
        let mut last = from_ns;
        let mut longest = 0;
        for (number, second) in &self.seconds {
            for (index, slot) in (0_u64..).zip(&second.slots) {
                if slot.first > slot.last {
                    continue;
                }
                let start = number * NANOSECONDS_PER_SECOND + index * NANOSECONDS_PER_SLOT;
                let first = (start + u64::from(slot.first)).min(until_ns);
                longest = longest.max(first.saturating_sub(last));
                last = last.max((start + u64::from(slot.last)).min(until_ns));
            }
        }
        longest.max(until_ns.saturating_sub(last))
    }

    /// The seconds in which something ended, by number from the start of the run.
    pub(crate) fn seconds(&self) -> impl Iterator<Item = (u64, &Second)> {
        self.seconds
            .iter()
            .map(|(number, second)| (*number, second))
    }

    /// Operations that ended after [`MAX_SECONDS`] and are not in the timeline.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond
    }

    /// When the last reply came, in ns since the start of the run.
    pub(crate) fn last_reply_ns(&self) -> u64 {
        self.last_reply_ns
    }
}

impl Second {
    fn new() -> Self {
        Self {
            counts: [0; OutcomeClass::ALL.len()],
            latency_sum_ns: 0,
            latency_max_ns: 0,
            slots: vec![EMPTY; SLOTS].into_boxed_slice(),
        }
    }
}

impl Slot {
    fn include(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(replies: &[u64]) -> Timeline {
        let mut timeline = Timeline::default();
        for at_ns in replies {
            timeline.record(OutcomeClass::Fast, *at_ns, 1);
        }
        timeline
    }

    #[test]
    fn silence_at_the_ends_is_a_gap() {
        assert_eq!(timeline(&[]).longest_gap_ns(5, 105), 100);
        assert_eq!(
            timeline(&[9_000_000]).longest_gap_ns(1_000_000, 10_000_000),
            8_000_000
        );
        assert_eq!(
            timeline(&[2_000_000]).longest_gap_ns(1_000_000, 10_000_000),
            8_000_000
        );
    }

    #[test]
    fn failures_are_no_replies() {
        let mut timeline = timeline(&[1_000_000, 9_000_000]);
        timeline.record(OutcomeClass::Failed, 5_000_000, 1);
        assert_eq!(timeline.longest_gap_ns(0, 9_000_000), 8_000_000);
    }

    #[test]
    fn times_beyond_reason_take_no_memory() {
        let timeline = timeline(&[u64::MAX, MAX_SECONDS * NANOSECONDS_PER_SECOND, 0]);
        assert_eq!(timeline.beyond(), 2);
        assert_eq!(timeline.seconds().count(), 1);
    }

    fn true_gap(mut replies: Vec<u64>, from_ns: u64, until_ns: u64) -> u64 {
        replies.retain(|at| (from_ns..=until_ns).contains(at));
        replies.extend([from_ns, until_ns]);
        replies.sort_unstable();
        replies
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap()
    }

    proptest! {
        #[test]
        fn gaps_of_a_millisecond_are_exact_however_clients_are_merged(
            replies in prop::collection::vec((0..4_000_000_000_u64, 0..3_usize), 0..200),
            from in 0..2_000_000_000_u64,
            length in 0..3_000_000_000_u64,
        ) {
            let mut clients = [Timeline::default(), Timeline::default(), Timeline::default()];
            for (at_ns, client) in &replies {
                clients[*client].record(OutcomeClass::Slow, *at_ns, 1);
            }
            let [mut merged, second, third] = clients;
            merged.merge(&second);
            merged.merge(&third);
            let expected =
                true_gap(replies.iter().map(|reply| reply.0).collect(), from, from + length);
            let found = merged.longest_gap_ns(from, from + length);
            prop_assert!(found <= expected);
            prop_assert!(expected < NANOSECONDS_PER_SLOT || found == expected);
        }
    }
}
