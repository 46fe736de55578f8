//! What follows the stamp: one type byte, then fixed fields, then at most one payload.
//!
//! [`Message::parse`] borrows; [`Message::emit`] appends to a buffer that the caller reuses.
//! Messages that may outgrow a packet (`is_bulk`) go over the bulk channel, all others in a packet.

mod batch;
mod entries;
pub mod fast_paxos;
mod incarnations;
mod list;
pub mod mencius;
pub mod nopaxos;
mod prepare;
mod request;
pub mod rounds;
mod transfer;
mod view_change;
pub mod vr;

pub use batch::{Batch, BatchIter};
pub use entries::{Entries, EntriesIter, Entry};
use fast_paxos::FastPaxosMessage;
pub use incarnations::Incarnations;
use mencius::MenciusMessage;
use nopaxos::NoPaxosMessage;
pub use prepare::Prepare;
pub use request::{Reply, Request, Wants};
use rounds::RoundsMessage;
pub use transfer::{Body, FetchLog, FetchPackets, Log, Packet, Recover, Snapshot};
pub use view_change::{DoViewChange, InView, StartView, StartViewChange};
use vr::VrMessage;

use crate::bytes::{Put, Reader};
use crate::{ReplicaId, SlotNumber, SummaryHash, ViewNumber, WireError};
use alloc::vec::Vec;

/// Leader to all: what is your hash at `slot`? Also the leader's sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sync {
    /// The leader's view.
    pub view: ViewNumber,
    /// The slot asked about: the leader's newest.
    pub slot: SlotNumber,
    /// Everything up to here is committed.
    pub committed: SlotNumber,
    /// The leader's hash at `committed`.
    pub committed_hash: SummaryHash,
}

/// A replica's answer to [`Sync`]: a vote for everything up to `reached`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncReply {
    /// The view in which the replica is normal.
    pub view: ViewNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The slot that was asked about.
    pub slot: SlotNumber,
    /// The slot whose hash follows: `slot`, or the replica's newest if it has not got there.
    pub reached: SlotNumber,
    /// The replica's hash at `reached`.
    pub hash: SummaryHash,
}

/// Leader to all: everything up to `slot` is committed if your hash there is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commit {
    /// The leader's view.
    pub view: ViewNumber,
    /// The newest committed slot.
    pub slot: SlotNumber,
    /// The hash there.
    pub hash: SummaryHash,
}

