//! One slot of the log: as others see it, as the log keeps it, and how it is taken back.

use super::arena::{Arena, Place};
use super::{Origin, RequestRef};
use crate::client_table::Replaced;
use wire::{AgreedTime, ClientId, HostAddress, RequestNumber, SlotNumber, SummaryHash, ViewNumber};

/// How to take an entry back. Kept until the entry is committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Undo<U> {
    /// The state machine's part.
    pub(super) machine: U,
    /// What the client table held before.
    pub(super) clients: Replaced,
}

/// One slot of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryRef<'a> {
    /// The view in which it was appended: a label for people, read by no rule.
    pub view: ViewNumber,
    /// The request.
    pub request: RequestRef<'a>,
    /// The agreed time, monotone along the log.
    pub time: AgreedTime,
    /// The summary hash of the log up to here.
    pub hash: SummaryHash,
    /// What the state machine returned.
    pub result: &'a [u8],
}

/// An entry without its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    view: ViewNumber,
    origin: Origin,
    pub(super) client: ClientId,
    number: RequestNumber,
    reply_to: HostAddress,
    pub(super) time: AgreedTime,
    pub(super) hash: SummaryHash,
    /// Operation and result, one after the other.
    pub(super) payload: Place,
    operation_len: usize,
    /// The entry that took this one's place in the client table, by a newer request of the
    /// client or by making the table forget it. Tells a truncation in one step where the
    /// client's record is.
    pub(super) replaced_by: Option<SlotNumber>,
}

impl Record {
    /// The record of an entry whose operation and result lie at `payload`.
    pub(super) fn new(entry: &EntryRef<'_>, payload: Place) -> Self {
        let request = entry.request;
        Self {
            view: entry.view,
            origin: request.origin,
            client: request.client,
            number: request.number,
            reply_to: request.reply_to,
            time: entry.time,
            hash: entry.hash,
            payload,
            operation_len: request.operation.len(),
            replaced_by: None,
        }
    }

    /// The whole entry.
    pub(super) fn entry<'a>(&self, arena: &'a Arena) -> EntryRef<'a> {
        let (operation, result) = arena.get(self.payload).split_at(self.operation_len);
        EntryRef {
            view: self.view,
            request: RequestRef {
                origin: self.origin,
                client: self.client,
                number: self.number,
                reply_to: self.reply_to,
                operation,
            },
            time: self.time,
            hash: self.hash,
            result,
        }
    }

    /// What the entry counts against the bound on retained bytes.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.payload.len()
    }
}
