//! The flat program: what a JSON has become after loading. Immutable, shared by clones of a switch.

use alloc::vec::Vec;

use super::checksum::{Calculation, Checksum};
use super::info::ProgramInfo;
use super::instruction::{Instruction, Word};

/// A place in [`Program::code`].
pub(crate) type Address = u32;

/// A header instance. Its bytes stand in the vector as on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) offset: usize,
    /// Bytes on the wire.
    pub(crate) length: usize,
    /// 1 when the header is valid, else 0.
    pub(crate) valid: Word,
}

/// A metadata field that the switch itself reads or writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) word: Word,
    pub(crate) width: u8,
}

/// The fields by which the switch and the program talk to each other, under bmv2's names. A field
/// that the program does not have is a word that nothing else uses.
#[derive(Clone, Debug)]
pub(crate) struct Intrinsic {
    pub(crate) ingress_port: Slot,
    pub(crate) packet_length: Slot,
    pub(crate) instance_type: Slot,
    pub(crate) egress_spec: Slot,
    pub(crate) egress_port: Slot,
    pub(crate) multicast_group: Slot,
    pub(crate) egress_rid: Slot,
    pub(crate) priority: Slot,
    pub(crate) ingress_timestamp: Slot,
    pub(crate) egress_timestamp: Slot,
    pub(crate) enqueue_timestamp: Slot,
    pub(crate) parser_error: Slot,
    pub(crate) checksum_error: Slot,
}

/// One field of a table's key.
#[derive(Clone, Debug)]
pub(crate) struct KeyField {
    /// Index of its first word in the key.
    pub(crate) word: usize,
    /// One word up to 64 bits, else two, the more significant first.
    pub(crate) wide: bool,
}

/// An action as one table knows it: where its code begins. The code ends in what comes after.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableAction {
    pub(crate) on_hit: Address,
    pub(crate) on_miss: Address,
    /// Words of its parameters.
    pub(crate) words: usize,
}

/// How a table finds its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// No key: always misses.
    None,
    /// One exact word: a hash index.
    One,
    /// Exact, or exact and one longest prefix: a hash index for each prefix length.
    Hashed,
    /// Ternary, range, optional: a list in the order of priority.
    Ordered,
}

/// The immutable side of a table; the entries are in [`super::table::Table`].
#[derive(Clone, Debug)]
pub(crate) struct TableProgram {
    pub(crate) lookup: Lookup,
    /// The words that the key is made of, in order.
    pub(crate) key: Vec<Word>,
    pub(crate) fields: Vec<KeyField>,
    pub(crate) actions: Vec<TableAction>,
    /// Words of the action with the most parameters.
    pub(crate) parameter_words: usize,
    pub(crate) direct_counter: bool,
}

/// Everything that does not change between packets.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) info: ProgramInfo,
    /// Bytes of all headers, and spare ones for containers that reach beyond the last field.
    pub(crate) vector_bytes: usize,
    /// The first words: metadata and validity, zero for each packet.
    pub(crate) packet_words: usize,
    /// Where an action finds its parameters.
    pub(crate) parameters: Word,
    pub(crate) constants: Vec<(Word, u64)>,
    pub(crate) code: Vec<Instruction>,
    pub(crate) headers: Vec<Header>,
    pub(crate) intrinsic: Intrinsic,
    /// Parser, verification of checksums, ingress.
    pub(crate) ingress: Address,
    /// Egress, update of checksums.
    pub(crate) egress: Address,
    pub(crate) tables: Vec<TableProgram>,
    pub(crate) calculations: Vec<Calculation>,
    pub(crate) checksums: Vec<Checksum>,
    /// Headers in the order in which they are emitted.
    pub(crate) deparser: Vec<u16>,
}
