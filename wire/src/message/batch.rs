//! Client requests in one packet.
//!
//! Parsing walks the whole batch once and checks every length; iterating afterwards cannot fail.

use super::Request;
use crate::WireError;
use crate::bytes::{Put, Reader};
use alloc::vec::Vec;

/// A checked run of requests, each preceded by its length in 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Batch<'a> {
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// No requests.
    pub const EMPTY: Self = Self { bytes: &[] };

    /// Bytes that a request with an operation of this length takes in a batch.
    pub const fn cost(operation: usize) -> usize {
        4 + Request::OVERHEAD - 1 + operation
    }

    /// Appends a request to the bytes of a batch.
    pub fn push(bytes: &mut Vec<u8>, request: &Request<'_>) {
        let len = Self::cost(request.operation.len()) - 4;
        bytes.put_u32(u32::try_from(len).expect("a request fits a packet"));
        request.emit(bytes);
    }

    /// The batch that these bytes are.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut walk = Reader::new(bytes);
        while !walk.is_empty() {
            parse_request(&mut walk)?;
        }
        Ok(Self { bytes })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is no request in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The requests in order.
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter {
            reader: Reader::new(self.bytes),
        }
    }
}

impl<'a> IntoIterator for &Batch<'a> {
    type Item = Request<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

/// Iterator over a [`Batch`].
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Request<'a>;

    fn next(&mut self) -> Option<Request<'a>> {
        (!self.reader.is_empty()).then(|| {
            parse_request(&mut self.reader).expect("the batch was checked when it was parsed")
        })
    }
}

fn parse_request<'a>(reader: &mut Reader<'a>) -> Result<Request<'a>, WireError> {
    Request::parse(Reader::new(reader.counted("request of a batch")?))
}
