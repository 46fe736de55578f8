//! A published ratio beside ours.

use crate::sample::{Place, Sample};
use crate::spread::Spread;
use crate::summary::Clock;
use crate::table::{Column, Table, three_digits};
use serde::Serialize;
use std::fmt;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Answered requests a second; more is better.
    Throughput,
    /// Requests a second that a core for the dearest replica would give; more is better.
    Capacity,
    /// Latency, the median; less is better.
    P50,
}

/// Where it is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// There.
    Place(Place),
    /// Wherever it is best, without faults and at no given rate, with this many replicas.
    Best(usize),
    /// Where this share of what `of` has at best is answered, between the measured places.
    Reaching {
        /// Replicas.
        replicas: usize,
        /// The share, 0 to 1.
        share: f64,
        /// Whose best throughput.
        of: &'static str,
    },
}

/// One side of a ratio: the best of these contestants there.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Names.
    pub best_of: Vec<&'static str>,
    /// Where.
    pub at: At,
}

/// What the paper says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Published {
    /// This ratio.
    Ratio(f64),
    /// No number that could be confirmed.
    Unknown,
}

/// What we mean to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// At least this ratio.
    AtLeast(f64),
    /// At most this ratio.
    AtMost(f64),
}

/// A ratio that is held against a published one.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Which ratio, in words.
    pub what: String,
    /// What is compared.
    pub measure: Measure,
    /// Divided.
    pub over: Probe,
    /// By this.
    pub under: Probe,
    /// The paper's ratio.
    pub published: Published,
    /// What we mean to reach, if anything.
    pub aim: Option<Aim>,
    /// Whether the aim also holds for latencies of real time, on a machine with fewer cores than
    /// nodes.
    pub aim_is_for_real_time: bool,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which ratio.
    pub what: String,
    /// Of what.
    pub measure: Measure,
    /// The paper's.
    pub published: Option<f64>,
    /// Ours: median and extremes of turns or seeds; `None`: it was not reached or not measured.
    pub ours: Option<Spread>,
    /// Our median over the paper's.
    pub ratio: Option<f64>,
    /// What we mean to reach.
    pub goal: Option<String>,
    /// Whether our median does.
    pub met: Option<bool>,
    /// `virtual` or `real`.
    pub clock: &'static str,
}

/// All rows of one clock. Real time has two for each throughput: that of the machine, and the
/// capacity by processor time, which alone is held against an aim.
pub fn judge(claims: &[Claim], samples: &[Sample], clock: Clock) -> Vec<Row> {
    let samples: Vec<_> = samples.iter().filter(|one| one.clock == clock).collect();
    if samples.is_empty() {
        return Vec::new();
    }
    let rows = claims
        .iter()
        .flat_map(|claim| match (clock, claim.measure) {
            (Clock::Wall, Measure::Throughput) => vec![
                row(claim, Measure::Capacity, &samples, clock, true),
                row(claim, Measure::Throughput, &samples, clock, false),
            ],
            (Clock::Wall, measure) => {
                vec![row(
                    claim,
                    measure,
                    &samples,
                    clock,
                    claim.aim_is_for_real_time,
                )]
            }
            (Clock::Virtual, measure) => vec![row(claim, measure, &samples, clock, true)],
        });
    rows.collect()
}

fn row(claim: &Claim, measure: Measure, samples: &[&Sample], clock: Clock, judged: bool) -> Row {
    let mut turns: Vec<u32> = samples.iter().map(|sample| sample.turn).collect();
    turns.sort_unstable();
    turns.dedup();
    let pair = |turn: u32| {
        let own: Vec<&Sample> = samples
            .iter()
            .copied()
            .filter(|sample| sample.turn == turn)
            .collect();
        (
            claim.over.value(measure, &own),
            claim.under.value(measure, &own),
        )
    };
    let ours = Spread::of_ratios(turns.into_iter().map(pair));
    let published = match claim.published {
        Published::Ratio(ratio) => Some(ratio),
        Published::Unknown => None,
    };
    let aim = claim.aim.filter(|_| judged);
    Row {
        what: claim.what.clone(),
        measure,
        published,
        ours,
        ratio: ours.zip(published).map(|(ours, paper)| ours.median / paper),
        goal: aim.map(|aim| aim.to_string()),
        met: aim.zip(ours).map(|(aim, ours)| aim.is_met_by(ours.median)),
        clock: clock.label(),
    }
}

