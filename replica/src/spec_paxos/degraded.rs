//! A degraded view: the leader orders, f+1 commit (as Viewstamped Replication does).
//!
//! With more than ⌊f/2⌋ replicas down no superquorum can be had, and every synchronization
//! would need a view change. In a degraded view nobody speculates: a reply is committed or not
//! sent. Every log is a prefix of the leader's, so the longest of any f+1 holds everything that
//! was committed; merging by votes would be wrong here. The mode belongs to the view, is fixed
//! by its START-VIEW and reported with it.
//!
//! The mode and its leader. What the others do is in `follow`.

use super::ahead::Ahead;
use super::timers::Timer;
use super::{SpecPaxos, replica_at};
use crate::client_table::Freshness;
use crate::history::RequestRef;
use crate::quorum::MAX_REPLICAS;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::{Entries, Message, Prepare, SyncReply};
use wire::{ReplicaId, SlotNumber, Tick};

/// View changes in a row after which nothing was committed by a superquorum, before the group
/// does without one.
const FRUITLESS_MAX: u32 = 3;
/// So many entries committed by superquorums in one view: the return to speculation has lasted.
const LASTING: u64 = 1_024;
/// The wait before a return to speculation doubles at most this often.
const DOUBLINGS_MAX: u32 = 6;

/// PREPAREs that are sent again to a replica which was not in the view when they were sent. If
/// they do not suffice it fetches the rest.
const AGAIN_MAX: usize = 16;

/// What a degraded view needs beyond the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ordering {
    /// Leader: everything up to here was sent to the others.
    sent: SlotNumber,
    /// Leader, per replica: up to where it has the log.
    held: [SlotNumber; MAX_REPLICAS],
    /// Follower: up to where it has asked the leader for the log.
    pub(super) fetching: SlotNumber,
    /// Follower: what was ordered behind what it asked for.
    pub(super) ahead: Ahead,
}

impl<S: StateMachine> SpecPaxos<S> {
    /// Whether the next view had better be degraded.
    pub(super) fn wants_degraded(&self) -> bool {
        let in_use = self.history.log().last() > SlotNumber::ZERO;
        in_use && (self.is_hopeless() || self.fruitless >= FRUITLESS_MAX)
    }

    /// Leader: whether the view that it is about to start is degraded. Others may have asked for
    /// it because they took somebody for crashed who has reported in the meantime.
    pub(super) fn starts_degraded(&self, wanted: bool, stopped: usize) -> bool {
        let reachable = stopped >= self.config.quorum.superquorum();
        wanted && (!reachable || self.fruitless >= FRUITLESS_MAX)
    }

    /// Keeps count of views that did not get anywhere.
    pub(super) fn note_end_of_view(&mut self) {
        let log = self.history.log();
        let committed = log.last_committed().0.saturating_sub(self.view_start.0);
        if !self.degraded && committed >= LASTING {
            self.degradations = 0;
        }
        if self.degraded || committed > 0 {
            self.fruitless = 0;
        } else if log.last() > self.view_start {
            self.fruitless += 1;
        }
    }

    /// On becoming normal in a degraded view.
    pub(super) fn begin_ordering(&mut self, now: Tick) {
        self.ordering = Ordering {
            sent: self.history.log().last(),
            ..Ordering::default()
        };
        self.counters.degraded_views += 1;
        if self.is_leader() {
            self.arm_return(now);
        }
    }

    fn arm_return(&mut self, now: Tick) {
        let wait = self.config.timings.return_us << self.degradations.min(DOUBLINGS_MAX);
        self.timers.arm(Timer::Return, now.plus_us(wait));
    }

    /// Leader: back to speculation once nobody's silence stands in the way of a superquorum and
    /// those who answer have the committed log.
    pub(super) fn on_return_due(&mut self, now: Tick, out: &mut Effects) {
        let committed = self.history.log().last_committed();
        let caught_up = |index: &usize| {
            let replica = replica_at(*index);
            replica == self.config.me
                || (!self.peers.is_suspected(replica) && self.ordering.held[*index] >= committed)
        };
        let ready = (0..self.n()).filter(caught_up).count();
        if ready >= self.config.quorum.superquorum() {
            self.degradations += 1;
            self.reconcile(now, false, out);
        } else {
            self.arm_return(now);
        }
    }

    /// A request in a degraded view: the leader's order is the order.
    pub(super) fn order(&mut self, now: Tick, request: RequestRef<'_>, out: &mut Effects) {
        match self.history.freshness(request.client, request.number) {
            Freshness::Stale => self.counters.stale += 1,
            Freshness::Repeated(_) => {
                self.counters.resent += 1;
                self.reply_to(request.client, request.reply_to, out);
            }
            // The next view's leader may not have got it. If this one has, it is soon let go.
            Freshness::New if !self.is_leader() => self.defer(request.to_stored()),
            Freshness::New if self.may_append() => {
                let slot = self.history.append(self.view, request);
                self.counters.executed += 1;
                if self
                    .config
                    .breaks(crate::mutant::Mutant::DegradedRepliesEarly)
                {
                    self.reply(slot, out);
                }
                self.note_append(now, slot, out);
                self.prepare_if_due(out);
            }
            Freshness::New => self.counters.throttled += 1,
        }
    }

