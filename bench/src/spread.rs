//! Repeated measurements in three numbers, and two contestants' ratio.
//!
//! Machines are noisy, and noise comes and goes: what is compared is measured by turns, and each
//! turn gives one ratio. Their median is the claim, their extremes are how far it holds.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::table::three_digits;

/// Median and extremes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many there are.
    pub count: usize,
}

impl Spread {
    /// Of these values; `None` if there are none, or one is no number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.iter().any(|value| value.is_nan()) {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self {
            median,
            min: first,
            max: last,
            count: values.len(),
        })
    }

    /// Of the ratios of values that were measured in the same turn. Turns in which one of them is
    /// missing, or the divisor is 0, are left out.
    pub fn of_ratios(pairs: impl IntoIterator<Item = (Option<f64>, Option<f64>)>) -> Option<Self> {
        let ratio = |(over, under): (Option<f64>, Option<f64>)| Some(over? / under?);
        let ratios = pairs.into_iter().filter_map(ratio);
        Self::of(ratios.filter(|ratio| ratio.is_finite()))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, min, max] = [self.median, self.min, self.max].map(three_digits);
        write!(f, "{median} ({min} to {max})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        let text = |values: &[f64]| Spread::of(values.iter().copied()).unwrap().to_string();
        assert_eq!(text(&[5.0, 1.0, 2.0]), "2.00 (1.00 to 5.00)");
        assert_eq!(text(&[4.0, 1.0, 2.0, 3.0]), "2.50 (1.00 to 4.00)");
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
    }

    #[test]
    fn ratios_are_of_the_same_turn() {
        let pairs = [
            (Some(4.0), Some(2.0)),
            (Some(30.0), Some(10.0)),
            (None, Some(1.0)),
            (Some(1.0), Some(0.0)),
        ];
        let spread = Spread::of_ratios(pairs).unwrap();
        assert_eq!(spread.to_string(), "2.50 (2.00 to 3.00)");
        assert_eq!(spread.count, 2);
    }
}
