//! Logs of NOPaxos in messages that may outgrow a packet.

use super::{Place, Runs, tag};
use crate::bytes::{Put, Reader};
use crate::message::{Entries, Incarnations};
use crate::{
    AgreedTime, ReplicaId, SequenceNumber, SlotNumber, SummaryHash, ViewNumber, WireError,
};
use alloc::vec::Vec;

/// The end of a committed prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Committed {
    /// Where it ends in the root's count.
    pub place: Place,
    /// How many requests were executed in it.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
}

impl Committed {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            place: Place::parse(reader)?,
            slot: reader.slot("committed slot")?,
            hash: reader.hash("committed hash")?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        self.place.emit(out);
        out.put_u64(self.slot.0);
        out.put(&self.hash.0);
    }
}

/// What a replica lacks of the committed log: entries, or the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catchup<'a> {
    /// Everything above `base`, up to `committed`.
    Entries {
        /// The view that the asker named.
        view: ViewNumber,
        /// Who answers.
        replica: ReplicaId,
        /// Where the entries end.
        committed: Committed,
        /// The slot below the first entry.
        base: SlotNumber,
        /// The entries.
        entries: Entries<'a>,
    },
    /// The state at `committed`.
    State {
        /// The view that the asker named.
        view: ViewNumber,
        /// Who answers.
        replica: ReplicaId,
        /// What the state is of.
        committed: Committed,
        /// The agreed time there.
        time: AgreedTime,
        /// State machine and client table.
        state: &'a [u8],
    },
}

impl<'a> Catchup<'a> {
    /// The view that the asker named.
    pub fn view(&self) -> ViewNumber {
        match self {
            Self::Entries { view, .. } | Self::State { view, .. } => *view,
        }
    }

    /// Who answers.
    pub fn replica(&self) -> ReplicaId {
        match self {
            Self::Entries { replica, .. } | Self::State { replica, .. } => *replica,
        }
    }

    /// Up to where it goes.
    pub fn committed(&self) -> Committed {
        match self {
            Self::Entries { committed, .. } | Self::State { committed, .. } => *committed,
        }
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let (view, replica) = (reader.view()?, reader.replica()?);
        let committed = Committed::parse(reader)?;
        Ok(if reader.flag("state")? {
            Self::State {
                view,
                replica,
                committed,
                time: reader.time()?,
                state: reader.take_rest(),
            }
        } else {
            Self::Entries {
                view,
                replica,
                committed,
                base: reader.slot("base slot")?,
                entries: Entries::parse(reader)?,
            }
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::CATCHUP);
        out.put_u64(self.view().0);
        out.put_u8(self.replica().0);
        self.committed().emit(out);
        match self {
            Self::Entries { base, entries, .. } => {
                out.put_u8(0);
                out.put_u64(base.0);
                entries.emit(out);
            }
            Self::State { time, state, .. } => {
                out.put_u8(1);
                out.put_u64(time.0);
                out.put(state);
            }
        }
    }
}

/// A replica's log, frozen, reported to the leader of the view to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The view to come.
    pub view: ViewNumber,
    /// Who reports.
    pub replica: ReplicaId,
    /// The newest view whose log the replica has installed.
    pub last_normal_view: ViewNumber,
    /// The lives of the replicas that the sender knows of.
    pub incarnations: Incarnations,
    /// What is committed of its log.
    pub committed: Committed,
    /// The newest position of its log, in the session of its last normal view.
    pub head: SequenceNumber,
    /// Positions of that session that hold no request.
    pub no_ops: Runs<'a>,
    /// The requests above what is committed. Their hashes mean nothing.
    pub entries: Entries<'a>,
}

impl<'a> Report<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            last_normal_view: reader.view()?,
            incarnations: Incarnations::parse(reader)?,
            committed: Committed::parse(reader)?,
            head: reader.sequence()?,
            no_ops: Runs::parse(reader)?,
            entries: Entries::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::REPORT);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.last_normal_view.0);
        self.incarnations.emit(out);
        self.committed.emit(out);
        out.put_u64(self.head.0);
        self.no_ops.emit(out);
        self.entries.emit(out);
    }
}

/// The log of a new view, above a prefix that the receiver is known, or supposed, to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start<'a> {
    /// The view that begins.
    pub view: ViewNumber,
    /// The lives of the replicas that the view was started for.
    pub incarnations: Incarnations,
    /// What is committed, as the leader knows by now.
    pub committed: Committed,
    /// The position that the view's first packet follows.
    pub head: SequenceNumber,
    /// The slot of the newest request that the view began with.
    pub last: SlotNumber,
    /// The summary hash there.
    pub last_hash: SummaryHash,
    /// The slot below the first entry; not above the committed one.
    pub base: SlotNumber,
    /// Committed entries above `base`, then what the view began with above them. The hashes of
    /// the latter mean nothing.
    pub entries: Entries<'a>,
}

impl<'a> Start<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            incarnations: Incarnations::parse(reader)?,
            committed: Committed::parse(reader)?,
            head: reader.sequence()?,
            last: reader.slot("last slot")?,
            last_hash: reader.hash("last hash")?,
            base: reader.slot("base slot")?,
            entries: Entries::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::START);
        out.put_u64(self.view.0);
        self.incarnations.emit(out);
        self.committed.emit(out);
        out.put_u64(self.head.0);
        out.put_u64(self.last.0);
        out.put(&self.last_hash.0);
        out.put_u64(self.base.0);
        self.entries.emit(out);
    }
}
