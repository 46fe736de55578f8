//! Mencius: the baseline in which every server leads, each for the instances that are its own.
//!
//! Mao, Junqueira and Marzullo, *Mencius: Building Efficient Replicated State Machines for WANs*,
//! OSDI 2008; what is changed against it stands in `docs/protocols/baselines.md`. Instances are
//! decided in any order and executed in theirs. One file a phase:
//!
//! - [`propose`]: requests in, batches out, what is chosen; [`accept`]: others' proposals, skips
//! - [`execute`]: instances in order, answers
//! - [`revoke`]: somebody else decides about a silent owner's instances; [`promise`]: what
//!   the others say to that; [`watch`]: when
//! - [`recovery`]: a server that has forgotten everything comes back
//! - [`transfer`]: what is missing, and snapshots
//! - [`lane`]: one owner's instances; [`own`]: this server's; [`settled`]: what is kept for others
//! - [`timers`]; [`held`]: what is kept, and its bounds; [`mutant`]: deliberate breaks
//!
//! Instances lie in front of the [`History`]: no-ops hold no slot in it, and a request that
//! comes twice is executed once.

mod accept;
mod config;
mod execute;
mod held;
mod lane;
mod mutant;
mod own;
mod promise;
mod propose;
mod recovery;
mod revoke;
mod settled;
mod timers;
mod transfer;
mod watch;

pub use config::{Config, Limits, Timings};
pub use mutant::Mutant;
pub use timers::Timer;

use crate::history::History;
use crate::peers::Peers;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::rhythm::Rhythm;
use crate::{Boot, Effects, StateMachine};
use alloc::vec::Vec;
use lane::LaneState;
use own::Own;
use recovery::Recovery;
use revoke::Revocation;
use settled::Settled;
use timers::Timers;
use watch::Watch;
use wire::message::mencius::{MenciusMessage, Rejoin};
use wire::message::{Incarnations, Message};
use wire::{InstanceNumber, ReplicaId, StampHeader, Tick, ViewNumber};

/// One server.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct Mencius<S: StateMachine> {
    config: Config,
    /// Executed requests. Everything in it is committed.
    history: History<S>,
    mode: Mode,
    /// Every instance up to here is executed.
    executed: InstanceNumber,
    /// By owner.
    lanes: Vec<LaneState>,
    settled: Settled,
    /// What this server proposes.
    own: Own,
    /// By owner: what this server is about to decide.
    revocations: Vec<Option<Revocation>>,
    /// The newest lives known.
    incarnations: Incarnations,
    recovery: Recovery,
    watch: Watch,
    peers: Peers,
    rhythm: Rhythm,
    timers: Timers,
    /// Of events, for people: they decide nothing, and a server is the same whatever they say.
    #[derive_where(skip(EqHashOrd))]
    counters: Counters,
    /// Where batches are built; kept so that a packet costs no growth.
    #[derive_where(skip(EqHashOrd))]
    scratch: Vec<u8>,
}

impl<S: StateMachine> Mencius<S> {
    /// A server on its first boot: an explicit act, see `replica format`.
    pub fn format(config: Config, machine: S, now: Tick) -> Self {
        let mut server = Self::new(config, machine, now);
        server.arm_normal_timers(now);
        server
    }

    /// A server that has run before and whose log is gone.
    pub fn restart(config: Config, machine: S, now: Tick, boot: Boot) -> Self {
        let mut server = Self::new(config, machine, now);
        server.begin_recovery(now, boot);
        server
    }

    fn new(config: Config, machine: S, now: Tick) -> Self {
        let (window, ahead) = (config.limits.window, config.limits.revoke_ahead);
        assert!(
            window >= ahead + 2,
            "a window of {window} turns, and {ahead} are revoked ahead: at least {} are needed",
            ahead + 2
        );
        let n = config.quorum.n();
        let mut server = Self {
            history: History::new(machine, true, config.limits.history),
            mode: Mode::Normal,
            executed: InstanceNumber::ZERO,
            lanes: (0..n)
                .map(|index| LaneState::new(replica_at(index), n))
                .collect(),
            settled: Settled::default(),
            own: Own::default(),
            revocations: (0..n).map(|_| None).collect(),
            incarnations: Incarnations::unknown(n),
            recovery: Recovery::default(),
            watch: Watch::default(),
            peers: Peers::new(now),
            rhythm: Rhythm::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            scratch: Vec::new(),
            config,
        };
        server.begin_life_above(InstanceNumber::ZERO);
        server
    }

    /// The server's history, for tests and tools.
    pub fn history(&self) -> &History<S> {
        &self.history
    }

    /// Up to where it has executed instances.
    pub fn executed(&self) -> InstanceNumber {
        self.executed
    }

    fn n(&self) -> usize {
        self.config.quorum.n()
    }

    fn life(&self) -> u64 {
        self.incarnations.of(self.config.me)
    }

    /// Whose an instance is.
    fn owner_of(&self, instance: InstanceNumber) -> ReplicaId {
        let index = (instance.0 - 1) % self.config.turn();
        replica_at(usize::try_from(index).expect("smaller than the group"))
    }

    fn lane(&self, owner: ReplicaId) -> &LaneState {
        &self.lanes[usize::from(owner.0)]
    }

