//! A view change (OSDI'16, section 5.4): because the leader is silent, because the root began a
//! session, or because a replica has forgotten its log. Replicas stop, f+1 of them report their
//! logs to the leader of the view to come. What it makes of them is in [`merge`](super::merge).

use super::merge::Reported;
use super::timers::Timer;
use super::{NoPaxos, replica_at, view};
use crate::history::owned;
use crate::protocol::Mode;
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::nopaxos::{NoPaxosMessage, Report, Runs};
use wire::message::{Entries, Message, StartViewChange};
use wire::{ReplicaId, SummaryHash, Tick, ViewNumber};

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
    /// Leader: the reports, at most one a replica.
    pub(super) reports: Vec<Reported>,
    /// Views tried since the last one that began.
    failures: u32,
    /// How often this view's messages were sent again.
    resends: u32,
}

impl<S: StateMachine> NoPaxos<S> {
    /// Begins a view change: to the session's next leader that is not taken for crashed.
    pub(super) fn next_view(&mut self, now: Tick, out: &mut Effects) {
        self.next_view_above(now, self.view, out);
    }

    /// The same to a view above `floor`.
    pub(super) fn next_view_above(&mut self, now: Tick, floor: ViewNumber, out: &mut Effects) {
        let mut next = view::after(floor.max(self.view));
        for _ in 0..self.n() {
            if !self.peers.is_suspected(self.leader_of(next)) {
                break;
            }
            next = view::after(next);
        }
        self.change_view(now, next, out);
    }

    /// Stops, promises `view` and tells everyone.
    pub(super) fn change_view(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) {
        self.promise(now, view, out);
        self.say_stopped(out);
        self.report_if_enough_stopped(now, out);
    }

    /// Stops and promises `view`: from here on nothing is appended or answered in an older one.
    /// What a leader has executed and not committed is taken back: the new view may be without it.
    pub(super) fn promise(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) {
        assert!(view > self.view, "view {view} was promised before");
        assert_ne!(self.mode, Mode::Recovering, "a promise is a vote");
        self.counters.view_changes += 1;
        if self.mode == Mode::Normal {
            self.mode = Mode::Reconciling;
            self.counters.rolled_back += self.ledger.lead_no_more();
            self.peers.listen(now);
            self.forget_gap();
        }
        self.view = view;
        self.pending = None;
        self.arrivals.of_session(self.session());
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
            committed: self.ledger.committed().slot,
            degraded: false,
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
            Mode::Normal if self.is_leader() => self.repeat_start(now, message.replica, out),
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

    fn own_report(&self) -> Reported {
        Reported {
            replica: self.config.me,
            last_normal_view: self.last_normal_view,
            incarnations: self.incarnations,
            committed: self.ledger.committed(),
            head: self.ledger.head(),
            no_ops: self.ledger.no_ops().iter().collect(),
            requests: self.ledger.links().cloned().collect(),
        }
    }

    fn send_report(&self, out: &mut Effects) {
        let (mut entries, mut runs) = (Vec::new(), Vec::new());
        let label = self.last_normal_view;
        let links = self.ledger.links();
        let links = links.map(|request| request.as_entry(label, SummaryHash::EMPTY));
        let report = Report {
            view: self.view,
            replica: self.config.me,
            last_normal_view: self.last_normal_view,
            incarnations: self.incarnations,
            committed: self.ledger.committed(),
            head: self.ledger.head(),
            no_ops: Runs::encode(self.ledger.no_ops().iter(), &mut runs),
            entries: Entries::encode(links, &mut entries),
        };
        let report = Message::NoPaxos(NoPaxosMessage::Report(report));
        out.send(self.leader_of(self.view), &report);
    }

    pub(super) fn on_report(&mut self, now: Tick, message: &Report<'_>, out: &mut Effects) {
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
            self.repeat_start(now, message.replica, out);
            return;
        }
        // Who reports has stopped; its START-VIEW-CHANGE may have been lost.
        self.change.stopped.insert(message.replica);
        self.report_if_enough_stopped(now, out);
        let entries = owned(&message.entries);
        let report = Reported {
            replica: message.replica,
            last_normal_view: message.last_normal_view,
            incarnations: message.incarnations,
            committed: message.committed,
            head: message.head,
            no_ops: message.no_ops.iter().collect(),
            requests: entries.into_iter().map(|(_, request)| request).collect(),
        };
        self.add_report(now, report, out);
    }

    fn add_report(&mut self, now: Tick, report: Reported, out: &mut Effects) {
        self.peers
            .note_committed(report.replica, report.committed.slot);
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

    /// Leader, after installing: tells everyone what the view begins with.
    pub(super) fn tell_beginning(&mut self, now: Tick, out: &mut Effects) {
        for replica in (0..self.n()).map(replica_at) {
            if self.is_peer(replica) {
                self.repeat_start(now, replica, out);
            }
        }
    }

    /// Leader, normal: a replica has not seen START. It is on its way by the reliable channel
    /// unless it was sent a while ago.
    pub(super) fn repeat_start(&mut self, now: Tick, to: ReplicaId, out: &mut Effects) {
        let every = self.config.timings.resend_us << RESENDS_BEFORE_LOGS;
        if self.peers.may_send_start(to, now, every) {
            self.send_start(to, out);
        }
    }

    /// The view's leader has not begun it: the next view's is tried.
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
}
