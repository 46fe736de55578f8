//! Synchronization (NSDI'15, section 4.3): the leader asks for hashes; equal hashes of a
//! superquorum commit everything below them.
//!
//! A mismatch never commits anything here: the leader stops and reconciles. (The published
//! code goes on and commits its own divergent prefix.)

use super::timers::Timer;
use super::{SpecPaxos, replica_at};
use crate::mutant::Mutant;
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine};
use wire::message::{Commit, Message, Sync, SyncReply};
use wire::{SlotNumber, SummaryHash, Tick};

/// The leader asks at the latest when so many entries have been appended since it asked last.
const SYNC_ENTRIES: u64 = 256;

/// What the leader has asked, and what a follower has been asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Synchronization {
    /// Leader: the question on the way.
    round: Option<Round>,
    /// Follower: a question about a slot it has not got to.
    owed: Option<Sync>,
    /// A commit announced of a log that is not its own, or longer.
    announced: Option<Commit>,
}

/// One question and its answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Round {
    slot: SlotNumber,
    answers: [Option<(SlotNumber, SummaryHash)>; MAX_REPLICAS],
}

impl<S: StateMachine> SpecPaxos<S> {
    /// Starts the timers of a replica that has just become normal.
    pub(super) fn arm_normal_timers(&mut self, now: Tick) {
        self.synchronization = Synchronization::default();
        for timer in Timer::ALL {
            self.timers.cancel(timer);
        }
        if self.is_leader() {
            self.peers.listen(now);
            let soon = now.plus_us(self.config.timings.sync_us);
            self.timers.arm(Timer::Ask, soon);
        } else {
            self.pace.leader_changed();
            self.await_leader(now);
        }
    }

    /// Follower: the leader counts as silent if nothing more comes for a while.
    fn await_leader(&mut self, now: Tick) {
        if self.mode == Mode::Normal {
            let patience = self.pace.suspect_us(&self.config.timings);
            self.timers.arm(Timer::LeaderSilent, now.plus_us(patience));
        }
    }

    /// Follower: the leader of this replica's view showed a sign of life.
    pub(super) fn hear_leader(&mut self, now: Tick) {
        self.pace.leader_heard(now);
        self.await_leader(now);
    }

    pub(super) fn on_leader_silent(&mut self, now: Tick, out: &mut Effects) {
        self.peers.suspect(self.leader_of(self.view));
        let degraded = self.degraded || self.wants_degraded();
        self.reconcile(now, degraded, out);
    }

    /// The leader's regular turn: ask, ask again, or give up and reconcile.
    pub(super) fn on_time_to_ask(&mut self, now: Tick, out: &mut Effects) {
        self.suspect_the_silent(now);
        let log = self.history.log();
        let uncommitted = log.last() > log.last_committed();
        if !self.degraded && uncommitted && self.is_hopeless() {
            self.reconcile(now, self.wants_degraded(), out);
        } else {
            self.synchronize(now, out);
        }
    }

    /// Leader: who has not answered for a while is taken for crashed.
    fn suspect_the_silent(&mut self, now: Tick) {
        let patience = self.pace.suspect_us(&self.config.timings) * 1_000;
        for replica in (0..self.n()).map(replica_at) {
            if replica != self.config.me && self.peers.silence(replica, now) >= patience {
                self.peers.suspect(replica);
            }
        }
    }

    /// Whether too many are taken for crashed for any superquorum.
    pub(super) fn is_hopeless(&self) -> bool {
        self.n() - self.peers.suspects() < self.config.quorum.superquorum()
    }

    /// Leader: the hashes that would commit have not come in time.
    pub(super) fn on_sync_overdue(&mut self, now: Tick, out: &mut Effects) {
        if self.open_round().is_some() {
            self.reconcile(now, self.wants_degraded(), out);
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
            self.begin_round(now);
        }
        self.ask(now, out);
        if !self.degraded {
            self.evaluate(now, out);
        }
    }

    fn begin_round(&mut self, now: Tick) {
        let slot = self.history.log().last();
        self.synchronization.round = Some(Round {
            slot,
            answers: [None; MAX_REPLICAS],
        });
        self.pace.asked(now);
        if slot > self.history.log().last_committed() && !self.degraded {
            let patience = self.pace.sync_timeout_us(&self.config.timings);
            self.timers.arm(Timer::SyncOverdue, now.plus_us(patience));
        }
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
        let timings = self.config.timings;
        let idle = log.last() == log.last_committed();
        let wait = if idle {
            timings.heartbeat_us
        } else {
            timings.sync_us
        };
        self.timers.arm(Timer::Ask, now.plus_us(wait));
    }

    pub(super) fn on_sync(&mut self, now: Tick, sync: Sync, out: &mut Effects) {
        let leader = self.leader_of(sync.view);
        if leader == self.config.me {
            self.counters.rejected += 1;
            return;
        }
        self.hear(leader, now);
        if sync.view > self.view {
            self.change_view(now, sync.view, self.degraded, out);
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
        self.hear_leader(now);
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
        } else if self.degraded {
            self.answer(sync, out);
            self.fetch_ordered(now, sync.slot, out);
        } else if self
            .synchronization
            .owed
            .is_none_or(|owed| owed.slot != sync.slot)
        {
            self.synchronization.owed = Some(sync);
            self.ask_for_tail(leader, out);
            let patience = self.config.timings.patience_us;
            self.timers.arm(Timer::Answer, now.plus_us(patience));
        }
    }

