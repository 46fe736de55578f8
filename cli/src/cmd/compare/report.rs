//! What a comparison tells: a table, a sentence for each pair, and every turn as CSV and JSON.

use super::super::figure::facts;
use super::cell::{Cell, Measure};
use super::plots;
use crate::arguments::CompareArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::html::{self, Part};
use bench::machine::source_commit;
use bench::run_directory::RunDirectory;
use bench::sample::write_csv;
use bench::spread::Spread;
use bench::summary::Clock;
use bench::table::{Column, Table};
use serde_json::{Value, json};
use std::path::Path;

/// What is compared: its name in files and in sentences.
const MEASURES: [(&str, &str, Measure); 4] = [
    ("throughput_ops", "throughput", |turn| turn.throughput_ops),
    ("p50_us", "p50", |turn| turn.p50_us),
    ("p99_us", "p99", |turn| turn.p99_us),
    ("capacity_ops", "capacity", |turn| turn.capacity_ops),
];

/// Writes everything into the run's folder.
pub(super) fn write(
    run: &RunDirectory,
    arguments: &CompareArguments,
    cells: &[Cell],
) -> Result<(), Failure> {
    run.write_facts(arguments.seed, source_commit(Path::new(".")))?;
    let all: Vec<_> = cells.iter().flat_map(objects).collect();
    run.write_json("compare.json", &all)?;
    let samples: Vec<_> = cells.iter().flat_map(Cell::samples).collect();
    run.write_with("compare.csv", |out| write_csv(out, &samples))?;
    let plots = plots::draw(&samples)?;
    for (name, svg) in &plots {
        run.write_with(&format!("{name}.svg"), |out| out.write_all(svg.as_bytes()))?;
    }
    let page = page(run, arguments, cells, plots)?;
    run.write_with("report.html", |out| out.write_all(page.as_bytes()))?;
    Ok(())
}

/// Tables, verdicts and plots as one file.
fn page(
    run: &RunDirectory,
    arguments: &CompareArguments,
    cells: &[Cell],
    plots: Vec<(String, String)>,
) -> Result<String, Failure> {
    let mut parts = facts(run)?;
    parts.push(Part::Text(format!(
        "Real time of this machine, fabric {}, {} turns each: median (least to most).",
        arguments.fabric.0.name(),
        arguments.repetitions
    )));
    for cell in cells {
        parts.push(Part::Heading(cell.place.to_string()));
        parts.push(Part::Table(table(cell)));
        parts.extend(verdicts(cell).into_iter().map(Part::Text));
    }
    parts.extend(plots.into_iter().map(|(_, svg)| Part::Svg(svg)));
    Ok(html::page("downbeat compare", &parts))
}

/// A contestant's numbers in one place, and its ratios, as an object each.
fn objects(cell: &Cell) -> Vec<Value> {
    let object = |index: usize| {
        let mut object = json!({
            "contestant": cell.contestants[index].0.name(),
            "replicas": cell.place.replicas,
            "clients": cell.place.clients,
            "loss_ppm": cell.place.loss_ppm,
            "label": Clock::Wall.label(),
        });
        for (name, _, measure) in MEASURES {
            object[name] = json!(cell.spread(index, measure));
            object[format!("first_over_this_{name}")] = json!(cell.ratio(index, measure));
        }
        object
    };
    (0..cell.contestants.len()).map(object).collect()
}

/// Prints a table and the verdicts.
pub(super) fn print(
    run: &RunDirectory,
    arguments: &CompareArguments,
    cells: &[Cell],
    output: Output,
) {
    for cell in cells {
        output.line(&format!("{}, {}", cell.place, arguments.fabric.0.name()));
        output.text(&table(cell).to_string());
        for sentence in verdicts(cell) {
            output.line(&sentence);
        }
        for object in objects(cell) {
            output.object(object);
        }
    }
    output.object(json!({
        "cells": cells.len(),
        "repetitions": arguments.repetitions,
        "results": run.path().display().to_string(),
    }));
    let path = run.path().display();
    output.line(&format!(
        "results    {path} (report.html has tables and plots)"
    ));
}

fn table(cell: &Cell) -> Table {
    let mut table = Table::new(vec![
        Column::text("protocol"),
        Column::number("requests/s"),
        Column::number("p50 (µs)"),
        Column::number("p99 (µs)"),
        Column::number("capacity (requests/s)"),
        Column::text("label"),
    ]);
    let text = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |s| s.to_string());
    for (index, (contestant, _)) in cell.contestants.iter().enumerate() {
        let mut row = vec![contestant.name()];
        row.extend(MEASURES.map(|(_, _, measure)| text(cell.spread(index, measure))));
        row.push(Clock::Wall.label().to_owned());
        table.row(row);
    }
    table
}

/// One sentence for each contestant but the first.
fn verdicts(cell: &Cell) -> Vec<String> {
    let first = cell.contestants[0].0.name();
    let sentence = |index: usize| {
        let ratios: Vec<_> = MEASURES
            .iter()
            .filter_map(|(_, word, measure)| {
                let ratio = cell.ratio(index, *measure)?;
                Some(format!("{ratio} times the {word}"))
            })
            .collect();
        let other = cell.contestants[index].0.name();
        let turns = cell.contestants[index].1.len();
        format!(
            "{first} had {} of {other} (median and extremes of {turns} pairs, wall time)",
            ratios.join(", ")
        )
    };
    (1..cell.contestants.len()).map(sentence).collect()
}
