//! What servers of Mencius say to each other.
//!
//! | type | message | how |
//! |---|---|---|
//! | 56 | [`Propose`] | an owner to all: a batch for its next instance |
//! | 57 | [`Ack`] | to the owner: accepted up to here |
//! | 58 | [`Status`] | to all: a sign of life, what was chosen, what is skipped |
//! | 59 | [`Fetch`] | to one: something is missing here |
//! | 60 | [`Decided`] | the decisions that were asked for; bulk |
//! | 61 | [`State`] | a snapshot, for who is further behind than decisions are kept; bulk |
//! | 62 | [`Revoke`] | another server decides about a silent owner's instances |
//! | 63 | [`Rejoin`] | a server that has restarted comes back |

mod cells;
mod rejoin;
mod revoke;

pub use cells::{Cell, Cells, CellsIter};
pub use rejoin::{LanePromise, LanePromises, Rejoin, Start, Started, Starting, Welcome};
pub use revoke::{Accept, Accepted, Prepare, Promise, Revoke};

use super::{Batch, Incarnations, Request};
use crate::bytes::{Put, Reader};
use crate::{AgreedTime, InstanceNumber, ReplicaId, SlotNumber, SummaryHash, WireError};
use alloc::vec::Vec;

/// The type byte of each message.
mod tag {
    pub(super) const PROPOSE: u8 = 56;
    pub(super) const ACK: u8 = 57;
    pub(super) const STATUS: u8 = 58;
    pub(super) const FETCH: u8 = 59;
    pub(super) const DECIDED: u8 = 60;
    pub(super) const STATE: u8 = 61;
    pub(super) const REVOKE: u8 = 62;
    pub(super) const REJOIN: u8 = 63;
}

/// A ballot. Round 0 is the owner's, each of its lives has one of its own; higher rounds are of
/// whoever revokes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Counts up from 0.
    pub round: u64,
    /// Whose ballot it is.
    pub replica: ReplicaId,
    /// In which of its lives.
    pub incarnation: u64,
}

impl Ballot {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            round: reader.u64("round of a ballot")?,
            replica: reader.replica()?,
            incarnation: reader.u64("incarnation of a ballot")?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.round);
        out.put_u8(self.replica.0);
        out.put_u64(self.incarnation);
    }
}

/// How a server's own instances stand, as it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lane {
    /// Whose instances.
    pub replica: ReplicaId,
    /// The lives that it knows of, its own among them.
    pub incarnations: Incarnations,
    /// What it proposed in this life up to here is decided by revocation, if anything was.
    pub base: InstanceNumber,
    /// What it proposed above `base` up to here is chosen.
    pub chosen: InstanceNumber,
    /// Its newest proposal; `base` if there is none above.
    pub last: InstanceNumber,
    /// What it may propose for next: it has skipped everything between `last` and this.
    pub next: InstanceNumber,
    /// It has executed everything up to here, whoever's.
    pub executed: InstanceNumber,
}

impl Lane {
    /// Bytes of it in a group of `n`.
    const fn len(n: usize) -> usize {
        1 + 1 + 8 * n + 5 * 8
    }

    /// In which of its lives the server says so.
    pub fn life(&self) -> u64 {
        self.incarnations.of(self.replica)
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            incarnations: Incarnations::parse(reader)?,
            base: reader.instance("base instance")?,
            chosen: reader.instance("chosen instance")?,
            last: reader.instance("last instance")?,
            next: reader.instance("next instance")?,
            executed: reader.instance("executed instance")?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(self.replica.0);
        self.incarnations.emit(out);
        for instance in [self.base, self.chosen, self.last, self.next, self.executed] {
            out.put_u64(instance.0);
        }
    }
}

/// An owner proposes a batch for the instance that its lane names as the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Propose<'a> {
    /// The owner's lane before this proposal.
    pub lane: Lane,
    /// The owner's clock.
    pub time: AgreedTime,
    /// The requests.
    pub batch: Batch<'a>,
}

