//! Median and quartiles of a few samples.

use std::fmt;

/// Samples of one quantity.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    pub(crate) fn add(&mut self, sample: u64) {
        self.0.push(sample);
    }

    pub(crate) fn median(&self) -> u64 {
        self.quartile(2)
    }

    /// The sample below which `quarters` quarters of all samples are.
    fn quartile(&self, quarters: usize) -> u64 {
        assert!(!self.0.is_empty() && quarters <= 4);
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * quarters / 4]
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.quartile(1), self.quartile(3));
        f.pad(&format!("{} ({low}–{high})", self.median()))
    }
}
