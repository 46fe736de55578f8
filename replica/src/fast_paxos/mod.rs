//! Fast Paxos: replicas vote for requests in the order in which clients' packets come, and nobody
//! stands between a client and the votes.
//!
//! Lamport, *Fast Paxos*, Distributed Computing 19 (2006); as the baseline of NSDI'15, whose
//! clients multicast without an order. One file a phase:
//!
//! - [`request`]: every replica appends what comes, and votes
//! - [`lead`]: the coordinator chooses, answers and tells; [`tally`] counts
//! - [`attempt`]: the coordinator settles collisions
//! - [`follow`]: what the coordinator says
//! - [`view_change`]: another coordinator; [`pick`]: what may have been chosen; [`install`]
//! - [`recovery`]: a replica that has forgotten its log comes back
//! - [`transfer`]: parts of the log, and snapshots
//! - [`timers`]; [`held`]: what is kept, and its bounds; [`mutant`]: deliberate breaks
//!
//! A ballot is a view and the coordinator's count of attempts in it. In each the coordinator first
//! tells what everybody is to accept up to some slot: a majority chooses that. In a *fast* ballot
//! replicas append behind it what comes from clients; equal logs at a superquorum, the coordinator
//! among them, choose that. A request is answered by the coordinator when it is chosen.
//!
//! The root's numbers mean nothing here. The root's time is a part of what is voted on.

mod attempt;
mod config;
mod follow;
mod held;
mod install;
mod lead;
mod mutant;
mod pace;
mod pick;
mod recovery;
mod request;
mod tally;
mod timers;
mod transfer;
mod view_change;

pub use config::{Config, Limits, Timings};
pub use mutant::Mutant;
pub use timers::Timer;

use crate::deferred::Deferred;
use crate::history::{History, Origin};
use crate::peers::Peers;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::rhythm::Rhythm;
use crate::{Boot, Effects, Persistent, StateMachine};
use follow::Following;
use lead::Leading;
use pick::Picked;
use recovery::Recovery;
use timers::Timers;
use view_change::Change;
use wire::message::fast_paxos::{Ballot, FastPaxosMessage};
use wire::message::{Incarnations, Message};
use wire::{EpochNumber, ReplicaId, SequenceNumber, SlotNumber, StampHeader, Tick, ViewNumber};

/// One replica.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct FastPaxos<S: StateMachine> {
    config: Config,
    history: History<S>,
    mode: Mode,
    /// The newest view promised.
    view: ViewNumber,
    /// The newest ballot that this replica has accepted something in.
    accepted: Ballot,
    /// Whether replicas may append what comes from clients in that ballot.
    fast: bool,
    /// Up to where the log is what that ballot's coordinator has told.
    settled: SlotNumber,
    /// The newest lives known.
    incarnations: Incarnations,
    leading: Leading,
    following: Following,
    change: Change,
    deferred: Deferred,
    recovery: Recovery,
    /// A view's log that waits for a part of the log below it.
    pending: Option<Picked>,
    peers: Peers,
    rhythm: Rhythm,
    timers: Timers,
    /// Of events, for people: they decide nothing, and a replica is the same whatever they say.
    #[derive_where(skip(EqHashOrd))]
    counters: Counters,
}

