//! The smallest run that still fails in the same way: fewer faults, fewer clients, fewer
//! operations. Delta debugging over the numbers of the fault schedule (Zeller and Hildebrandt,
//! *Simplifying and Isolating Failure-Inducing Input*, TSE 2002), then halving the rest.

use crate::run::run;
use crate::schedule::generate;
use crate::settings::Settings;
use crate::world::{Blueprint, Outcome};

/// Runs that shrinking may take.
pub const MAX_RUNS: usize = 400;

/// A smaller failing run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// What to run.
    pub settings: Settings,
    /// What comes of it.
    pub outcome: Outcome,
    /// How many runs it took to find.
    pub runs: usize,
}

struct Search<'a> {
    blueprint: &'a Blueprint,
    seed: u64,
    /// The name of what went wrong.
    failure: &'static str,
    best: Settings,
    outcome: Outcome,
    runs: usize,
}

/// Makes a failing run smaller. `outcome` is what came of `settings`.
pub fn shrink(settings: &Settings, outcome: &Outcome, blueprint: &Blueprint) -> Shrunk {
    let seed = outcome.seed;
    let numbers = generate(settings, seed)
        .iter()
        .map(|item| item.number)
        .collect();
    let mut search = Search {
        blueprint,
        seed,
        failure: outcome.ending.name(),
        best: Settings {
            // From here on the size must not follow from the seed alone.
            replicas: vec![settings.replicas_of(seed)],
            ..settings.clone()
        },
        outcome: outcome.clone(),
        runs: 0,
    };
    search.faults(numbers);
    search.amount(|settings| &mut settings.clients);
    search.amount(|settings| &mut settings.operations);
    Shrunk {
        settings: search.best,
        outcome: search.outcome,
        runs: search.runs,
    }
}

impl Search<'_> {
    /// Whether it fails in the same way; if so it is the best so far.
    fn try_out(&mut self, settings: Settings) -> bool {
        if self.runs == MAX_RUNS {
            return false;
        }
        self.runs += 1;
        let outcome = run(&settings, self.seed, self.blueprint);
        let same = outcome.ending.name() == self.failure;
        if same {
            self.best = settings;
            self.outcome = outcome;
        }
        same
    }

    fn with_faults(&mut self, numbers: Vec<usize>) -> bool {
        let settings = Settings {
            only_faults: Some(numbers),
            ..self.best.clone()
        };
        self.try_out(settings)
    }

    /// Removes ever smaller parts of the schedule as long as the run fails.
    fn faults(&mut self, mut numbers: Vec<usize>) {
        if self.with_faults(Vec::new()) {
            return;
        }
        let mut parts = 2;
        while numbers.len() > 1 {
            let size = numbers.len().div_ceil(parts);
            let smaller = (0..numbers.len()).step_by(size).find_map(|from| {
                let to = (from + size).min(numbers.len());
                let without: Vec<usize> = [&numbers[..from], &numbers[to..]].concat();
                self.with_faults(without.clone()).then_some(without)
            });
            match smaller {
                Some(smaller) => {
                    numbers = smaller;
                    parts = 2.max(parts - 1);
                }
                None if size == 1 => break,
                None => parts = (parts * 2).min(numbers.len()),
            }
        }
    }

    /// Halves a number, then takes one off, as long as the run fails.
    fn amount(&mut self, of: impl Fn(&mut Settings) -> &mut usize) {
        loop {
            let mut half = self.best.clone();
            let value = *of(&mut half);
            if value <= 1 {
                return;
            }
            *of(&mut half) = value / 2;
            if self.try_out(half) {
                continue;
            }
            let mut less = self.best.clone();
            *of(&mut less) = value - 1;
            if !self.try_out(less) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::settings::MS;
    use crate::world::Ending;

    /// No group heals in no time: a run that fails whatever its faults are.
    #[test]
    fn what_does_not_matter_goes() {
        let blueprint = Blueprint::new();
        let settings = Settings {
            clients: 4,
            operations: 9,
            fault_ns: 20 * MS,
            heal_ns: 0,
            profile: Profile::Light,
            ..Settings::default()
        };
        let outcome = run(&settings, 7, &blueprint);
        assert!(matches!(outcome.ending, Ending::Stuck(_)), "{outcome:?}");
        let shrunk = shrink(&settings, &outcome, &blueprint);
        let small = &shrunk.settings;
        assert_eq!(small.only_faults, Some(Vec::new()));
        assert_eq!((small.clients, small.operations), (1, 1));
        assert!(shrunk.runs < 30, "{} runs", shrunk.runs);
        assert_eq!(
            run(small, 7, &blueprint),
            shrunk.outcome,
            "the command replays it"
        );
    }
}
