//! Background synchronization (OSDI'16, section 5.5).
//!
//! The leader lists its no-ops. A follower puts them into its own log, which is then the leader's
//! up to there, and says so. What f+1 have is committed, which the next list tells: followers
//! execute it, and what it takes to undo it is let go.

use super::ledger::place_of;
use super::timers::Timer;
use super::{Mutant, NoPaxos};
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::Message;
use wire::message::nopaxos::{NoPaxosMessage, Place, Run, Runs, SyncOk, SyncPrepare};
use wire::{SequenceNumber, SlotNumber, Tick};

/// Runs of no-ops in one message: they fit a packet.
const RUNS_MAX: usize = 64;

/// How far logs are known to be the leader's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Synchronization {
    /// Follower: its own.
    verified: SequenceNumber,
    /// Leader: the others', as they said; `None` if they have not said that they are in the view.
    held: [Option<SequenceNumber>; MAX_REPLICAS],
}

impl Synchronization {
    /// A view began, and its log is the leader's.
    pub(super) fn above(head: SequenceNumber) -> Self {
        Self {
            verified: head,
            held: [None; MAX_REPLICAS],
        }
    }
}

impl<S: StateMachine> NoPaxos<S> {
    pub(super) fn arm_synchronization(&mut self, now: Tick) {
        let at = now.plus_us(self.config.timings.sync_us);
        self.timers.arm(Timer::Synchronize, at);
    }

    pub(super) fn on_time_to_synchronize(&mut self, now: Tick, out: &mut Effects) {
        self.synchronize(out);
        self.commit_what_enough_hold(out);
        self.arm_synchronization(now);
        // A leader that could append no more may be able to now.
        self.take_ready(now, out);
    }

    fn synchronize(&self, out: &mut Effects) {
        let no_ops = self.ledger.no_ops();
        let next = no_ops.iter().nth(RUNS_MAX);
        let head = self.ledger.head();
        let to = next.map_or(head, |run| SequenceNumber(run.first.0 - 1));
        let mut storage = Vec::new();
        let prepare = SyncPrepare {
            view: self.view,
            head,
            from: no_ops.base(),
            to,
            committed: self.ledger.committed(),
            no_ops: Runs::encode(no_ops.iter().take(RUNS_MAX), &mut storage),
        };
        let prepare = Message::NoPaxos(NoPaxosMessage::SyncPrepare(prepare));
        out.send_others(self.config.me, self.n(), &prepare);
    }

    pub(super) fn on_sync_prepare(
        &mut self,
        now: Tick,
        message: &SyncPrepare<'_>,
        out: &mut Effects,
    ) {
        if !self.follows(now, message.view, out) {
            return;
        }
        self.rhythm.heard(now);
        self.arrivals.note(message.head);
        if message.from <= self.synchronization.verified {
            self.verify(message);
        }
        self.commit_or_fetch(now, message, out);
        self.say_verified(out);
        self.take_ready(now, out);
    }

    /// Makes the own log be the leader's as far as the list goes, or the log.
    fn verify(&mut self, message: &SyncPrepare<'_>) {
        let verified = self.synchronization.verified;
        let end = message.to.min(self.ledger.head());
        if end <= verified {
            return;
        }
        if !self.config.breaks(Mutant::SyncUnchecked) {
            for run in message.no_ops.iter() {
                let run = Run {
                    first: run.first.max(verified.next()),
                    last: run.last.min(end),
                };
                if run.first <= run.last {
                    self.ledger.no_op(run);
                }
            }
        }
        self.synchronization.verified = end;
    }

    fn commit_or_fetch(&mut self, now: Tick, message: &SyncPrepare<'_>, out: &mut Effects) {
        let committed = message.committed;
        let verified = Place {
            session: self.session(),
            position: self.synchronization.verified,
        };
        if committed.place <= verified {
            if committed.place > self.ledger.committed().place {
                self.counters.executed += self.ledger.commit(self.view, committed.place);
                assert_eq!(
                    self.ledger.committed(),
                    committed,
                    "the leader has committed another log than this replica"
                );
            }
        } else if message.from > verified.position || committed.place.position > self.ledger.head()
        {
            self.fetch_committed(now, committed.slot, out);
        }
    }

    /// Follower: what is missing is committed, and the leader no longer knows it packet by packet.
    fn fetch_committed(&mut self, now: Tick, to: SlotNumber, out: &mut Effects) {
        if self.timers.is_armed(Timer::Fetch) {
            return;
        }
        let again = now.plus_us(self.config.timings.resend_us);
        self.timers.arm(Timer::Fetch, again);
        self.fetch_log(self.leader_of(self.view), to, out);
    }

    /// Follower: what is committed here now is the leader's.
    pub(super) fn verify_committed(&mut self) {
        let committed = self.ledger.committed_position();
        let verified = &mut self.synchronization.verified;
        *verified = committed.max(*verified);
    }

    /// Tells the leader how far this replica's log is known to be the leader's.
    pub(super) fn say_verified(&self, out: &mut Effects) {
        let ok = SyncOk {
            view: self.view,
            replica: self.config.me,
            position: self.synchronization.verified,
            committed: self.ledger.committed().slot,
        };
        let ok = Message::NoPaxos(NoPaxosMessage::SyncOk(ok));
        out.send(self.leader_of(self.view), &ok);
    }

    pub(super) fn on_sync_ok(&mut self, now: Tick, message: SyncOk, out: &mut Effects) {
        self.peers
            .note_committed(message.replica, message.committed);
        if message.view != self.view || !self.is_leading() {
            return;
        }
        if message.position > self.ledger.head() {
            self.counters.rejected += 1;
            return;
        }
        let held = &mut self.synchronization.held[usize::from(message.replica.0)];
        *held = Some(message.position).max(*held);
        self.commit_what_enough_hold(out);
        self.take_ready(now, out);
    }

    /// Leader: commits what f+1 have.
    fn commit_what_enough_hold(&mut self, out: &mut Effects) {
        let mut held = self.synchronization.held;
        held[usize::from(self.config.me.0)] = Some(self.ledger.head());
        let held = &mut held[..self.config.quorum.n()];
        held.sort_unstable_by(|one, other| other.cmp(one));
        let needed = if self.config.breaks(Mutant::SyncAlone) {
            1
        } else {
            self.config.quorum.majority()
        };
        let Some(position) = held[needed - 1] else {
            return;
        };
        let place = Place {
            session: self.session(),
            position,
        };
        let committed = self.ledger.committed();
        if place <= committed.place {
            return;
        }
        let begun: Vec<_> = if committed.slot < self.beginning.last {
            let end = self.beginning.place(self.view);
            let links = self.ledger.links();
            links
                .take_while(|link| place_of(link) <= end)
                .cloned()
                .collect()
        } else {
            Vec::new()
        };
        self.ledger.commit(self.view, place);
        for request in begun {
            self.answer_committed(&request, out);
        }
    }
}
