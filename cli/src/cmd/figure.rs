//! `downbeat figure`: measures again what papers have published, in virtual time and, if asked
//! for, in real time, and holds ours against it.

mod capacity;
mod measured;
mod report;
mod simulated;

pub(super) use report::facts;

use crate::arguments::{Contestant, FigureArguments};
use crate::failure::Failure;
use crate::output::Output;
use bench::figure::{self, Figure};
use bench::run_directory::RunDirectory;
use bench::sample::Sample;
use bench::table::{Column, Table};
use report::Result as FigureResult;
use serde_json::json;
use std::fs;
use std::time::SystemTime;

/// The figure that is no paper's: simulation, processor time and saturation against each other.
const CAPACITY_CHECK: &str = "capacity-check";

/// Runs the verb.
pub(crate) fn run(arguments: &FigureArguments, output: Output) -> Result<(), Failure> {
    let Some(name) = &arguments.name else {
        list(output);
        return Ok(());
    };
    if name == CAPACITY_CHECK {
        return capacity::run(arguments, output);
    }
    let figure = figure::of_name(name).ok_or_else(|| unknown(name))?;
    output.say(&format!("seed {}", arguments.seed));
    let run = RunDirectory::create(&arguments.runs, figure.name, SystemTime::now())?;
    let mut samples = virtual_samples(&figure, arguments, output)?;
    if arguments.real {
        let folder = fs::canonicalize(run.path())?;
        let places = &figure.real_places;
        let contestants = contestants(&figure.contestants)?;
        samples.extend(measured::measure(
            places,
            &contestants,
            arguments,
            &folder,
            output,
        )?);
    }
    let result = FigureResult::new(&figure, samples);
    report::write(&run, arguments, &result)?;
    report::print(&run, &result, output);
    Ok(())
}

fn virtual_samples(
    figure: &Figure,
    arguments: &FigureArguments,
    output: Output,
) -> Result<Vec<Sample>, Failure> {
    let contestants = contestants(&figure.contestants)?;
    let costs = simulated::Costs {
        receive_ns: arguments.receive_cost.0,
        send_ns: arguments.send_cost.0,
    };
    simulated::simulate(
        &figure.virtual_places,
        &contestants,
        costs,
        arguments,
        output,
    )
}

fn contestants(names: &[&str]) -> Result<Vec<Contestant>, Failure> {
    let parse = |name: &&str| name.parse().map_err(Failure::Usage);
    names.iter().map(parse).collect()
}

fn list(output: Output) {
    let mut table = Table::new(vec![Column::text("figure"), Column::text("shows")]);
    let figures = figure::all();
    let lines = figures.iter().map(|figure| (figure.name, figure.says));
    for (name, says) in lines.chain([(CAPACITY_CHECK, capacity::SAYS)]) {
        table.row(vec![name.to_owned(), says.to_owned()]);
        output.object(json!({ "figure": name, "says": says }));
    }
    output.text(&table.to_string());
    output.line("next       downbeat figure nsdi15-latency-throughput");
}

fn unknown(name: &str) -> Failure {
    let names: Vec<_> = figure::NAMES.into_iter().chain([CAPACITY_CHECK]).collect();
    let near = names.iter().max_by(|one, other| {
        let nearness = |known: &str| strsim::jaro_winkler(name, known);
        nearness(one).total_cmp(&nearness(other))
    });
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Failure::Usage(format!(
        "there is no figure {name:?}{hint} (valid: {})",
        names.join(", ")
    ))
}
