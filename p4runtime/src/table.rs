//! Tables as Rust types, checked against the program at start.
//!
//! A controller declares each table once with [`crate::p4_table!`]. [`BoundTable::new`] compares
//! the declaration with the P4Info, lists every disagreement, and resolves names to ids; from then
//! on no string is looked up and no id is written by hand.
//!
//! P4Runtime 1.4, section "`TableEntry`".

mod bound;
mod declare;
mod shape;
#[cfg(test)]
mod tests;
mod value;

pub use bound::{BoundTable, DecodeError, EncodeError};
pub use shape::{
    ActionShape, Disagreement, Disagreements, FieldShape, ParamShape, TableShape, verify,
};
pub use value::{FieldValue, MatchValue, Pattern, Prefix, Range, Ternary};

/// A table of the program. Declared by [`crate::p4_table!`], not by hand.
pub trait Table {
    /// Its key.
    type Key: Key;
    /// Its actions.
    type Action: Action;
    /// Full name or alias.
    const NAME: &'static str;
}

/// The key of a table. Declared by [`crate::p4_table!`], not by hand.
pub trait Key: Sized {
    /// The fields, in the order of the declaration.
    const FIELDS: &'static [FieldShape];
    /// One pattern a field, in that order.
    fn to_patterns(&self) -> Vec<Pattern>;
    /// The key of as many patterns; none if a value has no place in its type.
    fn from_patterns(patterns: &[Pattern]) -> Option<Self>;
}

/// The actions of a table. Declared by [`crate::p4_table!`], not by hand.
pub trait Action: Sized {
    /// The actions, in the order of the declaration.
    const ACTIONS: &'static [ActionShape];
    /// The declared name.
    fn name(&self) -> &'static str;
    /// One argument a parameter, in the order of the declaration.
    fn to_arguments(&self) -> Vec<u128>;
    /// The action of a declared name and its arguments; none if a value has no place in its type.
    fn from_arguments(name: &str, arguments: &[u128]) -> Option<Self>;
}

/// An entry of table `T`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry<T: Table> {
    /// What packets must have.
    pub key: T::Key,
    /// What is done with them.
    pub action: T::Action,
    /// High wins. Not 0 where the key has a ternary, range or optional field, else 0.
    pub priority: i32,
}

impl<T: Table> Entry<T> {
    /// An entry of a table without priorities.
    pub fn new(key: T::Key, action: T::Action) -> Self {
        Self {
            key,
            action,
            priority: 0,
        }
    }
}
