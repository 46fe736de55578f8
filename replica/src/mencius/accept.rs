//! Other servers' proposals: accepted, acknowledged, and what that means for one's own instances.

use super::lane::StoredBatch;
use super::{Mencius, Mutant};
use crate::{Effects, StateMachine};
use wire::message::mencius::{Ack, Fetch, Lane, MenciusMessage, Propose, Status};
use wire::{InstanceNumber, ReplicaId, Tick};

impl<S: StateMachine> Mencius<S> {
    /// How many runs of skipped instances are kept of one owner.
    pub(super) fn runs_max(&self) -> usize {
        let turns = self.config.span() / self.config.turn();
        usize::try_from(turns).unwrap_or(usize::MAX)
    }

    /// An owner, in its newest life, says how its instances stand: what is skipped is decided,
    /// for nobody but the owner could have proposed anything else.
    pub(super) fn note_lane(&mut self, lane: &Lane) {
        let (executed, runs) = (self.executed, self.runs_max());
        let after = lane.last.max(executed);
        let state = self.lane_mut(lane.replica);
        state.note(lane);
        state.skip(after, lane.next, runs);
        if lane.last > lane.base {
            self.skip_below(lane.last);
            if self.config.breaks(Mutant::SkipForOthers) {
                self.skip_for_others(lane.last);
            }
        }
    }

    /// Only a mutant does.
    fn skip_for_others(&mut self, instance: InstanceNumber) {
        let (executed, runs) = (self.executed, self.runs_max());
        for owner in self.replicas() {
            let after = self.lane(owner).newest().max(executed);
            self.lane_mut(owner).skip(after, instance, runs);
        }
    }

    pub(super) fn on_propose(&mut self, now: Tick, message: &Propose<'_>, out: &mut Effects) {
        let lane = &message.lane;
        if !self.is_of_newest_life(lane.replica, &lane.incarnations) {
            return;
        }
        let (owner, instance) = (lane.replica, lane.next);
        if self.owner_of(instance) != owner || lane.last >= instance {
            self.counters.rejected += 1;
            return;
        }
        self.note_lane(lane);
        self.skip_below(instance);
        let revoked = self.lane(owner).up_to;
        let reachable = instance.0 <= self.executed.0 + self.config.span();
        let may = instance > revoked || self.config.breaks(Mutant::AcceptRevoked);
        if instance > self.executed && may && reachable {
            let batch = StoredBatch::new(message.time, message.batch);
            let executed = self.executed;
            let state = self.lane_mut(owner);
            let ballot = state.own_ballot(lane.life());
            state.accept(instance, ballot, Some(batch));
            let has_it = state.cell(instance).is_some_and(|it| it.ballot == ballot);
            if has_it {
                state.extend(lane.last, instance, executed);
            }
        }
        self.ask_if_lacking(now, owner, instance, out);
        self.acknowledge(owner, out);
    }

    pub(super) fn on_status(&mut self, now: Tick, message: &Status, out: &mut Effects) {
        let lane = &message.lane;
        if !self.is_of_newest_life(lane.replica, &lane.incarnations) {
            return;
        }
        self.rhythm.heard(now);
        self.note_lane(lane);
        self.ask_if_lacking(now, lane.replica, lane.last, out);
        if message.asks {
            self.acknowledge(lane.replica, out);
        }
    }

    /// Tells an owner which of its proposals are accepted here, and what this server skips.
    fn acknowledge(&self, owner: ReplicaId, out: &mut Effects) {
        let state = self.lane(owner);
        let revoked = if self.config.breaks(Mutant::AcceptRevoked) {
            InstanceNumber::ZERO
        } else {
            state.up_to
        };
        let ack = Ack {
            lane: self.own_lane(),
            owner_incarnation: self.incarnations.of(owner),
            above: state.above,
            held: state.held,
            revoked,
        };
        Self::send(owner, MenciusMessage::Ack(ack), out);
    }

    /// An owner has proposed up to `newest`: asks it for what is missing, unless that is decided
    /// or the answer is awaited.
    fn ask_if_lacking(
        &mut self,
        now: Tick,
        owner: ReplicaId,
        newest: InstanceNumber,
        out: &mut Effects,
    ) {
        let state = self.lane(owner);
        let above = state.held.max(state.said.base).max(self.executed);
        let asked = self
            .watch
            .may_ask(owner, now, self.config.timings.resend_us);
        if newest <= above || newest <= state.up_to || !asked {
            return;
        }
        self.watch.asked(owner, now);
        let fetch = Fetch {
            replica: self.config.me,
            decisions: false,
            above,
        };
        Self::send(owner, MenciusMessage::Fetch(fetch), out);
    }
}
