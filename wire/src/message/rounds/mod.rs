//! What members of a group with synchronous rounds say to each other.
//!
//! | type | message | how |
//! |---|---|---|
//! | 17 | [`RoundPacket`] | to the group, numbered by the root |
//! | 18, 19 | [`FetchRound`], [`Held`] | a packet that a member lacks |
//! | 20 | [`Suspect`] | who wants another epoch |
//! | 21, 22 | [`Report`], [`StartEpoch`] | what an epoch begins with, bulk |
//! | 23, 24, 25 | [`FetchPositions`], [`Positions`], [`State`] | what was decided, bulk |

mod epoch;
mod membership;
mod packet;
mod transfer;
mod values;

pub use super::batch::{Batch, BatchIter};
pub use epoch::{Report, StartEpoch, Suspect};
pub use membership::{Change, Membership};
pub use packet::{FetchRound, Held, HeldBody, Proposal, RoundPacket};
pub use transfer::{FetchPositions, Positions, State};
pub use values::{Value, Values, ValuesIter};

use crate::bytes::{Put, Reader};
use crate::{AgreedTime, Position, SummaryHash, WireError};
use alloc::vec::Vec;

/// The type byte of each message.
pub(super) mod tag {
    pub(in crate::message) const ROUND: u8 = 17;
    pub(in crate::message) const FETCH_ROUND: u8 = 18;
    pub(in crate::message) const HELD: u8 = 19;
    pub(in crate::message) const SUSPECT: u8 = 20;
    pub(in crate::message) const REPORT: u8 = 21;
    pub(in crate::message) const START_EPOCH: u8 = 22;
    pub(in crate::message) const FETCH_POSITIONS: u8 = 23;
    pub(in crate::message) const POSITIONS: u8 = 24;
    pub(in crate::message) const STATE: u8 = 25;
}

/// A prefix of the log: up to where, and the digest chain there. Equal digests mean equal
/// prefixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frontier {
    /// The last position of the prefix.
    pub position: Position,
    /// The digest at that position.
    pub digest: SummaryHash,
}

impl Frontier {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            position: reader.position("position")?,
            digest: reader.hash("digest")?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.position.0);
        out.put(&self.digest.0);
    }
}

/// A prefix that a run of values stands on: where, and what the run goes on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Footing {
    /// The prefix.
    pub frontier: Frontier,
    /// The agreed time at its end.
    pub time: AgreedTime,
}

impl Footing {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            frontier: Frontier::parse(reader)?,
            time: reader.time()?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        self.frontier.emit(out);
        out.put_u64(self.time.0);
    }
}

/// Every message of synchronous rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundsMessage<'a> {
    /// A member's packet of a round.
    Round(RoundPacket<'a>),
    /// A member lacks packets.
    FetchRound(FetchRound),
    /// What another member knows of such a packet.
    Held(Held<'a>),
    /// A member wants another epoch.
    Suspect(Suspect),
    /// What a member has voted for, for the coordinator of an epoch to come.
    Report(Report<'a>),
    /// The coordinator says what the epoch begins with.
    StartEpoch(StartEpoch<'a>),
    /// A member lacks decided positions.
    FetchPositions(FetchPositions),
    /// The positions that were asked for.
    Positions(Positions<'a>),
    /// The state at a position, for a member that is too far behind for positions.
    State(State<'a>),
}

impl<'a> RoundsMessage<'a> {
    /// Reads the message with this type byte; `None`: there is no such type.
    pub(super) fn parse(tag: u8, mut reader: Reader<'a>) -> Option<Result<Self, WireError>> {
        let reader = &mut reader;
        let parsed = match tag {
            tag::ROUND => RoundPacket::parse(reader).map(Self::Round),
            tag::FETCH_ROUND => FetchRound::parse(reader).map(Self::FetchRound),
            tag::HELD => Held::parse(reader).map(Self::Held),
            tag::SUSPECT => Suspect::parse(reader).map(Self::Suspect),
            tag::REPORT => Report::parse(reader).map(Self::Report),
            tag::START_EPOCH => StartEpoch::parse(reader).map(Self::StartEpoch),
            tag::FETCH_POSITIONS => FetchPositions::parse(reader).map(Self::FetchPositions),
            tag::POSITIONS => Positions::parse(reader).map(Self::Positions),
            tag::STATE => State::parse(reader).map(Self::State),
            _ => return None,
        };
        Some(parsed.and_then(|message| reader.clone().end().map(|()| message)))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Round(m) => m.emit(out),
            Self::FetchRound(m) => m.emit(out),
            Self::Held(m) => m.emit(out),
            Self::Suspect(m) => m.emit(out),
            Self::Report(m) => m.emit(out),
            Self::StartEpoch(m) => m.emit(out),
            Self::FetchPositions(m) => m.emit(out),
            Self::Positions(m) => m.emit(out),
            Self::State(m) => m.emit(out),
        }
    }

    pub(super) fn is_bulk(&self) -> bool {
        matches!(
            self,
            Self::Report(_) | Self::StartEpoch(_) | Self::Positions(_) | Self::State(_)
        )
    }
}
