//! Who wants another epoch, and why.
//!
//! Nobody ends an epoch alone: a member says what it wants and goes on voting. When f+1 want an
//! epoch, or later ones, whoever counts them stops voting in earlier ones. So one member that hears
//! half of the packets cannot raise epochs without end.

use super::membership::{epoch_after, first_epoch};
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine};
use wire::message::Incarnations;
use wire::message::rounds::{RoundsMessage, Suspect};
use wire::{EpochNumber, Members, ReplicaId, RoundsEpoch, Tick};

/// Patience is doubled at most so often.
const DOUBLINGS_MAX: u32 = 5;
/// The longest way to a decision, in packets one after the other: a request, the votes for it and
/// the locks, each waiting for the packet before it, and as much again for chance.
const FLIGHTS: u64 = 12;

/// What each member wants, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Wishes {
    wanted: [RoundsEpoch; MAX_REPLICAS],
    at: [Tick; MAX_REPLICAS],
    /// Epochs that did not begin in time, one after the other.
    doublings: u32,
    /// When a member was last asked for an epoch that has begun without this one.
    asked_at: Option<Tick>,
}

impl Wishes {
    fn note(&mut self, member: ReplicaId, wanted: RoundsEpoch, now: Tick) {
        let index = usize::from(member.0);
        self.wanted[index] = wanted;
        self.at[index] = now;
    }

    pub(super) fn of(&self, member: ReplicaId) -> RoundsEpoch {
        self.wanted[usize::from(member.0)]
    }

    /// The latest epoch that `count` of the voters want, counting wishes not older than `age_ns`.
    fn wanted_by(&self, voters: Members, count: usize, now: Tick, age_ns: u64) -> RoundsEpoch {
        let mut wanted = [RoundsEpoch::default(); MAX_REPLICAS];
        for (slot, member) in wanted.iter_mut().zip(voters.iter()) {
            let index = usize::from(member.0);
            if now.since(self.at[index]) <= age_ns {
                *slot = self.wanted[index];
            }
        }
        let wanted = &mut wanted[..voters.len()];
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        wanted[count - 1]
    }

    /// Something was decided.
    pub(super) fn on_progress(&mut self) {
        self.doublings = 0;
    }

    pub(super) fn on_failure(&mut self) {
        self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
    }

    /// A wait, longer with each failure.
    pub(super) fn patience_us(&self, us: u64) -> u64 {
        us << self.doublings
    }
}

impl<S: StateMachine> Rounds<S> {
    /// Waits for a decision from now on, if one is missing.
    pub(super) fn arm_stall(&mut self, now: Tick) {
        let waits = self.mode == Mode::Normal && self.waits_for_a_decision();
        if waits && !self.timers.is_armed(Timer::Stall) {
            let usual = self.at_least_flights_us(self.config.timings.suspect_us);
            let patience = self.wishes.patience_us(usual);
            self.timers.arm(Timer::Stall, now.plus_us(patience));
        }
    }

    /// A wait that a slow fabric lengthens: on one it is no sign of a crash.
    pub(super) fn at_least_flights_us(&self, us: u64) -> u64 {
        us.max(self.beat.flights_us(FLIGHTS))
    }

    /// Nothing was decided for a while. Without stamps another epoch would change nothing: the
    /// root is gone, and the controller's next term ends the wait.
    pub(super) fn on_stall(&mut self, now: Tick, out: &mut Effects) {
        if self.mode != Mode::Normal || !self.waits_for_a_decision() {
            return;
        }
        let lately_ns = self.at_least_flights_us(self.config.timings.suspect_us) * 1_000;
        if now.since(self.stamped_at) < lately_ns {
            self.want(now, self.next_epoch(), out);
        }
        self.arm_stall(now);
    }

    /// The epoch after the one that was promised.
    pub(super) fn next_epoch(&self) -> RoundsEpoch {
        self.next_epoch_among(self.voters())
    }

    /// The same, coordinated by one of `members`.
    pub(super) fn next_epoch_among(&self, members: Members) -> RoundsEpoch {
        let term = self.arrivals.term();
        if term > self.fence.term {
            first_epoch(term, members)
        } else {
            epoch_after(self.fence, members)
        }
    }

    /// The root stamps a term that has not begun here.
    pub(super) fn want_term(&mut self, now: Tick, term: EpochNumber, out: &mut Effects) {
        let own = self.wishes.of(self.config.me);
        let new = self.fence.term < term && own.term < term;
        if self.mode != Mode::Recovering && new {
            self.want(now, first_epoch(term, self.voters()), out);
        }
    }

    /// Wants an epoch and says so.
    pub(super) fn want(&mut self, now: Tick, wanted: RoundsEpoch, out: &mut Effects) {
        self.wishes.note(self.config.me, wanted, now);
        self.tell_wish(wanted, out);
        let resend = now.plus_us(self.config.timings.resend_us);
        self.timers.arm(Timer::Resend, resend);
        self.count_wishes(now, out);
    }

    fn tell_wish(&self, wanted: RoundsEpoch, out: &mut Effects) {
        self.send_others(RoundsMessage::Suspect(self.wish(wanted)), out);
    }

