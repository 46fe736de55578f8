//! What a comparison tells: a table, a sentence for each pair, and every turn as CSV and JSON.

use super::cell::{Cell, Measure};
use crate::arguments::CompareArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::machine::source_commit;
use bench::run_directory::RunDirectory;
use bench::spread::Spread;
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
    run.write_with("compare.csv", |out| {
        writeln!(
            out,
            "contestant,replicas,clients,loss_ppm,turn,throughput_ops,p50_us,p99_us,\
             bottleneck_us,capacity_ops"
        )?;
        for cell in cells {
            for (contestant, turns) in &cell.contestants {
                for (number, turn) in turns.iter().enumerate() {
                    let place = cell.place;
                    write!(
                        out,
                        "{},{},{},{},{}",
                        contestant.name(),
                        place.replicas,
                        place.clients,
                        place.loss.ppm(),
                        number + 1
                    )?;
                    let numbers = [
                        turn.throughput_ops,
                        turn.p50_us,
                        turn.p99_us,
                        turn.bottleneck_us,
                        turn.capacity_ops,
                    ];
                    for number in numbers {
                        let text = number.map_or_else(String::new, |number| number.to_string());
                        write!(out, ",{text}")?;
                    }
                    writeln!(out)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// A contestant's numbers in one place, and its ratios, as an object each.
fn objects(cell: &Cell) -> Vec<Value> {
    let object = |index: usize| {
        let mut object = json!({
            "contestant": cell.contestants[index].0.name(),
            "replicas": cell.place.replicas,
            "clients": cell.place.clients,
            "loss_ppm": cell.place.loss.ppm(),
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
    output.line(&format!("results    {}", run.path().display()));
}

fn table(cell: &Cell) -> Table {
    let mut table = Table::new(vec![
        Column::text("protocol"),
        Column::number("requests/s"),
        Column::number("p50 (µs)"),
        Column::number("p99 (µs)"),
        Column::number("capacity (requests/s)"),
    ]);
    let text = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |s| s.to_string());
    for (index, (contestant, _)) in cell.contestants.iter().enumerate() {
        let mut row = vec![contestant.name()];
        row.extend(MEASURES.map(|(_, _, measure)| text(cell.spread(index, measure))));
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
