//! What replicas of Fast Paxos say to each other beyond what all protocols share.
//!
//! | type | message | how |
//! |---|---|---|
//! | 48 | [`Accept`] | coordinator to all; by bulk if it outgrows a packet |
//! | 49 | [`Vote`] | replica to coordinator |
//! | 50 | [`Chosen`] | coordinator to all, also its sign of life |
//! | 51 | [`Ask`] | replica to coordinator: send me an ACCEPT |
//! | 52 | [`Forward`] | replica to coordinator: a request that lost its slot |
//! | 53 | [`Want`] | coordinator to replica: forward me what I have not got |
//! | 54 | [`Welcome`] | to a replica that has restarted |
//! | 55 | [`Report`] | a replica's log for a view to come, by bulk |

use super::{Entries, Incarnations, Request};
use crate::bytes::{Put, Reader};
use crate::{
    AgreedTime, DEFAULT_PAYLOAD_LIMIT, ReplicaId, STAMP_LEN, SlotNumber, SummaryHash, ViewNumber,
    WireError,
};
use alloc::vec::Vec;
use core::fmt;

/// The type byte of each message.
pub(super) mod tag {
    pub(in crate::message) const ACCEPT: u8 = 48;
    pub(in crate::message) const VOTE: u8 = 49;
    pub(in crate::message) const CHOSEN: u8 = 50;
    pub(in crate::message) const ASK: u8 = 51;
    pub(in crate::message) const FORWARD: u8 = 52;
    pub(in crate::message) const WANT: u8 = 53;
    pub(in crate::message) const WELCOME: u8 = 54;
    pub(in crate::message) const REPORT: u8 = 55;
}

/// What Paxos calls a round: a view, whose number says who coordinates, and the coordinator's count
/// of its attempts in it. Every attempt of an older view comes before all of a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// The view.
    pub view: ViewNumber,
    /// The coordinator's count in it.
    pub attempt: u64,
}

impl Ballot {
    const LEN: usize = 8 + 8;

    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            attempt: reader.u64("attempt")?,
        })
    }

    fn emit(self, out: &mut Vec<u8>) {
        out.put_u64(self.view.0);
        out.put_u64(self.attempt);
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.view, self.attempt)
    }
}

/// Coordinator to all: the log up to `base` and then these entries are what is to be accepted in
/// this ballot; what follows is open to whatever comes first, if the ballot is fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    /// The ballot.
    pub ballot: Ballot,
    /// Whether replicas may append requests behind the entries as they come from clients.
    pub fast: bool,
    /// The slot below the first entry.
    pub base: SlotNumber,
    /// The hash there.
    pub base_hash: SummaryHash,
    /// Everything up to here is committed; not above the last entry.
    pub committed: SlotNumber,
    /// The entries.
    pub entries: Entries<'a>,
}

impl<'a> Accept<'a> {
    /// Bytes of entries that fit a packet together with everything around them.
    pub const ENTRIES_MAX: usize =
        DEFAULT_PAYLOAD_LIMIT - STAMP_LEN - (1 + Ballot::LEN + 1 + 8 + 32 + 8) - (4 + 4);

    /// Whether the message fits a packet; if not, it goes by the bulk channel.
    pub fn fits_a_packet(&self) -> bool {
        self.entries.byte_len() <= Self::ENTRIES_MAX
    }

    /// The last slot that it settles.
    pub fn end(&self) -> SlotNumber {
        SlotNumber(self.base.0 + self.entries.len() as u64)
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            ballot: Ballot::parse(reader)?,
            fast: reader.flag("fast")?,
            base: reader.slot("base slot")?,
            base_hash: reader.hash("base hash")?,
            committed: reader.slot("committed slot")?,
            entries: Entries::parse(reader)?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::ACCEPT);
        self.ballot.emit(out);
        out.put_u8(self.fast.into());
        out.put_u64(self.base.0);
        out.put(&self.base_hash.0);
        out.put_u64(self.committed.0);
        self.entries.emit(out);
    }
}

