//! What papers have measured and what we hold against it: which contestants are measured where,
//! what is drawn, and which ratios stand beside which published ones. Nothing runs here: whoever
//! measures gives samples, and gets rows and plots.

mod catalogue;
mod claim;

pub use catalogue::{NAMES, all, of_name};
pub use claim::{Aim, At, Claim, Measure, Probe, Published, Row, judge, table};

use crate::curves::Wanted;
use crate::sample::Place;

/// A published result, and how it is measured again.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub says: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// Who is measured.
    pub contestants: Vec<&'static str>,
    /// Where, in virtual time.
    pub virtual_places: Vec<Place>,
    /// Where, in real time: fewer, for each takes seconds and the machine has few cores.
    pub real_places: Vec<Place>,
    /// What is drawn.
    pub plots: Vec<Wanted>,
    /// What is held against the paper.
    pub claims: Vec<Claim>,
    /// What a reader must know besides.
    pub notes: Vec<&'static str>,
}

#[cfg(test)]
mod tests;
