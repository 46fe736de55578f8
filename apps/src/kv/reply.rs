//! Replies: typed values in a compact binary form that a front door turns into its own protocol.
//!
//! ```text
//! reply = version (1 byte, 1), executed units (2 bytes, big endian), one value per executed unit
//!       | 0, error text to the end                         the operation was malformed
//! value = 0 null | 1 null array | 2 "OK"
//!       | 3 text | 4 error | 5 bulk                        length (varint), bytes
//!       | 6 integer                                        zigzag varint
//!       | 7 array | 8 set                                  count (varint), values
//!       | 9 map                                            count (varint), keys and values in turn
//! ```
//!
//! A reply can stop before the last unit when the next value would not have fitted the limit; the
//! sender sends the rest of the batch again as a new operation.

use super::cursor::{Cursor, Fault, put_chunk, put_length, put_varint, varint_size};
use super::failure::Failure;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// First byte of a reply to a well-formed operation.
pub const REPLY_VERSION: u8 = 1;
/// How deep arrays, sets and maps may stand in each other.
pub const MAX_DEPTH: usize = 4;

const REFUSED: u8 = 0;
const HEADER_SIZE: usize = 3;

const NULL: u8 = 0;
const NULL_ARRAY: u8 = 1;
const OK: u8 = 2;
const TEXT: u8 = 3;
const ERROR: u8 = 4;
const BULK: u8 = 5;
const INTEGER: u8 = 6;
const ARRAY: u8 = 7;
const SET: u8 = 8;
const MAP: u8 = 9;

/// Bytes that are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reply is not valid at byte {at}: {reason}")]
pub struct MalformedReply {
    /// Offset of the first byte that makes no sense.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl From<Fault> for MalformedReply {
    fn from(Fault { at, reason }: Fault) -> Self {
        Self { at, reason }
    }
}

/// The next piece of a reply; the values of an aggregate follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Nothing there.
    Null,
    /// Nothing there, where an array was asked for; the same as null but in RESP2.
    NullArray,
    /// The status `OK`.
    Ok,
    /// Another status.
    Text(&'a [u8]),
    /// An error, one line.
    Error(&'a [u8]),
    /// A string of any bytes.
    Bulk(&'a [u8]),
    /// A number.
    Integer(i64),
    /// This many values follow, in order.
    Array(usize),
    /// This many distinct values follow.
    Set(usize),
    /// This many pairs of key and value follow.
    Map(usize),
}

/// A value with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing there.
    Null,
    /// The status `OK`.
    Ok,
    /// Another status.
    Text(Vec<u8>),
    /// An error, one line; the first word says of which kind.
    Error(String),
    /// A string of any bytes.
    Bulk(Vec<u8>),
    /// A number.
    Integer(i64),
    /// Values in order.
    Array(Vec<Self>),
    /// Distinct values, in byte order.
    Set(Vec<Self>),
    /// Keys and their values, in byte order.
    Map(Vec<(Self, Self)>),
}

/// A whole reply, for clients that want values; one per executed unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The values; fewer than the operation had units when they would not have fitted.
    pub values: Vec<Value>,
}

impl Reply {
    /// Reads a reply. A malformed operation's reply becomes one error value.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedReply> {
        let mut reader = match ReplyReader::new(bytes)? {
            Parsed::Refused(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                return Ok(Self {
                    values: alloc::vec![Value::Error(text)],
                });
            }
            Parsed::Executed(reader) => reader,
        };
        let mut values = Vec::new();
        for _ in 0..reader.executed() {
            values.push(reader.value(0)?);
        }
        reader.finish()?;
        Ok(Self { values })
    }

    /// The value of a reply to a single command.
    pub fn single(bytes: &[u8]) -> Result<Value, MalformedReply> {
        let mut reply = Self::parse(bytes)?;
        match reply.values.pop() {
            Some(value) if reply.values.is_empty() => Ok(value),
            _ => Err(MalformedReply {
                at: 0,
                reason: "not exactly one value",
            }),
        }
    }
}

/// The two forms of a reply.
#[derive(Clone, Debug)]
pub enum Parsed<'a> {
    /// The operation was malformed; the error text.
    Refused(&'a [u8]),
    /// Units were executed.
    Executed(ReplyReader<'a>),
}

/// Reads a reply piece by piece, without copying.
#[derive(Clone, Debug)]
pub struct ReplyReader<'a> {
    executed: u16,
    cursor: Cursor<'a>,
}