/// A replica has accepted the coordinator's log up to `settled`, and votes for its own above that,
/// which ends at `slot` with `hash`. A hash stands for everything before it: one vote is enough for
/// all slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The ballot.
    pub ballot: Ballot,
    /// Who votes.
    pub replica: ReplicaId,
    /// Up to where its log is the one that the coordinator told it.
    pub settled: SlotNumber,
    /// The newest slot of its log.
    pub slot: SlotNumber,
    /// The hash there.
    pub hash: SummaryHash,
}

/// Coordinator to all: everything up to `slot` is chosen if your hash there is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// The coordinator's ballot.
    pub ballot: Ballot,
    /// The newest chosen slot.
    pub slot: SlotNumber,
    /// The hash there.
    pub hash: SummaryHash,
    /// Whether the receiver is to vote, whether or not anything is new.
    pub asks: bool,
}

/// A replica lacks something that the coordinator has, and asks for an ACCEPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The view that the replica has promised.
    pub view: ViewNumber,
    /// Who asks.
    pub replica: ReplicaId,
    /// What it has committed.
    pub committed: SlotNumber,
}

/// A request that the coordinator's log has not got, where it should have had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Forward<'a> {
    /// The view in which the sender is normal.
    pub view: ViewNumber,
    /// Who passes it on.
    pub replica: ReplicaId,
    /// The time stamped on the request; 0 without stamps.
    pub time: AgreedTime,
    /// The request.
    pub request: Request<'a>,
}

impl<'a> Forward<'a> {
    /// Bytes of a packet that a client's operation must leave free, besides what its request
    /// takes: a replica may pass it on in a packet.
    pub const RESERVED: usize = 8 + 1 + 8;

    fn parse(mut reader: Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            time: reader.time()?,
            request: Request::parse(reader)?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::FORWARD);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.time.0);
        self.request.emit(out);
    }
}

/// Coordinator to a replica whose log is longer than its own, for longer than a packet is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// The coordinator's ballot.
    pub ballot: Ballot,
    /// The requests above this slot are wanted.
    pub above: SlotNumber,
}

/// A normal replica's answer to one that has restarted and asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Welcome {
    /// The newest ballot that the sender has accepted something in. The coordinator's began after
    /// it knew of the asker's new life.
    pub ballot: Ballot,
    /// Who answers.
    pub replica: ReplicaId,
    /// Which of the asker's lives is answered.
    pub incarnation: u64,
}

/// A replica's log, frozen, reported to the coordinator of the view to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The view to come.
    pub view: ViewNumber,
    /// Who reports.
    pub replica: ReplicaId,
    /// The newest ballot that the replica has accepted something in.
    pub accepted: Ballot,
    /// Up to where its log is the one that the ballot's coordinator told it.
    pub settled: SlotNumber,
    /// The lives of the replicas that the sender knows of.
    pub incarnations: Incarnations,
    /// Up to where its log is committed.
    pub committed: SlotNumber,
    /// Its hash there.
    pub committed_hash: SummaryHash,
    /// Everything above `committed`.
    pub entries: Entries<'a>,
}

impl<'a> Report<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            accepted: Ballot::parse(reader)?,
            settled: reader.slot("settled slot")?,
            incarnations: Incarnations::parse(reader)?,
            committed: reader.slot("committed slot")?,
            committed_hash: reader.hash("committed hash")?,
            entries: Entries::parse(reader)?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::REPORT);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        self.accepted.emit(out);
        out.put_u64(self.settled.0);
        self.incarnations.emit(out);
        out.put_u64(self.committed.0);
        out.put(&self.committed_hash.0);
        self.entries.emit(out);
    }
}

