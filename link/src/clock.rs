//! The clocks of a running program: the only place of this workspace's runtime that reads one.
//!
//! Everything else takes the time as an argument, so that it can run under a simulator.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use wire::Tick;

/// The host's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Monotonic time in nanoseconds since the host booted: comparable between the threads and
    /// processes of one host and meaningless anywhere else.
    pub fn now(self) -> Tick {
        Tick(u64::try_from(duration(ClockId::Monotonic).as_nanos()).unwrap_or(u64::MAX))
    }

    /// Wall-clock time since 1970 that belongs to `Tick(0)`, as capture files want it.
    pub fn unix_at_tick_zero(self) -> Duration {
        self.unix()
            .saturating_sub(Duration::from_nanos(self.now().0))
    }

    /// Wall-clock time since 1970, for capture files and for choosing where rounds begin. It may
    /// jump; never measure with it.
    pub fn unix(self) -> Duration {
        duration(ClockId::Realtime)
    }
}

fn duration(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    let seconds = u64::try_from(tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_back() {
        let mut last = Clock.now();
        for _ in 0..1_000 {
            let now = Clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn wall_time_is_after_2020() {
        assert!(Clock.unix() > Duration::from_hours(50 * 365 * 24));
    }
}
