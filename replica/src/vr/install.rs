//! What a new view begins with, and getting from one's own log to it.

use super::view_change::{Change, Report};
use super::{Mutant, Vr};
use crate::history::{OwnedEntries, owned};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::StartView;
use wire::{ReplicaId, SlotNumber, SummaryHash, Tick};

/// A view's log that cannot be installed before the entries below it are here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PendingStart {
    base: SlotNumber,
    base_hash: SummaryHash,
    committed: SlotNumber,
    entries: OwnedEntries,
    /// Who holds what is missing.
    holder: ReplicaId,
}

impl<S: StateMachine> Vr<S> {
    /// Leader with f+1 reports: begins with the longest log of the newest view among them.
    pub(super) fn begin_view(&mut self, now: Tick, out: &mut Effects) {
        let reports = core::mem::take(&mut self.change.reports);
        let committed = reports.iter().map(|report| report.committed).max();
        let best = reports.into_iter().max_by_key(|report| self.rank(report));
        let best = best.expect("a majority has reported");
        let start = PendingStart {
            base: best.committed,
            base_hash: best.committed_hash,
            committed: committed.expect("a majority has reported").min(best.last()),
            entries: best.entries,
            holder: best.replica,
        };
        self.start_or_wait(now, start, out);
    }

    fn rank(&self, report: &Report) -> (u64, SlotNumber) {
        let view = report.last_normal_view.0;
        if self.config.breaks(Mutant::OwnLog) {
            return (u64::from(report.replica == self.config.me), report.last());
        }
        (view, report.last())
    }

    pub(super) fn on_start_view(&mut self, now: Tick, message: &StartView<'_>, out: &mut Effects) {
        let leader = self.leader_of(message.view);
        let installed = self.mode == Mode::Normal && message.view == self.view;
        if message.view < self.view || installed || leader == self.config.me {
            return;
        }
        self.hear(leader, now);
        if message.view > self.view {
            self.promise(now, message.view, out);
        }
        let start = PendingStart {
            base: message.base,
            base_hash: message.base_hash,
            committed: message.committed,
            entries: owned(&message.entries),
            holder: leader,
        };
        self.start_or_wait(now, start, out);
    }

    pub(super) fn start_or_wait(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        let log = self.history.log();
        let covered = start.base <= log.last_committed();
        if covered || log.hash_at(start.base) == Some(start.base_hash) {
            self.install(now, start, out);
        } else {
            self.pending = Some(start);
            self.ask_for_pending(out);
        }
    }

    /// Asks for the committed entries that the view's log stands on.
    pub(super) fn ask_for_pending(&self, out: &mut Effects) {
        if let Some(pending) = &self.pending {
            let from = self.history.log().last_committed();
            self.fetch_log(pending.holder, from, pending.base, out);
        }
    }

    /// Makes the view's log this replica's own and goes on in the new view.
    fn install(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        let (base, entries) = self.history.above_committed(start.base, start.entries);
        if !self.history.chain_holds(base, &entries) {
            self.counters.rejected += 1;
            return;
        }
        self.replace_above(base, entries);
        self.become_normal(now, out);
        self.commit_up_to(start.committed);
        if self.is_leader() {
            self.peers.begin_view();
            self.announce(now, out);
        } else {
            self.acknowledge(self.history.log().last(), out);
        }
        self.replay_deferred(now, out);
    }

    /// The log of this replica's view is installed.
    pub(super) fn become_normal(&mut self, now: Tick, out: &mut Effects) {
        self.last_normal_view = self.view;
        self.view_start = self.history.log().last();
        self.mode = Mode::Normal;
        self.change = Change::default();
        self.pending = None;
        self.persist(out);
        self.arm_normal_timers(now);
    }
}
