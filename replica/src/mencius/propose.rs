//! What this server proposes: requests in, batches out, and which of them are chosen.
//!
//! A request that comes while no proposal of this server's is on the way goes out at once. Those
//! that come meanwhile wait until it is chosen or a packet is full, and go together: batches grow
//! with the load, and at low load nobody waits. Full packets follow each other without waiting
//! (pipelining). That a proposal is chosen is said with the next message, and at once if there is
//! none and others wait for it.

use super::lane::StoredBatch;
use super::own::Proposal;
use super::timers::Timer;
use super::{Mencius, Mutant};
use crate::client_table::Freshness;
use crate::history::{Origin, StoredRequest};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::mencius::{Ack, Lane, MenciusMessage, Propose, Status};
use wire::message::{Batch, Request};
use wire::{AgreedTime, InstanceNumber, ReplicaId, Tick};

/// A question for lost proposals is answered with at most so many.
const RESENT_MAX: usize = 64;

impl<S: StateMachine> Mencius<S> {
    pub(super) fn on_heartbeat_due(&mut self, now: Tick, out: &mut Effects) {
        self.send_if_due(now, out);
        self.send_status(!self.own.proposals.is_empty(), out);
        self.arm_heartbeat(now);
    }

    fn arm_heartbeat(&mut self, now: Tick) {
        let at = now.plus_us(self.config.timings.heartbeat_us);
        self.timers.arm(Timer::Heartbeat, at);
    }

    pub(super) fn send_status(&self, asks: bool, out: &mut Effects) {
        let lane = self.own_lane();
        self.send_others(MenciusMessage::Status(Status { lane, asks }), out);
    }

