//! Recovery of a replica that has restarted without its log.
//!
//! Its answers were votes, also for what the leader did not have yet. So it never rejoins a view
//! in which it may have voted: it asks for a view that is started for it, and until it has
//! installed one it votes for nothing. (To adopt the leader's log, as Viewstamped Replication does,
//! is not enough here: the leader may get and answer later what the forgotten answer was for, and
//! then a client counts two replicas where one has it.)
//!
//! Every start of a replica has a number, its incarnation, larger than those before. All messages
//! of a view change carry the newest incarnations known, so that a report of an earlier life, still
//! on its way, does not count. A view is started for a replica when one of the reports knew of that
//! replica's incarnation: then the earlier lives cannot have voted in it.

use super::timers::Timer;
use super::{Mutant, NoPaxos, replica_at};
use crate::protocol::Mode;
use crate::{Boot, Effects, StateMachine};
use wire::message::{Incarnations, Message, Recover, StartViewChange};
use wire::{ReplicaId, SequenceNumber, Tick, ViewNumber};

/// Asking to be let in is repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 5;

/// A restarted replica's way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    /// Views up to this one are not rejoined.
    above: ViewNumber,
    tries: u32,
}

impl<S: StateMachine> NoPaxos<S> {
    /// Takes up a life after another.
    pub(super) fn begin_recovery(&mut self, now: Tick, boot: Boot) {
        let persisted = boot.persisted.unwrap_or_default();
        self.view = persisted.view;
        self.last_normal_view = persisted.last_normal_view;
        self.incarnations.learn(self.config.me, boot.incarnation);
        if self.config.breaks(Mutant::RejoinAtOnce) {
            self.last_normal_view = self.view;
            self.ledger.begin(self.session(), SequenceNumber::ZERO, []);
            self.arrivals.of_session(self.session());
            self.arm_normal_timers(now);
            return;
        }
        self.recovery.above = persisted.view;
        self.mode = Mode::Recovering;
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
        view > self.recovery.above && incarnations.of(me) == self.incarnations.of(me)
    }

    /// Learns of lives, and tells whether a message of `replica` is of the newest one.
    pub(super) fn is_of_newest_life(
        &mut self,
        replica: ReplicaId,
        incarnations: &Incarnations,
    ) -> bool {
        self.learn_lives(incarnations);
        incarnations.of(replica) == self.incarnations.of(replica)
    }

    /// The view was started for these lives: who has a new one takes part from now on.
    pub(super) fn note_lives(&mut self, incarnations: Incarnations) {
        for replica in (0..self.n()).map(replica_at) {
            if incarnations.of(replica) > self.beginning.incarnations.of(replica) {
                self.peers.expect(replica);
            }
        }
        self.learn_lives(&incarnations);
    }

    /// Who has a new life has forgotten what it had in the last.
    fn learn_lives(&mut self, incarnations: &Incarnations) {
        for replica in (0..self.n()).map(replica_at) {
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
            self.pending = None;
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
        let knew_it = self.beginning.incarnations.of(replica) == incarnation;
        if normal && self.view > view && knew_it {
            if self.is_leader() {
                self.repeat_start(now, replica, out);
            }
            return;
        }
        // It does not take part until it is let in, and cannot lead.
        self.peers.suspect(replica);
        let is_without_leader = self.leader_of(self.view) == replica;
        if is_without_leader || (normal && self.is_leader()) {
            self.next_view_above(now, view, out);
        }
    }
}