impl Probe {
    /// One contestant there.
    pub fn of(contestant: &'static str, at: At) -> Self {
        Self {
            best_of: vec![contestant],
            at,
        }
    }

    /// The value in one turn.
    fn value(&self, measure: Measure, turn: &[&Sample]) -> Option<f64> {
        let own = |name: &'static str| {
            turn.iter()
                .copied()
                .filter(move |one| one.contestant == name)
        };
        let values = self.best_of.iter().filter_map(|name| match self.at {
            At::Place(place) => {
                let here = own(name).find(|sample| is_like(&sample.place, &place))?;
                measure.of(here)
            }
            At::Best(replicas) => best(own(name), measure, replicas),
            At::Reaching {
                replicas,
                share,
                of,
            } => {
                let most = best(own(of), Measure::Throughput, replicas)?;
                reached(own(name), measure, replicas, share * most)
            }
        });
        values.reduce(|one, other| measure.better(one, other))
    }
}

impl Measure {
    fn of(self, sample: &Sample) -> Option<f64> {
        let numbers = &sample.numbers;
        match self {
            Self::Throughput => numbers.throughput_ops,
            Self::Capacity => numbers.capacity_ops,
            Self::P50 => numbers.p50_us,
        }
    }

    fn better(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Throughput | Self::Capacity => one.max(other),
            Self::P50 => one.min(other),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Capacity => "capacity by processor time",
            Self::P50 => "p50",
        }
    }
}

/// The same place, whatever the rate: real time has another one than virtual time.
fn is_like(one: &Place, other: &Place) -> bool {
    let without = |place: &Place| Place {
        rate_per_second: None,
        ..*place
    };
    without(one) == without(other)
        && one.rate_per_second.is_some() == other.rate_per_second.is_some()
}

fn is_plain(sample: &Sample, replicas: usize) -> bool {
    sample.place == Place::closed(replicas, sample.place.clients)
}

fn best<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    measure: Measure,
    replicas: usize,
) -> Option<f64> {
    let plain = samples.filter(|sample| is_plain(sample, replicas));
    plain
        .filter_map(|sample| measure.of(sample))
        .reduce(|one, other| measure.better(one, other))
}

/// The measure where this throughput is first reached, on the straight line between the two
/// numbers of clients around it.
fn reached<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    measure: Measure,
    replicas: usize,
    throughput: f64,
) -> Option<f64> {
    let plain = samples.filter(|sample| is_plain(sample, replicas));
    let mut curve: Vec<_> = plain
        .filter_map(|one| {
            Some((
                one.place.clients,
                one.numbers.throughput_ops?,
                measure.of(one)?,
            ))
        })
        .collect();
    curve.sort_unstable_by_key(|(clients, ..)| *clients);
    let mut before: Option<(f64, f64)> = None;
    for (_, x, y) in curve {
        if x >= throughput {
            return Some(match before {
                None => y,
                Some((x0, y0)) => y0 + (y - y0) * (throughput - x0) / (x - x0),
            });
        }
        before = Some((x, y));
    }
    None
}

impl Aim {
    fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// Rows for people.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(vec![
        Column::text("ratio of"),
        Column::text("measure"),
        Column::number("published"),
        Column::number("ours (least to most)"),
        Column::number("ours/published"),
        Column::number("goal"),
        Column::text("met"),
        Column::text("label"),
    ]);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), three_digits);
    for row in rows {
        let met = match row.met {
            None => "-",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        table.row(vec![
            row.what.clone(),
            row.measure.words().to_owned(),
            number(row.published),
            row.ours
                .map_or_else(|| "not reached".to_owned(), |ours| ours.to_string()),
            number(row.ratio),
            row.goal.clone().unwrap_or_else(|| "-".to_owned()),
            met.to_owned(),
            row.clock.to_owned(),
        ]);
    }
    table
}
