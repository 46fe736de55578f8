//! The coordinator: it sees what is chosen, answers clients and tells the others.
//!
//! In a classic ballot it orders alone: a request that comes while nothing is on the way goes out
//! at once, those that come meanwhile go together, as the leader does in
//! [Viewstamped Replication](crate::vr).

use super::FastPaxos;
use super::pace::Pace;
use super::tally::Tally;
use super::timers::Timer;
use crate::client_table::Freshness;
use crate::history::{Origin, RequestRef};
use crate::protocol::Mode;
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine, answer};
use wire::message::fast_paxos::{Accept, Chosen, FastPaxosMessage, Forward, Vote};
use wire::message::{Entry, Message};
use wire::{ClientId, EpochNumber, HostAddress, ReplicaId, SequenceNumber, SlotNumber, Tick};

/// The others are told of so many chosen slots in one message, or with the next sign of life.
const TELL_EVERY: u64 = 32;

/// What a coordinator keeps beyond the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Leading {
    pub(super) tally: Tally,
    pub(super) pace: Pace,
    /// The others were told that everything up to here is chosen.
    told: SlotNumber,
    /// Classic: bytes of entries that were not sent.
    pub(super) unsent_bytes: usize,
    /// A request is in the log that nobody else will append by itself.
    pub(super) must_settle: bool,
    /// How often nothing was chosen in time, one after the other.
    pub(super) stuck: u32,
    /// By replica: for which of its lives an attempt was begun in this view.
    pub(super) welcomed: [u64; MAX_REPLICAS],
}

impl<S: StateMachine> FastPaxos<S> {
    /// On becoming the coordinator of a view whose log is installed.
    pub(super) fn begin_leading(&mut self, now: Tick) {
        self.leading = Leading {
            pace: self.leading.pace,
            told: self.history.log().last_committed(),
            ..Leading::default()
        };
        self.leading.pace.interrupted();
        self.arm_heartbeat(now);
    }

    fn arm_heartbeat(&mut self, now: Tick) {
        let at = now.plus_us(self.config.timings.heartbeat_us);
        self.timers.arm(Timer::Heartbeat, at);
    }

    pub(super) fn on_heartbeat_due(&mut self, now: Tick, out: &mut Effects) {
        self.tell_chosen(true, out);
        self.arm_heartbeat(now);
        if !self.fast && self.all_is_accepted() && self.enough_vote(now) {
            self.begin_attempt(now, out);
        }
    }

    /// Whether so many take part in this ballot that a fast one can choose.
    fn enough_vote(&self, now: Tick) -> bool {
        let tally = &self.leading.tally;
        let votes = |replica: &ReplicaId| tally.has_voted(usize::from(replica.0));
        let there = self.others().filter(votes);
        let there = there.filter(|replica| self.is_heard(*replica, now));
        there.count() + 1 >= self.config.quorum.superquorum()
    }

    /// Tells the others what is chosen.
    fn tell_chosen(&mut self, asks: bool, out: &mut Effects) {
        let log = self.history.log();
        let slot = log.last_committed();
        let chosen = FastPaxosMessage::Chosen(Chosen {
            ballot: self.accepted,
            slot,
            hash: log.hash_at(slot).expect("the newest are held"),
            asks,
        });
        out.send_others(self.config.me, self.n(), &Message::FastPaxos(chosen));
        self.leading.told = slot;
    }

    /// Whether everything that the others were told in this ballot is chosen.
    pub(super) fn all_is_accepted(&self) -> bool {
        self.settled <= self.history.log().last_committed()
    }

    /// A request is in the coordinator's log.
    pub(super) fn after_append(
        &mut self,
        now: Tick,
        slot: SlotNumber,
        operation_len: usize,
        out: &mut Effects,
    ) {
        let hash = self.history.log().last_hash();
        self.leading.tally.reach(slot, hash);
        self.leading.pace.appended(slot, now);
        self.arm_stuck(now);
        if !self.fast {
            self.leading.unsent_bytes += Entry::OVERHEAD + operation_len;
            self.send_if_due(out);
        }
        self.choose(now, out);
    }

