//! Getting from one's own log to what a view begins with. What is committed and missing is fetched
//! first.

use super::NoPaxos;
use super::ledger::place_of;
use super::merge::{Merged, merge};
use super::view::session_of;
use super::view_change::Change;
use crate::history::{OwnedEntries, owned};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::nopaxos::{Committed, NoPaxosMessage, Place, Start};
use wire::message::{Entries, Incarnations, Message};
use wire::{ReplicaId, SequenceNumber, SlotNumber, SummaryHash, Tick, ViewNumber};

/// What a view began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Beginning {
    /// The lives of the replicas that it was started for.
    pub(super) incarnations: Incarnations,
    /// The newest position.
    pub(super) head: SequenceNumber,
    /// The slot of the newest request.
    pub(super) last: SlotNumber,
    /// The summary hash there.
    pub(super) last_hash: SummaryHash,
}

impl Beginning {
    pub(super) fn of_first_view(n: usize) -> Self {
        Self {
            incarnations: Incarnations::unknown(n),
            head: SequenceNumber::ZERO,
            last: SlotNumber::ZERO,
            last_hash: SummaryHash::EMPTY,
        }
    }

    /// Where a view that began so begins.
    pub(super) fn place(&self, view: ViewNumber) -> Place {
        Place {
            session: session_of(view),
            position: self.head,
        }
    }
}

/// A view's log that cannot be installed before what is committed below it is here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PendingStart {
    /// For the leader, who executes it, `last` and its hash are not known yet.
    beginning: Beginning,
    committed: Committed,
    base: SlotNumber,
    /// Committed entries above `base`, then the others.
    entries: OwnedEntries,
    /// Who holds what is missing.
    holder: ReplicaId,
}

impl<S: StateMachine> NoPaxos<S> {
    /// Leader with f+1 reports: merges, and installs as soon as it has what is committed.
    pub(super) fn begin_view(&mut self, now: Tick, out: &mut Effects) {
        let reports = core::mem::take(&mut self.change.reports);
        let mut beginning = Beginning::of_first_view(self.n());
        for report in &reports {
            beginning.incarnations.merge(&report.incarnations);
        }
        let Merged {
            committed,
            holder,
            session,
            head,
            requests,
        } = merge(self.config.mutant, &reports);
        if session == self.session() {
            beginning.head = head;
        }
        let nameless = |request| (SummaryHash::EMPTY, request);
        let start = PendingStart {
            beginning,
            committed,
            base: committed.slot,
            entries: requests.into_iter().map(nameless).collect(),
            holder,
        };
        self.start_or_wait(now, start, out);
    }

    pub(super) fn on_start(&mut self, now: Tick, message: &Start<'_>, out: &mut Effects) {
        let leader = self.leader_of(message.view);
        let installed = self.mode == Mode::Normal && message.view == self.view;
        if message.view < self.view || installed || leader == self.config.me {
            return;
        }
        if self.mode == Mode::Recovering {
            if !self.is_started_for_me(message.view, &message.incarnations) {
                return;
            }
            self.view = message.view;
            self.pending = None;
        }
        self.hear(leader, now);
        if message.view > self.view {
            self.promise(now, message.view, out);
        }
        let start = PendingStart {
            beginning: Beginning {
                incarnations: message.incarnations,
                head: message.head,
                last: message.last,
                last_hash: message.last_hash,
            },
            committed: message.committed,
            base: message.base,
            entries: owned(&message.entries),
            holder: leader,
        };
        self.start_or_wait(now, start, out);
    }

    pub(super) fn start_or_wait(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        if start.base <= self.ledger.committed().slot {
            self.install(now, start, out);
        } else {
            self.pending = Some(start);
            self.ask_for_pending(out);
        }
    }

    /// Asks for the committed entries that the view's log stands on.
    pub(super) fn ask_for_pending(&self, out: &mut Effects) {
        if let Some(pending) = &self.pending {
            self.fetch_log(pending.holder, pending.committed.slot, out);
        }
    }

    /// Makes the view's log this replica's own and goes on in the new view.
    fn install(&mut self, now: Tick, start: PendingStart, out: &mut Effects) {
        let PendingStart {
            mut beginning,
            committed,
            base,
            mut entries,
            ..
        } = start;
        let count = usize::try_from(committed.slot.0.saturating_sub(base.0));
        let count = count.unwrap_or(usize::MAX).min(entries.len());
        let above = entries.split_off(count);
        if committed.place > self.ledger.committed().place {
            let adopted = self.ledger.adopt(self.view, &committed, base, entries);
            let Some(executed) = adopted else {
                self.counters.rejected += 1;
                return;
            };
            self.counters.executed += executed;
        }
        let requests = above.into_iter().map(|(_, request)| request);
        self.ledger.begin(self.session(), beginning.head, requests);
        self.become_normal(now, out);
        if self.is_leader() {
            let log = self.history().log();
            beginning.last = log.last();
            beginning.last_hash = log.last_hash();
        }
        self.note_lives(beginning.incarnations);
        self.beginning = beginning;
        if self.is_leader() {
            self.peers.begin_view();
            self.tell_beginning(now, out);
        } else {
            self.say_verified(out);
        }
        self.arrivals.of_session(self.session());
        self.take_ready(now, out);
    }

    /// The log of this replica's view is installed.
    pub(super) fn become_normal(&mut self, now: Tick, out: &mut Effects) {
        self.last_normal_view = self.view;
        self.mode = Mode::Normal;
        self.change = Change::default();
        self.pending = None;
        self.persist(out);
        self.arm_normal_timers(now);
    }

    /// Leader: what the view began with, for a replica that has committed up to `known`. Some of
    /// it may have been committed since, and more.
    pub(super) fn send_start(&self, to: ReplicaId, out: &mut Effects) {
        let committed = self.ledger.committed();
        let log = self.history().log();
        let base = self.peers.committed(to).min(committed.slot);
        let base = if base < log.base() {
            committed.slot
        } else {
            base
        };
        let (end, view) = (self.beginning.place(self.view), self.view);
        let below = log.above(base);
        let below = below.take_while(|(slot, _)| *slot <= committed.slot);
        let below = below.map(|(_, entry)| entry.request.as_entry(view, entry.hash));
        let links = self.ledger.links();
        let links = links.take_while(|request| place_of(request) <= end);
        let links = links.map(|request| request.as_entry(view, SummaryHash::EMPTY));
        let mut storage = Vec::new();
        let start = Start {
            view,
            incarnations: self.beginning.incarnations,
            committed,
            head: self.beginning.head.max(self.ledger.committed_position()),
            last: self.beginning.last,
            last_hash: self.beginning.last_hash,
            base,
            entries: Entries::encode(below.chain(links), &mut storage),
        };
        out.send(to, &Message::NoPaxos(NoPaxosMessage::Start(start)));
    }
}
