//! Packets that are missing: asked for, or voted against.
//!
//! Acknowledgements stop at a hole. Any member that has the packet sends it; only when a majority
//! lacks it is a no-op voted for. If others lock the packet all the same, it is adopted.

use super::proposal::Stored;
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::quorum::ReplicaSet;
use crate::{Effects, StateMachine};
use wire::message::rounds::{FetchRound, Held, HeldBody, RoundsMessage, Value};
use wire::{Position, SequenceNumber, Tick};

/// Packets asked for at once.
const FETCH_MAX: u64 = 16;
/// Each question waits twice as long as the last, at most so often doubled.
const DOUBLINGS_MAX: u32 = 5;

/// What is being done about the first hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hole {
    first: SequenceNumber,
    attempts: u32,
    lacking: ReplicaSet,
}

impl Hole {
    /// There is none, or it is another's.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl<S: StateMachine> Rounds<S> {
    /// Notes whether a packet is missing now.
    pub(super) fn note_hole(&mut self, now: Tick) {
        let next = self.next_sequence();
        if !self.may_vote() && self.others_are_ahead() {
            // What others say now is of positions that cannot be voted for yet, and what they
            // said of those that wait here is overwritten: only asking tells.
            self.want_positions(now);
        }
        match self.arrivals.missing_from(next) {
            None | Some(0) => {
                self.hole.forget();
                self.timers.cancel(Timer::Gap);
            }
            Some(_) if self.hole.first != next => {
                self.hole = Hole {
                    first: next,
                    ..Hole::default()
                };
                let soon = now.plus_us(self.config.timings.reorder_us);
                self.timers.arm(Timer::Gap, soon);
            }
            Some(_) => {}
        }
    }

    fn others_are_ahead(&self) -> bool {
        let head = self.chain.head();
        self.votes.furthest_locked(self.n(), head).is_some()
    }

    /// A packet has been missing for a while: everybody is asked.
    pub(super) fn on_gap(&mut self, now: Tick, out: &mut Effects) {
        let next = self.next_sequence();
        let Some(missing) = self
            .arrivals
            .missing_from(next)
            .filter(|missing| *missing > 0)
        else {
            return;
        };
        if self.mode != Mode::Normal {
            return;
        }
        let fetch = FetchRound {
            replica: self.config.me,
            epoch: self.installed,
            first: next,
            count: u8::try_from(missing.min(FETCH_MAX)).expect("small"),
        };
        self.send_others(RoundsMessage::FetchRound(fetch), out);
        let doublings = self.hole.attempts.min(DOUBLINGS_MAX);
        let usual = self.beat.flights_us(1);
        let patience = self.config.timings.fetch_us.max(usual) << doublings;
        self.timers.arm(Timer::Gap, now.plus_us(patience));
        self.hole.attempts += 1;
        if self.others_are_ahead() {
            // It was decided without this replica.
            self.want_positions(now);
        }
    }

    /// A member lacks packets that this one may have.
    pub(super) fn on_fetch_round(&self, fetch: FetchRound, out: &mut Effects) {
        if fetch.epoch != self.installed || self.mode != Mode::Normal {
            return;
        }
        let count = u64::from(fetch.count).min(FETCH_MAX);
        for sequence in (fetch.first.0..fetch.first.0.saturating_add(count)).map(SequenceNumber) {
            if let Some(body) = self.known_of(sequence) {
                let held = Held {
                    replica: self.config.me,
                    epoch: fetch.epoch,
                    sequence,
                    body,
                };
                Self::send(fetch.replica, RoundsMessage::Held(held), out);
            }
        }
    }

    /// What is known of a number of the installed term; `None`: nothing yet, or no more.
    fn known_of(&self, sequence: SequenceNumber) -> Option<HeldBody<'_>> {
        let position = Position(self.term_base.0.checked_add(sequence.0)?);
        if position <= self.chain.head() {
            return match self.chain.value(position)? {
                Value::Packet(proposal) => Some(HeldBody::Packet(proposal)),
                Value::NoOp if position <= self.locked => Some(HeldBody::NoOp),
                Value::NoOp => Some(HeldBody::Lacking),
            };
        }
        if let Some(packet) = self.arrivals.get(sequence) {
            return Some(HeldBody::Packet(packet.as_proposal()));
        }
        self.arrivals
            .missing_from(sequence)
            .map(|_| HeldBody::Lacking)
    }

    /// A member's answer about a missing packet.
    pub(super) fn on_held(&mut self, now: Tick, held: &Held<'_>, out: &mut Effects) {
        let next = self.next_sequence();
        if held.epoch != self.installed || self.mode != Mode::Normal || held.sequence < next {
            return;
        }
        match held.body {
            HeldBody::Packet(proposal) => {
                let packet = Stored::new(&proposal);
                if self
                    .arrivals
                    .hold(held.sequence, packet, self.config.limits.held)
                {
                    self.counters.gaps_filled += 1;
                }
            }
            HeldBody::NoOp if held.sequence == next && self.may_vote() => {
                self.vote(now, &Value::NoOp);
            }
            HeldBody::Lacking if held.sequence == next && held.sequence == self.hole.first => {
                self.hole.lacking.insert(held.replica);
                let lack = self.hole.lacking.len() + 1;
                if lack >= self.config.quorum.majority() && self.may_vote() {
                    self.counters.gaps_given_up += 1;
                    self.vote(now, &Value::NoOp);
                }
            }
            HeldBody::NoOp | HeldBody::Lacking => {}
        }
        self.go_on(now, out);
    }
}
