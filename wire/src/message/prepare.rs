//! The leader's order in a degraded view.

use super::{Entries, tag};
use crate::bytes::{Put, Reader};
use crate::{DEFAULT_PAYLOAD_LIMIT, STAMP_LEN, SlotNumber, SummaryHash, ViewNumber, WireError};
use alloc::vec::Vec;

/// Leader of a degraded view to all: these entries follow `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepare<'a> {
    /// The degraded view.
    pub view: ViewNumber,
    /// The slot below the first entry.
    pub base: SlotNumber,
    /// The hash there.
    pub base_hash: SummaryHash,
    /// Everything up to here is committed.
    pub committed: SlotNumber,
    /// The entries.
    pub entries: Entries<'a>,
}

impl<'a> Prepare<'a> {
    /// Bytes of entries that fit a packet together with everything around them.
    pub const ENTRIES_MAX: usize =
        DEFAULT_PAYLOAD_LIMIT - STAMP_LEN - (1 + 8 + 8 + 32 + 8) - (4 + 4);

    /// Whether the message fits a packet; if not, it goes by the bulk channel.
    pub fn fits_a_packet(&self) -> bool {
        self.entries.byte_len() <= Self::ENTRIES_MAX
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            base: reader.slot("base slot")?,
            base_hash: reader.hash("base hash")?,
            committed: reader.slot("committed slot")?,
            entries: Entries::parse(reader)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::PREPARE);
        out.put_u64(self.view.0);
        out.put_u64(self.base.0);
        out.put(&self.base_hash.0);
        out.put_u64(self.committed.0);
        self.entries.emit(out);
    }
}
