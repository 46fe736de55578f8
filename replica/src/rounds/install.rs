//! How a replica gets to what an epoch begins with.
//!
//! Installed means: the whole prefix and every value are held here. Only then does the replica
//! vote in the epoch. A beginning that is older than what is installed or promised is ignored.

use super::intake::Intake;
use super::mutant::Mutant;
use super::reads::Reads;
use super::timers::Timers;
use super::votes::Votes;
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::Message;
use wire::message::rounds::{Frontier, RoundsMessage, StartEpoch, Value, Values};
use wire::{Members, Position, ReplicaId, SequenceNumber, Tick};

/// An epoch's beginning that waits for the log below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PendingStart {
    /// Who may have that log: whoever told it, and those who vote in the epoch.
    askable: Members,
    /// Who is asked next.
    next: ReplicaId,
    bytes: Vec<u8>,
}

impl PendingStart {
    /// Who is asked for the log now; the next question goes to another.
    pub(super) fn ask(&mut self) -> ReplicaId {
        let asked = self.next;
        let later = self.askable.iter().find(|member| member.0 > asked.0);
        self.next = later
            .or_else(|| self.askable.iter().next())
            .unwrap_or(asked);
        asked
    }
}

impl<S: StateMachine> Rounds<S> {
    /// The coordinator, or a member that is in the epoch, says what it begins with.
    pub(super) fn on_start_epoch(&mut self, now: Tick, start: &StartEpoch<'_>, out: &mut Effects) {
        let old = start.epoch <= self.installed || start.epoch < self.fence;
        if old && !self.config.breaks(Mutant::OldStartEpoch) {
            return;
        }
        if self.mode == Mode::Recovering && !self.is_started_for_me(start) {
            return;
        }
        self.incarnations.merge(&start.incarnations);
        if self.committed < start.below.frontier.position {
            let mut bytes = Vec::new();
            Message::Rounds(RoundsMessage::StartEpoch(*start)).emit(&mut bytes);
            let voters = start.membership.members.with(start.replica);
            self.pending_start = Some(PendingStart {
                askable: voters.without(self.config.me),
                next: start.replica,
                bytes,
            });
            self.want_positions(now);
        } else {
            self.install(now, start, out);
        }
    }

    /// The log has grown: a beginning that waited for it may be installed now.
    pub(super) fn retry_pending_start(&mut self, now: Tick, out: &mut Effects) {
        let Some(pending) = self.pending_start.take() else {
            return;
        };
        let Ok(Message::Rounds(RoundsMessage::StartEpoch(start))) = Message::parse(&pending.bytes)
        else {
            unreachable!("it was a beginning when it came");
        };
        self.on_start_epoch(now, &start, out);
    }

    /// Makes the log what the epoch begins with. The decided prefix reaches up to the values.
    pub(super) fn install(&mut self, now: Tick, start: &StartEpoch<'_>, out: &mut Effects) {
        let below = start.below.frontier;
        if self.chain.begins_with(&below) == Some(false) {
            self.counters.rejected += 1;
            return;
        }
        let end = Position(below.position.0 + start.values.len() as u64);
        let kept = self.adopt(below.position, start.values.iter()).min(end);
        self.leave_open_above(end, start);
        self.votes = Votes::new(self.config.mutant);
        self.locked = self.locked.min(kept).max(self.committed);
        self.intake.displace_above(kept);
        self.recount_work();
        self.fence = start.epoch.max(self.fence);
        self.installed = start.epoch;
        self.term_base = start.term_base;
        self.epoch_start = self.chain.head();
        self.epoch_digest = self.chain.frontier().digest;
        self.epoch_incarnations = start.incarnations;
        self.epoch_membership = start.membership;
        if self.voters().contains(self.config.me) {
            self.begin_epoch(now, out);
        } else {
            self.leave(out);
        }
    }

