//! Which measurements make which curve: samples in, a [`Plot`] out. Real and virtual time never
//! share a plot, and its title says which of them it shows.

use crate::plot::{Axis, Curve, Plot, PlotPoint, Scale};
use crate::sample::{Numbers, Place, Sample};
use crate::spread::Spread;
use crate::summary::Clock;

/// What the horizontal axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// Answered requests a second.
    Throughput,
    /// Clients.
    Clients,
    /// Replicas.
    Replicas,
    /// Frames lost.
    Loss,
    /// Frames overtaken.
    Reordering,
}

/// What the vertical axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upwards {
    /// Latency, the median.
    P50,
    /// Answered requests a second.
    Throughput,
    /// Requests a second that a core for the dearest replica would give.
    Capacity,
}

/// A plot that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of its file, before the clock's.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub across: Across,
    /// The vertical axis.
    pub upwards: Upwards,
    /// Which places are in it.
    pub places: fn(&Place) -> bool,
}

impl Across {
    fn label(self) -> &'static str {
        match self {
            Self::Throughput => "throughput (requests/s)",
            Self::Clients => "clients",
            Self::Replicas => "replicas",
            Self::Loss => "frames lost (%)",
            Self::Reordering => "frames overtaken (%)",
        }
    }

    fn of(self, place: &Place) -> Option<f64> {
        match self {
            Self::Throughput => None,
            Self::Clients => Some(f64::from(place.clients)),
            Self::Replicas => u32::try_from(place.replicas).ok().map(f64::from),
            Self::Loss => Some(f64::from(place.loss_ppm) / 1e4),
            Self::Reordering => Some(f64::from(place.reorder_ppm) / 1e4),
        }
    }
}

impl Upwards {
    fn axis(self) -> Axis {
        let (label, scale) = match self {
            Self::P50 => ("latency, p50 (µs)", Scale::Logarithmic),
            Self::Throughput => ("throughput (requests/s)", Scale::Linear),
            Self::Capacity => ("capacity by processor time (requests/s)", Scale::Linear),
        };
        Axis {
            label: label.into(),
            scale,
        }
    }

    fn of(self, numbers: &Numbers) -> Option<f64> {
        match self {
            Self::P50 => numbers.p50_us,
            Self::Throughput => numbers.throughput_ops,
            Self::Capacity => numbers.capacity_ops,
        }
    }
}

/// The plot of what was measured in one time; `None` if nothing of it was.
pub fn plot(wanted: &Wanted, samples: &[Sample], clock: Clock) -> Option<Plot> {
    let samples: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.clock == clock && (wanted.places)(&sample.place))
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for sample in &samples {
        if !names.contains(&sample.contestant.as_str()) {
            names.push(&sample.contestant);
        }
    }
    let curves: Vec<_> = names
        .into_iter()
        .map(|name| Curve {
            name: name.to_owned(),
            // Variants of a protocol: broken lines.
            dashed: name.contains(':'),
            points: points(wanted, &samples, name),
        })
        .filter(|curve| !curve.points.is_empty())
        .collect();
    let across = wanted.across;
    let mut steps: Vec<f64> = samples
        .iter()
        .filter_map(|sample| across.of(&sample.place))
        .collect();
    steps.sort_unstable_by(f64::total_cmp);
    steps.dedup();
    let scale = if across == Across::Throughput {
        Scale::Linear
    } else {
        Scale::Steps(steps)
    };
    let time = match clock {
        Clock::Wall => "real time of this machine",
        Clock::Virtual => "virtual time",
    };
    (!curves.is_empty()).then(|| Plot {
        name: format!("{}-{}", wanted.name, clock.label()),
        title: format!("{} ({time})", wanted.title),
        x: Axis {
            label: across.label().into(),
            scale,
        },
        y: wanted.upwards.axis(),
        curves,
    })
}

