//! How long to wait before asking again: four times what a round trip usually takes, doubled
//! with every failure.

use wire::Tick;

const FIRST_NS: u64 = 20_000_000;
const LEAST_NS: u64 = 5_000_000;
const MOST_NS: u64 = 500_000_000;

/// A smoothed round trip.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    smoothed_ns: Option<u64>,
}

impl Backoff {
    /// A request was answered without a retransmission after `ns` nanoseconds.
    pub(super) fn measured(&mut self, ns: u64) {
        self.smoothed_ns = Some(match self.smoothed_ns {
            None => ns,
            Some(old) => old - old / 8 + ns / 8,
        });
    }

    /// When to try again after `failures` earlier tries.
    pub(super) fn deadline(&self, now: Tick, failures: u32) -> Tick {
        let usual = self.smoothed_ns.map_or(FIRST_NS, |ns| ns.saturating_mul(4));
        let wait = usual.clamp(LEAST_NS, MOST_NS) << failures.min(7);
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
        assert!((7_900_000..=8_000_000).contains(&wait), "{wait}");
        assert_eq!(backoff.deadline(Tick(0), 1).0, wait * 2);
        assert_eq!(backoff.deadline(Tick(0), 60).0, MOST_NS);
    }
}
