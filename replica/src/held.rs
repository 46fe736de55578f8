//! What a replica keeps and how much it may keep: for who watches that no bound is passed.

/// How much there is of something that has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is.
    pub name: &'static str,
    /// How much there is.
    pub value: u64,
    /// How much there may be.
    pub bound: u64,
}

impl Held {
    pub(crate) fn new(name: &'static str, value: usize, bound: usize) -> Self {
        Self {
            name,
            value: value as u64,
            bound: bound as u64,
        }
    }
}
