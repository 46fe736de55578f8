//! A [`Plot`] as SVG.

use super::style::Style;
use super::ticks::Ticks;
use super::{Curve, Plot, PlotPoint};
use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, ChartBuilder, Color, DrawingArea, DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea,
    IntoFont, PathElement, SVGBackend, Text, WHITE,
};

/// Width and height of a plot, in pixels.
const SIZE: (u32, u32) = (860, 480);
/// What the legend takes of the width.
const LEGEND: u32 = 210;
/// From one line of the legend to the next.
const LEGEND_LINE: i32 = 22;
/// Length of the strokes and gaps of a broken line.
const DASH: f64 = 6.0;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// No point at all.
    #[error("plot {name} has no points")]
    Empty {
        /// Of the plot.
        name: String,
    },
    /// Zero, less, or no number on a logarithmic axis, or no number on another.
    #[error("plot {name}: {value} cannot stand on the axis \"{axis}\"")]
    Value {
        /// Of the plot.
        name: String,
        /// The axis' label.
        axis: String,
        /// The value.
        value: f64,
    },
    /// The crate that draws refused.
    #[error("plot {name} could not be drawn: {why}")]
    Draw {
        /// Of the plot.
        name: String,
        /// Its words.
        why: String,
    },
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// Draws a plot.
pub fn svg(plot: &Plot) -> Result<String, PlotError> {
    let x = Ticks::of(plot, &plot.x, |point| [point.x; 3])?;
    let y = Ticks::of(plot, &plot.y, |point| {
        let (least, most) = point.extremes.unwrap_or((point.y, point.y));
        [point.y, least, most]
    })?;
    let mut text = String::new();
    draw(plot, x, y, &mut text).map_err(|error| PlotError::Draw {
        name: plot.name.clone(),
        why: error.to_string(),
    })?;
    Ok(text)
}

fn draw<'a>(plot: &Plot, x: Ticks, y: Ticks, text: &'a mut String) -> Drawn<'a> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (chart_area, legend_area) = root.split_horizontally(SIZE.0 - LEGEND);
    let mut chart = ChartBuilder::on(&chart_area)
        .caption(&plot.title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(&plot.x.label)
        .y_desc(&plot.y.label)
        .axis_desc_style(("sans-serif", 14))
        .label_style(("sans-serif", 13))
        .bold_line_style(BLACK.mix(0.12))
        .light_line_style(BLACK.mix(0.0))
        .draw()?;
    for (number, curve) in plot.curves.iter().enumerate() {
        let style = Style::of(number);
        let at = |point: &PlotPoint, value| chart.backend_coord(&(point.x, value));
        let pixels: Vec<_> = curve
            .points
            .iter()
            .map(|point| at(point, point.y))
            .collect();
        draw_line(&root, &pixels, style, curve.dashed)?;
        for (point, pixel) in curve.points.iter().zip(&pixels) {
            if let Some((least, most)) = point.extremes {
                let ends = vec![at(point, least), at(point, most)];
                root.draw(&PathElement::new(ends, style.line(1)))?;
            }
            style.draw_marker(&root, *pixel)?;
        }
    }
    draw_legend(&legend_area, &plot.curves)?;
    root.present()
}

/// Straight pieces from point to point; broken ones if need be, for SVG backends draw no dashes.
fn draw_line<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    pixels: &[(i32, i32)],
    style: Style,
    dashed: bool,
) -> Drawn<'a> {
    if !dashed {
        return area.draw(&PathElement::new(pixels.to_vec(), style.line(2)));
    }
    for pair in pixels.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut begin = 0.0;
        while begin < length {
            let end = (begin + DASH).min(length);
            let at = |along: f64| {
                let share = along / length;
                let [x, y] = [
                    from.0 + (to.0 - from.0) * share,
                    from.1 + (to.1 - from.1) * share,
                ];
                (pixel(x), pixel(y))
            };
            area.draw(&PathElement::new(vec![at(begin), at(end)], style.line(2)))?;
            begin += 2.0 * DASH;
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a pixel of a plot of known size"
)]
fn pixel(place: f64) -> i32 {
    place.round() as i32
}

fn draw_legend<'a>(area: &DrawingArea<SVGBackend<'a>, Shift>, curves: &[Curve]) -> Drawn<'a> {
    let mut y = 56;
    for (number, curve) in curves.iter().enumerate() {
        let style = Style::of(number);
        draw_line(area, &[(0, y), (28, y)], style, curve.dashed)?;
        style.draw_marker(area, (14, y))?;
        let font = ("sans-serif", 13).into_font();
        area.draw(&Text::new(curve.name.clone(), (36, y - 7), font))?;
        y += LEGEND_LINE;
    }
    Ok(())
}