/// Every message of its own that Fast Paxos has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastPaxosMessage<'a> {
    /// The coordinator says what is to be accepted.
    Accept(Accept<'a>),
    /// A replica has accepted it, and votes for what follows.
    Vote(Vote),
    /// The coordinator says what is chosen.
    Chosen(Chosen),
    /// A replica lacks something.
    Ask(Ask),
    /// A request for the coordinator.
    Forward(Forward<'a>),
    /// The coordinator lacks requests.
    Want(Want),
    /// An answer to who has restarted.
    Welcome(Welcome),
    /// A replica's log, for a view to come.
    Report(Report<'a>),
}

impl<'a> FastPaxosMessage<'a> {
    /// Reads the message with this type byte; `None`: there is no such type.
    pub(super) fn parse(tag: u8, mut reader: Reader<'a>) -> Option<Result<Self, WireError>> {
        if tag == tag::FORWARD {
            return Some(Forward::parse(reader).map(Self::Forward));
        }
        let reader = &mut reader;
        let parsed = match tag {
            tag::ACCEPT => Accept::parse(reader).map(Self::Accept),
            tag::VOTE => parse_vote(reader).map(Self::Vote),
            tag::CHOSEN => parse_chosen(reader).map(Self::Chosen),
            tag::ASK => parse_ask(reader).map(Self::Ask),
            tag::WANT => parse_want(reader).map(Self::Want),
            tag::WELCOME => parse_welcome(reader).map(Self::Welcome),
            tag::REPORT => Report::parse(reader).map(Self::Report),
            _ => return None,
        };
        Some(parsed.and_then(|message| reader.clone().end().map(|()| message)))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Accept(m) => m.emit(out),
            Self::Vote(m) => {
                out.put_u8(tag::VOTE);
                m.ballot.emit(out);
                out.put_u8(m.replica.0);
                out.put_u64(m.settled.0);
                out.put_u64(m.slot.0);
                out.put(&m.hash.0);
            }
            Self::Chosen(m) => {
                out.put_u8(tag::CHOSEN);
                m.ballot.emit(out);
                out.put_u64(m.slot.0);
                out.put(&m.hash.0);
                out.put_u8(m.asks.into());
            }
            Self::Ask(m) => {
                out.put_u8(tag::ASK);
                out.put_u64(m.view.0);
                out.put_u8(m.replica.0);
                out.put_u64(m.committed.0);
            }
            Self::Forward(m) => m.emit(out),
            Self::Want(m) => {
                out.put_u8(tag::WANT);
                m.ballot.emit(out);
                out.put_u64(m.above.0);
            }
            Self::Welcome(m) => {
                out.put_u8(tag::WELCOME);
                m.ballot.emit(out);
                out.put_u8(m.replica.0);
                out.put_u64(m.incarnation);
            }
            Self::Report(m) => m.emit(out),
        }
    }

    /// Whether the message goes by the bulk channel, because it may be longer than a packet.
    pub(super) fn is_bulk(&self) -> bool {
        match self {
            Self::Accept(accept) => !accept.fits_a_packet(),
            Self::Report(_) => true,
            _ => false,
        }
    }
}

fn parse_vote(reader: &mut Reader<'_>) -> Result<Vote, WireError> {
    Ok(Vote {
        ballot: Ballot::parse(reader)?,
        replica: reader.replica()?,
        settled: reader.slot("settled slot")?,
        slot: reader.slot("slot")?,
        hash: reader.hash("hash")?,
    })
}

fn parse_chosen(reader: &mut Reader<'_>) -> Result<Chosen, WireError> {
    Ok(Chosen {
        ballot: Ballot::parse(reader)?,
        slot: reader.slot("slot")?,
        hash: reader.hash("hash")?,
        asks: reader.flag("asks")?,
    })
}

fn parse_ask(reader: &mut Reader<'_>) -> Result<Ask, WireError> {
    Ok(Ask {
        view: reader.view()?,
        replica: reader.replica()?,
        committed: reader.slot("committed slot")?,
    })
}

fn parse_want(reader: &mut Reader<'_>) -> Result<Want, WireError> {
    Ok(Want {
        ballot: Ballot::parse(reader)?,
        above: reader.slot("slot")?,
    })
}

fn parse_welcome(reader: &mut Reader<'_>) -> Result<Welcome, WireError> {
    Ok(Welcome {
        ballot: Ballot::parse(reader)?,
        replica: reader.replica()?,
        incarnation: reader.u64("incarnation")?,
    })
}
