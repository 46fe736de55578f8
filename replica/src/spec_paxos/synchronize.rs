//! Synchronization (NSDI'15, section 4.3): the leader asks for hashes; equal hashes of a
//! superquorum commit everything below them.
//!
//! A mismatch never commits anything here: the leader stops and reconciles. (The published
//! code goes on and commits its own divergent prefix.)

use super::{SpecPaxos, replica_at};
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine};
use wire::message::{Commit, FetchLog, Message, Sync, SyncReply};
use wire::{SlotNumber, SummaryHash, Tick};

/// What the leader has asked, and what a follower has been asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Synchronization {
    /// Leader: the question on the way.
    round: Option<Round>,
    /// Leader: when to ask next.
    ask_at: Tick,
    /// Follower: a question about a slot it has not got to, and when to answer all the same.
    owed: Option<(Sync, Tick)>,
    /// A commit announced of a log that is not its own, or longer; and when to fetch it.
    announced: Option<(Commit, Tick)>,
    /// Follower: when the leader counts as silent.
    leader_silent_at: Tick,
}

/// One question and its answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Round {
    slot: SlotNumber,
    begun: Tick,
    answers: [Option<(SlotNumber, SummaryHash)>; MAX_REPLICAS],
}

impl<S: StateMachine> SpecPaxos<S> {
    /// Starts the timers of a replica that has just become normal.
    pub(super) fn arm_normal_timers(&mut self, now: Tick) {
        self.synchronization = Synchronization {
            round: None,
            ask_at: now.plus_us(self.config.timers.sync_us),
            owed: None,
            announced: None,
            leader_silent_at: now.plus_us(self.config.timers.suspect_us),
        };
    }

    pub(super) fn normal_deadline(&self) -> Option<Tick> {
        if self.is_leader() {
            return Some(self.synchronization.ask_at);
        }
        let owed = self.synchronization.owed.map(|(_, at)| at);
        let fetch = self.synchronization.announced.map(|(_, at)| at);
        let silent = self.synchronization.leader_silent_at;
        owed.into_iter().chain(fetch).chain([silent]).min()
    }

    pub(super) fn on_normal_deadline(&mut self, now: Tick, out: &mut Effects) {
        if self.is_leader() {
            if now >= self.synchronization.ask_at {
                self.on_time_to_ask(now, out);
            }
            return;
        }
        if let Some((sync, at)) = self.synchronization.owed
            && now >= at
        {
            self.synchronization.owed = None;
            self.answer(sync, out);
        }
        if let Some((commit, at)) = self.synchronization.announced
            && now >= at
        {
            self.fetch_committed(now, commit, out);
        }
        if now >= self.synchronization.leader_silent_at {
            self.reconcile(now, out);
        }
    }

    /// The leader's regular turn: ask, ask again, or give up and reconcile.
    fn on_time_to_ask(&mut self, now: Tick, out: &mut Effects) {
        let log = self.history.log();
        let uncommitted = log.last() > log.last_committed();
        let reachable = (0..self.n())
            .filter(|index| !self.suspects(replica_at(*index), now))
            .count();
        let hopeless = reachable < self.config.quorum.superquorum();
        let timeout = self.config.timers.sync_timeout_us * 1_000;
        let overdue = self
            .open_round()
            .is_some_and(|round| now.since(round.begun) >= timeout);
        if uncommitted && (hopeless || overdue) {
            self.reconcile(now, out);
        } else {
            self.synchronize(now, out);
        }
    }

    /// The question on the way, unless what it asks about is committed already.
    fn open_round(&self) -> Option<&Round> {
        let committed = self.history.log().last_committed();
        self.synchronization
            .round
            .as_ref()
            .filter(|round| round.slot > committed)
    }

    /// Leader: asks again what is open, else begins a round about the newest slot. (Beginning
    /// anew while a round is open would let impatient clients put off its timeout for ever.)
    pub(super) fn synchronize(&mut self, now: Tick, out: &mut Effects) {
        assert!(self.is_leader() && self.mode == Mode::Normal);
        if self.open_round().is_none() {
            self.synchronization.round = Some(Round {
                slot: self.history.log().last(),
                begun: now,
                answers: [None; MAX_REPLICAS],
            });
        }
        self.ask(now, out);
        self.evaluate(now, out);
    }

