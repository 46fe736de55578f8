//! When this replica sends a packet to the group, and what is in it.
//!
//! One packet of its own is on its way at a time. With something to say it is sent at once, or as
//! soon as the last one is back; so at low load a request never waits, and under load batches grow
//! by themselves. Without anything to say it is sent now and then: soon while somebody has
//! something to learn from it, else seldom.

use super::{Rounds, Timer};
use crate::client_table::Freshness;
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use wire::message::rounds::{Batch, Frontier, RoundPacket, RoundsMessage};
use wire::message::{Message, Reply, Request};
use wire::{ClientId, HostAddress, Position, ReplicaId, Tick};

/// The measured time of a packet to the root and back counts with one part in so many.
const SMOOTHING: u64 = 8;
/// A packet is taken for lost after so many times the usual.
const PATIENCE: u64 = 4;
/// So many packets that were sent last are measured when they come back, however late.
const REMEMBERED: usize = 8;

/// What was sent last, and how long a packet is usually under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Beat {
    /// The count of this life's packets.
    number: u64,
    sent_at: Tick,
    /// When the last packets were sent, by their number.
    sent: [(u64, Tick); REMEMBERED],
    flight_ns: u64,
    /// What the last packet said.
    acknowledged: Position,
    locked: Position,
}

impl Beat {
    /// What was said last may not have been heard, or was of another epoch: it is to be said
    /// again.
    pub(super) fn forget_what_was_said(&mut self) {
        self.acknowledged = Position::ZERO;
        self.locked = Position::ZERO;
    }

    /// The number of the packet that was sent last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    fn sends(&mut self, now: Tick) {
        self.number += 1;
        self.sent_at = now;
        self.sent[Self::place(self.number)] = (self.number, now);
    }

    fn place(number: u64) -> usize {
        usize::try_from(number % REMEMBERED as u64).expect("smaller than the array")
    }

    /// The own packet `number` is back. One that was taken for lost counts too: on a fabric
    /// slower than thought no other would ever be seen. `most_ns` bounds what a pause of this
    /// process, or of the root, does to the waits after it.
    pub(super) fn measured(&mut self, number: u64, now: Tick, most_ns: u64) {
        let (sent, at) = self.sent[Self::place(number)];
        if sent != number {
            return;
        }
        // What comes twice is measured once; no packet has number 0.
        self.sent[Self::place(number)].0 = 0;
        let took = now.since(at).min(most_ns);
        self.flight_ns = match self.flight_ns {
            0 => took,
            usual => usual - usual / SMOOTHING + took / SMOOTHING,
        };
    }

    /// The time that so many packets take one after the other.
    pub(super) fn flights_us(&self, count: u64) -> u64 {
        count * self.flight_ns / 1_000
    }
}