    fn begin_epoch(&mut self, now: Tick, out: &mut Effects) {
        self.mode = Mode::Normal;
        self.persist(out);
        if self.arrivals.term() < self.installed.term {
            self.arrivals.begin(self.installed.term);
        }
        self.agreement.forget_reports();
        self.pending_start = None;
        self.hole.forget();
        self.beat.forget_what_was_said();
        self.void_barriers();
        for timer in [Timer::GiveUp, Timer::Recover, Timer::Fetch, Timer::Gap] {
            self.timers.cancel(timer);
        }
        self.timers.arm(Timer::Beat, now);
        self.arm_stall(now);
        self.go_on(now, out);
        if self.arrivals.term() > self.installed.term {
            self.want_term(now, self.arrivals.term(), out);
        }
    }

    /// The epoch begins without this replica: it is no member any more. What it has promised
    /// stays; should it become a member again, it is let in as after a restart.
    fn leave(&mut self, out: &mut Effects) {
        self.persist(out);
        self.intake = Intake::default();
        self.reads = Reads::default();
        self.agreement.forget_reports();
        self.pending_start = None;
        self.hole.forget();
        self.timers = Timers::default();
        self.mode = Mode::Outside;
    }

    /// Makes the log hold these values above `below`; returns up to where it was so already.
    pub(super) fn adopt<'v>(
        &mut self,
        below: Position,
        values: impl Iterator<Item = Value<'v>>,
    ) -> Position {
        let mut kept = self.chain.head();
        for (position, value) in (below.0 + 1..).map(Position).zip(values) {
            if position <= self.chain.base() {
                continue;
            }
            if position <= self.chain.head() {
                if self.chain.value(position) == Some(value) {
                    continue;
                }
                assert!(
                    position > self.committed,
                    "position {position} is decided and was to be changed"
                );
                kept = kept.min(Position(position.0 - 1));
                while self.chain.head() >= position {
                    self.chain.pop();
                }
            }
            self.chain.push(&value);
            self.note_pushed(&value);
        }
        kept
    }

    /// Under the same root, packets after the beginning's end have their turn again.
    fn leave_open_above(&mut self, end: Position, start: &StartEpoch<'_>) {
        let same_term =
            start.epoch.term == self.installed.term && start.epoch.term == self.arrivals.term();
        while self.chain.head() > end.max(self.committed) {
            let position = self.chain.head();
            // What is not above the base was numbered in an earlier term: a beginning that f+1
            // others do not know may have reached further than theirs.
            let numbered = same_term && position > self.term_base;
            if let Some(packet) = self.chain.pop().filter(|_| numbered) {
                let sequence = SequenceNumber(position.0 - self.term_base.0);
                self.arrivals
                    .hold(sequence, packet, self.config.limits.held);
            }
        }
    }

    pub(super) fn recount_work(&mut self) {
        let above = self.chain.values_above(self.committed);
        let positions = (self.committed.0 + 1..).map(Position);
        let newest = positions
            .zip(above)
            .filter(|(_, value)| super::proposal::is_work(value))
            .last();
        let decided = self.newest_work.min(self.committed);
        self.newest_work = newest.map_or(decided, |(position, _)| position);
    }

    /// Whether the log begins with what the installed epoch began with, as far as that is not
    /// decided. What was decided in a later epoch may have taken its place, before the beginning of
    /// that one has come here.
    fn holds_beginning(&self) -> bool {
        let beginning = Frontier {
            position: self.epoch_start,
            digest: self.epoch_digest,
        };
        self.committed >= self.epoch_start || self.chain.begins_with(&beginning) == Some(true)
    }

    /// Tells a member what the installed epoch began with. What is decided since is as good.
    pub(super) fn tell_start(&self, to: ReplicaId, out: &mut Effects) {
        let is_in = matches!(self.mode, Mode::Normal | Mode::Outside);
        if !is_in || self.installed.as_view().0 == 0 || !self.holds_beginning() {
            return;
        }
        let fixed = self.epoch_start.0.saturating_sub(self.committed.0);
        let count = usize::try_from(fixed).expect("held in memory");
        let mut storage = Vec::new();
        let start = StartEpoch {
            replica: self.config.me,
            epoch: self.installed,
            membership: self.epoch_membership,
            incarnations: self.epoch_incarnations,
            term_base: self.term_base,
            below: self.chain.footing_at(self.committed).expect("it is held"),
            values: Values::encode(
                self.chain.values_above(self.committed).take(count),
                &mut storage,
            ),
        };
        Self::send(to, RoundsMessage::StartEpoch(start), out);
    }
}
