//! What replicas of NOPaxos say to each other and to clients beyond what all protocols share.
//!
//! | type | message | how |
//! |---|---|---|
//! | 40 | [`GapCommit`] | leader to all |
//! | 41 | [`GapOk`] | follower to leader |
//! | 42 | [`SyncPrepare`] | leader to all, also its sign of life |
//! | 43 | [`SyncOk`] | follower to leader |
//! | 44 | [`Answer`] | replica to client |
//! | 45 | [`Catchup`] | what is committed, by bulk |
//! | 46 | [`Report`] | a replica's log for a view to come, by bulk |
//! | 47 | [`Start`] | what a view begins with, by bulk |
//!
//! A view is a session and a leader's number, in this order, in one number of 64 bits.

mod logs;
mod runs;

pub use logs::{Catchup, Committed, Report, Start};
pub use runs::{Run, Runs};

use super::Reply;
use crate::bytes::{Put, Reader};
use crate::{
    ClientId, EpochNumber, ReplicaId, RequestNumber, SequenceNumber, SlotNumber, SummaryHash,
    ViewNumber, WireError,
};
use alloc::vec::Vec;

/// The type byte of each message.
pub(super) mod tag {
    pub(in crate::message) const GAP_COMMIT: u8 = 40;
    pub(in crate::message) const GAP_OK: u8 = 41;
    pub(in crate::message) const SYNC_PREPARE: u8 = 42;
    pub(in crate::message) const SYNC_OK: u8 = 43;
    pub(in crate::message) const ANSWER: u8 = 44;
    pub(in crate::message) const CATCHUP: u8 = 45;
    pub(in crate::message) const REPORT: u8 = 46;
    pub(in crate::message) const START: u8 = 47;
}

/// A place in the log: the root's term, and the root's count in it. All of an older session lies
/// before all of a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The root's term.
    pub session: EpochNumber,
    /// The root's count in it; 0 is before everything.
    pub position: SequenceNumber,
}

impl Place {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            session: reader.epoch()?,
            position: reader.sequence()?,
        })
    }

    pub(super) fn emit(self, out: &mut Vec<u8>) {
        out.put_u32(self.session.0);
        out.put_u64(self.position.0);
    }
}

/// The leader lacks the packets at these positions: nobody is to execute anything there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GapCommit {
    /// The leader's view.
    pub view: ViewNumber,
    /// The positions.
    pub run: Run,
}

/// A follower has its log up to the end of a run that the leader lacks, and no-ops in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GapOk {
    /// The view in which the follower is normal.
    pub view: ViewNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The last position of the run.
    pub last: SequenceNumber,
}

/// Leader to all: these are the no-ops above `from` up to `to`; who has its log up to there, with
/// these no-ops, may say so. Also how far the log is and what of it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPrepare<'a> {
    /// The leader's view.
    pub view: ViewNumber,
    /// The leader's newest position.
    pub head: SequenceNumber,
    /// No-ops up to here are not listed.
    pub from: SequenceNumber,
    /// No-ops above this are not listed.
    pub to: SequenceNumber,
    /// What is committed.
    pub committed: Committed,
    /// The no-ops.
    pub no_ops: Runs<'a>,
}

impl<'a> SyncPrepare<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            head: reader.sequence()?,
            from: reader.sequence()?,
            to: reader.sequence()?,
            committed: Committed::parse(reader)?,
            no_ops: Runs::parse(reader)?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::SYNC_PREPARE);
        out.put_u64(self.view.0);
        out.put_u64(self.head.0);
        out.put_u64(self.from.0);
        out.put_u64(self.to.0);
        self.committed.emit(out);
        self.no_ops.emit(out);
    }
}

/// A follower's log is the leader's up to `position`. Cumulative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncOk {
    /// The view in which the follower is normal.
    pub view: ViewNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The position.
    pub position: SequenceNumber,
    /// What the follower has committed.
    pub committed: SlotNumber,
}

/// What the leader found when it executed a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Executed<'a> {
    /// Where the request stands among those that were executed.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
    /// Whether the slot can no longer change.
    pub committed: bool,
    /// What the state machine returned.
    pub result: &'a [u8],
}

/// A replica's answer to a client: it has the request at `position`, and everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer<'a> {
    /// The client that asked.
    pub client: ClientId,
    /// The request answered.
    pub number: RequestNumber,
    /// Who answers.
    pub replica: ReplicaId,
    /// The view in which the replica is normal now.
    pub view: ViewNumber,
    /// Where in the view's session the request stands.
    pub position: SequenceNumber,
    /// The leader's; a follower has not executed it.
    pub executed: Option<Executed<'a>>,
}

impl<'a> Answer<'a> {
    /// Bytes of a leader's answer besides its result.
    pub const OVERHEAD: usize = 1 + 8 + 8 + 1 + 8 + 8 + 1 + 8 + 32 + 1;

