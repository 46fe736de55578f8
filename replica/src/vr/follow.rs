//! A follower: it appends what the leader says in the leader's order, and tells how far it has
//! got. One question for what is missing is on the way at a time; what comes meanwhile is kept.

use super::lead::origin_at;
use super::timers::Timer;
use super::{Limits, Mutant, Vr};
use crate::client_table::Freshness;
use crate::history::{OwnedEntries, RequestRef, StoredRequest, owned};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::vr::{Prepare, PrepareOk, VrMessage};
use wire::message::{Log, Message};
use wire::{SlotNumber, Tick};

/// What a follower keeps beyond the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Following {
    /// Up to where the leader was asked for the log.
    fetching: SlotNumber,
    pub(super) ahead: Ahead,
}

/// A run of requests behind some that are missing; empty if none is kept. Without it a follower
/// that is a little behind stays there: while it fetches what it lacks, more passes by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ahead {
    base: SlotNumber,
    committed: SlotNumber,
    requests: Vec<StoredRequest>,
    bytes: usize,
}

impl Ahead {
    /// Keeps what continues the run, if there is room; returns up to where requests are missing.
    fn keep(&mut self, message: &Prepare<'_>, limits: &Limits) -> SlotNumber {
        if self.requests.is_empty() {
            (self.base, self.bytes) = (message.base, 0);
        }
        let end = SlotNumber(self.base.0 + self.requests.len() as u64);
        if message.base != end {
            return self.base;
        }
        let count = message.batch.iter().count();
        let bytes: usize = message.batch.iter().map(|r| r.operation.len()).sum();
        let fits = self.requests.len() + count <= limits.ahead_requests
            && self.bytes + bytes <= limits.ahead_bytes;
        if fits {
            let origin = origin_at(message.time);
            let requests = message.batch.iter();
            self.requests
                .extend(requests.map(|request| StoredRequest::new(origin, &request)));
            self.bytes += bytes;
            self.committed = self.committed.max(message.committed);
        }
        self.base
    }

    /// How many requests, and the bytes of their operations.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.requests.len(), self.bytes)
    }
}

impl<S: StateMachine> Vr<S> {
    /// On becoming a follower, or hearing of the leader.
    pub(super) fn await_leader(&mut self, now: Tick) {
        let patience = self.rhythm.patience_us(self.config.timings.suspect_us);
        self.timers.arm(Timer::LeaderSilent, now.plus_us(patience));
    }

    pub(super) fn on_leader_silent(&mut self, now: Tick, out: &mut Effects) {
        self.peers.suspect(self.leader_of(self.view));
        self.next_view(now, out);
    }

    pub(super) fn on_prepare(&mut self, now: Tick, message: &Prepare<'_>, out: &mut Effects) {
        let leader = self.leader_of(message.view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return;
        }
        self.hear(leader, now);
        if self.follows_wrongly(message) {
            self.follow(now, message, out);
        } else if message.view > self.view {
            self.change_view(now, message.view, out);
        } else if message.view < self.view {
            self.tell_newer_view(leader, out);
        } else if self.mode == Mode::Normal {
            self.rhythm.heard(now);
            self.await_leader(now);
            self.follow(now, message, out);
        } else {
            self.tell_newer_view(leader, out);
        }
    }

    /// Only a mutant does.
    fn follows_wrongly(&self, message: &Prepare<'_>) -> bool {
        let stopped = self.mode == Mode::Reconciling && self.pending.is_none();
        let unfrozen = stopped && message.view == self.last_normal_view;
        let old = self.is_following() && message.view < self.view;
        (unfrozen && self.config.breaks(Mutant::NoFreeze))
            || (old && self.config.breaks(Mutant::FollowOldLeader))
    }

    fn follow(&mut self, now: Tick, message: &Prepare<'_>, out: &mut Effects) {
        let last = self.history.log().last();
        if message.base > last {
            let missing = self.following.ahead.keep(message, &self.config.limits);
            if self.config.breaks(Mutant::AcknowledgePastHole) {
                let count = message.batch.iter().count() as u64;
                self.acknowledge(SlotNumber(message.base.0 + count), out);
            }
            self.fetch(now, missing, out);
            return;
        }
        let known = usize::try_from(last.0 - message.base.0).unwrap_or(usize::MAX);
        let origin = origin_at(message.time);
        for request in message.batch.iter().skip(known) {
            self.append_ordered(RequestRef::new(origin, &request));
        }
        self.commit_up_to(message.committed);
        self.after_following(out);
    }

