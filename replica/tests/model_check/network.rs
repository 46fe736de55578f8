//! Messages on their way, and which of them still matter.
//!
//! A message between replicas that was sent may arrive at any later time, again and again, or
//! never; each copy of a request that the root makes may arrive once at any time, or never. So
//!
//! - a loss is no step: a state stands for every state with fewer messages, and all losses are
//!   covered, however many;
//! - a delivery that changes nothing is no step either;
//! - what is on its way is a set. (Were each message delivered once, the same bounds would have
//!   several times the states: who has consumed what would be a part of them.)

use crate::common::{digest_of, equal_by_digest};
use std::fmt;
use std::sync::Arc;
use wire::message::Message;
use wire::{
    EpochNumber, GroupId, Kind, ReplicaId, RoundNumber, Sender, SequenceNumber, StampHeader,
    ViewNumber,
};

/// A message to one replica.
#[derive(Clone)]
pub(crate) struct Envelope {
    digest: u64,
    pub(crate) to: ReplicaId,
    /// The root's number if the root has stamped it.
    pub(crate) sequence: Option<SequenceNumber>,
    pub(crate) bytes: Arc<[u8]>,
    /// Whoever is told of stops caring when it has promised a later view than this.
    expiry: Option<(ReplicaId, ViewNumber)>,
}

impl Envelope {
    pub(crate) fn new(to: ReplicaId, sequence: Option<SequenceNumber>, bytes: &[u8]) -> Self {
        let message = Message::parse(bytes).expect("replicas and clients send what can be read");
        Self {
            digest: digest_of((to, sequence, bytes)),
            to,
            sequence,
            expiry: expiry(to, &message),
            bytes: bytes.into(),
        }
    }

    /// Names the message, its receiver and its number: equal digests, equal envelopes.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("replicas and clients send what can be read")
    }

    /// The root's header: rounds count like packets, so that agreed times differ.
    pub(crate) fn stamp(&self) -> Option<StampHeader> {
        let sequence = self.sequence?;
        let kind = Kind::Request;
        let header = StampHeader::unstamped(kind, Sender::Outsider, GroupId(1));
        Some(StampHeader {
            epoch: EpochNumber(1),
            sequence,
            round: RoundNumber(sequence.0),
            ..header
        })
    }
}

/// Who makes nothing of a message once it has promised a view after this one: the receiver, or
/// who waits for the receiver's answer. What is left out by losing such a message is that it
/// shows that its sender lives, and that its sender is told of the newer view again: all who
/// promise a view by a view change tell everyone once, and that may arrive at any time.
fn expiry(to: ReplicaId, message: &Message<'_>) -> Option<(ReplicaId, ViewNumber)> {
    match message {
        Message::Sync(m) => Some((to, m.view)),
        Message::Commit(m) => Some((to, m.view)),
        Message::StartViewChange(m) => Some((to, m.view)),
        Message::Prepare(m) => Some((to, m.view)),
        Message::SyncReply(m) => Some((to, m.view)),
        Message::DoViewChange(m) => Some((to, m.view)),
        Message::StartView(m) => Some((to, m.view)),
        Message::InView(m) => Some((to, m.view)),
        Message::Log(m) => Some((to, m.view)),
        Message::Snapshot(m) => Some((to, m.view)),
        Message::FetchLog(m) => Some((m.replica, m.view)),
        _ => None,
    }
}

equal_by_digest!(Envelope);

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {}", self.to)?;
        if let Some(sequence) = self.sequence {
            write!(f, " #{sequence}")?;
        }
        write!(f, ": {:?}", self.message())
    }
}

/// A set of messages in a canonical order. Two equal messages on their way count as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    flying: Vec<Envelope>,
}

impl Network {
    /// Puts a message on its way.
    pub(crate) fn send(&mut self, envelope: &Envelope) {
        let known = self
            .flying
            .binary_search_by_key(&envelope.digest, Envelope::digest);
        if let Err(place) = known {
            self.flying.insert(place, envelope.clone());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Envelope> {
        self.flying.iter()
    }

    /// Takes a copy of a request away.
    pub(crate) fn take(&mut self, envelope: &Envelope) {
        self.flying.retain(|other| other != envelope);
    }

    /// Keeps what somebody still cares for.
    pub(crate) fn retain(&mut self, cares: impl Fn(&Envelope) -> bool) {
        self.flying.retain(cares);
    }

    /// Loses the copies of requests to whoever is chosen.
    pub(crate) fn lose_requests(&mut self, to: impl Fn(ReplicaId) -> bool) {
        let is_lost = |envelope: &Envelope| envelope.sequence.is_some() && to(envelope.to);
        self.flying.retain(|envelope| !is_lost(envelope));
    }

    /// Forgets what no receiver can make anything of. `views` holds the promised view of each
    /// replica, `None` for a replica that has crashed for good.
    pub(crate) fn forget_outdated(&mut self, views: &[Option<ViewNumber>]) {
        let view_of = |replica: ReplicaId| views[usize::from(replica.0)];
        self.flying.retain(|envelope| {
            let cares = |(who, view)| view_of(who).is_some_and(|promised| promised <= view);
            view_of(envelope.to).is_some() && envelope.expiry.is_none_or(cares)
        });
    }
}
