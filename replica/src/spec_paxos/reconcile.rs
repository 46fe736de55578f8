//! Reconciliation (NSDI'15, section 4.4): replicas stop, report, and begin a new view with one log.
//!
//! 1. Stop first: promise the view, execute and answer nothing more; *then* look at the log.
//!    (A log that still grows after it was looked at reports less than it voted for.)
//! 2. f+1 have stopped: everyone reports to the leader of the new view.
//! 3. The leader has f+1 reports: it merges, installs and tells the others.
//! 4. They install, become normal, say so.
//! 5. f+1 are in the view: what the view began with is committed. This is the slow path.

use super::degraded::Ordering;
use super::merge::Report;
use super::timers::Timer;
use super::{SpecPaxos, replica_at};
use crate::mutant::Mutant;
use crate::protocol::Mode;
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{DoViewChange, Entries, InView, Message, StartView, StartViewChange};
use wire::{ReplicaId, Tick, ViewNumber};

/// Logs go by the reliable channel: they are sent again only after this many repetitions of the
/// small messages. On a slow fabric, logs sent at every repetition would fill the channel with
/// copies of themselves, so that no view change ever ended.
const RESENDS_BEFORE_LOGS: u32 = 2;

/// A failed view change doubles the next one's timeout at most this often.
const BACKOFF_MAX: u32 = 5;

/// Where a view change stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Change {
    /// Who has stopped for the view.
    stopped: ReplicaSet,
    /// Whether somebody wants the view to be degraded.
    pub(super) degraded: bool,
    /// Whether this replica has reported its log.
    reported: bool,
    /// Leader: the reports, at most one a replica and f+1 in all, this replica's among them.
    pub(super) reports: Vec<Report>,
    /// Leader, normal: who has installed the view; leader until it has told so.
    in_view: ReplicaSet,
    /// Views tried since the last one that began.
    failures: u32,
    /// How often this view's messages were sent again.
    resends: u32,
}

impl<S: StateMachine> SpecPaxos<S> {
    /// Begins a view change: to the next view whose leader is not taken for crashed.
    pub(super) fn reconcile(&mut self, now: Tick, degraded: bool, out: &mut Effects) {
        self.reconcile_above(now, self.view, degraded, out);
    }

    /// The same to a view above `floor`.
    pub(super) fn reconcile_above(
        &mut self,
        now: Tick,
        floor: ViewNumber,
        degraded: bool,
        out: &mut Effects,
    ) {
        let mut view = floor.max(self.view).next();
        for _ in 0..self.n() {
            if !self.peers.is_suspected(self.leader_of(view)) {
                break;
            }
            view = view.next();
        }
        self.change_view(now, view, degraded, out);
    }

    /// Stops, promises `view` and tells everyone.
    pub(super) fn change_view(
        &mut self,
        now: Tick,
        view: ViewNumber,
        degraded: bool,
        out: &mut Effects,
    ) {
        self.promise(now, view, degraded, out);
        self.say_stopped(out);
        self.report_if_enough_stopped(now, out);
    }

    /// Stops and promises `view`: from here on nothing is executed or answered in an older one.
    pub(super) fn promise(
        &mut self,
        now: Tick,
        view: ViewNumber,
        degraded: bool,
        out: &mut Effects,
    ) {
        assert!(view > self.view, "view {view} was promised before");
        assert_ne!(self.mode, Mode::Recovering, "a promise is a vote");
        self.counters.view_changes += 1;
        if self.mode == Mode::Normal {
            self.note_end_of_view();
            self.mode = Mode::Reconciling;
            self.ordering = Ordering::default();
            self.peers.listen(now);
            self.defer_waiting();
        }
        self.view = view;
        self.pending_start = None;
        self.persist(out);
        let failures = self.change.failures;
        self.change = Change {
            failures: failures.saturating_add(1),
            degraded,
            ..Change::default()
        };
        self.change.stopped.insert(self.config.me);
        let timings = self.config.timings;
        let patience = timings.view_change_us << failures.min(BACKOFF_MAX);
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        self.timers.arm(Timer::GiveUp, now.plus_us(patience));
        self.timers
            .arm(Timer::Resend, now.plus_us(timings.resend_us));
    }

