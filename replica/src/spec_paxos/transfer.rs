//! State transfer: entries that a replica lacks, and a snapshot when others have truncated them.

use super::SpecPaxos;
use crate::history::{OwnedEntries, SnapshotAt, owned};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{Entries, FetchLog, Log, Message, Snapshot};
use wire::{ReplicaId, SlotNumber, Tick};

/// At most this many entries go into one LOG message.
const LOG_ENTRIES_MAX: usize = 65_536;
/// A replica is sent a snapshot at most this often, in microseconds.
const SNAPSHOT_EVERY_US: u64 = 50_000;

impl<S: StateMachine> SpecPaxos<S> {
    /// Asks `holder` for everything above the own committed prefix, up to `to`. In a degraded
    /// view the whole own log is a prefix of the leader's.
    pub(super) fn fetch_log(&self, holder: ReplicaId, to: SlotNumber, out: &mut Effects) {
        let log = self.history.log();
        let from = if self.is_following_an_order() {
            log.last()
        } else {
            log.last_committed()
        };
        let fetch = FetchLog {
            view: self.view,
            replica: self.config.me,
            from,
            to,
        };
        out.send(holder, &Message::FetchLog(fetch));
    }

    /// Somebody lacks a part of the log. Who asks for an older view than this replica's is told
    /// so: what was committed since may contradict what that view began with.
    pub(super) fn on_fetch_log(&mut self, now: Tick, fetch: FetchLog, out: &mut Effects) {
        if fetch.view < self.view {
            self.tell_newer_view(fetch.replica, out);
            return;
        }
        if fetch.from < self.history.log().base() {
            self.send_snapshot(now, fetch, out);
            return;
        }
        let log = self.history.log();
        let orders = self.degraded && self.mode == Mode::Normal && self.is_leader();
        let newest = if orders && fetch.view == self.view {
            log.last()
        } else {
            log.last_committed()
        };
        let to = fetch.to.min(newest);
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

    /// The asker lacks what was truncated: it gets the whole committed state.
    fn send_snapshot(&mut self, now: Tick, fetch: FetchLog, out: &mut Effects) {
        if !self
            .peers
            .may_send_snapshot(fetch.replica, now, SNAPSHOT_EVERY_US)
        {
            return;
        }
        self.counters.snapshots_sent += 1;
        let mut state = Vec::new();
        let at = self.history.snapshot(&mut state);
        let answer = Snapshot {
            view: fetch.view,
            replica: self.config.me,
            slot: at.slot,
            hash: at.hash,
            time: at.time,
            state: &state,
        };
        out.send(fetch.replica, &Message::Snapshot(answer));
    }

    pub(super) fn on_log(&mut self, now: Tick, message: &Log<'_>, out: &mut Effects) {
        if message.view != self.view {
            return;
        }
        if self.is_following_an_order() {
            self.on_ordered_log(now, message, out);
            return;
        }
        let entries = owned(&message.entries);
        let committed = self.history.log().last_committed();
        let (base, entries) = self.history.above_committed(message.base, entries);
        if base == committed && self.history.chain_holds(base, &entries) {
            self.adopt_committed(base, entries);
        } else {
            self.counters.rejected += 1;
        }
        self.after_transfer(now, out);
    }

    /// Takes over entries above the own committed prefix that are committed elsewhere.
    ///
    /// What stands on the same prefix stays, even beyond `entries`: it may be a vote that
    /// completed a request. What contradicts a committed entry cannot have completed one, for a
    /// superquorum holds the other, so undoing it forgets no vote that counts.
    fn adopt_committed(&mut self, base: SlotNumber, entries: OwnedEntries) {
        let Some((last_hash, _)) = entries.last() else {
            return;
        };
        let end = SlotNumber(base.0 + entries.len() as u64);
        let agrees = self.history.log().hash_at(end) == Some(*last_hash);
        if !agrees {
            self.replace_above(base, entries);
        }
        self.history.commit(end);
    }

    /// The committed state at a slot that this replica has not committed.
    ///
    /// If the own log agrees at that slot it stays, with what follows. If it is shorter or
    /// differs, all of it is below the slot, or contradicts it, and counts for nothing.
    pub(super) fn on_snapshot(&mut self, now: Tick, message: &Snapshot<'_>, out: &mut Effects) {
        let log = self.history.log();
        let wanted = self.pending_start.is_some() || self.lacks_committed() || self.degraded;
        if message.view != self.view || !wanted || message.slot <= log.last_committed() {
            return;
        }
        if log.hash_at(message.slot) == Some(message.hash) {
            self.history.commit(message.slot);
        } else {
            let at = SnapshotAt {
                slot: message.slot,
                hash: message.hash,
                time: message.time,
            };
            let keep = log.last_committed();
            let mut undone = Vec::new();
            self.history.rollback(keep, |request| undone.push(request));
            self.counters.rolled_back += undone.len() as u64;
            for request in undone {
                self.defer(request);
            }
            if self.history.restore(at, message.state).is_err() {
                self.counters.rejected += 1;
                return;
            }
            self.counters.snapshots_installed += 1;
        }
        self.after_transfer(now, out);
    }

    /// More of the committed log is here: goes on with what needed it.
    fn after_transfer(&mut self, now: Tick, out: &mut Effects) {
        if let Some(pending) = self.pending_start.take() {
            self.start_or_wait(now, pending, out);
        } else if self.is_following_an_order() {
            self.follow_snapshot(now, out);
        } else if self.mode == Mode::Normal && !self.degraded {
            self.after_catching_up(now, out);
        }
    }
}
