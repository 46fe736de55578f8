//! How fast things go here: round trips and the leader's rhythm as measured, and the waits that
//! follow from them.
//!
//! Fixed timers are either seconds, and then every lost packet costs seconds, or milliseconds,
//! and then a busy machine looks dead. Only speed depends on what stands here, never safety.

use super::config::Timings;
use core::hash::{Hash, Hasher};
use wire::Tick;

/// A wrong suspicion doubles the patience with leaders at most this often.
const DOUBLINGS_MAX: u32 = 5;
/// That many signs of life of one leader halve it again.
const CALM: u32 = 512;

/// A smoothed mean and deviation, as TCP keeps them for its round trips (RFC 6298).
#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    mean_ns: u64,
    deviation_ns: u64,
    measured: bool,
}

impl Estimate {
    fn add(&mut self, sample_ns: u64) {
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
    fn bound_ns(&self) -> u64 {
        self.mean_ns.saturating_add(4 * self.deviation_ns)
    }
}

/// What a replica has measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Leader: from a question to an answer.
    answer: Estimate,
    /// From asking a peer for a packet to getting it.
    fetch: Estimate,
    /// Follower: between two signs of life of the leader.
    leader: Estimate,
    leader_heard: Option<Tick>,
    asked_at: Tick,
    fetching_since: Tick,
    doublings: u32,
    calm: u32,
}

impl Pace {
    /// Leader: a question is on its way.
    pub(super) fn asked(&mut self, now: Tick) {
        self.asked_at = now;
    }

    /// Leader: an answer to it is there.
    pub(super) fn answered(&mut self, now: Tick) {
        self.answer.add(now.since(self.asked_at));
    }

    /// A peer is asked for a packet.
    pub(super) fn fetching(&mut self, now: Tick) {
        self.fetching_since = now;
    }

    /// The packet is there.
    pub(super) fn fetched(&mut self, now: Tick) {
        self.fetch.add(now.since(self.fetching_since));
    }

    /// The leader showed a sign of life.
    pub(super) fn leader_heard(&mut self, now: Tick) {
        if let Some(before) = self.leader_heard.replace(now) {
            self.leader.add(now.since(before));
        }
        self.calm += 1;
        if self.calm == CALM {
            self.calm = 0;
            self.doublings = self.doublings.saturating_sub(1);
        }
    }

    /// Another leader, or none: its rhythm is measured anew.
    pub(super) fn leader_changed(&mut self) {
        self.leader_heard = None;
        self.calm = 0;
    }

    /// A replica that was taken for crashed is there.
    pub(super) fn suspected_wrongly(&mut self) {
        self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
    }

    /// How long a leader may be silent.
    pub(super) fn suspect_us(&self, timings: &Timings) -> u64 {
        let usual = timings.suspect_us.max(self.leader.bound_ns() / 1_000);
        (usual << self.doublings).min(timings.suspect_us << DOUBLINGS_MAX)
    }

    /// How long the leader waits for hashes.
    pub(super) fn sync_timeout_us(&self, timings: &Timings) -> u64 {
        let usual = self.answer.bound_ns() / 1_000;
        timings
            .sync_timeout_us
            .max(4 * usual)
            .min(8 * timings.sync_timeout_us)
    }

    /// How long a peer may take to send a packet.
    pub(super) fn fetch_us(&self, timings: &Timings) -> u64 {
        let usual = self.fetch.bound_ns() / 1_000;
        usual.clamp(timings.fetch_us, 8 * timings.fetch_us)
    }
}

/// Measurements are no part of a replica's state.
impl PartialEq for Pace {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Pace {}

impl Hash for Pace {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_leaders_rhythm_within_bounds() {
        let timings = Timings::default();
        let mut pace = Pace::default();
        assert_eq!(pace.suspect_us(&timings), timings.suspect_us);
        for beat in 0..100 {
            pace.leader_heard(Tick(beat * 20_000_000));
        }
        let patience = pace.suspect_us(&timings);
        assert!((20_000..60_000).contains(&patience), "{patience}");
        for _ in 0..40 {
            pace.suspected_wrongly();
        }
        assert_eq!(
            pace.suspect_us(&timings),
            timings.suspect_us << DOUBLINGS_MAX
        );
    }

    #[test]
    fn a_calm_leader_earns_back_what_a_wrong_suspicion_cost() {
        let timings = Timings::default();
        let mut pace = Pace::default();
        pace.suspected_wrongly();
        assert_eq!(pace.suspect_us(&timings), 2 * timings.suspect_us);
        for beat in 0..u64::from(CALM) {
            pace.leader_heard(Tick(beat * 1_000));
        }
        assert_eq!(pace.suspect_us(&timings), timings.suspect_us);
    }
}
