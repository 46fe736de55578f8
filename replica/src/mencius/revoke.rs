//! Revocation: another server decides about an owner's instances, by Paxos with a higher ballot
//! over a run of them. What a majority may have accepted stays; the rest become no-ops.
//!
//! A proposal of a life that ended before the owner's newest one began does not count above where
//! that began: it cannot be chosen any more, and the owner may have skipped its instance.

use super::lane::{Held, Value};
use super::{Mencius, Mutant};
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use wire::message::mencius::{
    Accept, Accepted, Ballot, Cell, Cells, MenciusMessage, Prepare, Promise, Revoke, Start,
};
use wire::{InstanceNumber, ReplicaId, Tick};

/// Questions are repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 4;

/// What this server is about to decide about one owner's instances.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Revocation {
    pub(super) ballot: Ballot,
    up_to: InstanceNumber,
    /// Who has promised; in the second phase who has accepted.
    answered: ReplicaSet,
    /// The furthest that one who promised has executed: what is up to there is decided.
    above: InstanceNumber,
    start: Start,
    /// What was accepted, the highest ballot of each.
    reported: BTreeMap<InstanceNumber, Held>,
    /// In the second phase: the batches that are proposed.
    proposed: Option<BTreeMap<InstanceNumber, Value>>,
    asked: Tick,
    tries: u32,
}

impl Revocation {
    fn report(&mut self, from: ReplicaId, executed: InstanceNumber, start: Start) {
        self.answered.insert(from);
        self.above = self.above.max(executed);
        self.start = self.start.max(start);
    }

    fn merge(&mut self, instance: InstanceNumber, held: Held) {
        let known = self.reported.get(&instance);
        if known.is_none_or(|known| held.outranks(known)) {
            self.reported.insert(instance, held);
        }
    }

    /// What must be proposed: whatever may be chosen.
    fn values(&self) -> BTreeMap<InstanceNumber, Value> {
        let counts = |instance: InstanceNumber, held: &Held| {
            let ended = held.ballot.round == 0
                && held.ballot.incarnation < self.start.incarnation
                && instance > self.start.above;
            held.chosen || !ended
        };
        let run = self.above.next()..=self.up_to.max(self.above.next());
        self.reported
            .range(run)
            .filter(|(instance, held)| held.value.is_some() && counts(**instance, held))
            .map(|(instance, held)| (*instance, held.value.clone()))
            .collect()
    }
}

impl<S: StateMachine> Mencius<S> {
    pub(super) fn begin_revocation(&mut self, now: Tick, owner: ReplicaId, out: &mut Effects) {
        let ahead = self.config.turn() * self.config.limits.revoke_ahead;
        let newest = self.newest_proposed();
        let me = self.config.me;
        let base = if owner == me {
            self.own.base()
        } else {
            self.lane(owner).said.base
        };
        // An owner that is there only has to have ended what was begun.
        let beyond = if self.peers.is_suspected(owner) {
            InstanceNumber(newest.0 + ahead)
        } else {
            InstanceNumber::ZERO
        };
        let (incarnation, executed) = (self.life(), self.executed);
        let lane = self.lane_mut(owner);
        let up_to = beyond.max(base).max(lane.up_to);
        let ballot = Ballot {
            round: lane.promised.round + 1,
            replica: me,
            incarnation,
        };
        (lane.promised, lane.up_to) = (ballot, up_to);
        let start = lane.start;
        let mut revocation = Revocation {
            ballot,
            up_to,
            answered: ReplicaSet::default(),
            above: executed,
            start,
            reported: BTreeMap::new(),
            proposed: None,
            asked: now,
            tries: 0,
        };
        for (instance, held) in lane.cells() {
            revocation.merge(instance, held.clone());
        }
        revocation.report(me, executed, start);
        self.revocations[usize::from(owner.0)] = Some(revocation);
        self.counters.view_changes += 1;
        if owner == me {
            self.retreat(up_to);
        }
        self.ask_for_promises(owner, out);
        self.propose_if_promised(now, owner, out);
    }

    fn ask_for_promises(&self, owner: ReplicaId, out: &mut Effects) {
        if let Some(revocation) = &self.revocations[usize::from(owner.0)] {
            let prepare = Prepare {
                replica: self.config.me,
                incarnations: self.incarnations,
                owner,
                ballot: revocation.ballot,
                up_to: revocation.up_to,
            };
            self.send_others(MenciusMessage::Revoke(Revoke::Prepare(prepare)), out);
        }
    }

    pub(super) fn on_revoke(&mut self, now: Tick, message: &Revoke<'_>, out: &mut Effects) {
        let current = self.is_of_newest_life(message.sender(), &message.incarnations());
        if usize::from(message.owner().0) >= self.n() {
            self.counters.rejected += 1;
            return;
        }
        match message {
            // What is decided is, whoever says so.
            Revoke::Accept(m) if m.decided => self.on_outcome(m),
            _ if !current => {}
            Revoke::Prepare(m) => self.on_prepare(now, m, out),
            Revoke::Promise(m) => self.on_promise(now, m, out),
            Revoke::Accept(m) => self.on_accept(now, m, out),
            Revoke::Accepted(m) => self.on_accepted(m, out),
        }
    }

