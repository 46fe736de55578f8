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
use wire::{Position, ReplicaId, SequenceNumber, Tick};

/// Packets asked for at once.
const FETCH_MAX: u64 = ASKED_MAX as u64;
const ASKED_MAX: usize = 32;
/// Each question waits twice as long as the last, at most so often doubled.
const DOUBLINGS_MAX: u32 = 5;

/// What is being done about the first hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hole {
    first: SequenceNumber,
    attempts: u32,
    /// Who lacks the first missing packet, the one after it, and so on.
    lacking: [ReplicaSet; ASKED_MAX],
}

impl Hole {
    fn note_lacking(&mut self, sequence: SequenceNumber, member: ReplicaId) {
        let index = sequence.0.checked_sub(self.first.0);
        let index = index.and_then(|index| usize::try_from(index).ok());
        if let Some(lacking) = index.and_then(|index| self.lacking.get_mut(index)) {
            lacking.insert(member);
        }
    }

    /// The first packets are missing no more.
    fn go_past(&mut self, count: usize) {
        self.first = SequenceNumber(self.first.0 + count as u64);
        self.attempts = 0;
        self.lacking.copy_within(count.., 0);
        self.lacking[ASKED_MAX - count..].fill(ReplicaSet::default());
    }

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
        self.votes.furthest_locked(head).is_some()
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
                self.vote(&Value::NoOp);
            }
            HeldBody::Lacking
                if self.hole.first == next && self.voters().contains(held.replica) =>
            {
                self.hole.note_lacking(held.sequence, held.replica);
            }
            HeldBody::NoOp | HeldBody::Lacking => {}
        }
        self.go_on(now, out);
    }

    /// Votes no-op for every missing packet in turn that a majority lacks. A group that was cut
    /// in pieces may have thousands of them: they must go faster than new ones come.
    pub(super) fn vote_down_lacking(&mut self, now: Tick) {
        let majority = self.quorum().majority();
        let mut done = 0;
        while done < ASKED_MAX
            && self.hole.lacking[done].len() + 1 >= majority
            && self.may_vote()
            && self.next_sequence().0 == self.hole.first.0 + done as u64
            && self.arrivals.get(self.next_sequence()).is_none()
        {
            self.counters.gaps_given_up += 1;
            self.vote(&Value::NoOp);
            done += 1;
        }
        if done > 0 {
            self.hole.go_past(done);
            if self.hole.lacking[0].is_empty() {
                self.timers.arm(Timer::Gap, now);
            }
        }
    }
}