    fn lane_mut(&mut self, owner: ReplicaId) -> &mut LaneState {
        &mut self.lanes[usize::from(owner.0)]
    }

    fn replicas(&self) -> impl Iterator<Item = ReplicaId> + use<S> {
        (0..self.n()).map(replica_at)
    }

    /// Whether `replica` is in the group and not this one.
    fn is_peer(&self, replica: ReplicaId) -> bool {
        usize::from(replica.0) < self.n() && replica != self.config.me
    }

    fn hear(&mut self, replica: ReplicaId, now: Tick) {
        if self.peers.hear(replica, now) {
            self.rhythm.suspected_wrongly();
        }
    }

    fn arm_normal_timers(&mut self, now: Tick) {
        self.timers.cancel(Timer::Recover);
        self.timers.arm(Timer::Heartbeat, now);
        self.timers.arm(Timer::Watch, now);
        self.peers.listen(now);
    }

    fn send(to: ReplicaId, message: MenciusMessage<'_>, out: &mut Effects) {
        out.send(to, &Message::Mencius(message));
    }

    fn send_others(&self, message: MenciusMessage<'_>, out: &mut Effects) {
        out.send_others(self.config.me, self.n(), &Message::Mencius(message));
    }

    /// Learns of lives, and tells whether a message of `sender` is of its newest one.
    fn is_of_newest_life(&mut self, sender: ReplicaId, incarnations: &Incarnations) -> bool {
        for replica in self.replicas() {
            self.learn_life(replica, incarnations.of(replica));
        }
        incarnations.of(sender) == self.incarnations.of(sender)
    }

    /// Somebody has restarted: what it said before no longer counts.
    fn learn_life(&mut self, replica: ReplicaId, incarnation: u64) {
        if incarnation <= self.incarnations.of(replica) {
            return;
        }
        if replica == self.config.me {
            self.learn_own_life(incarnation);
            return;
        }
        self.incarnations.learn(replica, incarnation);
        self.lane_mut(replica).begin_life();
        self.own.forget_acks_of(replica);
        self.peers.forget(replica);
        self.peers.expect(replica);
        // Whose words were counted is not kept: everything is asked again.
        for revocation in &mut self.revocations {
            *revocation = None;
        }
    }

    fn on_mencius(&mut self, now: Tick, message: MenciusMessage<'_>, out: &mut Effects) {
        let sender = message.sender();
        if !self.is_peer(sender) {
            self.counters.rejected += 1;
        } else if self.mode == Mode::Recovering {
            self.on_message_as_outsider(now, message, out);
        } else {
            let is_member = match &message {
                MenciusMessage::Fetch(_) => false,
                MenciusMessage::Rejoin(m) => !matches!(m, Rejoin::Starting(_)),
                _ => true,
            };
            if is_member {
                self.hear(sender, now);
            }
            self.on_message_as_member(now, message, out);
            self.advance(now, out);
        }
    }

    fn on_message_as_member(&mut self, now: Tick, message: MenciusMessage<'_>, out: &mut Effects) {
        match message {
            MenciusMessage::Propose(m) => self.on_propose(now, &m, out),
            MenciusMessage::Ack(m) => self.on_ack(now, &m, out),
            MenciusMessage::Status(m) => self.on_status(now, &m, out),
            MenciusMessage::Fetch(m) => self.on_fetch(now, m, out),
            MenciusMessage::Decided(m) => self.on_decided(now, &m, out),
            MenciusMessage::State(m) => self.on_state(now, &m, out),
            MenciusMessage::Revoke(m) => self.on_revoke(now, &m, out),
            MenciusMessage::Rejoin(m) => self.on_rejoin(&m, out),
        }
    }

    /// Recovering: listens for how things are, and says nothing that counts.
    fn on_message_as_outsider(
        &mut self,
        now: Tick,
        message: MenciusMessage<'_>,
        out: &mut Effects,
    ) {
        match message {
            MenciusMessage::Rejoin(m) => self.on_answer(now, &m, out),
            MenciusMessage::Decided(m) if self.recovery.is_fetching() => {
                self.on_decided(now, &m, out);
            }
            MenciusMessage::State(m) if self.recovery.is_fetching() => {
                self.on_state(now, &m, out);
            }
            _ => {}
        }
    }
}

/// The server with this index in its group.
fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}

impl<S: StateMachine> Protocol for Mencius<S> {
    fn on_message(
        &mut self,
        now: Tick,
        _stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        match message {
            Message::Request(request) => self.on_request(now, &request, out),
            Message::Recover(recover) => self.on_recover(recover, out),
            Message::Mencius(message) => self.on_mencius(now, message, out),
            _ => self.counters.rejected += 1,
        }
    }

    fn on_deadline(&mut self, now: Tick, out: &mut Effects) {
        while let Some(timer) = self.timers.due(now) {
            self.timers.cancel(timer);
            match timer {
                Timer::Heartbeat => self.on_heartbeat_due(now, out),
                Timer::Watch => self.on_watch_due(now, out),
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
            degraded: false,
            view: ViewNumber::ZERO,
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
        let log = self.history.log();
        assert_eq!(log.last(), log.last_committed(), "executed means decided");
        assert!(
            self.settled.base() <= self.executed,
            "kept decisions above what is executed"
        );
        self.check_own();
    }
}

#[cfg(test)]
mod tests;
