//! State transfer: committed entries that a replica lacks, or the state when others have truncated
//! them. What is not committed goes packet by packet, or with a view's beginning.

use super::NoPaxos;
use crate::StateMachine;
use crate::effects::Effects;
use crate::history::owned;
use alloc::vec::Vec;
use wire::message::nopaxos::{Catchup, NoPaxosMessage};
use wire::message::{Entries, FetchLog, Message};
use wire::{ReplicaId, SlotNumber, Tick};

/// A replica is sent a snapshot at most this often, in microseconds.
const SNAPSHOT_EVERY_US: u64 = 50_000;

impl<S: StateMachine> NoPaxos<S> {
    /// Asks `holder` for everything that is committed, at least up to `to`.
    pub(super) fn fetch_log(&self, holder: ReplicaId, to: SlotNumber, out: &mut Effects) {
        let fetch = FetchLog {
            view: self.view,
            replica: self.config.me,
            from: self.ledger.committed().slot,
            to,
        };
        out.send(holder, &Message::FetchLog(fetch));
    }

    /// Somebody lacks a part of the log. Who asks for an older view than this replica's is told
    /// so: what it needs it gets with that view's beginning.
    pub(super) fn on_fetch_log(&mut self, now: Tick, fetch: FetchLog, out: &mut Effects) {
        let committed = self.ledger.committed();
        if fetch.view < self.view {
            self.tell_newer_view(fetch.replica, out);
        } else if fetch.from < self.history().log().base() {
            self.send_state(now, fetch, out);
        } else if fetch.from <= committed.slot {
            let log = self.history().log();
            let entries = log.above(fetch.from);
            let entries = entries.take_while(|(slot, _)| *slot <= committed.slot);
            let entries = entries.map(|(_, entry)| entry.request.as_entry(entry.view, entry.hash));
            let mut storage = Vec::new();
            let answer = Catchup::Entries {
                view: fetch.view,
                replica: self.config.me,
                committed,
                base: fetch.from,
                entries: Entries::encode(entries, &mut storage),
            };
            let answer = Message::NoPaxos(NoPaxosMessage::Catchup(answer));
            out.send(fetch.replica, &answer);
        }
    }

    fn send_state(&mut self, now: Tick, fetch: FetchLog, out: &mut Effects) {
        let may = &mut self.peers;
        if !may.may_send_snapshot(fetch.replica, now, SNAPSHOT_EVERY_US) {
            return;
        }
        self.counters.snapshots_sent += 1;
        let committed = self.ledger.committed();
        let mut state = Vec::new();
        let at = self.ledger.history_mut().snapshot(&mut state);
        assert_eq!(
            at.slot, committed.slot,
            "a snapshot is of what is committed"
        );
        let answer = Catchup::State {
            view: fetch.view,
            replica: self.config.me,
            committed,
            time: at.time,
            state: &state,
        };
        let answer = Message::NoPaxos(NoPaxosMessage::Catchup(answer));
        out.send(fetch.replica, &answer);
    }

    pub(super) fn on_catchup(&mut self, now: Tick, message: &Catchup<'_>, out: &mut Effects) {
        let wanted = self.pending.is_some() || self.is_following();
        if message.view() != self.view || !wanted {
            return;
        }
        let committed = message.committed();
        if committed.place > self.ledger.committed().place && !self.catch_up(message) {
            self.counters.rejected += 1;
            return;
        }
        if let Some(pending) = self.pending.take() {
            self.start_or_wait(now, pending, out);
        } else {
            self.verify_committed();
            self.say_verified(out);
            self.take_ready(now, out);
        }
    }

    /// Takes over what is committed; returns whether it fits.
    fn catch_up(&mut self, message: &Catchup<'_>) -> bool {
        match message {
            Catchup::Entries {
                committed,
                base,
                entries,
                ..
            } => {
                let entries = owned(entries);
                let adopted = self.ledger.adopt(self.view, committed, *base, entries);
                self.counters.executed += adopted.unwrap_or_default();
                adopted.is_some()
            }
            Catchup::State {
                committed,
                time,
                state,
                ..
            } => {
                let restored = self.ledger.restore(committed, *time, state).is_ok();
                self.counters.snapshots_installed += u64::from(restored);
                restored
            }
        }
    }
}