impl<'a> Propose<'a> {
    /// Bytes of the message besides its batch, in a group of `n`.
    pub const fn overhead(n: usize) -> usize {
        1 + Lane::len(n) + 8
    }

    /// Bytes of a packet that a client's operation must leave free, besides what its request
    /// takes: the server that is asked passes it on in a packet, alone if need be. For the
    /// largest group.
    pub const RESERVED: usize = Self::overhead(15) + Batch::cost(0) - Request::OVERHEAD;

    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            lane: Lane::parse(reader)?,
            time: reader.time()?,
            batch: Batch::parse(reader.take_rest())?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::PROPOSE);
        self.lane.emit(out);
        out.put_u64(self.time.0);
        out.put(self.batch.bytes());
    }
}

/// To an owner: its proposals above `above` and up to `held` are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ack {
    /// The sender's own lane.
    pub lane: Lane,
    /// The life of the owner whose proposals are meant.
    pub owner_incarnation: u64,
    /// The instance below the first that is meant.
    pub above: InstanceNumber,
    /// The newest.
    pub held: InstanceNumber,
    /// Up to here the owner's proposals are refused: a higher ballot was promised.
    pub revoked: InstanceNumber,
}

/// A sign of life: what was chosen and what is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// The sender's lane.
    pub lane: Lane,
    /// Whether the sender wants an [`Ack`].
    pub asks: bool,
}

/// Something is missing at the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fetch {
    /// Who asks.
    pub replica: ReplicaId,
    /// Whether for decisions, whoever's; else for the receiver's own proposals.
    pub decisions: bool,
    /// What is above this instance.
    pub above: InstanceNumber,
}

/// What was decided above `above` up to `executed`: the cells that are batches; all others are
/// no-ops. Cells above `executed` are decided too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decided<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The lives that it knows of.
    pub incarnations: Incarnations,
    /// What was asked.
    pub above: InstanceNumber,
    /// Everything up to here is in the message.
    pub executed: InstanceNumber,
    /// The decisions.
    pub cells: Cells<'a>,
}

/// The state after an instance. The snapshot's bytes are the rest of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The last instance whose decision is in it.
    pub executed: InstanceNumber,
    /// The last slot.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
    /// The agreed time there.
    pub time: AgreedTime,
    /// State machine and client table.
    pub state: &'a [u8],
}

