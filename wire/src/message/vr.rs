//! What replicas of Viewstamped Replication say to each other beyond view changes and transfer.
//!
//! | type | message | how |
//! |---|---|---|
//! | 32 | [`Prepare`] | leader to all, also its sign of life |
//! | 33 | [`PrepareOk`] | follower to leader |
//! | 34 | [`Welcome`] | to a replica that has restarted |

use super::{Batch, Request};
use crate::bytes::{Put, Reader};
use crate::{AgreedTime, ReplicaId, SlotNumber, ViewNumber, WireError};
use alloc::vec::Vec;

/// The type byte of each message.
pub(super) mod tag {
    pub(in crate::message) const PREPARE: u8 = 32;
    pub(in crate::message) const PREPARE_OK: u8 = 33;
    pub(in crate::message) const WELCOME: u8 = 34;
}

/// Leader to all: these requests follow `base`. Without requests it shows that the leader lives,
/// how long its log is and how much of it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prepare<'a> {
    /// The leader's view.
    pub view: ViewNumber,
    /// The slot below the first request.
    pub base: SlotNumber,
    /// Everything up to here is committed.
    pub committed: SlotNumber,
    /// The leader's clock when it took the first of the requests.
    pub time: AgreedTime,
    /// The requests.
    pub batch: Batch<'a>,
}

impl<'a> Prepare<'a> {
    /// Bytes of the message besides its batch.
    pub const OVERHEAD: usize = 1 + 8 + 8 + 8 + 8;

    /// Bytes of a packet that a client's operation must leave free, besides what its request
    /// takes: the leader passes it on in a packet, alone if need be.
    pub const RESERVED: usize = Self::OVERHEAD + Batch::cost(0) - Request::OVERHEAD;

    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            base: reader.slot("base slot")?,
            committed: reader.slot("committed slot")?,
            time: reader.time()?,
            batch: Batch::parse(reader.take_rest())?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::PREPARE);
        out.put_u64(self.view.0);
        out.put_u64(self.base.0);
        out.put_u64(self.committed.0);
        out.put_u64(self.time.0);
        out.put(self.batch.bytes());
    }
}

/// A follower has the leader's log up to `slot`. Cumulative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrepareOk {
    /// The view in which the follower is normal.
    pub view: ViewNumber,
    /// Who has it.
    pub replica: ReplicaId,
    /// The follower's newest slot.
    pub slot: SlotNumber,
}

/// A normal replica's answer to one that has restarted and asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Welcome {
    /// The view in which the sender is normal.
    pub view: ViewNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// Which of the asker's lives is answered.
    pub incarnation: u64,
    /// The sender's newest slot.
    pub last: SlotNumber,
}

/// Every message of its own that Viewstamped Replication has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VrMessage<'a> {
    /// The leader says what comes next.
    Prepare(Prepare<'a>),
    /// A follower has it.
    PrepareOk(PrepareOk),
    /// An answer to who has restarted.
    Welcome(Welcome),
}

impl<'a> VrMessage<'a> {
    /// Reads the message with this type byte; `None`: there is no such type.
    pub(super) fn parse(tag: u8, mut reader: Reader<'a>) -> Option<Result<Self, WireError>> {
        let reader = &mut reader;
        let parsed = match tag {
            tag::PREPARE => Prepare::parse(reader).map(Self::Prepare),
            tag::PREPARE_OK => parse_prepare_ok(reader).map(Self::PrepareOk),
            tag::WELCOME => parse_welcome(reader).map(Self::Welcome),
            _ => return None,
        };
        Some(parsed.and_then(|message| reader.clone().end().map(|()| message)))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Prepare(m) => m.emit(out),
            Self::PrepareOk(m) => {
                out.put_u8(tag::PREPARE_OK);
                out.put_u64(m.view.0);
                out.put_u8(m.replica.0);
                out.put_u64(m.slot.0);
            }
            Self::Welcome(m) => {
                out.put_u8(tag::WELCOME);
                out.put_u64(m.view.0);
                out.put_u8(m.replica.0);
                out.put_u64(m.incarnation);
                out.put_u64(m.last.0);
            }
        }
    }
}

fn parse_prepare_ok(reader: &mut Reader<'_>) -> Result<PrepareOk, WireError> {
    Ok(PrepareOk {
        view: reader.view()?,
        replica: reader.replica()?,
        slot: reader.slot("slot")?,
    })
}

fn parse_welcome(reader: &mut Reader<'_>) -> Result<Welcome, WireError> {
    Ok(Welcome {
        view: reader.view()?,
        replica: reader.replica()?,
        incarnation: reader.u64("incarnation")?,
        last: reader.slot("newest slot")?,
    })
}
