//! How a server that has restarted without its log comes back.

use super::{Ballot, Cells, tag};
use crate::bytes::{Put, Reader};
use crate::message::Incarnations;
use crate::{InstanceNumber, ReplicaId, WireError};
use alloc::vec::Vec;

/// The largest group that fits.
const REPLICAS_MAX: usize = 15;

/// Where a life of an owner begins: it proposes and skips above this only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start {
    /// The life.
    pub incarnation: u64,
    /// The instance below its first.
    pub above: InstanceNumber,
}

impl Start {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            incarnation: reader.u64("incarnation")?,
            above: reader.instance("instance below a life")?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.incarnation);
        out.put_u64(self.above.0);
    }
}

/// What a server has promised about one owner's instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LanePromise {
    /// Nothing older is accepted …
    pub promised: Ballot,
    /// … up to here.
    pub up_to: InstanceNumber,
    /// Where the owner's newest life began.
    pub start: Start,
}

impl LanePromise {
    /// Bytes of one.
    const LEN: usize = 17 + 8 + 16;

    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            promised: Ballot::parse(reader)?,
            up_to: reader.instance("last instance")?,
            start: Start::parse(reader)?,
        })
    }
}

/// One [`LanePromise`] an owner, from owner 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LanePromises<'a> {
    bytes: &'a [u8],
}

impl<'a> LanePromises<'a> {
    /// Encodes promises into `storage`, which keeps the bytes for the returned view.
    pub fn encode(promises: impl Iterator<Item = LanePromise>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        for promise in promises {
            promise.promised.emit(storage);
            storage.put_u64(promise.up_to.0);
            promise.start.emit(storage);
        }
        Self { bytes: storage }
    }

    /// From owner 0 on.
    pub fn iter(&self) -> impl Iterator<Item = LanePromise> + use<'a> {
        let chunks = self.bytes.chunks_exact(LanePromise::LEN);
        chunks.map(|chunk| {
            let mut reader = Reader::new(chunk);
            LanePromise::parse(&mut reader).expect("a promise has no length of its own")
        })
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = usize::from(reader.u8("owners")?);
        if count > REPLICAS_MAX {
            return Err(WireError::UnknownValue {
                what: "owners",
                value: count as u64,
            });
        }
        let bytes = reader.bytes("promises", count * LanePromise::LEN)?;
        Ok(Self { bytes })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        let count = self.bytes.len() / LanePromise::LEN;
        out.put_u8(u8::try_from(count).expect("a group has at most 15 replicas"));
        out.put(self.bytes);
    }
}

/// Everything that a server which has restarted may have said in an earlier life, as far as the
/// sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Welcome<'a> {
    /// Who answers.
    pub replica: ReplicaId,
    /// The lives that it knows of, the asker's among them.
    pub incarnations: Incarnations,
    /// Which of the asker's lives is answered.
    pub incarnation: u64,
    /// Everything up to here is executed.
    pub executed: InstanceNumber,
    /// What the sender has promised.
    pub lanes: LanePromises<'a>,
    /// What it has accepted above `executed`.
    pub cells: Cells<'a>,
}

/// A server that has restarted means to propose above this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Starting {
    /// Who has restarted.
    pub replica: ReplicaId,
    /// The lives that it knows of, its own among them.
    pub incarnations: Incarnations,
    /// The instance below its first.
    pub above: InstanceNumber,
}

/// An answer to [`Starting`]: noted, if `needed` is not above what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Started {
    /// Who answers.
    pub replica: ReplicaId,
    /// The lives that it knows of.
    pub incarnations: Incarnations,
    /// What was asked.
    pub above: InstanceNumber,
    /// What must be asked at least.
    pub needed: InstanceNumber,
}

/// A message about a server that has restarted. It begins with a
/// [`Recover`](crate::message::Recover).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejoin<'a> {
    /// What it must know.
    Welcome(Welcome<'a>),
    /// Where it means to begin.
    Starting(Starting),
    /// An answer to that.
    Started(Started),
}

impl<'a> Rejoin<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let kind = reader.u8("step of a rejoin")?;
        let (replica, incarnations) = (reader.replica()?, Incarnations::parse(reader)?);
        Ok(match kind {
            0 => Self::Welcome(Welcome {
                replica,
                incarnations,
                incarnation: reader.u64("incarnation")?,
                executed: reader.instance("executed instance")?,
                lanes: LanePromises::parse(reader)?,
                cells: Cells::parse(reader)?,
            }),
            1 => Self::Starting(Starting {
                replica,
                incarnations,
                above: reader.instance("instance below a life")?,
            }),
            2 => Self::Started(Started {
                replica,
                incarnations,
                above: reader.instance("instance below a life")?,
                needed: reader.instance("needed instance")?,
            }),
            other => {
                return Err(WireError::UnknownValue {
                    what: "step of a rejoin",
                    value: other.into(),
                });
            }
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Welcome(_) => 0,
            Self::Starting(_) => 1,
            Self::Started(_) => 2,
        };
        out.put_u8(tag::REJOIN);
        out.put_u8(kind);
        out.put_u8(self.sender().0);
        self.incarnations().emit(out);
        match self {
            Self::Welcome(m) => {
                out.put_u64(m.incarnation);
                out.put_u64(m.executed.0);
                m.lanes.emit(out);
                m.cells.emit(out);
            }
            Self::Starting(m) => out.put_u64(m.above.0),
            Self::Started(m) => {
                out.put_u64(m.above.0);
                out.put_u64(m.needed.0);
            }
        }
    }

    /// Who sends it.
    pub fn sender(&self) -> ReplicaId {
        match self {
            Self::Welcome(m) => m.replica,
            Self::Starting(m) => m.replica,
            Self::Started(m) => m.replica,
        }
    }

    /// The lives that its sender knows of.
    pub fn incarnations(&self) -> Incarnations {
        match self {
            Self::Welcome(m) => m.incarnations,
            Self::Starting(m) => m.incarnations,
            Self::Started(m) => m.incarnations,
        }
    }
}
