//! A follower of a degraded view: it appends what the leader has ordered, in the leader's order,
//! and tells how far it has got.
//!
//! One question for what is missing is on the way at a time, and what is ordered meanwhile is
//! kept ([`ahead`](super::ahead)).

use super::SpecPaxos;
use super::ahead::Run;
use super::timers::Timer;
use crate::client_table::Freshness;
use crate::history::{StoredRequest, owned};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::{Log, Message, Prepare, SyncReply};
use wire::{SlotNumber, SummaryHash, Tick};

impl<S: StateMachine> SpecPaxos<S> {
    pub(super) fn is_following_an_order(&self) -> bool {
        self.mode == Mode::Normal && self.degraded && !self.is_leader()
    }

    /// The leader says what comes next.
    pub(super) fn on_prepare(&mut self, now: Tick, message: &Prepare<'_>, out: &mut Effects) {
        let leader = self.leader_of(message.view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return;
        }
        self.hear(leader, now);
        if message.view > self.view {
            self.change_view(now, message.view, true, out);
        } else if message.view == self.view && self.is_following_an_order() {
            self.hear_leader(now);
            let run = Run {
                base: message.base,
                base_hash: message.base_hash,
                committed: message.committed,
                entries: owned(&message.entries),
            };
            if run.base > self.history.log().last() {
                let missing = self.ordering.ahead.keep(run);
                self.fetch_ordered(now, missing, out);
            } else {
                self.follow(&run, out);
            }
        }
    }

    /// What was asked for. If something is still missing, it is asked for at once.
    pub(super) fn on_ordered_log(&mut self, now: Tick, message: &Log<'_>, out: &mut Effects) {
        let before = self.history.log().last();
        if message.base > before {
            return;
        }
        let run = Run {
            base: message.base,
            base_hash: message.base_hash,
            committed: message.committed,
            entries: owned(&message.entries),
        };
        self.follow(&run, out);
        if self.history.log().last() > before {
            self.fetch_ordered_again(now, out);
        }
    }

    /// A snapshot was installed: what is kept may follow on it.
    pub(super) fn follow_snapshot(&mut self, now: Tick, out: &mut Effects) {
        self.take_ahead();
        self.after_following(out);
        self.fetch_ordered_again(now, out);
    }

    /// Appends a run that begins in the own log or right behind it, and what was kept behind it.
    fn follow(&mut self, run: &Run, out: &mut Effects) {
        if self.append_ordered(run) {
            self.take_ahead();
            self.after_following(out);
        }
    }

    fn take_ahead(&mut self) {
        let last = self.history.log().last();
        if let Some(run) = self.ordering.ahead.take(last) {
            self.append_ordered(&run);
        }
    }

    fn after_following(&mut self, out: &mut Effects) {
        if self.ordering.fetching <= self.history.log().last() {
            self.timers.cancel(Timer::FetchCommitted);
        }
        self.acknowledge(out);
    }

    /// Appends what it does not have, and commits; returns whether it has all of it now.
    fn append_ordered(&mut self, run: &Run) -> bool {
        let last = self.history.log().last();
        let known = usize::try_from(last.0 - run.base.0).unwrap_or(usize::MAX);
        if let Some((before, rest)) = beyond(run, known) {
            if self.history.log().last_hash() != before || !self.history.chain_holds(last, rest) {
                self.counters.rejected += 1;
                return false;
            }
            for (_, request) in rest {
                self.history.append(self.view, request.as_ref());
                self.counters.executed += 1;
            }
            let history = &self.history;
            self.deferred.executed(rest.len(), |request| {
                history.freshness(request.client, request.number) == Freshness::New
            });
        }
        self.commit_ordered(run.committed);
        true
    }

    fn commit_ordered(&mut self, committed: SlotNumber) {
        let log = self.history.log();
        let slot = committed.min(log.last());
        if slot > log.last_committed() {
            self.history.commit(slot);
        }
    }

    /// Tells the leader up to where it has the log.
    fn acknowledge(&self, out: &mut Effects) {
        let log = self.history.log();
        let reply = SyncReply {
            view: self.view,
            replica: self.config.me,
            slot: log.last(),
            reached: log.last(),
            hash: log.last_hash(),
        };
        out.send(self.leader_of(self.view), &Message::SyncReply(reply));
    }

    /// Something on the way was lost or late; asks for everything up to `to`, unless an answer
    /// is awaited.
    pub(super) fn fetch_ordered(&mut self, now: Tick, to: SlotNumber, out: &mut Effects) {
        let last = self.history.log().last();
        let awaited = self.ordering.fetching > last && self.timers.is_armed(Timer::FetchCommitted);
        self.ordering.fetching = self.ordering.fetching.max(to);
        if !awaited {
            self.fetch_ordered_again(now, out);
        }
    }

    /// Asks for what is missing, if anything is: the last question is answered, or was lost.
    pub(super) fn fetch_ordered_again(&mut self, now: Tick, out: &mut Effects) {
        if self.ordering.fetching > self.history.log().last() {
            let again = now.plus_us(self.config.timings.resend_us);
            self.timers.arm(Timer::FetchCommitted, again);
            self.fetch_log(self.leader_of(self.view), self.ordering.fetching, out);
        }
    }
}

/// What a log that has the first `known` entries of `run` lacks of it, and the hash that it must
/// end with; nothing if it lacks nothing.
fn beyond(run: &Run, known: usize) -> Option<(SummaryHash, &[(SummaryHash, StoredRequest)])> {
    let rest = run.entries.get(known..).filter(|rest| !rest.is_empty())?;
    let before = known
        .checked_sub(1)
        .map_or(run.base_hash, |newest| run.entries[newest].0);
    Some((before, rest))
}
