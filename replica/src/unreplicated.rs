//! One server, no replication: the ceiling that every protocol is compared with.
//!
//! Requests are executed as they come; every reply is final.

use crate::client_table::Freshness;
use crate::history::{Bounds, History, Origin, RequestRef};
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::{Effects, StateMachine};
use wire::message::{Message, Reply};
use wire::{ReplicaId, SlotNumber, StampHeader, Tick, ViewNumber};

/// The server.
pub struct Unreplicated<S: StateMachine> {
    history: History<S>,
    stamps: bool,
    counters: Counters,
}

impl<S: StateMachine> Unreplicated<S> {
    /// A server of `machine` that keeps `retained_bytes` of old requests for retransmissions.
    pub fn new(machine: S, stamps: bool, retained_bytes: usize) -> Self {
        let bounds = Bounds {
            retained_bytes,
            ..Bounds::default()
        };
        let history = History::new(machine, stamps, bounds);
        Self {
            history,
            stamps,
            counters: Counters::default(),
        }
    }

    fn reply(&self, slot: SlotNumber, out: &mut Effects) {
        let Some(entry) = self.history.log().get(slot) else {
            return;
        };
        let reply = Reply {
            client: entry.request.client,
            number: entry.request.number,
            replica: ReplicaId::ZERO,
            view: ViewNumber::ZERO,
            slot,
            hash: entry.hash,
            committed: true,
            result: entry.result,
        };
        out.reply(entry.request.reply_to, &Message::Reply(reply));
    }
}

impl<S: StateMachine> Protocol for Unreplicated<S> {
    fn on_message(
        &mut self,
        _now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        let Message::Request(request) = message else {
            self.counters.rejected += 1;
            return;
        };
        if self.stamps && !stamp.is_some_and(StampHeader::is_stamped) {
            self.counters.unstamped += 1;
            return;
        }
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(slot) => {
                self.counters.resent += 1;
                self.reply(slot, out);
            }
            Freshness::New => {
                let origin = stamp.map(Origin::of).unwrap_or_default();
                let request = RequestRef::new(origin, &request);
                let slot = self.history.append(ViewNumber::ZERO, request);
                self.counters.executed += 1;
                self.reply(slot, out);
                self.history.commit(slot);
            }
        }
    }

    fn on_deadline(&mut self, _now: Tick, _out: &mut Effects) {}

    fn deadline(&self) -> Option<Tick> {
        None
    }

    fn status(&self) -> Status {
        let log = self.history.log();
        Status {
            replica: ReplicaId::ZERO,
            mode: Mode::Normal,
            degraded: false,
            view: ViewNumber::ZERO,
            last_speculative: log.last(),
            last_committed: log.last_committed(),
            hash: log.last_hash(),
            digest: self.history.machine().digest(),
            rounds: None,
            counters: self.counters,
        }
    }

    fn check(&self) {
        self.history.check();
    }
}
