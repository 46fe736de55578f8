//! `figure`: what is published beside ours, with plots and a report, small enough for a test.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::output;
use roxmltree::{Document, Node};
use serde_json::Value;
use std::fs;
use std::path::Path;

const SMALL: [&str; 4] = [
    "figure",
    "rounds-vs-leaders",
    "--seeds=1",
    "--operations=128",
];
const CONTESTANTS: [&str; 5] = [
    "rounds",
    "vr",
    "vr:unbatched",
    "mencius",
    "mencius:unbatched",
];

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join("runs/latest").join(file)).unwrap()
}

fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let is_text = |node: &Node<'_, '_>| node.has_tag_name("text");
    let nodes = document.descendants().filter(is_text);
    nodes
        .filter_map(|node| Some(node.text()?.trim().to_owned()))
        .collect()
}

#[test]
fn without_a_name_all_are_listed_with_what_they_show() {
    let folder = tempfile::tempdir().unwrap();
    let text = output(folder.path(), &["figure"], 0);
    for name in [
        "nsdi15-latency-throughput",
        "nsdi15-reordering",
        "rounds-vs-leaders",
        "replicas-3-to-9",
        "connections-1-to-24",
        "capacity-check",
    ] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.split_whitespace().count() > 4, "{line}");
    }
    let json = output(folder.path(), &["figure", "--json"], 0);
    for line in json.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert!(
            object["figure"].is_string() && object["says"].is_string(),
            "{line}"
        );
    }
    assert!(!folder.path().join("runs").exists(), "a list is no run");
}

fn each_contestant_has_a_row_for_each_load(csv: &str) {
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    for clients in ["1", "4", "16", "64", "224"] {
        let so_many = rows.iter().filter(|row| row[3] == clients);
        assert_eq!(so_many.count(), CONTESTANTS.len(), "{clients}: {csv}");
    }
    assert!(
        rows[1..]
            .iter()
            .all(|row| row[1] == "virtual" && row.len() == rows[0].len())
    );
}

#[test]
fn a_figure_is_a_table_raw_results_plots_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let text = output(folder.path(), &SMALL, 0);
    let rows: Vec<_> = text
        .lines()
        .filter(|line| line.ends_with("  virtual"))
        .collect();
    assert_eq!(rows.len(), 2, "{text}");
    for (row, published) in rows.iter().zip(["3.55", "2.09"]) {
        assert!(row.contains(published), "{row}");
        assert!(row.contains(" yes ") || row.contains(" NO "), "{row}");
    }
    assert!(!text.lines().any(|line| line.ends_with("  real")), "{text}");

    let csv = read(folder.path(), "samples.csv");
    each_contestant_has_a_row_for_each_load(&csv);
    let samples: Vec<Value> = serde_json::from_str(&read(folder.path(), "samples.json")).unwrap();
    // The row is made of the raw results: the best of each, turn by turn.
    let best = |names: &[&str]| {
        let own = samples
            .iter()
            .filter(|one| names.contains(&one["contestant"].as_str().unwrap()));
        own.map(|one| one["throughput_ops"].as_f64().unwrap())
            .fold(0.0, f64::max)
    };
    for protocol in ["vr", "mencius"] {
        let unbatched = format!("{protocol}:unbatched");
        assert!(best(&[protocol]) > best(&[&unbatched]), "{protocol}: {csv}");
    }
    let figure: Value = serde_json::from_str(&read(folder.path(), "figure.json")).unwrap();
    let ours = figure["rows"][0]["ours"]["median"].as_f64().unwrap();
    let expected = best(&["rounds"]) / best(&["vr", "vr:unbatched"]);
    assert!((ours - expected).abs() < 1e-9 && ours > 0.0, "{figure}");
    let ratio = figure["rows"][0]["ratio"].as_f64().unwrap();
    assert!((ratio * 3.55 - ours).abs() < 1e-9, "{figure}");

    let report = read(folder.path(), "report.html");
    for name in [
        "throughput-over-clients-virtual",
        "latency-over-throughput-virtual",
    ] {
        let svg = read(folder.path(), &format!("{name}.svg"));
        let texts = texts(&svg);
        for expected in CONTESTANTS {
            assert!(
                texts.iter().any(|text| text == expected),
                "{name}: {texts:?}"
            );
        }
        assert!(
            texts.iter().any(|text| text.ends_with("(virtual time)")),
            "{texts:?}"
        );
        assert!(report.contains(&svg), "{name}");
    }
    let run: Value = serde_json::from_str(&read(folder.path(), "run.json")).unwrap();
    let kernel = run["machine"]["kernel"].as_str().unwrap();
    for expected in [
        "Seed 1, commit",
        kernel,
        "--operations=128",
        ">virtual</td>",
        "2507.12792",
    ] {
        assert!(report.contains(expected), "{expected}");
    }
    assert!(!report.contains("src=") && !report.contains("href="));
}

#[test]
fn one_seed_gives_the_same_raw_results_every_time_and_another_one_others() {
    let raw = |seed: &str| {
        let folder = tempfile::tempdir().unwrap();
        output(folder.path(), &[&SMALL[..], &[seed]].concat(), 0);
        read(folder.path(), "samples.csv")
    };
    let first = raw("--seed=5");
    assert_eq!(first, raw("--seed=5"));
    assert_ne!(first, raw("--seed=6"));
}

#[test]
fn real_rows_stand_beside_virtual_ones_with_their_label() {
    let folder = tempfile::tempdir().unwrap();
    let real = [
        "--real",
        "--fabric=embedded",
        "--repetitions=1",
        "--duration=200ms",
        "--warm-up=50ms",
        "--json",
    ];
    let text = output(folder.path(), &[&SMALL[..], &real].concat(), 0);
    let objects: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, rows) = objects.split_last().unwrap();
    assert_eq!(summary["rows"], rows.len());
    let of = |clock: &str| rows.iter().filter(|row| row["clock"] == clock).count();
    // In real time capacity and throughput each have a row.
    assert_eq!((of("virtual"), of("real")), (2, 4));
    let measured = |row: &&Value| row["clock"] == "real" && row["measure"] == "throughput";
    for row in rows.iter().filter(measured) {
        assert!(row["ours"]["median"].as_f64() > Some(0.0), "{row}");
        assert!(row["goal"].is_null(), "{row}");
    }
    for (name, time) in [
        ("virtual", "virtual time"),
        ("real", "real time of this machine"),
    ] {
        let svg = read(
            folder.path(),
            &format!("throughput-over-clients-{name}.svg"),
        );
        assert!(svg.contains(time), "{name}");
    }
}
