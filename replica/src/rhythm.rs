//! How fast things go here, as measured: round trips, and the rhythm of a leader's signs of life.
//!
//! Only speed depends on what stands here, never safety.

use core::hash::{Hash, Hasher};
use wire::Tick;

/// A wrong suspicion doubles the patience with leaders at most this often.
const DOUBLINGS_MAX: u32 = 5;
/// That many signs of life of one leader halve it again.
const CALM: u32 = 512;

/// A smoothed mean and deviation, as TCP keeps them for its round trips (RFC 6298).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    mean_ns: u64,
    deviation_ns: u64,
    measured: bool,
}

impl Estimate {
    pub(crate) fn add(&mut self, sample_ns: u64) {
        if self.measured {
            let off = self.mean_ns.abs_diff(sample_ns);
            self.deviation_ns = self.deviation_ns - self.deviation_ns / 4 + off / 4;
            self.mean_ns = self.mean_ns - self.mean_ns / 8 + sample_ns / 8;
        } else {
            *self = Self {
                mean_ns: sample_ns,
                deviation_ns: sample_ns / 2,
                measured: true,
            };
        }
    }

    /// What a sample is seldom above.
    pub(crate) fn bound_ns(&self) -> u64 {
        self.mean_ns.saturating_add(4 * self.deviation_ns)
    }
}

/// How often a leader shows signs of life, and how long it may therefore be silent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rhythm {
    /// Between two signs of life.
    beat: Estimate,
    heard: Option<Tick>,
    doublings: u32,
    calm: u32,
}

impl Rhythm {
    /// The leader showed a sign of life.
    pub(crate) fn heard(&mut self, now: Tick) {
        if let Some(before) = self.heard.replace(now) {
            self.beat.add(now.since(before));
        }
        self.calm += 1;
        if self.calm == CALM {
            self.calm = 0;
            self.doublings = self.doublings.saturating_sub(1);
        }
    }

    /// Another leader, or none: its rhythm is measured anew.
    pub(crate) fn leader_changed(&mut self) {
        self.heard = None;
        self.calm = 0;
    }

    /// A replica that was taken for crashed is there.
    pub(crate) fn suspected_wrongly(&mut self) {
        self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
    }

    /// How long a leader may be silent, in microseconds, and at least `least_us`.
    pub(crate) fn patience_us(&self, least_us: u64) -> u64 {
        let usual = least_us.max(self.beat.bound_ns() / 1_000);
        (usual << self.doublings).min(least_us << DOUBLINGS_MAX)
    }
}

/// Measurements are no part of a replica's state.
impl PartialEq for Rhythm {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Rhythm {}

impl Hash for Rhythm {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: u64 = 6_000;

    #[test]
    fn patience_follows_the_leaders_rhythm_within_bounds() {
        let mut rhythm = Rhythm::default();
        assert_eq!(rhythm.patience_us(LEAST), LEAST);
        for beat in 0..100 {
            rhythm.heard(Tick(beat * 20_000_000));
        }
        let patience = rhythm.patience_us(LEAST);
        assert!((20_000..60_000).contains(&patience), "{patience}");
        for _ in 0..40 {
            rhythm.suspected_wrongly();
        }
        assert_eq!(rhythm.patience_us(LEAST), LEAST << DOUBLINGS_MAX);
    }

    #[test]
    fn a_calm_leader_earns_back_what_a_wrong_suspicion_cost() {
        let mut rhythm = Rhythm::default();
        rhythm.suspected_wrongly();
        assert_eq!(rhythm.patience_us(LEAST), 2 * LEAST);
        for beat in 0..u64::from(CALM) {
            rhythm.heard(Tick(beat * 1_000));
        }
        assert_eq!(rhythm.patience_us(LEAST), LEAST);
    }
}
