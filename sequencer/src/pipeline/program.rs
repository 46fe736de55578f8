//! The flat program: what a JSON has become after loading. Immutable, shared by clones of a switch.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::checksum::{Calculation, Checksum};
use super::field::Field;
use super::info::ProgramInfo;
use super::instruction::{Instruction, Operand, Test};

/// A stretch of [`Program::code`].
pub(crate) type Code = Range<u32>;

/// Index of a node, or [`END`].
pub(crate) type NodeIndex = u16;

/// The end of a pipeline or of the parser.
pub(crate) const END: NodeIndex = u16::MAX;

/// A header or metadata instance in the vector.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) offset: usize,
    /// Bytes on the wire; for metadata, bytes in the vector.
    pub(crate) length: usize,
    /// The byte that is 1 when the header is valid.
    pub(crate) valid: usize,
}

/// The fields by which the switch and the program talk to each other, under bmv2's names.
#[derive(Clone, Debug)]
pub(crate) struct Intrinsic {
    pub(crate) ingress_port: Field,
    pub(crate) packet_length: Field,
    pub(crate) instance_type: Field,
    pub(crate) egress_spec: Field,
    pub(crate) egress_port: Field,
    pub(crate) multicast_group: Option<Field>,
    pub(crate) egress_rid: Option<Field>,
    pub(crate) priority: Option<Field>,
    pub(crate) ingress_timestamp: Option<Field>,
    pub(crate) egress_timestamp: Option<Field>,
    pub(crate) enqueue_timestamp: Option<Field>,
    pub(crate) parser_error: Option<Field>,
    pub(crate) checksum_error: Option<Field>,
}

/// One statement of a parser state.
#[derive(Clone, Debug)]
pub(crate) enum ParserStep {
    /// Copies the next bytes into a header and makes it valid.
    Extract { header: u16 },
    /// Runs instructions; may end parsing by [`Instruction::Verify`].
    Run(Code),
    /// `to` = `width` bits that begin `bit` bits after the cursor.
    Lookahead { to: Field, bit: u32, width: u8 },
    /// Runs the code, then skips as many bits as the operand says.
    Advance { code: Code, bits: Operand },
}

/// One part of a parser state's key.
#[derive(Clone, Debug)]
pub(crate) enum KeyPart {
    Field(Field),
    /// `width` bits that begin `bit` bits after the cursor.
    Lookahead {
        bit: u32,
        width: u8,
    },
}

impl KeyPart {
    /// Its share of the byte-padded key.
    pub(crate) fn bytes(&self) -> u32 {
        match self {
            Self::Field(field) => u32::from(field.width).div_ceil(8),
            Self::Lookahead { width, .. } => u32::from(*width).div_ceil(8),
        }
    }
}

/// Where a parser state goes for a value of the key.
#[derive(Clone, Debug)]
pub(crate) struct ParserCase {
    pub(crate) value: u128,
    pub(crate) mask: u128,
    pub(crate) next: NodeIndex,
}

#[derive(Clone, Debug)]
pub(crate) struct ParserState {
    pub(crate) steps: Vec<ParserStep>,
    pub(crate) key: Vec<KeyPart>,
    pub(crate) cases: Vec<ParserCase>,
    pub(crate) otherwise: NodeIndex,
}

/// The parser. Its states form no cycle, so at most all of them run for a packet.
#[derive(Clone, Debug)]
pub(crate) struct Parser {
    pub(crate) start: NodeIndex,
    pub(crate) states: Vec<ParserState>,
    /// Value of `error.PacketTooShort`.
    pub(crate) packet_too_short: u64,
    /// Value of `error.ParserInvalidArgument`.
    pub(crate) invalid_argument: u64,
    /// Value of `error.NoError`.
    pub(crate) no_error: u64,
}

/// A step of a control's flow. Nodes form no cycle.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Table(u16),
    /// Runs the code, then branches.
    Condition {
        code: Code,
        test: Test,
        yes: NodeIndex,
        no: NodeIndex,
    },
    /// An action with fixed arguments: what p4c calls a table without keys.
    Call {
        code: Code,
        parameters: Box<[u64]>,
        next: NodeIndex,
    },
}

/// One field of a table's key.
#[derive(Clone, Debug)]
pub(crate) struct KeyField {
    pub(crate) field: Field,
    /// ANDed to the field before the look-up.
    pub(crate) mask: u128,
    /// Index of its first word in the key.
    pub(crate) word: usize,
    /// One word up to 64 bits, else two, the more significant first.
    pub(crate) wide: bool,
}

/// An action as one table knows it.
#[derive(Clone, Debug)]
pub(crate) struct TableAction {
    pub(crate) code: Code,
    pub(crate) next_on_hit: NodeIndex,
    pub(crate) next_on_miss: NodeIndex,
}

/// How a table finds its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// No key: always misses.
    None,
    /// Exact, or exact and one longest prefix: a hash index for each prefix length.
    Hashed,
    /// Ternary, range, optional: a list in the order of priority.
    Ordered,
}

/// The immutable side of a table; the entries are in [`super::table::Table`].
#[derive(Clone, Debug)]
pub(crate) struct TableProgram {
    pub(crate) lookup: Lookup,
    pub(crate) key: Vec<KeyField>,
    pub(crate) key_words: usize,
    pub(crate) actions: Vec<TableAction>,
    /// Words of the action with the most parameters.
    pub(crate) parameter_words: usize,
    pub(crate) direct_counter: bool,
}

/// Everything that does not change between packets.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) info: ProgramInfo,
    /// The vector as each packet finds it: zero, metadata valid, headers not.
    pub(crate) fresh_vector: Box<[u8]>,
    pub(crate) code: Vec<Instruction>,
    pub(crate) wide_constants: Vec<u128>,
    pub(crate) headers: Vec<Header>,
    pub(crate) intrinsic: Intrinsic,
    pub(crate) parser: Parser,
    pub(crate) ingress: NodeIndex,
    pub(crate) egress: NodeIndex,
    pub(crate) nodes: Vec<Node>,
    pub(crate) tables: Vec<TableProgram>,
    pub(crate) calculations: Vec<Calculation>,
    pub(crate) verified: Vec<Checksum>,
    pub(crate) updated: Vec<Checksum>,
    /// Headers in the order in which they are emitted.
    pub(crate) deparser: Vec<u16>,
}