impl<S: StateMachine> FastPaxos<S> {
    /// A replica on its first boot: an explicit act, see `replica format`.
    pub fn format(config: Config, machine: S, now: Tick) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.arm_normal_timers(now);
        replica
    }

    /// A replica that has run before and whose log is gone.
    pub fn restart(config: Config, machine: S, now: Tick, boot: Boot) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.arm_normal_timers(now);
        replica.begin_recovery(now, boot);
        replica
    }

    fn new(config: Config, machine: S, now: Tick) -> Self {
        Self {
            history: History::new(machine, true, config.limits.history),
            mode: Mode::Normal,
            view: ViewNumber::ZERO,
            accepted: Ballot::default(),
            fast: true,
            settled: SlotNumber::ZERO,
            incarnations: Incarnations::unknown(config.quorum.n()),
            leading: Leading::default(),
            following: Following::default(),
            change: Change::default(),
            deferred: Deferred::default(),
            recovery: Recovery::default(),
            pending: None,
            peers: Peers::new(now),
            rhythm: Rhythm::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            config,
        }
    }

    /// The replica's history, for tests and tools.
    pub fn history(&self) -> &History<S> {
        &self.history
    }

    fn n(&self) -> usize {
        self.config.quorum.n()
    }

    fn leader_of(&self, view: ViewNumber) -> ReplicaId {
        let index = usize::try_from(view.0 % self.n() as u64).expect("smaller than the group");
        replica_at(index)
    }

    /// Whether this replica coordinates its view.
    fn is_leader(&self) -> bool {
        self.leader_of(self.view) == self.config.me
    }

    fn is_following(&self) -> bool {
        self.mode == Mode::Normal && !self.is_leader()
    }

    /// Whether `replica` is in the group and not this one.
    fn is_peer(&self, replica: ReplicaId) -> bool {
        usize::from(replica.0) < self.n() && replica != self.config.me
    }

    /// All replicas but this one.
    fn others(&self) -> impl Iterator<Item = ReplicaId> + use<S> {
        let me = self.config.me;
        let all = (0..self.n()).map(replica_at);
        all.filter(move |replica| *replica != me)
    }

    fn hear(&mut self, replica: ReplicaId, now: Tick) {
        if self.peers.hear(replica, now) {
            self.rhythm.suspected_wrongly();
        }
    }

    fn persist(&self, out: &mut Effects) {
        out.persist(Persistent {
            view: self.view,
            last_normal_view: self.accepted.view,
        });
    }

    /// Starts the timers of a replica that has just become normal.
    fn arm_normal_timers(&mut self, now: Tick) {
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        self.following = Following::default();
        if self.is_leader() {
            self.begin_leading(now);
        } else {
            self.rhythm.leader_changed();
            self.await_leader(now);
        }
    }

    fn commit_up_to(&mut self, slot: SlotNumber) {
        let log = self.history.log();
        let slot = slot.min(log.last());
        if slot > log.last_committed() {
            self.history.commit(slot);
        }
    }

    /// Which peer a message names as its sender; `None` if it names none.
    fn sender_of(message: &Message<'_>) -> Option<ReplicaId> {
        match message {
            Message::StartViewChange(m) => Some(m.replica),
            Message::FetchLog(m) => Some(m.replica),
            Message::Log(m) => Some(m.replica),
            Message::Recover(m) => Some(m.replica),
            Message::Snapshot(m) => Some(m.replica),
            Message::FastPaxos(FastPaxosMessage::Vote(m)) => Some(m.replica),
            Message::FastPaxos(FastPaxosMessage::Ask(m)) => Some(m.replica),
            Message::FastPaxos(FastPaxosMessage::Forward(m)) => Some(m.replica),
            Message::FastPaxos(FastPaxosMessage::Welcome(m)) => Some(m.replica),
            Message::FastPaxos(FastPaxosMessage::Report(m)) => Some(m.replica),
            _ => None,
        }
    }

    /// Whether `message` is from a replica of this group, as far as it says.
    fn is_from_group(&mut self, now: Tick, message: &Message<'_>) -> bool {
        let Some(sender) = Self::sender_of(message) else {
            return true;
        };
        if !self.is_peer(sender) {
            self.counters.rejected += 1;
            return false;
        }
        // Who asks to be let in is there, but takes no part yet.
        if !matches!(message, Message::Recover(_)) {
            self.hear(sender, now);
        }
        true
    }

    /// Normal or reconciling: takes part in everything.
    fn on_message_as_member(&mut self, now: Tick, message: Message<'_>, out: &mut Effects) {
        match message {
            Message::FastPaxos(message) => self.on_own_message(now, message, out),
            Message::StartViewChange(m) => self.on_start_view_change(now, m, out),
            Message::FetchLog(m) => self.on_fetch_log(now, m, out),
            Message::Log(m) => self.on_log(now, &m, out),
            Message::Recover(m) => self.on_recover(now, m, out),
            Message::Snapshot(m) => self.on_snapshot(now, &m, out),
            _ => self.counters.rejected += 1,
        }
    }

    fn on_own_message(&mut self, now: Tick, message: FastPaxosMessage<'_>, out: &mut Effects) {
        match message {
            FastPaxosMessage::Accept(m) => self.on_accept(now, &m, out),
            FastPaxosMessage::Vote(m) => self.on_vote(now, m, out),
            FastPaxosMessage::Chosen(m) => self.on_chosen(now, m, out),
            FastPaxosMessage::Ask(m) => self.on_ask(now, m, out),
            FastPaxosMessage::Forward(m) => self.on_forward(now, &m, out),
            FastPaxosMessage::Want(m) => self.on_want(m, out),
            // Of an earlier life, or somebody was late.
            FastPaxosMessage::Welcome(_) => {}
            FastPaxosMessage::Report(m) => self.on_report(now, &m, out),
        }
    }

    /// Recovering: listens for how things are, and says nothing that counts.
    fn on_message_as_outsider(&mut self, now: Tick, message: Message<'_>, out: &mut Effects) {
        match message {
            Message::FastPaxos(FastPaxosMessage::Welcome(m)) => self.on_welcome(now, m, out),
            Message::FastPaxos(FastPaxosMessage::Accept(m)) => {
                self.accept_as_outsider(now, &m, out);
            }
            Message::StartViewChange(m) => self.learn_own_life(&m),
            Message::Snapshot(m) if self.recovery.is_fetching() => self.on_snapshot(now, &m, out),
            _ => {}
        }
    }
}

