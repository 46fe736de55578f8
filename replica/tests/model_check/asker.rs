//! A client as the replicas see it: what it could have counted, and what it may ask for again.
//!
//! Replies are lost and overtaken like everything else, so a client may have received any of the
//! replies sent to it, in any order, or none. It is therefore not stepped: all the outcomes that
//! the real [`ClientCore`] could reach are kept, and none keeps it from asking again.

use crate::bounds::REPLICAS;
use client::core::{Agreement, ClientCore, Step};
use replica::Quorum;
use std::collections::BTreeSet;
use std::sync::Arc;
use wire::message::{Message, Reply, Request, Wants};
use wire::{
    ClientId, HostAddress, ReplicaId, RequestNumber, SlotNumber, SummaryHash, Tick, ViewNumber,
};

/// A request that the client may take for done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Completion {
    pub(crate) slot: SlotNumber,
    pub(crate) hash: SummaryHash,
    pub(crate) result: Vec<u8>,
    /// The earliest view in which it could be.
    pub(crate) view: ViewNumber,
}

/// A speculative reply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Vote {
    view: ViewNumber,
    replica: ReplicaId,
    slot: SlotNumber,
    hash: SummaryHash,
    result: Vec<u8>,
}

/// One client with one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asker {
    id: ClientId,
    votes: BTreeSet<Vote>,
    completions: BTreeSet<Completion>,
    /// Whether votes that cannot match were sent.
    may_despair: bool,
    /// Whether it has asked again.
    pub(crate) insisted: bool,
}

/// The address is as good as any: the model has one network.
fn address(id: ClientId) -> HostAddress {
    let port = u16::try_from(id.0).expect("few clients");
    HostAddress {
        ip: [10, 0, 0, 1],
        port,
    }
}

fn fresh_core(id: ClientId) -> ClientCore {
    let quorum = Quorum::of(REPLICAS).expect("a possible size");
    let agreement = Agreement::Speculative(quorum);
    let mut core = ClientCore::new(id, address(id), agreement);
    core.begin(Tick(0), operation(id).into());
    core
}

/// The client's letter.
fn operation(id: ClientId) -> [u8; 1] {
    let offset = u8::try_from(id.0).expect("few clients") - 1;
    [b'a' + offset]
}

impl Asker {
    pub(crate) fn new(id: ClientId) -> Self {
        Self {
            id,
            votes: BTreeSet::new(),
            completions: BTreeSet::new(),
            may_despair: false,
            insisted: false,
        }
    }

    /// Its request as it is multicast.
    pub(crate) fn request(&self, wants: Wants) -> Vec<u8> {
        let request = Request {
            client: self.id,
            number: RequestNumber(1),
            reply_to: address(self.id),
            wants,
            operation: &operation(self.id),
        };
        let mut bytes = Vec::new();
        Message::Request(request).emit(&mut bytes);
        bytes
    }

    pub(crate) fn completions(&self) -> impl Iterator<Item = &Completion> {
        self.completions.iter()
    }

    /// What it may ask for when it asks again.
    pub(crate) fn wishes(&self) -> impl Iterator<Item = Wants> {
        let despair = self.may_despair.then_some(Wants::Reconciliation);
        [Wants::Commit].into_iter().chain(despair)
    }

    /// A reply is on its way to this client. Returns what a client could complain of.
    pub(crate) fn reply(self: &mut Arc<Self>, reply: &Reply<'_>) -> Result<(), String> {
        assert_eq!((reply.client, reply.number), (self.id, RequestNumber(1)));
        let known = |done: &Completion| {
            done.view <= reply.view
                && (done.slot, done.hash) == (reply.slot, reply.hash)
                && *done.result == *reply.result
        };
        if reply.committed {
            return if self.completions.iter().any(known) {
                Ok(())
            } else {
                Arc::make_mut(self).count(&[*reply])
            };
        }
        let vote = Vote {
            view: reply.view,
            replica: reply.replica,
            slot: reply.slot,
            hash: reply.hash,
            result: reply.result.into(),
        };
        if self.votes.contains(&vote) {
            return Ok(());
        }
        let of_view: Vec<Vote> = self
            .votes
            .iter()
            .filter(|other| other.view == vote.view && other.replica != vote.replica)
            .cloned()
            .collect();
        let asker = Arc::make_mut(self);
        asker.votes.insert(vote);
        // Votes of two views do not add up, and a replica's newest vote is its only one; so all
        // that may come of the new one comes of it after votes of its view, in any order.
        for (index, one) in of_view.iter().enumerate() {
            asker.count(&[one.as_reply(asker.id), *reply])?;
            for other in &of_view[index + 1..] {
                if other.replica != one.replica {
                    let replies = [one.as_reply(asker.id), other.as_reply(asker.id), *reply];
                    asker.count(&replies)?;
                }
            }
        }
        Ok(())
    }

    /// Lets a client count these replies and notes what comes of it.
    fn count(&mut self, replies: &[Reply<'_>]) -> Result<(), String> {
        let mut core = fresh_core(self.id);
        for reply in replies {
            match core.on_reply(Tick(0), reply) {
                Step::Wait => {}
                Step::Send => self.may_despair |= !self.insisted,
                Step::Done(answer) => {
                    assert_eq!(*answer.result, *reply.result);
                    self.complete(reply);
                }
                Step::Failed(divergence) => return Err(divergence.to_string()),
            }
        }
        Ok(())
    }

    fn complete(&mut self, reply: &Reply<'_>) {
        let mut new = Completion {
            slot: reply.slot,
            hash: reply.hash,
            result: reply.result.into(),
            view: reply.view,
        };
        let same = |known: &Completion| {
            (known.slot, known.hash, &known.result) == (new.slot, new.hash, &new.result)
        };
        if let Some(known) = self.completions.iter().find(|known| same(known)).cloned() {
            new.view = new.view.min(known.view);
            self.completions.remove(&known);
        }
        self.completions.insert(new);
    }

    /// It asks again.
    pub(crate) fn insist(&mut self) {
        self.insisted = true;
        self.may_despair = false;
    }

    /// Nobody asks again any more.
    pub(crate) fn resign(self: &mut Arc<Self>) {
        if self.may_despair {
            Arc::make_mut(self).may_despair = false;
        }
    }

    /// Forgets votes that can no longer complete the request: some replica has not cast the same
    /// one and never will, because it votes in later views only. `views` holds the promised view
    /// of each replica, `None` for a replica that has crashed for good.
    pub(crate) fn forget_outdated(self: &mut Arc<Self>, views: &[Option<ViewNumber>]) {
        let can_follow = |vote: &Vote| {
            (0_u8..).zip(views).all(|(index, view)| {
                let same = Vote {
                    replica: ReplicaId(index),
                    ..vote.clone()
                };
                view.is_some_and(|view| view <= vote.view) || self.votes.contains(&same)
            })
        };
        let kept: BTreeSet<Vote> = self
            .votes
            .iter()
            .filter(|vote| can_follow(vote))
            .cloned()
            .collect();
        if kept.len() < self.votes.len() {
            Arc::make_mut(self).votes = kept;
        }
    }
}

impl Vote {
    fn as_reply(&self, client: ClientId) -> Reply<'_> {
        Reply {
            client,
            number: RequestNumber(1),
            replica: self.replica,
            view: self.view,
            slot: self.slot,
            hash: self.hash,
            committed: false,
            result: &self.result,
        }
    }
}