/// A contestant's points, one a place, in the order of the measurements.
fn points(wanted: &Wanted, samples: &[&Sample], name: &str) -> Vec<PlotPoint> {
    let own: Vec<_> = samples
        .iter()
        .filter(|sample| sample.contestant == name)
        .collect();
    let mut places: Vec<Place> = Vec::new();
    for sample in &own {
        if !places.contains(&sample.place) {
            places.push(sample.place);
        }
    }
    let point = |place: Place| {
        let here = || own.iter().filter(|sample| sample.place == place);
        let spread = |of: Upwards| Spread::of(here().filter_map(|one| of.of(&one.numbers)));
        let y = spread(wanted.upwards)?;
        let x = match wanted.across.of(&place) {
            Some(x) => x,
            None => spread(Upwards::Throughput)?.median,
        };
        Some(PlotPoint {
            x,
            y: y.median,
            extremes: (y.count > 1).then_some((y.min, y.max)),
        })
    };
    places.into_iter().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(contestant: &str, clock: Clock, clients: u32, turn: u32, p50_us: f64) -> Sample {
        Sample {
            contestant: contestant.into(),
            clock,
            place: Place::closed(3, clients),
            turn,
            seed: turn.into(),
            numbers: Numbers {
                throughput_ops: Some(1e6 * f64::from(clients) / p50_us),
                p50_us: Some(p50_us),
                ..Numbers::default()
            },
        }
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for (turn, factor) in [(1, 1.0), (2, 1.2), (3, 1.1)] {
            for clients in [1, 16] {
                let p50 = f64::from(clients) * 10.0 * factor;
                samples.push(sample("rounds", Clock::Virtual, clients, turn, p50));
                samples.push(sample(
                    "vr:unbatched",
                    Clock::Virtual,
                    clients,
                    turn,
                    2.0 * p50,
                ));
                samples.push(sample("rounds", Clock::Wall, clients, turn, 9.0 * p50));
            }
        }
        samples
    }

    fn wanted(across: Across) -> Wanted {
        Wanted {
            name: "latency".into(),
            title: "Latency".into(),
            across,
            upwards: Upwards::P50,
            places: |_| true,
        }
    }

    #[test]
    fn every_contestant_of_one_clock_is_a_curve_of_medians_and_extremes() {
        let plot = plot(&wanted(Across::Clients), &samples(), Clock::Virtual).unwrap();
        assert_eq!(
            (plot.name.as_str(), plot.title.as_str()),
            ("latency-virtual", "Latency (virtual time)")
        );
        assert_eq!(plot.x.scale, Scale::Steps(vec![1.0, 16.0]));
        let [rounds, unbatched] = &plot.curves[..] else {
            panic!("{plot:?}")
        };
        assert_eq!((rounds.name.as_str(), rounds.dashed), ("rounds", false));
        assert_eq!(
            (unbatched.name.as_str(), unbatched.dashed),
            ("vr:unbatched", true)
        );
        let expected = PlotPoint {
            x: 16.0,
            y: 176.0,
            extremes: Some((160.0, 192.0)),
        };
        assert_eq!(rounds.points[1], expected);
    }

    #[test]
    fn against_throughput_the_place_is_the_median_throughput() {
        let plot = plot(&wanted(Across::Throughput), &samples(), Clock::Wall).unwrap();
        assert_eq!(plot.curves.len(), 1);
        assert!(
            (plot.curves[0].points[0].x - 1e6 / 99.0).abs() < 1e-6,
            "{plot:?}"
        );
    }

    #[test]
    fn nothing_measured_is_no_plot() {
        assert_eq!(plot(&wanted(Across::Clients), &[], Clock::Wall), None);
        let elsewhere = Wanted {
            places: |place| place.replicas == 9,
            ..wanted(Across::Clients)
        };
        assert_eq!(plot(&elsewhere, &samples(), Clock::Virtual), None);
        let capacity = Wanted {
            upwards: Upwards::Capacity,
            ..wanted(Across::Clients)
        };
        assert_eq!(plot(&capacity, &samples(), Clock::Virtual), None);
    }
}
