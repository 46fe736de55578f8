//! The normal case (NSDI'15, section 4.2): append, hash, execute, answer.

use super::SpecPaxos;
use super::gaps::Arrived;
use crate::client_table::Freshness;
use crate::history::{Origin, RequestRef, StoredRequest};
use crate::mutant::Mutant;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::{Message, Reply, Request, Wants};
use wire::{ClientId, SlotNumber, StampHeader, Tick, ViewNumber};

impl<S: StateMachine> SpecPaxos<S> {
    /// A request to the group.
    pub(super) fn on_request(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        request: &Request<'_>,
        out: &mut Effects,
    ) {
        let stamped = stamp.filter(|stamp| stamp.is_stamped());
        let Some(stamp) = stamped else {
            if self.config.stamps {
                self.counters.unstamped += 1;
            } else {
                let request_ref = RequestRef::new(Origin::default(), request);
                self.take_request(now, request_ref, request.wants, out);
            }
            return;
        };
        let origin = Origin::of(stamp);
        let request_ref = RequestRef::new(origin, request);
        if self.is_turn_of(now, origin, &Arrived::Request(request_ref), out) {
            self.take_request(now, request_ref, request.wants, out);
            self.after_turn(now, out);
        }
    }

    /// A packet of the group that is not a request: only its number matters.
    pub(super) fn on_other_packet(&mut self, now: Tick, stamp: &StampHeader, out: &mut Effects) {
        if self.is_turn_of(now, Origin::of(stamp), &Arrived::Other, out) {
            self.after_turn(now, out);
        }
    }

    /// A request whose turn it is.
    pub(super) fn take_request(
        &mut self,
        now: Tick,
        request: RequestRef<'_>,
        wants: Wants,
        out: &mut Effects,
    ) {
        if self.mode != Mode::Normal {
            if self.mode == Mode::Reconciling && self.config.breaks(Mutant::NoFreeze) {
                self.execute_unfrozen(request, out);
            }
            self.defer(request.to_stored());
        } else if self.degraded {
            self.order(now, request, out);
        } else {
            self.speculate(now, request, wants, out);
        }
    }

    fn speculate(&mut self, now: Tick, request: RequestRef<'_>, wants: Wants, out: &mut Effects) {
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(slot) => {
                self.counters.resent += 1;
                if self.config.breaks(Mutant::ExecuteRepeated) {
                    self.history.execute_again(slot);
                }
                self.reply_to(request.client, request.reply_to, out);
                self.settle(now, slot, wants, out);
            }
            Freshness::New if self.may_append() => self.execute(now, request, out),
            Freshness::New => self.counters.throttled += 1,
        }
    }

    /// Whether one more entry may wait for a commit.
    pub(super) fn may_append(&self) -> bool {
        let limits = &self.config.limits;
        self.config.breaks(Mutant::SpeculateWithoutBound)
            || (self.history.speculative_len() < limits.speculative_entries
                && self.history.speculative_bytes() < limits.speculative_bytes)
    }

    /// Appends a new request, executes it and answers.
    fn execute(&mut self, now: Tick, request: RequestRef<'_>, out: &mut Effects) {
        let slot = self.history.append(self.view, request);
        self.counters.executed += 1;
        self.reply(slot, out);
        self.note_append(now, slot, out);
    }

    /// Only a mutant gets here.
    fn execute_unfrozen(&mut self, request: RequestRef<'_>, out: &mut Effects) {
        let new = self.history.freshness(request.client, request.number) == Freshness::New;
        if new && self.pending_start.is_none() {
            let slot = self.history.append(self.last_normal_view, request);
            self.reply_in(self.last_normal_view, slot, out);
        }
    }

    /// Answers for the entry at `slot`. A reply names the view in which its sender is normal now.
    pub(super) fn reply(&self, slot: SlotNumber, out: &mut Effects) {
        assert_eq!(
            self.mode,
            Mode::Normal,
            "a reply is a vote, and only normal replicas vote"
        );
        self.reply_in(self.view, slot, out);
    }

    /// Answers for entries that are about to be committed up to `slot`; afterwards they may have
    /// been truncated.
    pub(super) fn reply_committed(&self, slot: SlotNumber, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        for slot in committed.0 + 1..=slot.0 {
            self.reply_as(self.view, SlotNumber(slot), true, out);
        }
    }

    fn reply_in(&self, view: ViewNumber, slot: SlotNumber, out: &mut Effects) {
        let committed = slot <= self.history.log().last_committed();
        let early = self.degraded && self.config.breaks(Mutant::DegradedRepliesEarly);
        self.reply_as(view, slot, committed || early, out);
    }

    fn reply_as(&self, view: ViewNumber, slot: SlotNumber, committed: bool, out: &mut Effects) {
        let Some(entry) = self.history.log().get(slot) else {
            return;
        };
        let reply = Reply {
            client: entry.request.client,
            number: entry.request.number,
            replica: self.config.me,
            view,
            slot,
            hash: entry.hash,
            committed,
            result: entry.result,
        };
        assert!(
            reply.committed || !self.degraded,
            "nobody speculates in a degraded view"
        );
        out.reply(entry.request.reply_to, &Message::Reply(reply));
    }

    /// Answers a client again, from the log or from what the client table has saved.
    pub(super) fn reply_to(&self, client: ClientId, address: wire::HostAddress, out: &mut Effects) {
        let Some(saved) = self.history.saved_reply(client) else {
            return;
        };
        if self.degraded && !saved.committed {
            return;
        }
        let reply = Reply {
            client,
            number: saved.number,
            replica: self.config.me,
            view: self.view,
            slot: saved.slot,
            hash: saved.hash,
            committed: saved.committed,
            result: saved.result,
        };
        out.reply(address, &Message::Reply(reply));
    }

    /// Keeps a request until the replica may execute.
    pub(super) fn defer(&mut self, request: StoredRequest) {
        self.counters.deferred += 1;
        self.counters.deferred_dropped += self.deferred.push(self.config.limits.deferred, request);
    }

    /// Executes what was deferred, in the root's order.
    pub(super) fn replay_deferred(&mut self, now: Tick, out: &mut Effects) {
        for request in self.deferred.take() {
            let new = self.history.freshness(request.client, request.number) == Freshness::New;
            if new {
                self.take_request(now, request.as_ref(), Wants::Reply, out);
            }
        }
    }

    /// A client asked again: does what it takes to get its request out of limbo.
    fn settle(&mut self, now: Tick, slot: SlotNumber, wants: Wants, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        // What the view began with is committed as soon as f+1 have it; another view would
        // only put that off.
        let soon = slot <= self.view_start;
        if slot <= committed || soon {
            return;
        }
        match wants {
            Wants::Commit if self.is_leader() => self.synchronize(now, out),
            Wants::Reply | Wants::Commit => {}
            Wants::Reconciliation => self.reconcile(now, self.wants_degraded(), out),
        }
    }
}
