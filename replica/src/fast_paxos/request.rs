//! Every replica: a request goes behind the log as it comes, and the coordinator is told.
//!
//! Everything that comes in one go is voted for at once: a vote's hash stands for the whole log.
//! The timer for it is due at once, so a lone request's vote does not wait.

use super::timers::Timer;
use super::{FastPaxos, Mutant};
use crate::client_table::Freshness;
use crate::history::{Origin, RequestRef};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::fast_paxos::{Ballot, FastPaxosMessage, Forward, Vote, Want};
use wire::message::{Message, Request};
use wire::{SlotNumber, SummaryHash, Tick};

/// At most so many requests are forwarded for one WANT.
const FORWARDED_MAX: usize = 32;

impl<S: StateMachine> FastPaxos<S> {
    /// A request from a client.
    pub(super) fn on_request(
        &mut self,
        now: Tick,
        origin: Origin,
        request: &Request<'_>,
        out: &mut Effects,
    ) {
        let request = RequestRef::new(origin, request);
        if self.mode == Mode::Normal || self.votes_unfrozen() {
            self.take(now, request, out);
        } else {
            self.counters.deferred += 1;
            let limits = self.config.limits.deferred;
            self.counters.deferred_dropped += self.deferred.push(limits, request.to_stored());
        }
    }

    /// Only a mutant does.
    fn votes_unfrozen(&self) -> bool {
        self.config.breaks(Mutant::NoFreeze)
            && self.mode == Mode::Reconciling
            && self.pending.is_none()
            && self.leader_of(self.accepted.view) != self.config.me
    }

    /// Takes what came while the replica had stopped.
    pub(super) fn replay_deferred(&mut self, now: Tick, out: &mut Effects) {
        for request in self.deferred.take() {
            self.take(now, request.as_ref(), out);
        }
    }

    /// Appends a request if it is new and this replica may.
    pub(super) fn take(&mut self, now: Tick, request: RequestRef<'_>, out: &mut Effects) {
        // In a classic ballot the coordinator takes it, from its own packet.
        if !self.fast && !self.is_leader() {
            return;
        }
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(_) if self.is_leader() => {
                self.counters.resent += 1;
                self.reply_again(request.client, request.reply_to, out);
            }
            // The coordinator answers; what it has not got, its heartbeat's votes show.
            Freshness::Repeated(_) => {}
            Freshness::New if self.may_append() => self.append(now, request, out),
            Freshness::New => self.counters.throttled += 1,
        }
    }

    fn may_append(&self) -> bool {
        let limits = &self.config.limits;
        self.history.speculative_len() < limits.uncommitted_entries
            && self.history.speculative_bytes() < limits.uncommitted_bytes
    }

    fn append(&mut self, now: Tick, request: RequestRef<'_>, out: &mut Effects) {
        let slot = self.history.append(self.view, request);
        self.counters.executed += 1;
        if self.mode == Mode::Normal && self.is_leader() {
            self.after_append(now, slot, request.operation.len(), out);
        } else {
            self.timers.arm(Timer::Vote, now);
        }
    }

    /// Tells the coordinator what was accepted, and what this replica has behind that.
    pub(super) fn vote(&self, out: &mut Effects) {
        if !self.is_following() && !self.votes_unfrozen() {
            return;
        }
        let log = self.history.log();
        self.send_vote(
            self.accepted,
            self.settled,
            (log.last(), log.last_hash()),
            out,
        );
    }

    pub(super) fn send_vote(
        &self,
        ballot: Ballot,
        settled: SlotNumber,
        (slot, hash): (SlotNumber, SummaryHash),
        out: &mut Effects,
    ) {
        let vote = FastPaxosMessage::Vote(Vote {
            ballot,
            replica: self.config.me,
            settled,
            slot,
            hash,
        });
        out.send(self.leader_of(ballot.view), &Message::FastPaxos(vote));
    }

    /// Hands a request to the coordinator, whose log lacks it.
    pub(super) fn forward(&self, request: RequestRef<'_>, out: &mut Effects) {
        let forward = FastPaxosMessage::Forward(Forward {
            view: self.view,
            replica: self.config.me,
            time: request.origin.time,
            request: request.as_request(),
        });
        out.send(self.leader_of(self.view), &Message::FastPaxos(forward));
    }

    /// The coordinator has not got what this replica has voted for.
    pub(super) fn on_want(&mut self, message: Want, out: &mut Effects) {
        if message.ballot != self.accepted || !self.is_following() {
            return;
        }
        let log = self.history.log();
        if message.above < log.base() {
            return;
        }
        for (_, entry) in log.above(message.above).take(FORWARDED_MAX) {
            self.forward(entry.request, out);
        }
    }
}