    /// Leader: sends the question of the round on the way.
    fn ask(&mut self, now: Tick, out: &mut Effects) {
        let log = self.history.log();
        let Some(round) = &self.synchronization.round else {
            return;
        };
        let sync = Sync {
            view: self.view,
            slot: round.slot,
            committed: log.last_committed(),
            committed_hash: log
                .hash_at(log.last_committed())
                .expect("the newest are held"),
        };
        out.send_others(self.config.me, self.n(), &Message::Sync(sync));
        self.arm_ask(now);
    }

    fn arm_ask(&mut self, now: Tick) {
        let log = self.history.log();
        let timers = self.config.timers;
        let idle = log.last() == log.last_committed();
        let wait = if idle {
            timers.heartbeat_us
        } else {
            timers.sync_us
        };
        self.synchronization.ask_at = now.plus_us(wait);
    }

    pub(super) fn on_sync(&mut self, now: Tick, sync: Sync, out: &mut Effects) {
        let leader = self.leader_of(sync.view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return;
        }
        self.hear(leader, now);
        if sync.view > self.view {
            self.change_view(now, sync.view, out);
            return;
        }
        if sync.view < self.view {
            self.tell_newer_view(leader, out);
            return;
        }
        if self.mode != Mode::Normal {
            self.ask_for_start_view(out);
            return;
        }
        self.synchronization.leader_silent_at = now.plus_us(self.config.timers.suspect_us);
        let commit = Commit {
            view: sync.view,
            slot: sync.committed,
            hash: sync.committed_hash,
        };
        self.apply_commit(now, commit, out);
        if self.mode != Mode::Normal {
            return;
        }
        if self.history.log().last() >= sync.slot {
            self.synchronization.owed = None;
            self.answer(sync, out);
        } else if self
            .synchronization
            .owed
            .is_none_or(|(owed, _)| owed.slot != sync.slot)
        {
            let at = now.plus_us(self.config.timers.patience_us);
            self.synchronization.owed = Some((sync, at));
        }
    }

    /// Follower: tells the hash at the slot asked about, or at the newest if that is older.
    fn answer(&self, sync: Sync, out: &mut Effects) {
        let log = self.history.log();
        let reached = sync.slot.min(log.last());
        // Truncated entries are committed here; the leader has long known.
        let Some(hash) = log.hash_at(reached) else {
            return;
        };
        let replica = self.config.me;
        let reply = SyncReply {
            view: self.view,
            replica,
            slot: sync.slot,
            reached,
            hash,
        };
        out.send(self.leader_of(self.view), &Message::SyncReply(reply));
    }

    pub(super) fn on_sync_reply(&mut self, now: Tick, reply: SyncReply, out: &mut Effects) {
        if reply.view > self.view {
            self.change_view(now, reply.view, out);
            return;
        }
        if reply.view < self.view || self.mode != Mode::Normal || !self.is_leader() {
            return;
        }
        self.note_in_view(now, reply.replica, out);
        if let Some(round) = &mut self.synchronization.round
            && round.slot == reply.slot
        {
            let answer = (reply.reached, reply.hash);
            round.answers[usize::from(reply.replica.0)] = Some(answer);
            self.evaluate(now, out);
        } else {
            self.reconcile_if_diverged(now, reply, out);
        }
    }

    /// Leader: a late answer still shows whether its sender's committed prefix is ours.
    fn reconcile_if_diverged(&mut self, now: Tick, reply: SyncReply, out: &mut Effects) {
        let log = self.history.log();
        let committed = reply.reached <= log.last_committed();
        if committed
            && log
                .hash_at(reply.reached)
                .is_some_and(|hash| hash != reply.hash)
        {
            self.reconcile(now, out);
        }
    }

