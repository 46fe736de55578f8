//! What can be wrong with a program, and with what the control plane asks for.

use alloc::string::String;

use super::info::MatchKind;

/// Why a JSON was not loaded. Nothing is ever loaded in part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are no JSON.
    #[error("not a JSON document: {0}")]
    NotJson(String),
    /// The JSON means something that this switch does not do. It is refused, never ignored.
    #[error("{path}: {construct} is not implemented by this switch")]
    Unsupported {
        /// What it is, under the JSON's or P4's name.
        construct: String,
        /// Where it stands in the JSON, for example `.pipelines[0].tables[2].type`.
        path: String,
    },
    /// The JSON is not what the BMv2 format says it must be.
    #[error("{path}: {problem}")]
    Invalid {
        /// What is wrong.
        problem: String,
        /// Where it stands in the JSON.
        path: String,
    },
    /// Something is larger than this switch goes.
    #[error("{path}: {what} is {value}, at most {limit} is allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u128,
        /// How large it may be.
        limit: u128,
        /// Where it stands in the JSON.
        path: String,
    },
}

/// Why a request of the control plane was refused. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No table of this name.
    #[error("no table `{name}`; there are: {valid}")]
    NoSuchTable {
        /// The name asked for.
        name: String,
        /// All names, with commas between them.
        valid: String,
    },
    /// The table does not offer this action.
    #[error("table `{table}` has no action `{name}`; it has: {valid}")]
    NoSuchAction {
        /// The table.
        table: String,
        /// The name asked for.
        name: String,
        /// All names, with commas between them.
        valid: String,
    },
    /// No register array of this name.
    #[error("no register `{name}`; there are: {valid}")]
    NoSuchRegister {
        /// The name asked for.
        name: String,
        /// All names, with commas between them.
        valid: String,
    },
    /// No counter array of this name.
    #[error("no counter `{name}`; there are: {valid}")]
    NoSuchCounter {
        /// The name asked for.
        name: String,
        /// All names, with commas between them.
        valid: String,
    },
    /// The table's entries do not count.
    #[error("table `{table}` has no direct counter")]
    NoDirectCounter {
        /// The table.
        table: String,
    },
    /// Beyond the end of a register or counter array.
    #[error("`{name}` has {size} cells, there is no index {index}")]
    IndexOutOfRange {
        /// The array.
        name: String,
        /// The index asked for.
        index: u64,
        /// Its cells.
        size: u64,
    },
    /// The key has too many or too few fields.
    #[error("the key of table `{table}` has {expected} fields, {found} were given")]
    KeyCount {
        /// The table.
        table: String,
        /// How many it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A field was matched in another way than the table does.
    #[error("field `{field}` of table `{table}` is matched {expected}, not {found}")]
    WrongMatchKind {
        /// The table.
        table: String,
        /// The field.
        field: String,
        /// How the table matches it.
        expected: MatchKind,
        /// How it was given.
        found: MatchKind,
    },
    /// A match cannot be meant so: bits outside of its mask or prefix, an empty range.
    #[error("field `{field}` of table `{table}`: {problem}")]
    BadMatch {
        /// The table.
        table: String,
        /// The field.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// A value does not fit.
    #[error("{what} {value:#x} does not fit into {width} bits")]
    ValueTooWide {
        /// Which value.
        what: String,
        /// The value.
        value: u128,
        /// Bits there are.
        width: u16,
    },
    /// The action has more or fewer parameters.
    #[error("action `{action}` has {expected} parameters, {found} were given")]
    ParameterCount {
        /// The action.
        action: String,
        /// How many it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// The table needs a priority and none was given.
    #[error("entries of table `{table}` need a priority greater than 0 (higher wins)")]
    PriorityMissing {
        /// The table.
        table: String,
    },
    /// A priority was given where none can matter.
    #[error("entries of table `{table}` take no priority, {priority} was given")]
    PriorityNotAllowed {
        /// The table.
        table: String,
        /// What was given.
        priority: u32,
    },
    /// There is such an entry already.
    #[error("table `{table}` has this entry already; modify it instead")]
    EntryExists {
        /// The table.
        table: String,
    },
    /// There is no such entry.
    #[error("table `{table}` has no such entry")]
    NoSuchEntry {
        /// The table.
        table: String,
    },
    /// The table is full.
    #[error("table `{table}` is full: it holds {size} entries")]
    TableFull {
        /// The table.
        table: String,
        /// Its size.
        size: u32,
    },
    /// The program itself has set the entries.
    #[error("the entries of table `{table}` are constant")]
    EntriesConstant {
        /// The table.
        table: String,
    },
    /// The program itself has set the default action.
    #[error("the default action of table `{table}` is constant")]
    DefaultConstant {
        /// The table.
        table: String,
    },
    /// The table has no key and therefore no entries.
    #[error("table `{table}` has no key and takes no entries, only a default action")]
    NoKey {
        /// The table.
        table: String,
    },
    /// Group 0 means "no group".
    #[error("multicast group 0 does not exist: it means no multicast")]
    GroupZero,
    /// There is such a group already.
    #[error("multicast group {id} exists already; modify it instead")]
    GroupExists {
        /// Its number.
        id: u16,
    },
    /// There is no such group.
    #[error("there is no multicast group {id}")]
    NoSuchGroup {
        /// Its number.
        id: u16,
    },
    /// A group with too many copies.
    #[error("a multicast group of {found} replicas; at most {limit} are allowed")]
    TooManyReplicas {
        /// How many were given.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A copy to a port that cannot be.
    #[error("port {port} cannot send; ports go from 0 to {last}")]
    BadPort {
        /// The port.
        port: u16,
        /// The greatest port.
        last: u16,
    },
    /// A group that makes the same copy twice.
    #[error("port {port} with replication id {rid} stands twice in multicast group {id}")]
    ReplicaTwice {
        /// The group.
        id: u16,
        /// The port.
        port: u16,
        /// The replication id.
        rid: u16,
    },
}
