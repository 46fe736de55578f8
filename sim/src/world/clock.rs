//! A node's own clock: ahead by an offset, and a little fast or slow.

use wire::Tick;

const MILLION: i128 = 1_000_000;

/// How a node's time follows from the true one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// So far it is ahead when the run begins.
    pub(super) offset_ns: u64,
    /// So much faster it runs, in millionths; above -1,000,000.
    pub(super) drift_ppm: i32,
}

impl Clock {
    /// The node's time.
    pub(super) fn local(&self, now: Tick) -> Tick {
        let now = i128::from(now.0);
        let drift = now * i128::from(self.drift_ppm) / MILLION;
        let local = i128::from(self.offset_ns) + now + drift;
        Tick(u64::try_from(local).unwrap_or(if local < 0 { 0 } else { u64::MAX }))
    }

    /// The first true time at which the node's own is `local` or later.
    pub(super) fn when(&self, local: Tick) -> Tick {
        let ahead = i128::from(local.0) - i128::from(self.offset_ns);
        let guess = ahead * MILLION / (MILLION + i128::from(self.drift_ppm));
        // The division above and the one in `local` round by less than two.
        let mut at = Tick(u64::try_from((guess - 2).max(0)).unwrap_or(u64::MAX));
        while at.0 < u64::MAX && self.local(at) < local {
            at.0 += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early_and_never_late() {
        for drift_ppm in [-50_000, -20, 0, 20, 500, 50_000] {
            for offset_ns in [0, 1, 5_000_000_000] {
                let clock = Clock {
                    offset_ns,
                    drift_ppm,
                };
                for ahead in [0_u64, 1, 999, 1_000_000, 123_456_789_123] {
                    let local = Tick(offset_ns + ahead);
                    let at = clock.when(local);
                    assert!(clock.local(at) >= local, "{clock:?} {ahead}");
                    assert!(
                        at.0 == 0 || clock.local(Tick(at.0 - 1)) < local,
                        "{clock:?} {ahead}"
                    );
                }
            }
        }
    }

    #[test]
    fn time_before_the_start_is_the_start() {
        let clock = Clock {
            offset_ns: 1_000,
            drift_ppm: 0,
        };
        assert_eq!(clock.when(Tick(10)), Tick(0));
    }
}
