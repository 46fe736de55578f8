//! What a new view begins with, and getting from one's own log to it.

use super::FastPaxos;
use super::pick::{Picked, pick};
use super::view_change::Change;
use crate::client_table::Freshness;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::Tick;
use wire::message::fast_paxos::Ballot;

impl<S: StateMachine> FastPaxos<S> {
    /// Coordinator with f+1 reports: begins with what they say may have been chosen.
    pub(super) fn begin_view(&mut self, now: Tick, out: &mut Effects) {
        let reports = core::mem::take(&mut self.change.reports);
        let picked = pick(self.config.quorum, reports, self.config.mutant);
        self.begin_or_wait(now, picked, out);
    }

    pub(super) fn begin_or_wait(&mut self, now: Tick, picked: Picked, out: &mut Effects) {
        let log = self.history.log();
        let covered = picked.base <= log.last_committed();
        if covered || log.hash_at(picked.base) == Some(picked.base_hash) {
            self.install(now, picked, out);
        } else {
            self.pending = Some(picked);
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

    /// Makes the view's log this replica's own and goes on as the coordinator of the new view.
    fn install(&mut self, now: Tick, picked: Picked, out: &mut Effects) {
        let (base, entries) = self.history.above_committed(picked.base, picked.entries);
        if !self.history.chain_holds(base, &entries) {
            self.counters.rejected += 1;
            return;
        }
        let adopted = self.history.replace_above(self.view, base, entries);
        self.counters.rolled_back += adopted.undone.len() as u64;
        self.counters.executed += adopted.executed;
        for request in picked.rest {
            if self.history.freshness(request.client, request.number) == Freshness::New {
                self.history.append(self.view, request.as_ref());
                self.counters.executed += 1;
            }
        }
        self.accepted = Ballot {
            view: self.view,
            attempt: 0,
        };
        self.become_normal(now, out);
        self.commit_up_to(picked.committed);
        self.tell_log(now);
        self.peers.begin_view();
        for replica in self.others() {
            self.repeat_beginning(now, replica, out);
        }
        self.choose(now, out);
        self.replay_deferred(now, out);
    }

    /// The log of this replica's view is installed.
    pub(super) fn become_normal(&mut self, now: Tick, out: &mut Effects) {
        self.mode = Mode::Normal;
        self.change = Change::default();
        self.pending = None;
        self.persist(out);
        self.arm_normal_timers(now);
    }
}
