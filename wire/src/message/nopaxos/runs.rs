//! Positions of a session without a request, as runs.

use crate::bytes::{Put, Reader};
use crate::{SequenceNumber, WireError};
use alloc::vec::Vec;

/// Bytes of one run.
const RUN_LEN: usize = 16;

/// Positions one after the other, both ends included; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// The first position.
    pub first: SequenceNumber,
    /// The last position.
    pub last: SequenceNumber,
}

impl Run {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let (first, last) = (reader.sequence()?, reader.sequence()?);
        if first > last {
            return Err(WireError::UnknownValue {
                what: "first position behind the last",
                value: first.0,
            });
        }
        Ok(Self { first, last })
    }

    pub(super) fn emit(self, out: &mut Vec<u8>) {
        out.put_u64(self.first.0);
        out.put_u64(self.last.0);
    }
}

/// Checked runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Runs<'a> {
    bytes: &'a [u8],
}

impl<'a> Runs<'a> {
    /// No run.
    pub const NONE: Self = Self { bytes: &[] };

    /// Encodes `runs` into `storage`, which keeps the bytes for the returned view.
    pub fn encode(runs: impl Iterator<Item = Run>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        for run in runs {
            run.emit(storage);
        }
        Self { bytes: storage }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / RUN_LEN
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The runs.
    pub fn iter(&self) -> impl Iterator<Item = Run> + 'a {
        self.bytes.chunks_exact(RUN_LEN).map(|bytes| {
            Run::parse(&mut Reader::new(bytes)).expect("runs were checked when they were parsed")
        })
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let bytes = reader.counted("runs")?;
        let mut walk = Reader::new(bytes);
        for _ in 0..bytes.len().div_ceil(RUN_LEN) {
            Run::parse(&mut walk)?;
        }
        Ok(Self { bytes })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_counted(self.bytes);
    }
}
