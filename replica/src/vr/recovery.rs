//! Recovery of a replica that has restarted without its log.
//!
//! It asks everybody. f+1 normal replicas answer, among them the leader of the newest view that
//! they name; they know of its new life from then on, so that what it said in an earlier one no
//! longer counts. It takes over that leader's log, as long as the leader said it was: everything
//! that it may have acknowledged in that view is there. Only then does it take part.

use super::timers::Timer;
use super::{Mutant, Vr};
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Boot, Effects, StateMachine};
use wire::message::vr::{VrMessage, Welcome};
use wire::message::{Message, Recover, StartViewChange};
use wire::{SlotNumber, Tick, ViewNumber};

/// Asking to be let in is repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 5;

/// A restarted replica's way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    /// Views below this one are not joined.
    above: ViewNumber,
    tries: u32,
    /// By replica: its view and how long its log is.
    answers: [Option<(ViewNumber, SlotNumber)>; MAX_REPLICAS],
    /// How much of the leader's log is needed.
    target: Option<SlotNumber>,
}

impl Recovery {
    /// Whether the leader's log is being fetched.
    pub(super) fn is_fetching(&self) -> bool {
        self.target.is_some()
    }

    fn forget_answers(&mut self) {
        self.answers = [None; MAX_REPLICAS];
        self.target = None;
    }
}

impl<S: StateMachine> Vr<S> {
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
        self.recovery.above = persisted.view;
        self.mode = Mode::Recovering;
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        self.timers.arm(Timer::Recover, now);
    }

    pub(super) fn on_recover_due(&mut self, now: Tick, out: &mut Effects) {
        let recover = Recover {
            replica: self.config.me,
            incarnation: self.incarnations.of(self.config.me),
            view: self.recovery.above,
        };
        out.send_others(self.config.me, self.n(), &Message::Recover(recover));
        let wait = self.config.timings.resend_us << self.recovery.tries.min(BACKOFF_MAX);
        self.recovery.tries += 1;
        self.timers.arm(Timer::Recover, now.plus_us(wait));
        self.go_on_recovering(now, out);
    }

    /// A replica has restarted. While it does not know the log it can lead nobody.
    pub(super) fn on_recover(&mut self, now: Tick, message: Recover, out: &mut Effects) {
        let replica = message.replica;
        let known = self.incarnations.of(replica);
        if message.incarnation < known {
            self.tell_newer_view(replica, out);
            return;
        }
        if message.incarnation > known {
            self.incarnations.learn(replica, message.incarnation);
            self.peers.forget(replica);
        }
        if self.leader_of(self.view) == replica || message.view > self.view {
            self.peers.suspect(replica);
            self.next_view_above(now, message.view, out);
        } else if self.mode == Mode::Normal {
            let welcome = Welcome {
                view: self.view,
                replica: self.config.me,
                incarnation: message.incarnation,
                last: self.history.log().last(),
            };
            out.send(replica, &Message::Vr(VrMessage::Welcome(welcome)));
        }
    }

    pub(super) fn on_welcome(&mut self, now: Tick, message: Welcome, out: &mut Effects) {
        if message.incarnation != self.incarnations.of(self.config.me) {
            return;
        }
        let answer = &mut self.recovery.answers[usize::from(message.replica.0)];
        *answer = Some((message.view, message.last)).max(*answer);
        if self.recovery.is_fetching() && message.view <= self.view {
            return;
        }
        self.recovery.target = None;
        let answers = self.recovery.answers.iter().flatten();
        if answers.clone().count() < self.config.quorum.majority() {
            return;
        }
        let view = answers.map(|(view, _)| *view).max();
        let view = view.expect("a majority has answered");
        let leader = usize::from(self.leader_of(view).0);
        match self.recovery.answers[leader] {
            Some((named, last)) if named == view && view >= self.recovery.above => {
                self.view = view;
                self.recovery.target = Some(last);
                self.go_on_recovering(now, out);
            }
            _ => {}
        }
    }

    /// Takes part if it has the log that it needs, else asks for more of it.
    pub(super) fn go_on_recovering(&mut self, now: Tick, out: &mut Effects) {
        let Some(target) = self
            .recovery
            .target
            .filter(|_| self.mode == Mode::Recovering)
        else {
            return;
        };
        let last = self.history.log().last();
        if last >= target {
            self.recovery = Recovery::default();
            self.become_normal(now, out);
            self.acknowledge(last, out);
            self.replay_deferred(now, out);
        } else {
            self.fetch_log(self.leader_of(self.view), last, target, out);
        }
    }

    /// While recovering: others know of a life of this replica that this one cannot remember, or
    /// have left the view that it was about to join.
    pub(super) fn learn_own_life(&mut self, message: &StartViewChange) {
        let me = self.config.me;
        let known = message.incarnations.of(me);
        if known > self.incarnations.of(me) {
            self.incarnations.merge(&message.incarnations);
            self.incarnations.learn(me, known + 1);
            self.recovery.forget_answers();
        } else if message.view > self.view {
            self.recovery.forget_answers();
        }
    }
}
