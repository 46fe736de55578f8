//! What tells curves apart: a colour that people with colour-blindness can tell from the others
//! (the palette of Okabe and Ito), and a marker, so that it also works without colour.

use plotters::coord::Shift;
use plotters::prelude::{
    Circle, DrawingArea, DrawingAreaErrorKind, DrawingBackend, PathElement, Polygon, RGBColor,
    ShapeStyle,
};

/// Half the width of a marker, in pixels.
const HALF: i32 = 4;

const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

const MARKERS: [Marker; 6] = [
    Marker::Disc,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Cross,
    Marker::FallingTriangle,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
    Cross,
    FallingTriangle,
}

/// How a curve looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) colour: RGBColor,
    marker: Marker,
}

impl Style {
    /// The look of the curve with this number. 7 colours and 6 markers: the first 42 curves
    /// differ.
    pub(super) fn of(number: usize) -> Self {
        Self {
            colour: COLOURS[number % COLOURS.len()],
            marker: MARKERS[number % MARKERS.len()],
        }
    }

    /// A line of this colour.
    pub(super) fn line(self, width: u32) -> ShapeStyle {
        ShapeStyle {
            color: self.colour.into(),
            filled: false,
            stroke_width: width,
        }
    }

    /// Draws the marker around a pixel.
    pub(super) fn draw_marker<B: DrawingBackend>(
        self,
        area: &DrawingArea<B, Shift>,
        (x, y): (i32, i32),
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let filled = ShapeStyle {
            filled: true,
            ..self.line(1)
        };
        let shape = |corners: &[(i32, i32)]| {
            let corners: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
            area.draw(&Polygon::new(corners, filled))
        };
        match self.marker {
            Marker::Disc => area.draw(&Circle::new((x, y), HALF, filled)),
            Marker::Square => shape(&[(-HALF, -HALF), (HALF, -HALF), (HALF, HALF), (-HALF, HALF)]),
            Marker::Triangle => shape(&[(0, -HALF - 1), (HALF + 1, HALF), (-HALF - 1, HALF)]),
            Marker::FallingTriangle => {
                shape(&[(0, HALF + 1), (HALF + 1, -HALF), (-HALF - 1, -HALF)])
            }
            Marker::Diamond => {
                let far = HALF + 1;
                shape(&[(0, -far), (far, 0), (0, far), (-far, 0)])
            }
            Marker::Cross => {
                for (from, to) in [((-1, -1), (1, 1)), ((-1, 1), (1, -1))] {
                    let end = |(dx, dy): (i32, i32)| (x + dx * HALF, y + dy * HALF);
                    area.draw(&PathElement::new(vec![end(from), end(to)], self.line(2)))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_curves_all_look_different() {
        let styles: Vec<_> = (0..42).map(Style::of).collect();
        for (index, style) in styles.iter().enumerate() {
            assert!(!styles[index + 1..].contains(style), "{index}");
        }
    }
}
