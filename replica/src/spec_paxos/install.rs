//! Getting from one's own log to the view's: equal hashes stay, from the first difference on
//! everything is undone and executed anew. Missing committed entries are fetched first.

use super::SpecPaxos;
use super::merge::{Merged, merge};
use crate::client_table::Freshness;
use crate::history::StoredRequest;
use crate::mutant::Mutant;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{Entries, Incarnations, StartView};
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
    entries: Vec<(SummaryHash, StoredRequest)>,
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
        let (base, entries) = self.above_committed(base, entries);
        if !self.chain_holds(base, &entries) {
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

    /// Leaves out the entries that are committed here already.
    ///
    /// Panics if they are others than the ones committed here: then two replicas have committed
    /// different logs, and going on would only hide it.
    pub(super) fn above_committed(
        &self,
        base: SlotNumber,
        mut entries: Vec<(SummaryHash, StoredRequest)>,
    ) -> (SlotNumber, Vec<(SummaryHash, StoredRequest)>) {
        let log = self.history.log();
        let committed = log.last_committed();
        if base >= committed {
            return (base, entries);
        }
        let covered = usize::try_from(committed.0 - base.0).unwrap_or(usize::MAX);
        // A snapshot may reach beyond what a view began with: then all of it is covered.
        let covered = covered.min(entries.len());
        let slots = (base.0 + 1..).map(SlotNumber);
        for (slot, (hash, _)) in slots.zip(entries.drain(..covered)) {
            assert!(
                log.hash_at(slot).is_none_or(|own| own == hash),
                "replica {}: view {} begins with another log than the one committed at slot {slot}",
                self.config.me,
                self.view
            );
        }
        (committed, entries)
    }

    /// Whether each hash of `entries` above `base` follows from the one before.
    pub(super) fn chain_holds(
        &self,
        base: SlotNumber,
        entries: &[(SummaryHash, StoredRequest)],
    ) -> bool {
        let log = self.history.log();
        let Some(mut before) = log.hash_at(base) else {
            return false;
        };
        let mut time = log
            .get(base)
            .map_or_else(|| log.base_time(), |entry| entry.time);
        entries.iter().all(|(hash, request)| {
            time = time.max(request.origin.time);
            before = self.history.chain(before, time, request.as_ref());
            before == *hash
        })
    }

    /// Makes the log above `base` be `entries`; returns the last slot that could stay. What is
    /// undone is deferred, so that requests which are not among `entries` get another try.
    pub(super) fn replace_above(
        &mut self,
        base: SlotNumber,
        entries: Vec<(SummaryHash, StoredRequest)>,
    ) -> SlotNumber {
        let log = self.history.log();
        let slots = (base.0 + 1..).map(SlotNumber);
        let same = slots
            .zip(&entries)
            .take_while(|(slot, (hash, _))| log.hash_at(*slot) == Some(*hash))
            .count();
        let keep = SlotNumber(base.0 + same as u64);
        let mut undone = Vec::new();
        self.history.rollback(keep, |request| undone.push(request));
        self.counters.rolled_back += undone.len() as u64;
        for request in undone {
            self.defer(request);
        }
        for (hash, request) in entries.into_iter().skip(same) {
            self.history.append(self.view, request.as_ref());
            self.counters.executed += 1;
            assert_eq!(
                self.history.log().last_hash(),
                hash,
                "the chain was checked"
            );
        }
        keep
    }
}

/// Entries of a message as values that outlive it.
pub(super) fn owned(entries: &Entries<'_>) -> Vec<(SummaryHash, StoredRequest)> {
    entries
        .iter()
        .map(|entry| (entry.hash, StoredRequest::from_entry(&entry)))
        .collect()
}
