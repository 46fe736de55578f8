//! The packet of a round, and how a member gets one that it missed.

use super::{Batch, Frontier, tag};
use crate::bytes::{Put, Reader};
use crate::message::Request;
use crate::{AgreedTime, Position, ReplicaId, RoundsEpoch, SequenceNumber, WireError};
use alloc::vec::Vec;

/// A member's packet of a round: requests, and what it has seen and voted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoundPacket<'a> {
    /// Who sends it.
    pub replica: ReplicaId,
    /// Which of the sender's lives this is.
    pub incarnation: u64,
    /// The sender's count of its packets in that life.
    pub number: u64,
    /// The epoch that the votes count in, whatever the root stamped.
    pub epoch: RoundsEpoch,
    /// The sender's votes: this prefix. Cumulative.
    pub acknowledged: Frontier,
    /// The longest prefix that the sender knows to have a majority.
    pub locked: Frontier,
    /// Up to where the sender knows the log to be decided, and has executed it.
    pub committed: Position,
    /// Whether reads wait at the sender for members to acknowledge this packet: it is answered at
    /// once, though it may ask for nothing else.
    pub barrier: bool,
    /// What the sender proposes.
    pub batch: Batch<'a>,
}

impl<'a> RoundPacket<'a> {
    /// Bytes of the message besides its batch.
    pub const OVERHEAD: usize = 1 + 1 + 8 + 8 + 8 + 40 + 40 + 8 + 1;

    /// Bytes of a packet that a client's operation must leave free, besides what its request
    /// takes: a member passes it on in a packet of a round, alone if need be.
    pub const RESERVED: usize = Self::OVERHEAD + Batch::cost(0) - Request::OVERHEAD;

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            incarnation: reader.u64("incarnation")?,
            number: reader.u64("packet number")?,
            epoch: reader.rounds_epoch()?,
            acknowledged: Frontier::parse(reader)?,
            locked: Frontier::parse(reader)?,
            committed: reader.position("committed position")?,
            barrier: reader.flag("barrier")?,
            batch: Batch::parse(reader.take_rest())?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::ROUND);
        out.put_u8(self.replica.0);
        out.put_u64(self.incarnation);
        out.put_u64(self.number);
        out.put_rounds_epoch(self.epoch);
        self.acknowledged.emit(out);
        self.locked.emit(out);
        out.put_u64(self.committed.0);
        out.put_u8(self.barrier.into());
        out.put(self.batch.bytes());
    }
}

/// Asks a member for packets of the group that did not arrive here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchRound {
    /// Who asks.
    pub replica: ReplicaId,
    /// The epoch that the asker votes in.
    pub epoch: RoundsEpoch,
    /// The root's first number that is missing, in the epoch's term.
    pub first: SequenceNumber,
    /// How many are missing from there on.
    pub count: u8,
}

impl FetchRound {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            epoch: reader.rounds_epoch()?,
            first: reader.sequence()?,
            count: reader.u8("count of packets")?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::FETCH_ROUND);
        out.put_u8(self.replica.0);
        out.put_rounds_epoch(self.epoch);
        out.put_u64(self.first.0);
        out.put_u8(self.count);
    }
}

/// What was put forward at a position: a member's packet as the root stamped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proposal<'a> {
    /// Who sent it; 255 if it was no member's.
    pub sender: u8,
    /// Which of the sender's lives.
    pub incarnation: u64,
    /// The sender's number for it.
    pub number: u64,
    /// The time stamped on it.
    pub time: AgreedTime,
    /// What it proposes.
    pub batch: Batch<'a>,
}

impl<'a> Proposal<'a> {
    /// Bytes of a proposal besides its batch.
    const OVERHEAD: usize = 1 + 8 + 8 + 8 + 4;

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            sender: reader.u8("sender")?,
            incarnation: reader.u64("incarnation")?,
            number: reader.u64("packet number")?,
            time: reader.time()?,
            batch: Batch::parse(reader.counted("batch")?)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(self.sender);
        out.put_u64(self.incarnation);
        out.put_u64(self.number);
        out.put_u64(self.time.0);
        out.put_counted(self.batch.bytes());
    }
}

const _: () = assert!(
    Held::OVERHEAD <= RoundPacket::OVERHEAD,
    "whatever a round packet can hold can be sent again alone"
);

/// What a member knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldBody<'a> {
    /// It did not get it either, though it got later ones.
    Lacking,
    /// A majority has voted for doing nothing there.
    NoOp,
    /// The packet.
    Packet(Proposal<'a>),
}

/// A member's answer about one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The epoch of the question.
    pub epoch: RoundsEpoch,
    /// The packet's number in the epoch's term.
    pub sequence: SequenceNumber,
    /// What the member knows.
    pub body: HeldBody<'a>,
}

impl<'a> Held<'a> {
    /// Bytes of the message besides the batch of the packet that is held.
    pub const OVERHEAD: usize = 1 + 1 + 8 + 8 + 1 + Proposal::OVERHEAD;

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            epoch: reader.rounds_epoch()?,
            sequence: reader.sequence()?,
            body: match reader.u8("what is held")? {
                0 => HeldBody::Lacking,
                1 => HeldBody::NoOp,
                2 => HeldBody::Packet(Proposal::parse(reader)?),
                other => {
                    return Err(WireError::UnknownValue {
                        what: "what is held",
                        value: other.into(),
                    });
                }
            },
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::HELD);
        out.put_u8(self.replica.0);
        out.put_rounds_epoch(self.epoch);
        out.put_u64(self.sequence.0);
        match &self.body {
            HeldBody::Lacking => out.put_u8(0),
            HeldBody::NoOp => out.put_u8(1),
            HeldBody::Packet(proposal) => {
                out.put_u8(2);
                proposal.emit(out);
            }
        }
    }
}