/// Every message there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A client asks for an operation.
    Request(Request<'a>),
    /// A replica answers a client.
    Reply(Reply<'a>),
    /// The leader asks for hashes.
    Sync(Sync),
    /// A replica tells its hash.
    SyncReply(SyncReply),
    /// The leader announces a committed prefix.
    Commit(Commit),
    /// A replica has stopped in order to change the view.
    StartViewChange(StartViewChange),
    /// A replica reports its log to the leader of a view to come.
    DoViewChange(DoViewChange<'a>),
    /// The leader of a new view says what the log is.
    StartView(StartView<'a>),
    /// A replica has installed the view's log.
    InView(InView),
    /// A replica lacks a part of the log.
    FetchLog(FetchLog),
    /// The part of the log that was asked for.
    Log(Log<'a>),
    /// A restarted replica asks to be let in.
    Recover(Recover),
    /// A replica lacks packets of the group.
    FetchPackets(FetchPackets),
    /// A packet that was asked for.
    Packet(Packet<'a>),
    /// The leader of a degraded view says what comes next.
    Prepare(Prepare<'a>),
    /// The committed state, for a replica that is too far behind for the log.
    Snapshot(Snapshot<'a>),
    /// Members of a group with synchronous rounds.
    Rounds(RoundsMessage<'a>),
    /// Replicas of Viewstamped Replication.
    Vr(VrMessage<'a>),
    /// Replicas of NOPaxos, and what they answer clients.
    NoPaxos(NoPaxosMessage<'a>),
    /// Replicas of Fast Paxos.
    FastPaxos(FastPaxosMessage<'a>),
    /// Servers of Mencius.
    Mencius(MenciusMessage<'a>),
}

/// The type byte of each message.
mod tag {
    pub(super) const REQUEST: u8 = 1;
    pub(super) const REPLY: u8 = 2;
    pub(super) const SYNC: u8 = 3;
    pub(super) const SYNC_REPLY: u8 = 4;
    pub(super) const COMMIT: u8 = 5;
    pub(super) const START_VIEW_CHANGE: u8 = 6;
    pub(super) const DO_VIEW_CHANGE: u8 = 7;
    pub(super) const START_VIEW: u8 = 8;
    pub(super) const IN_VIEW: u8 = 9;
    pub(super) const FETCH_LOG: u8 = 10;
    pub(super) const LOG: u8 = 11;
    pub(super) const RECOVER: u8 = 12;
    pub(super) const FETCH_PACKETS: u8 = 13;
    pub(super) const PACKET: u8 = 14;
    pub(super) const PREPARE: u8 = 15;
    pub(super) const SNAPSHOT: u8 = 16;
}

impl<'a> Message<'a> {
    /// Reads one message that fills `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let tag = reader.u8("message type")?;
        if let Some(message) = RoundsMessage::parse(tag, reader.clone()) {
            return message.map(Self::Rounds);
        }
        if let Some(message) = VrMessage::parse(tag, reader.clone()) {
            return message.map(Self::Vr);
        }
        if let Some(message) = NoPaxosMessage::parse(tag, reader.clone()) {
            return message.map(Self::NoPaxos);
        }
        if let Some(message) = FastPaxosMessage::parse(tag, reader.clone()) {
            return message.map(Self::FastPaxos);
        }
        if let Some(message) = MenciusMessage::parse(tag, reader.clone()) {
            return message.map(Self::Mencius);
        }
        let message = match tag {
            tag::REQUEST => return Request::parse(reader).map(Self::Request),
            tag::REPLY => return Reply::parse(reader).map(Self::Reply),
            tag::SYNC => Self::Sync(Sync {
                view: reader.view()?,
                slot: reader.slot("slot")?,
                committed: reader.slot("committed slot")?,
                committed_hash: reader.hash("committed hash")?,
            }),
            tag::SYNC_REPLY => Self::SyncReply(SyncReply {
                view: reader.view()?,
                replica: reader.replica()?,
                slot: reader.slot("slot")?,
                reached: reader.slot("reached slot")?,
                hash: reader.hash("hash")?,
            }),
            tag::COMMIT => Self::Commit(Commit {
                view: reader.view()?,
                slot: reader.slot("slot")?,
                hash: reader.hash("hash")?,
            }),
            tag::START_VIEW_CHANGE => Self::StartViewChange(StartViewChange::parse(&mut reader)?),
            tag::DO_VIEW_CHANGE => Self::DoViewChange(DoViewChange::parse(&mut reader)?),
            tag::START_VIEW => Self::StartView(StartView::parse(&mut reader)?),
            tag::IN_VIEW => Self::InView(InView {
                view: reader.view()?,
                replica: reader.replica()?,
            }),
            tag::FETCH_LOG => Self::FetchLog(FetchLog::parse(&mut reader)?),
            tag::LOG => Self::Log(Log::parse(&mut reader)?),
            tag::RECOVER => Self::Recover(Recover {
                replica: reader.replica()?,
                incarnation: reader.u64("incarnation")?,
                view: reader.view()?,
            }),
            tag::FETCH_PACKETS => Self::FetchPackets(FetchPackets {
                replica: reader.replica()?,
                epoch: reader.epoch()?,
                first: reader.sequence()?,
                count: reader.u8("count of packets")?,
            }),
            tag::PACKET => return Packet::parse(reader).map(Self::Packet),
            tag::PREPARE => Self::Prepare(Prepare::parse(&mut reader)?),
            tag::SNAPSHOT => return Snapshot::parse(reader).map(Self::Snapshot),
            other => {
                return Err(WireError::UnknownValue {
                    what: "message type",
                    value: other.into(),
                });
            }
        };
        reader.end()?;
        Ok(message)
    }

    /// Appends the message to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request(request) => {
                out.put_u8(tag::REQUEST);
                request.emit(out);
            }
            Self::Reply(reply) => {
                out.put_u8(tag::REPLY);
                reply.emit(out);
            }
            Self::Sync(sync) => {
                out.put_u8(tag::SYNC);
                out.put_u64(sync.view.0);
                out.put_u64(sync.slot.0);
                out.put_u64(sync.committed.0);
                out.put(&sync.committed_hash.0);
            }
            Self::SyncReply(reply) => {
                out.put_u8(tag::SYNC_REPLY);
                out.put_u64(reply.view.0);
                out.put_u8(reply.replica.0);
                out.put_u64(reply.slot.0);
                out.put_u64(reply.reached.0);
                out.put(&reply.hash.0);
            }
            Self::Commit(commit) => {
                out.put_u8(tag::COMMIT);
                out.put_u64(commit.view.0);
                out.put_u64(commit.slot.0);
                out.put(&commit.hash.0);
            }
            Self::StartViewChange(message) => message.emit(out),
            Self::DoViewChange(message) => message.emit(out),
            Self::StartView(message) => message.emit(out),
            Self::InView(message) => {
                out.put_u8(tag::IN_VIEW);
                out.put_u64(message.view.0);
                out.put_u8(message.replica.0);
            }
            Self::FetchLog(message) => message.emit(out),
            Self::Log(message) => message.emit(out),
            Self::Recover(message) => {
                out.put_u8(tag::RECOVER);
                out.put_u8(message.replica.0);
                out.put_u64(message.incarnation);
                out.put_u64(message.view.0);
            }
            Self::FetchPackets(message) => {
                out.put_u8(tag::FETCH_PACKETS);
                out.put_u8(message.replica.0);
                out.put_u32(message.epoch.0);
                out.put_u64(message.first.0);
                out.put_u8(message.count);
            }
            Self::Packet(message) => message.emit(out),
            Self::Prepare(message) => message.emit(out),
            Self::Snapshot(message) => message.emit(out),
            Self::Rounds(message) => message.emit(out),
            Self::Vr(message) => message.emit(out),
            Self::NoPaxos(message) => message.emit(out),
            Self::FastPaxos(message) => message.emit(out),
            Self::Mencius(message) => message.emit(out),
        }
    }

    /// Whether the message goes by the bulk channel, because it may be longer than a packet.
    pub fn is_bulk(&self) -> bool {
        match self {
            Self::DoViewChange(_)
            | Self::StartView(_)
            | Self::FetchLog(_)
            | Self::Log(_)
            | Self::Snapshot(_) => true,
            Self::Prepare(prepare) => !prepare.fits_a_packet(),
            Self::Packet(packet) => !packet.fits_a_packet(),
            Self::Rounds(message) => message.is_bulk(),
            Self::NoPaxos(message) => message.is_bulk(),
            Self::FastPaxos(message) => message.is_bulk(),
            Self::Mencius(message) => message.is_bulk(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
