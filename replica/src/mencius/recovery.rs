//! A server that has restarted has forgotten what it accepted, promised, proposed and skipped.
//!
//! It asks everybody. f+1 members answer with all that they have accepted and promised; they know
//! of its new life from then on, so that what it said in an earlier one no longer counts. It takes
//! over what they say, and gets what they have executed. Then it says above which instance it
//! means to propose: above all that it has heard of. Once f+1 have noted that, it takes part;
//! what it has left open below is revoked.

use super::lane::{Held, LaneState};
use super::timers::Timer;
use super::{Mencius, Mutant};
use crate::protocol::Mode;
use crate::quorum::{MAX_REPLICAS, ReplicaSet};
use crate::{Boot, Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::mencius::{
    Cells, LanePromise, LanePromises, MenciusMessage, Rejoin, Start, Started, Starting, Welcome,
};
use wire::message::{Message, Recover};
use wire::{InstanceNumber, ReplicaId, Tick, ViewNumber};

/// Asking to be let in is repeated at most this much more slowly.
const BACKOFF_MAX: u32 = 5;

/// What a member has told a restarted server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Answer {
    /// The member's life.
    life: u64,
    executed: InstanceNumber,
    lanes: Vec<LanePromise>,
    cells: Vec<(InstanceNumber, Held)>,
}

/// How far a restarted server's way back is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Step {
    /// Asks what it may have said.
    #[default]
    Asking,
    /// Gets what others have executed, up to here.
    Fetching(InstanceNumber),
    /// Says where it begins; who has noted it.
    Starting(InstanceNumber, ReplicaSet),
}

/// A restarted server's way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    step: Step,
    tries: u32,
    answers: [Option<Answer>; MAX_REPLICAS],
    /// Who is asked for decisions.
    holder: ReplicaId,
}

impl Recovery {
    pub(super) fn is_fetching(&self) -> bool {
        matches!(self.step, Step::Fetching(_))
    }
}

impl<S: StateMachine> Mencius<S> {
    /// Takes up a life after another.
    pub(super) fn begin_recovery(&mut self, now: Tick, boot: Boot) {
        self.incarnations.learn(self.config.me, boot.incarnation);
        if self.config.breaks(Mutant::RejoinAtOnce) {
            self.arm_normal_timers(now);
            return;
        }
        self.mode = Mode::Recovering;
        self.timers.arm(Timer::Recover, now);
    }

    /// Others know of a life of this server that this one cannot remember.
    pub(super) fn learn_own_life(&mut self, incarnation: u64) {
        if self.mode == Mode::Recovering {
            self.incarnations.learn(self.config.me, incarnation + 1);
            self.recovery = Recovery::default();
        } else {
            self.counters.rejected += 1;
        }
    }

    pub(super) fn on_recover_due(&mut self, now: Tick, out: &mut Effects) {
        if self.mode != Mode::Recovering {
            return;
        }
        let wait = self.config.timings.resend_us << self.recovery.tries.min(BACKOFF_MAX);
        self.recovery.tries += 1;
        self.timers.arm(Timer::Recover, now.plus_us(wait));
        match self.recovery.step {
            Step::Asking => self.ask_to_be_let_in(out),
            Step::Fetching(_) => {
                // Whoever is asked may be gone.
                let peers = self.replicas().filter(|replica| self.is_peer(*replica));
                let holder = self.recovery.holder;
                let next = peers.min_by_key(|peer| (*peer <= holder, *peer));
                self.recovery.holder = next.unwrap_or_default();
                self.go_on_recovering(now, out);
            }
            Step::Starting(above, _) => self.say_where_it_begins(above, out),
        }
    }

    fn ask_to_be_let_in(&self, out: &mut Effects) {
        let recover = Recover {
            replica: self.config.me,
            incarnation: self.life(),
            view: ViewNumber::ZERO,
        };
        out.send_others(self.config.me, self.n(), &Message::Recover(recover));
    }

    /// A server has restarted: it is told everything that it may have said.
    pub(super) fn on_recover(&mut self, message: Recover, out: &mut Effects) {
        let replica = message.replica;
        if !self.is_peer(replica) {
            self.counters.rejected += 1;
            return;
        }
        if self.mode == Mode::Recovering {
            return;
        }
        self.learn_life(replica, message.incarnation);
        let cells = self.lanes.iter().flat_map(LaneState::cells);
        let cells = cells.map(|(instance, held)| held.as_cell(instance));
        let (mut storage, mut promises) = (Vec::new(), Vec::new());
        let lanes = self.lanes.iter().map(LaneState::promise);
        let welcome = Welcome {
            replica: self.config.me,
            incarnations: self.incarnations,
            incarnation: message.incarnation,
            executed: self.executed,
            lanes: LanePromises::encode(lanes, &mut promises),
            cells: Cells::encode(cells, &mut storage),
        };
        Self::send(
            replica,
            MenciusMessage::Rejoin(Rejoin::Welcome(welcome)),
            out,
        );
    }

    /// Recovering: an answer to one of its questions.
    pub(super) fn on_answer(&mut self, now: Tick, message: &Rejoin<'_>, out: &mut Effects) {
        if !self.is_of_newest_life(message.sender(), &message.incarnations()) {
            return;
        }
        match message {
            Rejoin::Welcome(m) => self.on_welcome(now, m, out),
            Rejoin::Starting(_) => {}
            Rejoin::Started(m) => self.on_started(now, m, out),
        }
    }

