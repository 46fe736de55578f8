//! Getting from one's own log to the view's: equal hashes stay, from the first difference on
//! everything is undone and executed anew. Missing committed entries are fetched first.

use super::SpecPaxos;
use super::merge::{Merged, merge};
use crate::client_table::Freshness;
use crate::history::{OwnedEntries, StoredRequest, owned};
use crate::mutant::Mutant;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{Incarnations, StartView};
use wire::{ReplicaId, SlotNumber, SummaryHash, Tick, ViewNumber};

/// A view's log that cannot be installed before the entries below it are here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PendingStart {
    view: ViewNumber,
    degraded: bool,
    /// Whom the view was started for.
    incarnations: Incarnations,
    base: SlotNumber,
    base_hash: SummaryHash,
    committed: SlotNumber,
    entries: OwnedEntries,
    /// Leader only: what follows once `entries` are installed (merge rule d).
    leftovers: Vec<StoredRequest>,
    /// Who holds what is missing.
    holder: ReplicaId,
}

impl<S: StateMachine> SpecPaxos<S> {
    /// Leader with f+1 reports: merges, and installs as soon as it holds the committed prefix.
    pub(super) fn begin_view(&mut self, now: Tick, degraded: bool, out: &mut Effects) {
        let Merged {
            committed,
            committed_hash,
            holder,
            agreed,
            leftovers,
        } = merge(self.config.quorum, self.config.mutant, &self.change.reports);
        let mut incarnations = Incarnations::unknown(self.n());
        for report in &self.change.reports {
            incarnations.merge(&report.incarnations);
        }
        let start = PendingStart {
            view: self.view,
            degraded,
            incarnations,
            base: committed,
            base_hash: committed_hash,
            committed,
            entries: agreed,
            leftovers,
            holder,
        };
        self.start_or_wait(now, start, out);
    }

    pub(super) fn on_start_view(&mut self, now: Tick, message: &StartView<'_>, out: &mut Effects) {
        let leader = self.leader_of(message.view);
        let installed = self.mode == Mode::Normal && message.view == self.view;
        let old = message.view < self.view || installed;
        let takes_old = self.config.breaks(Mutant::OldStartView);
        if (old && !takes_old) || leader == self.config.me {
            return;
        }
        if self.mode == Mode::Recovering
            && !self.is_started_for_me(message.view, &message.incarnations)
        {
            return;
        }
        self.hear(leader, now);
        let entries = owned(&message.entries);
        if self.mode == Mode::Recovering || message.view < self.view {
            self.view = message.view;
            self.pending_start = None;
        } else if message.view > self.view {
            self.promise(now, message.view, message.degraded, out);
        }
        let start = PendingStart {
            view: message.view,
            degraded: message.degraded,
            incarnations: message.incarnations,
            base: message.base,
            base_hash: message.base_hash,
            committed: message.committed,
            entries,
            leftovers: Vec::new(),
            holder: leader,
        };
        self.start_or_wait(now, start, out);
    }

    pub(super) fn start_or_wait(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        assert_eq!(start.view, self.view);
        let log = self.history.log();
        let covered = start.base <= log.last_committed();
        if covered || log.hash_at(start.base) == Some(start.base_hash) {
            self.install(now, start, out);
        } else {
            self.pending_start = Some(start);
            self.ask_for_pending(out);
        }
    }

    /// Asks for the committed entries that the view's log stands on.
    pub(super) fn ask_for_pending(&self, out: &mut Effects) {
        if let Some(pending) = &self.pending_start {
            self.fetch_log(pending.holder, pending.base, out);
        }
    }

    /// Makes the view's log this replica's own and goes on in the new view.
    fn install(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        let PendingStart {
            base,
            committed,
            entries,
            leftovers,
            degraded,
            incarnations,
            ..
        } = start;
        let (base, entries) = self.history.above_committed(base, entries);
        if !self.history.chain_holds(base, &entries) {
            self.counters.rejected += 1;
            return;
        }
        let leads = self.is_leader();
        let kept = self.replace_above(base, entries);
        self.append_leftovers(leftovers);
        let last = self.history.log().last();
        self.view_start = last;
        self.degraded = degraded;
        self.note_lives(incarnations);
        self.become_normal(now, out);
        if committed > self.history.log().last_committed() {
            self.history.commit(committed.min(last));
        }
        if !degraded {
            for slot in kept.0 + 1..=last.0 {
                self.reply(SlotNumber(slot), out);
            }
        }
        if leads {
            self.lead_view(now, out);
        } else {
            self.say_in_view(out);
        }
        self.replay_deferred(now, out);
    }

    /// Once each, against the client table at this very prefix: a truncated log may hold again
    /// what the prefix already has.
    fn append_leftovers(&mut self, leftovers: Vec<StoredRequest>) {
        for request in leftovers {
            let new = self.history.freshness(request.client, request.number) == Freshness::New;
            if new || self.config.breaks(Mutant::MergeDuplicates) {
                self.history.append(self.view, request.as_ref());
                self.counters.executed += 1;
            }
        }
    }

    /// Makes the log above `base` be `entries`; returns the last slot that could stay. What is
    /// undone is deferred, so that requests which are not among `entries` get another try.
    pub(super) fn replace_above(&mut self, base: SlotNumber, entries: OwnedEntries) -> SlotNumber {
        let adopted = self.history.replace_above(self.view, base, entries);
        self.counters.rolled_back += adopted.undone.len() as u64;
        self.counters.executed += adopted.executed;
        for request in adopted.undone {
            self.defer(request);
        }
        adopted.kept
    }
}
