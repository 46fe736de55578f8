//! State transfer: entries that a replica lacks, and a snapshot when others have truncated them.

use super::FastPaxos;
use crate::history::{SnapshotAt, owned};
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{Entries, FetchLog, Log, Message, Snapshot};
use wire::{ReplicaId, SlotNumber, Tick, ViewNumber};

/// At most this many entries go into one LOG message.
const LOG_ENTRIES_MAX: usize = 65_536;
/// A replica is sent a snapshot at most this often, in microseconds.
const SNAPSHOT_EVERY_US: u64 = 50_000;

impl<S: StateMachine> FastPaxos<S> {
    /// Asks `holder` for everything above `from`, up to `to`.
    pub(super) fn fetch_log(
        &self,
        holder: ReplicaId,
        from: SlotNumber,
        to: SlotNumber,
        out: &mut Effects,
    ) {
        let fetch = FetchLog {
            view: self.view,
            replica: self.config.me,
            from,
            to,
        };
        out.send(holder, &Message::FetchLog(fetch));
    }

    /// The coordinator of a view to come lacks committed entries. Who asks for an older view than
    /// this replica's is told so.
    pub(super) fn on_fetch_log(&mut self, now: Tick, fetch: FetchLog, out: &mut Effects) {
        if fetch.view < self.view {
            self.tell_newer_view(fetch.replica, out);
            return;
        }
        if fetch.from < self.history.log().base() {
            self.send_snapshot(now, fetch.replica, fetch.view, out);
            return;
        }
        let log = self.history.log();
        let to = fetch.to.min(log.last_committed());
        if fetch.from > to {
            return;
        }
        let mut storage = Vec::new();
        let entries = log
            .above(fetch.from)
            .take_while(|(slot, _)| *slot <= to)
            .take(LOG_ENTRIES_MAX)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let answer = Log {
            view: fetch.view,
            replica: self.config.me,
            base: fetch.from,
            base_hash: log.hash_at(fetch.from).expect("at or above the log's base"),
            committed: log.last_committed(),
            entries: Entries::encode(entries, &mut storage),
        };
        out.send(fetch.replica, &Message::Log(answer));
    }

    /// Sends the committed state to a replica that has asked in `view`.
    pub(super) fn send_snapshot(
        &mut self,
        now: Tick,
        to: ReplicaId,
        view: ViewNumber,
        out: &mut Effects,
    ) {
        if !self.peers.may_send_snapshot(to, now, SNAPSHOT_EVERY_US) {
            return;
        }
        self.counters.snapshots_sent += 1;
        let mut state = Vec::new();
        let at = self.history.snapshot(&mut state);
        let answer = Snapshot {
            view,
            replica: self.config.me,
            slot: at.slot,
            hash: at.hash,
            time: at.time,
            state: &state,
        };
        out.send(to, &Message::Snapshot(answer));
    }

    /// Entries that the log of this replica's view stands on. What stands here instead is not
    /// committed, for it is not in that log.
    pub(super) fn on_log(&mut self, now: Tick, message: &Log<'_>, out: &mut Effects) {
        if message.view != self.view || self.pending.is_none() {
            return;
        }
        let entries = owned(&message.entries);
        let end = SlotNumber(message.base.0 + entries.len() as u64);
        let (base, entries) = self.history.above_committed(message.base, entries);
        if !self.history.chain_holds(base, &entries) {
            self.counters.rejected += 1;
            return;
        }
        // What stands on the same prefix stays, even beyond `entries`: it may be chosen, and the
        // view that this log is fetched for may never begin.
        let log = self.history.log();
        let agrees = entries
            .last()
            .is_none_or(|(hash, _)| log.hash_at(end) == Some(*hash));
        if !agrees {
            let adopted = self.history.replace_above(self.view, base, entries);
            self.counters.rolled_back += adopted.undone.len() as u64;
            self.counters.executed += adopted.executed;
            self.settled = self.settled.min(self.history.log().last());
        }
        self.commit_up_to(message.committed.min(end));
        self.go_on_beginning(now, out);
    }

    /// The committed state at a slot that this replica has not committed. It lacks that much, and
    /// what it has above its own commits is not needed.
    pub(super) fn on_snapshot(&mut self, now: Tick, message: &Snapshot<'_>, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        if message.view != self.view || message.slot <= committed {
            return;
        }
        if self.history.log().hash_at(message.slot) == Some(message.hash) {
            self.history.commit(message.slot);
        } else {
            let at = SnapshotAt {
                slot: message.slot,
                hash: message.hash,
                time: message.time,
            };
            let mut undone = 0;
            self.history.rollback(committed, |_| undone += 1);
            self.counters.rolled_back += undone;
            if self.history.restore(at, message.state).is_err() {
                self.counters.rejected += 1;
                return;
            }
            self.counters.snapshots_installed += 1;
        }
        self.settled = self.settled.min(self.history.log().last());
        if self.pending.is_some() {
            self.go_on_beginning(now, out);
        } else {
            self.ask(now, out);
        }
    }

    /// More of what the view's log stands on is here.
    fn go_on_beginning(&mut self, now: Tick, out: &mut Effects) {
        if let Some(pending) = self.pending.take() {
            self.begin_or_wait(now, pending, out);
        }
    }
}
