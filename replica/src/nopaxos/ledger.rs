//! The log: what is at each position of the root's count, and what was executed of it.
//!
//! The part up to `committed` is in the [`History`], all of it executed, and can no longer change.
//! Above it there is a link for each request in the root's order; a request that came twice has
//! two. Positions of the session up to `head` without a link hold no request, or no longer.
//! A no-op takes no slot of the history, nor does a request that came again.
//!
//! The leader executes links as they come; when it leads no more it takes that back. Followers
//! execute what is committed.

use super::no_ops::NoOps;
use crate::client_table::Freshness;
use crate::history::{History, OwnedEntries, SnapshotAt, StoredRequest};
use crate::{RestoreError, StateMachine};
use alloc::collections::VecDeque;
use wire::message::nopaxos::{Committed, Place, Run};
use wire::{AgreedTime, EpochNumber, SequenceNumber, SlotNumber, ViewNumber};

/// A request that is not committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) request: StoredRequest,
    /// If it was executed: the history's newest slot afterwards.
    slot: Option<SlotNumber>,
}

/// Where the root put a request.
pub(super) fn place_of(request: &StoredRequest) -> Place {
    Place {
        session: request.origin.epoch,
        position: request.origin.sequence,
    }
}

/// The log of one replica.
#[derive_where::derive_where(Clone, Debug, PartialEq, Eq, Hash; S, S::Undo)]
pub(super) struct Ledger<S: StateMachine> {
    history: History<S>,
    committed: Place,
    session: EpochNumber,
    head: SequenceNumber,
    links: VecDeque<Link>,
    /// Operations of the links, in bytes.
    bytes: usize,
    no_ops: NoOps,
    executes: bool,
}

impl<S: StateMachine> Ledger<S> {
    pub(super) fn new(history: History<S>) -> Self {
        Self {
            history,
            committed: Place::default(),
            session: EpochNumber::ZERO,
            head: SequenceNumber::ZERO,
            links: VecDeque::new(),
            bytes: 0,
            no_ops: NoOps::default(),
            executes: false,
        }
    }

    pub(super) fn history(&self) -> &History<S> {
        &self.history
    }

    pub(super) fn history_mut(&mut self) -> &mut History<S> {
        &mut self.history
    }

    pub(super) fn no_ops(&self) -> &NoOps {
        &self.no_ops
    }

    /// The session whose positions are counted.
    pub(super) fn session(&self) -> EpochNumber {
        self.session
    }

    /// The newest position of the session.
    pub(super) fn head(&self) -> SequenceNumber {
        self.head
    }

    /// The end of what is committed.
    pub(super) fn committed(&self) -> Committed {
        let log = self.history.log();
        let slot = log.last_committed();
        Committed {
            place: self.committed,
            slot,
            hash: log.hash_at(slot).expect("the newest are held"),
        }
    }

    /// The newest position of the session that is committed.
    pub(super) fn committed_position(&self) -> SequenceNumber {
        if self.committed.session == self.session {
            self.committed.position
        } else {
            SequenceNumber::ZERO
        }
    }

    /// Requests that are not committed, in the root's order.
    pub(super) fn links(&self) -> impl DoubleEndedIterator<Item = &StoredRequest> + Clone {
        self.links.iter().map(|link| &link.request)
    }

