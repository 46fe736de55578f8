//! Looking whether everything goes on: decisions that others have and this server lacks, servers
//! that are silent, and revocations that wait for an answer.

use super::timers::Timer;
use super::{Mencius, replica_at};
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine};
use core::hash::{Hash, Hasher};
use wire::{InstanceNumber, ReplicaId, Tick};

/// How often in a row a revocation may be overtaken before the wait grows no more.
const BACKOFF_MAX: u32 = 5;

/// What is watched, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    executed: InstanceNumber,
    since: Tick,
    asked_decisions: Tick,
    asked_proposals: [Tick; MAX_REPLICAS],
    /// By owner: since when its instances should be revoked.
    wanted: [Option<Tick>; MAX_REPLICAS],
    /// By owner: how often another revocation was faster.
    overtaken: [u32; MAX_REPLICAS],
}

impl Watch {
    /// Whether an owner may be asked for proposals (again).
    pub(super) fn may_ask(&self, owner: ReplicaId, now: Tick, every_us: u64) -> bool {
        let asked = self.asked_proposals[usize::from(owner.0)];
        asked == Tick(0) || now.since(asked) >= every_us * 1_000
    }

    pub(super) fn asked(&mut self, owner: ReplicaId, now: Tick) {
        self.asked_proposals[usize::from(owner.0)] = now;
    }

    /// Another revocation of this owner's instances is ahead: it has time to end.
    pub(super) fn overtaken(&mut self, owner: ReplicaId, now: Tick) {
        let index = usize::from(owner.0);
        self.overtaken[index] = self.overtaken[index].saturating_add(1);
        self.wanted[index] = Some(now);
    }

    /// The owner's instances are revoked.
    pub(super) fn revoked(&mut self, owner: ReplicaId) {
        self.overtaken[usize::from(owner.0)] = 0;
        self.wanted[usize::from(owner.0)] = None;
    }
}

/// When something was seen is no part of a server's state.
impl PartialEq for Watch {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Watch {}

impl Hash for Watch {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl<S: StateMachine> Mencius<S> {
    pub(super) fn on_watch_due(&mut self, now: Tick, out: &mut Effects) {
        let again = now.plus_us(self.config.timings.heartbeat_us);
        self.timers.arm(Timer::Watch, again);
        if self.watch.executed != self.executed {
            self.watch.executed = self.executed;
            self.watch.since = now;
        }
        let patience = self.rhythm.patience_us(self.config.timings.suspect_us);
        for replica in self.replicas() {
            if self.is_peer(replica) && self.peers.silence(replica, now) > patience * 1_000 {
                self.peers.suspect(replica);
            }
        }
        let ahead = self.who_is_ahead();
        if let Some(holder) = ahead {
            self.ask_if_stuck(now, holder, out);
        }
        for owner in self.replicas() {
            self.revoke_if_needed(now, owner, ahead.is_some(), out);
        }
        self.repeat_revocations(now, out);
        self.advance(now, out);
    }

    /// A server that is there and has executed more than this one, if there is one.
    fn who_is_ahead(&self) -> Option<ReplicaId> {
        let peers = self.replicas().filter(|replica| self.is_peer(*replica));
        let there = peers.filter(|replica| !self.peers.is_suspected(*replica));
        let furthest = there.max_by_key(|replica| self.lane(*replica).said.executed)?;
        (self.lane(furthest).said.executed > self.executed).then_some(furthest)
    }

    fn ask_if_stuck(&mut self, now: Tick, holder: ReplicaId, out: &mut Effects) {
        let every = self.config.timings.resend_us * 1_000;
        let stuck = now.since(self.watch.since) >= every / 2;
        if stuck && now.since(self.watch.asked_decisions) >= every {
            self.watch.asked_decisions = now;
            self.ask_for_decisions(holder, out);
        }
    }

    /// The newest instance that anybody has proposed for, as far as this server knows.
    pub(super) fn newest_proposed(&self) -> InstanceNumber {
        let lanes = self.lanes.iter();
        let newest = lanes.map(|lane| {
            let said = lane.said.last;
            let proposed = if said > lane.said.base {
                said
            } else {
                InstanceNumber::ZERO
            };
            lane.newest_batch().max(proposed)
        });
        newest
            .max()
            .expect("a group has members")
            .max(self.executed)
    }

    /// Up to where an owner's instances are in higher ballots than its own.
    fn revoked_up_to(&self, owner: ReplicaId) -> InstanceNumber {
        let lane = self.lane(owner);
        let base = if owner == self.config.me {
            self.own.base()
        } else {
            lane.said.base
        };
        base.max(lane.up_to)
    }

    /// Whether somebody should decide about an owner's instances: it is silent and others are
    /// about to need them, or the last who did so has not ended it.
    fn should_be_revoked(&self, owner: ReplicaId) -> bool {
        let first = self.lane(owner).first_unsettled(self.executed);
        if first <= self.revoked_up_to(owner) {
            return true;
        }
        let newest = self.newest_proposed();
        let soon = self.config.turn() * self.config.limits.revoke_ahead / 2;
        let silent = self.peers.is_suspected(owner) && newest > self.executed;
        silent && first.0 <= newest.0 + soon
    }

    /// One after the other has its turn to revoke: who is silent is passed over.
    fn turn_of_this(&self, owner: ReplicaId) -> u64 {
        let n = self.n();
        let order = (0..n).map(|step| replica_at((usize::from(owner.0) + step) % n));
        let before = order.take_while(|replica| *replica != self.config.me);
        before
            .filter(|replica| !self.peers.is_suspected(*replica))
            .count() as u64
    }

    fn revoke_if_needed(&mut self, now: Tick, owner: ReplicaId, behind: bool, out: &mut Effects) {
        let index = usize::from(owner.0);
        if self.revocations[index].is_some() {
            return;
        }
        // Who is behind asks first: what it lacks may be decided.
        if behind || !self.should_be_revoked(owner) {
            self.watch.revoked(owner);
            return;
        }
        let since = *self.watch.wanted[index].get_or_insert(now);
        let resend = self.config.timings.resend_us;
        let backoff = match self.watch.overtaken[index] {
            0 => 0,
            often => (resend * (1 + self.turn_of_this(owner))) << often.min(BACKOFF_MAX),
        };
        let wait = self.turn_of_this(owner) * 2 * resend + backoff;
        if now.since(since) >= wait * 1_000 {
            self.begin_revocation(now, owner, out);
        }
    }
}
