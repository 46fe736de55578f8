//! Reconciliation (NSDI'15, section 4.4): replicas stop, report, and begin a new view with one log.
//!
//! 1. Stop first: promise the view, execute and answer nothing more; *then* look at the log.
//!    (A log that still grows after it was looked at reports less than it voted for.)
//! 2. f+1 have stopped: everyone reports to the leader of the new view.
//! 3. The leader has f+1 reports: it merges, installs and tells the others.
//! 4. They install, become normal, say so.
//! 5. f+1 are in the view: what the view began with is committed. This is the slow path.

use super::merge::Report;
use super::{SpecPaxos, replica_at};
use crate::protocol::Mode;
use crate::quorum::{MAX_REPLICAS, ReplicaSet};
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{DoViewChange, Entries, FetchLog, InView, Message, StartView, StartViewChange};
use wire::{ReplicaId, SlotNumber, Tick, ViewNumber};

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
    /// Whether this replica has reported its log.
    reported: bool,
    /// Leader: the reports, at most one a replica and f+1 in all, this replica's among them.
    pub(super) reports: Vec<Report>,
    /// Leader, normal: who has installed the view; leader until it has told so.
    in_view: ReplicaSet,
    /// Leader, normal: the last slot of the log that the view began with.
    pub(super) start: SlotNumber,
    /// Leader, normal: from when on START-VIEW may be sent to a replica again.
    start_again_at: [Tick; MAX_REPLICAS],
    /// Views tried since the last one that began.
    failures: u32,
    /// How often this view's messages were sent again.
    resends: u32,
    resend_at: Tick,
    give_up_at: Tick,
}

impl<S: StateMachine> SpecPaxos<S> {
    /// Begins a view change: to the next view whose leader is not taken for crashed.
    pub(super) fn reconcile(&mut self, now: Tick, out: &mut Effects) {
        let mut view = self.view.next();
        for _ in 0..self.n() {
            if !self.suspects(self.leader_of(view), now) {
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

    /// Stops and promises `view`: from here on nothing is executed or answered in an older one.
    pub(super) fn promise(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) {
        assert!(view > self.view, "view {view} was promised before");
        self.counters.view_changes += 1;
        self.mode = Mode::Reconciling;
        self.view = view;
        self.pending_start = None;
        self.persist(out);
        let failures = self.change.failures;
        let patience = self.config.timers.view_change_us << failures.min(BACKOFF_MAX);
        self.change = Change {
            failures: failures.saturating_add(1),
            give_up_at: now.plus_us(patience),
            resend_at: now.plus_us(self.config.timers.resend_us),
            ..Change::default()
        };
        self.change.stopped.insert(self.config.me);
    }

    fn start_view_change(&self) -> StartViewChange {
        StartViewChange {
            view: self.view,
            replica: self.config.me,
            committed: self.history.log().last_committed(),
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
        let sender = usize::from(message.replica.0);
        self.peer_committed[sender] = self.peer_committed[sender].max(message.committed);
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
            Mode::Normal if self.is_leader() => self.repeat_start_view(now, message.replica, out),
            Mode::Normal | Mode::Recovering => {}
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
            last_normal_view: self.last_normal_view,
            committed,
            committed_hash: log
                .hash_at(committed)
                .expect("the newest committed slot is held"),
            entries: log
                .above(committed)
                .map(|(_, e)| (e.hash, e.request.clone()))
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
            last_normal_view: self.last_normal_view,
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
        if self.leader_of(message.view) != self.config.me || message.view < self.view {
            return;
        }
        if message.view > self.view {
            self.change_view(now, message.view, out);
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
        let replica = usize::from(report.replica.0);
        self.peer_committed[replica] = self.peer_committed[replica].max(report.committed);
        let known = self
            .change
            .reports
            .iter()
            .any(|other| other.replica == report.replica);
        // Exactly f+1 are merged: with more, two values could both have ⌈f/2⌉+1 votes.
        let enough = self.config.quorum.majority();
        if known || self.change.reports.len() == enough {
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
            self.begin_view(now, out);
        }
    }

    /// Leader, after installing: tells everyone what the view begins with.
    pub(super) fn lead_view(&mut self, now: Tick, out: &mut Effects) {
        self.change.in_view = ReplicaSet::default();
        self.change.in_view.insert(self.config.me);
        self.change.start = self.history.log().last();
        let again = now.plus_us(self.config.timers.resend_us << RESENDS_BEFORE_LOGS);
        self.change.start_again_at = [again; MAX_REPLICAS];
        for index in 0..self.n() {
            let to = replica_at(index);
            if to != self.config.me {
                self.send_start_view(to, out);
            }
        }
        self.commit_start_if_enough(now, out);
    }

    /// Leader, normal: a replica has not seen START-VIEW. It is on its way by the reliable channel
    /// unless it was sent a while ago.
    fn repeat_start_view(&mut self, now: Tick, to: ReplicaId, out: &mut Effects) {
        let again = &mut self.change.start_again_at[usize::from(to.0)];
        if now >= *again {
            *again = now.plus_us(self.config.timers.resend_us << RESENDS_BEFORE_LOGS);
            self.send_start_view(to, out);
        }
    }

    /// Leader, normal: sends what the view began with, above what the receiver has committed.
    fn send_start_view(&self, to: ReplicaId, out: &mut Effects) {
        let log = self.history.log();
        let base = self.peer_committed[usize::from(to.0)].min(self.change.start);
        if base < log.base() {
            // What the receiver lacks is gone; it learns so from where this log begins.
            let fetch = FetchLog {
                view: self.view,
                replica: to,
                from: log.base(),
                to: log.base(),
            };
            self.on_fetch_log(fetch, out);
            return;
        }
        let mut storage = Vec::new();
        let entries = log
            .above(base)
            .take_while(|(slot, _)| *slot <= self.change.start)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let message = StartView {
            view: self.view,
            base,
            base_hash: log.hash_at(base).expect("at or above the log's base"),
            committed: log.last_committed().min(self.change.start).max(base),
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
        }
    }

    fn commit_start_if_enough(&mut self, now: Tick, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        let start = self.change.start;
        if self.change.in_view.len() < self.config.quorum.majority() || start <= committed {
            return;
        }
        self.commit_and_announce(now, start, out);
        // Clients of these entries may have votes of two views, which do not add up; one
        // committed reply is enough for them.
        for slot in committed.0 + 1..=start.0 {
            self.reply(SlotNumber(slot), out);
        }
    }

    /// Every replica, on becoming normal in a new view.
    pub(super) fn become_normal(&mut self, now: Tick, out: &mut Effects) {
        self.last_normal_view = self.view;
        self.mode = Mode::Normal;
        self.change = Change::default();
        self.pending_start = None;
        self.persist(out);
        self.arm_normal_timers(now);
    }

    pub(super) fn reconciling_deadline(&self) -> Tick {
        self.change.resend_at.min(self.change.give_up_at)
    }

    pub(super) fn on_reconciling_deadline(&mut self, now: Tick, out: &mut Effects) {
        if now >= self.change.give_up_at {
            self.reconcile(now, out);
        } else if now >= self.change.resend_at {
            self.change.resends += 1;
            let wait = self.config.timers.resend_us << self.change.resends.min(BACKOFF_MAX);
            self.change.resend_at = now.plus_us(wait);
            self.say_stopped(out);
            if self.change.resends >= RESENDS_BEFORE_LOGS {
                if self.change.reported && !self.is_leader() {
                    self.send_report(out);
                }
                self.ask_for_pending(out);
            }
        }
    }
}
