//! Locks, commits and execution.
//!
//! Locked: f+1 members have voted for the prefix; no other value can get as many. Committed:
//! f+⌈f/2⌉+1 members have voted for it, or f+1 have seen it locked; every way of agreeing on an
//! epoch then keeps it.

use super::mutant::Mutant;
use super::{Rounds, Timer};
use crate::client_table::Freshness;
use crate::history::{Origin, RequestRef};
use crate::{Effects, StateMachine};
use wire::message::Request;
use wire::message::rounds::{Batch, Value};
use wire::{AgreedTime, ClientId, Position, ReplicaId, Tick};

impl<S: StateMachine> Rounds<S> {
    /// Members have said more, or the chain has grown.
    pub(super) fn after_votes(&mut self, now: Tick, out: &mut Effects) {
        self.advance_lock();
        self.advance_commit(now, out);
        if self.votes.contradiction(&self.chain).is_some() {
            self.want_positions(now);
        }
        self.answer_reads(out);
        self.arm_stall(now);
        self.hurry_beat(now);
    }

    fn advance_lock(&mut self) {
        let (voters, me, head) = (self.voters(), self.config.me, self.chain.head());
        let majority = self.quorum().majority();
        let voted = self.votes.acknowledged_by(voters, me, head, majority);
        self.locked = self.locked.max(voted);
    }

    fn advance_commit(&mut self, now: Tick, out: &mut Effects) {
        let (voters, me, quorum) = (self.voters(), self.config.me, self.quorum());
        let votes = if self.config.breaks(Mutant::CommitByMajority) {
            quorum.majority()
        } else {
            quorum.superquorum()
        };
        let head = self.chain.head();
        let by_votes = self.votes.acknowledged_by(voters, me, head, votes);
        let by_locks = self
            .votes
            .locked_by(voters, me, self.locked, quorum.majority());
        let mut decided = by_votes.max(by_locks).max(self.votes.known_decided());
        if self.config.breaks(Mutant::CommitOwnLock) {
            decided = decided.max(self.locked);
        }
        self.commit_to(now, decided, out);
    }

    /// Everything up to `position` of the own chain is decided.
    pub(super) fn commit_to(&mut self, now: Tick, position: Position, out: &mut Effects) {
        if position <= self.committed {
            return;
        }
        assert!(
            position <= self.chain.head(),
            "only what is held is decided here"
        );
        self.locked = self.locked.max(position);
        while self.committed < position {
            self.execute(self.committed.next(), out);
        }
        self.intake.executed(position);
        self.want_changed_members(now, out);
        self.wishes.on_progress();
        self.timers.cancel(Timer::Stall);
        self.arm_stall(now);
        let limits = &self.config.limits;
        let bytes = limits.history.retained_bytes;
        self.chain.truncate(position, limits.retained, bytes);
    }

    fn execute(&mut self, position: Position, out: &mut Effects) {
        self.committed = position;
        let time = self.chain.time(position).expect("it is held");
        let Some(Value::Packet(proposal)) = self.chain.value(position) else {
            return;
        };
        // The chain is not touched while its batch is read; the borrow checker cannot see it.
        let mut batch = core::mem::take(&mut self.scratch);
        batch.clear();
        batch.extend_from_slice(proposal.batch.bytes());
        let mine = ReplicaId(proposal.sender) == self.config.me;
        let parsed = Batch::parse(&batch).expect("it was checked");
        for request in &parsed {
            if request.client == ClientId::GROUP {
                self.execute_change(&request, mine, out);
            } else {
                self.execute_request(&request, time, mine, out);
            }
        }
        self.scratch = batch;
    }

    fn execute_request(
        &mut self,
        request: &Request<'_>,
        time: AgreedTime,
        mine: bool,
        out: &mut Effects,
    ) {
        let freshness = match self.history.freshness(request.client, request.number) {
            Freshness::Repeated(_) if self.config.breaks(Mutant::ExecuteTwice) => Freshness::New,
            freshness => freshness,
        };
        match freshness {
            Freshness::New => {
                let origin = Origin {
                    time,
                    ..Origin::default()
                };
                let slot = self
                    .history
                    .append(self.installed.as_view(), RequestRef::new(origin, request));
                self.history.commit(slot);
                self.counters.executed += 1;
            }
            // It was asked for at two members, or proposed twice: the first copy did it.
            Freshness::Repeated(_) => self.counters.copies += 1,
            Freshness::Stale => {
                self.counters.stale += 1;
                self.intake.done(request.client, request.number);
                return;
            }
        }
        if mine {
            self.reply_to(request.client, request.reply_to, out);
        }
        self.intake.done(request.client, request.number);
    }

    /// Whether something here waits for a decision.
    pub(super) fn waits_for_a_decision(&self) -> bool {
        self.newest_work > self.committed || self.intake.len() > 0 || !self.reads.is_empty()
    }
}