    pub(super) fn on_request(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        if self.mode != Mode::Normal {
            self.counters.deferred += 1;
            self.counters.deferred_dropped += 1;
            return;
        }
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(_) => {
                self.counters.resent += 1;
                self.reply_again(request.client, request.reply_to, out);
            }
            Freshness::New => self.take(now, request, out),
        }
    }

    fn take(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        let taken = self.own.taken.get(&request.client);
        if taken.is_some_and(|number| *number >= request.number) {
            return;
        }
        let (limits, (requests, bytes)) = (&self.config.limits, self.own.requests());
        if requests >= limits.requests || bytes >= limits.request_bytes {
            self.counters.throttled += 1;
            return;
        }
        self.own.taken.insert(request.client, request.number);
        self.own
            .push(StoredRequest::new(Origin::default(), request));
        self.send_if_due(now, out);
    }

    /// Whether no proposal is on the way.
    fn is_idle(&self) -> bool {
        self.own.chosen >= self.own.last
    }

    fn may_propose(&self) -> bool {
        let window = self.config.turn() * self.config.limits.window;
        self.mode == Mode::Normal && self.own.next.0 <= self.executed.0 + window
    }

    pub(super) fn send_if_due(&mut self, now: Tick, out: &mut Effects) {
        let all = self.is_idle() || !self.config.batching;
        while !self.own.queue.is_empty() && self.may_propose() {
            let full =
                Propose::overhead(self.n()) + self.own.queue_bytes >= self.config.payload_limit;
            if !all && !full {
                return;
            }
            self.propose(now, out);
        }
    }

    /// Proposes as much as a packet holds.
    fn propose(&mut self, now: Tick, out: &mut Effects) {
        let requests = self.build_batch(out);
        if requests == 0 {
            return;
        }
        let (me, time) = (self.config.me, AgreedTime(now.0 / 1_000));
        let scratch = core::mem::take(&mut self.scratch);
        let batch = Batch::parse(&scratch).expect("it was built here");
        let propose = Propose {
            lane: self.own_lane(),
            time,
            batch,
        };
        self.send_others(MenciusMessage::Propose(propose), out);
        let batch = StoredBatch::new(time, batch);
        self.scratch = scratch;
        let instance = self.own.next;
        let ballot = self.lane(me).own_ballot(self.life());
        let accepted = Some(batch.clone());
        self.lane_mut(me).accept(instance, ballot, accepted);
        let next = self.lane(me).first_above(instance);
        let own = &mut self.own;
        own.flying += requests;
        own.flying_bytes += batch.len();
        let proposal = Proposal {
            batch,
            requests,
            previous: own.last,
        };
        own.proposals.insert(instance, proposal);
        own.last = instance;
        own.next = next;
        self.arm_heartbeat(now);
        self.count_acks();
        self.advance(now, out);
    }

    /// Builds a batch from the queue; returns how many requests are in it.
    fn build_batch(&mut self, out: &mut Effects) -> usize {
        let room = self
            .config
            .payload_limit
            .saturating_sub(Propose::overhead(self.n()));
        let mut requests = 0;
        self.scratch.clear();
        while let Some(first) = self.own.queue.front() {
            let cost = Batch::cost(first.operation.len());
            let alone = requests > 0 && !self.config.batching;
            if alone || (requests > 0 && self.scratch.len() + cost > room) {
                break;
            }
            let request = self.own.pop().expect("there is a first");
            // It may have been executed meanwhile, by way of another server.
            match self.history.freshness(request.client, request.number) {
                Freshness::New => {
                    Batch::push(&mut self.scratch, &request.as_request());
                    requests += 1;
                }
                Freshness::Repeated(_) => {
                    self.own.done(request.client, request.number);
                    self.reply_again(request.client, request.reply_to, out);
                }
                Freshness::Stale => self.own.done(request.client, request.number),
            }
        }
        requests
    }

    pub(super) fn on_ack(&mut self, now: Tick, message: &Ack, out: &mut Effects) {
        let sender = message.lane.replica;
        if !self.is_of_newest_life(sender, &message.lane.incarnations) {
            return;
        }
        self.note_lane(&message.lane);
        if message.owner_incarnation != self.life() {
            return;
        }
        if message.held > self.own.last {
            self.counters.rejected += 1;
            return;
        }
        self.own.note_ack(sender, message.above, message.held);
        self.retreat(message.revoked);
        let before = self.own.chosen;
        self.count_acks();
        self.advance(now, out);
        let said = self.own.last;
        self.send_if_due(now, out);
        let told = self.own.last > said;
        if self.own.chosen > before && !told && self.others_wait() {
            self.send_status(false, out);
        }
    }

    /// Whether somebody else's proposal is on the way: it is not executed before this server's
    /// are known to be chosen.
    fn others_wait(&self) -> bool {
        let mut others = self.replicas().filter(|owner| *owner != self.config.me);
        others.any(|owner| self.lane(owner).newest_batch() > self.executed)
    }

    /// What a majority has accepted is chosen.
    fn count_acks(&mut self) {
        let needed = if self.config.breaks(Mutant::CommitByMinority) {
            self.config.quorum.majority() - 1
        } else {
            self.config.quorum.majority()
        };
        let (me, n) = (self.config.me, self.n());
        let ballot = self.lane(me).own_ballot(self.life());
        let own = &mut self.own;
        for (instance, proposal) in own.proposals.range(own.chosen.next()..) {
            let acks = own.acked[..n].iter();
            let acks = acks.filter(|(above, held)| above < instance && instance <= held);
            if 1 + acks.count() < needed {
                break;
            }
            own.chosen = *instance;
            let value = Some(proposal.batch.clone());
            self.lanes[usize::from(me.0)].choose(*instance, ballot, value);
        }
    }

    /// Proposals that somebody lacks, oldest first.
    pub(super) fn resend_proposals(&self, to: ReplicaId, above: InstanceNumber, out: &mut Effects) {
        let above = above.max(self.own.base);
        let missing = self.own.proposals.range(above.next()..).take(RESENT_MAX);
        for (instance, proposal) in missing {
            let lane = Lane {
                last: proposal.previous,
                next: *instance,
                ..self.own_lane()
            };
            let propose = Propose {
                lane,
                time: proposal.batch.time,
                batch: proposal.batch.batch(),
            };
            Self::send(to, MenciusMessage::Propose(propose), out);
        }
    }
}
