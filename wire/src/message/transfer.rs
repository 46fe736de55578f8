//! How a replica gets what it lacks: a packet, a part of the log, a snapshot; and how one that
//! has restarted asks to be let in again.

use super::{Entries, Request, tag};
use crate::bytes::{Put, Reader};
use crate::{
    AgreedTime, DEFAULT_PAYLOAD_LIMIT, EpochNumber, ReplicaId, STAMP_LEN, SequenceNumber,
    SlotNumber, SummaryHash, ViewNumber, WireError,
};
use alloc::vec::Vec;

/// A replica that has restarted without its log asks for a view that is started for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recover {
    /// Who restarted.
    pub replica: ReplicaId,
    /// Which of its lives this is; grows with each start.
    pub incarnation: u64,
    /// The newest view that it remembers to have promised, 0 if it remembers nothing.
    pub view: ViewNumber,
}

/// Asks a peer for packets of the group that did not arrive here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchPackets {
    /// Who asks.
    pub replica: ReplicaId,
    /// The root's term.
    pub epoch: EpochNumber,
    /// The first sequence number that is missing.
    pub first: SequenceNumber,
    /// How many are missing from there on.
    pub count: u8,
}

/// What a peer knows of a packet of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body<'a> {
    /// It did not get it either, or no longer has it.
    Absent,
    /// It was not a request.
    Other,
    /// This request.
    Request(Request<'a>),
}

/// A peer's answer about one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The root's term.
    pub epoch: EpochNumber,
    /// The packet's number.
    pub sequence: SequenceNumber,
    /// The time stamped on it.
    pub time: AgreedTime,
    /// What it was.
    pub body: Body<'a>,
}

impl<'a> Packet<'a> {
    /// The longest operation that fits a packet together with everything around it.
    const OPERATION_MAX: usize =
        DEFAULT_PAYLOAD_LIMIT - STAMP_LEN - (1 + 1 + 4 + 8 + 8 + 1) - (Request::OVERHEAD - 1);

    /// Whether the message fits a packet; if not, it goes by the bulk channel.
    pub fn fits_a_packet(&self) -> bool {
        match self.body {
            Body::Absent | Body::Other => true,
            Body::Request(request) => request.operation.len() <= Self::OPERATION_MAX,
        }
    }

    pub(super) fn parse(mut reader: Reader<'a>) -> Result<Self, WireError> {
        let (replica, epoch) = (reader.replica()?, reader.epoch()?);
        let (sequence, time) = (reader.sequence()?, reader.time()?);
        let body = match reader.u8("kind of packet")? {
            2 => Body::Request(Request::parse(reader)?),
            small @ (0 | 1) => {
                reader.end()?;
                if small == 0 {
                    Body::Absent
                } else {
                    Body::Other
                }
            }
            other => {
                return Err(WireError::UnknownValue {
                    what: "kind of packet",
                    value: other.into(),
                });
            }
        };
        Ok(Self {
            replica,
            epoch,
            sequence,
            time,
            body,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::PACKET);
        out.put_u8(self.replica.0);
        out.put_u32(self.epoch.0);
        out.put_u64(self.sequence.0);
        out.put_u64(self.time.0);
        match self.body {
            Body::Absent => out.put_u8(0),
            Body::Other => out.put_u8(1),
            Body::Request(request) => {
                out.put_u8(2);
                request.emit(out);
            }
        }
    }
}

/// Asks for entries above `from`, up to and including `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchLog {
    /// The view that the asker is in, or is trying to enter.
    pub view: ViewNumber,
    /// Who asks.
    pub replica: ReplicaId,
    /// The newest slot that it holds for certain.
    pub from: SlotNumber,
    /// The newest slot that it needs.
    pub to: SlotNumber,
}

impl FetchLog {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            from: reader.slot("from slot")?,
            to: reader.slot("to slot")?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::FETCH_LOG);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.from.0);
        out.put_u64(self.to.0);
    }
}

/// Entries above `base`, as [`FetchLog`] asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log<'a> {
    /// The view that the asker named.
    pub view: ViewNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The slot below the first entry.
    pub base: SlotNumber,
    /// The hash there.
    pub base_hash: SummaryHash,
    /// Up to where the entries are committed.
    pub committed: SlotNumber,
    /// The entries.
    pub entries: Entries<'a>,
}

impl<'a> Log<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            base: reader.slot("base slot")?,
            base_hash: reader.hash("base hash")?,
            committed: reader.slot("committed slot")?,
            entries: Entries::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::LOG);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.base.0);
        out.put(&self.base_hash.0);
        out.put_u64(self.committed.0);
        self.entries.emit(out);
    }
}

/// The committed state at `slot`, for a replica that lacks what has been truncated. The
/// snapshot's bytes are the rest of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The view that the asker named.
    pub view: ViewNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The slot.
    pub slot: SlotNumber,
    /// The hash there.
    pub hash: SummaryHash,
    /// The agreed time there.
    pub time: AgreedTime,
    /// State machine and client table.
    pub state: &'a [u8],
}

impl<'a> Snapshot<'a> {
    pub(super) fn parse(mut reader: Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            slot: reader.slot("slot")?,
            hash: reader.hash("hash")?,
            time: reader.time()?,
            state: reader.rest(),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::SNAPSHOT);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.slot.0);
        out.put(&self.hash.0);
        out.put_u64(self.time.0);
        out.put(self.state);
    }
}
