//! Packets that were missed (OSDI'16, section 5.3).
//!
//! A follower asks the leader. If the leader itself lacks a packet it makes f+1 replicas agree
//! that nothing is executed there, before it goes on; who has the request drops it, and its client
//! asks again.

use super::timers::Timer;
use super::{Mutant, NoPaxos};
use crate::history::{Origin, RequestRef};
use crate::protocol::Mode;
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use wire::message::nopaxos::{GapCommit, GapOk, NoPaxosMessage, Run};
use wire::message::{Body, FetchPackets, Message, Packet};
use wire::{AgreedTime, SequenceNumber, Tick};

/// Packets asked for at once.
const FETCH_MAX: u64 = 64;

/// A question's patience doubles at most this often.
const DOUBLINGS_MAX: u32 = 5;

/// What is being done about the first hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Gap {
    first: SequenceNumber,
    attempts: u32,
    /// Leader: what the others are asked to hold as no-ops. What comes of it now comes too late.
    agreement: Option<Agreement>,
}

/// Who has a run as no-ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Agreement {
    run: Run,
    agreed: ReplicaSet,
}

impl Gap {
    /// Whether the leader has begun to make others agree that a position holds nothing.
    pub(super) fn is_agreed_on(&self, position: SequenceNumber) -> bool {
        self.agreement
            .is_some_and(|agreement| position <= agreement.run.last)
    }
}

impl<S: StateMachine> NoPaxos<S> {
    /// A hole that is not the one being asked about has its own time. Who may append nothing
    /// more does not care.
    pub(super) fn note_hole(&mut self, now: Tick) {
        let hole = self.arrivals.hole(self.ledger.head());
        match hole {
            None => {
                self.timers.cancel(Timer::Gap);
                self.gap = Gap::default();
            }
            Some(run) if run.first != self.gap.first => {
                self.gap = Gap {
                    first: run.first,
                    ..Gap::default()
                };
                let reorder = self.config.timings.reorder_us;
                self.timers.arm(Timer::Gap, now.plus_us(reorder));
            }
            Some(_) => {}
        }
    }

    /// Something has been missing for a while.
    pub(super) fn on_gap_timer(&mut self, now: Tick, out: &mut Effects) {
        let Some(run) = self.arrivals.hole(self.ledger.head()) else {
            return;
        };
        if self.mode != Mode::Normal {
            return;
        }
        let patience = self.config.timings.fetch_us << self.gap.attempts.min(DOUBLINGS_MAX);
        self.gap.attempts += 1;
        self.timers.arm(Timer::Gap, now.plus_us(patience));
        if self.is_leader() {
            self.agree_on_no_ops(now, run, out);
        } else {
            self.ask_leader_for(run, out);
        }
    }

    fn ask_leader_for(&self, run: Run, out: &mut Effects) {
        let count = (run.last.0 - run.first.0).saturating_add(1);
        let fetch = FetchPackets {
            replica: self.config.me,
            epoch: self.session(),
            first: run.first,
            count: u8::try_from(count.min(FETCH_MAX)).expect("small"),
        };
        out.send(self.leader_of(self.view), &Message::FetchPackets(fetch));
    }

    /// Leader: a follower lacks packets. What is committed it gets otherwise.
    pub(super) fn on_fetch_packets(&self, fetch: FetchPackets, out: &mut Effects) {
        if !self.is_leading() || fetch.epoch != self.session() {
            return;
        }
        let count = u64::from(fetch.count).min(FETCH_MAX);
        let wanted = (fetch.first.0..fetch.first.0.saturating_add(count)).map(SequenceNumber);
        let committed = self.ledger.committed_position();
        for sequence in wanted.filter(|p| *p > committed && *p <= self.ledger.head()) {
            let request = self.ledger.link_at(sequence);
            let packet = Packet {
                replica: self.config.me,
                epoch: fetch.epoch,
                sequence,
                time: request.map_or(AgreedTime::ZERO, |request| request.origin.time),
                body: request.map_or(Body::Absent, |request| Body::Request(request.as_request())),
            };
            out.send(fetch.replica, &Message::Packet(packet));
        }
    }

    /// Follower: the leader's answer. What the leader says is right, whatever came here.
    pub(super) fn on_packet(&mut self, now: Tick, packet: &Packet<'_>, out: &mut Effects) {
        let from_leader = packet.replica == self.leader_of(self.view);
        let missing = packet.sequence > self.ledger.head();
        let current = self.is_following() && packet.epoch == self.session();
        if !(from_leader && missing && current) {
            return;
        }
        let origin = Origin {
            epoch: packet.epoch,
            sequence: packet.sequence,
            time: packet.time,
        };
        let request = match packet.body {
            Body::Absent | Body::Other => None,
            Body::Request(request) => Some(RequestRef::new(origin, &request).to_stored()),
        };
        self.counters.gaps_filled += 1;
        let limits = &self.config.limits;
        self.arrivals.hold(limits, packet.sequence, request);
        self.take_ready(now, out);
    }

    /// Leader: wants a run that it lacks to hold nothing, and asks the others again who have not
    /// said that it does.
    fn agree_on_no_ops(&mut self, now: Tick, run: Run, out: &mut Effects) {
        let fresh = Agreement {
            run,
            agreed: ReplicaSet::default(),
        };
        let agreement = *self.gap.agreement.get_or_insert(fresh);
        if !self.config.breaks(Mutant::GapAlone) {
            let commit = GapCommit {
                view: self.view,
                run: agreement.run,
            };
            for replica in (0..self.n()).map(super::replica_at) {
                if self.is_peer(replica) && !agreement.agreed.contains(replica) {
                    let commit = Message::NoPaxos(NoPaxosMessage::GapCommit(commit));
                    out.send(replica, &commit);
                }
            }
        }
        self.go_on_if_agreed(now, out);
    }

    fn go_on_if_agreed(&mut self, now: Tick, out: &mut Effects) {
        let Some(agreement) = self.gap.agreement else {
            return;
        };
        let agreed = agreement.agreed.len() + 1;
        if agreed >= self.config.quorum.majority() || self.config.breaks(Mutant::GapAlone) {
            self.counters.gaps_given_up += 1;
            self.ledger.no_op(agreement.run);
            self.gap = Gap::default();
            self.take_ready(now, out);
        }
    }

    /// Follower: nothing is to be executed in a run. It says so once its log has got there.
    pub(super) fn on_gap_commit(&mut self, now: Tick, message: GapCommit, out: &mut Effects) {
        let GapCommit { view, run } = message;
        if !self.follows(now, view, out) || run.first > self.ledger.head().next() {
            return;
        }
        let keeps = self.config.breaks(Mutant::KeepRequest) && run.last <= self.ledger.head();
        if !keeps {
            self.ledger.no_op(run);
        }
        let ok = GapOk {
            view,
            replica: self.config.me,
            last: run.last,
        };
        let ok = Message::NoPaxos(NoPaxosMessage::GapOk(ok));
        out.send(self.leader_of(view), &ok);
        self.take_ready(now, out);
    }

    pub(super) fn on_gap_ok(&mut self, now: Tick, message: GapOk, out: &mut Effects) {
        let GapOk {
            view,
            replica,
            last,
        } = message;
        if view != self.view || !self.is_leading() {
            return;
        }
        if let Some(agreement) = &mut self.gap.agreement
            && agreement.run.last == last
        {
            agreement.agreed.insert(replica);
            self.go_on_if_agreed(now, out);
        }
    }

    /// Leader, or who was one: what was to be agreed on is for the next view to say.
    pub(super) fn forget_gap(&mut self) {
        self.gap = Gap::default();
    }
}
