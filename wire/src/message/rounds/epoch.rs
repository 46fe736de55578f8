//! How members agree on what an epoch begins with.

use super::{Footing, Frontier, Membership, Values, tag};
use crate::bytes::{Put, Reader};
use crate::message::Incarnations;
use crate::{Position, ReplicaId, RoundsEpoch, WireError};
use alloc::vec::Vec;

/// A member wants another epoch. It goes on voting until a majority of such wishes ends the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suspect {
    /// Who wants it.
    pub replica: ReplicaId,
    /// The epoch that is wanted, or any later one.
    pub wanted: RoundsEpoch,
    /// The sender votes in no epoch before this one. Later than what it has installed: it has
    /// counted a majority that wants it, and cannot go back.
    pub fence: RoundsEpoch,
    /// The newest epoch that the sender has installed.
    pub installed: RoundsEpoch,
    /// The newest lives that the sender knows of.
    pub incarnations: Incarnations,
}

impl Suspect {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            wanted: reader.rounds_epoch()?,
            fence: reader.rounds_epoch()?,
            installed: reader.rounds_epoch()?,
            incarnations: Incarnations::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::SUSPECT);
        out.put_u8(self.replica.0);
        out.put_rounds_epoch(self.wanted);
        out.put_rounds_epoch(self.fence);
        out.put_rounds_epoch(self.installed);
        self.incarnations.emit(out);
    }
}

/// What a member has voted for, told to the coordinator of an epoch after the member has
/// promised to vote in no earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Who reports.
    pub replica: ReplicaId,
    /// The epoch to come.
    pub epoch: RoundsEpoch,
    /// The newest epoch that the member has installed: the one of its votes.
    pub installed: RoundsEpoch,
    /// Who votes in that epoch.
    pub membership: Membership,
    /// The reporter has restarted and lacks its votes: it only tells which epoch it had installed,
    /// and promises.
    pub forgot: bool,
    /// The newest lives that the member knows of.
    pub incarnations: Incarnations,
    /// Number 1 of that epoch's term stands at the position after this one.
    pub term_base: Position,
    /// The highest position that it has voted for, or has seen a number of that term for.
    pub seen: Position,
    /// The longest prefix that it knows to have a majority.
    pub locked: Frontier,
    /// The prefix that it has executed; the values stand on it.
    pub committed: Footing,
    /// Its votes above.
    pub values: Values<'a>,
}

impl<'a> Report<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            epoch: reader.rounds_epoch()?,
            installed: reader.rounds_epoch()?,
            membership: Membership::parse(reader)?,
            forgot: reader.flag("forgot")?,
            incarnations: Incarnations::parse(reader)?,
            term_base: reader.position("base of the term")?,
            seen: reader.position("seen")?,
            locked: Frontier::parse(reader)?,
            committed: Footing::parse(reader)?,
            values: Values::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::REPORT);
        out.put_u8(self.replica.0);
        out.put_rounds_epoch(self.epoch);
        out.put_rounds_epoch(self.installed);
        self.membership.emit(out);
        out.put_u8(self.forgot.into());
        self.incarnations.emit(out);
        out.put_u64(self.term_base.0);
        out.put_u64(self.seen.0);
        self.locked.emit(out);
        self.committed.emit(out);
        self.values.emit(out);
    }
}

/// What an epoch begins with. There is one for each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartEpoch<'a> {
    /// Who coordinates.
    pub replica: ReplicaId,
    /// The epoch.
    pub epoch: RoundsEpoch,
    /// Who votes in it.
    pub membership: Membership,
    /// The lives of the members that it is started for.
    pub incarnations: Incarnations,
    /// The root's number 1 of the epoch's term stands at the position after this one.
    pub term_base: Position,
    /// The decided prefix that the values stand on.
    pub below: Footing,
    /// The values of all positions that are fixed by now; later ones are open.
    pub values: Values<'a>,
}

impl<'a> StartEpoch<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            replica: reader.replica()?,
            epoch: reader.rounds_epoch()?,
            membership: Membership::parse(reader)?,
            incarnations: Incarnations::parse(reader)?,
            term_base: reader.position("base of the term")?,
            below: Footing::parse(reader)?,
            values: Values::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::START_EPOCH);
        out.put_u8(self.replica.0);
        out.put_rounds_epoch(self.epoch);
        self.membership.emit(out);
        self.incarnations.emit(out);
        out.put_u64(self.term_base.0);
        self.below.emit(out);
        self.values.emit(out);
    }
}