    /// How many there are, and the bytes of their operations.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.links.len(), self.bytes)
    }

    /// The request at a position of the session, unless it is committed.
    pub(super) fn link_at(&self, position: SequenceNumber) -> Option<&StoredRequest> {
        let place = Place {
            session: self.session,
            position,
        };
        let index = self
            .links
            .partition_point(|link| place_of(&link.request) < place);
        let request = &self.links.get(index)?.request;
        (place_of(request) == place).then_some(request)
    }

    /// Adds the request at the next position.
    pub(super) fn push(&mut self, view: ViewNumber, request: StoredRequest) {
        let place = place_of(&request);
        assert_eq!(
            (place.session, place.position),
            (self.session, self.head.next()),
            "the next position"
        );
        self.head = place.position;
        self.bytes += request.operation.len();
        self.links.push_back(Link {
            request,
            slot: None,
        });
        if self.executes {
            self.execute(view, self.links.len() - 1);
        }
    }

    fn execute(&mut self, view: ViewNumber, index: usize) {
        let link = &mut self.links[index];
        let request = link.request.as_ref();
        if self.history.freshness(request.client, request.number) == Freshness::New {
            self.history.append(view, request);
        }
        link.slot = Some(self.history.log().last());
    }

    /// Makes a run of positions hold no request. It must not begin behind the next one.
    pub(super) fn no_op(&mut self, run: Run) {
        assert!(run.first <= self.head.next(), "a no-op behind a hole");
        let first = run.first.max(self.committed_position().next());
        if first > run.last {
            return;
        }
        let run = Run { first, ..run };
        let place = |position| Place {
            session: self.session,
            position,
        };
        let (first, last) = (place(run.first), place(run.last));
        let begin = self.links.partition_point(|l| place_of(&l.request) < first);
        let end = self.links.partition_point(|l| place_of(&l.request) <= last);
        assert!(
            begin == end || !self.executes,
            "a leader has executed what is now to be a no-op"
        );
        for link in self.links.drain(begin..end) {
            self.bytes -= link.request.operation.len();
        }
        self.no_ops.insert(run);
        self.head = self.head.max(run.last);
    }

    /// Makes everything up to `place` final, and executes what was not; returns how many were.
    pub(super) fn commit(&mut self, view: ViewNumber, place: Place) -> u64 {
        let reached = Place {
            session: self.session,
            position: self.head,
        };
        assert!(place <= reached, "what is committed is here");
        if place <= self.committed {
            return 0;
        }
        let before = self.history.log().last();
        let mut slot = self.history.log().last_committed();
        while let Some(link) = self.links.front() {
            if place_of(&link.request) > place {
                break;
            }
            if link.slot.is_none() {
                self.execute(view, 0);
            }
            let link = self.links.pop_front().expect("it was just seen");
            self.bytes -= link.request.operation.len();
            slot = link.slot.expect("it was executed");
        }
        self.history.commit(slot);
        self.set_committed(place);
        self.history.log().last().0 - before.0
    }

    fn set_committed(&mut self, place: Place) {
        self.committed = place;
        self.no_ops.committed(self.committed_position());
    }

    /// Executes everything that is here, and from now on what comes.
    pub(super) fn lead(&mut self, view: ViewNumber) -> u64 {
        self.executes = true;
        let before = self.history.log().last();
        for index in 0..self.links.len() {
            self.execute(view, index);
        }
        self.history.log().last().0 - before.0
    }

    /// Takes back what is executed and not committed; returns how many.
    pub(super) fn lead_no_more(&mut self) -> u64 {
        self.executes = false;
        let mut undone = 0;
        let committed = self.history.log().last_committed();
        self.history.rollback(committed, |_| undone += 1);
        for link in &mut self.links {
            link.slot = None;
        }
        undone
    }

    /// Replaces what is not committed by what a view begins with.
    pub(super) fn begin(
        &mut self,
        session: EpochNumber,
        head: SequenceNumber,
        requests: impl IntoIterator<Item = StoredRequest>,
    ) {
        assert!(!self.executes, "a view begins with nothing executed");
        self.session = session;
        let committed = self.committed;
        self.head = head.max(self.committed_position());
        let above = |request: &StoredRequest| place_of(request) > committed;
        let links = requests.into_iter().filter(above);
        self.links = links
            .map(|request| Link {
                request,
                slot: None,
            })
            .collect();
        let operations = self.links.iter().map(|link| link.request.operation.len());
        self.bytes = operations.sum();
        self.no_ops = NoOps::above(self.head);
    }

    /// Takes over entries that are committed elsewhere, up to `committed`; returns how many, or
    /// `None` if they do not follow on what is here. Nothing that is not committed may be executed.
    pub(super) fn adopt(
        &mut self,
        view: ViewNumber,
        committed: &Committed,
        base: SlotNumber,
        entries: OwnedEntries,
    ) -> Option<u64> {
        let (base, entries) = self.history.above_committed(base, entries);
        let end = SlotNumber(base.0 + entries.len() as u64);
        let last = entries.last().map(|(hash, _)| *hash);
        let last = last.or_else(|| self.history.log().hash_at(base));
        let fits = end == committed.slot && last == Some(committed.hash);
        if !fits || !self.history.chain_holds(base, &entries) {
            return None;
        }
        let adopted = self.history.replace_above(view, base, entries);
        assert!(adopted.undone.is_empty(), "only what is committed was here");
        self.history.commit(end);
        self.reach(committed.place);
        Some(adopted.executed)
    }

    /// Takes over the state that is committed elsewhere.
    pub(super) fn restore(
        &mut self,
        committed: &Committed,
        time: AgreedTime,
        state: &[u8],
    ) -> Result<(), RestoreError> {
        let at = SnapshotAt {
            slot: committed.slot,
            hash: committed.hash,
            time,
        };
        self.history.restore(at, state)?;
        self.reach(committed.place);
        Ok(())
    }

    /// The history has everything up to `place`.
    fn reach(&mut self, place: Place) {
        while let Some(link) = self.links.front() {
            if place_of(&link.request) > place {
                break;
            }
            self.bytes -= link.request.operation.len();
            self.links.pop_front();
        }
        self.set_committed(place);
        self.head = self.head.max(self.committed_position());
    }

    pub(super) fn check(&self) {
        self.history.check();
        self.no_ops.check();
        let log = self.history.log();
        assert!(
            self.executes || log.last() == log.last_committed(),
            "followers execute what is committed"
        );
        let end = Place {
            session: self.session,
            position: self.head,
        };
        let mut before = self.committed;
        for link in &self.links {
            let place = place_of(&link.request);
            assert!(before < place, "links are in the root's order");
            assert!(place <= end, "a link behind the head");
            assert_eq!(link.slot.is_some(), self.executes);
            assert!(place.session != self.session || !self.no_ops.contains(place.position));
            before = place;
        }
        let bytes: usize = self.links().map(|request| request.operation.len()).sum();
        assert_eq!(self.bytes, bytes);
    }
}
