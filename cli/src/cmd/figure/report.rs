//! What a figure tells: rows beside the paper's, raw results, plots, and all of it as one file.

use crate::arguments::FigureArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::curves;
use bench::figure::{self, Figure, Row};
use bench::html::{self, Part};
use bench::machine::source_commit;
use bench::plot;
use bench::run_directory::{RunDirectory, RunFacts};
use bench::sample::{Sample, write_csv};
use bench::summary::Clock;
use serde_json::json;
use std::env;
use std::fs;
use std::path::Path;

/// A figure that was measured.
pub(super) struct Result<'a> {
    figure: &'a Figure,
    samples: Vec<Sample>,
    rows: Vec<Row>,
}

impl<'a> Result<'a> {
    pub(super) fn new(figure: &'a Figure, samples: Vec<Sample>) -> Self {
        let rows = [Clock::Virtual, Clock::Wall]
            .into_iter()
            .flat_map(|clock| figure::judge(&figure.claims, &samples, clock))
            .collect();
        Self {
            figure,
            samples,
            rows,
        }
    }
}

/// Writes everything into the run's folder.
pub(super) fn write(
    run: &RunDirectory,
    arguments: &FigureArguments,
    result: &Result<'_>,
) -> std::result::Result<(), Failure> {
    let Result {
        figure,
        samples,
        rows,
    } = result;
    run.write_facts(arguments.seed, source_commit(Path::new(".")))?;
    run.write_json("samples.json", samples)?;
    run.write_with("samples.csv", |out| write_csv(out, samples))?;
    run.write_json(
        "figure.json",
        &json!({
            "figure": figure.name,
            "source": figure.source,
            "receive_cost_ns": arguments.receive_cost.0,
            "send_cost_ns": arguments.send_cost.0,
            "rows": rows,
            "notes": figure.notes,
        }),
    )?;
    let mut parts = facts(run)?;
    parts.push(Part::Text(format!("Published: {}.", figure.source)));
    parts.push(Part::Text(costs(arguments)));
    parts.push(Part::Table(figure::table(rows)));
    parts.extend(figure.notes.iter().map(|note| Part::Text((*note).into())));
    for clock in [Clock::Virtual, Clock::Wall] {
        for wanted in &figure.plots {
            let Some(plot) = curves::plot(wanted, samples, clock) else {
                continue;
            };
            let svg = plot::svg(&plot)?;
            let file = format!("{}.svg", plot.name);
            run.write_with(&file, |out| out.write_all(svg.as_bytes()))?;
            parts.push(Part::Svg(svg));
        }
    }
    let page = html::page(figure.name, &parts);
    run.write_with("report.html", |out| out.write_all(page.as_bytes()))?;
    Ok(())
}

/// How virtual numbers came about.
fn costs(arguments: &FigureArguments) -> String {
    format!(
        "Rows labelled virtual are simulated: one core for each replica, {} ns for a message in \
         and {} ns for one out, clients and switch take none. Rows labelled real are of this \
         machine. Median (least to most) of seeds or turns.",
        arguments.receive_cost.0, arguments.send_cost.0
    )
}

/// What a result depends on: command, seed, commit, machine, time.
pub(in crate::cmd) fn facts(run: &RunDirectory) -> std::result::Result<Vec<Part>, Failure> {
    let text = fs::read_to_string(run.path().join("run.json"))?;
    let facts: RunFacts = serde_json::from_str(&text)?;
    let words: Vec<String> = env::args().skip(1).collect();
    let machine = facts.machine;
    let or = |fact: Option<String>| fact.unwrap_or_else(|| "unknown".into());
    let gibibytes = machine
        .memory_bytes
        .map(|bytes| format!("{} GiB", bytes >> 30));
    Ok(vec![
        Part::Command(format!("downbeat {}", words.join(" "))),
        Part::Text(format!(
            "Seed {}, commit {}, started {}.",
            facts.seed,
            or(facts.commit),
            facts.started
        )),
        Part::Text(format!(
            "Machine: {}, {} cores, {}, kernel {}.",
            or(machine.cpu_model),
            or(machine.cores.map(|cores| cores.to_string())),
            or(gibibytes),
            or(machine.kernel)
        )),
    ])
}

/// Prints the table, what must be known to read it, and where everything is.
pub(super) fn print(run: &RunDirectory, result: &Result<'_>, output: Output) {
    let figure = result.figure;
    output.line(&format!("{}: {}", figure.name, figure.source));
    output.text(&figure::table(&result.rows).to_string());
    for note in &figure.notes {
        output.line(note);
    }
    for row in &result.rows {
        let mut object = json!(row);
        object["figure"] = figure.name.into();
        output.object(object);
    }
    let path = run.path().display().to_string();
    output.object(json!({
        "figure": figure.name,
        "source": figure.source,
        "rows": result.rows.len(),
        "goals_missed": result.rows.iter().filter(|row| row.met == Some(false)).count(),
        "results": path,
    }));
    output.line(&format!(
        "results    {path} (report.html has table and plots)"
    ));
}