    /// Leader: commits if a superquorum agrees, reconciles if none can.
    fn evaluate(&mut self, now: Tick, out: &mut Effects) {
        let Some(round) = &self.synchronization.round else {
            return;
        };
        let slot = round.slot;
        let hash = self
            .history
            .log()
            .hash_at(slot)
            .expect("a leader keeps what it asks about");
        let answers = round.answers.iter().flatten();
        let answered = 1 + answers.clone().count();
        let matching = 1 + answers.filter(|answer| **answer == (slot, hash)).count();
        let quorum = self.config.quorum;
        let possible = matching + (quorum.n() - answered);
        if matching >= quorum.superquorum() {
            self.commit_and_announce(now, slot, out);
        } else if answered >= quorum.majority() && possible < quorum.superquorum() {
            self.reconcile(now, out);
        }
    }

    /// Leader: everything up to `slot` is committed; tells the others.
    pub(super) fn commit_and_announce(&mut self, now: Tick, slot: SlotNumber, out: &mut Effects) {
        if slot <= self.history.log().last_committed() {
            return;
        }
        self.history.commit(slot);
        let hash = self
            .history
            .log()
            .hash_at(slot)
            .expect("the newest committed slot is held");
        let commit = Commit {
            view: self.view,
            slot,
            hash,
        };
        out.send_others(self.config.me, self.n(), &Message::Commit(commit));
        self.arm_ask(now);
    }

    pub(super) fn on_commit(&mut self, now: Tick, commit: Commit, out: &mut Effects) {
        let leader = self.leader_of(commit.view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return;
        }
        self.hear(leader, now);
        if commit.view > self.view {
            self.change_view(now, commit.view, out);
        } else if commit.view == self.view && self.mode == Mode::Normal {
            self.apply_commit(now, commit, out);
        }
    }

    /// Follower: commits up to the slot if the hash there is its own. If it is not, this replica
    /// is in the minority that saw something else: it fetches what is committed and takes back
    /// its own, without stopping the others. If its log is shorter, it waits a little first.
    pub(super) fn apply_commit(&mut self, now: Tick, commit: Commit, out: &mut Effects) {
        let log = self.history.log();
        if commit.slot <= log.last_committed() {
            return;
        }
        match log.hash_at(commit.slot) {
            Some(hash) if hash == commit.hash => {
                self.history.commit(commit.slot);
                self.synchronization.announced = None;
            }
            Some(_) if self.synchronization.announced.is_none() => {
                self.fetch_committed(now, commit, out);
            }
            _ => {
                let patience = now.plus_us(self.config.timers.patience_us);
                let at = self
                    .synchronization
                    .announced
                    .map_or(patience, |(_, at)| at);
                self.synchronization.announced = Some((commit, at));
            }
        }
    }

    /// Follower: asks the leader for the committed log; again after a while if nothing comes.
    fn fetch_committed(&mut self, now: Tick, commit: Commit, out: &mut Effects) {
        let again = now.plus_us(self.config.timers.resend_us);
        self.synchronization.announced = Some((commit, again));
        let fetch = FetchLog {
            view: self.view,
            replica: self.config.me,
            from: self.history.log().last_committed(),
            to: commit.slot,
        };
        out.send(self.leader_of(self.view), &Message::FetchLog(fetch));
    }

    /// Follower: after committed entries have been adopted.
    pub(super) fn after_catching_up(&mut self, now: Tick, out: &mut Effects) {
        if let Some((commit, _)) = self.synchronization.announced.take() {
            self.apply_commit(now, commit, out);
        }
        self.replay_deferred(now, out);
    }

    /// Something was appended at `slot`: what was waiting for it can be answered.
    pub(super) fn note_append(&mut self, now: Tick, slot: SlotNumber, out: &mut Effects) {
        let timers = self.config.timers;
        if self.is_leader() {
            let soon = now.plus_us(timers.sync_us);
            self.synchronization.ask_at = self.synchronization.ask_at.min(soon);
            return;
        }
        if let Some((sync, _)) = self.synchronization.owed
            && sync.slot <= slot
        {
            self.synchronization.owed = None;
            self.answer(sync, out);
        }
        if let Some((commit, _)) = self.synchronization.announced
            && commit.slot == slot
        {
            self.synchronization.announced = None;
            self.apply_commit(now, commit, out);
        }
    }
}
