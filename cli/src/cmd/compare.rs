//! `downbeat compare`: protocols against each other, by turns, so that what the machine does
//! besides hits all of them alike.

mod cell;
mod report;

use super::bench::{BenchResult, Group, MTU, application, load_settings, measure};
use super::roles::stop_on_signals;
use crate::arguments::{CompareArguments, Contestant};
use crate::failure::Failure;
use crate::output::Output;
use bench::run_directory::RunDirectory;
use bmv2_testbed::deployment::Harm;
use cell::{Cell, Place, Turn};
use link::StopFlag;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Runs the verb.
pub(crate) fn run(arguments: &CompareArguments, output: Output) -> Result<(), Failure> {
    output.say(&format!("seed {}", arguments.seed));
    let run = RunDirectory::create(&arguments.runs, "compare", SystemTime::now())?;
    let folder = fs::canonicalize(run.path())?;
    let interrupted = stop_on_signals()?;
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
                let measured =
                    take_turn(arguments, place, *contestant, (seed, &turn), &interrupted)?;
                cell.add(index, measured);
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
                    replicas: *replicas,
                    clients: *clients,
                    loss: *loss,
                });
            }
        }
    }
    places
}

/// One contestant, once.
fn take_turn(
    arguments: &CompareArguments,
    place: Place,
    contestant: Contestant,
    (seed, folder): (u64, &Path),
    interrupted: &StopFlag,
) -> Result<Turn, Failure> {
    let one_server = contestant.protocol.is_one_server();
    let group = Group {
        fabric: arguments.fabric.0,
        protocol: contestant.protocol,
        replicas: (!one_server).then_some(place.replicas),
        application: application(&arguments.load),
        mtu: MTU,
        gap_awareness: true,
        read_barrier: true,
        batching: contestant.batching,
        harm: Harm {
            loss_ppm: place.loss.ppm(),
            reorder_ppm: 0,
            seed,
        },
    };
    let deployment = group.plan(folder)?;
    let load = load_settings(&arguments.load, place.clients, seed)?;
    let measured = measure(&deployment, &load, seed, interrupted, Output::silent())?;
    let result = BenchResult::new(&load, &deployment, &measured);
    if !result.agrees {
        return Err(Failure::Check(format!(
            "{}: the replicas did not agree on one log in time; see {}",
            contestant.name(),
            folder.display()
        )));
    }
    Ok(Turn::of(&result))
}
