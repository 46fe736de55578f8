//! Viewstamped Replication, which is Multi-Paxos with a stable leader: the baseline whose leader
//! orders.
//!
//! Liskov and Cowling, *Viewstamped Replication Revisited*, 2012. One file a phase:
//!
//! - [`lead`]: the leader orders, batches, commits and answers
//! - [`follow`]: followers append and acknowledge
//! - [`view_change`]: replicas stop and report; [`install`]: what the new view begins with
//! - [`recovery`]: a replica that has forgotten its log comes back
//! - [`transfer`]: parts of the log, and snapshots
//! - [`timers`]; [`held`]: what is kept, and its bounds; [`mutant`]: deliberate breaks
//!
//! The leader of view v is replica v mod n. Every log of a view is a prefix of its leader's, so
//! the longest of any f+1 logs of the newest view among them has everything that was committed.
//!
//! Against the paper: entries are executed when they are appended and undone if a view change
//! drops them, but answered when they are committed, as in the paper; the hash that every
//! [`History`] keeps lets a new view be checked. Messages of a view change carry the lives of the
//! replicas that their sender knows of, for without them a report of a life before a restart
//! could still count (Michael et al., *Recovering Shared Objects Without Stable Storage*,
//! DISC 2017).

mod config;
mod follow;
mod held;
mod install;
mod lead;
mod mutant;
mod recovery;
mod timers;
mod transfer;
mod view_change;

pub use config::{Config, Limits, Timings};
pub use mutant::Mutant;
pub use timers::Timer;

use crate::deferred::Deferred;
use crate::history::{History, OwnedEntries};
use crate::peers::Peers;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::rhythm::Rhythm;
use crate::{Boot, Effects, Persistent, StateMachine};
use follow::Following;
use install::PendingStart;
use lead::Leading;
use recovery::Recovery;
use timers::Timers;
use view_change::Change;
use wire::message::vr::VrMessage;
use wire::message::{Incarnations, Message};
use wire::{ReplicaId, SlotNumber, StampHeader, Tick, ViewNumber};

/// One replica.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub struct Vr<S: StateMachine> {
    config: Config,
    history: History<S>,
    mode: Mode,
    view: ViewNumber,
    /// The newest view whose log is installed here.
    last_normal_view: ViewNumber,
    /// The last slot of the log that `last_normal_view` began with.
    view_start: SlotNumber,
    /// The newest lives known.
    incarnations: Incarnations,
    leading: Leading,
    following: Following,
    change: Change,
    deferred: Deferred,
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

impl<S: StateMachine> Vr<S> {
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
            last_normal_view: ViewNumber::ZERO,
            view_start: SlotNumber::ZERO,
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
        self.following = Following::default();
        if self.is_leader() {
            self.begin_leading(now);
        } else {
            self.rhythm.leader_changed();
            self.await_leader(now);
        }
    }

    /// Makes the log above `base` be `entries`.
    fn replace_above(&mut self, base: SlotNumber, entries: OwnedEntries) {
        let adopted = self.history.replace_above(self.view, base, entries);
        self.counters.rolled_back += adopted.undone.len() as u64;
        self.counters.executed += adopted.executed;
    }

    /// Which peer a message names as its sender; `None` if it names none.
    fn sender_of(message: &Message<'_>) -> Option<ReplicaId> {
        match message {
            Message::StartViewChange(m) => Some(m.replica),
            Message::DoViewChange(m) => Some(m.replica),
            Message::FetchLog(m) => Some(m.replica),
            Message::Log(m) => Some(m.replica),
            Message::Recover(m) => Some(m.replica),
            Message::Snapshot(m) => Some(m.replica),
            Message::Vr(VrMessage::PrepareOk(m)) => Some(m.replica),
            Message::Vr(VrMessage::Welcome(m)) => Some(m.replica),
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
            Message::Vr(VrMessage::Prepare(m)) => self.on_prepare(now, &m, out),
            Message::Vr(VrMessage::PrepareOk(m)) => self.on_prepare_ok(now, m, out),
            // Of an earlier life, or somebody was late.
            Message::Vr(VrMessage::Welcome(_)) => {}
            Message::StartViewChange(m) => self.on_start_view_change(now, m, out),
            Message::DoViewChange(m) => self.on_do_view_change(now, &m, out),
            Message::StartView(m) => self.on_start_view(now, &m, out),
            Message::FetchLog(m) => self.on_fetch_log(now, m, out),
            Message::Log(m) => self.on_log(now, &m, out),
            Message::Recover(m) => self.on_recover(now, m, out),
            Message::Snapshot(m) => self.on_snapshot(now, &m, out),
            _ => self.counters.rejected += 1,
        }
    }

    /// Recovering: listens for how things are, and says nothing that counts.
    fn on_message_as_outsider(&mut self, now: Tick, message: Message<'_>, out: &mut Effects) {
        match message {
            Message::Vr(VrMessage::Welcome(m)) => self.on_welcome(now, m, out),
            Message::StartViewChange(m) => self.learn_own_life(&m),
            Message::Log(m) => self.on_log(now, &m, out),
            Message::Snapshot(m) if self.recovery.is_fetching() => self.on_snapshot(now, &m, out),
            _ => {}
        }
    }
}

/// The replica with this index in its group.
fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}

impl<S: StateMachine> Protocol for Vr<S> {
    fn on_message(
        &mut self,
        now: Tick,
        _stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        if let Message::Request(request) = message {
            self.on_request(now, &request, out);
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
                Timer::Heartbeat => self.on_heartbeat_due(now, out),
                Timer::Fetch => self.fetch_again(now, out),
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
        let log = self.history.log();
        Status {
            replica: self.config.me,
            mode: self.mode,
            degraded: false,
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
            self.last_normal_view <= self.view,
            "installed a view that was not promised"
        );
        if self.mode == Mode::Normal {
            assert_eq!(self.last_normal_view, self.view, "normal means installed");
        }
    }
}
