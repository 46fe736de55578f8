//! Packets of the group: each has its turn, and its turn is a vote.
//!
//! A replica votes once for each position of an epoch: for the packet with the root's next number,
//! or for a no-op when nobody has it. Its votes are its chain; acknowledging tells how far that
//! goes.

use super::mutant::Mutant;
use super::proposal::{Stored, foreign, is_work, proposal_of};
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::Message;
use wire::message::rounds::{Proposal, RoundPacket, RoundsMessage, Value};
use wire::{Position, ReplicaId, SequenceNumber, StampHeader, Tick};

impl<S: StateMachine> Rounds<S> {
    /// A packet that the root has numbered.
    pub(super) fn on_stamped(
        &mut self,
        now: Tick,
        stamp: &StampHeader,
        message: &Message<'_>,
        out: &mut Effects,
    ) {
        self.stamped_at = now;
        self.attendance.note(stamp);
        let time = stamp.time().unwrap_or_default();
        let packet = match message {
            Message::Rounds(RoundsMessage::Round(packet))
                if usize::from(packet.replica.0) < self.config.known =>
            {
                Some(packet)
            }
            _ => None,
        };
        let proposal = packet.map_or_else(|| foreign(time), |packet| proposal_of(packet, time));
        if let Some(packet) = packet {
            self.note_barrier(stamp, packet, out);
            self.on_words_of(now, packet, out);
            self.note_own_copy(now, &proposal);
        } else {
            self.counters.rejected += 1;
        }
        if stamp.epoch > self.arrivals.term() {
            self.arrivals.begin(stamp.epoch);
            self.hole.forget();
        }
        if stamp.epoch == self.arrivals.term() {
            self.on_numbered(now, stamp.sequence, &proposal, out);
        }
        if stamp.epoch > self.installed.term {
            self.want_term(now, stamp.epoch, out);
        }
    }

    /// What a member says besides what it proposes.
    fn on_words_of(&mut self, now: Tick, packet: &RoundPacket<'_>, out: &mut Effects) {
        if packet.replica == self.config.me {
            return;
        }
        self.hear(packet.replica, now);
        if self.mode == Mode::Recovering {
            return;
        }
        if packet.epoch > self.installed {
            self.ask_for_epoch(now, packet.replica, packet.epoch, out);
        }
        let of_this_life = packet.incarnation == self.epoch_incarnations.of(packet.replica);
        let votes = of_this_life && self.voters().contains(packet.replica);
        if packet.epoch != self.installed || self.mode != Mode::Normal || !votes {
            return;
        }
        self.votes.hear(packet, &self.chain);
        self.after_votes(now, out);
    }

    fn on_numbered(
        &mut self,
        now: Tick,
        sequence: SequenceNumber,
        proposal: &Proposal<'_>,
        out: &mut Effects,
    ) {
        let votes = self.mode == Mode::Normal && self.arrivals.term() == self.installed.term;
        if !votes {
            self.hold(sequence, proposal);
            return;
        }
        if self.config.breaks(Mutant::VoteTwice) {
            self.vote_twice(sequence, proposal);
        }
        let next = self.next_sequence();
        if sequence < next {
            self.counters.copies += 1;
        } else if sequence == next && self.may_vote() {
            self.vote(&Value::Packet(*proposal));
            self.go_on(now, out);
        } else {
            self.hold(sequence, proposal);
            // Something decided may have made room for what has waited.
            self.go_on(now, out);
        }
    }

    /// The break: no-ops for what is missing before a packet, and other votes when it comes.
    fn vote_twice(&mut self, sequence: SequenceNumber, proposal: &Proposal<'_>) {
        while self.may_vote() && self.next_sequence() < sequence {
            self.vote(&Value::NoOp);
        }
        let position = Position(self.term_base.0 + sequence.0);
        let open = position > self.committed.max(self.epoch_start);
        if !open || self.chain.value(position) != Some(Value::NoOp) {
            return;
        }
        let mut above = Vec::new();
        while self.chain.head() > position {
            above.push(self.chain.pop());
        }
        self.chain.pop();
        let kept = self.chain.head();
        self.locked = self.locked.min(kept);
        self.votes.on_change_above(kept, &self.chain);
        self.intake.displace_above(kept);
        self.vote(&Value::Packet(*proposal));
        for value in above.iter().rev() {
            self.vote(&Stored::value_of(value.as_ref()));
        }
    }

    fn hold(&mut self, sequence: SequenceNumber, proposal: &Proposal<'_>) {
        let limit = self.config.limits.held;
        if !self.arrivals.hold(sequence, Stored::new(proposal), limit) {
            self.counters.copies += 1;
        }
    }

    /// Not too much may wait for a decision.
    pub(super) fn may_vote(&self) -> bool {
        self.chain.head().0 - self.committed.0 < self.config.limits.undecided
    }

    /// Votes for a value at the next position.
    pub(super) fn vote(&mut self, value: &Value<'_>) {
        self.chain.push(value);
        self.note_pushed(value);
        self.note_flight();
        self.votes.on_push(&self.chain);
    }

    /// The chain has one more value, voted for or adopted.
    pub(super) fn note_pushed(&mut self, value: &Value<'_>) {
        let head = self.chain.head();
        if is_work(value) {
            self.newest_work = head;
        }
        if let Value::Packet(proposal) = value
            && self.is_own(proposal)
        {
            self.intake.arrive(proposal.number, head);
            self.reads.placed(proposal.number, head);
        }
    }

    fn is_own(&self, proposal: &Proposal<'_>) -> bool {
        ReplicaId(proposal.sender) == self.config.me && proposal.incarnation == self.incarnation()
    }

    /// An own packet is back from the root, though its turn may come much later.
    fn note_own_copy(&mut self, now: Tick, proposal: &Proposal<'_>) {
        if !self.is_own(proposal) {
            return;
        }
        let most_ns = self.config.timings.silent_us * 1_000;
        self.beat.measured(proposal.number, now, most_ns);
        self.intake.is_back(proposal.number);
        self.note_flight();
    }

    fn note_flight(&mut self) {
        if !self.intake.is_in_flight() {
            self.timers.cancel(Timer::Flight);
        }
    }

    /// Votes for everything whose turn has come, and sees what follows.
    pub(super) fn go_on(&mut self, now: Tick, out: &mut Effects) {
        if self.mode != Mode::Normal {
            return;
        }
        self.vote_down_lacking(now);
        while self.may_vote()
            && self.arrivals.term() == self.installed.term
            && let Some(packet) = self.arrivals.take(self.next_sequence())
        {
            self.vote(&Value::Packet(packet.as_proposal()));
        }
        self.after_votes(now, out);
        self.note_hole(now);
    }
}