/// The replica with this index in its group.
fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}

/// What a stamp says that counts here: its time. Nothing depends on the root's numbers.
fn origin_of(stamp: Option<&StampHeader>) -> Origin {
    Origin {
        epoch: EpochNumber::ZERO,
        sequence: SequenceNumber::ZERO,
        time: stamp.and_then(StampHeader::time).unwrap_or_default(),
    }
}

impl<S: StateMachine> Protocol for FastPaxos<S> {
    fn on_message(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        if let Message::Request(request) = message {
            self.on_request(now, origin_of(stamp), &request, out);
        } else if !self.is_from_group(now, &message) {
        } else if self.mode == Mode::Recovering {
            self.on_message_as_outsider(now, message, out);
        } else {
            self.on_message_as_member(now, message, out);
        }
    }

    fn on_deadline(&mut self, now: Tick, out: &mut Effects) {
        while let Some(timer) = self.timers.due(now) {
            self.timers.cancel(timer);
            match timer {
                Timer::Vote => self.vote(out),
                Timer::Heartbeat => self.on_heartbeat_due(now, out),
                Timer::Stuck => self.on_stuck(now, out),
                Timer::Ask => self.on_ask_due(now, out),
                Timer::CoordinatorSilent => self.on_leader_silent(now, out),
                Timer::Resend => self.on_resend(now, out),
                Timer::GiveUp => self.on_give_up(now, out),
                Timer::Recover => self.on_recover_due(now, out),
            }
        }
    }

    fn deadline(&self) -> Option<Tick> {
        self.timers.next()
    }

    fn status(&self) -> Status {
        let log = self.history.log();
        Status {
            replica: self.config.me,
            mode: self.mode,
            degraded: !self.fast,
            view: self.view,
            last_speculative: log.last(),
            last_committed: log.last_committed(),
            hash: log.last_hash(),
            digest: self.history.machine().digest(),
            rounds: None,
            counters: self.counters,
        }
    }

    fn check(&self) {
        self.history.check();
        self.deferred.check(self.config.limits.deferred);
        assert!(
            self.accepted.view <= self.view,
            "accepted in a view that was not promised"
        );
        if self.mode == Mode::Normal {
            assert_eq!(self.accepted.view, self.view, "normal means installed");
            assert!(
                self.settled <= self.history.log().last(),
                "what was told is held"
            );
        }
    }
}
