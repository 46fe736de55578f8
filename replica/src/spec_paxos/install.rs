//! Getting from one's own log to the view's: equal hashes stay, from the first difference on
//! everything is undone and executed anew. Missing committed entries are fetched first.

use super::SpecPaxos;
use super::merge::{Merged, merge};
use crate::client_table::Freshness;
use crate::history::{StoredRequest, chain};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{Entries, FetchLog, Log, Message, StartView};
use wire::{ReplicaId, SlotNumber, SummaryHash, Tick, ViewNumber};

/// At most this many entries go into one LOG message.
const LOG_ENTRIES_MAX: usize = 65_536;

/// A view's log that cannot be installed before the entries below it are here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PendingStart {
    view: ViewNumber,
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
    pub(super) fn begin_view(&mut self, now: Tick, out: &mut Effects) {
        let Merged {
            committed,
            committed_hash,
            holder,
            agreed,
            leftovers,
        } = merge(self.config.quorum, &self.change.reports);
        let start = PendingStart {
            view: self.view,
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
        if message.view < self.view || installed || leader == self.config.me {
            return;
        }
        self.hear(leader, now);
        let entries = owned(&message.entries);
        if message.view > self.view {
            self.promise(now, message.view, out);
        }
        let start = PendingStart {
            view: message.view,
            base: message.base,
            base_hash: message.base_hash,
            committed: message.committed,
            entries,
            leftovers: Vec::new(),
            holder: leader,
        };
        self.start_or_wait(now, start, out);
    }

    fn start_or_wait(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
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
        let Some(pending) = &self.pending_start else {
            return;
        };
        let fetch = FetchLog {
            view: self.view,
            replica: self.config.me,
            from: self.history.log().last_committed(),
            to: pending.base,
        };
        out.send(pending.holder, &Message::FetchLog(fetch));
    }

    pub(super) fn on_fetch_log(&self, fetch: FetchLog, out: &mut Effects) {
        let log = self.history.log();
        let base = fetch.from.max(log.base());
        let to = fetch.to.min(log.last_committed());
        if base > to {
            return;
        }
        let mut storage = Vec::new();
        let entries = log
            .above(base)
            .take_while(|(slot, _)| *slot <= to)
            .take(LOG_ENTRIES_MAX)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let answer = Log {
            view: fetch.view,
            replica: self.config.me,
            base,
            base_hash: log.hash_at(base).expect("at or above the log's base"),
            entries: Entries::encode(entries, &mut storage),
        };
        out.send(fetch.replica, &Message::Log(answer));
    }

    pub(super) fn on_log(&mut self, now: Tick, message: &Log<'_>, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        if message.view != self.view {
            return;
        }
        if message.base > committed {
            // The others have dropped what this replica lacks: without a snapshot it cannot
            // catch up, and must not keep the group from moving on.
            self.mode = Mode::Recovering;
            return;
        }
        let entries = owned(&message.entries);
        let (base, entries) = self.above_committed(message.base, entries);
        if base == committed && self.chain_holds(base, &entries) {
            self.adopt_committed(base, entries);
        } else {
            self.counters.rejected += 1;
        }
        match self.mode {
            Mode::Normal => self.after_catching_up(now, out),
            Mode::Reconciling => {
                if let Some(pending) = self.pending_start.take() {
                    self.start_or_wait(now, pending, out);
                }
            }
            Mode::Recovering => {}
        }
    }

    /// Takes over entries above the own committed prefix that are committed elsewhere.
    ///
    /// What stands on the same prefix stays, even beyond `entries`: it may be a vote that
    /// completed a request. What contradicts a committed entry cannot have completed one, for a
    /// superquorum holds the other, so undoing it forgets no vote that counts.
    fn adopt_committed(&mut self, base: SlotNumber, entries: Vec<(SummaryHash, StoredRequest)>) {
        let Some((last_hash, _)) = entries.last() else {
            return;
        };
        let end = SlotNumber(base.0 + entries.len() as u64);
        if self.history.log().hash_at(end) != Some(*last_hash) {
            self.replace_above(base, entries);
        }
        self.history.commit(end);
    }

    /// Makes the view's log this replica's own and goes on in the new view.
    fn install(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        let PendingStart {
            base,
            committed,
            entries,
            leftovers,
            ..
        } = start;
        let (base, entries) = self.above_committed(base, entries);
        let committed_here = self.history.log().last_committed();
        assert!(
            base >= committed_here,
            "view {} forgets slots up to {committed_here}",
            self.view
        );
        if !self.chain_holds(base, &entries) {
            self.counters.rejected += 1;
            return;
        }
        let leads = self.is_leader();
        let kept = self.replace_above(base, entries);
        for request in leftovers {
            // Once each, against the client table at this very prefix: a truncated log may
            // hold again what the prefix already has.
            if self.history.freshness(request.client, request.number) == Freshness::New {
                self.history.append(self.view, request);
                self.counters.executed += 1;
            }
        }
        let last = self.history.log().last();
        self.become_normal(now, out);
        if committed > self.history.log().last_committed() {
            self.history.commit(committed.min(last));
        }
        for slot in kept.0 + 1..=last.0 {
            self.reply(SlotNumber(slot), out);
        }
        if leads {
            self.lead_view(now, out);
        } else {
            self.say_in_view(out);
        }
        self.replay_deferred(now, out);
    }

    /// Leaves out the entries that are committed here already.
    ///
    /// Panics if they are others than the ones committed here: then two replicas have committed
    /// different logs, and going on would only hide it.
    fn above_committed(
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
        if entries.len() < covered {
            return (base, Vec::new());
        }
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
    fn chain_holds(&self, base: SlotNumber, entries: &[(SummaryHash, StoredRequest)]) -> bool {
        let log = self.history.log();
        let Some(mut before) = log.hash_at(base) else {
            return false;
        };
        let mut time = log
            .get(base)
            .map_or_else(|| log.base_time(), |entry| entry.time);
        entries.iter().all(|(hash, request)| {
            time = time.max(request.origin.time);
            before = chain(before, time, request);
            before == *hash
        })
    }

    /// Makes the log above `base` be `entries`; returns the last slot that could stay. What is
    /// undone is deferred, so that requests which are not among `entries` get another try.
    fn replace_above(
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
            self.history.append(self.view, request);
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

fn owned(entries: &Entries<'_>) -> Vec<(SummaryHash, StoredRequest)> {
    entries
        .iter()
        .map(|entry| (entry.hash, StoredRequest::from_entry(&entry)))
        .collect()
}
