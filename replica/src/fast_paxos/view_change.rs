//! A view change: replicas stop, f+1 of them report their logs to the coordinator of the view to
//! come. What it makes of them is in [`pick`](super::pick) and [`install`](super::install).

use super::follow::Following;
use super::pick::Report;
use super::timers::Timer;
use super::{FastPaxos, replica_at};
use crate::history::owned;
use crate::protocol::Mode;
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::fast_paxos::{self, FastPaxosMessage};
use wire::message::{Entries, Incarnations, Message, StartViewChange};
use wire::{ReplicaId, Tick, ViewNumber};

/// Logs go by the reliable channel: they are sent again only after this many repetitions of the
/// small messages.
const RESENDS_BEFORE_LOGS: u32 = 2;

/// A failed view change doubles the next one's timeout at most this often.
const BACKOFF_MAX: u32 = 5;

/// Where a view change stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Change {
    /// Who has stopped for the view.
    stopped: ReplicaSet,
    /// Whether this replica has reported its log.
    reported: bool,
    /// Coordinator: the reports, at most one a replica.
    pub(super) reports: Vec<Report>,
    /// Views tried since the last one that began.
    failures: u32,
    /// How often this view's messages were sent again.
    resends: u32,
}

impl<S: StateMachine> FastPaxos<S> {
    /// Begins a view change: to the next view whose leader is not taken for crashed.
    pub(super) fn next_view(&mut self, now: Tick, out: &mut Effects) {
        self.next_view_above(now, self.view, out);
    }

    /// The same to a view above `floor`.
    pub(super) fn next_view_above(&mut self, now: Tick, floor: ViewNumber, out: &mut Effects) {
        let mut view = floor.max(self.view).next();
        for _ in 0..self.n() {
            if !self.peers.is_suspected(self.leader_of(view)) {
                break;
            }
            view = view.next();
        }
        self.change_view(now, view, out);
    }

    /// Stops, promises `view` and tells everyone.
    pub(super) fn change_view(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) {
        self.promise(now, view, out);
        self.say_stopped(out);
        self.report_if_enough_stopped(now, out);
    }

    /// Stops and promises `view`: from here on nothing is accepted or voted for in an older one.
    pub(super) fn promise(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) {
        assert!(view > self.view, "view {view} was promised before");
        assert_ne!(self.mode, Mode::Recovering, "a promise is a vote");
        self.counters.view_changes += 1;
        if self.mode == Mode::Normal {
            self.mode = Mode::Reconciling;
            self.peers.listen(now);
        }
        self.view = view;
        self.pending = None;
        self.following = Following::default();
        self.persist(out);
        let failures = self.change.failures;
        self.change = Change {
            failures: failures.saturating_add(1),
            ..Change::default()
        };
        self.change.stopped.insert(self.config.me);
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        let timings = self.config.timings;
        let patience = timings.view_change_us << failures.min(BACKOFF_MAX);
        self.timers.arm(Timer::GiveUp, now.plus_us(patience));
        let resend = now.plus_us(timings.resend_us);
        self.timers.arm(Timer::Resend, resend);
    }

