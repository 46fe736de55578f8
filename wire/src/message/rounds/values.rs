//! What positions in a row hold, inside a bulk message.

use super::Proposal;
use crate::WireError;
use crate::bytes::{Put, Reader};
use crate::message::list::List;
use alloc::vec::Vec;

/// What a position holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// Nothing: the packet was lost, or belongs to nobody's log.
    NoOp,
    /// A packet.
    Packet(Proposal<'a>),
}

/// The longest run of no-ops that is written as one.
const RUN_MAX: u16 = u16::MAX;

mod kind {
    pub(super) const NO_OP: u8 = 0;
    pub(super) const PACKET: u8 = 1;
    pub(super) const NO_OPS: u8 = 2;
}

/// What is written at once: a packet, or no-ops in a row. A group that was cut in pieces may give
/// up tens of thousands of positions.
enum Run<'a> {
    NoOps(u16),
    Packet(Proposal<'a>),
}

impl<'a> Run<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        match reader.u8("kind of value")? {
            kind::NO_OP => Ok(Self::NoOps(1)),
            kind::PACKET => Proposal::parse(reader).map(Self::Packet),
            kind::NO_OPS => match reader.u16("no-ops")? {
                few @ 0..2 => Err(WireError::UnknownValue {
                    what: "no-ops in a row",
                    value: few.into(),
                }),
                count => Ok(Self::NoOps(count)),
            },
            other => Err(WireError::UnknownValue {
                what: "kind of value",
                value: other.into(),
            }),
        }
    }

    fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::NoOps(0) => {}
            Self::NoOps(1) => out.put_u8(kind::NO_OP),
            Self::NoOps(count) => {
                out.put_u8(kind::NO_OPS);
                out.put(&count.to_be_bytes());
            }
            Self::Packet(proposal) => {
                out.put_u8(kind::PACKET);
                proposal.emit(out);
            }
        }
    }

    fn len(&self) -> u32 {
        match self {
            Self::NoOps(count) => (*count).into(),
            Self::Packet(_) => 1,
        }
    }
}

/// The values of consecutive positions, checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values<'a>(List<'a>);

impl<'a> Values<'a> {
    /// Encodes `values` into `storage`, which keeps the bytes for the returned view.
    pub fn encode<'v>(values: impl Iterator<Item = Value<'v>>, storage: &'a mut Vec<u8>) -> Self {
        storage.clear();
        let (mut count, mut no_ops) = (0, 0);
        for value in values {
            count += 1;
            match value {
                Value::NoOp if no_ops < RUN_MAX => no_ops += 1,
                Value::NoOp => {
                    Run::NoOps(no_ops).emit(storage);
                    no_ops = 1;
                }
                Value::Packet(proposal) => {
                    Run::NoOps(no_ops).emit(storage);
                    no_ops = 0;
                    Run::Packet(proposal).emit(storage);
                }
            }
        }
        Run::NoOps(no_ops).emit(storage);
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

    /// The values in the order of their positions.
    pub fn iter(&self) -> ValuesIter<'a> {
        ValuesIter {
            no_ops: 0,
            reader: self.0.reader(),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let run = |reader: &mut Reader<'a>| Run::parse(reader).map(|run| run.len());
        List::parse(reader, ["value count", "values"], run).map(Self)
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        self.0.emit(out);
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
    /// No-ops of the run that was read last.
    no_ops: u16,
    reader: Reader<'a>,
}

impl<'a> Iterator for ValuesIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.no_ops == 0 {
            if self.reader.is_empty() {
                return None;
            }
            match Run::parse(&mut self.reader).expect("the list was checked when it was parsed") {
                Run::Packet(proposal) => return Some(Value::Packet(proposal)),
                Run::NoOps(count) => self.no_ops = count,
            }
        }
        self.no_ops -= 1;
        Some(Value::NoOp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgreedTime;
    use crate::message::rounds::Batch;

    #[test]
    fn many_no_ops_take_few_bytes_and_are_all_there() {
        let packet = Value::Packet(Proposal {
            sender: 1,
            incarnation: 1,
            number: 1,
            time: AgreedTime(1),
            batch: Batch::EMPTY,
        });
        for no_ops in [0, 1, 2, 65_535, 65_536, 200_000] {
            let run = core::iter::repeat_n(Value::NoOp, no_ops);
            let values = || [packet].into_iter().chain(run.clone()).chain([packet]);
            let mut storage = Vec::new();
            let encoded = Values::encode(values(), &mut storage);
            assert_eq!(encoded.len(), no_ops + 2);
            let mut bytes = Vec::new();
            encoded.emit(&mut bytes);
            assert!(bytes.len() < 100, "{} bytes", bytes.len());
            let mut reader = Reader::new(&bytes);
            let parsed = Values::parse(&mut reader).unwrap();
            assert_eq!(parsed, encoded);
            assert!(parsed.iter().eq(values()));
        }
    }

    #[test]
    fn a_run_that_does_not_fit_its_count_is_refused() {
        let parse = |count: u32, run: &[u8]| {
            let mut bytes = Vec::new();
            bytes.put_u32(count);
            bytes.put_counted(run);
            Values::parse(&mut Reader::new(&bytes)).map(|values| values.len())
        };
        assert_eq!(parse(3, &[2, 0, 3]), Ok(3));
        for (count, run) in [
            (2, [2, 0, 3]),
            (4, [2, 0, 3]),
            (1, [2, 0, 1]),
            (0, [2, 0, 0]),
        ] {
            assert!(parse(count, &run).is_err(), "{count} {run:?}");
        }
    }
}
