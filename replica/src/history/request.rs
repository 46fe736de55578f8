//! A request that outlives the packet it came in.

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

/// An owned request with its origin.
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
        Self {
            origin,
            client: request.client,
            number: request.number,
            reply_to: request.reply_to,
            operation: request.operation.into(),
        }
    }

    /// Copies a request out of another replica's log entry.
    pub fn from_entry(entry: &Entry<'_>) -> Self {
        let origin = Origin {
            epoch: entry.epoch,
            sequence: entry.sequence,
            time: entry.time,
        };
        Self::new(origin, &entry.request)
    }

    /// The request as a message.
    pub fn as_request(&self) -> Request<'_> {
        Request {
            client: self.client,
            number: self.number,
            reply_to: self.reply_to,
            wants: Wants::Reply,
            operation: &self.operation,
        }
    }

    /// The request as an entry of a bulk message.
    pub fn as_entry(&self, view: ViewNumber, hash: SummaryHash) -> Entry<'_> {
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