    pub(super) fn wish(&self, wanted: RoundsEpoch) -> Suspect {
        Suspect {
            replica: self.config.me,
            wanted,
            fence: self.fence,
            installed: self.installed,
            incarnations: self.incarnations,
        }
    }

    /// An epoch has begun without this replica: a member that is in it tells its beginning.
    pub(super) fn ask_for_epoch(
        &mut self,
        now: Tick,
        member: ReplicaId,
        epoch: RoundsEpoch,
        out: &mut Effects,
    ) {
        let pause_ns = self.config.timings.resend_us * 1_000;
        let lately = |asked: Tick| now.since(asked) < pause_ns;
        if self.mode == Mode::Recovering || self.wishes.asked_at.is_some_and(lately) {
            return;
        }
        self.wishes.asked_at = Some(now);
        Self::send(member, RoundsMessage::Suspect(self.wish(epoch)), out);
    }

    /// A member wants another epoch.
    pub(super) fn on_suspect(&mut self, now: Tick, suspect: Suspect, out: &mut Effects) {
        self.incarnations.merge(&suspect.incarnations);
        if suspect.wanted <= self.installed {
            if suspect.installed < self.installed {
                self.tell_start(suspect.replica, out);
            }
            return;
        }
        self.wishes.note(suspect.replica, suspect.wanted, now);
        let own = self.wishes.of(self.config.me);
        let says_so = own >= suspect.fence && self.timers.is_armed(Timer::Resend);
        // Who has stopped as well, for an earlier epoch, may hear of the later one in no other way:
        // while all are silent the root stamps nothing.
        if suspect.fence > self.installed
            && (self.mode == Mode::Normal || suspect.fence > self.fence)
        {
            // It has counted a majority, which may have changed its mind since, and it cannot go
            // back. It is joined for what was counted, not for what it wants by now: it may want
            // more and more because it hears nobody.
            if !says_so {
                return self.want(now, suspect.fence, out);
            }
        } else if suspect.installed < self.installed {
            self.tell_start(suspect.replica, out);
        }
        self.count_wishes(now, out);
    }

    fn count_wishes(&mut self, now: Tick, out: &mut Effects) {
        let (voters, count) = (self.voters(), self.quorum().majority());
        let age_ns = self.config.timings.wish_us * 1_000;
        let wanted = self.wishes.wanted_by(voters, count, now, age_ns);
        if wanted > self.fence {
            self.fence_at(now, wanted, out);
        }
    }

    /// What was said to agree on an epoch is said again.
    pub(super) fn on_resend(&mut self, now: Tick, out: &mut Effects) {
        let own = self.wishes.of(self.config.me);
        let waits = own > self.installed && self.still_wants(own);
        match self.mode {
            Mode::Recovering | Mode::Outside => return,
            Mode::Normal if !waits => return,
            Mode::Normal => {}
            Mode::Reconciling => self.report(now, out),
        }
        let wanted = own.max(self.fence);
        self.wishes.note(self.config.me, wanted, now);
        self.tell_wish(wanted, out);
        let resend = now.plus_us(self.config.timings.resend_us);
        self.timers.arm(Timer::Resend, resend);
        self.count_wishes(now, out);
    }

    /// A stall that has passed is no reason any more; a new term, changed members, or a member
    /// that waits to be let in, are.
    fn still_wants(&self, wanted: RoundsEpoch) -> bool {
        let somebody_waits = self
            .voters()
            .iter()
            .any(|member| self.incarnations.of(member) > self.epoch_incarnations.of(member));
        wanted.term > self.installed.term
            || self.is_change_pending()
            || somebody_waits
            || self.waits_for_a_decision()
    }

    /// While outside: a member looks for an epoch, or has stopped for one.
    pub(super) fn on_suspect_outside(&mut self, now: Tick, suspect: Suspect, out: &mut Effects) {
        self.incarnations.merge(&suspect.incarnations);
        if suspect.installed < self.installed {
            self.tell_start(suspect.replica, out);
        }
        self.promise_from_outside(now, suspect.fence, out);
    }

    /// While recovering or outside: somebody has stopped for an epoch. A replica that knows which
    /// epoch it had installed last promises too, and says so: that counts where members come and
    /// go.
    pub(super) fn promise_from_outside(
        &mut self,
        now: Tick,
        fence: RoundsEpoch,
        out: &mut Effects,
    ) {
        let knows = self.mode == Mode::Outside || self.recovery.knows_installed();
        if !knows || fence < self.fence || fence <= self.installed {
            return;
        }
        if fence > self.fence {
            self.fence = fence;
            self.persist(out);
        }
        self.report(now, out);
    }

    /// While recovering: others know of a life of this replica that this one cannot remember.
    pub(super) fn learn_own_life(&mut self, incarnations: &Incarnations) {
        let me = self.config.me;
        let known = incarnations.of(me);
        if known > self.incarnations.of(me) {
            self.incarnations.merge(incarnations);
            self.incarnations.learn(me, known + 1);
            self.recovery.forget_installed();
            self.pending_start = None;
        }
    }
}
