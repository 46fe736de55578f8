//! Synchronous rounds: every member proposes, the root's order is voted on, two rounds commit.
//!
//! Inspired by Wan et al., *Building State Machine Replication Using Practical Network
//! Synchrony* (arXiv 2507.12792); the rules are our own, see `docs/protocols/rounds.md`. One file
//! a phase:
//!
//! - [`beat`]: when a packet is sent and what is in it; [`intake`]: requests on their way
//! - [`vote`]: packets in, votes; [`chain`]: the log as a digest chain; [`votes`]: who has voted
//!   for what; [`decide`]: locks, commits, execution
//! - [`reads`]: what changes nothing, answered without a place in the log
//! - [`holes`]: packets that are missing; [`arrivals`]: packets whose turn has not come
//! - [`suspect`]: who wants another epoch; [`fence`]: the old one ends; [`merge`]: what the new
//!   one begins with; [`install`]: how a replica gets there
//! - [`membership`]: who votes, and how that changes
//! - [`transfer`]: what was decided without this replica; [`recovery`]: a replica that forgot
//!   its votes comes back
//! - [`attendance`]: who was heard, for operators
//!
//! There is no leader: a member that crashes stops nobody. Stamps make it fast, never right:
//! safety holds under a root that reuses numbers or runs back.

mod arrivals;
mod attendance;
mod beat;
mod chain;
mod config;
mod decide;
mod fence;
mod held;
mod holes;
mod install;
mod intake;
mod membership;
mod merge;
mod mutant;
mod proposal;
mod reads;
mod recovery;
mod suspect;
mod timers;
mod transfer;
mod vote;
mod votes;

pub use config::{Config, Limits, ReadPath, Timings};
pub use mutant::Mutant;
pub use timers::Timer;

use crate::history::History;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::quorum::MAX_REPLICAS;
use crate::{Boot, Effects, Persistent, StateMachine};
use alloc::vec::Vec;
use arrivals::Arrivals;
use attendance::Attendance;
use beat::Beat;
use chain::{Chain, Cover};
use fence::Agreement;
use holes::Hole;
use install::PendingStart;
use intake::Intake;
use reads::Reads;
use recovery::Recovery;
use suspect::Wishes;
use timers::Timers;
use votes::Votes;
use wire::message::rounds::{Footing, Membership, RoundsMessage, Value};
use wire::message::{Incarnations, Message};
use wire::{Position, ReplicaId, RoundsEpoch, SequenceNumber, StampHeader, SummaryHash, Tick};

/// One replica.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct Rounds<S: StateMachine> {
    config: Config,
    /// Executed requests. Everything in it is committed.
    history: History<S>,
    /// What this replica has voted for.
    chain: Chain,
    /// The longest prefix that it knows to have a majority.
    locked: Position,
    /// The longest prefix that it knows to be decided; executed.
    committed: Position,
    /// The newest position that asks for something.
    newest_work: Position,
    mode: Mode,
    /// The epoch whose beginning is installed here.
    installed: RoundsEpoch,
    /// No votes in epochs before this one.
    fence: RoundsEpoch,
    /// The last position that the installed epoch began with.
    epoch_start: Position,
    /// The digest of the log up to there, as it was when the epoch was installed.
    #[derive_where(skip(EqHashOrd))]
    epoch_digest: SummaryHash,
    /// Number 1 of the installed epoch's term is at the position after this one.
    term_base: Position,
    /// Who votes in the installed epoch.
    epoch_membership: Membership,
    /// Who is decided to be a member: from the next epoch on.
    membership: Membership,
    /// The lives of the members that the installed epoch was started for.
    epoch_incarnations: Incarnations,
    /// The newest lives known.
    incarnations: Incarnations,
    arrivals: Arrivals,
    votes: Votes,
    hole: Hole,
    intake: Intake,
    reads: Reads,
    beat: Beat,
    wishes: Wishes,
    agreement: Agreement,
    pending_start: Option<PendingStart>,
    recovery: Recovery,
    /// When each member was last heard.
    #[derive_where(skip(EqHashOrd))]
    heard: [Tick; MAX_REPLICAS],
    /// When anything stamped last came.
    #[derive_where(skip(EqHashOrd))]
    stamped_at: Tick,
    #[derive_where(skip(EqHashOrd))]
    attendance: Attendance,
    timers: Timers,
    #[derive_where(skip(EqHashOrd))]
    counters: Counters,
    /// Where batches are built; kept so that a packet costs no growth.
    #[derive_where(skip(EqHashOrd))]
    scratch: Vec<u8>,
}

