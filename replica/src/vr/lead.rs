//! The leader: it orders requests, has the others hold them, commits and answers.
//!
//! A request that comes while nothing is on the way goes out at once. Those that come meanwhile
//! wait until it is committed or a packet is full, and go together: batches grow with the load,
//! and at low load nobody waits. Full packets follow each other without waiting (pipelining).
//! Every entry has the leader's clock as its time.

use super::timers::Timer;
use super::{Mutant, Vr, replica_at};
use crate::client_table::Freshness;
use crate::history::{Origin, RequestRef, StoredRequest};
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine, answer};
use alloc::vec::Vec;
use wire::message::vr::{Prepare, PrepareOk, VrMessage};
use wire::message::{Batch, Message, Request};
use wire::{AgreedTime, ClientId, EpochNumber, HostAddress, SequenceNumber, SlotNumber, Tick};

/// What a leader keeps beyond the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Leading {
    /// Everything up to here was sent to the others.
    sent: SlotNumber,
    /// What was not, in bytes of a batch.
    unsent_bytes: usize,
    /// The time of the entries that were not sent.
    time: AgreedTime,
    /// By replica: up to where it has the log.
    held: [SlotNumber; MAX_REPLICAS],
    /// Where batches are built; kept so that a packet costs no growth.
    storage: Vec<u8>,
}

impl<S: StateMachine> Vr<S> {
    /// On becoming the leader of a view whose log is installed.
    pub(super) fn begin_leading(&mut self, now: Tick) {
        self.leading = Leading {
            sent: self.history.log().last(),
            storage: core::mem::take(&mut self.leading.storage),
            ..Leading::default()
        };
        self.arm_heartbeat(now);
    }

    fn arm_heartbeat(&mut self, now: Tick) {
        let at = now.plus_us(self.config.timings.heartbeat_us);
        self.timers.arm(Timer::Heartbeat, at);
    }

    pub(super) fn on_heartbeat_due(&mut self, now: Tick, out: &mut Effects) {
        self.send_unsent(now, out);
        self.send_prepare(AgreedTime::default(), self.leading.sent, 0, out);
        self.arm_heartbeat(now);
    }

    /// A request, from a client or passed on by a follower.
    pub(super) fn on_request(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        if self.mode != Mode::Normal {
            self.counters.deferred += 1;
            let request = StoredRequest::new(origin_at(AgreedTime::default()), request);
            let limits = self.config.limits.deferred;
            self.counters.deferred_dropped += self.deferred.push(limits, request);
        } else if self.is_leader() {
            self.order(now, request, out);
        } else {
            out.send(self.leader_of(self.view), &Message::Request(*request));
        }
    }

    /// Orders what came while the replica had stopped, or passes it on.
    pub(super) fn replay_deferred(&mut self, now: Tick, out: &mut Effects) {
        for request in self.deferred.take() {
            self.on_request(now, &request.as_request(), out);
        }
    }

