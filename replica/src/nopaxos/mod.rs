//! NOPaxos: the network orders, and replicas agree only on what it has lost.
//!
//! Li, Michael, Sharma, Szekeres and Ports, *Just Say NO to Paxos Overhead: Replacing Consensus
//! with Network Ordering*, OSDI 2016. One file a phase:
//!
//! - [`normal`]: stamped requests in, answers out; [`ledger`]: the log, [`no_ops`] in it, and
//!   [`arrivals`], which come before their turn
//! - [`gaps`]: a packet that was missed
//! - [`synchronize`]: followers execute, and logs are truncated
//! - [`view_change`]: replicas stop and report; [`merge`] and [`install`]: what a view begins with
//! - [`recovery`]: a replica that has forgotten its log comes back; [`transfer`]: what it lacks
//! - [`view`]: sessions and leaders; [`timers`]; [`held`]: what is kept, and its bounds;
//!   [`mutant`]: deliberate breaks
//!
//! It trusts the root: a term is one life of one root, which gives each packet a number of its own,
//! without holes. The simulator tells it no lies, as its authors would not.

mod arrivals;
mod config;
mod gaps;
mod held;
mod install;
mod ledger;
mod merge;
mod mutant;
mod no_ops;
mod normal;
mod recovery;
mod synchronize;
mod timers;
mod transfer;
mod view;
mod view_change;

pub use config::{Config, Limits, Timings};
pub use mutant::Mutant;
pub use timers::Timer;
pub use view::{leader_of, session_of};

use crate::history::History;
use crate::peers::Peers;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::rhythm::Rhythm;
use crate::{Boot, Effects, Persistent, StateMachine};
use arrivals::Arrivals;
use gaps::Gap;
use install::{Beginning, PendingStart};
use ledger::Ledger;
use recovery::Recovery;
use synchronize::Synchronization;
use timers::Timers;
use view_change::Change;
use wire::message::nopaxos::NoPaxosMessage;
use wire::message::{Incarnations, Message};
use wire::{EpochNumber, ReplicaId, StampHeader, Tick, ViewNumber};

/// One replica.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct NoPaxos<S: StateMachine> {
    config: Config,
    ledger: Ledger<S>,
    mode: Mode,
    view: ViewNumber,
    /// The newest view whose log is installed here.
    last_normal_view: ViewNumber,
    /// What `last_normal_view` began with.
    beginning: Beginning,
    /// The newest lives known.
    incarnations: Incarnations,
    arrivals: Arrivals,
    gap: Gap,
    synchronization: Synchronization,
    change: Change,
    recovery: Recovery,
    /// A view's log that waits for a part of the log below it.
    pending: Option<PendingStart>,
    peers: Peers,
    rhythm: Rhythm,
    timers: Timers,
    /// Of events, for people: they decide nothing, and a replica is the same whatever they say.
    #[derive_where(skip(EqHashOrd))]
    counters: Counters,
}

