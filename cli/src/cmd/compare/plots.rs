//! Plots of a comparison: one for each thing that was varied, with all else the same.

use crate::failure::Failure;
use bench::curves::{self, Across, Upwards, Wanted};
use bench::plot;
use bench::sample::{Place, Sample};
use bench::summary::Clock;

/// What can be varied, its word, and what a place is without it.
type Varied = (Across, &'static str, fn(Place) -> Place);

/// All of them.
const VARIED: [Varied; 3] = [
    (Across::Replicas, "replicas", |place| Place {
        replicas: 0,
        ..place
    }),
    (Across::Clients, "clients", |place| Place {
        clients: 0,
        ..place
    }),
    (Across::Loss, "loss", |place| Place {
        loss_ppm: 0,
        ..place
    }),
];

/// Names and SVGs.
pub(super) fn draw(samples: &[Sample]) -> Result<Vec<(String, String)>, Failure> {
    let mut drawn = Vec::new();
    for (across, word, without) in VARIED {
        for rest in distinct(samples.iter().map(|sample| without(sample.place))) {
            let own: Vec<_> = samples
                .iter()
                .filter(|sample| without(sample.place) == rest)
                .cloned()
                .collect();
            if distinct(own.iter().map(|sample| sample.place)).len() < 2 {
                continue;
            }
            let over_load =
                (across == Across::Clients).then_some((Across::Throughput, "throughput"));
            let all = [Some((across, word)), over_load];
            for (across, word) in all.into_iter().flatten() {
                let wanted = Wanted {
                    name: format!("latency-over-{word}{}", suffix(&rest)),
                    title: format!("Latency over {word}{}", fixed(&rest)),
                    across,
                    upwards: Upwards::P50,
                    places: |_| true,
                };
                if let Some(plot) = curves::plot(&wanted, &own, Clock::Wall) {
                    drawn.push((plot.name.clone(), plot::svg(&plot)?));
                }
            }
        }
    }
    Ok(drawn)
}

fn distinct(places: impl Iterator<Item = Place>) -> Vec<Place> {
    let mut all = Vec::new();
    for place in places {
        if !all.contains(&place) {
            all.push(place);
        }
    }
    all
}

/// What stays the same, for the name of a file.
fn suffix(rest: &Place) -> String {
    let parts = [
        (rest.replicas > 0).then(|| format!("-n{}", rest.replicas)),
        (rest.clients > 0).then(|| format!("-c{}", rest.clients)),
        (rest.loss_ppm > 0).then(|| format!("-loss{}ppm", rest.loss_ppm)),
    ];
    parts.into_iter().flatten().collect()
}

/// The same for people.
fn fixed(rest: &Place) -> String {
    let parts = [
        (rest.replicas > 0).then(|| format!(", {} replicas", rest.replicas)),
        (rest.clients > 0).then(|| format!(", {} clients", rest.clients)),
        (rest.loss_ppm > 0).then(|| format!(", {} % lost", f64::from(rest.loss_ppm) / 1e4)),
    ];
    parts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::sample::Numbers;

    fn samples(replicas: &[usize], clients: &[u32], losses: &[u32]) -> Vec<Sample> {
        let mut samples = Vec::new();
        for replicas in replicas {
            for clients in clients {
                for loss_ppm in losses {
                    samples.push(Sample {
                        contestant: "rounds".into(),
                        clock: Clock::Wall,
                        place: Place {
                            loss_ppm: *loss_ppm,
                            ..Place::closed(*replicas, *clients)
                        },
                        turn: 1,
                        seed: 1,
                        numbers: Numbers {
                            throughput_ops: Some(1e4),
                            p50_us: Some(50.0),
                            ..Numbers::default()
                        },
                    });
                }
            }
        }
        samples
    }

    fn names(samples: &[Sample]) -> Vec<String> {
        let drawn = draw(samples).unwrap();
        drawn.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn each_thing_that_is_varied_has_a_plot_with_the_rest_fixed() {
        assert_eq!(names(&samples(&[3], &[16], &[0])), [""; 0]);
        assert_eq!(
            names(&samples(&[3], &[1, 16], &[0])),
            [
                "latency-over-clients-n3-real",
                "latency-over-throughput-n3-real"
            ]
        );
        assert_eq!(
            names(&samples(&[3, 5], &[16], &[0, 10_000])),
            [
                "latency-over-replicas-c16-real",
                "latency-over-replicas-c16-loss10000ppm-real",
                "latency-over-loss-n3-c16-real",
                "latency-over-loss-n5-c16-real",
            ]
        );
    }
}
