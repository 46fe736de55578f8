//! What one place of a comparison gave: each contestant's turns.

use crate::arguments::Contestant;
use bench::sample::{Numbers, Place, Sample};
use bench::spread::Spread;
use bench::summary::Clock;

/// A number of a turn.
pub(super) type Measure = fn(&Numbers) -> Option<f64>;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) seed: u64,
    pub(super) numbers: Numbers,
}

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
        Spread::of(turns.iter().filter_map(|turn| measure(&turn.numbers)))
    }

    /// The first contestant's numbers over another's, turn by turn.
    pub(super) fn ratio(&self, other: usize, measure: Measure) -> Option<Spread> {
        let (first, other) = (&self.contestants[0].1, &self.contestants[other].1);
        let pairs = first.iter().zip(other);
        let ratio =
            |(first, other): (&Turn, &Turn)| (measure(&first.numbers), measure(&other.numbers));
        Spread::of_ratios(pairs.map(ratio))
    }

    /// All turns as raw results.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let of_one = |(contestant, turns): &(Contestant, Vec<Turn>)| {
            let sample = |(number, turn): (u32, &Turn)| Sample {
                contestant: contestant.name(),
                clock: Clock::Wall,
                place: self.place,
                turn: number,
                seed: turn.seed,
                numbers: turn.numbers,
            };
            (1..).zip(turns).map(sample).collect::<Vec<_>>()
        };
        self.contestants.iter().flat_map(of_one).collect()
    }
}
