//! A replica that has restarted without its log.
//!
//! Its packets were votes that it no longer remembers. It votes, reports and coordinates nothing
//! until it has installed an epoch above its persisted fence that was started for its new life,
//! formed from f+1 members that forgot nothing. Every start has a number, the incarnation; whoever
//! knows a newer life does not count the words of an older one.

use super::membership::epoch_after;
use super::mutant::Mutant;
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::{Boot, Effects, StateMachine};
use wire::message::rounds::{RoundsMessage, StartEpoch};
use wire::message::{Message, Recover};
use wire::{ReplicaId, RoundsEpoch, Tick};

/// Asking to be let in is repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 5;

/// A restarted replica's way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    /// Epochs up to this one are not rejoined.
    above: RoundsEpoch,
    tries: u32,
    /// Whether the newest epoch that it had installed is known: from its disk, or because it never
    /// had one.
    knows_installed: bool,
}

impl Recovery {
    pub(super) fn knows_installed(&self) -> bool {
        self.knows_installed
    }

    /// There was a life that this one knows nothing of.
    pub(super) fn forget_installed(&mut self) {
        self.knows_installed = false;
    }
}

impl<S: StateMachine> Rounds<S> {
    /// Takes up a life after another.
    pub(super) fn begin_recovery(&mut self, now: Tick, boot: Boot) {
        let persisted = boot.persisted.unwrap_or_default();
        self.fence = RoundsEpoch::from_view(persisted.view);
        self.installed = RoundsEpoch::from_view(persisted.last_normal_view);
        self.incarnations.learn(self.config.me, boot.incarnation);
        if self.config.breaks(Mutant::RejoinAtOnce) {
            self.fence = self.installed;
            self.epoch_incarnations = self.incarnations;
            self.timers.arm(Timer::Beat, now);
            return;
        }
        self.wait_outside(now, boot.persisted.is_some());
    }

    /// Takes no part until an epoch above the promised one is started for this life.
    pub(super) fn wait_outside(&mut self, now: Tick, knows_installed: bool) {
        self.recovery = Recovery {
            above: self.fence,
            tries: 0,
            knows_installed,
        };
        self.mode = Mode::Recovering;
        self.timers.arm(Timer::Recover, now);
    }

    pub(super) fn on_recover_due(&mut self, now: Tick, out: &mut Effects) {
        if self.mode != Mode::Recovering {
            return;
        }
        let recover = Recover {
            replica: self.config.me,
            incarnation: self.incarnation(),
            view: self.recovery.above.as_view(),
        };
        out.send_others(
            self.config.me,
            self.config.known,
            &Message::Recover(recover),
        );
        let wait = self.config.timings.resend_us << self.recovery.tries.min(BACKOFF_MAX);
        self.recovery.tries += 1;
        self.timers.arm(Timer::Recover, now.plus_us(wait));
    }

    /// Whether an epoch was started for this replica's life.
    pub(super) fn is_started_for_me(&self, start: &StartEpoch<'_>) -> bool {
        let is_member = start.membership.members.contains(self.config.me);
        let knows_me = start.incarnations.of(self.config.me) == self.incarnation();
        let knows_me = knows_me || self.config.breaks(Mutant::IgnoreIncarnations);
        start.epoch > self.recovery.above && is_member && knows_me
    }

    /// A member has restarted: it is told the epoch that was started for it, or one is started.
    pub(super) fn on_recover(&mut self, now: Tick, recover: Recover, out: &mut Effects) {
        let Recover {
            replica,
            incarnation,
            view,
        } = recover;
        if !self.is_peer(replica) {
            self.counters.rejected += 1;
            return;
        }
        if self.mode == Mode::Recovering {
            self.incarnations.learn(replica, incarnation);
            return;
        }
        if incarnation < self.incarnations.of(replica) {
            self.tell_newer_life(replica, out);
            return;
        }
        self.incarnations.learn(replica, incarnation);
        if !self.voters().contains(replica) {
            // It is let in when the log says so.
            return;
        }
        let above = RoundsEpoch::from_view(view);
        let knows_it = self.epoch_incarnations.of(replica) == incarnation
            || self.config.breaks(Mutant::IgnoreIncarnations);
        if self.mode == Mode::Normal && self.installed > above && knows_it {
            self.tell_start(replica, out);
            return;
        }
        // Whoever waits to be let in cannot coordinate what lets it in, and the group would wait
        // for it in vain.
        let others = self.voters().without(replica);
        let others = if others.is_empty() {
            self.voters()
        } else {
            others
        };
        let wanted = self
            .next_epoch_among(others)
            .max(epoch_after(above, others));
        // A wish that is not repeated any more was for something that has passed.
        let own = self.wishes.of(self.config.me);
        let is_wanted = own > self.installed.max(above) && self.timers.is_armed(Timer::Resend);
        if self.mode == Mode::Normal && !is_wanted {
            self.want(now, wanted, out);
        }
    }

    fn tell_newer_life(&self, replica: ReplicaId, out: &mut Effects) {
        let wish = self.wish(self.fence);
        Self::send(replica, RoundsMessage::Suspect(wish), out);
    }
}
