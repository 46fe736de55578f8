//! Many seeds on all cores. Threads share nothing but the loaded program and the number of the
//! next seed; results come in the order of their seeds, whoever was faster.

use crate::run::run_unless;
use crate::settings::Settings;
use crate::world::{Blueprint, Ending, Outcome};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Outcomes that may wait for an earlier seed, per thread.
const AHEAD: usize = 64;

/// Runs `count` seeds from `first` on, on `threads` threads, and hands each outcome to `each` in
/// the order of the seeds, until it breaks off; runs that are under way then are given up.
pub fn sweep(
    settings: &Settings,
    (first, count): (u64, u64),
    threads: usize,
    blueprint: &Blueprint,
    mut each: impl FnMut(Outcome) -> ControlFlow<()>,
) {
    let threads = threads.max(1);
    let next = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let (sender, receiver) = sync_channel(threads * AHEAD);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, enough) = (sender.clone(), &next, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let seed = first.wrapping_add(index);
                    let Some(outcome) = run_unless(enough, settings, seed, blueprint) else {
                        break;
                    };
                    if sender.send((index, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut expected = 0;
        for (index, outcome) in receiver {
            early.insert(index, outcome);
            while let Some(outcome) = early.remove(&expected) {
                expected += 1;
                if each(outcome).is_break() {
                    enough.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    });
}

/// Outcomes of many seeds, added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Seeds run.
    pub seeds: u64,
    /// Seeds that failed.
    pub failed: u64,
    /// Of those, seeds in which an invariant broke.
    pub unsafe_seeds: u64,
    /// Events of all runs.
    pub events: u64,
    /// Virtual time of all runs.
    pub virtual_ns: u64,
    /// Operations answered in one round trip.
    pub fast: u64,
    /// Operations answered otherwise.
    pub slow: u64,
    /// From the first question to the last answer, of all runs.
    pub asking_ns: u64,
    /// What each operation of clients that never pause took.
    pub latencies_ns: Vec<u64>,
    /// The longest time without an answer in any run.
    pub longest_gap_ns: u64,
    /// The longest time without an answer in each run, in the order of the seeds.
    pub gaps_ns: Vec<u64>,
    /// Entries undone.
    pub rolled_back: u64,
    /// View changes begun.
    pub view_changes: u64,
    /// Processes of replicas that ended.
    pub crashes: u64,
    /// Faults in all schedules.
    pub faults: u64,
}

impl Total {
    /// Adds an outcome.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.failed += u64::from(outcome.ending != Ending::Passed);
        self.unsafe_seeds += u64::from(matches!(outcome.ending, Ending::Unsafe(_)));
        self.events += outcome.events;
        self.virtual_ns += outcome.end.0;
        self.fast += outcome.tally.fast;
        self.slow += outcome.tally.slow;
        self.asking_ns += outcome.tally.last.since(outcome.tally.first);
        self.latencies_ns.extend(&outcome.latencies_ns);
        self.longest_gap_ns = self.longest_gap_ns.max(outcome.tally.longest_gap_ns);
        self.gaps_ns.push(outcome.tally.longest_gap_ns);
        self.rolled_back += outcome.counters.rolled_back;
        self.view_changes += outcome.counters.view_changes;
        self.crashes += outcome.crashes;
        self.faults += outcome.faults as u64;
    }

    /// The longest time without an answer in the run in the middle, by that time; 0 without runs.
    pub fn median_gap_ns(&self) -> u64 {
        let mut gaps = self.gaps_ns.clone();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or(0)
    }

    /// So many hundredths of the operations took no longer; `None` if clients pause.
    pub fn latency_ns(&self, hundredths: usize) -> Option<u64> {
        let mut latencies = self.latencies_ns.clone();
        let last = latencies.len().checked_sub(1)?;
        let index = (latencies.len() * hundredths / 100).min(last);
        let (_, at, _) = latencies.select_nth_unstable(index);
        Some(*at)
    }

    /// Operations answered in a second of virtual time. Means something for clients that never
    /// pause.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn throughput(&self) -> Option<f64> {
        let answered = self.fast + self.slow;
        (self.asking_ns > 0).then(|| answered as f64 * 1e9 / self.asking_ns as f64)
    }

    /// The share of operations answered in one round trip, 0 to 1; `None` if none was answered.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn fast_share(&self) -> Option<f64> {
        let answered = self.fast + self.slow;
        (answered > 0).then(|| self.fast as f64 / answered as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn small() -> Settings {
        Settings {
            clients: 2,
            operations: 6,
            profile: Profile::Light,
            ..Settings::default()
        }
    }

    #[test]
    fn outcomes_come_in_the_order_of_seeds_however_many_threads_there_are() {
        let blueprint = Blueprint::new();
        let outcomes = |threads| {
            let mut outcomes = Vec::new();
            sweep(&small(), (5, 12), threads, &blueprint, |outcome| {
                outcomes.push(outcome);
                ControlFlow::Continue(())
            });
            outcomes
        };
        let (one, three) = (outcomes(1), outcomes(3));
        assert_eq!(one, three);
        let seeds: Vec<u64> = one.iter().map(|outcome| outcome.seed).collect();
        assert_eq!(seeds, (5..17).collect::<Vec<_>>());
    }

    #[test]
    fn a_sweep_ends_early_when_told_so() {
        let blueprint = Blueprint::new();
        let mut total = Total::default();
        sweep(&small(), (1, u64::MAX), 2, &blueprint, |outcome| {
            total.add(&outcome);
            if total.seeds == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!((total.seeds, total.failed), (3, 0));
    }

    #[test]
    fn gaps_are_told_by_the_longest_and_the_one_in_the_middle() {
        let blueprint = Blueprint::new();
        let mut total = Total::default();
        assert_eq!(total.median_gap_ns(), 0);
        sweep(&small(), (1, 7), 2, &blueprint, |outcome| {
            total.add(&outcome);
            ControlFlow::Continue(())
        });
        let median = total.median_gap_ns();
        let above = total.gaps_ns.iter().filter(|gap| **gap > median).count();
        let below = total.gaps_ns.iter().filter(|gap| **gap < median).count();
        assert!(median > 0 && above <= 3 && below <= 3, "{total:?}");
        assert_eq!(total.gaps_ns.iter().max(), Some(&total.longest_gap_ns));
    }
}