    /// Classic: sends what was not sent, if nothing is on the way or a packet is full.
    fn send_if_due(&mut self, out: &mut Effects) {
        let full = self.leading.unsent_bytes >= Accept::ENTRIES_MAX;
        let last = self.history.log().last();
        if self.settled == last || !(full || self.all_is_accepted()) {
            return;
        }
        let base = self.settled;
        self.settled = last;
        self.leading.unsent_bytes = 0;
        self.send_accept_to_all(base, out);
    }

    pub(super) fn on_vote(&mut self, now: Tick, vote: Vote, out: &mut Effects) {
        // A vote of a ballot that is over may be of a log that its sender has given up since, or of
        // a life that has ended.
        if vote.ballot != self.accepted || self.mode != Mode::Normal || !self.is_leader() {
            return;
        }
        let Self {
            history, leading, ..
        } = self;
        let log = history.log();
        if vote.settled > log.last() {
            self.counters.rejected += 1;
            return;
        }
        let early_max = self.config.limits.early_votes;
        leading
            .tally
            .add(&vote, log.last(), |slot| log.hash_at(slot), early_max);
        if leading.tally.ahead().is_some() {
            self.arm_stuck(now);
        }
        self.choose(now, out);
    }

    /// Commits and answers what is chosen by now.
    pub(super) fn choose(&mut self, now: Tick, out: &mut Effects) {
        let log = self.history.log();
        let (last, committed) = (log.last(), log.last_committed());
        let tally = &self.leading.tally;
        let (quorum, me) = (self.config.quorum, usize::from(self.config.me.0));
        let mut slot = tally.accepted(quorum, me, self.settled);
        if self.fast && slot >= self.settled {
            let voted = tally.voted(quorum, me, last, self.config.fast_quorum());
            slot = slot.max(voted);
        }
        if slot > committed {
            for slot in committed.0 + 1..=slot.0 {
                let slot = SlotNumber(slot);
                let (to, reply) = answer::at(&self.history, self.config.me, self.view, slot);
                out.reply(to, &Message::Reply(reply));
            }
            self.history.commit(slot);
            self.leading.stuck = 0;
            self.leading.pace.chosen(slot, now);
            self.timers.cancel(Timer::Stuck);
            if slot < last || self.leading.tally.ahead().is_some() {
                self.arm_stuck(now);
            }
            if slot.0 - self.leading.told.0 >= TELL_EVERY {
                self.tell_chosen(false, out);
            }
            if !self.fast {
                self.send_if_due(out);
            }
        }
        self.settle_collisions(now, out);
    }

    /// Answers a client again, if what it asked is committed; else the choice will.
    pub(super) fn reply_again(&self, client: ClientId, to: HostAddress, out: &mut Effects) {
        if let Some(reply) = answer::again(&self.history, self.config.me, self.view, client) {
            out.reply(to, &Message::Reply(reply));
        }
    }

    /// A replica has a request that may have been lost on its way here.
    pub(super) fn on_forward(&mut self, now: Tick, message: &Forward<'_>, out: &mut Effects) {
        if message.view != self.view || self.mode != Mode::Normal || !self.is_leader() {
            return;
        }
        let origin = Origin {
            epoch: EpochNumber::ZERO,
            sequence: SequenceNumber::ZERO,
            time: message.time,
        };
        let request = RequestRef::new(origin, &message.request);
        let before = self.history.log().last();
        if self.history.freshness(request.client, request.number) == Freshness::New {
            self.take(now, request, out);
        }
        let last = self.history.log().last();
        let (quorum, me) = (self.config.quorum, usize::from(self.config.me.0));
        // Who still has it in its place has voted for it there.
        let alone = self.leading.tally.voted(quorum, me, last, 2.min(self.n())) < last;
        if self.fast && last > before && alone {
            self.leading.must_settle = true;
            self.settle_collisions(now, out);
        }
    }

    /// Whether a replica has shown a sign of life lately.
    pub(super) fn is_heard(&self, replica: ReplicaId, now: Tick) -> bool {
        let silence = self.peers.silence(replica, now);
        !self.peers.is_suspected(replica) && silence < self.config.timings.suspect_us * 1_000
    }
}
