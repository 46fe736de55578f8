//! Curves with markers as SVG: what is drawn is a value, how it looks is decided here and in
//! `style`. Which measurements make a curve is decided in [`crate::curves`].

mod draw;
mod style;
mod ticks;

pub use draw::{PlotError, svg};

/// How values are spread over an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// From zero on, equal distances for equal differences.
    Linear,
    /// Equal distances for equal ratios; only for values above zero.
    Logarithmic,
    /// These values, side by side, whatever lies between them.
    Steps(Vec<f64>),
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// How.
    pub scale: Scale,
}

/// A point of a curve, with how far repeated measurements lay apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlotPoint {
    /// Where on the horizontal axis.
    pub x: f64,
    /// Where on the vertical axis.
    pub y: f64,
    /// The smallest and the greatest on the vertical axis, if it was measured more than once.
    pub extremes: Option<(f64, f64)>,
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What the legend says.
    pub name: String,
    /// Whether the line is broken, to tell two kinds of curves apart.
    pub dashed: bool,
    /// Its points, in the order in which the line joins them.
    pub points: Vec<PlotPoint>,
}

/// A plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// Name of its file, without the end.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves, as the legend lists them.
    pub curves: Vec<Curve>,
}

#[cfg(test)]
mod tests;
