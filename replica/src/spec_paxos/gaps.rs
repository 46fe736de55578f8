//! Gap-aware speculation: a replica that sees from the root's count that it missed a packet asks
//! a peer for it before it executes what follows.
//!
//! The published protocol executes past the hole; one lost packet then costs a reconciliation.
//! Here it costs a round trip between replicas. If nobody has the packet in time the replica
//! goes on without it, which is an ordinary divergence. A pair that was overtaken is put back in
//! order on the way. Nothing is ever inserted before an entry that was appended: a packet whose
//! turn has been comes last.

use super::arrivals::{Known, Passed, Place, Waiting};
use super::timers::Timer;
use super::{SpecPaxos, replica_at};
use crate::history::{Origin, RequestRef};
use crate::protocol::Mode;
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use wire::message::{Body, FetchPackets, Message, Packet, Wants};
use wire::{
    AgreedTime, ClientId, EpochNumber, ReplicaId, RequestNumber, SequenceNumber, SlotNumber, Tick,
};

/// Peers are asked that often for one packet, in turn, before a replica goes on without it.
const ATTEMPTS_MAX: usize = 4;
/// Packets asked for at once.
const FETCH_MAX: u64 = 16;
/// So many of the newest entries are looked through for a packet that a peer lacks.
const REMEMBERED_MAX: u64 = 4_096;

/// What is being done about the first hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Gap {
    first: SequenceNumber,
    attempts: usize,
    absent: ReplicaSet,
}

/// A packet of the group as it came.
pub(super) enum Arrived<'a> {
    Other,
    Request(RequestRef<'a>),
}

impl Arrived<'_> {
    fn passed(&self) -> Passed {
        match self {
            Arrived::Other => Passed::Other,
            Arrived::Request(request) => Passed::Request {
                client: request.client,
                number: request.number,
                time: request.origin.time,
            },
        }
    }

    fn to_waiting(&self) -> Waiting {
        match self {
            Arrived::Other => Waiting::Other,
            Arrived::Request(request) => Waiting::Request(request.to_stored()),
        }
    }
}

impl<S: StateMachine> SpecPaxos<S> {
    /// A packet that the root has numbered; returns whether its turn is now, so that the caller
    /// deals with it and then calls [`after_turn`](Self::after_turn).
    pub(super) fn is_turn_of(
        &mut self,
        now: Tick,
        origin: Origin,
        packet: &Arrived<'_>,
        out: &mut Effects,
    ) -> bool {
        let request = match packet {
            Arrived::Other => None,
            Arrived::Request(request) => Some((request.client, request.number)),
        };
        let (epoch, sequence) = (origin.epoch, origin.sequence);
        if epoch > self.arrivals.epoch() {
            self.give_up_hole(now, out);
            self.arrivals.begin(epoch, sequence);
        }
        let waits = self.config.gap_awareness && self.mode == Mode::Normal && !self.degraded;
        match self.arrivals.place(epoch, sequence, request) {
            Place::NewEpoch => unreachable!("it has just begun"),
            Place::Copy => {
                self.counters.copies += 1;
                false
            }
            Place::Late => {
                if epoch == self.arrivals.epoch() {
                    self.arrivals.found(sequence, packet.passed());
                }
                true
            }
            Place::Now => {
                self.arrivals.pass(packet.passed());
                true
            }
            Place::Ahead if waits && !self.arrivals.is_beyond_window(sequence) => {
                self.arrivals.hold(sequence, packet.to_waiting());
                self.note_hole(now);
                false
            }
            Place::Ahead => {
                self.give_up_before(now, sequence, out);
                // What waited may have begun a view change; then this one is deferred.
                self.arrivals.skip_to(sequence);
                self.arrivals.pass(packet.passed());
                true
            }
        }
    }

    /// Deals with the packets whose turn has come because of an earlier one.
    pub(super) fn after_turn(&mut self, now: Tick, out: &mut Effects) {
        while let Some(waiting) = self.arrivals.ready() {
            self.take_waiting(now, waiting, out);
        }
        self.note_hole(now);
    }