    fn on_welcome(&mut self, now: Tick, message: &Welcome<'_>, out: &mut Effects) {
        if message.incarnation != self.life() || self.recovery.step != Step::Asking {
            return;
        }
        let cells = message.cells.iter();
        let answer = Answer {
            life: self.incarnations.of(message.replica),
            executed: message.executed,
            lanes: message.lanes.iter().collect(),
            cells: cells
                .filter(|cell| cell.instance > InstanceNumber::ZERO)
                .map(|cell| (cell.instance, Held::of_cell(&cell)))
                .collect(),
        };
        self.recovery.answers[usize::from(message.replica.0)] = Some(answer);
        // An answer may come before one that tells of its sender's newer life.
        let lives = self.incarnations;
        for (replica, answer) in (0_u8..).map(ReplicaId).zip(&mut self.recovery.answers) {
            if answer
                .as_ref()
                .is_some_and(|it| it.life != lives.of(replica))
            {
                *answer = None;
            }
        }
        let answers = self.recovery.answers.iter().flatten().count();
        if answers >= self.config.quorum.majority() {
            self.take_over_answers(now, out);
        }
    }

    fn take_over_answers(&mut self, now: Tick, out: &mut Effects) {
        let answers = core::mem::take(&mut self.recovery.answers);
        let mut target = InstanceNumber::ZERO;
        for (replica, answer) in (0_u8..).map(ReplicaId).zip(answers) {
            let Some(answer) = answer else {
                continue;
            };
            if answer.executed >= target {
                (target, self.recovery.holder) = (answer.executed, replica);
            }
            for (lane, promise) in self.lanes.iter_mut().zip(&answer.lanes) {
                lane.merge_promise(promise);
            }
            for (instance, held) in answer.cells {
                let owner = self.owner_of(instance);
                self.lane_mut(owner).adopt(instance, held);
            }
        }
        self.recovery.step = Step::Fetching(target);
        self.recovery.tries = 0;
        self.go_on_recovering(now, out);
    }

    /// Says where it begins if it has what is decided, else asks for more of that.
    pub(super) fn go_on_recovering(&mut self, now: Tick, out: &mut Effects) {
        let Step::Fetching(target) = self.recovery.step else {
            return;
        };
        if self.executed < target {
            self.ask_for_decisions(self.recovery.holder, out);
            return;
        }
        if self.config.breaks(Mutant::BeginAtOnce) {
            self.take_part(now, self.executed, out);
            return;
        }
        let newest = self.lanes.iter().map(LaneState::newest).max();
        let own = self.lane(self.config.me);
        let above = newest.expect("a group has members").max(self.executed);
        let above = above.max(own.up_to).max(own.start.above);
        self.say_where_it_begins(above, out);
    }

    fn say_where_it_begins(&mut self, above: InstanceNumber, out: &mut Effects) {
        let known = match self.recovery.step {
            Step::Starting(known, noted) if known == above => noted,
            _ => ReplicaSet::default(),
        };
        self.recovery.step = Step::Starting(above, known);
        let starting = Starting {
            replica: self.config.me,
            incarnations: self.incarnations,
            above,
        };
        let starting = MenciusMessage::Rejoin(Rejoin::Starting(starting));
        self.send_others(starting, out);
    }

    /// A restarted server says where it begins.
    pub(super) fn on_rejoin(&mut self, message: &Rejoin<'_>, out: &mut Effects) {
        if !self.is_of_newest_life(message.sender(), &message.incarnations()) {
            return;
        }
        // The others are of an earlier try, or somebody was late.
        let Rejoin::Starting(starting) = message else {
            return;
        };
        let replica = starting.replica;
        let incarnation = self.incarnations.of(replica);
        let lane = self.lane_mut(replica);
        let needed = lane.up_to.max(lane.newest());
        if needed <= starting.above {
            lane.start = lane.start.max(Start {
                incarnation,
                above: starting.above,
            });
        }
        let started = Started {
            replica: self.config.me,
            incarnations: self.incarnations,
            above: starting.above,
            needed,
        };
        Self::send(
            replica,
            MenciusMessage::Rejoin(Rejoin::Started(started)),
            out,
        );
    }

    fn on_started(&mut self, now: Tick, message: &Started, out: &mut Effects) {
        let Step::Starting(above, noted) = &mut self.recovery.step else {
            return;
        };
        if message.above != *above {
            return;
        }
        if message.needed > *above {
            self.say_where_it_begins(message.needed, out);
            return;
        }
        noted.insert(message.replica);
        // Together with this server itself.
        if noted.len() + 1 >= self.config.quorum.majority() {
            let above = *above;
            self.take_part(now, above, out);
        }
    }

    fn take_part(&mut self, now: Tick, above: InstanceNumber, out: &mut Effects) {
        let (me, incarnation) = (self.config.me, self.life());
        self.lane_mut(me).start = Start { incarnation, above };
        self.recovery = Recovery::default();
        self.mode = Mode::Normal;
        self.begin_life_above(above);
        self.arm_normal_timers(now);
        self.advance(now, out);
    }
}