impl<S: StateMachine> Rounds<S> {
    /// A replica on its first boot: an explicit act, see `replica format`. Whoever is not among
    /// the first members waits to be let in.
    pub fn format(config: Config, machine: S, now: Tick) -> Self {
        let mut replica = Self::new(config, machine, now);
        // Whoever is on its first boot is in its first life.
        for member in config.members.iter() {
            replica.incarnations.learn(member, 1);
        }
        replica.epoch_incarnations = replica.incarnations;
        if config.members.contains(config.me) {
            replica.timers.arm(Timer::Beat, now);
        } else {
            replica.incarnations.learn(config.me, 1);
            replica.wait_outside(now, true);
        }
        replica
    }

    /// A replica that has run before and whose log is gone. Its packets were votes that it no
    /// longer remembers, so it votes for nothing until an epoch was started for it.
    pub fn restart(config: Config, machine: S, now: Tick, boot: Boot) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.begin_recovery(now, boot);
        replica
    }

    fn new(config: Config, machine: S, now: Tick) -> Self {
        let membership = Membership {
            version: 0,
            members: config.members,
        };
        Self {
            history: History::new(machine, true, config.limits.history),
            chain: Chain::above(Footing::default(), Cover::of(config.mutant)),
            locked: Position::ZERO,
            committed: Position::ZERO,
            newest_work: Position::ZERO,
            mode: Mode::Normal,
            installed: RoundsEpoch::default(),
            fence: RoundsEpoch::default(),
            epoch_start: Position::ZERO,
            epoch_digest: SummaryHash::EMPTY,
            term_base: Position::ZERO,
            epoch_membership: membership,
            membership,
            epoch_incarnations: Incarnations::unknown(config.known),
            incarnations: Incarnations::unknown(config.known),
            arrivals: Arrivals::default(),
            votes: Votes::new(config.mutant),
            hole: Hole::default(),
            intake: Intake::default(),
            reads: Reads::default(),
            beat: Beat::default(),
            wishes: Wishes::default(),
            agreement: Agreement::default(),
            pending_start: None,
            recovery: Recovery::default(),
            heard: [now; MAX_REPLICAS],
            stamped_at: now,
            attendance: Attendance::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            scratch: Vec::new(),
            config,
        }
    }

    /// What was executed, for tests and tools.
    pub fn history(&self) -> &History<S> {
        &self.history
    }

    /// What it has voted for or adopted at a position that it holds, and the digest of its log up
    /// to there; for tests and tools.
    pub fn voted_at(&self, position: Position) -> Option<(Value<'_>, SummaryHash)> {
        let footing = self.chain.footing_at(position)?;
        Some((self.chain.value(position)?, footing.frontier.digest))
    }

    /// Up to where it knows its log to be decided.
    pub fn committed(&self) -> Position {
        self.committed
    }

    /// The newest position that it has voted for or adopted.
    pub fn head(&self) -> Position {
        self.chain.head()
    }

    /// The timers that are armed, for tests and tools.
    pub fn armed(&self) -> impl Iterator<Item = Timer> + '_ {
        self.timers.armed()
    }

    /// The epoch that is installed.
    pub fn epoch(&self) -> RoundsEpoch {
        self.installed
    }

    fn incarnation(&self) -> u64 {
        self.incarnations.of(self.config.me)
    }

    /// The root's number of the position after the head.
    fn next_sequence(&self) -> SequenceNumber {
        SequenceNumber(self.chain.head().0 - self.term_base.0 + 1)
    }

    /// Whether `replica` is another one that is a member or may be.
    fn is_peer(&self, replica: ReplicaId) -> bool {
        usize::from(replica.0) < self.config.known && replica != self.config.me
    }

    fn hear(&mut self, replica: ReplicaId, now: Tick) {
        self.heard[usize::from(replica.0)] = now;
    }

    fn persist(&self, out: &mut Effects) {
        out.persist(Persistent {
            view: self.fence.as_view(),
            last_normal_view: self.installed.as_view(),
        });
    }

    fn send(to: ReplicaId, message: RoundsMessage<'_>, out: &mut Effects) {
        out.send(to, &Message::Rounds(message));
    }

    /// To the other members, and to those that may be: rare messages only.
    fn send_others(&self, message: RoundsMessage<'_>, out: &mut Effects) {
        out.send_others(self.config.me, self.config.known, &Message::Rounds(message));
    }

    /// Carries out what `timer` is there for, whatever the time. The timer must be armed.
    pub fn fire(&mut self, now: Tick, timer: Timer, out: &mut Effects) {
        assert!(self.timers.is_armed(timer), "{timer:?} is not armed");
        self.timers.cancel(timer);
        match timer {
            Timer::Beat => self.on_beat(now, out),
            Timer::Flight => self.on_flight_overdue(now, out),
            Timer::Gap => self.on_gap(now, out),
            Timer::Stall => self.on_stall(now, out),
            Timer::Resend => self.on_resend(now, out),
            Timer::GiveUp => self.on_give_up(now, out),
            Timer::Recover => self.on_recover_due(now, out),
            Timer::Fetch => self.on_fetch_due(now, out),
        }
    }

    fn sender_of(message: &RoundsMessage<'_>) -> ReplicaId {
        match message {
            RoundsMessage::Round(m) => m.replica,
            RoundsMessage::FetchRound(m) => m.replica,
            RoundsMessage::Held(m) => m.replica,
            RoundsMessage::Suspect(m) => m.replica,
            RoundsMessage::Report(m) => m.replica,
            RoundsMessage::StartEpoch(m) => m.replica,
            RoundsMessage::FetchPositions(m) => m.replica,
            RoundsMessage::Positions(m) => m.replica,
            RoundsMessage::State(m) => m.replica,
        }
    }

    fn on_rounds(&mut self, now: Tick, message: RoundsMessage<'_>, out: &mut Effects) {
        let sender = Self::sender_of(&message);
        if !self.is_peer(sender) {
            self.counters.rejected += 1;
            return;
        }
        self.hear(sender, now);
        let recovering = self.mode == Mode::Recovering;
        let outside = self.mode == Mode::Outside;
        match message {
            RoundsMessage::StartEpoch(m) => self.on_start_epoch(now, &m, out),
            RoundsMessage::Positions(m) => self.on_positions(now, &m, out),
            RoundsMessage::State(m) => self.on_state(now, &m, out),
            RoundsMessage::Suspect(m) if recovering => {
                self.learn_own_life(&m.incarnations);
                self.promise_from_outside(now, m.fence, out);
            }
            _ if recovering => {}
            RoundsMessage::FetchPositions(m) => self.on_fetch_positions(m, out),
            RoundsMessage::Suspect(m) if outside => self.on_suspect_outside(now, m, out),
            RoundsMessage::Report(m) if outside && m.epoch <= self.installed => {
                self.tell_start(m.replica, out);
            }
            _ if outside => {}
            RoundsMessage::FetchRound(m) => self.on_fetch_round(m, out),
            RoundsMessage::Held(m) => self.on_held(now, &m, out),
            RoundsMessage::Suspect(m) => self.on_suspect(now, m, out),
            RoundsMessage::Report(m) => self.on_report(now, &m, out),
            RoundsMessage::Round(_) => self.counters.unstamped += 1,
        }
    }
}