    /// A hole that is not the one being asked about has its own time: what comes behind a hole
    /// must not hurry the peer that was asked, and the next hole must not wait for the last one's
    /// answer.
    fn note_hole(&mut self, now: Tick) {
        match self.arrivals.hole() {
            None => {
                self.timers.cancel(Timer::Gap);
                self.gap = Gap::default();
            }
            Some((first, _)) if first != self.gap.first => {
                self.gap = Gap {
                    first,
                    ..Gap::default()
                };
                let reorder = self.config.timings.reorder_us;
                self.timers.arm(Timer::Gap, now.plus_us(reorder));
            }
            Some(_) => {}
        }
    }

    fn take_waiting(&mut self, now: Tick, waiting: Waiting, out: &mut Effects) {
        match waiting {
            Waiting::Other => self.arrivals.pass(Passed::Other),
            Waiting::Request(request) => {
                let request = request.as_ref();
                self.arrivals.pass(Arrived::Request(request).passed());
                self.take_request(now, request, Wants::Reply, out);
            }
        }
    }

    /// Goes on without anything that has not come before `sequence`.
    fn give_up_before(&mut self, now: Tick, sequence: SequenceNumber, out: &mut Effects) {
        while let Some((first, length)) = self.arrivals.hole() {
            let behind = SequenceNumber(first.0 + length);
            if behind >= sequence {
                return;
            }
            self.counters.gaps_given_up += 1;
            self.arrivals.skip_to(behind);
            self.after_turn(now, out);
        }
    }

    /// Goes on without whatever is missing.
    fn give_up_hole(&mut self, now: Tick, out: &mut Effects) {
        self.give_up_before(now, SequenceNumber(u64::MAX), out);
    }

    /// A view change begins: what waits is deferred like everything that comes from now on.
    pub(super) fn defer_waiting(&mut self) {
        for waiting in self.arrivals.take_waiting().into_values() {
            if let Waiting::Request(request) = waiting {
                self.defer(request);
            }
        }
        self.gap = Gap::default();
        self.timers.cancel(Timer::Gap);
    }

    /// Something has been missing for a while: asks the next peer, or goes on without it.
    pub(super) fn on_gap_timer(&mut self, now: Tick, out: &mut Effects) {
        let Some((first, length)) = self.arrivals.hole() else {
            return;
        };
        let peers = self.n() - 1;
        if self.gap.attempts >= ATTEMPTS_MAX || self.gap.absent.len() >= peers {
            self.counters.gaps_given_up += 1;
            self.arrivals.skip_to(SequenceNumber(first.0 + length));
            self.after_turn(now, out);
            return;
        }
        let peer = self.peer_to_ask();
        self.gap.attempts += 1;
        self.pace.fetching(now);
        let fetch = FetchPackets {
            replica: self.config.me,
            epoch: self.arrivals.epoch(),
            first,
            count: u8::try_from(length.min(FETCH_MAX)).expect("small"),
        };
        out.send(peer, &Message::FetchPackets(fetch));
        // A peer that is busy answers late: each question waits twice as long as the last.
        let patience = self.pace.fetch_us(&self.config.timings);
        let patience = patience << (self.gap.attempts - 1);
        self.timers.arm(Timer::Gap, now.plus_us(patience));
    }

    /// The leader has executed more than this replica has seen. If nothing comes after the packet
    /// that is missing, no hole shows; so the leader is asked what comes next.
    pub(super) fn ask_for_tail(&mut self, leader: ReplicaId, out: &mut Effects) {
        if self.config.gap_awareness && self.arrivals.hole().is_none() {
            let fetch = FetchPackets {
                replica: self.config.me,
                epoch: self.arrivals.epoch(),
                first: self.arrivals.next(),
                count: u8::try_from(FETCH_MAX).expect("small"),
            };
            out.send(leader, &Message::FetchPackets(fetch));
        }
    }

