//! Reading operations: the other side of [`encode`](super::encode).
//!
//! The whole operation is checked before any of it runs, so a malformed one has no effect.

use super::cursor::{Cursor, Fault};
use super::encode::{OPERATION_VERSION, UNIT_ATOMIC, UNIT_PLAIN};
use alloc::vec::Vec;

/// A checked batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    units: u16,
    body: Cursor<'a>,
}

/// What stands next in a batch.
pub(super) enum Unit {
    Plain,
    /// This many commands follow, to be executed as one.
    Atomic(usize),
}

impl<'a> Batch<'a> {
    pub(super) fn parse(operation: &'a [u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(operation);
        if cursor.byte()? != OPERATION_VERSION {
            return Err(Fault {
                at: 0,
                reason: "unknown version of the operation format",
            });
        }
        let units = cursor.u16()?;
        let body = cursor;
        for _ in 0..units {
            match read_unit(&mut cursor)? {
                Unit::Plain => skip_command(&mut cursor)?,
                Unit::Atomic(count) => {
                    for _ in 0..count {
                        skip_command(&mut cursor)?;
                    }
                }
            }
        }
        cursor.finish()?;
        Ok(Self { units, body })
    }

    pub(super) const fn units(&self) -> u16 {
        self.units
    }

    pub(super) fn next_unit(&mut self) -> Result<Unit, Fault> {
        read_unit(&mut self.body)
    }

    /// Replaces `arguments` by those of the next command.
    pub(super) fn next_command(&mut self, arguments: &mut Vec<&'a [u8]>) -> Result<(), Fault> {
        arguments.clear();
        let count = self.body.count(1)?;
        for _ in 0..count {
            arguments.push(self.body.chunk()?);
        }
        Ok(())
    }
}

fn read_unit(cursor: &mut Cursor<'_>) -> Result<Unit, Fault> {
    let start = *cursor;
    match cursor.byte()? {
        UNIT_PLAIN => Ok(Unit::Plain),
        UNIT_ATOMIC => Ok(Unit::Atomic(cursor.count(2)?)),
        _ => Err(start.fault("a unit is neither plain nor atomic")),
    }
}

fn skip_command(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let start = *cursor;
    let count = cursor.count(1)?;
    if count == 0 {
        return Err(start.fault("a command has no name"));
    }
    for _ in 0..count {
        cursor.chunk()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;
    use proptest::prelude::*;

    fn commands() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
        let argument = prop::collection::vec(any::<u8>(), 0..200);
        prop::collection::vec(prop::collection::vec(argument, 1..5), 0..6)
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Batch::parse(&bytes);
        }

        #[test]
        fn what_was_written_is_read(commands in commands()) {
            let mut writer = encode::BatchWriter::new();
            for command in &commands {
                let before = writer.size();
                prop_assert!(writer.push_command(command));
                prop_assert_eq!(writer.size() - before + 3, encode::operation_size(command));
            }
            let operation = writer.finish();
            let mut batch = Batch::parse(&operation).unwrap();
            prop_assert_eq!(usize::from(batch.units()), commands.len());
            let mut arguments = Vec::new();
            for command in &commands {
                prop_assert!(matches!(batch.next_unit(), Ok(Unit::Plain)));
                batch.next_command(&mut arguments).unwrap();
                let written: Vec<&[u8]> = command.iter().map(|one| &one[..]).collect();
                prop_assert_eq!(&arguments, &written);
            }
        }
    }

    #[test]
    fn counts_without_bytes_are_refused() {
        assert!(Batch::parse(&[1, 0, 1, 0, 0xff, 0xff, 0xff, 0x7f]).is_err());
        assert!(Batch::parse(&[1, 0xff, 0xff]).is_err());
        assert!(
            Batch::parse(&[1, 0, 1, 0, 0]).is_err(),
            "a command without a name"
        );
        assert!(Batch::parse(&[1, 0, 0, 7]).is_err(), "bytes after the end");
        assert!(Batch::parse(&[2, 0, 0]).is_err(), "another version");
    }
}