    /// The leader's answer as what other protocols' replicas answer.
    pub fn as_reply(&self) -> Option<Reply<'a>> {
        let executed = self.executed?;
        Some(Reply {
            client: self.client,
            number: self.number,
            replica: self.replica,
            view: self.view,
            slot: executed.slot,
            hash: executed.hash,
            committed: executed.committed,
            result: executed.result,
        })
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let client = reader.client()?;
        let number = reader.number()?;
        let replica = reader.replica()?;
        let view = reader.view()?;
        let position = reader.sequence()?;
        let executed = if reader.flag("executed")? {
            Some(Executed {
                slot: reader.slot("slot")?,
                hash: reader.hash("hash")?,
                committed: reader.flag("committed")?,
                result: reader.take_rest(),
            })
        } else {
            None
        };
        Ok(Self {
            client,
            number,
            replica,
            view,
            position,
            executed,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::ANSWER);
        out.put_u64(self.client.0);
        out.put_u64(self.number.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.view.0);
        out.put_u64(self.position.0);
        out.put_u8(self.executed.is_some().into());
        if let Some(executed) = self.executed {
            out.put_u64(executed.slot.0);
            out.put(&executed.hash.0);
            out.put_u8(executed.committed.into());
            out.put(executed.result);
        }
    }
}

/// Every message of its own that NOPaxos has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPaxosMessage<'a> {
    /// The leader lacks packets.
    GapCommit(GapCommit),
    /// A follower has no-ops there.
    GapOk(GapOk),
    /// The leader says how its log is.
    SyncPrepare(SyncPrepare<'a>),
    /// A follower's log is the same.
    SyncOk(SyncOk),
    /// A replica answers a client.
    Answer(Answer<'a>),
    /// A part of the committed log, or all of it as a snapshot.
    Catchup(Catchup<'a>),
    /// A replica's log, for a view to come.
    Report(Report<'a>),
    /// What a view begins with.
    Start(Start<'a>),
}

impl<'a> NoPaxosMessage<'a> {
    /// Reads the message with this type byte; `None`: there is no such type.
    pub(super) fn parse(tag: u8, mut reader: Reader<'a>) -> Option<Result<Self, WireError>> {
        let reader = &mut reader;
        let parsed = match tag {
            tag::GAP_COMMIT => parse_gap_commit(reader).map(Self::GapCommit),
            tag::GAP_OK => parse_gap_ok(reader).map(Self::GapOk),
            tag::SYNC_PREPARE => SyncPrepare::parse(reader).map(Self::SyncPrepare),
            tag::SYNC_OK => parse_sync_ok(reader).map(Self::SyncOk),
            tag::ANSWER => Answer::parse(reader).map(Self::Answer),
            tag::CATCHUP => Catchup::parse(reader).map(Self::Catchup),
            tag::REPORT => Report::parse(reader).map(Self::Report),
            tag::START => Start::parse(reader).map(Self::Start),
            _ => return None,
        };
        Some(parsed.and_then(|message| reader.clone().end().map(|()| message)))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::GapCommit(m) => {
                out.put_u8(tag::GAP_COMMIT);
                out.put_u64(m.view.0);
                m.run.emit(out);
            }
            Self::GapOk(m) => {
                out.put_u8(tag::GAP_OK);
                out.put_u64(m.view.0);
                out.put_u8(m.replica.0);
                out.put_u64(m.last.0);
            }
            Self::SyncPrepare(m) => m.emit(out),
            Self::SyncOk(m) => {
                out.put_u8(tag::SYNC_OK);
                out.put_u64(m.view.0);
                out.put_u8(m.replica.0);
                out.put_u64(m.position.0);
                out.put_u64(m.committed.0);
            }
            Self::Answer(m) => m.emit(out),
            Self::Catchup(m) => m.emit(out),
            Self::Report(m) => m.emit(out),
            Self::Start(m) => m.emit(out),
        }
    }

    /// Whether the message may be longer than a packet.
    pub(super) fn is_bulk(&self) -> bool {
        matches!(self, Self::Catchup(_) | Self::Report(_) | Self::Start(_))
    }
}

fn parse_gap_commit(reader: &mut Reader<'_>) -> Result<GapCommit, WireError> {
    Ok(GapCommit {
        view: reader.view()?,
        run: Run::parse(reader)?,
    })
}

fn parse_gap_ok(reader: &mut Reader<'_>) -> Result<GapOk, WireError> {
    Ok(GapOk {
        view: reader.view()?,
        replica: reader.replica()?,
        last: reader.sequence()?,
    })
}

fn parse_sync_ok(reader: &mut Reader<'_>) -> Result<SyncOk, WireError> {
    Ok(SyncOk {
        view: reader.view()?,
        replica: reader.replica()?,
        position: reader.sequence()?,
        committed: reader.slot("committed slot")?,
    })
}
