//! So many items in a row inside a bulk message, whatever they are.
//!
//! Parsing walks the whole list once and checks every length; reading it afterwards cannot fail.

use crate::WireError;
use crate::bytes::{Put, Reader};
use alloc::vec::Vec;

/// A checked list: how many items there are, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct List<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    pub(super) const EMPTY: Self = Self {
        count: 0,
        bytes: &[],
    };

    /// A list of `count` items whose bytes were just written.
    pub(super) fn written(count: u32, bytes: &'a [u8]) -> Self {
        Self { count, bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    pub(super) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn reader(&self) -> Reader<'a> {
        Reader::new(self.bytes)
    }

    /// Reads a list whose items `read` takes from the front, one or several at once; it returns
    /// how many.
    pub(super) fn parse(
        reader: &mut Reader<'a>,
        [count_of, items]: [&'static str; 2],
        read: impl Fn(&mut Reader<'a>) -> Result<u32, WireError>,
    ) -> Result<Self, WireError> {
        let count = reader.u32(count_of)?;
        let bytes = reader.counted(items)?;
        let mut walk = Reader::new(bytes);
        let mut left = count;
        while left > 0 {
            let some = read(&mut walk)?;
            left = left.checked_sub(some).ok_or(WireError::UnknownValue {
                what: "items in a row",
                value: some.into(),
            })?;
        }
        walk.end()?;
        Ok(Self { count, bytes })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u32(self.count);
        out.put_counted(self.bytes);
    }
}
