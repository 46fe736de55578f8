use super::*;
use crate::curves;
use crate::sample::{Numbers, Sample};
use crate::summary::Clock;

/// What everybody takes for a request, in µs, when alone and at best.
fn costs(contestant: &str) -> (f64, f64) {
    match contestant {
        "spec-paxos" => (10.0, 2.0),
        "vr:unbatched" => (20.0, 8.0),
        "rounds" => (25.0, 1.0),
        "mencius" => (30.0, 2.0),
        _ => (20.0, 4.0),
    }
}

fn sample(contestant: &str, clock: Clock, place: Place, turn: u32) -> Sample {
    let (alone, best) = costs(contestant);
    let clients = f64::from(place.clients);
    let p50 = alone.max(clients * best) * (1.0 + f64::from(turn) / 10.0);
    Sample {
        contestant: contestant.into(),
        clock,
        place,
        turn,
        seed: turn.into(),
        numbers: Numbers {
            throughput_ops: Some(clients * 1e6 / p50),
            p50_us: Some(p50),
            p99_us: Some(2.0 * p50),
            bottleneck_us: (clock == Clock::Wall).then_some(best),
            capacity_ops: (clock == Clock::Wall).then_some(1e6 / best),
        },
    }
}

fn samples(figure: &Figure) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (clock, places) in [
        (Clock::Virtual, &figure.virtual_places),
        (Clock::Wall, &figure.real_places),
    ] {
        for place in places {
            for contestant in &figure.contestants {
                for turn in [0, 1, 2] {
                    samples.push(sample(contestant, clock, *place, turn));
                }
            }
        }
    }
    samples
}

#[test]
fn names_are_those_of_the_figures() {
    let names: Vec<_> = all().iter().map(|figure| figure.name).collect();
    assert_eq!(names, NAMES);
    assert!(of_name("nsdi15-reordering").is_some() && of_name("nsdi16").is_none());
}

#[test]
fn what_is_claimed_is_measured_and_drawn_in_both_times() {
    for figure in all() {
        let samples = samples(&figure);
        for clock in [Clock::Virtual, Clock::Wall] {
            let rows = judge(&figure.claims, &samples, clock);
            assert!(rows.len() >= figure.claims.len());
            for row in rows {
                // Whoever never gets there has no value; the others must.
                let may_miss = row.what.contains("80 %");
                assert!(row.ours.is_some() || may_miss, "{}: {row:?}", figure.name);
                assert_eq!(row.clock, clock.label());
            }
            for wanted in &figure.plots {
                let plot = curves::plot(wanted, &samples, clock).unwrap();
                assert_eq!(plot.curves.len(), figure.contestants.len(), "{}", plot.name);
                crate::plot::svg(&plot).unwrap();
            }
        }
    }
}

#[test]
fn a_row_has_the_published_ratio_ours_theirs_and_the_verdict() {
    let figure = of_name("nsdi15-latency-throughput").unwrap();
    let rows = judge(&figure.claims, &samples(&figure), Clock::Virtual);
    let text = table(&rows).to_string();
    let line = |begin: &str| {
        let line = text.lines().find(|line| line.starts_with(begin)).unwrap();
        line.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect::<Vec<_>>()
    };
    let throughput = line("spec-paxos / vr:unbatched, best");
    assert_eq!(
        throughput[1..],
        [
            "throughput",
            "2.60",
            "4.00 (4.00 to 4.00)",
            "1.54",
            "≥ 3",
            "yes",
            "virtual"
        ]
    );
    let latency = line("spec-paxos / vr:unbatched, 1 client");
    assert_eq!(
        latency[1..],
        [
            "p50",
            "0.600",
            "0.500 (0.500 to 0.500)",
            "0.833",
            "≤ 0.6",
            "yes",
            "virtual"
        ]
    );
    let unreplicated = line("spec-paxos / unreplicated, 1 client");
    assert_eq!(unreplicated[2], "-");
}

#[test]
fn an_aim_that_is_missed_says_no() {
    let figure = of_name("rounds-vs-leaders").unwrap();
    let rows = judge(&figure.claims, &samples(&figure), Clock::Virtual);
    // 1 µs against 4 with one leader, against 2 with many: 2.09 is more.
    assert_eq!([rows[0].met, rows[1].met], [Some(true), Some(false)]);
    assert!(table(&rows).to_string().contains("NO"));
}

#[test]
fn real_throughput_stands_beside_capacity_and_is_not_judged() {
    let figure = of_name("rounds-vs-leaders").unwrap();
    let rows = judge(&figure.claims, &samples(&figure), Clock::Wall);
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.measure, row.met.is_some()))
        .collect();
    let pair = [(Measure::Capacity, true), (Measure::Throughput, false)];
    assert_eq!(seen, [pair, pair].concat());
    assert!(judge(&figure.claims, &[], Clock::Wall).is_empty());
}

#[test]
fn latency_at_a_throughput_lies_between_the_measured_points() {
    let loaded = At::Reaching {
        replicas: 3,
        share: 0.5,
        of: "a",
    };
    let with = |contestant: &str, clients, throughput, p50| Sample {
        numbers: Numbers {
            throughput_ops: Some(throughput),
            p50_us: Some(p50),
            ..Numbers::default()
        },
        ..sample(contestant, Clock::Virtual, Place::closed(3, clients), 0)
    };
    let mut samples = vec![
        with("a", 4, 400.0, 20.0),
        with("a", 1, 100.0, 10.0),
        with("b", 1, 150.0, 30.0),
        with("b", 4, 250.0, 50.0),
    ];
    let claim = Claim {
        what: "b / a".into(),
        measure: Measure::P50,
        over: Probe::of("b", loaded),
        under: Probe::of("a", loaded),
        published: Published::Unknown,
        aim: None,
        aim_is_for_real_time: false,
    };
    // 200 a second: a third of the way from 10 to 20, half of the way from 30 to 50.
    let ours = judge(std::slice::from_ref(&claim), &samples, Clock::Virtual)[0]
        .ours
        .unwrap();
    assert!(
        (ours.median - 40.0 / (10.0 + 10.0 / 3.0)).abs() < 1e-9,
        "{ours:?}"
    );
    samples.pop();
    assert_eq!(judge(&[claim], &samples, Clock::Virtual)[0].ours, None);
}
