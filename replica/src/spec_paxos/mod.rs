//! Speculative Paxos: execute at once, answer in one round trip, roll back if the network lied.
//!
//! Ports et al., *Designing Distributed Systems Using Approximate Synchrony in Data Center
//! Networks*, NSDI 2015. One file a phase:
//!
//! - [`normal`]: requests in, speculative replies out (section 4.2); [`gaps`]: a packet that was
//!   missed is fetched before what follows it is executed; [`arrivals`]: the root's count
//! - [`synchronize`]: the leader turns equal hashes into commits (section 4.3)
//! - [`reconcile`]: views change (section 4.4); [`merge`]: which log the new view begins with;
//!   [`install`]: how a replica gets there
//! - [`degraded`]: the leader orders while no superquorum can be had; [`follow`]: the others do as
//!   it says, and [`ahead`] keeps what they cannot append yet
//! - [`recovery`]: a replica that forgot its votes comes back; [`transfer`]: what it lacks
//! - [`timers`], [`pace`]: what the phases share; [`held`]: what is kept,
//!   and its bounds
//!
//! Safety never depends on stamps: they make divergence rare, not harmless. The leader of view
//! v is replica v mod n; except in a degraded view it coordinates, it does not order.
//!
//! Invariant: the view label of an entry and the reply address decide nothing.

mod ahead;
mod arrivals;
mod config;
mod degraded;
mod follow;
mod gaps;
mod held;
mod install;
mod merge;
mod normal;
mod pace;
mod reconcile;
mod recovery;
mod synchronize;
mod timers;
mod transfer;

pub use crate::Boot;
pub use config::{Config, Limits, Timings};
pub use timers::Timer;

use crate::deferred::Deferred;
use crate::history::History;
use crate::peers::Peers;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::{Effects, Persistent, StateMachine};
use arrivals::Arrivals;
use degraded::Ordering;
use gaps::Gap;
use install::PendingStart;
use pace::Pace;
use reconcile::Change;
use recovery::Recovery;
use synchronize::Synchronization;
use timers::Timers;
use wire::message::{Incarnations, Message};
use wire::{ReplicaId, SlotNumber, StampHeader, Tick, ViewNumber};

/// One replica.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct SpecPaxos<S: StateMachine> {
    config: Config,
    history: History<S>,
    mode: Mode,
    view: ViewNumber,
    /// The newest view whose log is installed here. Kept apart from the log: a view may be
    /// installed without adding an entry.
    last_normal_view: ViewNumber,
    /// Whether the leader orders in `last_normal_view`.
    degraded: bool,
    /// The last slot of the log that `last_normal_view` began with.
    view_start: SlotNumber,
    /// The lives of the replicas that `last_normal_view` was started for.
    view_incarnations: Incarnations,
    /// The newest lives known.
    incarnations: Incarnations,
    arrivals: Arrivals,
    gap: Gap,
    synchronization: Synchronization,
    ordering: Ordering,
    change: Change,
    recovery: Recovery,
    /// A view's log that waits for a part of the log below it.
    pending_start: Option<PendingStart>,
    deferred: Deferred,
    peers: Peers,
    timers: Timers,
    pace: Pace,
    /// Views in a row in which nothing was committed by a superquorum.
    fruitless: u32,
    /// Returns from degraded views.
    degradations: u32,
    /// Of events, for people: they decide nothing, and a replica is the same whatever they say.
    #[derive_where(skip(EqHashOrd))]
    counters: Counters,
}

