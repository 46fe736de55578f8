//! What a server promises and accepts when another one revokes.

use super::Mencius;
use super::lane::{StoredBatch, Value};
use crate::{Effects, StateMachine};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use wire::message::mencius::{
    Accept, Accepted, Ballot, Cells, MenciusMessage, Prepare, Promise, Revoke,
};
use wire::{InstanceNumber, ReplicaId, Tick};

impl<S: StateMachine> Mencius<S> {
    pub(super) fn on_prepare(&mut self, now: Tick, message: &Prepare, out: &mut Effects) {
        let owner = message.owner;
        if message.ballot >= self.lane(owner).promised {
            self.promise(now, owner, message.ballot, message.up_to);
        }
        self.answer_prepare(message.replica, owner, message.ballot, out);
    }

    /// From here on nothing older is accepted in the owner's instances up to `up_to`.
    pub(super) fn promise(
        &mut self,
        now: Tick,
        owner: ReplicaId,
        ballot: Ballot,
        up_to: InstanceNumber,
    ) {
        let lane = self.lane_mut(owner);
        lane.promised = ballot;
        lane.up_to = lane.up_to.max(up_to);
        let own = &mut self.revocations[usize::from(owner.0)];
        if own.as_ref().is_some_and(|own| own.ballot < ballot) {
            *own = None;
            self.watch.overtaken(owner, now);
        }
        if owner == self.config.me {
            self.retreat(up_to);
        }
    }

    pub(super) fn answer_prepare(
        &self,
        to: ReplicaId,
        owner: ReplicaId,
        ballot: Ballot,
        out: &mut Effects,
    ) {
        let lane = self.lane(owner);
        let refused = lane.promised != ballot;
        let cells = lane.cells().filter(|_| !refused);
        let cells = cells.map(|(instance, held)| held.as_cell(instance));
        let mut storage = Vec::new();
        let promise = Promise {
            replica: self.config.me,
            incarnations: self.incarnations,
            owner,
            ballot,
            promised: lane.promised,
            up_to: lane.up_to,
            executed: self.executed,
            start: lane.start,
            cells: Cells::encode(cells, &mut storage),
        };
        Self::send(to, MenciusMessage::Revoke(Revoke::Promise(promise)), out);
    }

    pub(super) fn accept_run(
        &mut self,
        owner: ReplicaId,
        ballot: Ballot,
        (above, up_to): (InstanceNumber, InstanceNumber),
        values: &BTreeMap<InstanceNumber, Value>,
    ) {
        let executed = self.executed;
        let lane = self.lane_mut(owner);
        for instance in lane.between(above.max(executed), up_to) {
            let value = values.get(&instance).cloned().flatten();
            lane.accept(instance, ballot, value);
        }
    }

    /// Whether a run is short and near enough to be kept.
    pub(super) fn is_reachable(&self, up_to: InstanceNumber) -> bool {
        up_to.0 <= self.executed.0.saturating_add(self.config.span())
    }

    pub(super) fn on_accept(&mut self, now: Tick, message: &Accept<'_>, out: &mut Effects) {
        let owner = message.owner;
        if message.ballot < self.lane(owner).promised {
            self.answer_prepare(message.replica, owner, message.ballot, out);
            return;
        }
        if !self.is_reachable(message.up_to) {
            return;
        }
        self.promise(now, owner, message.ballot, message.up_to);
        let values = values_of(&message.cells);
        let run = (message.above, message.up_to);
        self.accept_run(owner, message.ballot, run, &values);
        let accepted = Accepted {
            replica: self.config.me,
            incarnations: self.incarnations,
            owner,
            ballot: message.ballot,
        };
        let accepted = MenciusMessage::Revoke(Revoke::Accepted(accepted));
        Self::send(message.replica, accepted, out);
    }

    pub(super) fn choose_run(
        &mut self,
        owner: ReplicaId,
        ballot: Ballot,
        (above, up_to): (InstanceNumber, InstanceNumber),
        values: &BTreeMap<InstanceNumber, Value>,
    ) {
        let executed = self.executed;
        let lane = self.lane_mut(owner);
        for instance in lane.between(above.max(executed), up_to) {
            let value = values.get(&instance).cloned().flatten();
            lane.choose(instance, ballot, value);
        }
    }

    /// Somebody's revocation is decided.
    pub(super) fn on_outcome(&mut self, message: &Accept<'_>) {
        let owner = message.owner;
        if !self.is_reachable(message.up_to) {
            return;
        }
        if owner == self.config.me {
            self.retreat(message.up_to);
        }
        let values = values_of(&message.cells);
        let run = (message.above, message.up_to);
        self.choose_run(owner, message.ballot, run, &values);
    }
}

fn values_of(cells: &Cells<'_>) -> BTreeMap<InstanceNumber, Value> {
    let values = cells.iter().map(|cell| {
        let value = StoredBatch::of_cell(&cell);
        (cell.instance, value)
    });
    values.collect()
}
