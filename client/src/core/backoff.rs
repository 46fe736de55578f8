//! How long to wait before asking again: what a round trip is seldom above, doubled with every
//! failure.
//!
//! A long fixed timer makes every lost packet cost its length: with seven seconds, as in the
//! published code, 0.1 % of loss is enough to bring a group to a few hundred requests a second.

use wire::Tick;

/// Before anything is measured.
const FIRST_NS: u64 = 5_000_000;
const LEAST_NS: u64 = 250_000;
const MOST_NS: u64 = 100_000_000;

/// Smoothed round trips and how far they stray (RFC 6298).
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    measured: Option<Measured>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    mean_ns: u64,
    deviation_ns: u64,
}

impl Backoff {
    /// A request was answered after `ns` nanoseconds. One that was sent again counts with all of
    /// its time: too long a wait corrects itself, too short a one would never be noticed.
    pub(super) fn measured(&mut self, ns: u64) {
        self.measured = Some(match self.measured {
            None => Measured {
                mean_ns: ns,
                deviation_ns: ns / 2,
            },
            Some(old) => Measured {
                mean_ns: old.mean_ns - old.mean_ns / 8 + ns / 8,
                deviation_ns: old.deviation_ns - old.deviation_ns / 4
                    + old.mean_ns.abs_diff(ns) / 4,
            },
        });
    }

    /// When to try again after `failures` earlier tries.
    pub(super) fn deadline(&self, now: Tick, failures: u32) -> Tick {
        let usual = self.measured.map_or(FIRST_NS, |measured| {
            measured
                .mean_ns
                .saturating_add(measured.deviation_ns.saturating_mul(4))
        });
        let wait = usual.clamp(LEAST_NS, MOST_NS) << failures.min(9);
        Tick(now.0.saturating_add(wait.min(MOST_NS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_round_trip_and_double_up_to_a_bound() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.deadline(Tick(0), 0), Tick(FIRST_NS));
        for _ in 0..100 {
            backoff.measured(2_000_000);
        }
        let wait = backoff.deadline(Tick(0), 0).0;
        assert!((1_900_000..=2_100_000).contains(&wait), "{wait}");
        assert_eq!(backoff.deadline(Tick(0), 1).0, wait * 2);
        assert_eq!(backoff.deadline(Tick(0), 60).0, MOST_NS);
    }

    #[test]
    fn round_trips_that_stray_are_waited_for() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            backoff.measured(500_000);
            backoff.measured(3_500_000);
        }
        let wait = backoff.deadline(Tick(0), 0).0;
        assert!(wait > 3_500_000, "{wait}");
    }
}