    /// Appends the leader's next request. The leader's log has each request once.
    fn append_ordered(&mut self, request: RequestRef<'_>) {
        if self.history.freshness(request.client, request.number) == Freshness::New {
            self.history.append(self.view, request);
            self.counters.executed += 1;
        } else {
            self.counters.rejected += 1;
        }
    }

    pub(super) fn commit_up_to(&mut self, slot: SlotNumber) {
        let log = self.history.log();
        let slot = slot.min(log.last());
        if slot > log.last_committed() {
            self.history.commit(slot);
        }
    }

    /// Takes in what was kept, once the log reaches it, and tells the leader.
    fn after_following(&mut self, out: &mut Effects) {
        let last = self.history.log().last();
        let ahead = &self.following.ahead;
        if !ahead.requests.is_empty() && ahead.base <= last {
            let ahead = core::mem::take(&mut self.following.ahead);
            let known = usize::try_from(last.0 - ahead.base.0).unwrap_or(usize::MAX);
            for request in ahead.requests.iter().skip(known) {
                self.append_ordered(request.as_ref());
            }
            self.commit_up_to(ahead.committed);
        }
        let last = self.history.log().last();
        if self.following.fetching <= last {
            self.timers.cancel(Timer::Fetch);
        }
        self.acknowledge(last, out);
    }

    /// Tells the leader up to where this replica has its log.
    pub(super) fn acknowledge(&self, slot: SlotNumber, out: &mut Effects) {
        let unfrozen = self.mode != Mode::Normal && self.config.breaks(Mutant::NoFreeze);
        let view = if unfrozen {
            self.last_normal_view
        } else {
            self.view
        };
        let ok = PrepareOk {
            view,
            replica: self.config.me,
            slot,
        };
        out.send(self.leader_of(view), &Message::Vr(VrMessage::PrepareOk(ok)));
    }

    /// Something was lost or is late: asks for everything up to `to`, unless an answer is awaited.
    fn fetch(&mut self, now: Tick, to: SlotNumber, out: &mut Effects) {
        let last = self.history.log().last();
        let awaited = self.following.fetching > last && self.timers.is_armed(Timer::Fetch);
        self.following.fetching = self.following.fetching.max(to);
        if !awaited {
            self.fetch_again(now, out);
        }
    }

    /// Asks for what is missing, if anything is: the last question is answered, or was lost.
    pub(super) fn fetch_again(&mut self, now: Tick, out: &mut Effects) {
        let last = self.history.log().last();
        if self.following.fetching > last {
            let again = now.plus_us(self.config.timings.resend_us);
            self.timers.arm(Timer::Fetch, again);
            let leader = self.leader_of(self.view);
            self.fetch_log(leader, last, self.following.fetching, out);
        }
    }

    /// Follower: what was asked for. If something is still missing, it is asked for at once.
    pub(super) fn follow_log(&mut self, now: Tick, message: &Log<'_>, out: &mut Effects) {
        let last = self.history.log().last();
        if message.base > last {
            return;
        }
        let known = usize::try_from(last.0 - message.base.0).unwrap_or(usize::MAX);
        let mut entries = owned(&message.entries);
        let rest: OwnedEntries = entries.drain(known.min(entries.len())..).collect();
        if !self.history.chain_holds(last, &rest) {
            self.counters.rejected += 1;
            return;
        }
        for (_, request) in &rest {
            self.append_ordered(request.as_ref());
        }
        self.commit_up_to(message.committed);
        self.after_following(out);
        if self.history.log().last() > last {
            self.fetch_again(now, out);
        }
    }

    /// Follower: a snapshot was installed, and what is kept may follow on it.
    pub(super) fn follow_snapshot(&mut self, now: Tick, out: &mut Effects) {
        self.after_following(out);
        self.fetch_again(now, out);
    }
}
