//! Writing operations: a batch of units, each a command or an atomic group of commands.
//!
//! ```text
//! operation = version (1 byte, 1), unit count (2 bytes, big endian), units
//! unit      = 0, command | 1, command count (varint), commands
//! command   = argument count (varint, at least 1), arguments; the first is the name
//! argument  = length (varint), bytes
//! ```
//!
//! Varints are the ones of `cursor`. Not here: what the commands mean.

use super::cursor::{put_chunk, put_length, varint_size};
use alloc::vec::Vec;

/// First byte of every operation.
pub const OPERATION_VERSION: u8 = 1;
/// Bytes before the first unit.
pub const BATCH_HEADER_SIZE: usize = 3;
/// Most units one batch can hold.
pub const MAX_UNITS: usize = u16::MAX as usize;

pub(super) const UNIT_PLAIN: u8 = 0;
pub(super) const UNIT_ATOMIC: u8 = 1;

/// Collects units into one operation.
#[derive(Clone, Debug)]
pub struct BatchWriter {
    bytes: Vec<u8>,
    units: u16,
}

impl Default for BatchWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchWriter {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            bytes: [OPERATION_VERSION, 0, 0].to_vec(),
            units: 0,
        }
    }

    /// Adds a unit that [`write_command`] or [`write_atomic`] wrote. Returns false, and adds
    /// nothing, when the batch holds [`MAX_UNITS`] already.
    pub fn push_unit(&mut self, unit: &[u8]) -> bool {
        let Some(units) = self.units.checked_add(1) else {
            return false;
        };
        self.units = units;
        self.bytes.extend_from_slice(unit);
        true
    }

    /// Adds one plain command; the first argument is its name. Returns false, and adds nothing,
    /// when the batch is full or there are no arguments.
    pub fn push_command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> bool {
        let Some(units) = self.units.checked_add(1) else {
            return false;
        };
        if arguments.is_empty() {
            return false;
        }
        self.units = units;
        write_command(&mut self.bytes, arguments);
        true
    }

    /// Number of units so far.
    pub fn units(&self) -> usize {
        usize::from(self.units)
    }

    /// Bytes of the operation so far.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The operation, ready for `StateMachine::execute`.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes[1..BATCH_HEADER_SIZE].copy_from_slice(&self.units.to_be_bytes());
        self.bytes
    }
}

/// Appends a plain unit holding one command.
pub fn write_command<A: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[A]) {
    out.push(UNIT_PLAIN);
    write_arguments(out, arguments);
}

/// Appends an atomic unit; `commands` are `count` commands written by [`write_arguments`].
pub fn write_atomic(out: &mut Vec<u8>, count: usize, commands: &[u8]) {
    out.push(UNIT_ATOMIC);
    put_length(out, count);
    out.extend_from_slice(commands);
}

/// Appends a command without the unit byte, as atomic units hold it.
pub fn write_arguments<A: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[A]) {
    put_length(out, arguments.len());
    for argument in arguments {
        put_chunk(out, argument.as_ref());
    }
}

/// Bytes of an operation that holds this one plain command and nothing else.
pub fn operation_size<A: AsRef<[u8]>>(arguments: &[A]) -> usize {
    BATCH_HEADER_SIZE + 1 + command_size(arguments)
}

/// Bytes [`write_arguments`] writes.
pub fn command_size<A: AsRef<[u8]>>(arguments: &[A]) -> usize {
    let chunk = |argument: &A| {
        let length = argument.as_ref().len();
        varint_size(length) + length
    };
    varint_size(arguments.len()) + arguments.iter().map(chunk).sum::<usize>()
}

/// An operation of one command; the first argument is its name.
pub fn command<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut batch = BatchWriter::new();
    batch.push_command(arguments);
    batch.finish()
}

/// An operation of several commands that take effect together or, when their replies would be
/// too large, not at all. The reply is one array.
pub fn atomic<A: AsRef<[u8]>>(commands: &[&[A]]) -> Vec<u8> {
    let mut body = Vec::new();
    for arguments in commands {
        write_arguments(&mut body, arguments);
    }
    let mut unit = Vec::new();
    write_atomic(&mut unit, commands.len(), &body);
    let mut batch = BatchWriter::new();
    batch.push_unit(&unit);
    batch.finish()
}

/// `GET key`: a bulk string, or null.
pub fn get(key: &[u8]) -> Vec<u8> {
    command(&[b"GET", key])
}

/// `SET key value`: OK.
pub fn set(key: &[u8], value: &[u8]) -> Vec<u8> {
    command(&[b"SET", key, value])
}

/// `SET key value PX milliseconds`: OK, or an error on a fabric without agreed time.
pub fn set_expiring(key: &[u8], value: &[u8], milliseconds: u64) -> Vec<u8> {
    let milliseconds = alloc::format!("{milliseconds}");
    command(&[b"SET", key, value, b"PX", milliseconds.as_bytes()])
}

/// Compare and set: `SET key value IFEQ expected`, or `SET key value NX` when the key must be
/// absent. OK if the value was written, null if the comparison failed.
pub fn cas(key: &[u8], expected: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
    match expected {
        Some(expected) => command(&[b"SET", key, value, b"IFEQ", expected]),
        None => command(&[b"SET", key, value, b"NX"]),
    }
}

/// `DEL key`: the integer 1, or 0 when there was none.
pub fn delete(key: &[u8]) -> Vec<u8> {
    command(&[b"DEL", key])
}

/// `INCRBY key by`: the new integer.
pub fn increment(key: &[u8], by: i64) -> Vec<u8> {
    let by = alloc::format!("{by}");
    command(&[b"INCRBY", key, by.as_bytes()])
}

/// `INCR key`: the new integer.
pub fn incr(key: &[u8]) -> Vec<u8> {
    command(&[b"INCR", key])
}

/// `APPEND key value`: the new length.
pub fn append(key: &[u8], value: &[u8]) -> Vec<u8> {
    command(&[b"APPEND", key, value])
}

/// `KEYS pattern`: an array of the matching keys, in byte order.
pub fn keys(pattern: &[u8]) -> Vec<u8> {
    command(&[b"KEYS", pattern])
}
