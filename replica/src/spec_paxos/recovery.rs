//! Recovery of a replica that has restarted without its log.
//!
//! A speculative reply is a vote, and a superquorum that a client has counted may be without a
//! vote to spare. A replica that has forgotten its votes therefore never rejoins a view in which
//! it may have voted: it asks for a view that is started for it, and until it has installed one
//! it votes for nothing. (Adopting the leader's log, as Viewstamped Replication does, would move
//! completed operations: the leader does not order here.)
//!
//! Every start of a replica has a number, its incarnation, larger than those before. All
//! messages of a view change carry the newest incarnations known (a crash vector, Michael et al.,
//! DISC'17), so that a report of an earlier life, still on its way, does not count. A view is
//! started for a replica when its merge knew of that replica's incarnation: then the earlier
//! lives cannot have voted in it.

use super::SpecPaxos;
use super::timers::Timer;
use crate::mutant::Mutant;
use crate::protocol::Mode;
use crate::{Boot, Effects, StateMachine};
use wire::message::{Incarnations, Message, Recover, StartViewChange};
use wire::{ReplicaId, Tick, ViewNumber};

/// A restarted replica's way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    /// Views up to this one are not rejoined.
    above: ViewNumber,
    tries: u32,
}

/// Asking to be let in is repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 5;

impl<S: StateMachine> SpecPaxos<S> {
    /// Takes up a life after another.
    pub(super) fn begin_recovery(&mut self, now: Tick, boot: Boot) {
        let persisted = boot.persisted.unwrap_or_default();
        self.view = persisted.view;
        self.last_normal_view = persisted.last_normal_view;
        self.incarnations.learn(self.config.me, boot.incarnation);
        if self.config.breaks(Mutant::RejoinAtOnce) {
            self.last_normal_view = self.view;
            return;
        }
        self.recovery = Recovery {
            above: persisted.view,
            tries: 0,
        };
        self.mode = Mode::Recovering;
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        self.timers.arm(Timer::Recover, now);
    }

    /// A restarted replica asks, and asks for what its view's log stands on.
    pub(super) fn on_recover_due(&mut self, now: Tick, out: &mut Effects) {
        let recover = Recover {
            replica: self.config.me,
            incarnation: self.incarnations.of(self.config.me),
            view: self.recovery.above,
        };
        out.send_others(self.config.me, self.n(), &Message::Recover(recover));
        self.ask_for_pending(out);
        let wait = self.config.timings.resend_us << self.recovery.tries.min(BACKOFF_MAX);
        self.recovery.tries += 1;
        self.timers.arm(Timer::Recover, now.plus_us(wait));
    }

    /// Whether a view with this number and these lives was started for this replica's life.
    pub(super) fn is_started_for_me(&self, view: ViewNumber, incarnations: &Incarnations) -> bool {
        let me = self.config.me;
        let knows_me = incarnations.of(me) == self.incarnations.of(me);
        view > self.recovery.above && (knows_me || self.config.breaks(Mutant::IgnoreIncarnations))
    }

    /// Learns of lives, and tells whether a message of `replica` is of the newest one.
    pub(super) fn is_of_newest_life(
        &mut self,
        replica: ReplicaId,
        incarnations: &Incarnations,
    ) -> bool {
        self.learn_lives(incarnations);
        let newest = incarnations.of(replica) == self.incarnations.of(replica);
        newest || self.config.breaks(Mutant::IgnoreIncarnations)
    }

    /// The view was started for these lives: who has a new one takes part from now on.
    pub(super) fn note_lives(&mut self, incarnations: Incarnations) {
        for replica in (0..self.n()).map(super::replica_at) {
            if incarnations.of(replica) > self.view_incarnations.of(replica) {
                self.peers.expect(replica);
            }
        }
        self.learn_lives(&incarnations);
        self.view_incarnations = incarnations;
    }

    /// Who has a new life has forgotten what it had in the last.
    fn learn_lives(&mut self, incarnations: &Incarnations) {
        for replica in (0..self.n()).map(super::replica_at) {
            if incarnations.of(replica) > self.incarnations.of(replica) {
                self.peers.forget(replica);
            }
        }
        self.incarnations.merge(incarnations);
    }

    /// While recovering: others know of a life of this replica that this one cannot remember.
    pub(super) fn learn_own_life(&mut self, message: &StartViewChange) {
        let me = self.config.me;
        let known = message.incarnations.of(me);
        if known > self.incarnations.of(me) {
            self.incarnations.merge(&message.incarnations);
            self.incarnations.learn(me, known + 1);
            self.pending_start = None;
        }
    }

    /// A replica has restarted. If the view was started for it, it is sent the view's beginning;
    /// else the leader starts one.
    pub(super) fn on_recover(&mut self, now: Tick, message: Recover, out: &mut Effects) {
        let Recover {
            replica,
            incarnation,
            view,
        } = message;
        let known = self.incarnations.of(replica);
        if incarnation < known {
            self.tell_newer_view(replica, out);
            return;
        }
        if incarnation > known {
            self.incarnations.learn(replica, incarnation);
            self.peers.forget(replica);
        }
        let normal = self.mode == Mode::Normal;
        let knew_it = self.view_incarnations.of(replica) == incarnation
            || self.config.breaks(Mutant::IgnoreIncarnations);
        let started_for_it = self.view > view && knew_it;
        if normal && started_for_it {
            if self.is_leader() {
                self.repeat_start_view(now, replica, out);
            }
            return;
        }
        // It does not take part until it is let in, and cannot lead.
        self.peers.suspect(replica);
        let is_without_leader = self.leader_of(self.view) == replica;
        if is_without_leader || (normal && self.is_leader()) {
            let degraded = self.degraded || self.change.degraded || self.wants_degraded();
            self.reconcile_above(now, view, degraded, out);
        }
    }
}
