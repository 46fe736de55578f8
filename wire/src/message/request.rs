//! Clients ask, replicas answer.

use crate::bytes::{Put, Reader};
use crate::{
    ClientId, HostAddress, ReplicaId, RequestNumber, SlotNumber, SummaryHash, ViewNumber, WireError,
};
use alloc::vec::Vec;

/// What a client wants beyond the operation itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Wants {
    /// The first try: a speculative reply will do.
    #[default]
    Reply = 0,
    /// A retransmission that was not answered in time: settle it, say when it is committed.
    Commit = 1,
    /// The replies can no longer match: reconcile now.
    Reconciliation = 2,
}

/// A client's request to its group. The operation is the rest of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request<'a> {
    /// The logical client.
    pub client: ClientId,
    /// Its count of requests; at most one is outstanding.
    pub number: RequestNumber,
    /// Where replies go. Part of the request, so that any replica can answer at any later time.
    pub reply_to: HostAddress,
    /// What the client wants besides.
    pub wants: Wants,
    /// The operation for the state machine.
    pub operation: &'a [u8],
}

impl<'a> Request<'a> {
    /// Bytes of a request message besides its operation.
    pub const OVERHEAD: usize = 1 + 8 + 8 + 6 + 1;

    pub(super) fn parse(mut reader: Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            client: reader.client()?,
            number: reader.number()?,
            reply_to: reader.address("reply address")?,
            wants: match reader.u8("wants")? {
                0 => Wants::Reply,
                1 => Wants::Commit,
                2 => Wants::Reconciliation,
                other => {
                    return Err(WireError::UnknownValue {
                        what: "wants",
                        value: other.into(),
                    });
                }
            },
            operation: reader.rest(),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.client.0);
        out.put_u64(self.number.0);
        out.put_address(self.reply_to);
        out.put_u8(self.wants as u8);
        out.put(self.operation);
    }
}

/// A replica's answer. The result is the rest of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply<'a> {
    /// The client that asked.
    pub client: ClientId,
    /// The request answered.
    pub number: RequestNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The view in which the replica is normal now.
    pub view: ViewNumber,
    /// Where in the log the request stands.
    pub slot: SlotNumber,
    /// The replica's summary hash at that slot.
    pub hash: SummaryHash,
    /// Whether the slot can no longer change.
    pub committed: bool,
    /// What the state machine returned.
    pub result: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Bytes of a reply message besides its result.
    pub const OVERHEAD: usize = 1 + 8 + 8 + 1 + 8 + 8 + 32 + 1;

    pub(super) fn parse(mut reader: Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            client: reader.client()?,
            number: reader.number()?,
            replica: reader.replica()?,
            view: reader.view()?,
            slot: reader.slot("slot")?,
            hash: reader.hash("hash")?,
            committed: reader.flag("committed")?,
            result: reader.rest(),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.client.0);
        out.put_u64(self.number.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.view.0);
        out.put_u64(self.slot.0);
        out.put(&self.hash.0);
        out.put_u8(self.committed.into());
        out.put(self.result);
    }
}
