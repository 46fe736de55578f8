//! Speculative Paxos: execute at once, answer in one round trip, roll back if the network lied.
//!
//! Ports et al., *Designing Distributed Systems Using Approximate Synchrony in Data Center
//! Networks*, NSDI 2015. One file a phase:
//!
//! - [`normal`]: requests in, speculative replies out (section 4.2)
//! - [`synchronize`]: the leader turns equal hashes into commits (section 4.3)
//! - [`reconcile`]: views change (section 4.4); [`merge`]: which log the new view begins with;
//!   [`install`]: how a replica gets there
//!
//! Safety never depends on stamps: they make divergence rare, not harmless. The leader of view
//! v is replica v mod n; it coordinates, it does not order.
//!
//! Invariant: the view label of an entry and the reply address decide nothing.

mod config;
mod install;
mod merge;
mod normal;
mod reconcile;
mod synchronize;

pub use config::{Config, Timers};

use crate::history::{History, StoredRequest};
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, Persistent, StateMachine};
use alloc::vec::Vec;
use install::PendingStart;
use reconcile::Change;
use synchronize::Synchronization;
use wire::message::Message;
use wire::{ReplicaId, SlotNumber, StampHeader, Tick, ViewNumber};

/// Requests that may wait for a reconciliation to end; more are dropped, and their clients ask
/// again.
pub const DEFERRED_MAX: usize = 4_096;

/// One replica.
pub struct SpecPaxos<S: StateMachine> {
    config: Config,
    history: History<S>,
    mode: Mode,
    view: ViewNumber,
    /// The newest view whose log is installed here. Kept apart from the log: a view may be
    /// installed without adding an entry.
    last_normal_view: ViewNumber,
    synchronization: Synchronization,
    change: Change,
    /// A START-VIEW that waits for a part of the log below it.
    pending_start: Option<PendingStart>,
    deferred: Vec<StoredRequest>,
    /// Per replica: when it was last heard, and what it last said to be committed.
    heard: [Tick; MAX_REPLICAS],
    peer_committed: [SlotNumber; MAX_REPLICAS],
    counters: Counters,
}

impl<S: StateMachine> SpecPaxos<S> {
    /// A replica on its first boot: an explicit act, see `replica format`.
    pub fn format(config: Config, machine: S, now: Tick) -> Self {
        Self::new(config, machine, now, Mode::Normal, Persistent::default())
    }

    /// A replica that has run before and whose log is gone. Its old replies were votes that it
    /// no longer remembers, so it votes for nothing.
    pub fn restart(config: Config, machine: S, now: Tick, persisted: Persistent) -> Self {
        Self::new(config, machine, now, Mode::Recovering, persisted)
    }

    fn new(config: Config, machine: S, now: Tick, mode: Mode, persisted: Persistent) -> Self {
        let mut replica = Self {
            history: History::new(machine, config.stamps, config.retained_bytes),
            mode,
            view: persisted.view,
            last_normal_view: persisted.last_normal_view,
            synchronization: Synchronization::default(),
            change: Change::default(),
            pending_start: None,
            deferred: Vec::new(),
            heard: [now; MAX_REPLICAS],
            peer_committed: [SlotNumber::ZERO; MAX_REPLICAS],
            counters: Counters::default(),
            config,
        };
        replica.arm_normal_timers(now);
        replica
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

    /// Whether `replica` is in the group and not this one.
    fn is_peer(&self, replica: ReplicaId) -> bool {
        usize::from(replica.0) < self.n() && replica != self.config.me
    }

    fn hear(&mut self, replica: ReplicaId, now: Tick) {
        self.heard[usize::from(replica.0)] = now;
    }

    fn suspects(&self, replica: ReplicaId, now: Tick) -> bool {
        replica != self.config.me
            && now.since(self.heard[usize::from(replica.0)])
                >= self.config.timers.suspect_us * 1_000
    }

    fn persist(&self, out: &mut Effects) {
        out.persist(Persistent {
            view: self.view,
            last_normal_view: self.last_normal_view,
        });
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
            Message::Request(_)
            | Message::Reply(_)
            | Message::Sync(_)
            | Message::Commit(_)
            | Message::StartView(_) => None,
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
        if self.mode == Mode::Recovering {
            return;
        }
        if let Some(sender) = Self::sender_of(&message) {
            if !self.is_peer(sender) {
                self.counters.rejected += 1;
                return;
            }
            self.hear(sender, now);
        }
        match message {
            Message::Request(request) => self.on_request(now, stamp, &request, out),
            Message::Sync(sync) => self.on_sync(now, sync, out),
            Message::SyncReply(reply) => self.on_sync_reply(now, reply, out),
            Message::Commit(commit) => self.on_commit(now, commit, out),
            Message::StartViewChange(m) => self.on_start_view_change(now, m, out),
            Message::DoViewChange(m) => self.on_do_view_change(now, &m, out),
            Message::StartView(m) => self.on_start_view(now, &m, out),
            Message::InView(m) => self.on_in_view(now, m, out),
            Message::FetchLog(m) => self.on_fetch_log(m, out),
            Message::Log(m) => self.on_log(now, &m, out),
            Message::Reply(_) => self.counters.rejected += 1,
        }
    }

    fn on_deadline(&mut self, now: Tick, out: &mut Effects) {
        match self.mode {
            Mode::Normal => self.on_normal_deadline(now, out),
            Mode::Reconciling => self.on_reconciling_deadline(now, out),
            Mode::Recovering => {}
        }
    }

    fn deadline(&self) -> Option<Tick> {
        match self.mode {
            Mode::Normal => self.normal_deadline(),
            Mode::Reconciling => Some(self.reconciling_deadline()),
            Mode::Recovering => None,
        }
    }

    fn status(&self) -> Status {
        let log = self.history.log();
        Status {
            replica: self.config.me,
            mode: self.mode,
            view: self.view,
            last_speculative: log.last(),
            last_committed: log.last_committed(),
            hash: log.last_hash(),
            digest: self.history.machine().digest(),
            counters: self.counters,
        }
    }

    fn check(&self) {
        self.history.check();
        assert!(
            self.last_normal_view <= self.view,
            "installed a view that was not promised"
        );
        assert!(self.deferred.len() <= DEFERRED_MAX);
        if self.mode == Mode::Normal {
            assert_eq!(self.last_normal_view, self.view, "normal means installed");
        }
    }
}