    /// Peers in turn; those that are silent, or do not have it, last.
    fn peer_to_ask(&self) -> ReplicaId {
        let (n, me) = (self.n(), usize::from(self.config.me.0));
        let turn = (1..n).map(|step| replica_at((me + step) % n));
        let turn = || turn.clone().cycle().skip(self.gap.attempts).take(n - 1);
        turn()
            .find(|peer| !self.peers.is_suspected(*peer) && !self.gap.absent.contains(*peer))
            .or_else(|| turn().next())
            .expect("a replica that is alone misses nothing")
    }

    /// A peer lacks packets that this replica may have.
    pub(super) fn on_fetch_packets(&self, fetch: FetchPackets, out: &mut Effects) {
        let count = u64::from(fetch.count).min(FETCH_MAX);
        for sequence in (fetch.first.0..fetch.first.0.saturating_add(count)).map(SequenceNumber) {
            let stored;
            let body = match self.arrivals.tell(fetch.epoch, sequence) {
                // It may be on its way to both; the other will ask again.
                Known::NotYet => continue,
                Known::Passed(Passed::Absent) => None,
                Known::Passed(Passed::Other) | Known::Waits(Waiting::Other) => Some(Body::Other),
                Known::Passed(Passed::Request {
                    client,
                    number,
                    time,
                }) => {
                    stored = self.remembered(client, number, time);
                    stored.map(|request| Body::Request(request.as_request()))
                }
                Known::Waits(Waiting::Request(request)) => {
                    Some(Body::Request(request.as_ref().as_request()))
                }
            };
            let packet = Packet {
                replica: self.config.me,
                epoch: fetch.epoch,
                sequence,
                time: self.time_of(fetch.epoch, sequence),
                body: body.unwrap_or(Body::Absent),
            };
            out.send(fetch.replica, &Message::Packet(packet));
        }
    }

    /// The time stamped on a packet that is known.
    fn time_of(&self, epoch: EpochNumber, sequence: SequenceNumber) -> AgreedTime {
        match self.arrivals.tell(epoch, sequence) {
            Known::Passed(Passed::Request { time, .. }) => time,
            Known::Waits(Waiting::Request(request)) => request.origin.time,
            _ => AgreedTime::ZERO,
        }
    }

    /// A request whose turn has been, if the log still has it. Its client may have asked again
    /// since, so the client table cannot tell where it is.
    fn remembered(
        &self,
        client: ClientId,
        number: RequestNumber,
        time: AgreedTime,
    ) -> Option<RequestRef<'_>> {
        let log = self.history.log();
        let oldest = log
            .last()
            .0
            .saturating_sub(REMEMBERED_MAX)
            .max(log.base().0);
        let newest_first = (oldest + 1..=log.last().0).rev().map(SlotNumber);
        let mut request = newest_first
            .filter_map(|slot| log.get(slot))
            .map(|entry| entry.request)
            .find(|request| (request.client, request.number) == (client, number))?;
        request.origin.time = time;
        Some(request)
    }

    /// A peer's answer about a packet that is missing.
    pub(super) fn on_packet(&mut self, now: Tick, packet: &Packet<'_>, out: &mut Effects) {
        let origin = Origin {
            epoch: packet.epoch,
            sequence: packet.sequence,
            time: packet.time,
        };
        let waiting = match packet.body {
            Body::Absent => None,
            Body::Other => Some(Waiting::Other),
            Body::Request(request) => Some(Waiting::Request(
                RequestRef::new(origin, &request).to_stored(),
            )),
        };
        let place = self.arrivals.place(packet.epoch, packet.sequence, None);
        let missing = matches!(place, Place::Now | Place::Ahead)
            && !self.arrivals.is_beyond_window(packet.sequence);
        if self.mode != Mode::Normal || self.degraded || !missing {
            return;
        }
        match waiting {
            Some(waiting) => {
                self.counters.gaps_filled += 1;
                self.pace.fetched(now);
                self.arrivals.hold(packet.sequence, waiting);
                self.after_turn(now, out);
            }
            None if packet.sequence == self.gap.first && self.arrivals.hole().is_some() => {
                self.gap.absent.insert(packet.replica);
                self.on_gap_timer(now, out);
            }
            None => {}
        }
    }
}