/// The member with this index in its group.
fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}

impl<S: StateMachine> Protocol for Rounds<S> {
    fn on_message(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        if let Some(stamp) = stamp.filter(|stamp| stamp.is_stamped()) {
            self.on_stamped(now, stamp, &message, out);
        } else {
            match message {
                Message::Request(request) => self.on_request(now, &request, out),
                Message::Recover(recover) => self.on_recover(now, recover, out),
                Message::Rounds(message) => self.on_rounds(now, message, out),
                _ => self.counters.rejected += 1,
            }
        }
        self.beat_if_owed(now, out);
    }

    fn on_deadline(&mut self, now: Tick, out: &mut Effects) {
        while let Some(timer) = self.timers.due(now) {
            self.fire(now, timer, out);
        }
        self.beat_if_owed(now, out);
    }

    fn deadline(&self) -> Option<Tick> {
        self.timers.next()
    }

    fn status(&self) -> Status {
        let log = self.history.log();
        Status {
            replica: self.config.me,
            mode: self.mode,
            degraded: false,
            view: self.installed.as_view(),
            last_speculative: log.last(),
            last_committed: log.last_committed(),
            hash: log.last_hash(),
            digest: self.history.machine().digest(),
            rounds: Some(self.rounds_status()),
            counters: self.counters,
        }
    }

    fn check(&self) {
        self.history.check();
        self.chain.check(self.committed);
        self.intake.check(self.config.limits.requests);
        if self.config.mutant.is_none() {
            self.reads
                .check(self.config.limits.reads, self.chain.head());
        }
        let head = self.chain.head();
        assert!(self.committed <= self.locked && self.locked <= head);
        assert!(
            self.installed <= self.fence,
            "installed an epoch that was not promised"
        );
        assert!(self.arrivals.len() <= self.config.limits.held);
        assert_eq!(
            self.history.log().last(),
            self.history.log().last_committed()
        );
        if self.mode == Mode::Normal {
            assert_eq!(self.installed, self.fence, "normal means installed");
            let bound = self.committed.0 + self.config.limits.undecided;
            assert!(
                head.0 <= bound.max(self.epoch_start.0),
                "votes for too much at once"
            );
        }
    }
}
