//! How this server's own instances stand: what is proposed, skipped, revoked, and the requests
//! that wait.

use super::Mencius;
use super::lane::{StoredBatch, Value};
use crate::StateMachine;
use crate::client_table::Freshness;
use crate::history::{Origin, StoredRequest};
use crate::quorum::MAX_REPLICAS;
use alloc::collections::{BTreeMap, VecDeque};
use wire::message::Batch;
use wire::message::mencius::Lane;
use wire::{ClientId, InstanceNumber, ReplicaId, RequestNumber};

/// A proposal that is not executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Proposal {
    pub(super) batch: StoredBatch,
    pub(super) requests: usize,
    /// This server's proposal before.
    pub(super) previous: InstanceNumber,
}

/// What this server proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Own {
    pub(super) base: InstanceNumber,
    pub(super) chosen: InstanceNumber,
    pub(super) last: InstanceNumber,
    pub(super) next: InstanceNumber,
    pub(super) proposals: BTreeMap<InstanceNumber, Proposal>,
    /// In proposals that are not executed.
    pub(super) flying: usize,
    pub(super) flying_bytes: usize,
    /// By server: it has accepted every proposal above the first up to the second.
    pub(super) acked: [(InstanceNumber, InstanceNumber); MAX_REPLICAS],
    pub(super) queue: VecDeque<StoredRequest>,
    pub(super) queue_bytes: usize,
    /// By client: its request that is in the queue or proposed.
    pub(super) taken: BTreeMap<ClientId, RequestNumber>,
}

impl Own {
    pub(super) fn forget_acks_of(&mut self, replica: ReplicaId) {
        self.acked[usize::from(replica.0)] = Default::default();
    }

    pub(super) fn note_ack(
        &mut self,
        replica: ReplicaId,
        above: InstanceNumber,
        held: InstanceNumber,
    ) {
        let known = &mut self.acked[usize::from(replica.0)];
        if held < known.1 {
            return;
        }
        *known = if above <= known.1 {
            (above.min(known.0), held)
        } else {
            (above, held)
        };
    }

    /// Requests that are taken and not executed, and their bytes.
    pub(super) fn requests(&self) -> (usize, usize) {
        (
            self.queue.len() + self.flying,
            self.queue_bytes + self.flying_bytes,
        )
    }

    pub(super) fn push(&mut self, request: StoredRequest) {
        self.queue_bytes += Batch::cost(request.operation.len());
        self.queue.push_back(request);
    }

    pub(super) fn pop(&mut self) -> Option<StoredRequest> {
        let request = self.queue.pop_front()?;
        self.queue_bytes -= Batch::cost(request.operation.len());
        Some(request)
    }

    /// A proposal's instance is executed; returns what was proposed there.
    pub(super) fn take_proposal(&mut self, instance: InstanceNumber) -> Option<StoredBatch> {
        let proposal = self.proposals.remove(&instance)?;
        self.flying -= proposal.requests;
        self.flying_bytes -= proposal.batch.len();
        Some(proposal.batch)
    }

    /// A client's request is executed, or will never be.
    pub(super) fn done(&mut self, client: ClientId, number: RequestNumber) {
        if self
            .taken
            .get(&client)
            .is_some_and(|taken| *taken <= number)
        {
            self.taken.remove(&client);
        }
    }

    pub(super) fn has_proposed(&self, instance: InstanceNumber) -> bool {
        self.proposals.contains_key(&instance)
    }

    /// What is revoked, up to where; everything a life does is above.
    pub(super) fn base(&self) -> InstanceNumber {
        self.base
    }
}

impl<S: StateMachine> Mencius<S> {
    /// A new life proposes above an instance only.
    pub(super) fn begin_life_above(&mut self, above: InstanceNumber) {
        let next = self.lane(self.config.me).first_above(above);
        self.own = Own {
            base: above,
            chosen: above,
            last: above,
            next,
            ..Own::default()
        };
        self.note_own_skips();
    }

    /// How this server's instances stand, as it tells others.
    pub(super) fn own_lane(&self) -> Lane {
        Lane {
            replica: self.config.me,
            incarnations: self.incarnations,
            base: self.own.base,
            chosen: self.own.chosen,
            last: self.own.last,
            next: self.own.next,
            executed: self.executed,
        }
    }

    pub(super) fn note_own_skips(&mut self) {
        let (last, next, runs) = (self.own.last, self.own.next, self.runs_max());
        self.lane_mut(self.config.me).skip(last, next, runs);
    }

    /// Another server proposes for an instance: this one will propose for none below any more.
    pub(super) fn skip_below(&mut self, instance: InstanceNumber) {
        if self.own.next < instance {
            let before = InstanceNumber(instance.0 - 1);
            self.own.next = self.lane(self.config.me).first_above(before);
            self.note_own_skips();
        }
    }

    /// Others decide about this server's instances up to here.
    pub(super) fn retreat(&mut self, up_to: InstanceNumber) {
        if up_to <= self.own.base {
            return;
        }
        let own = &mut self.own;
        own.base = up_to;
        own.chosen = own.chosen.max(up_to);
        own.last = own.last.max(up_to);
        self.skip_below(up_to.next());
        self.note_own_skips();
    }

    /// One of this server's instances is executed. If others decided that it is nothing, what was
    /// proposed there is proposed again.
    pub(super) fn on_own_executed(&mut self, instance: InstanceNumber, value: &Value) {
        if instance >= self.own.next {
            self.retreat(instance);
        }
        let Some(batch) = self.own.take_proposal(instance) else {
            return;
        };
        if value.is_none() {
            self.queue_again(&batch);
        }
    }

    /// Everything up to here was executed elsewhere, with what outcome is not known.
    pub(super) fn on_own_jumped(&mut self, executed: InstanceNumber) {
        if executed >= self.own.next {
            self.retreat(executed);
        }
        while let Some((instance, _)) = self.own.proposals.first_key_value()
            && *instance <= executed
        {
            let instance = *instance;
            let batch = self.own.take_proposal(instance).expect("it is the first");
            self.queue_again(&batch);
        }
    }

    fn queue_again(&mut self, batch: &StoredBatch) {
        for request in &batch.batch() {
            match self.history.freshness(request.client, request.number) {
                Freshness::New => self
                    .own
                    .push(StoredRequest::new(Origin::default(), &request)),
                Freshness::Repeated(_) | Freshness::Stale => {
                    self.own.done(request.client, request.number);
                }
            }
        }
    }

    /// Panics if this server's own bookkeeping is wrong.
    pub(super) fn check_own(&self) {
        let own = &self.own;
        assert!(own.base <= own.chosen && own.chosen <= own.last && own.last < own.next);
        let counted: usize = own.proposals.values().map(|one| one.requests).sum();
        assert_eq!(counted, own.flying);
        let bytes = own.queue.iter().map(|one| Batch::cost(one.operation.len()));
        assert_eq!(own.queue_bytes, bytes.sum::<usize>());
        assert!(own.proposals.keys().all(|at| *at > self.executed));
    }
}
