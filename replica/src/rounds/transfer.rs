//! Getting what was decided, or locked, without this replica.
//!
//! What is locked in this replica's epoch is adopted, even over its own votes. What is decided is
//! adopted whatever the epoch. Who is behind what others keep gets their state.

use super::chain::{Chain, Cover};
use super::install::PendingStart;
use super::mutant::Mutant;
use super::{Rounds, Timer};
use crate::history::SnapshotAt;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::rounds::{FetchPositions, Positions, RoundsMessage, State, Value, Values};
use wire::{Position, ReplicaId, Tick};

/// Bytes of batches in one message, about.
const BYTES_MAX: usize = 1 << 20;

impl<S: StateMachine> Rounds<S> {
    /// Positions are missing: somebody is asked, as soon as a question may be answered again.
    pub(super) fn want_positions(&mut self, now: Tick) {
        if !self.timers.is_armed(Timer::Fetch) {
            self.timers.arm(Timer::Fetch, now);
        }
    }

    pub(super) fn on_fetch_due(&mut self, now: Tick, out: &mut Effects) {
        let Some(member) = self.who_has_more() else {
            return;
        };
        let fetch = FetchPositions {
            replica: self.config.me,
            above: self.committed,
        };
        Self::send(member, RoundsMessage::FetchPositions(fetch), out);
        let again = now.plus_us(self.config.timings.resend_us);
        self.timers.arm(Timer::Fetch, again);
    }

    fn who_has_more(&mut self) -> Option<ReplicaId> {
        let waits_for = self.pending_start.as_mut().map(PendingStart::ask);
        let head = self.chain.head();
        let member = waits_for
            .or_else(|| self.agreement.lacks_log_of())
            .or_else(|| self.votes.contradiction(&self.chain))
            .or_else(|| self.votes.furthest_locked(head));
        member.filter(|member| self.is_peer(*member))
    }

    /// A member asks for what is locked here.
    pub(super) fn on_fetch_positions(&mut self, fetch: FetchPositions, out: &mut Effects) {
        if fetch.above < self.chain.base() {
            self.send_state(fetch.replica, out);
            return;
        }
        let Some(below) = self.chain.footing_at(fetch.above) else {
            return;
        };
        let locked =
            usize::try_from(self.locked.0.saturating_sub(fetch.above.0)).expect("held in memory");
        let mut bytes = 0;
        let fits = |value: &Value<'_>| {
            bytes += match value {
                Value::NoOp => 1,
                Value::Packet(proposal) => 30 + proposal.batch.bytes().len(),
            };
            bytes <= BYTES_MAX
        };
        let mut storage = Vec::new();
        let values = self
            .chain
            .values_above(fetch.above)
            .take(locked)
            .take_while(fits);
        let positions = Positions {
            replica: self.config.me,
            epoch: self.installed,
            below,
            committed: self.committed,
            values: Values::encode(values, &mut storage),
        };
        Self::send(fetch.replica, RoundsMessage::Positions(positions), out);
    }

    fn send_state(&mut self, to: ReplicaId, out: &mut Effects) {
        self.counters.snapshots_sent += 1;
        let mut state = Vec::new();
        let at = self.history.snapshot(&mut state);
        let message = State {
            replica: self.config.me,
            at: self.chain.footing_at(self.committed).expect("it is held"),
            membership: self.membership,
            slot: at.slot,
            hash: at.hash,
            time: at.time,
            state: &state,
        };
        Self::send(to, RoundsMessage::State(message), out);
    }

    /// Positions that were asked for.
    pub(super) fn on_positions(&mut self, now: Tick, positions: &Positions<'_>, out: &mut Effects) {
        let below = positions.below.frontier;
        let end = Position(below.position.0 + positions.values.len() as u64);
        let decided = end.min(positions.committed);
        let same_epoch = positions.epoch == self.installed && self.mode == Mode::Normal;
        let end = if same_epoch { end } else { decided };
        let stands =
            below.position <= self.committed && self.chain.begins_with(&below) != Some(false);
        if !stands || end <= self.committed {
            return;
        }
        let count = usize::try_from(end.0 - below.position.0).expect("they came in one message");
        let kept = self.adopt(below.position, positions.values.iter().take(count));
        if kept < end {
            self.votes.on_change_above(kept, &self.chain);
            self.intake.displace_above(kept);
            self.reads.displace_above(kept);
            self.locked = self.locked.min(kept);
            self.recount_work();
        }
        self.locked = self.locked.max(end);
        self.commit_to(now, decided, out);
        self.after_transfer(now, out);
    }

    /// The state of a member that keeps less than this replica lacks.
    pub(super) fn on_state(&mut self, now: Tick, state: &State<'_>, out: &mut Effects) {
        let reached = state.at.frontier.position;
        if reached <= self.committed {
            return;
        }
        let at = SnapshotAt {
            slot: state.slot,
            hash: state.hash,
            time: state.time,
        };
        if self.history.restore(at, state.state).is_err() {
            self.counters.rejected += 1;
            return;
        }
        self.counters.snapshots_installed += 1;
        self.membership = state.membership;
        self.committed = reached;
        let stands = self.chain.begins_with(&state.at.frontier) == Some(true);
        if stands && !self.config.breaks(Mutant::StateForgetsVotes) {
            // The votes above are promises: they stay.
            self.locked = self.locked.max(reached);
            self.chain.truncate(reached, 0, usize::MAX);
            self.intake.executed(reached);
        } else {
            self.chain = Chain::above(state.at, Cover::of(self.config.mutant));
            self.locked = reached;
            self.newest_work = reached;
            self.votes.on_change_above(reached, &self.chain);
            self.intake.displace_above(Position::ZERO);
            self.reads.displace_above(Position::ZERO);
        }
        self.after_transfer(now, out);
    }

    fn after_transfer(&mut self, now: Tick, out: &mut Effects) {
        self.timers.cancel(Timer::Fetch);
        self.want_changed_members(now, out);
        self.retry_pending_start(now, out);
        if self.mode == Mode::Reconciling {
            self.agreement_goes_on(now, out);
        }
        self.go_on(now, out);
        let waits = self.pending_start.is_some() || self.agreement.lacks_log_of().is_some();
        if self.mode != Mode::Normal && waits {
            self.want_positions(now);
        }
    }

    fn agreement_goes_on(&mut self, now: Tick, out: &mut Effects) {
        if self.agreement.lacks_log_of().is_some() {
            self.try_start(now, out);
        }
    }
}
