//! How a member gets what was decided without it.

use super::{Footing, Membership, Values, tag};
use crate::bytes::{Put, Reader};
use crate::{AgreedTime, Position, ReplicaId, RoundsEpoch, SlotNumber, SummaryHash, WireError};
use alloc::vec::Vec;

/// Asks for the positions above one that the asker has executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchPositions {
    /// Who asks.
    pub replica: ReplicaId,
    /// The newest position that it has executed.
    pub above: Position,
}

impl FetchPositions {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            above: reader.position("position")?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::FETCH_POSITIONS);
        out.put_u8(self.replica.0);
        out.put_u64(self.above.0);
    }
}

/// Positions with a majority each, the answer to [`FetchPositions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The epoch that the answerer is in: there the values have a majority.
    pub epoch: RoundsEpoch,
    /// The decided prefix that the values stand on.
    pub below: Footing,
    /// Up to where the values are decided.
    pub committed: Position,
    /// The values.
    pub values: Values<'a>,
}

impl<'a> Positions<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            epoch: reader.rounds_epoch()?,
            below: Footing::parse(reader)?,
            committed: reader.position("committed position")?,
            values: Values::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::POSITIONS);
        out.put_u8(self.replica.0);
        out.put_rounds_epoch(self.epoch);
        self.below.emit(out);
        out.put_u64(self.committed.0);
        self.values.emit(out);
    }
}

/// The executed state at a position, for a member that lacks what nobody keeps any more. The
/// state's bytes are the rest of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The decided prefix that was executed.
    pub at: Footing,
    /// Who was decided to be members up to there.
    pub membership: Membership,
    /// The last slot of the requests in it.
    pub slot: SlotNumber,
    /// The summary hash of the requests.
    pub hash: SummaryHash,
    /// The agreed time of the last request.
    pub time: AgreedTime,
    /// State machine and client table.
    pub state: &'a [u8],
}

impl<'a> State<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            at: Footing::parse(reader)?,
            membership: Membership::parse(reader)?,
            slot: reader.slot("slot")?,
            hash: reader.hash("hash")?,
            time: reader.time()?,
            state: reader.take_rest(),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::STATE);
        out.put_u8(self.replica.0);
        self.at.emit(out);
        self.membership.emit(out);
        out.put_u64(self.slot.0);
        out.put(&self.hash.0);
        out.put_u64(self.time.0);
        out.put(self.state);
    }
}
