//! How long to wait before asking again: what a round trip is seldom above, doubled with every
//! failure.
//!
//! A long fixed timer makes every lost packet cost its length: with seven seconds, as in the
//! published code, 0.1 % of loss is enough to bring a group to a few hundred requests a second.

use wire::Tick;

/// Before anything is measured.
const FIRST_NS: u64 = 5_000_000;
/// A steady round trip leaves no deviation, and then the least stall would make every client ask
/// again at once: so much is always waited above the mean.
const SLACK_LEAST_NS: u64 = 250_000;
const MOST_NS: u64 = 100_000_000;
const DOUBLINGS_MAX: u32 = 9;

/// Smoothed round trips and how far they stray (RFC 6298).
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    measured: Option<Measured>,
    /// How often the last requests were sent again; forgotten when one is answered at once.
    kept: u32,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    mean_ns: u64,
    deviation_ns: u64,
}

impl Backoff {
    /// A request that was sent once was answered after `ns` nanoseconds.
    pub(super) fn answered(&mut self, ns: u64) {
        self.kept = 0;
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

    /// A request was answered after it had been sent again `times` times. Its time says nothing
    /// about the round trip, for it holds the wait itself (Karn): counted, one lost packet would
    /// lengthen the wait for the next lost one, without end. Should waits be too short for the
    /// round trip, so that every request is sent again, keeping this doubling cures it.
    pub(super) fn answered_late(&mut self, times: u32) {
        self.kept = self.kept.saturating_add(times).min(DOUBLINGS_MAX);
    }

    /// When to try again after `failures` earlier tries of this request.
    pub(super) fn deadline(&self, now: Tick, failures: u32) -> Tick {
        let usual = self.measured.map_or(FIRST_NS, |measured| {
            let slack = measured.deviation_ns.saturating_mul(4).max(SLACK_LEAST_NS);
            measured.mean_ns.saturating_add(slack)
        });
        let doublings = self.kept.saturating_add(failures).min(DOUBLINGS_MAX);
        let wait = usual.min(MOST_NS) << doublings;
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
            backoff.answered(2_000_000);
        }
        let wait = backoff.deadline(Tick(0), 0).0;
        let usual = 2_000_000 + SLACK_LEAST_NS;
        assert!((usual - 50_000..=usual + 50_000).contains(&wait), "{wait}");
        assert_eq!(backoff.deadline(Tick(0), 1).0, wait * 2);
        assert_eq!(backoff.deadline(Tick(0), 60).0, MOST_NS);
    }

    #[test]
    fn round_trips_that_stray_are_waited_for() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            backoff.answered(500_000);
            backoff.answered(3_500_000);
        }
        let wait = backoff.deadline(Tick(0), 0).0;
        assert!(wait > 3_500_000, "{wait}");
    }

    #[test]
    fn lost_packets_do_not_lengthen_the_waits_for_later_ones() {
        let mut backoff = Backoff::default();
        backoff.answered(100_000);
        let usual = backoff.deadline(Tick(0), 0);
        for _ in 0..20 {
            backoff.answered_late(1);
            assert_eq!(backoff.deadline(Tick(0), 0).0, usual.0 * 2);
            backoff.answered(100_000);
            assert!(backoff.deadline(Tick(0), 0) <= usual);
        }
    }

    #[test]
    fn waits_too_short_for_the_round_trip_grow_until_one_request_is_answered_at_once() {
        let mut backoff = Backoff::default();
        backoff.answered(10_000);
        let round_trip = 5_000_000;
        let mut times_sent_again = || {
            let mut sent = Tick(0);
            let mut times = 0;
            while backoff.deadline(sent, times).0 < round_trip {
                sent = backoff.deadline(sent, times);
                times += 1;
            }
            match times {
                0 => backoff.answered(round_trip),
                _ => backoff.answered_late(times),
            }
            times
        };
        let times: Vec<u32> = (0..6).map(|_| times_sent_again()).collect();
        assert!(times[0] > 0, "{times:?}");
        assert_eq!(times[2..], [0; 4], "{times:?}");
    }
}
