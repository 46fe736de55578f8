//! How fast things go here: round trips and the leader's rhythm as measured, and the waits that
//! follow from them.
//!
//! Fixed timers are either seconds, and then every lost packet costs seconds, or milliseconds,
//! and then a busy machine looks dead. Only speed depends on what stands here, never safety.

use super::config::Timings;
use crate::rhythm::{Estimate, Rhythm};
use core::hash::{Hash, Hasher};
use wire::Tick;

/// What a replica has measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Leader: from a question to an answer.
    answer: Estimate,
    /// From asking a peer for a packet to getting it.
    fetch: Estimate,
    /// Follower: between two signs of life of the leader.
    leader: Rhythm,
    asked_at: Tick,
    fetching_since: Tick,
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
        self.leader.heard(now);
    }

    /// Another leader, or none: its rhythm is measured anew.
    pub(super) fn leader_changed(&mut self) {
        self.leader.leader_changed();
    }

    /// A replica that was taken for crashed is there.
    pub(super) fn suspected_wrongly(&mut self) {
        self.leader.suspected_wrongly();
    }

    /// How long a leader may be silent.
    pub(super) fn suspect_us(&self, timings: &Timings) -> u64 {
        self.leader.patience_us(timings.suspect_us)
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
