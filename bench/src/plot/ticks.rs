//! Where values stand on an axis, and which of them are written beside it.

use super::{Axis, Plot, PlotError, PlotPoint, Scale};
use crate::table::three_digits;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Ticks of a linear axis, about.
const TICKS: f64 = 6.0;

/// An axis: a value's place is where it stands in [`Ticks::range`].
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    scale: Scale,
    range: Range<f64>,
    values: Vec<f64>,
}

impl Ticks {
    /// For all that a plot shows on this axis.
    pub(super) fn of(
        plot: &Plot,
        axis: &Axis,
        values: impl Fn(&PlotPoint) -> [f64; 3],
    ) -> Result<Self, PlotError> {
        let points = plot.curves.iter().flat_map(|curve| &curve.points);
        let all: Vec<f64> = points.flat_map(values).collect();
        if all.is_empty() {
            return Err(PlotError::Empty {
                name: plot.name.clone(),
            });
        }
        let fits = |value: &f64| match &axis.scale {
            Scale::Linear => value.is_finite() && *value >= 0.0,
            Scale::Logarithmic => value.is_finite() && *value > 0.0,
            Scale::Steps(steps) => steps.contains(value),
        };
        if let Some(value) = all.iter().copied().find(|value| !fits(value)) {
            return Err(PlotError::Value {
                name: plot.name.clone(),
                axis: axis.label.clone(),
                value,
            });
        }
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let most = all.iter().copied().fold(0.0, f64::max);
        let (range, values) = match &axis.scale {
            Scale::Linear => linear(most),
            Scale::Logarithmic => logarithmic(least, most),
            Scale::Steps(steps) => (0.0..float(steps.len()), steps.clone()),
        };
        Ok(Self {
            scale: axis.scale.clone(),
            range,
            values,
        })
    }

    /// Where a value stands, in the range.
    fn place(&self, value: f64) -> f64 {
        match &self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => libm::log10(value),
            Scale::Steps(steps) => {
                let same = |step: &f64| step.total_cmp(&value).is_eq();
                let index = steps.iter().position(same);
                float(index.expect("values were looked at")) + 0.5
            }
        }
    }
}

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let Range { start, end } = self.range;
        let share = (self.place(*value) - start) / (end - start);
        from + nearest(f64::from(to - from) * share)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.values.clone()
    }

    fn range(&self) -> Range<f64> {
        let at = |edge| match &self.scale {
            Scale::Logarithmic => libm::exp10(edge),
            Scale::Linear | Scale::Steps(_) => edge,
        };
        at(self.range.start)..at(self.range.end)
    }
}

impl ValueFormatter<f64> for Ticks {
    fn format(value: &f64) -> String {
        short(*value)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a pixel of a plot of known size"
)]
fn nearest(place: f64) -> i32 {
    place.round() as i32
}

/// A range from zero on, with round values in it.
fn linear(most: f64) -> (Range<f64>, Vec<f64>) {
    let most = if most > 0.0 { most * 1.05 } else { 1.0 };
    let rough = most / TICKS;
    let power = libm::exp10(libm::floor(libm::log10(rough)));
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let mut values = Vec::new();
    let mut number = 0;
    while float(number) * step <= most {
        values.push(float(number) * step);
        number += 1;
    }
    (0.0..most, values)
}

/// A range around two values, with powers of ten in it, and the more of their multiples the
/// narrower it is.
fn logarithmic(least: f64, most: f64) -> (Range<f64>, Vec<f64>) {
    let (low, high) = (libm::log10(least) - 0.08, libm::log10(most) + 0.08);
    let factors: &[f64] = match high - low {
        wide if wide > 3.0 => &[1.0],
        middling if middling > 0.8 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
    };
    let mut values = Vec::new();
    let mut power = libm::floor(low);
    while power <= high {
        for factor in factors {
            let value = factor * libm::exp10(power);
            if (low..=high).contains(&libm::log10(value)) {
                values.push(value);
            }
        }
        power += 1.0;
    }
    (low..high, values)
}

/// A number as short as can be: 25k, 1M, 0.01.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e3 => (value / 1e3, "k"),
        value => (value, ""),
    };
    let digits = three_digits(value);
    let digits = match digits.split_once('.') {
        Some(_) => digits.trim_end_matches('0').trim_end_matches('.'),
        None => &digits,
    };
    format!("{digits}{unit}")
}

#[expect(clippy::cast_precision_loss, reason = "a few ticks")]
fn float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axes_have_round_values_and_room_above() {
        let (range, values) = linear(396_000.0);
        assert!(range.start == 0.0 && range.end > 396_000.0);
        let texts: Vec<_> = values.into_iter().map(short).collect();
        assert_eq!(texts, ["0", "100k", "200k", "300k", "400k"]);
        assert_eq!(linear(0.0).0, 0.0..1.0);
    }

    #[test]
    fn logarithmic_axes_have_values_inside_only() {
        let (_, values) = logarithmic(11.2, 160.0);
        let texts: Vec<_> = values.into_iter().map(short).collect();
        assert_eq!(texts, ["10", "20", "50", "100"]);
        let (_, values) = logarithmic(11.5, 30.0);
        let texts: Vec<_> = values.into_iter().map(short).collect();
        assert_eq!(texts, ["10", "15", "20", "25", "30"]);
        let (_, values) = logarithmic(1.0, 5_000.0);
        let texts: Vec<_> = values.into_iter().map(short).collect();
        assert_eq!(texts, ["1", "10", "100", "1k"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.001, "0.001"),
            (1.5, "1.5"),
            (24.0, "24"),
            (2_500_000.0, "2.5M"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
