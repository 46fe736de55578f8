//! Revocation: Paxos with a higher ballot over a run of one owner's instances.

use super::rejoin::Start;
use super::{Ballot, Cells, tag};
use crate::bytes::{Put, Reader};
use crate::message::Incarnations;
use crate::{InstanceNumber, ReplicaId, WireError};
use alloc::vec::Vec;

/// Phase 1a: nobody may accept anything older in the owner's instances up to `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prepare {
    /// Who revokes.
    pub replica: ReplicaId,
    /// The lives that it knows of.
    pub incarnations: Incarnations,
    /// Whose instances.
    pub owner: ReplicaId,
    /// The ballot.
    pub ballot: Ballot,
    /// Up to which instance.
    pub up_to: InstanceNumber,
}

/// Phase 1b: a promise, if `promised` is the ballot that was asked for; else a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Promise<'a> {
    /// Who promises.
    pub replica: ReplicaId,
    /// The lives that it knows of.
    pub incarnations: Incarnations,
    /// Whose instances.
    pub owner: ReplicaId,
    /// The ballot that was asked for.
    pub ballot: Ballot,
    /// The newest ballot promised.
    pub promised: Ballot,
    /// Up to which instance.
    pub up_to: InstanceNumber,
    /// Everything up to here is executed: what was accepted there is not in `cells`.
    pub executed: InstanceNumber,
    /// Where the owner's newest life began, as far as the sender knows.
    pub start: Start,
    /// What it has accepted above `executed`.
    pub cells: Cells<'a>,
}

/// Phase 2a: the owner's instances above `above` up to `up_to` are these cells, and no-ops else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Accept<'a> {
    /// Who revokes.
    pub replica: ReplicaId,
    /// The lives that it knows of.
    pub incarnations: Incarnations,
    /// Whose instances.
    pub owner: ReplicaId,
    /// The ballot.
    pub ballot: Ballot,
    /// The instance below the first.
    pub above: InstanceNumber,
    /// The last instance.
    pub up_to: InstanceNumber,
    /// Whether a majority has accepted it.
    pub decided: bool,
    /// The batches among them.
    pub cells: Cells<'a>,
}

/// Phase 2b.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// Who has accepted.
    pub replica: ReplicaId,
    /// The lives that it knows of.
    pub incarnations: Incarnations,
    /// Whose instances.
    pub owner: ReplicaId,
    /// The ballot.
    pub ballot: Ballot,
}

/// A message about a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revoke<'a> {
    /// Phase 1a.
    Prepare(Prepare),
    /// Phase 1b.
    Promise(Promise<'a>),
    /// Phase 2a, and the outcome.
    Accept(Accept<'a>),
    /// Phase 2b.
    Accepted(Accepted),
}

/// What every message about a revocation begins with.
struct Head {
    replica: ReplicaId,
    incarnations: Incarnations,
    owner: ReplicaId,
    ballot: Ballot,
}

impl Head {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            incarnations: Incarnations::parse(reader)?,
            owner: reader.replica()?,
            ballot: Ballot::parse(reader)?,
        })
    }

    fn emit(&self, kind: u8, out: &mut Vec<u8>) {
        out.put_u8(tag::REVOKE);
        out.put_u8(kind);
        out.put_u8(self.replica.0);
        self.incarnations.emit(out);
        out.put_u8(self.owner.0);
        self.ballot.emit(out);
    }
}

impl<'a> Revoke<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let kind = reader.u8("phase of a revocation")?;
        let head = Head::parse(reader)?;
        let Head {
            replica,
            incarnations,
            owner,
            ballot,
        } = head;
        Ok(match kind {
            0 => Self::Prepare(Prepare {
                replica,
                incarnations,
                owner,
                ballot,
                up_to: reader.instance("last instance")?,
            }),
            1 => Self::Promise(Promise {
                replica,
                incarnations,
                owner,
                ballot,
                promised: Ballot::parse(reader)?,
                up_to: reader.instance("last instance")?,
                executed: reader.instance("executed instance")?,
                start: Start::parse(reader)?,
                cells: Cells::parse(reader)?,
            }),
            2 => Self::Accept(Accept {
                replica,
                incarnations,
                owner,
                ballot,
                above: reader.instance("instance below")?,
                up_to: reader.instance("last instance")?,
                decided: reader.flag("decided")?,
                cells: Cells::parse(reader)?,
            }),
            3 => Self::Accepted(Accepted {
                replica,
                incarnations,
                owner,
                ballot,
            }),
            other => {
                return Err(WireError::UnknownValue {
                    what: "phase of a revocation",
                    value: other.into(),
                });
            }
        })
    }

    fn head(&self) -> Head {
        let (replica, incarnations, owner, ballot) = match self {
            Self::Prepare(m) => (m.replica, m.incarnations, m.owner, m.ballot),
            Self::Promise(m) => (m.replica, m.incarnations, m.owner, m.ballot),
            Self::Accept(m) => (m.replica, m.incarnations, m.owner, m.ballot),
            Self::Accepted(m) => (m.replica, m.incarnations, m.owner, m.ballot),
        };
        Head {
            replica,
            incarnations,
            owner,
            ballot,
        }
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let head = self.head();
        match self {
            Self::Prepare(m) => {
                head.emit(0, out);
                out.put_u64(m.up_to.0);
            }
            Self::Promise(m) => {
                head.emit(1, out);
                m.promised.emit(out);
                out.put_u64(m.up_to.0);
                out.put_u64(m.executed.0);
                m.start.emit(out);
                m.cells.emit(out);
            }
            Self::Accept(m) => {
                head.emit(2, out);
                out.put_u64(m.above.0);
                out.put_u64(m.up_to.0);
                out.put_u8(m.decided.into());
                m.cells.emit(out);
            }
            Self::Accepted(_) => head.emit(3, out),
        }
    }

    /// Who sends it.
    pub fn sender(&self) -> ReplicaId {
        self.head().replica
    }

    /// The lives that its sender knows of.
    pub fn incarnations(&self) -> Incarnations {
        self.head().incarnations
    }

    /// Whose instances it is about.
    pub fn owner(&self) -> ReplicaId {
        self.head().owner
    }
}
