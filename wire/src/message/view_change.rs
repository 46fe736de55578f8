//! How replicas agree on the log's past: reconciliation (NSDI'15, section 4.4).

use super::{Entries, Incarnations, tag};
use crate::bytes::{Put, Reader};
use crate::{ReplicaId, SlotNumber, SummaryHash, ViewNumber, WireError};
use alloc::vec::Vec;

/// A replica has stopped executing and promised `view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StartViewChange {
    /// The view to come.
    pub view: ViewNumber,
    /// Who stopped.
    pub replica: ReplicaId,
    /// Up to where its log is committed.
    pub committed: SlotNumber,
    /// Whether the sender wants the view to be degraded.
    pub degraded: bool,
    /// The lives of the replicas that the sender knows of.
    pub incarnations: Incarnations,
}

impl StartViewChange {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            committed: reader.slot("committed slot")?,
            degraded: reader.flag("degraded")?,
            incarnations: Incarnations::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::START_VIEW_CHANGE);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.committed.0);
        out.put_u8(self.degraded.into());
        self.incarnations.emit(out);
    }
}

/// A replica's log, frozen, reported to the leader of the view to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoViewChange<'a> {
    /// The view to come.
    pub view: ViewNumber,
    /// Who reports.
    pub replica: ReplicaId,
    /// The newest view whose log the replica has installed.
    pub last_normal_view: ViewNumber,
    /// Whether that view was degraded.
    pub degraded: bool,
    /// The lives of the replicas that the sender knows of.
    pub incarnations: Incarnations,
    /// Up to where its log is committed.
    pub committed: SlotNumber,
    /// Its hash there.
    pub committed_hash: SummaryHash,
    /// Everything above `committed`.
    pub entries: Entries<'a>,
}

impl<'a> DoViewChange<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            replica: reader.replica()?,
            last_normal_view: reader.view()?,
            degraded: reader.flag("degraded")?,
            incarnations: Incarnations::parse(reader)?,
            committed: reader.slot("committed slot")?,
            committed_hash: reader.hash("committed hash")?,
            entries: Entries::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::DO_VIEW_CHANGE);
        out.put_u64(self.view.0);
        out.put_u8(self.replica.0);
        out.put_u64(self.last_normal_view.0);
        out.put_u8(self.degraded.into());
        self.incarnations.emit(out);
        out.put_u64(self.committed.0);
        out.put(&self.committed_hash.0);
        self.entries.emit(out);
    }
}

/// The log of a new view, above a prefix that the receiver is known, or supposed, to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartView<'a> {
    /// The view that begins.
    pub view: ViewNumber,
    /// Whether the leader orders in it.
    pub degraded: bool,
    /// The lives of the replicas that the view was started for.
    pub incarnations: Incarnations,
    /// The slot below the first entry.
    pub base: SlotNumber,
    /// The hash there.
    pub base_hash: SummaryHash,
    /// Up to where the log is known to be committed.
    pub committed: SlotNumber,
    /// Everything above `base`.
    pub entries: Entries<'a>,
}

impl<'a> StartView<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            degraded: reader.flag("degraded")?,
            incarnations: Incarnations::parse(reader)?,
            base: reader.slot("base slot")?,
            base_hash: reader.hash("base hash")?,
            committed: reader.slot("committed slot")?,
            entries: Entries::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::START_VIEW);
        out.put_u64(self.view.0);
        out.put_u8(self.degraded.into());
        self.incarnations.emit(out);
        out.put_u64(self.base.0);
        out.put(&self.base_hash.0);
        out.put_u64(self.committed.0);
        self.entries.emit(out);
    }
}

/// A replica has installed the view's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InView {
    /// The view.
    pub view: ViewNumber,
    /// Who installed it.
    pub replica: ReplicaId,
}
