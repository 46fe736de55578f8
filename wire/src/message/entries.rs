//! Log entries in a row inside a bulk message.

use super::Request;
use super::list::List;
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

/// Entries in log order, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entries<'a>(List<'a>);

impl<'a> Entries<'a> {
    /// No entries.
    pub const NONE: Self = Self(List::EMPTY);

    /// Encodes `entries` into `storage`, which keeps the bytes for the returned view.
    pub fn encode<'e>(entries: impl Iterator<Item = Entry<'e>>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        let mut count = 0;
        for entry in entries {
            entry.emit(storage);
            count += 1;
        }
        Self(List::written(count, storage))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes they take in a message, without the count.
    pub fn byte_len(&self) -> usize {
        self.0.byte_len()
    }

    /// The entries in log order.
    pub fn iter(&self) -> EntriesIter<'a> {
        EntriesIter(self.0.reader())
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let one = |reader: &mut Reader<'a>| Entry::parse(reader).map(|_| 1);
        List::parse(reader, ["entry count", "entries"], one).map(Self)
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        self.0.emit(out);
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
pub struct EntriesIter<'a>(Reader<'a>);

impl<'a> Iterator for EntriesIter<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        if self.0.is_empty() {
            return None;
        }
        Some(Entry::parse(&mut self.0).expect("the list was checked when it was parsed"))
    }
}
