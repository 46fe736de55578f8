//! What the coordinator says: what to accept, and what is chosen.
//!
//! A request that loses its slot is not lost. If the coordinator has told something that came later
//! here, it may never have got the request, and is sent it; it is not appended again here, for then
//! this log would be longer than the coordinator's, and all votes from here would be for nothing
//! until the next collision. All other requests are on their way to the coordinator: in a fast
//! ballot they go behind again, in the order in which they came.

use super::timers::Timer;
use super::{FastPaxos, Mutant};
use crate::client_table::Freshness;
use crate::history::{StoredRequest, owned};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::Message;
use wire::message::fast_paxos::{Accept, Ask, Ballot, Chosen, FastPaxosMessage};
use wire::{SlotNumber, Tick, ViewNumber};

/// What a replica knows that it has not got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Following {
    /// The newest ballot heard of.
    ballot: Ballot,
    /// Up to where the coordinator has said that something is chosen.
    chosen: SlotNumber,
    /// Whether the coordinator was asked.
    asked: bool,
}

impl<S: StateMachine> FastPaxos<S> {
    /// On becoming a follower, or hearing of the coordinator.
    pub(super) fn await_leader(&mut self, now: Tick) {
        let patience = self.rhythm.patience_us(self.config.timings.suspect_us);
        self.timers
            .arm(Timer::CoordinatorSilent, now.plus_us(patience));
    }

    pub(super) fn on_leader_silent(&mut self, now: Tick, out: &mut Effects) {
        self.peers.suspect(self.leader_of(self.view));
        self.next_view(now, out);
    }

    /// Whether a word of the coordinator of `view` is to be heeded. A newer view is joined: its
    /// coordinator has begun it.
    fn heeds(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) -> bool {
        let leader = self.leader_of(view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return false;
        }
        self.hear(leader, now);
        if view < self.view {
            self.tell_newer_view(leader, out);
            return false;
        }
        if view > self.view {
            self.promise(now, view, out);
        }
        if self.mode == Mode::Normal {
            self.rhythm.heard(now);
            self.await_leader(now);
        }
        true
    }

    pub(super) fn on_accept(&mut self, now: Tick, message: &Accept<'_>, out: &mut Effects) {
        if self.heeds(now, message.ballot.view, out) {
            self.accept(now, message, out);
        }
    }

    /// Makes the log what the coordinator tells, and says so.
    pub(super) fn accept(&mut self, now: Tick, message: &Accept<'_>, out: &mut Effects) {
        let end = message.end();
        let in_ballot = self.mode == Mode::Normal && message.ballot == self.accepted;
        if message.ballot < self.accepted || (in_ballot && end <= self.settled) {
            self.vote(out);
            return;
        }
        let log = self.history.log();
        let committed = log.last_committed();
        let stands =
            message.base < committed || log.hash_at(message.base) == Some(message.base_hash);
        if !stands {
            if self.is_following() && self.config.breaks(Mutant::AcceptPastHole) {
                let last = message.entries.iter().last();
                let hash = last.map_or(message.base_hash, |entry| entry.hash);
                self.send_vote(message.ballot, end, (end, hash), out);
            }
            self.note_lacking(now, message.ballot, message.committed);
            self.ask_unless_asked(now, out);
            return;
        }
        let Some(displaced) = self.adopt(message) else {
            self.counters.rejected += 1;
            return;
        };
        self.fast = message.fast;
        self.settled = if in_ballot {
            self.settled.max(end)
        } else {
            end
        };
        self.settled = self.settled.min(self.history.log().last());
        self.accepted = message.ballot;
        if self.mode != Mode::Normal {
            self.become_normal(now, out);
        }
        self.commit_up_to(message.committed.min(end));
        self.place_again(now, displaced, out);
        self.replay_deferred(now, out);
        self.note_lacking(now, message.ballot, message.committed);
        self.timers.cancel(Timer::Vote);
        self.vote(out);
    }

