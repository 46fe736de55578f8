//! Requests outside of their packets: borrowed from a packet or a log, or owned.

use alloc::boxed::Box;
use wire::message::{Entry, Request, Wants};
use wire::{
    AgreedTime, ClientId, EpochNumber, HostAddress, RequestNumber, SequenceNumber, StampHeader,
    SummaryHash, ViewNumber,
};

/// What the root stamped on a request. The order is the root's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The root's term; 0 without stamps.
    pub epoch: EpochNumber,
    /// The request's number in the term.
    pub sequence: SequenceNumber,
    /// The stamped time, before the log makes it monotone; 0 without stamps.
    pub time: AgreedTime,
}

impl Origin {
    /// The origin that a stamp header names.
    pub fn of(stamp: &StampHeader) -> Self {
        Self {
            epoch: stamp.epoch,
            sequence: stamp.sequence,
            time: stamp.time().unwrap_or_default(),
        }
    }
}

/// A request with its origin; the operation is somebody else's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestRef<'a> {
    /// What the root stamped.
    pub origin: Origin,
    /// Who asked.
    pub client: ClientId,
    /// The client's number for it.
    pub number: RequestNumber,
    /// Where the reply goes.
    pub reply_to: HostAddress,
    /// The operation.
    pub operation: &'a [u8],
}

impl<'a> RequestRef<'a> {
    /// A request in its packet.
    pub fn new(origin: Origin, request: &Request<'a>) -> Self {
        Self {
            origin,
            client: request.client,
            number: request.number,
            reply_to: request.reply_to,
            operation: request.operation,
        }
    }

    /// A request in another replica's log entry.
    pub fn from_entry(entry: &Entry<'a>) -> Self {
        let origin = Origin {
            epoch: entry.epoch,
            sequence: entry.sequence,
            time: entry.time,
        };
        Self::new(origin, &entry.request)
    }

    /// A copy that owns its operation.
    pub fn to_stored(self) -> StoredRequest {
        StoredRequest {
            origin: self.origin,
            client: self.client,
            number: self.number,
            reply_to: self.reply_to,
            operation: self.operation.into(),
        }
    }

    /// The request as a message.
    pub fn as_request(self) -> Request<'a> {
        Request {
            client: self.client,
            number: self.number,
            reply_to: self.reply_to,
            wants: Wants::Reply,
            operation: self.operation,
        }
    }

    /// The request as an entry of a bulk message.
    pub fn as_entry(self, view: ViewNumber, hash: SummaryHash) -> Entry<'a> {
        Entry {
            view,
            epoch: self.origin.epoch,
            sequence: self.origin.sequence,
            time: self.origin.time,
            hash,
            request: self.as_request(),
        }
    }
}

impl<'a> From<&'a StoredRequest> for RequestRef<'a> {
    fn from(request: &'a StoredRequest) -> Self {
        request.as_ref()
    }
}

/// An owned request with its origin, for what must outlive both packet and log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredRequest {
    /// What the root stamped.
    pub origin: Origin,
    /// Who asked.
    pub client: ClientId,
    /// The client's number for it.
    pub number: RequestNumber,
    /// Where the reply goes.
    pub reply_to: HostAddress,
    /// The operation.
    pub operation: Box<[u8]>,
}

impl StoredRequest {
    /// Copies a request out of its packet.
    pub fn new(origin: Origin, request: &Request<'_>) -> Self {
        RequestRef::new(origin, request).to_stored()
    }

    /// Copies a request out of another replica's log entry.
    pub fn from_entry(entry: &Entry<'_>) -> Self {
        RequestRef::from_entry(entry).to_stored()
    }

    /// The request, borrowed.
    pub fn as_ref(&self) -> RequestRef<'_> {
        RequestRef {
            origin: self.origin,
            client: self.client,
            number: self.number,
            reply_to: self.reply_to,
            operation: &self.operation,
        }
    }

    /// The request as a message.
    pub fn as_request(&self) -> Request<'_> {
        self.as_ref().as_request()
    }

    /// The request as an entry of a bulk message.
    pub fn as_entry(&self, view: ViewNumber, hash: SummaryHash) -> Entry<'_> {
        self.as_ref().as_entry(view, hash)
    }
}

/// The summary hash after `request` at `time`, given the one before it.
///
/// Covers what decides the state and the reply: client, request number, agreed time, operation.
/// The view label and the reply address are not covered, hence never read for a decision.
pub fn chain(before: SummaryHash, time: AgreedTime, request: RequestRef<'_>) -> SummaryHash {
    let mut hasher = blake3::Hasher::new();
    let mut fixed = [0; 56];
    fixed[..32].copy_from_slice(&before.0);
    fixed[32..40].copy_from_slice(&request.client.0.to_be_bytes());
    fixed[40..48].copy_from_slice(&request.number.0.to_be_bytes());
    fixed[48..].copy_from_slice(&time.0.to_be_bytes());
    hasher.update(&fixed);
    hasher.update(request.operation);
    SummaryHash(*hasher.finalize().as_bytes())
}
