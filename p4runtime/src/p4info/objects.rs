//! The objects of a program as plain Rust values, resolved and checked once.

use std::fmt;

use crate::config;

/// How a field of a key is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// One value.
    Exact,
    /// The longest prefix wins.
    Lpm,
    /// A value under a mask.
    Ternary,
    /// Between two bounds, both inside.
    Range,
    /// One value or any.
    Optional,
}

impl MatchKind {
    /// The name as P4 writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Lpm => "lpm",
            Self::Ternary => "ternary",
            Self::Range => "range",
            Self::Optional => "optional",
        }
    }

    /// Whether entries of a table with such a field have a priority.
    pub const fn needs_priority(self) -> bool {
        matches!(self, Self::Ternary | Self::Range | Self::Optional)
    }
}

impl fmt::Display for MatchKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A field of a table's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchField {
    /// Unique in the table.
    pub id: u32,
    /// The expression in the source, or its `@name`.
    pub name: String,
    /// Width in bits, at least 1.
    pub bitwidth: u32,
    /// How the field is matched.
    pub kind: MatchKind,
}

/// Where a table may use an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionScope {
    /// In entries and as the default.
    TableAndDefault,
    /// Only in entries.
    TableOnly,
    /// Only as the default.
    DefaultOnly,
}

/// An action that a table may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionRef {
    /// The action; the P4Info has it.
    pub id: u32,
    /// Where the table may use it.
    pub scope: ActionScope,
}

/// A match-action table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Unique in the program.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The shortest suffix of the name that is unique.
    pub alias: String,
    /// The key, in the order of the declaration.
    pub match_fields: Vec<MatchField>,
    /// The actions that the table may use.
    pub actions: Vec<ActionRef>,
    /// The default action if it cannot be changed.
    pub const_default_action: Option<u32>,
    /// The default action after loading, with its arguments, where the P4Info tells it.
    pub initial_default_action: Option<config::TableActionCall>,
    /// How many entries it is meant to hold; 0 where the P4Info does not say.
    pub size: u64,
    /// The action profile that implements it.
    pub implementation: Option<u32>,
    /// Its direct counter.
    pub direct_counter: Option<u32>,
    /// Its direct meter.
    pub direct_meter: Option<u32>,
    /// Whether its entries are fixed by the program.
    pub is_const: bool,
    /// Whether entries may have an idle timeout.
    pub has_idle_timeout: bool,
}

impl Table {
    /// Whether entries have a priority, which then is not 0.
    pub fn needs_priority(&self) -> bool {
        self.match_fields
            .iter()
            .any(|field| field.kind.needs_priority())
    }

    /// The field with this id.
    pub fn match_field(&self, id: u32) -> Option<&MatchField> {
        self.match_fields.iter().find(|field| field.id == id)
    }

    /// How the table uses the action with this id, if it does.
    pub fn action_ref(&self, id: u32) -> Option<ActionRef> {
        self.actions.iter().find(|action| action.id == id).copied()
    }
}

/// A parameter of an action, or a field of a controller header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Unique in the action or header.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Width in bits, at least 1.
    pub bitwidth: u32,
}

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Unique in the program.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The shortest suffix of the name that is unique.
    pub alias: String,
    /// The parameters that the controller gives, in the order of the declaration.
    pub params: Vec<Param>,
}

impl Action {
    /// The parameter with this id.
    pub fn param(&self, id: u32) -> Option<&Param> {
        self.params.iter().find(|param| param.id == id)
    }
}

/// A register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Unique in the program.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The shortest suffix of the name that is unique.
    pub alias: String,
    /// Width of a cell in bits, where a cell is a `bit<W>`; else none.
    pub bitwidth: Option<u32>,
    /// How many cells it has.
    pub size: u64,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterUnit {
    /// Bytes.
    Bytes,
    /// Packets.
    Packets,
    /// Bytes and packets.
    Both,
}

/// A counter with an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Unique in the program.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The shortest suffix of the name that is unique.
    pub alias: String,
    /// What it counts.
    pub unit: CounterUnit,
    /// How many cells it has.
    pub size: u64,
}

/// A counter with one cell an entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectCounter {
    /// Unique in the program.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The shortest suffix of the name that is unique.
    pub alias: String,
    /// What it counts.
    pub unit: CounterUnit,
    /// The table.
    pub table: u32,
}

/// A header of packets from (`packet_out`) or to (`packet_in`) the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Unique in the program.
    pub id: u32,
    /// `packet_in` or `packet_out`.
    pub name: String,
    /// Its fields, in the order of the declaration.
    pub fields: Vec<Param>,
}
