//! The same contestants in real time, by turns, as `compare` has it.

use crate::arguments::{Contestant, FigureArguments, LoadFlags};
use crate::cmd::compare::Turns;
use crate::cmd::roles::stop_on_signals;
use crate::failure::Failure;
use crate::output::Output;
use bench::sample::{Place, Sample};
use bench::summary::Clock;
use std::path::Path;

/// Measures every contestant in every place as often as was asked for.
pub(super) fn measure(
    places: &[Place],
    contestants: &[Contestant],
    arguments: &FigureArguments,
    folder: &Path,
    output: Output,
) -> Result<Vec<Sample>, Failure> {
    let load = LoadFlags {
        workload: "null".parse()?,
        rate: None,
        arrivals: None,
        think: None,
        duration: arguments.duration,
        warm_up: arguments.warm_up,
        keys: None,
        keys_like: None,
        value_bytes: None,
    };
    let interrupted = stop_on_signals()?;
    let turns = Turns {
        fabric: arguments.fabric.0,
        load: &load,
        interrupted: &interrupted,
    };
    let mut samples = Vec::new();
    for place in places {
        for turn in 1..=arguments.repetitions {
            let seed = arguments.seed.wrapping_add(u64::from(turn - 1));
            for contestant in contestants {
                output.say(&format!(
                    "{place}: {}, {turn} of {}, real time",
                    contestant.name(),
                    arguments.repetitions
                ));
                let own = folder.join(format!("turn-{}", samples.len() + 1));
                let numbers = turns.take(*place, *contestant, (seed, &own))?;
                samples.push(Sample {
                    contestant: contestant.name(),
                    clock: Clock::Wall,
                    place: *place,
                    turn,
                    seed,
                    numbers,
                });
            }
        }
    }
    Ok(samples)
}
