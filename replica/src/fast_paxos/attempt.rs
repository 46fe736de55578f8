//! Collisions: replicas have voted for different requests in a slot, or too few have voted.
//!
//! Lamport's coordinated recovery: votes that were cast stand in for the first phase of the next
//! ballot, in which the coordinator tells one log to all and a majority is enough.
//!
//! What it may tell: a fast quorum has the coordinator in it, so of all logs only the
//! coordinator's own may have been chosen, and behind its own end nothing is. It tells its whole
//! log; requests that others have and it has not come back to it by FORWARD. Behind that end the
//! new ballot is fast again, if enough are there; votes of the old ballot do not count any more.

use super::FastPaxos;
use super::timers::Timer;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::fast_paxos::{Accept, Ask, FastPaxosMessage, Want};
use wire::message::{Entries, Message};
use wire::{ReplicaId, SlotNumber, Tick};

/// At most this many entries that are committed go into an ACCEPT; who lacks more gets a snapshot.
const COMMITTED_ENTRIES_MAX: u64 = 65_536;

/// A choice that does not come in time doubles the patience at most this often.
const DOUBLINGS_MAX: u32 = 5;

impl<S: StateMachine> FastPaxos<S> {
    /// Begins a ballot that settles everything that is in the log by now.
    pub(super) fn begin_attempt(&mut self, now: Tick, out: &mut Effects) {
        self.accepted.attempt += 1;
        self.tell_log(now);
        let committed = self.history.log().last_committed();
        self.send_accept_to_all(committed, out);
        self.choose(now, out);
    }

    /// What this ballot settles is the whole log.
    pub(super) fn tell_log(&mut self, now: Tick) {
        let was_fast = self.fast;
        let heard = |replica: &ReplicaId| self.is_heard(*replica, now);
        let there = self.others().filter(heard).count() + 1;
        self.fast = there >= self.config.quorum.superquorum();
        if was_fast && !self.fast {
            self.counters.degraded_views += 1;
        }
        self.settled = self.history.log().last();
        self.leading.tally.begin();
        self.leading.must_settle = false;
        self.leading.unsent_bytes = 0;
        self.leading.pace.interrupted();
        if self.settled > self.history.log().last_committed() {
            self.arm_stuck(now);
        }
    }

    /// Begins an attempt if what is on the way cannot be chosen as it is. Not while the one before
    /// is not accepted: else each would end the one before, and nothing would be chosen.
    pub(super) fn settle_collisions(&mut self, now: Tick, out: &mut Effects) {
        if !self.fast || !self.all_is_accepted() {
            return;
        }
        let quorum = self.config.quorum;
        let committed = self.history.log().last_committed();
        let others = self.leading.tally.others(committed);
        let hopeless = others > quorum.n() - quorum.superquorum();
        let open = self.history.log().last() > committed;
        if open && (hopeless || self.leading.must_settle) {
            self.begin_attempt(now, out);
        }
    }

    /// Waits for a choice, unless one is awaited.
    pub(super) fn arm_stuck(&mut self, now: Tick) {
        if !self.timers.is_armed(Timer::Stuck) {
            let timings = &self.config.timings;
            let most = timings.suspect_us;
            let patience = self.leading.pace.patience_us(timings.stuck_us, most);
            let patience = patience << self.leading.stuck.min(DOUBLINGS_MAX);
            self.timers.arm(Timer::Stuck, now.plus_us(patience));
        }
    }

    /// Nothing was chosen for a while: packets were lost, or somebody is not there.
    pub(super) fn on_stuck(&mut self, now: Tick, out: &mut Effects) {
        self.leading.stuck += 1;
        let log = self.history.log();
        let open = log.last() > log.last_committed();
        if let Some(place) = self.leading.tally.ahead() {
            let want = FastPaxosMessage::Want(Want {
                ballot: self.accepted,
                above: log.last(),
            });
            out.send(super::replica_at(place), &Message::FastPaxos(want));
            self.arm_stuck(now);
        }
        if open && self.all_is_accepted() {
            self.begin_attempt(now, out);
        } else if open {
            self.repeat_accept(out);
            self.arm_stuck(now);
        }
    }

    /// To all who have not accepted what they were told.
    fn repeat_accept(&self, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        for replica in self.others() {
            let place = usize::from(replica.0);
            if !self.leading.tally.has_accepted(place, self.settled) {
                self.send_accept(Some(replica), committed, out);
            }
        }
    }

    pub(super) fn send_accept_to_all(&self, base: SlotNumber, out: &mut Effects) {
        self.send_accept(None, base, out);
    }

    /// Sends the log above `base`, as far as it was told or is committed, to one or all.
    pub(super) fn send_accept(&self, to: Option<ReplicaId>, base: SlotNumber, out: &mut Effects) {
        let log = self.history.log();
        let end = self.settled.max(log.last_committed());
        let entries = log
            .above(base)
            .take_while(|(slot, _)| *slot <= end)
            .map(|(_, e)| e.request.as_entry(e.view, e.hash));
        let mut storage = Vec::new();
        let accept = Accept {
            ballot: self.accepted,
            fast: self.fast,
            base,
            base_hash: log.hash_at(base).expect("at or above the log's base"),
            committed: log.last_committed(),
            entries: Entries::encode(entries, &mut storage),
        };
        let in_a_packet = accept.fits_a_packet();
        let message = Message::FastPaxos(FastPaxosMessage::Accept(accept));
        match to {
            Some(replica) => out.send(replica, &message),
            None if in_a_packet => out.send_others(self.config.me, self.n(), &message),
            None => self
                .others()
                .for_each(|replica| out.send(replica, &message)),
        }
    }

    /// A replica lacks something.
    pub(super) fn on_ask(&mut self, now: Tick, ask: Ask, out: &mut Effects) {
        if ask.view < self.view {
            self.tell_newer_view(ask.replica, out);
        } else if ask.view == self.view && self.is_leader() && self.mode == crate::Mode::Normal {
            self.peers.note_committed(ask.replica, ask.committed);
            self.help(now, ask.replica, ask.committed, out);
        }
    }

    /// Sends what a replica needs that has committed so much.
    pub(super) fn help(
        &mut self,
        now: Tick,
        replica: ReplicaId,
        committed: SlotNumber,
        out: &mut Effects,
    ) {
        let log = self.history.log();
        let behind = log.last_committed().0.saturating_sub(committed.0);
        if committed < log.base() || behind > COMMITTED_ENTRIES_MAX {
            self.send_snapshot(now, replica, self.view, out);
        } else {
            let base = committed.min(log.last_committed());
            self.send_accept(Some(replica), base, out);
        }
    }
}