    /// Leader: sends what was appended, at once if nothing is on the way, else when that is
    /// answered or a packet is full.
    fn prepare_if_due(&mut self, out: &mut Effects) {
        let log = self.history.log();
        let idle = self.ordering.sent <= log.last_committed();
        if idle || self.unsent_bytes() >= Prepare::ENTRIES_MAX {
            self.prepare(out);
        }
    }

    /// Bytes of what was not sent, or something over a packet.
    fn unsent_bytes(&self) -> usize {
        let log = self.history.log();
        let mut bytes = 0;
        for (_, entry) in log.above(self.ordering.sent) {
            bytes += entry_bytes(entry.request);
            if bytes >= Prepare::ENTRIES_MAX {
                break;
            }
        }
        bytes
    }

    /// Leader: sends everything that was not sent, a packet at a time.
    fn prepare(&mut self, out: &mut Effects) {
        let last = self.history.log().last();
        while self.ordering.sent < last {
            let others = (0..self.n()).map(replica_at);
            let others = others.filter(|replica| *replica != self.config.me);
            self.ordering.sent = self.send_prepare(self.ordering.sent, last, others, out);
        }
    }

    /// Leader: who was not in the view when the first PREPAREs were sent has ignored them.
    pub(super) fn prepare_again(&mut self, to: ReplicaId, out: &mut Effects) {
        let held = self.ordering.held[usize::from(to.0)];
        let mut base = held.max(self.view_start);
        if base >= self.history.log().base() {
            for _ in 0..AGAIN_MAX {
                if base >= self.ordering.sent {
                    break;
                }
                base = self.send_prepare(base, self.ordering.sent, [to].into_iter(), out);
            }
        }
        self.prepare_if_due(out);
    }

    /// Leader: sends one PREPARE with entries above `base`, at most up to `end` and not more than
    /// a packet holds; returns up to where it got.
    fn send_prepare(
        &self,
        base: SlotNumber,
        end: SlotNumber,
        receivers: impl Iterator<Item = ReplicaId>,
        out: &mut Effects,
    ) -> SlotNumber {
        let log = self.history.log();
        let mut bytes = 0;
        let count = log
            .above(base)
            .take_while(|(slot, entry)| {
                let first = bytes == 0;
                bytes += entry_bytes(entry.request);
                *slot <= end && (first || bytes <= Prepare::ENTRIES_MAX)
            })
            .count();
        let entries = log
            .above(base)
            .take(count)
            .map(|(_, entry)| entry.request.as_entry(entry.view, entry.hash));
        let mut storage = Vec::new();
        let prepare = Message::Prepare(Prepare {
            view: self.view,
            base,
            base_hash: log.hash_at(base).expect("what is not sent is held"),
            committed: log.last_committed(),
            entries: Entries::encode(entries, &mut storage),
        });
        for replica in receivers {
            out.send(replica, &prepare);
        }
        SlotNumber(base.0 + count as u64)
    }

    /// Leader: a replica has the log up to `reply.reached`.
    pub(super) fn note_ordered(&mut self, reply: SyncReply, out: &mut Effects) {
        let log = self.history.log();
        if log
            .hash_at(reply.reached)
            .is_some_and(|hash| hash != reply.hash)
        {
            self.counters.rejected += 1;
            return;
        }
        let held = &mut self.ordering.held[usize::from(reply.replica.0)];
        *held = reply.reached.max(*held);
        self.commit_what_enough_hold(out);
    }

    fn commit_what_enough_hold(&mut self, out: &mut Effects) {
        let last = self.history.log().last();
        let mut held = self.ordering.held;
        held[usize::from(self.config.me.0)] = last;
        let held = &mut held[..self.config.quorum.n()];
        held.sort_unstable_by(|one, other| other.cmp(one));
        let slot = held[self.config.quorum.majority() - 1].min(last);
        let committed = self.history.log().last_committed();
        if slot <= committed {
            return;
        }
        self.reply_committed(slot, out);
        self.history.commit(slot);
        // If nothing is left to prepare, the others hear of it with the next SYNC: `Ask` is armed
        // for `sync_us` from now or sooner as long as anything is not committed.
        self.prepare_if_due(out);
    }
}

/// Bytes of an entry in a message.
fn entry_bytes(request: RequestRef<'_>) -> usize {
    wire::message::Entry::OVERHEAD + request.operation.len()
}
