//! What a loaded program offers to a control plane: names, widths, sizes. Names are the JSON's.

use alloc::string::String;
use alloc::vec::Vec;

/// How a key field is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchKind {
    /// All bits are equal.
    Exact,
    /// The longest prefix wins.
    Lpm,
    /// Value and mask; the highest priority wins.
    Ternary,
    /// From low to high, both included; the highest priority wins.
    Range,
    /// Exact, or anything; the highest priority wins. (p4c compiles it to [`MatchKind::Ternary`].)
    Optional,
}

impl core::fmt::Display for MatchKind {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Exact => "exact",
            Self::Lpm => "lpm",
            Self::Ternary => "ternary",
            Self::Range => "range",
            Self::Optional => "optional",
        })
    }
}

/// One field of a table's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFieldInfo {
    /// As in the P4 source, for example `hdr.ipv4.dst_addr`.
    pub name: String,
    /// Bits.
    pub width: u16,
    /// How it is matched.
    pub kind: MatchKind,
}

/// One parameter of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// As in the P4 source.
    pub name: String,
    /// Bits.
    pub width: u16,
}

/// An action that a table offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionInfo {
    /// Fully qualified, unique within the table.
    pub name: String,
    /// Its parameters, in order.
    pub parameters: Vec<ParameterInfo>,
}

/// An action and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionCall {
    /// One of the table's actions.
    pub action: String,
    /// As many as the action has parameters.
    pub parameters: Vec<u128>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, as in P4Info"
)]
pub struct TableInfo {
    /// Fully qualified.
    pub name: String,
    /// The key's fields, in order. Empty: the table always misses.
    pub key: Vec<KeyFieldInfo>,
    /// The actions it offers.
    pub actions: Vec<ActionInfo>,
    /// How many entries it holds at most.
    pub size: u32,
    /// What a miss does until a control plane says otherwise.
    pub default_action: ActionCall,
    /// The control plane may not change the default action.
    pub default_is_constant: bool,
    /// The program has written the entries; the control plane may only read them.
    pub entries_are_constant: bool,
    /// Entries need a priority, greater than zero; higher wins.
    pub needs_priority: bool,
    /// Each entry counts its packets and bytes.
    pub counts: bool,
}

/// A register array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterInfo {
    /// Fully qualified.
    pub name: String,
    /// Bits of one cell.
    pub width: u16,
    /// Cells.
    pub size: u32,
}

/// An indirect counter array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterInfo {
    /// Fully qualified.
    pub name: String,
    /// Cells.
    pub size: u32,
}

/// All that a control plane can reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The source file as the compiler recorded it, or empty.
    pub name: String,
    /// Tables of ingress and egress, without those that p4c makes up for plain statements.
    pub tables: Vec<TableInfo>,
    /// Register arrays.
    pub registers: Vec<RegisterInfo>,
    /// Indirect counter arrays.
    pub counters: Vec<CounterInfo>,
}

impl ProgramInfo {
    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&TableInfo> {
        self.tables.iter().find(|table| table.name == name)
    }
}
