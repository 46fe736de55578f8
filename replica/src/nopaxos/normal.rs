//! The normal case (OSDI'16, section 5.2): append in the root's order and answer. The leader also
//! executes; a client believes f+1 that name one position, the leader among them.

use super::arrivals::Packet;
use super::{Mutant, NoPaxos, view};
use crate::history::{Origin, StoredRequest};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::nopaxos::{Answer, Executed, NoPaxosMessage, Run};
use wire::message::{Message, Request};
use wire::{EpochNumber, HostAddress, SequenceNumber, StampHeader, Tick, ViewNumber};

impl<S: StateMachine> NoPaxos<S> {
    /// A packet that the root has numbered. If it is not a request only its number matters.
    pub(super) fn on_stamped(
        &mut self,
        now: Tick,
        stamp: &StampHeader,
        request: Option<&Request<'_>>,
        out: &mut Effects,
    ) {
        if !matches!(self.mode, Mode::Normal | Mode::Reconciling) {
            return;
        }
        let origin = Origin::of(stamp);
        if origin.epoch > self.session() {
            self.enter_session(now, origin.epoch, out);
        }
        if origin.epoch < self.session() {
            self.counters.stale += 1;
        } else if self.is_known(origin.sequence) {
            self.counters.copies += 1;
        } else {
            let packet = request.map(|request| StoredRequest::new(origin, request));
            self.take_in(now, origin.sequence, packet, out);
        }
    }

    /// The root began a new term: what it orders now has nothing to do with what went before, so
    /// the replicas agree on where the old session ends.
    fn enter_session(&mut self, now: Tick, session: EpochNumber, out: &mut Effects) {
        let mut next = view::view_of(session, view::number_of(self.view));
        for _ in 0..self.n() {
            if !self.peers.is_suspected(self.leader_of(next)) {
                break;
            }
            next = view::after(next);
        }
        self.change_view(now, next, out);
    }

    /// Whether a position is decided here, or about to be.
    fn is_known(&self, position: SequenceNumber) -> bool {
        self.mode == Mode::Normal
            && (position <= self.ledger.head() || self.gap.is_agreed_on(position))
    }

    fn take_in(&mut self, now: Tick, position: SequenceNumber, packet: Packet, out: &mut Effects) {
        let normal = self.mode == Mode::Normal;
        let is_next = normal && position == self.ledger.head().next();
        if is_next && self.arrivals.is_empty() && self.may_append() {
            self.arrivals.note(position);
            self.append(self.view, position, packet, out);
            self.note_hole(now);
            return;
        }
        if self.mode == Mode::Reconciling {
            self.counters.deferred += 1;
        }
        self.arrivals.hold(&self.config.limits, position, packet);
        if normal {
            self.take_ready(now, out);
        } else if self.config.breaks(Mutant::NoFreeze) && self.pending.is_none() {
            self.append_unfrozen(out);
        }
    }

    /// Whether one more request may wait for a synchronization.
    fn may_append(&self) -> bool {
        let limits = &self.config.limits;
        let (links, bytes) = self.ledger.held();
        links < limits.uncommitted_requests && bytes < limits.uncommitted_bytes
    }

    /// Appends everything whose turn it is.
    pub(super) fn take_ready(&mut self, now: Tick, out: &mut Effects) {
        self.arrivals.forget_up_to(self.ledger.head());
        while self.may_append() {
            let next = self.ledger.head().next();
            if let Some(packet) = self.arrivals.take(next) {
                self.append(self.view, next, packet, out);
            } else if !self.skips_hole() {
                break;
            }
        }
        self.note_hole(now);
    }

    /// Only a mutant goes on past what it lacks.
    fn skips_hole(&mut self) -> bool {
        let hole = self.arrivals.hole(self.ledger.head());
        let hole = hole.filter(|_| self.config.breaks(Mutant::SkipHoles) && !self.is_leader());
        if let Some(hole) = hole {
            self.ledger.no_op(hole);
        }
        hole.is_some()
    }

    fn append(
        &mut self,
        view: ViewNumber,
        position: SequenceNumber,
        packet: Packet,
        out: &mut Effects,
    ) {
        let Some(request) = packet else {
            self.ledger.no_op(Run {
                first: position,
                last: position,
            });
            return;
        };
        let (client, number, reply_to) = (request.client, request.number, request.reply_to);
        let before = self.history().log().last();
        self.ledger.push(view, request);
        self.counters.executed += self.history().log().last().0 - before.0;
        let answer = Answer {
            client,
            number,
            replica: self.config.me,
            view,
            position,
            executed: None,
        };
        self.answer(reply_to, answer, out);
    }

    /// Answers a client. The leader has executed everything that it has.
    fn answer(&self, to: HostAddress, answer: Answer<'static>, out: &mut Effects) {
        let executed = if self.is_leading() {
            let saved = self.history().saved_reply(answer.client);
            let Some(saved) = saved.filter(|saved| saved.number == answer.number) else {
                // Older than the client's newest: it waits for no answer.
                return;
            };
            Some(Executed {
                slot: saved.slot,
                hash: saved.hash,
                committed: saved.committed,
                result: saved.result,
            })
        } else {
            None
        };
        let answer = Answer { executed, ..answer };
        out.reply(to, &Message::NoPaxos(NoPaxosMessage::Answer(answer)));
    }

    /// Leader: answers for what the view began with and is about to be committed. The answers that
    /// its clients have may be of an older view.
    pub(super) fn answer_committed(&self, request: &StoredRequest, out: &mut Effects) {
        let answer = Answer {
            client: request.client,
            number: request.number,
            replica: self.config.me,
            view: self.view,
            position: request.origin.sequence,
            executed: None,
        };
        self.answer(request.reply_to, answer, out);
    }

    /// Only a mutant gets here.
    fn append_unfrozen(&mut self, out: &mut Effects) {
        loop {
            let next = self.ledger.head().next();
            let same_session = self.ledger.session() == self.session();
            let Some(packet) = self.arrivals.take(next).filter(|_| same_session) else {
                return;
            };
            self.append(self.last_normal_view, next, packet, out);
        }
    }
}
