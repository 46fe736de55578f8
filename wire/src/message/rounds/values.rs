//! A run of positions with what they hold, inside a bulk message.
//!
//! Parsing walks the whole run once and checks every length; iterating afterwards cannot fail.

use super::Proposal;
use crate::WireError;
use crate::bytes::{Put, Reader};
use alloc::vec::Vec;

/// What a position holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// Nothing: the packet was lost, or belongs to nobody's log.
    NoOp,
    /// A packet.
    Packet(Proposal<'a>),
}

impl<'a> Value<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        match reader.u8("kind of value")? {
            0 => Ok(Self::NoOp),
            1 => Proposal::parse(reader).map(Self::Packet),
            other => Err(WireError::UnknownValue {
                what: "kind of value",
                value: other.into(),
            }),
        }
    }

    fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::NoOp => out.put_u8(0),
            Self::Packet(proposal) => {
                out.put_u8(1);
                proposal.emit(out);
            }
        }
    }
}

/// A checked run of values of consecutive positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Values<'a> {
    /// Encodes `values` into `storage`, which keeps the bytes for the returned view.
    pub fn encode<'v>(values: impl Iterator<Item = Value<'v>>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        let mut count = 0;
        for value in values {
            value.emit(storage);
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

    /// The values in the order of their positions.
    pub fn iter(&self) -> ValuesIter<'a> {
        ValuesIter {
            left: self.count,
            reader: Reader::new(self.bytes),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.u32("value count")?;
        let bytes = reader.counted("values")?;
        let mut walk = Reader::new(bytes);
        for _ in 0..count {
            Value::parse(&mut walk)?;
        }
        walk.end()?;
        Ok(Self { count, bytes })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u32(self.count);
        out.put_counted(self.bytes);
    }
}

impl<'a> IntoIterator for &Values<'a> {
    type Item = Value<'a>;
    type IntoIter = ValuesIter<'a>;

    fn into_iter(self) -> ValuesIter<'a> {
        self.iter()
    }
}

/// Iterator over [`Values`].
#[derive(Clone, Debug)]
pub struct ValuesIter<'a> {
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Iterator for ValuesIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Value::parse(&mut self.reader).expect("the run was checked when it was parsed"))
    }
}