impl<S: StateMachine> Rounds<S> {
    /// A client's request.
    pub(super) fn on_request(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        if matches!(self.mode, Mode::Recovering | Mode::Outside) {
            // The client will ask another member.
            return;
        }
        if request.client == ClientId::GROUP {
            self.on_change_request(now, request, out);
            return;
        }
        let limit = self.batch_limit();
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(_) => {
                self.counters.resent += 1;
                self.reply_to(request.client, request.reply_to, out);
            }
            Freshness::New if Batch::cost(request.operation.len()) > limit => {
                self.counters.rejected += 1;
            }
            Freshness::New if self.is_read(request) => self.on_read(now, request, out),
            Freshness::New if self.intake.len() >= self.config.limits.requests => {
                self.counters.throttled += 1;
            }
            Freshness::New => {
                if self.intake.take(request) {
                    self.arm_stall(now);
                }
            }
        }
    }

    /// Sends a client the reply to its newest request.
    pub(super) fn reply_to(&self, client: ClientId, address: HostAddress, out: &mut Effects) {
        let Some(saved) = self.history.saved_reply(client) else {
            return;
        };
        let reply = Reply {
            client,
            number: saved.number,
            replica: self.config.me,
            view: self.installed.as_view(),
            slot: saved.slot,
            hash: saved.hash,
            committed: true,
            result: saved.result,
        };
        out.reply(address, &Message::Reply(reply));
    }

    fn batch_limit(&self) -> usize {
        self.config
            .payload_limit
            .saturating_sub(RoundPacket::OVERHEAD)
    }

    /// Sends a packet if there is something to say and none is on its way.
    pub(super) fn beat_if_owed(&mut self, now: Tick, out: &mut Effects) {
        if self.mode == Mode::Normal && !self.intake.is_in_flight() && self.owes() {
            self.send_packet(now, out);
        }
    }

    fn owes(&self) -> bool {
        let proposes = self.intake.has_waiting() && self.may_propose();
        proposes || self.reads.want_packet() || self.owes_acknowledgement() || self.owes_lock()
    }

    /// A slow group gets empty packets only, until it has caught up.
    fn may_propose(&self) -> bool {
        let undecided = self.chain.head().0 - self.committed.0;
        undecided < self.config.limits.undecided / 2
    }

    /// Work, or a barrier of another member, was voted for and nobody has been told; or there is no room for more votes before
    /// what was voted for is decided.
    fn owes_acknowledgement(&self) -> bool {
        let owed = if self.may_vote() {
            let head = self.chain.head();
            self.newest_work.max(self.reads.awaited().min(head))
        } else {
            self.chain.head()
        };
        owed > self.beat.acknowledged
    }

    /// Work has a majority, is not decided, and nobody has been told; or there is no room for
    /// more votes before something is decided, work or not: a group that is behind its root has to
    /// be faster than it.
    fn owes_lock(&self) -> bool {
        let matters = self.locked.min(self.newest_work) > self.committed || !self.may_vote();
        self.locked > self.beat.locked && matters
    }

    fn send_packet(&mut self, now: Tick, out: &mut Effects) {
        self.beat.sends(now);
        let limit = if self.may_propose() {
            self.batch_limit()
        } else {
            0
        };
        let mut batch = core::mem::take(&mut self.scratch);
        self.intake.depart(self.beat.number, limit, &mut batch);
        let packet = RoundPacket {
            replica: self.config.me,
            incarnation: self.incarnation(),
            number: self.beat.number,
            epoch: self.installed,
            acknowledged: self.chain.frontier(),
            locked: self.locked_frontier(),
            committed: self.committed,
            barrier: !self.reads.is_empty(),
            batch: Batch::parse(&batch).expect("it was just built"),
        };
        out.multicast(&Message::Rounds(RoundsMessage::Round(packet)));
        self.beat.acknowledged = packet.acknowledged.position;
        self.beat.locked = packet.locked.position;
        self.scratch = batch;
        let usual = self.beat.flights_us(PATIENCE);
        let patience = usual.max(self.config.timings.flight_us);
        self.timers.arm(Timer::Flight, now.plus_us(patience));
        self.arm_beat(now);
    }

    pub(super) fn locked_frontier(&self) -> Frontier {
        let footing = self.chain.footing_at(self.locked);
        footing.expect("what is locked is held").frontier
    }

    fn arm_beat(&mut self, now: Tick) {
        let timings = &self.config.timings;
        let pause = if self.somebody_learns(now) {
            timings.retry_us
        } else {
            timings.idle_us
        };
        self.timers
            .arm(Timer::Beat, self.beat.sent_at.plus_us(pause));
    }

    /// Something has changed: the next packet may be due sooner.
    pub(super) fn hurry_beat(&mut self, now: Tick) {
        if self.mode == Mode::Normal && self.somebody_learns(now) {
            let soon = self.beat.sent_at.plus_us(self.config.timings.retry_us);
            self.timers.arm_by(Timer::Beat, soon);
        }
    }

    /// Whether work is undecided here or at a member that was heard lately, or reads wait here.
    fn somebody_learns(&self, now: Tick) -> bool {
        let silent_ns = self.config.timings.silent_us * 1_000;
        let learns = |member: ReplicaId| {
            now.since(self.heard[usize::from(member.0)]) < silent_ns
                && self.votes.decided_at(member) < self.newest_work
        };
        let mut others = self.voters().without(self.config.me).iter();
        !self.reads.is_empty() || self.committed < self.newest_work || others.any(learns)
    }

    pub(super) fn on_beat(&mut self, now: Tick, out: &mut Effects) {
        if self.mode != Mode::Normal {
            return;
        }
        if self.intake.is_in_flight() {
            let later = now.plus_us(self.config.timings.retry_us);
            self.timers.arm(Timer::Beat, later);
            return;
        }
        self.send_packet(now, out);
    }

    /// The own packet is lost, or the root is.
    pub(super) fn on_flight_overdue(&mut self, now: Tick, out: &mut Effects) {
        self.intake.give_up_flight();
        // What it said may not have been heard either.
        self.beat.forget_what_was_said();
        self.beat_if_owed(now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST_NS: u64 = 50_000_000;

    #[test]
    fn packets_slower_than_thought_are_measured_though_others_were_sent_since() {
        let mut beat = Beat::default();
        for at in [0, 1_000, 2_000] {
            beat.sends(Tick(0).plus_us(at));
        }
        beat.measured(1, Tick(0).plus_us(3_000), MOST_NS);
        beat.measured(1, Tick(0).plus_us(9_000), MOST_NS);
        assert_eq!(beat.flights_us(1), 3_000);
        for _ in 0..REMEMBERED {
            beat.sends(Tick(0).plus_us(4_000));
        }
        // Too long ago to be remembered.
        beat.measured(2, Tick(0).plus_us(9_000), MOST_NS);
        assert_eq!(beat.flights_us(1), 3_000);
    }

    #[test]
    fn a_pause_does_not_make_the_waits_endless() {
        let mut beat = Beat::default();
        beat.sends(Tick(0));
        beat.measured(1, Tick(0).plus_us(60_000_000), MOST_NS);
        assert_eq!(beat.flights_us(8), 400_000);
    }
}
