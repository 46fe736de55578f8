//! The normal case (NSDI'15, section 4.2): append, hash, execute, answer.

use super::{DEFERRED_MAX, SpecPaxos};
use crate::client_table::Freshness;
use crate::history::{Origin, StoredRequest};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::{Message, Reply, Request, Wants};
use wire::{SlotNumber, StampHeader, Tick};

impl<S: StateMachine> SpecPaxos<S> {
    pub(super) fn on_request(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        request: &Request<'_>,
        out: &mut Effects,
    ) {
        let stamped = stamp.is_some_and(StampHeader::is_stamped);
        if self.config.stamps && !stamped {
            self.counters.unstamped += 1;
            return;
        }
        let origin = stamp.map(Origin::of).unwrap_or_default();
        if self.mode != Mode::Normal {
            self.defer(StoredRequest::new(origin, request));
            return;
        }
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::New => self.execute(now, StoredRequest::new(origin, request), out),
            Freshness::Repeated(slot) => {
                self.counters.resent += 1;
                self.reply(slot, out);
                self.settle(now, slot, request.wants, out);
            }
        }
    }

    /// Appends a new request, executes it and answers.
    pub(super) fn execute(&mut self, now: Tick, request: StoredRequest, out: &mut Effects) {
        let slot = self.history.append(self.view, request);
        self.counters.executed += 1;
        self.reply(slot, out);
        self.note_append(now, slot, out);
    }

    /// Sends the reply saved at `slot`. A reply names the view in which its sender is normal now.
    pub(super) fn reply(&self, slot: SlotNumber, out: &mut Effects) {
        assert_eq!(
            self.mode,
            Mode::Normal,
            "a reply is a vote, and only normal replicas vote"
        );
        // An entry that was truncated was committed long ago, and its client has moved on or
        // will learn nothing new here.
        let Some(entry) = self.history.log().get(slot) else {
            return;
        };
        let reply = Reply {
            client: entry.request.client,
            number: entry.request.number,
            replica: self.config.me,
            view: self.view,
            slot,
            hash: entry.hash,
            committed: slot <= self.history.log().last_committed(),
            result: &entry.result,
        };
        out.reply(entry.request.reply_to, &Message::Reply(reply));
    }

    /// Keeps a request until the replica is normal again.
    pub(super) fn defer(&mut self, request: StoredRequest) {
        if self.deferred.len() == DEFERRED_MAX {
            self.counters.deferred_dropped += 1;
        } else {
            self.counters.deferred += 1;
            self.deferred.push(request);
        }
    }

    /// Executes what was deferred, in the root's order.
    pub(super) fn replay_deferred(&mut self, now: Tick, out: &mut Effects) {
        let mut deferred = core::mem::take(&mut self.deferred);
        deferred.sort_by_key(|request| request.origin);
        for request in deferred {
            if self.history.freshness(request.client, request.number) == Freshness::New {
                self.execute(now, request, out);
            }
        }
    }

    /// A client asked again: does what it takes to get its request out of limbo.
    fn settle(&mut self, now: Tick, slot: SlotNumber, wants: Wants, out: &mut Effects) {
        if slot <= self.history.log().last_committed() {
            return;
        }
        match wants {
            Wants::Commit if self.is_leader() => self.synchronize(now, out),
            Wants::Reply | Wants::Commit => {}
            Wants::Reconciliation => self.reconcile(now, out),
        }
    }
}