    /// Makes the log up to the message's end be the coordinator's. Returns what was undone for it,
    /// oldest first; `None`: the message contradicts itself.
    fn adopt(&mut self, message: &Accept<'_>) -> Option<Vec<StoredRequest>> {
        let end = message.end();
        let entries = owned(&message.entries);
        let end_hash = entries.last().map_or(message.base_hash, |(hash, _)| *hash);
        let (base, entries) = self.history.above_committed(message.base, entries);
        if !self.history.chain_holds(base, &entries) {
            return None;
        }
        let log = self.history.log();
        let agrees = end <= log.last_committed() || log.hash_at(end) == Some(end_hash);
        let mut undone = if agrees && message.fast {
            Vec::new()
        } else if agrees {
            // Behind what is told there is nothing in a classic ballot.
            let mut undone = Vec::new();
            let keep = end.max(log.last_committed());
            self.history.rollback(keep, |request| undone.push(request));
            undone
        } else {
            let adopted = self.history.replace_above(self.view, base, entries);
            self.counters.executed += adopted.executed;
            adopted.undone
        };
        self.counters.rolled_back += undone.len() as u64;
        undone.reverse();
        Some(undone)
    }

    /// What lost its slot to the coordinator's log, oldest first.
    fn place_again(&mut self, now: Tick, displaced: Vec<StoredRequest>, out: &mut Effects) {
        let is_new = |replica: &Self, request: &StoredRequest| {
            replica.history.freshness(request.client, request.number) == Freshness::New
        };
        let has = |request| !is_new(self, request);
        let passed = displaced.iter().rposition(has).map_or(0, |last| last + 1);
        for (index, request) in displaced.into_iter().enumerate() {
            if index >= passed && self.fast {
                self.take(now, request.as_ref(), out);
            } else if is_new(self, &request) {
                self.forward(request.as_ref(), out);
            }
        }
    }

    pub(super) fn on_chosen(&mut self, now: Tick, message: Chosen, out: &mut Effects) {
        if !self.heeds(now, message.ballot.view, out) {
            return;
        }
        let log = self.history.log();
        let known = log.hash_at(message.slot) == Some(message.hash);
        if known || self.config.breaks(Mutant::CommitUnchecked) {
            self.commit_up_to(message.slot);
        }
        // The packet that is missing may be late only; another one in its place will not go away.
        let differs = !known
            && (self.history.log().last_committed()..=self.history.log().last())
                .contains(&message.slot);
        self.note_lacking(now, message.ballot, message.slot);
        if self.mode != Mode::Normal || (differs && self.lacks()) {
            self.ask_unless_asked(now, out);
        }
        if message.asks {
            self.vote(out);
        }
    }

    /// Whether the coordinator is known to have something that this replica has not.
    fn lacks(&self) -> bool {
        let following = &self.following;
        self.mode != Mode::Normal
            || self.accepted < following.ballot
            || self.history.log().last_committed() < following.chosen
    }

    /// Learns what the coordinator has; if something is missing it is asked for in a while.
    fn note_lacking(&mut self, now: Tick, ballot: Ballot, chosen: SlotNumber) {
        self.following.ballot = ballot.max(self.following.ballot);
        self.following.chosen = chosen.max(self.following.chosen);
        if !self.lacks() {
            self.following.asked = false;
            self.timers.cancel(Timer::Ask);
        } else if !self.timers.is_armed(Timer::Ask) {
            let at = now.plus_us(self.config.timings.late_us);
            self.timers.arm(Timer::Ask, at);
        }
    }

    fn ask_unless_asked(&mut self, now: Tick, out: &mut Effects) {
        if !self.following.asked {
            self.ask(now, out);
        }
    }

    pub(super) fn on_ask_due(&mut self, now: Tick, out: &mut Effects) {
        self.following.asked = false;
        if self.lacks() {
            self.ask(now, out);
        }
    }

    /// Asks the coordinator for everything that is not committed here.
    pub(super) fn ask(&mut self, now: Tick, out: &mut Effects) {
        self.following.asked = true;
        let again = now.plus_us(self.config.timings.resend_us);
        self.timers.arm(Timer::Ask, again);
        let ask = FastPaxosMessage::Ask(Ask {
            view: self.view,
            replica: self.config.me,
            committed: self.history.log().last_committed(),
        });
        out.send(self.leader_of(self.view), &Message::FastPaxos(ask));
    }
}
