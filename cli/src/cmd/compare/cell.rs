//! What one place of a comparison gave: each contestant's turns.

use super::BenchResult;
use crate::arguments::Contestant;
use bench::spread::Spread;
use link::faults::Probability;
use std::fmt;

/// What all contestants are measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) replicas: usize,
    pub(super) clients: u32,
    pub(super) loss: Probability,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas, {} clients", self.replicas, self.clients)?;
        if self.loss != Probability::NEVER {
            write!(f, ", {} lost", self.loss)?;
        }
        Ok(())
    }
}

/// One measurement of one contestant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) throughput_ops: Option<f64>,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    /// Processor time a request of the dearest replica.
    pub(super) bottleneck_us: Option<f64>,
    /// What one core for that replica would give.
    pub(super) capacity_ops: Option<f64>,
}

impl Turn {
    pub(super) fn of(result: &BenchResult) -> Self {
        Self {
            throughput_ops: Some(result.summary.throughput_ops),
            p50_us: result.summary.latency.p50_us,
            p99_us: result.summary.latency.p99_us,
            bottleneck_us: result.bottleneck_us(),
            capacity_ops: result.capacity(),
        }
    }
}

/// A number of a turn.
pub(super) type Measure = fn(&Turn) -> Option<f64>;

/// One place with all its turns.
pub(super) struct Cell {
    pub(super) place: Place,
    pub(super) contestants: Vec<(Contestant, Vec<Turn>)>,
}

impl Cell {
    pub(super) fn new(place: Place, contestants: &[Contestant]) -> Self {
        let contestants = contestants.iter().map(|one| (*one, Vec::new()));
        Self {
            place,
            contestants: contestants.collect(),
        }
    }

    /// How many turns have been taken.
    pub(super) fn turns(&self) -> usize {
        self.contestants.iter().map(|(_, turns)| turns.len()).sum()
    }

    pub(super) fn add(&mut self, contestant: usize, turn: Turn) {
        self.contestants[contestant].1.push(turn);
    }

    /// A contestant's numbers.
    pub(super) fn spread(&self, contestant: usize, measure: Measure) -> Option<Spread> {
        let (_, turns) = &self.contestants[contestant];
        Spread::of(turns.iter().filter_map(measure))
    }

    /// The first contestant's numbers over another's, turn by turn.
    pub(super) fn ratio(&self, other: usize, measure: Measure) -> Option<Spread> {
        let (first, other) = (&self.contestants[0].1, &self.contestants[other].1);
        let pairs = first.iter().zip(other);
        Spread::of_ratios(pairs.map(|(first, other)| (measure(first), measure(other))))
    }
}