    /// Follower: it has not got to the slot it was asked about, and says so.
    pub(super) fn on_answer_due(&mut self, out: &mut Effects) {
        if let Some(sync) = self.synchronization.owed.take() {
            self.answer(sync, out);
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
        let reply = SyncReply {
            view: self.view,
            replica: self.config.me,
            slot: sync.slot,
            reached,
            hash,
        };
        out.send(self.leader_of(self.view), &Message::SyncReply(reply));
    }

    pub(super) fn on_sync_reply(&mut self, now: Tick, reply: SyncReply, out: &mut Effects) {
        if reply.view > self.view {
            self.change_view(now, reply.view, self.degraded, out);
            return;
        }
        if reply.view < self.view || self.mode != Mode::Normal || !self.is_leader() {
            return;
        }
        self.note_in_view(now, reply.replica, out);
        if self.degraded {
            self.note_ordered(reply, out);
        } else if let Some(round) = &mut self.synchronization.round
            && round.slot == reply.slot
        {
            let answer = (reply.reached, reply.hash);
            round.answers[usize::from(reply.replica.0)] = Some(answer);
            self.pace.answered(now);
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
            self.reconcile(now, self.wants_degraded(), out);
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
        let needed = if self.config.breaks(Mutant::CommitByMajority) {
            quorum.majority()
        } else {
            quorum.superquorum()
        };
        let possible = matching + (quorum.n() - answered);
        if matching >= needed {
            self.commit_and_announce(now, slot, out);
        } else if answered >= quorum.majority() && possible < needed {
            if self.config.breaks(Mutant::CommitOnMismatch) {
                self.commit_and_announce(now, slot, out);
            }
            self.reconcile(now, self.wants_degraded(), out);
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
        self.timers.cancel(Timer::SyncOverdue);
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
            self.change_view(now, commit.view, self.degraded, out);
        } else if commit.view == self.view && self.mode == Mode::Normal {
            self.hear_leader(now);
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
            Some(hash) if hash == commit.hash || self.config.breaks(Mutant::CommitUnchecked) => {
                self.history.commit(commit.slot);
                self.synchronization.announced = None;
                self.timers.cancel(Timer::FetchCommitted);
            }
            Some(_) if self.synchronization.announced.is_none() => {
                self.synchronization.announced = Some(commit);
                self.fetch_committed(now, out);
            }
            _ => {
                self.synchronization.announced = Some(commit);
                let patience = now.plus_us(self.config.timings.patience_us);
                self.timers.arm_by(Timer::FetchCommitted, patience);
            }
        }
    }

    /// Follower: asks the leader for the committed log; again after a while if nothing comes.
    pub(super) fn fetch_committed(&mut self, now: Tick, out: &mut Effects) {
        let Some(commit) = self.synchronization.announced else {
            return;
        };
        let again = now.plus_us(self.config.timings.resend_us);
        self.timers.arm(Timer::FetchCommitted, again);
        self.fetch_log(self.leader_of(self.view), commit.slot, out);
    }

    /// Whether a commit was announced that this replica has not got to.
    pub(super) fn lacks_committed(&self) -> bool {
        self.synchronization.announced.is_some()
    }

    /// Follower: after committed entries have been adopted.
    pub(super) fn after_catching_up(&mut self, now: Tick, out: &mut Effects) {
        self.timers.cancel(Timer::FetchCommitted);
        if let Some(commit) = self.synchronization.announced.take() {
            self.apply_commit(now, commit, out);
        }
        self.replay_deferred(now, out);
    }

    /// Leader: does not wait for its turn when much is not committed, long before replicas must
    /// stop executing for that reason. (They would stop and go on at different requests.)
    fn ask_if_much_waits(&mut self, now: Tick, slot: SlotNumber, out: &mut Effects) {
        let every = SYNC_ENTRIES
            .min(self.config.limits.speculative_entries as u64 / 4)
            .max(1);
        let asked = self.synchronization.round.as_ref().map(|round| round.slot);
        let since = slot.0.saturating_sub(asked.unwrap_or(self.view_start).0);
        if since >= every && !self.degraded && self.open_round().is_none() {
            self.synchronize(now, out);
        }
    }

    /// Something was appended at `slot`: what was waiting for it can be answered.
    pub(super) fn note_append(&mut self, now: Tick, slot: SlotNumber, out: &mut Effects) {
        if self.is_leader() {
            let soon = now.plus_us(self.config.timings.sync_us);
            self.timers.arm_by(Timer::Ask, soon);
            self.ask_if_much_waits(now, slot, out);
            return;
        }
        if let Some(sync) = self.synchronization.owed
            && sync.slot <= slot
        {
            self.synchronization.owed = None;
            self.timers.cancel(Timer::Answer);
            self.answer(sync, out);
        }
        if let Some(commit) = self.synchronization.announced
            && commit.slot == slot
        {
            self.synchronization.announced = None;
            self.timers.cancel(Timer::FetchCommitted);
            self.apply_commit(now, commit, out);
        }
    }
}