    fn order(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(_) => {
                self.counters.resent += 1;
                self.reply_again(request.client, request.reply_to, out);
            }
            Freshness::New if self.may_append() => self.append(now, request, out),
            Freshness::New => self.counters.throttled += 1,
        }
    }

    fn may_append(&self) -> bool {
        let limits = &self.config.limits;
        self.history.speculative_len() < limits.uncommitted_entries
            && self.history.speculative_bytes() < limits.uncommitted_bytes
    }

    fn append(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        let leading = &mut self.leading;
        if self.history.log().last() == leading.sent {
            leading.time = AgreedTime(now.0 / 1_000);
        }
        leading.unsent_bytes += Batch::cost(request.operation.len());
        let request = RequestRef::new(origin_at(leading.time), request);
        self.history.append(self.view, request);
        self.counters.executed += 1;
        self.send_if_due(now, out);
        self.commit_what_enough_hold(now, out);
    }

    fn send_if_due(&mut self, now: Tick, out: &mut Effects) {
        let idle = self.leading.sent <= self.history.log().last_committed();
        let full = Prepare::OVERHEAD + self.leading.unsent_bytes >= self.config.payload_limit;
        if idle || full || !self.config.batching {
            self.send_unsent(now, out);
        }
    }

    /// Sends everything that was not sent, a packet at a time.
    fn send_unsent(&mut self, now: Tick, out: &mut Effects) {
        let log = self.history.log();
        if self.leading.sent == log.last() {
            return;
        }
        while self.leading.sent < self.history.log().last() {
            let base = self.leading.sent;
            let (time, count) = self.next_batch(base);
            self.send_prepare(time, base, count, out);
            self.leading.sent = SlotNumber(base.0 + count as u64);
        }
        self.leading.unsent_bytes = 0;
        self.arm_heartbeat(now);
    }

    /// How many entries above `base` go into one packet, and their time, which is the same: a
    /// packet has one. Builds the batch.
    fn next_batch(&mut self, base: SlotNumber) -> (AgreedTime, usize) {
        let Self {
            history,
            leading,
            config,
            ..
        } = self;
        let room = config.payload_limit.saturating_sub(Prepare::OVERHEAD);
        leading.storage.clear();
        let (mut time, mut count) = (AgreedTime::default(), 0);
        for (_, entry) in history.log().above(base) {
            let cost = Batch::cost(entry.request.operation.len());
            if count == 0 {
                time = entry.request.origin.time;
            } else if leading.storage.len() + cost > room || entry.request.origin.time != time {
                break;
            }
            Batch::push(&mut leading.storage, &entry.request.as_request());
            count += 1;
            if !config.batching {
                break;
            }
        }
        (time, count)
    }

    /// Sends the batch that was built, or none, to all others.
    fn send_prepare(&self, time: AgreedTime, base: SlotNumber, count: usize, out: &mut Effects) {
        let batch = match count {
            0 => Batch::EMPTY,
            _ => Batch::parse(&self.leading.storage).expect("it was built here"),
        };
        let prepare = VrMessage::Prepare(Prepare {
            view: self.view,
            base,
            committed: self.history.log().last_committed(),
            time,
            batch,
        });
        out.send_others(self.config.me, self.n(), &Message::Vr(prepare));
    }

    pub(super) fn on_prepare_ok(&mut self, now: Tick, message: PrepareOk, out: &mut Effects) {
        if message.view != self.view || self.mode != Mode::Normal || !self.is_leader() {
            return;
        }
        if message.slot > self.history.log().last() {
            self.counters.rejected += 1;
            return;
        }
        let held = &mut self.leading.held[usize::from(message.replica.0)];
        *held = message.slot.max(*held);
        self.commit_what_enough_hold(now, out);
    }

    fn commit_what_enough_hold(&mut self, now: Tick, out: &mut Effects) {
        let last = self.history.log().last();
        let mut held = self.leading.held;
        held[usize::from(self.config.me.0)] = last;
        let held = &mut held[..self.config.quorum.n()];
        held.sort_unstable_by(|one, other| other.cmp(one));
        let needed = if self.config.breaks(Mutant::CommitAlone) {
            1
        } else {
            self.config.quorum.majority()
        };
        let slot = held[needed - 1].min(last);
        let committed = self.history.log().last_committed();
        if slot <= committed {
            return;
        }
        for slot in committed.0 + 1..=slot.0 {
            self.reply(SlotNumber(slot), out);
        }
        self.history.commit(slot);
        self.send_if_due(now, out);
    }

    /// Answers for an entry that a majority has.
    fn reply(&self, slot: SlotNumber, out: &mut Effects) {
        let (to, reply) = answer::at(&self.history, self.config.me, self.view, slot);
        out.reply(to, &Message::Reply(reply));
    }

    /// Answers a client again, if what it asked is committed; else the commit will.
    fn reply_again(&self, client: ClientId, address: HostAddress, out: &mut Effects) {
        if let Some(reply) = answer::again(&self.history, self.config.me, self.view, client) {
            out.reply(address, &Message::Reply(reply));
        }
    }

    /// What a view began with may lack an acknowledgement: everybody is asked at once.
    pub(super) fn announce(&mut self, now: Tick, out: &mut Effects) {
        for replica in (0..self.n()).map(replica_at) {
            if self.is_peer(replica) {
                self.repeat_start_view(now, replica, out);
            }
        }
        self.commit_what_enough_hold(now, out);
    }
}

/// Entries here have a time and no number of the root's.
pub(super) fn origin_at(time: AgreedTime) -> Origin {
    Origin {
        epoch: EpochNumber::ZERO,
        sequence: SequenceNumber::ZERO,
        time,
    }
}
