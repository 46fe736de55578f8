//! A run of log entries inside a bulk message.
//!
//! Parsing walks the whole run once and checks every length; iterating afterwards cannot fail.

use super::Request;
use crate::bytes::{Put, Reader};
use crate::{AgreedTime, EpochNumber, SequenceNumber, SummaryHash, ViewNumber, WireError};
use alloc::vec::Vec;

/// One log entry as replicas tell it to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry<'a> {
    /// The view in which the entry was appended. A label for people: no rule reads it.
    pub view: ViewNumber,
    /// The epoch stamped on the request, 0 on fabrics without stamps.
    pub epoch: EpochNumber,
    /// The sequence number stamped on the request.
    pub sequence: SequenceNumber,
    /// The time stamped on the request, before it was made monotone.
    pub time: AgreedTime,
    /// The summary hash at the entry.
    pub hash: SummaryHash,
    /// The request.
    pub request: Request<'a>,
}

impl<'a> Entry<'a> {
    /// Bytes of an entry besides its operation.
    pub const OVERHEAD: usize = 8 + 4 + 8 + 8 + 32 + 4 + Request::OVERHEAD - 1;

    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            view: reader.view()?,
            epoch: reader.epoch()?,
            sequence: reader.sequence()?,
            time: reader.time()?,
            hash: reader.hash("entry hash")?,
            request: Request::parse(Reader::new(reader.counted("entry request")?))?,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.view.0);
        out.put_u32(self.epoch.0);
        out.put_u64(self.sequence.0);
        out.put_u64(self.time.0);
        out.put(&self.hash.0);
        let len = Request::OVERHEAD - 1 + self.request.operation.len();
        out.put_u32(u32::try_from(len).expect("a request fits a packet"));
        self.request.emit(out);
    }
}

/// A checked run of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entries<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    /// No entries.
    pub const NONE: Self = Self {
        count: 0,
        bytes: &[],
    };

    /// Encodes `entries` into `storage`, which keeps the bytes for the returned view.
    pub fn encode<'e>(entries: impl Iterator<Item = Entry<'e>>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        let mut count = 0;
        for entry in entries {
            entry.emit(storage);
            count += 1;
        }
        Self {
            count,
            bytes: storage,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes they take in a message, without the count.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The entries in log order.
    pub fn iter(&self) -> EntriesIter<'a> {
        EntriesIter {
            left: self.count,
            reader: Reader::new(self.bytes),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.u32("entry count")?;
        let bytes = reader.counted("entries")?;
        let mut walk = Reader::new(bytes);
        for _ in 0..count {
            Entry::parse(&mut walk)?;
        }
        walk.end()?;
        Ok(Self { count, bytes })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u32(self.count);
        out.put_counted(self.bytes);
    }
}

impl<'a> IntoIterator for &Entries<'a> {
    type Item = Entry<'a>;
    type IntoIter = EntriesIter<'a>;

    fn into_iter(self) -> EntriesIter<'a> {
        self.iter()
    }
}

/// Iterator over [`Entries`].
#[derive(Clone, Debug)]
pub struct EntriesIter<'a> {
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Iterator for EntriesIter<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Entry::parse(&mut self.reader).expect("the run was checked when it was parsed"))
    }
}