    fn start_view_change(&self) -> Message<'static> {
        Message::StartViewChange(StartViewChange {
            view: self.view,
            replica: self.config.me,
            committed: self.history.log().last_committed(),
            degraded: true,
            incarnations: self.incarnations,
        })
    }

    fn say_stopped(&self, out: &mut Effects) {
        out.send_others(self.config.me, self.n(), &self.start_view_change());
    }

    /// Tells a replica that is behind which view this one has promised; and the leader of this
    /// view that it has not been installed here.
    pub(super) fn tell_newer_view(&self, to: ReplicaId, out: &mut Effects) {
        out.send(to, &self.start_view_change());
    }

    pub(super) fn on_start_view_change(
        &mut self,
        now: Tick,
        message: StartViewChange,
        out: &mut Effects,
    ) {
        if !self.is_of_newest_life(message.replica, &message.incarnations) {
            return;
        }
        self.peers
            .note_committed(message.replica, message.committed);
        if message.view < self.view {
            self.tell_newer_view(message.replica, out);
            return;
        }
        if message.view > self.view {
            self.change_view(now, message.view, out);
        }
        match self.mode {
            Mode::Reconciling => {
                self.change.stopped.insert(message.replica);
                self.report_if_enough_stopped(now, out);
            }
            Mode::Normal if self.is_leader() => self.repeat_beginning(now, message.replica, out),
            Mode::Normal | Mode::Recovering | Mode::Outside => {}
        }
    }

    fn report_if_enough_stopped(&mut self, now: Tick, out: &mut Effects) {
        if self.change.reported || self.change.stopped.len() < self.config.quorum.majority() {
            return;
        }
        self.change.reported = true;
        if self.is_leader() {
            let own = self.own_report();
            self.add_report(now, own, out);
        } else {
            self.send_report(out);
        }
    }

    fn own_report(&self) -> Report {
        let log = self.history.log();
        let committed = log.last_committed();
        Report {
            replica: self.config.me,
            accepted: self.accepted,
            settled: self.settled,
            incarnations: self.incarnations,
            committed,
            committed_hash: log.hash_at(committed).expect("the newest are held"),
            entries: log
                .above(committed)
                .map(|(_, e)| (e.hash, e.request.to_stored()))
                .collect(),
        }
    }

    fn send_report(&self, out: &mut Effects) {
        let log = self.history.log();
        let committed = log.last_committed();
        let entries = log
            .above(committed)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let mut storage = Vec::new();
        let report = FastPaxosMessage::Report(fast_paxos::Report {
            view: self.view,
            replica: self.config.me,
            accepted: self.accepted,
            settled: self.settled,
            incarnations: self.incarnations,
            committed,
            committed_hash: log.hash_at(committed).expect("the newest are held"),
            entries: Entries::encode(entries, &mut storage),
        });
        out.send(self.leader_of(self.view), &Message::FastPaxos(report));
    }

    pub(super) fn on_report(
        &mut self,
        now: Tick,
        message: &fast_paxos::Report<'_>,
        out: &mut Effects,
    ) {
        if self.leader_of(message.view) != self.config.me
            || message.view < self.view
            || !self.is_of_newest_life(message.replica, &message.incarnations)
        {
            return;
        }
        if message.view > self.view {
            self.change_view(now, message.view, out);
        }
        if self.mode == Mode::Normal {
            self.repeat_beginning(now, message.replica, out);
            return;
        }
        // Who reports has stopped; its START-VIEW-CHANGE may have been lost.
        self.change.stopped.insert(message.replica);
        self.report_if_enough_stopped(now, out);
        let report = Report {
            replica: message.replica,
            accepted: message.accepted,
            settled: message.settled,
            incarnations: message.incarnations,
            committed: message.committed,
            committed_hash: message.committed_hash,
            entries: owned(&message.entries),
        };
        self.add_report(now, report, out);
    }

    fn add_report(&mut self, now: Tick, report: Report, out: &mut Effects) {
        self.peers.note_committed(report.replica, report.committed);
        // A report may come before one that tells of its sender's newer life.
        let lives = self.incarnations;
        let reports = &mut self.change.reports;
        reports.retain(|other| other.is_of_newest_life(&lives));
        let known = reports.iter().any(|other| other.replica == report.replica);
        if known || self.mode != Mode::Reconciling || self.pending.is_some() {
            return;
        }
        reports.push(report);
        if reports.len() == self.config.quorum.majority() {
            self.begin_view(now, out);
        }
    }

    /// Coordinator, normal: a replica has not seen the view's beginning. It is on its way by the
    /// reliable channel unless it was sent a while ago.
    pub(super) fn repeat_beginning(&mut self, now: Tick, to: ReplicaId, out: &mut Effects) {
        let every = self.config.timings.resend_us << RESENDS_BEFORE_LOGS;
        if self.peers.may_send_start(to, now, every) {
            // Who has committed less than that asks.
            let log = self.history.log();
            let base = self.peers.committed(to).max(log.base());
            self.send_accept(Some(to), base.min(log.last_committed()), out);
        }
    }

    /// The view's coordinator has not begun it: the next view's is tried.
    pub(super) fn on_give_up(&mut self, now: Tick, out: &mut Effects) {
        let leader = self.leader_of(self.view);
        if leader != self.config.me {
            self.peers.suspect(leader);
        }
        self.next_view(now, out);
    }

    /// A view change's messages may have been lost.
    pub(super) fn on_resend(&mut self, now: Tick, out: &mut Effects) {
        self.change.resends += 1;
        let wait = self.config.timings.resend_us << self.change.resends.min(BACKOFF_MAX);
        self.timers.arm(Timer::Resend, now.plus_us(wait));
        self.say_stopped(out);
        if self.change.resends >= RESENDS_BEFORE_LOGS {
            if self.change.reported && !self.is_leader() {
                self.send_report(out);
            }
            self.ask_for_pending(out);
        }
    }

    /// Learns of lives, and tells whether a message of `replica` is of the newest one.
    fn is_of_newest_life(&mut self, replica: ReplicaId, incarnations: &Incarnations) -> bool {
        for replica in (0..self.n()).map(replica_at) {
            if incarnations.of(replica) > self.incarnations.of(replica) {
                self.peers.forget(replica);
            }
        }
        self.incarnations.merge(incarnations);
        incarnations.of(replica) == self.incarnations.of(replica)
    }
}