    fn on_promise(&mut self, now: Tick, message: &Promise<'_>, out: &mut Effects) {
        let index = usize::from(message.owner.0);
        let Some(revocation) = &mut self.revocations[index] else {
            return;
        };
        if revocation.ballot != message.ballot {
            return;
        }
        if message.promised != message.ballot {
            self.revocations[index] = None;
            let lane = self.lane_mut(message.owner);
            // Only the number matters: the next try is above it.
            lane.promised = lane.promised.max(message.promised);
            self.watch.overtaken(message.owner, now);
        } else if revocation.proposed.is_none() {
            for cell in &message.cells {
                revocation.merge(cell.instance, Held::of_cell(&cell));
            }
            revocation.report(message.replica, message.executed, message.start);
            self.propose_if_promised(now, message.owner, out);
        }
    }

    /// With f+1 promises: the second phase.
    fn propose_if_promised(&mut self, now: Tick, owner: ReplicaId, out: &mut Effects) {
        let majority = self.config.quorum.majority();
        let ignores = self.config.breaks(Mutant::RevokeIgnoresAccepted);
        let me = self.config.me;
        let Some(revocation) = &mut self.revocations[usize::from(owner.0)] else {
            return;
        };
        if revocation.answered.len() < majority {
            return;
        }
        let values = if ignores {
            BTreeMap::new()
        } else {
            revocation.values()
        };
        let (ballot, above, up_to) = (revocation.ballot, revocation.above, revocation.up_to);
        revocation.proposed = Some(values.clone());
        revocation.answered = ReplicaSet::default();
        revocation.answered.insert(me);
        (revocation.asked, revocation.tries) = (now, 0);
        self.accept_run(owner, ballot, (above, up_to), &values);
        self.send_run(owner, false, out);
        self.decide_if_accepted(owner, out);
    }

    /// Sends what is proposed to who has not answered, or what is decided to everybody.
    fn send_run(&self, owner: ReplicaId, decided: bool, out: &mut Effects) {
        let Some(revocation) = &self.revocations[usize::from(owner.0)] else {
            return;
        };
        let Some(proposed) = &revocation.proposed else {
            return;
        };
        let cells = proposed.iter().map(|(instance, value)| Cell {
            instance: *instance,
            ballot: revocation.ballot,
            chosen: decided,
            value: value.as_ref().map(|stored| (stored.time, stored.batch())),
        });
        let mut storage = Vec::new();
        let accept = Accept {
            replica: self.config.me,
            incarnations: self.incarnations,
            owner,
            ballot: revocation.ballot,
            above: revocation.above,
            up_to: revocation.up_to,
            decided,
            cells: Cells::encode(cells, &mut storage),
        };
        for to in self.replicas().filter(|replica| self.is_peer(*replica)) {
            if decided || !revocation.answered.contains(to) {
                Self::send(to, MenciusMessage::Revoke(Revoke::Accept(accept)), out);
            }
        }
    }

    fn on_accepted(&mut self, message: &Accepted, out: &mut Effects) {
        let Some(revocation) = &mut self.revocations[usize::from(message.owner.0)] else {
            return;
        };
        if revocation.ballot == message.ballot && revocation.proposed.is_some() {
            revocation.answered.insert(message.replica);
            self.decide_if_accepted(message.owner, out);
        }
    }

    /// With f+1 that have accepted, it is decided.
    fn decide_if_accepted(&mut self, owner: ReplicaId, out: &mut Effects) {
        let majority = self.config.quorum.majority();
        let revocation = self.revocations[usize::from(owner.0)].as_ref();
        if revocation.is_none_or(|it| it.answered.len() < majority) {
            return;
        }
        self.send_run(owner, true, out);
        let revocation = self.revocations[usize::from(owner.0)].take();
        if let Some(revocation) = revocation {
            let run = (revocation.above, revocation.up_to);
            let values = revocation.proposed.unwrap_or_default();
            self.choose_run(owner, revocation.ballot, run, &values);
        }
        self.watch.revoked(owner);
    }

    /// Asks again who has not answered.
    pub(super) fn repeat_revocations(&mut self, now: Tick, out: &mut Effects) {
        for owner in self.replicas() {
            let Some(revocation) = &mut self.revocations[usize::from(owner.0)] else {
                continue;
            };
            let wait = self.config.timings.resend_us << revocation.tries.min(BACKOFF_MAX);
            if now.since(revocation.asked) < wait * 1_000 {
                continue;
            }
            revocation.asked = now;
            revocation.tries += 1;
            if revocation.proposed.is_none() {
                self.ask_for_promises(owner, out);
            } else {
                self.send_run(owner, false, out);
            }
        }
    }
}