    fn start_view_change(&self) -> StartViewChange {
        StartViewChange {
            view: self.view,
            replica: self.config.me,
            committed: self.history.log().last_committed(),
            degraded: self.change.degraded,
            incarnations: self.incarnations,
        }
    }

    fn say_stopped(&self, out: &mut Effects) {
        let message = Message::StartViewChange(self.start_view_change());
        out.send_others(self.config.me, self.n(), &message);
    }

    /// Tells a replica that is behind which view this one has promised.
    pub(super) fn tell_newer_view(&self, to: ReplicaId, out: &mut Effects) {
        out.send(to, &Message::StartViewChange(self.start_view_change()));
    }

    /// The view's leader is normal and this replica is not: it will send START-VIEW when asked.
    pub(super) fn ask_for_start_view(&self, out: &mut Effects) {
        self.tell_newer_view(self.leader_of(self.view), out);
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
            self.change_view(now, message.view, message.degraded, out);
        }
        match self.mode {
            Mode::Reconciling => {
                self.change.degraded |= message.degraded;
                self.change.stopped.insert(message.replica);
                self.report_if_enough_stopped(now, out);
            }
            Mode::Normal if self.is_leader() => self.repeat_start_view(now, message.replica, out),
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

    /// The newest installed view, kept apart from the log: a view may be installed without
    /// adding an entry.
    fn reported_view(&self) -> ViewNumber {
        if self.config.breaks(Mutant::LastNormalFromLog) {
            let log = self.history.log();
            return log
                .get(log.last())
                .map_or(ViewNumber::ZERO, |entry| entry.view);
        }
        self.last_normal_view
    }

    fn own_report(&self) -> Report {
        let log = self.history.log();
        let committed = log.last_committed();
        Report {
            replica: self.config.me,
            last_normal_view: self.reported_view(),
            degraded: self.degraded,
            incarnations: self.incarnations,
            committed,
            committed_hash: log
                .hash_at(committed)
                .expect("the newest committed slot is held"),
            entries: log
                .above(committed)
                .map(|(_, e)| (e.hash, e.request.to_stored()))
                .collect(),
        }
    }

    fn send_report(&self, out: &mut Effects) {
        let log = self.history.log();
        let committed = log.last_committed();
        let mut storage = Vec::new();
        let entries = log
            .above(committed)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let report = DoViewChange {
            view: self.view,
            replica: self.config.me,
            last_normal_view: self.reported_view(),
            degraded: self.degraded,
            incarnations: self.incarnations,
            committed,
            committed_hash: log
                .hash_at(committed)
                .expect("the newest committed slot is held"),
            entries: Entries::encode(entries, &mut storage),
        };
        out.send(self.leader_of(self.view), &Message::DoViewChange(report));
    }

    pub(super) fn on_do_view_change(
        &mut self,
        now: Tick,
        message: &DoViewChange<'_>,
        out: &mut Effects,
    ) {
        if self.leader_of(message.view) != self.config.me
            || message.view < self.view
            || !self.is_of_newest_life(message.replica, &message.incarnations)
        {
            return;
        }
        if message.view > self.view {
            self.change_view(now, message.view, false, out);
        }
        if self.mode == Mode::Normal {
            self.repeat_start_view(now, message.replica, out);
            return;
        }
        // Who reports has stopped; its START-VIEW-CHANGE may have been lost.
        self.change.stopped.insert(message.replica);
        self.report_if_enough_stopped(now, out);
        if self.mode == Mode::Reconciling {
            self.add_report(now, Report::from_message(message), out);
        }
    }

    fn add_report(&mut self, now: Tick, report: Report, out: &mut Effects) {
        self.peers.note_committed(report.replica, report.committed);
        // A report may come before one that tells of its sender's newer life.
        let incarnations = self.incarnations;
        if !self.config.breaks(Mutant::IgnoreIncarnations) {
            self.change
                .reports
                .retain(|other| other.is_of_newest_life(&incarnations));
        }
        let known = self
            .change
            .reports
            .iter()
            .any(|other| other.replica == report.replica);
        // Exactly f+1 are merged: with more, two values could both have ⌈f/2⌉+1 votes.
        let enough = self.config.quorum.majority();
        if known || self.pending_start.is_some() {
            return;
        }
        self.change.reports.push(report);
        if self.change.reports.len() == enough {
            // Whoever reports has stopped, so f others' reports make f+1 stopped replicas, and
            // with that this replica's own report has been added before the last one.
            let me = self.config.me;
            assert!(
                self.change
                    .reports
                    .iter()
                    .any(|report| report.replica == me)
            );
            let degraded = self.starts_degraded(self.change.degraded, self.change.stopped.len());
            self.begin_view(now, degraded, out);
        }
    }

    /// Leader, after installing: tells everyone what the view begins with.
    pub(super) fn lead_view(&mut self, now: Tick, out: &mut Effects) {
        self.change.in_view = ReplicaSet::default();
        self.change.in_view.insert(self.config.me);
        self.peers.begin_view();
        for index in 0..self.n() {
            let to = replica_at(index);
            if to != self.config.me {
                self.repeat_start_view(now, to, out);
            }
        }
        self.commit_start_if_enough(now, out);
    }

    /// Leader, normal: a replica has not seen START-VIEW. It is on its way by the reliable channel
    /// unless it was sent a while ago.
    pub(super) fn repeat_start_view(&mut self, now: Tick, to: ReplicaId, out: &mut Effects) {
        let every = self.config.timings.resend_us << RESENDS_BEFORE_LOGS;
        if self.peers.may_send_start(to, now, every) {
            self.send_start_view(to, out);
        }
    }

    /// Leader, normal: sends what the view began with, above what the receiver has committed. If
    /// that has been truncated the receiver fetches a snapshot first.
    fn send_start_view(&self, to: ReplicaId, out: &mut Effects) {
        let log = self.history.log();
        let base = self
            .peers
            .committed(to)
            .min(self.view_start)
            .max(log.base());
        let mut storage = Vec::new();
        let entries = log
            .above(base)
            .take_while(|(slot, _)| *slot <= self.view_start)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let message = StartView {
            view: self.view,
            degraded: self.degraded,
            incarnations: self.view_incarnations,
            base,
            base_hash: log.hash_at(base).expect("at or above the log's base"),
            committed: log.last_committed().min(self.view_start).max(base),
            entries: Entries::encode(entries, &mut storage),
        };
        out.send(to, &Message::StartView(message));
    }

    pub(super) fn say_in_view(&self, out: &mut Effects) {
        let message = InView {
            view: self.view,
            replica: self.config.me,
        };
        out.send(self.leader_of(self.view), &Message::InView(message));
    }

    pub(super) fn on_in_view(&mut self, now: Tick, message: InView, out: &mut Effects) {
        if message.view == self.view && self.mode == Mode::Normal && self.is_leader() {
            self.note_in_view(now, message.replica, out);
        }
    }

    /// Leader, normal: `replica` has installed this view. (A SYNC-REPLY says so too.)
    pub(super) fn note_in_view(&mut self, now: Tick, replica: ReplicaId, out: &mut Effects) {
        if self.change.in_view.insert(replica) {
            self.commit_start_if_enough(now, out);
            if self.degraded {
                self.prepare_again(replica, out);
            }
        }
    }

    fn commit_start_if_enough(&mut self, now: Tick, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        let start = self.view_start;
        let needed = if self.config.breaks(Mutant::InViewAlone) {
            1
        } else {
            self.config.quorum.majority()
        };
        if self.change.in_view.len() < needed || start <= committed {
            return;
        }
        // Clients of these entries may have votes of two views, which do not add up; one
        // committed reply is enough for them.
        self.reply_committed(start, out);
        self.commit_and_announce(now, start, out);
    }

    /// Every replica, on becoming normal in a new view.
    pub(super) fn become_normal(&mut self, now: Tick, out: &mut Effects) {
        self.last_normal_view = self.view;
        self.mode = Mode::Normal;
        self.change = Change::default();
        self.pending_start = None;
        self.persist(out);
        self.arm_normal_timers(now);
        if self.degraded {
            self.begin_ordering(now);
        }
    }

    /// The view's leader has not begun it: the next view's is tried.
    pub(super) fn on_give_up(&mut self, now: Tick, out: &mut Effects) {
        let leader = self.leader_of(self.view);
        if leader != self.config.me {
            self.peers.suspect(leader);
        }
        let degraded = self.change.degraded || self.wants_degraded();
        self.reconcile(now, degraded, out);
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
}