impl<'a> ReplyReader<'a> {
    /// Reads the head of a reply.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a reply has two forms; `Parsed` says which"
    )]
    pub fn new(bytes: &'a [u8]) -> Result<Parsed<'a>, MalformedReply> {
        let mut cursor = Cursor::new(bytes);
        match cursor.byte()? {
            REFUSED => Ok(Parsed::Refused(cursor.take(cursor.remaining())?)),
            REPLY_VERSION => {
                let executed = cursor.u16()?;
                Ok(Parsed::Executed(Self { executed, cursor }))
            }
            _ => Err(MalformedReply {
                at: 0,
                reason: "unknown version of the reply format",
            }),
        }
    }

    /// How many units were executed, each with one value here.
    pub fn executed(&self) -> usize {
        usize::from(self.executed)
    }

    /// The next piece. A count is never larger than the bytes that follow allow.
    pub fn item(&mut self) -> Result<Item<'a>, MalformedReply> {
        let start = self.cursor;
        Ok(match self.cursor.byte()? {
            NULL => Item::Null,
            NULL_ARRAY => Item::NullArray,
            OK => Item::Ok,
            TEXT => Item::Text(self.cursor.chunk()?),
            ERROR => Item::Error(self.cursor.chunk()?),
            BULK => Item::Bulk(self.cursor.chunk()?),
            INTEGER => Item::Integer(unzigzag(self.cursor.varint()?)),
            ARRAY => Item::Array(self.cursor.count(1)?),
            SET => Item::Set(self.cursor.count(1)?),
            MAP => Item::Map(self.cursor.count(2)?),
            _ => return Err(start.fault("unknown kind of value").into()),
        })
    }

    /// Checks that nothing follows.
    pub fn finish(&self) -> Result<(), MalformedReply> {
        Ok(self.cursor.finish()?)
    }

    fn value(&mut self, depth: usize) -> Result<Value, MalformedReply> {
        if depth > MAX_DEPTH {
            return Err(self
                .cursor
                .fault("values stand too deep in each other")
                .into());
        }
        Ok(match self.item()? {
            Item::Null | Item::NullArray => Value::Null,
            Item::Ok => Value::Ok,
            Item::Text(text) => Value::Text(text.to_vec()),
            Item::Error(text) => Value::Error(String::from_utf8_lossy(text).into_owned()),
            Item::Bulk(bytes) => Value::Bulk(bytes.to_vec()),
            Item::Integer(number) => Value::Integer(number),
            Item::Array(count) => Value::Array(self.values(count, depth)?),
            Item::Set(count) => Value::Set(self.values(count, depth)?),
            Item::Map(count) => {
                let mut pairs = Vec::new();
                for _ in 0..count {
                    pairs.push((self.value(depth + 1)?, self.value(depth + 1)?));
                }
                Value::Map(pairs)
            }
        })
    }

    fn values(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, MalformedReply> {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }
}

/// Writes a reply up to a limit; past it, it only counts.
#[derive(Debug)]
pub(super) struct ReplyWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    size: usize,
    limit: usize,
}

impl<'o> ReplyWriter<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        out.extend_from_slice(&[REPLY_VERSION, 0, 0]);
        Self {
            out,
            start,
            size: HEADER_SIZE,
            limit,
        }
    }

    pub(super) fn refuse(out: &mut Vec<u8>, text: &str) {
        out.push(REFUSED);
        out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn finish(self, executed: u16) {
        self.out[self.start + 1..self.start + HEADER_SIZE].copy_from_slice(&executed.to_be_bytes());
    }

    /// The size the reply would have without a limit.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) const fn is_over(&self) -> bool {
        self.size > self.limit
    }

    /// Takes back everything written since the reply had this size.
    pub(super) fn rewind(&mut self, size: usize) {
        self.out.truncate(self.start + size);
        self.size = size;
    }

    pub(super) fn null(&mut self) {
        self.tag(NULL);
    }

    pub(super) fn null_array(&mut self) {
        self.tag(NULL_ARRAY);
    }

    pub(super) fn ok(&mut self) {
        self.tag(OK);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.chunk(TEXT, text.as_bytes());
    }

    pub(super) fn error(&mut self, failure: &Failure) {
        self.chunk(ERROR, failure.text().as_bytes());
    }

    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        self.chunk(BULK, bytes);
    }

    pub(super) fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub(super) fn integer(&mut self, number: i64) {
        let zigzag = zigzag(number);
        let size = 1 + varint_size(usize::try_from(zigzag).unwrap_or(usize::MAX));
        if self.fits(size) {
            self.out.push(INTEGER);
            put_varint(self.out, zigzag);
        }
    }

    /// A count as a number.
    pub(super) fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn array(&mut self, count: usize) {
        self.aggregate(ARRAY, count);
    }

    pub(super) fn set(&mut self, count: usize) {
        self.aggregate(SET, count);
    }

    pub(super) fn map(&mut self, count: usize) {
        self.aggregate(MAP, count);
    }

    fn tag(&mut self, tag: u8) {
        if self.fits(1) {
            self.out.push(tag);
        }
    }

    fn chunk(&mut self, tag: u8, bytes: &[u8]) {
        if self.fits(1 + varint_size(bytes.len()) + bytes.len()) {
            self.out.push(tag);
            put_chunk(self.out, bytes);
        }
    }

    fn aggregate(&mut self, tag: u8, count: usize) {
        if self.fits(1 + varint_size(count)) {
            self.out.push(tag);
            put_length(self.out, count);
        }
    }

    fn fits(&mut self, size: usize) -> bool {
        self.size += size;
        self.size <= self.limit
    }
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
