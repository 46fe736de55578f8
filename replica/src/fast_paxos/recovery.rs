//! Recovery of a replica that has restarted without its log.
//!
//! It asks everybody. f+1 normal replicas answer, among them the coordinator of the newest view
//! that they name; they know of its new life from then on, so that what it reported in an earlier one
//! no longer counts. A vote of an earlier life may still be on its way to the coordinator, for a
//! slot that the coordinator has not reached; so the coordinator begins an attempt before it
//! answers, in which no earlier life can have voted. The replica takes part when it has accepted
//! something in that ballot or a newer one: everything that it may have accepted or voted for
//! before, and that counted, is in what it is told.

use super::timers::Timer;
use super::{FastPaxos, Mutant};
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Boot, Effects, StateMachine};
use wire::message::fast_paxos::{Accept, Ballot, FastPaxosMessage, Welcome};
use wire::message::{Message, Recover, StartViewChange};
use wire::{Tick, ViewNumber};

/// Asking to be let in is repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 5;

/// A restarted replica's way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    /// Views below this one are not joined.
    above: ViewNumber,
    tries: u32,
    /// By replica: the newest ballot that it has accepted something in.
    answers: [Option<Ballot>; MAX_REPLICAS],
    /// The ballot of the coordinator that is joined.
    target: Option<Ballot>,
}

impl Recovery {
    /// Whether the coordinator's log is being fetched.
    pub(super) fn is_fetching(&self) -> bool {
        self.target.is_some()
    }

    fn forget_answers(&mut self) {
        self.answers = [None; MAX_REPLICAS];
        self.target = None;
    }
}

impl<S: StateMachine> FastPaxos<S> {
    /// Takes up a life after another.
    pub(super) fn begin_recovery(&mut self, now: Tick, boot: Boot) {
        let persisted = boot.persisted.unwrap_or_default();
        self.view = persisted.view;
        self.accepted.view = persisted.last_normal_view;
        self.incarnations.learn(self.config.me, boot.incarnation);
        if self.config.breaks(Mutant::RejoinAtOnce) {
            self.accepted.view = self.view;
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
            self.welcome(now, message, out);
        }
    }

    fn welcome(&mut self, now: Tick, message: Recover, out: &mut Effects) {
        let begun_for = &mut self.leading.welcomed[usize::from(message.replica.0)];
        let is_new = *begun_for < message.incarnation;
        *begun_for = message.incarnation.max(*begun_for);
        if is_new && self.is_leader() {
            self.begin_attempt(now, out);
        }
        let welcome = FastPaxosMessage::Welcome(Welcome {
            ballot: self.accepted,
            replica: self.config.me,
            incarnation: message.incarnation,
        });
        out.send(message.replica, &Message::FastPaxos(welcome));
    }

    pub(super) fn on_welcome(&mut self, now: Tick, message: Welcome, out: &mut Effects) {
        if message.incarnation != self.incarnations.of(self.config.me) {
            return;
        }
        let answer = &mut self.recovery.answers[usize::from(message.replica.0)];
        *answer = Some(message.ballot).max(*answer);
        if self.recovery.is_fetching() && message.ballot.view <= self.view {
            return;
        }
        self.recovery.target = None;
        let answers = self.recovery.answers.iter().flatten();
        if answers.clone().count() < self.config.quorum.majority() {
            return;
        }
        let view = answers.map(|ballot| ballot.view).max();
        let view = view.expect("a majority has answered");
        let leader = usize::from(self.leader_of(view).0);
        match self.recovery.answers[leader] {
            Some(ballot) if ballot.view == view && view >= self.recovery.above => {
                self.view = view;
                self.recovery.target = Some(ballot);
                self.go_on_recovering(now, out);
            }
            _ => {}
        }
    }

    /// Asks for what it needs to take part, if it knows whom.
    fn go_on_recovering(&mut self, now: Tick, out: &mut Effects) {
        if self.recovery.is_fetching() {
            self.ask(now, out);
            self.timers.cancel(Timer::Ask);
        }
    }

    /// The coordinator tells its log: what this replica needs, if it is of the ballot that it
    /// joins.
    pub(super) fn accept_as_outsider(
        &mut self,
        now: Tick,
        message: &Accept<'_>,
        out: &mut Effects,
    ) {
        let joins = |target: Ballot| message.ballot >= target && message.ballot.view == target.view;
        if !self.recovery.target.is_some_and(joins) {
            return;
        }
        self.accept(now, message, out);
        if self.mode == Mode::Normal {
            self.recovery = Recovery::default();
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
