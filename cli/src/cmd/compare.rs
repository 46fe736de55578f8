//! `downbeat compare`: protocols against each other, by turns, so that what the machine does
//! besides hits all of them alike.

mod cell;
mod plots;
mod report;
mod turn;

pub(super) use turn::Turns;

use super::roles::stop_on_signals;
use crate::arguments::CompareArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::run_directory::RunDirectory;
use bench::sample::Place;
use cell::{Cell, Turn};
use std::fs;
use std::time::SystemTime;

/// Runs the verb.
pub(crate) fn run(arguments: &CompareArguments, output: Output) -> Result<(), Failure> {
    output.say(&format!("seed {}", arguments.seed));
    let run = RunDirectory::create(&arguments.runs, "compare", SystemTime::now())?;
    let folder = fs::canonicalize(run.path())?;
    let interrupted = stop_on_signals()?;
    let turns = Turns {
        fabric: arguments.fabric.0,
        load: &arguments.load,
        interrupted: &interrupted,
    };
    let mut cells = Vec::new();
    for place in places(arguments) {
        let mut cell = Cell::new(place, &arguments.contestants);
        for repetition in 0..arguments.repetitions {
            for (index, contestant) in arguments.contestants.iter().enumerate() {
                let turn = folder.join(format!("turn-{}-{}", cells.len() + 1, cell.turns() + 1));
                output.say(&format!(
                    "{place}: {}, {} of {}",
                    contestant.name(),
                    repetition + 1,
                    arguments.repetitions
                ));
                let seed = arguments.seed.wrapping_add(repetition.into());
                let numbers = turns.take(place, *contestant, (seed, &turn))?;
                cell.add(index, Turn { seed, numbers });
            }
        }
        cells.push(cell);
    }
    report::write(&run, arguments, &cells)?;
    report::print(&run, arguments, &cells, output);
    Ok(())
}

/// All that is to be measured, one after the other.
fn places(arguments: &CompareArguments) -> Vec<Place> {
    let mut places = Vec::new();
    for replicas in &arguments.replicas {
        for clients in &arguments.clients {
            for loss in &arguments.loss {
                places.push(Place {
                    loss_ppm: loss.ppm(),
                    rate_per_second: arguments.load.rate,
                    ..Place::closed(*replicas, *clients)
                });
            }
        }
    }
    places
}
