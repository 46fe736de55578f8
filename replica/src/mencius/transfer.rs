//! What a server lacks: proposals from their owner, decisions from anybody, and a snapshot when
//! decisions are no longer kept.

use super::Mencius;
use super::lane::{Held, LaneState, StoredBatch};
use super::settled::Settled;
use crate::history::SnapshotAt;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use wire::message::mencius::{Ballot, Cell, Cells, Decided, Fetch, MenciusMessage, State};
use wire::{InstanceNumber, ReplicaId, Tick};

/// Bytes of batches in one message, about.
const BYTES_MAX: usize = 1 << 20;
/// A server is sent a snapshot at most this often, in microseconds.
const SNAPSHOT_EVERY_US: u64 = 50_000;

impl<S: StateMachine> Mencius<S> {
    pub(super) fn ask_for_decisions(&self, holder: ReplicaId, out: &mut Effects) {
        let fetch = Fetch {
            replica: self.config.me,
            decisions: true,
            above: self.executed,
        };
        Self::send(holder, MenciusMessage::Fetch(fetch), out);
    }

    pub(super) fn on_fetch(&mut self, now: Tick, fetch: Fetch, out: &mut Effects) {
        if !fetch.decisions {
            self.resend_proposals(fetch.replica, fetch.above, out);
        } else if fetch.above < self.settled.base() {
            self.send_state(now, fetch.replica, out);
        } else if fetch.above < self.executed {
            self.send_decisions(fetch, out);
        }
    }

    fn send_decisions(&self, fetch: Fetch, out: &mut Effects) {
        let (mut bytes, mut executed) = (0, self.executed);
        let batches = self.settled.iter_above(fetch.above);
        let batches: Vec<_> = batches
            .take_while(|(instance, batch)| {
                bytes += batch.len();
                let fits = bytes <= BYTES_MAX;
                if !fits {
                    executed = InstanceNumber(instance.0 - 1);
                }
                fits
            })
            .collect();
        let decided = batches.into_iter().map(|(instance, batch)| Cell {
            instance: *instance,
            ballot: Ballot::default(),
            chosen: true,
            value: Some((batch.time, batch.batch())),
        });
        let complete = executed == self.executed;
        let cells = self.lanes.iter().flat_map(LaneState::cells);
        let beyond = cells.filter(|(_, held)| complete && held.chosen);
        let beyond = beyond.map(|(instance, held)| held.as_cell(instance));
        let mut storage = Vec::new();
        let answer = Decided {
            replica: self.config.me,
            incarnations: self.incarnations,
            above: fetch.above,
            executed,
            cells: Cells::encode(decided.chain(beyond), &mut storage),
        };
        Self::send(fetch.replica, MenciusMessage::Decided(answer), out);
    }

    fn send_state(&mut self, now: Tick, to: ReplicaId, out: &mut Effects) {
        if !self.peers.may_send_snapshot(to, now, SNAPSHOT_EVERY_US) {
            return;
        }
        self.counters.snapshots_sent += 1;
        let mut state = Vec::new();
        let at = self.history.snapshot(&mut state);
        let answer = State {
            replica: self.config.me,
            executed: self.executed,
            slot: at.slot,
            hash: at.hash,
            time: at.time,
            state: &state,
        };
        Self::send(to, MenciusMessage::State(answer), out);
    }

    pub(super) fn on_decided(&mut self, now: Tick, message: &Decided<'_>, out: &mut Effects) {
        // Lives first: what is chosen is known together with them, see `next_decided`.
        self.is_of_newest_life(message.replica, &message.incarnations);
        if message.above > self.executed {
            return;
        }
        let mut batches = BTreeMap::new();
        let reachable = InstanceNumber(self.executed.0 + self.config.span());
        for cell in &message.cells {
            if cell.instance <= message.executed {
                batches.insert(cell.instance, StoredBatch::of_cell(&cell));
            } else if cell.instance > self.executed && cell.instance <= reachable {
                let held = Held::of_cell(&cell);
                let owner = self.owner_of(cell.instance);
                self.lane_mut(owner)
                    .choose(cell.instance, held.ballot, held.value);
            }
        }
        for instance in self.executed.0 + 1..=message.executed.0 {
            let instance = InstanceNumber(instance);
            let value = batches.remove(&instance).flatten();
            self.execute(instance, value, out);
        }
        self.after_transfer(now, message.replica, out);
    }

    pub(super) fn on_state(&mut self, now: Tick, message: &State<'_>, out: &mut Effects) {
        if message.executed <= self.executed {
            return;
        }
        let at = SnapshotAt {
            slot: message.slot,
            hash: message.hash,
            time: message.time,
        };
        if self.history.restore(at, message.state).is_err() {
            self.counters.rejected += 1;
            return;
        }
        self.counters.snapshots_installed += 1;
        self.executed = message.executed;
        self.settled = Settled::above(self.executed);
        for lane in &mut self.lanes {
            lane.forget_up_to(message.executed);
        }
        self.on_own_jumped(message.executed);
        self.after_transfer(now, message.replica, out);
    }

    fn after_transfer(&mut self, now: Tick, from: ReplicaId, out: &mut Effects) {
        if self.mode == Mode::Recovering {
            self.go_on_recovering(now, out);
            return;
        }
        self.advance(now, out);
        if self.lane(from).said.executed > self.executed {
            self.ask_for_decisions(from, out);
        }
    }
}