/// Every message that Mencius has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MenciusMessage<'a> {
    /// A batch for the owner's next instance.
    Propose(Propose<'a>),
    /// Accepted.
    Ack(Ack),
    /// A sign of life.
    Status(Status),
    /// Something is missing.
    Fetch(Fetch),
    /// Decisions.
    Decided(Decided<'a>),
    /// A snapshot.
    State(State<'a>),
    /// About a silent owner's instances.
    Revoke(Revoke<'a>),
    /// About a server that has restarted.
    Rejoin(Rejoin<'a>),
}

impl<'a> MenciusMessage<'a> {
    /// Reads the message with this type byte; `None`: there is no such type.
    pub(super) fn parse(tag: u8, mut reader: Reader<'a>) -> Option<Result<Self, WireError>> {
        let reader = &mut reader;
        let parsed = match tag {
            tag::PROPOSE => Propose::parse(reader).map(Self::Propose),
            tag::ACK => parse_ack(reader).map(Self::Ack),
            tag::STATUS => parse_status(reader).map(Self::Status),
            tag::FETCH => parse_fetch(reader).map(Self::Fetch),
            tag::DECIDED => parse_decided(reader).map(Self::Decided),
            tag::STATE => parse_state(reader).map(Self::State),
            tag::REVOKE => Revoke::parse(reader).map(Self::Revoke),
            tag::REJOIN => Rejoin::parse(reader).map(Self::Rejoin),
            _ => return None,
        };
        Some(parsed.and_then(|message| reader.clone().end().map(|()| message)))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Propose(m) => m.emit(out),
            Self::Ack(m) => {
                out.put_u8(tag::ACK);
                m.lane.emit(out);
                out.put_u64(m.owner_incarnation);
                out.put_u64(m.above.0);
                out.put_u64(m.held.0);
                out.put_u64(m.revoked.0);
            }
            Self::Status(m) => {
                out.put_u8(tag::STATUS);
                m.lane.emit(out);
                out.put_u8(m.asks.into());
            }
            Self::Fetch(m) => {
                out.put_u8(tag::FETCH);
                out.put_u8(m.replica.0);
                out.put_u8(m.decisions.into());
                out.put_u64(m.above.0);
            }
            Self::Decided(m) => {
                out.put_u8(tag::DECIDED);
                out.put_u8(m.replica.0);
                m.incarnations.emit(out);
                out.put_u64(m.above.0);
                out.put_u64(m.executed.0);
                m.cells.emit(out);
            }
            Self::State(m) => {
                out.put_u8(tag::STATE);
                out.put_u8(m.replica.0);
                out.put_u64(m.executed.0);
                out.put_u64(m.slot.0);
                out.put(&m.hash.0);
                out.put_u64(m.time.0);
                out.put(m.state);
            }
            Self::Revoke(m) => m.emit(out),
            Self::Rejoin(m) => m.emit(out),
        }
    }

    /// Whether the message goes by the bulk channel.
    pub(super) fn is_bulk(&self) -> bool {
        match self {
            Self::Decided(_) | Self::State(_) => true,
            Self::Revoke(m) => matches!(m, Revoke::Promise(_) | Revoke::Accept(_)),
            Self::Rejoin(m) => matches!(m, Rejoin::Welcome(_)),
            Self::Propose(_) | Self::Ack(_) | Self::Status(_) | Self::Fetch(_) => false,
        }
    }

    /// Who sends it.
    pub fn sender(&self) -> ReplicaId {
        match self {
            Self::Propose(m) => m.lane.replica,
            Self::Ack(m) => m.lane.replica,
            Self::Status(m) => m.lane.replica,
            Self::Fetch(m) => m.replica,
            Self::Decided(m) => m.replica,
            Self::State(m) => m.replica,
            Self::Revoke(m) => m.sender(),
            Self::Rejoin(m) => m.sender(),
        }
    }
}

fn parse_ack(reader: &mut Reader<'_>) -> Result<Ack, WireError> {
    Ok(Ack {
        lane: Lane::parse(reader)?,
        owner_incarnation: reader.u64("incarnation")?,
        above: reader.instance("instance below")?,
        held: reader.instance("held instance")?,
        revoked: reader.instance("revoked instance")?,
    })
}

fn parse_status(reader: &mut Reader<'_>) -> Result<Status, WireError> {
    Ok(Status {
        lane: Lane::parse(reader)?,
        asks: reader.flag("asks")?,
    })
}

fn parse_fetch(reader: &mut Reader<'_>) -> Result<Fetch, WireError> {
    Ok(Fetch {
        replica: reader.replica()?,
        decisions: reader.flag("asks for decisions")?,
        above: reader.instance("instance below")?,
    })
}

fn parse_decided<'a>(reader: &mut Reader<'a>) -> Result<Decided<'a>, WireError> {
    Ok(Decided {
        replica: reader.replica()?,
        incarnations: Incarnations::parse(reader)?,
        above: reader.instance("instance below")?,
        executed: reader.instance("executed instance")?,
        cells: Cells::parse(reader)?,
    })
}

fn parse_state<'a>(reader: &mut Reader<'a>) -> Result<State<'a>, WireError> {
    Ok(State {
        replica: reader.replica()?,
        executed: reader.instance("executed instance")?,
        slot: reader.slot("slot")?,
        hash: reader.hash("hash")?,
        time: reader.time()?,
        state: reader.take_rest(),
    })
}
