//! What stands in instances, as servers tell it to each other.
//!
//! Parsing walks the whole run once and checks every length; iterating afterwards cannot fail.

use super::Ballot;
use crate::bytes::{Put, Reader};
use crate::message::Batch;
use crate::{AgreedTime, InstanceNumber, WireError};
use alloc::vec::Vec;

const HAS_BATCH: u8 = 1;
const CHOSEN: u8 = 2;

/// What a server has accepted, or knows to be chosen, in one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell<'a> {
    /// The instance.
    pub instance: InstanceNumber,
    /// The ballot in which it was accepted.
    pub ballot: Ballot,
    /// Whether it can no longer change.
    pub chosen: bool,
    /// The proposer's clock and its requests; `None`: a no-op.
    pub value: Option<(AgreedTime, Batch<'a>)>,
}

impl<'a> Cell<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let instance = reader.instance("instance")?;
        let ballot = Ballot::parse(reader)?;
        let kind = reader.u8("kind of cell")?;
        if kind > HAS_BATCH | CHOSEN {
            return Err(WireError::UnknownValue {
                what: "kind of cell",
                value: kind.into(),
            });
        }
        let value = if kind & HAS_BATCH == 0 {
            None
        } else {
            let time = reader.time()?;
            Some((time, Batch::parse(reader.counted("batch of a cell")?)?))
        };
        Ok(Self {
            instance,
            ballot,
            chosen: kind & CHOSEN != 0,
            value,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.instance.0);
        self.ballot.emit(out);
        let chosen = if self.chosen { CHOSEN } else { 0 };
        match self.value {
            None => out.put_u8(chosen),
            Some((time, batch)) => {
                out.put_u8(chosen | HAS_BATCH);
                out.put_u64(time.0);
                out.put_counted(batch.bytes());
            }
        }
    }
}

/// A checked run of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cells<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Cells<'a> {
    /// No cells.
    pub const NONE: Self = Self {
        count: 0,
        bytes: &[],
    };

    /// Encodes `cells` into `storage`, which keeps the bytes for the returned view.
    pub fn encode<'c>(cells: impl Iterator<Item = Cell<'c>>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        let mut count = 0;
        for cell in cells {
            cell.emit(storage);
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

    /// The cells in the order in which they were encoded.
    pub fn iter(&self) -> CellsIter<'a> {
        CellsIter {
            left: self.count,
            reader: Reader::new(self.bytes),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.u32("cell count")?;
        let bytes = reader.counted("cells")?;
        let mut walk = Reader::new(bytes);
        for _ in 0..count {
            Cell::parse(&mut walk)?;
        }
        walk.end()?;
        Ok(Self { count, bytes })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u32(self.count);
        out.put_counted(self.bytes);
    }
}

impl<'a> IntoIterator for &Cells<'a> {
    type Item = Cell<'a>;
    type IntoIter = CellsIter<'a>;

    fn into_iter(self) -> CellsIter<'a> {
        self.iter()
    }
}

/// Iterator over [`Cells`].
#[derive(Clone, Debug)]
pub struct CellsIter<'a> {
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Iterator for CellsIter<'a> {
    type Item = Cell<'a>;

    fn next(&mut self) -> Option<Cell<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Cell::parse(&mut self.reader).expect("the run was checked when it was parsed"))
    }
}
