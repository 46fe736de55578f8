//! Execution: instances in their order, each as soon as it and all below are decided. The server
//! that proposed a batch answers its clients.

use super::lane::{LaneState, Value};
use super::{Mencius, Mutant};
use crate::client_table::Freshness;
use crate::history::{Origin, RequestRef};
use crate::{Effects, StateMachine};
use wire::message::{Message, Reply, Request};
use wire::{
    AgreedTime, ClientId, EpochNumber, HostAddress, InstanceNumber, SequenceNumber, SlotNumber,
    Tick, ViewNumber,
};

impl<S: StateMachine> Mencius<S> {
    /// Executes what can be executed.
    pub(super) fn advance(&mut self, now: Tick, out: &mut Effects) {
        let before = self.executed;
        while let Some((instance, value)) = self.next_decided() {
            self.execute(instance, value, out);
        }
        if self.executed > before {
            self.send_if_due(now, out);
        }
    }

    /// The next instance, if it is decided.
    ///
    /// That an owner has skipped it counts only below something that a majority has accepted. Else:
    /// 1. replica 0 tells replica 1, and nobody else, that it skips instance 4;
    /// 2. replica 0 loses its memory; nobody whom it asks has heard of an instance above 3;
    /// 3. it proposes for instance 4, and replica 1 has gone past it.
    ///
    /// What a majority accepted before step 2, somebody whom replica 0 asks knows; who counts
    /// what is accepted after it hears of the new life, and says so together with the outcome.
    fn next_decided(&self) -> Option<(InstanceNumber, Value)> {
        let next = self.executed.next();
        let lane = self.lane(self.owner_of(next));
        let mut lanes = self.lanes.iter();
        if let Some(held) = lane.cell(next).filter(|held| held.chosen) {
            return Some((next, held.value.clone()));
        }
        if lane.is_skipped(next) && lanes.any(|lane| lane.newest_chosen() > next) {
            return Some((next, None));
        }
        if self.config.breaks(Mutant::LearnPastHole) && next <= lane.said.chosen {
            return Some((next, None));
        }
        if self.config.breaks(Mutant::ExecuteOutOfOrder) {
            let cells = self.lanes.iter().flat_map(LaneState::cells);
            let chosen = cells.filter(|(_, held)| held.chosen);
            let first = chosen.min_by_key(|(instance, _)| *instance);
            return first.map(|(instance, held)| (instance, held.value.clone()));
        }
        None
    }

    /// Executes an instance that is decided, as are all below.
    pub(super) fn execute(&mut self, instance: InstanceNumber, value: Value, out: &mut Effects) {
        let owner = self.owner_of(instance);
        let mine = owner == self.config.me && self.own.has_proposed(instance);
        if let Some(stored) = &value {
            for request in &stored.batch() {
                self.execute_request(stored.time, &request, mine, out);
            }
        }
        self.executed = instance;
        for lane in &mut self.lanes {
            lane.forget_up_to(instance);
        }
        if owner == self.config.me {
            self.on_own_executed(instance, &value);
        }
        if let Some(stored) = value {
            let limits = &self.config.limits;
            let bounds = (limits.retained_batches, limits.retained_bytes);
            self.settled.push(instance, stored, bounds);
        }
    }

    fn execute_request(
        &mut self,
        time: AgreedTime,
        request: &Request<'_>,
        mine: bool,
        out: &mut Effects,
    ) {
        let (client, number) = (request.client, request.number);
        match self.history.freshness(client, number) {
            Freshness::New => {
                let request = RequestRef::new(origin_at(time), request);
                let slot = self.history.append(ViewNumber::ZERO, request);
                self.counters.executed += 1;
                if mine {
                    self.reply(slot, out);
                }
                self.history.commit(slot);
            }
            Freshness::Repeated(_) if mine => self.reply_again(client, request.reply_to, out),
            Freshness::Repeated(_) | Freshness::Stale => {}
        }
        self.own.done(client, number);
    }

    fn reply(&self, slot: SlotNumber, out: &mut Effects) {
        let entry = self.history.log().get(slot);
        let entry = entry.expect("what was just appended is held");
        let reply = Reply {
            client: entry.request.client,
            number: entry.request.number,
            replica: self.config.me,
            view: ViewNumber::ZERO,
            slot,
            hash: entry.hash,
            committed: true,
            result: entry.result,
        };
        out.reply(entry.request.reply_to, &Message::Reply(reply));
    }

    /// Answers a client whose request was executed before.
    pub(super) fn reply_again(&self, client: ClientId, address: HostAddress, out: &mut Effects) {
        let Some(saved) = self.history.saved_reply(client) else {
            return;
        };
        let reply = Reply {
            client,
            number: saved.number,
            replica: self.config.me,
            view: ViewNumber::ZERO,
            slot: saved.slot,
            hash: saved.hash,
            committed: true,
            result: saved.result,
        };
        out.reply(address, &Message::Reply(reply));
    }
}

/// Entries here have a time and no number of the root's.
fn origin_at(time: AgreedTime) -> Origin {
    Origin {
        epoch: EpochNumber::ZERO,
        sequence: SequenceNumber::ZERO,
        time,
    }
}