impl<S: StateMachine> NoPaxos<S> {
    /// A replica on its first boot: an explicit act, see `replica format`.
    pub fn format(config: Config, machine: S, now: Tick) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.arm_normal_timers(now);
        replica
    }

    /// A replica that has run before and whose log is gone.
    pub fn restart(config: Config, machine: S, now: Tick, boot: Boot) -> Self {
        let mut replica = Self::new(config, machine, now);
        replica.begin_recovery(now, boot);
        replica
    }

    fn new(config: Config, machine: S, now: Tick) -> Self {
        let n = config.quorum.n();
        Self {
            ledger: Ledger::new(History::new(machine, true, config.limits.history)),
            mode: Mode::Normal,
            view: ViewNumber::ZERO,
            last_normal_view: ViewNumber::ZERO,
            beginning: Beginning::of_first_view(n),
            incarnations: Incarnations::unknown(n),
            arrivals: Arrivals::default(),
            gap: Gap::default(),
            synchronization: Synchronization::default(),
            change: Change::default(),
            recovery: Recovery::default(),
            pending: None,
            peers: Peers::new(now),
            rhythm: Rhythm::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            config,
        }
    }

    /// The replica's history, for tests and tools: what it has executed.
    pub fn history(&self) -> &History<S> {
        self.ledger.history()
    }

    fn n(&self) -> usize {
        self.config.quorum.n()
    }

    fn leader_of(&self, view: ViewNumber) -> ReplicaId {
        leader_of(view, self.config.quorum)
    }

    fn is_leader(&self) -> bool {
        self.leader_of(self.view) == self.config.me
    }

    fn is_leading(&self) -> bool {
        self.mode == Mode::Normal && self.is_leader()
    }

    fn is_following(&self) -> bool {
        self.mode == Mode::Normal && !self.is_leader()
    }

    fn session(&self) -> EpochNumber {
        session_of(self.view)
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

    fn persist(&self, out: &mut Effects) {
        out.persist(Persistent {
            view: self.view,
            last_normal_view: self.last_normal_view,
        });
    }

    /// Starts the timers of a replica that has just become normal.
    fn arm_normal_timers(&mut self, now: Tick) {
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        self.gap = Gap::default();
        self.synchronization = Synchronization::above(self.ledger.head());
        if self.is_leader() {
            self.counters.executed += self.ledger.lead(self.view);
            self.arm_synchronization(now);
        } else {
            self.rhythm.leader_changed();
            self.await_leader(now);
        }
    }

    /// On becoming a follower, or hearing of the leader.
    fn await_leader(&mut self, now: Tick) {
        let patience = self.rhythm.patience_us(self.config.timings.suspect_us);
        self.timers.arm(Timer::LeaderSilent, now.plus_us(patience));
    }

    fn on_leader_silent(&mut self, now: Tick, out: &mut Effects) {
        self.peers.suspect(self.leader_of(self.view));
        self.next_view(now, out);
    }

    /// Whether a message comes from the leader that this replica follows. If it is of another view
    /// the replicas find each other.
    fn follows(&mut self, now: Tick, view: ViewNumber, out: &mut Effects) -> bool {
        let leader = self.leader_of(view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return false;
        }
        self.hear(leader, now);
        if view > self.view {
            self.change_view(now, view, out);
        } else if view < self.view || self.mode != Mode::Normal {
            self.tell_newer_view(leader, out);
        } else {
            self.await_leader(now);
            return true;
        }
        false
    }

    /// Which peer a message names as its sender; `None` if it names none.
    fn sender_of(message: &Message<'_>) -> Option<ReplicaId> {
        match message {
            Message::StartViewChange(m) => Some(m.replica),
            Message::FetchLog(m) => Some(m.replica),
            Message::Recover(m) => Some(m.replica),
            Message::FetchPackets(m) => Some(m.replica),
            Message::Packet(m) => Some(m.replica),
            Message::NoPaxos(NoPaxosMessage::GapOk(m)) => Some(m.replica),
            Message::NoPaxos(NoPaxosMessage::SyncOk(m)) => Some(m.replica),
            Message::NoPaxos(NoPaxosMessage::Catchup(m)) => Some(m.replica()),
            Message::NoPaxos(NoPaxosMessage::Report(m)) => Some(m.replica),
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
            Message::NoPaxos(NoPaxosMessage::GapCommit(m)) => self.on_gap_commit(now, m, out),
            Message::NoPaxos(NoPaxosMessage::GapOk(m)) => self.on_gap_ok(now, m, out),
            Message::NoPaxos(NoPaxosMessage::SyncPrepare(m)) => {
                self.on_sync_prepare(now, &m, out);
            }
            Message::NoPaxos(NoPaxosMessage::SyncOk(m)) => self.on_sync_ok(now, m, out),
            Message::NoPaxos(NoPaxosMessage::Catchup(m)) => self.on_catchup(now, &m, out),
            Message::NoPaxos(NoPaxosMessage::Report(m)) => self.on_report(now, &m, out),
            Message::NoPaxos(NoPaxosMessage::Start(m)) => self.on_start(now, &m, out),
            Message::StartViewChange(m) => self.on_start_view_change(now, m, out),
            Message::FetchLog(m) => self.on_fetch_log(now, m, out),
            Message::Recover(m) => self.on_recover(now, m, out),
            Message::FetchPackets(m) => self.on_fetch_packets(m, out),
            Message::Packet(m) => self.on_packet(now, &m, out),
            _ => self.counters.rejected += 1,
        }
    }

    /// Recovering: listens for a view that is started for this replica, and says nothing that
    /// counts.
    fn on_message_as_outsider(&mut self, now: Tick, message: Message<'_>, out: &mut Effects) {
        match message {
            Message::NoPaxos(NoPaxosMessage::Start(m)) => self.on_start(now, &m, out),
            Message::StartViewChange(m) => self.learn_own_life(&m),
            Message::NoPaxos(NoPaxosMessage::Catchup(m)) if self.pending.is_some() => {
                self.on_catchup(now, &m, out);
            }
            _ => {}
        }
    }
}

/// The replica with this index in its group.
fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}

impl<S: StateMachine> Protocol for NoPaxos<S> {
    fn on_message(
        &mut self,
        now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        let stamp = stamp.filter(|stamp| stamp.is_stamped());
        if let Message::Request(request) = message {
            match stamp {
                Some(stamp) => self.on_stamped(now, stamp, Some(&request), out),
                None => self.counters.unstamped += 1,
            }
            return;
        }
        if let Some(stamp) = stamp {
            self.on_stamped(now, stamp, None, out);
        }
        if !self.is_from_group(now, &message) {
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
                Timer::Synchronize => self.on_time_to_synchronize(now, out),
                Timer::Gap => self.on_gap_timer(now, out),
                // What was asked for may be asked for again.
                Timer::Fetch => {}
                Timer::LeaderSilent => self.on_leader_silent(now, out),
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
        let log = self.history().log();
        Status {
            replica: self.config.me,
            mode: self.mode,
            degraded: false,
            view: self.view,
            last_speculative: log.last(),
            last_committed: log.last_committed(),
            hash: log.last_hash(),
            digest: self.history().machine().digest(),
            rounds: None,
            counters: self.counters,
        }
    }

    fn check(&self) {
        self.ledger.check();
        assert!(
            self.last_normal_view <= self.view,
            "installed a view that was not promised"
        );
        if self.mode == Mode::Normal {
            assert_eq!(self.last_normal_view, self.view, "normal means installed");
            assert_eq!(self.ledger.session(), self.session());
        }
    }
}