impl<S: StateMachine> SpecPaxos<S> {
    /// A replica on its first boot: an explicit act, see `replica format`.
    pub fn format(config: Config, machine: S, now: Tick) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.arm_normal_timers(now);
        replica
    }

    /// A replica that has run before and whose log is gone. Its old replies were votes that it
    /// no longer remembers, so it votes for nothing until a view is started for it.
    pub fn restart(config: Config, machine: S, now: Tick, boot: Boot) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.arm_normal_timers(now);
        replica.begin_recovery(now, boot);
        replica
    }

    fn new(config: Config, machine: S, now: Tick) -> Self {
        let n = config.quorum.n();
        Self {
            history: History::new(machine, config.stamps, config.limits.history)
                .broken(config.mutant),
            mode: Mode::Normal,
            view: ViewNumber::ZERO,
            last_normal_view: ViewNumber::ZERO,
            degraded: false,
            view_start: SlotNumber::ZERO,
            view_incarnations: Incarnations::unknown(n),
            incarnations: Incarnations::unknown(n),
            arrivals: Arrivals::default(),
            gap: Gap::default(),
            synchronization: Synchronization::default(),
            ordering: Ordering::default(),
            change: Change::default(),
            recovery: Recovery::default(),
            pending_start: None,
            deferred: Deferred::default(),
            peers: Peers::new(now),
            timers: Timers::default(),
            pace: Pace::default(),
            fruitless: 0,
            degradations: 0,
            counters: Counters::default(),
            config,
        }
    }

    /// The replica's history, for tests and tools.
    pub fn history(&self) -> &History<S> {
        &self.history
    }

    /// The timers that are armed, for tests and tools.
    pub fn armed(&self) -> impl Iterator<Item = Timer> + '_ {
        self.timers.armed()
    }

    fn n(&self) -> usize {
        self.config.quorum.n()
    }

    fn leader_of(&self, view: ViewNumber) -> ReplicaId {
        let index = usize::try_from(view.0 % self.n() as u64).expect("smaller than the group");
        replica_at(index)
    }

    fn is_leader(&self) -> bool {
        self.leader_of(self.view) == self.config.me
    }

    /// Whether `replica` is in the group and not this one.
    fn is_peer(&self, replica: ReplicaId) -> bool {
        usize::from(replica.0) < self.n() && replica != self.config.me
    }

    fn hear(&mut self, replica: ReplicaId, now: Tick) {
        if self.peers.hear(replica, now) {
            self.pace.suspected_wrongly();
        }
    }

    fn persist(&self, out: &mut Effects) {
        out.persist(Persistent {
            view: self.view,
            last_normal_view: self.last_normal_view,
        });
    }

    /// Carries out what `timer` is there for, whatever the time: for [`on_deadline`] and for a
    /// model checker, which has no time. The timer must be armed.
    ///
    /// [`on_deadline`]: Protocol::on_deadline
    pub fn fire(&mut self, now: Tick, timer: Timer, out: &mut Effects) {
        assert!(self.timers.is_armed(timer), "{timer:?} is not armed");
        self.timers.cancel(timer);
        match timer {
            Timer::Ask => self.on_time_to_ask(now, out),
            Timer::SyncOverdue => self.on_sync_overdue(now, out),
            Timer::Answer => self.on_answer_due(out),
            Timer::FetchCommitted if self.degraded => self.fetch_ordered_again(now, out),
            Timer::FetchCommitted => self.fetch_committed(now, out),
            Timer::LeaderSilent => self.on_leader_silent(now, out),
            Timer::Resend => self.on_resend(now, out),
            Timer::GiveUp => self.on_give_up(now, out),
            Timer::Gap => self.on_gap_timer(now, out),
            Timer::Recover => self.on_recover_due(now, out),
            Timer::Return => self.on_return_due(now, out),
        }
    }

    /// Which peer a message names as its sender; `None` if it names none.
    fn sender_of(message: &Message<'_>) -> Option<ReplicaId> {
        match message {
            Message::SyncReply(m) => Some(m.replica),
            Message::StartViewChange(m) => Some(m.replica),
            Message::DoViewChange(m) => Some(m.replica),
            Message::InView(m) => Some(m.replica),
            Message::FetchLog(m) => Some(m.replica),
            Message::Log(m) => Some(m.replica),
            Message::Recover(m) => Some(m.replica),
            Message::FetchPackets(m) => Some(m.replica),
            Message::Packet(m) => Some(m.replica),
            Message::Snapshot(m) => Some(m.replica),
            Message::Request(_)
            | Message::Reply(_)
            | Message::Sync(_)
            | Message::Commit(_)
            | Message::StartView(_)
            | Message::Prepare(_)
            | Message::Rounds(_)
            | Message::Vr(_)
            | Message::NoPaxos(_)
            | Message::FastPaxos(_)
            | Message::Mencius(_) => None,
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

    /// What waits for a commit is bounded: by what the view began with, or by the limit above the
    /// committed prefix. A degraded view's follower learns of commits one message later.
    fn check_speculation(&self) {
        let log = self.history.log();
        let limit = self.config.limits.speculative_entries as u64;
        let bound = log.last_committed().0 + if self.degraded { 2 * limit } else { limit };
        assert!(
            self.mode != Mode::Normal || log.last().0 <= bound.max(self.view_start.0),
            "slots up to {} are executed, {} is committed and the view began at {}",
            log.last(),
            log.last_committed(),
            self.view_start
        );
    }

    /// Normal or reconciling: takes part in everything.
    fn on_message_as_member(&mut self, now: Tick, message: Message<'_>, out: &mut Effects) {
        match message {
            Message::Sync(sync) => self.on_sync(now, sync, out),
            Message::SyncReply(reply) => self.on_sync_reply(now, reply, out),
            Message::Commit(commit) => self.on_commit(now, commit, out),
            Message::StartViewChange(m) => self.on_start_view_change(now, m, out),
            Message::DoViewChange(m) => self.on_do_view_change(now, &m, out),
            Message::StartView(m) => self.on_start_view(now, &m, out),
            Message::InView(m) => self.on_in_view(now, m, out),
            Message::FetchLog(m) => self.on_fetch_log(now, m, out),
            Message::Log(m) => self.on_log(now, &m, out),
            Message::Recover(m) => self.on_recover(now, m, out),
            Message::FetchPackets(m) => self.on_fetch_packets(m, out),
            Message::Packet(m) => self.on_packet(now, &m, out),
            Message::Prepare(m) => self.on_prepare(now, &m, out),
            Message::Snapshot(m) => self.on_snapshot(now, &m, out),
            Message::Request(_)
            | Message::Reply(_)
            | Message::Rounds(_)
            | Message::Vr(_)
            | Message::NoPaxos(_)
            | Message::FastPaxos(_)
            | Message::Mencius(_) => {
                self.counters.rejected += 1;
            }
        }
    }

    /// Recovering: listens for a view that is started for this replica, and says nothing that
    /// counts.
    fn on_message_as_outsider(&mut self, now: Tick, message: Message<'_>, out: &mut Effects) {
        match message {
            Message::StartView(m) => self.on_start_view(now, &m, out),
            Message::StartViewChange(m) => self.learn_own_life(&m),
            Message::Log(m) if self.pending_start.is_some() => self.on_log(now, &m, out),
            Message::Snapshot(m) if self.pending_start.is_some() => self.on_snapshot(now, &m, out),
            _ => {}
        }
    }
}

/// The replica with this index in its group.
fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}

impl<S: StateMachine> Protocol for SpecPaxos<S> {
    fn on_message(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        if let Message::Request(request) = message {
            self.on_request(now, stamp, &request, out);
            return;
        }
        if let Some(stamp) = stamp.filter(|stamp| stamp.is_stamped()) {
            self.on_other_packet(now, stamp, out);
        }
        if !self.is_from_group(now, &message) {
            return;
        }
        if self.mode == Mode::Recovering {
            self.on_message_as_outsider(now, message, out);
        } else {
            self.on_message_as_member(now, message, out);
        }
    }

    fn on_deadline(&mut self, now: Tick, out: &mut Effects) {
        while let Some(timer) = self.timers.due(now) {
            self.fire(now, timer, out);
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
            degraded: self.degraded,
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
        self.arrivals.check();
        self.deferred.check(self.config.limits.deferred);
        self.ordering.ahead.check();
        assert!(
            self.last_normal_view <= self.view,
            "installed a view that was not promised"
        );
        self.check_speculation();
        if self.mode == Mode::Normal {
            assert_eq!(self.last_normal_view, self.view, "normal means installed");
        }
    }
}
