//! `bench` and `compare`: what they report on each fabric, by each protocol, and what makes them fail.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::{NAMESPACES, json, may_use_namespaces, run, skip};
use serde_json::Value;

/// A short run; returns its result.
fn bench(flags: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let common = ["bench", "--duration=1s", "--warm-up=200ms", "--json"];
    let arguments: Vec<_> = common.into_iter().chain(flags.iter().copied()).collect();
    let result = json(folder.path(), &arguments, 0);
    assert_eq!(result["failed"], 0, "{result}");
    assert_eq!(result["replicas_agree"], true, "{result}");
    assert!(result["requests"].as_u64() > Some(0), "{result}");
    assert!(result["p50_us"].as_f64() <= result["p99_us"].as_f64());
    for file in ["run.json", "bench.json", "summary.json", "deployment.json"] {
        let path = folder.path().join("runs/latest").join(file);
        assert!(path.is_file(), "{file}");
    }
    result
}

const PROTOCOLS: [&str; 7] = [
    "spec-paxos",
    "rounds",
    "vr",
    "nopaxos",
    "mencius",
    "fast-paxos",
    "unreplicated",
];

#[test]
fn every_protocol_is_measured_in_one_process() {
    for protocol in PROTOCOLS {
        let flag = format!("--protocol={protocol}");
        let result = bench(&[&flag, "--workload=ycsb-a", "--keys=50"]);
        assert_eq!(result["protocol"], protocol);
        assert_eq!(result["processor"][0]["role"], "switch and replicas");
    }
}

#[test]
fn processes_show_what_each_role_spends_and_the_capacity_of_the_bottleneck() {
    let result = bench(&[
        "--fabric=tunnel",
        "--protocol=vr",
        "--batching=off",
        "--clients=4",
    ]);
    let roles: Vec<_> = result["processor"].as_array().unwrap().iter().collect();
    let cost = |name: &str| {
        let role = roles.iter().find(|role| role["role"] == name).unwrap();
        role["us_per_request"].as_f64().unwrap()
    };
    assert!(cost("s1") > 0.0, "{result}");
    // Who leads depends on who was heard first while the switch had no rules yet.
    let leader = result["bottleneck"].as_str().unwrap();
    for replica in ["r0", "r1", "r2"] {
        assert!(cost(replica) > 0.0, "{result}");
        assert!(cost(replica) <= cost(leader), "{result}");
    }
    let capacity = result["capacity_ops"].as_f64().unwrap();
    assert!(
        (capacity * cost(leader) / 1e6 - 1.0).abs() < 1e-6,
        "{result}"
    );
}

#[test]
fn an_open_loop_asks_as_often_as_it_was_told() {
    let result = bench(&["--rate=500", "--arrivals=constant", "--clients=8"]);
    let throughput = result["throughput_ops"].as_f64().unwrap();
    assert!((450.0..=510.0).contains(&throughput), "{result}");
    assert_eq!(result["offered_ops"], 500);
}

#[test]
fn namespaces_are_measured_too() {
    if !may_use_namespaces() {
        skip("bench in namespaces", NAMESPACES);
        return;
    }
    let result = bench(&["--fabric=netns", "--protocol=rounds", "--clients=4"]);
    assert!(result["capacity_ops"].as_f64() > Some(0.0), "{result}");
}

#[test]
fn a_threshold_that_is_missed_is_exit_code_1_and_nonsense_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["bench", "--duration=300ms", "--warm-up=0ms", "--clients=1"];
    let with = |flags: &[&'static str]| {
        let arguments: Vec<_> = short.into_iter().chain(flags.iter().copied()).collect();
        let output = run(folder.path(), &arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = with(&["--p50-max=1ns"]);
    assert!(code == 1 && text.contains("--p50-max allows"), "{text}");
    let (code, text) = with(&["--throughput-min=1000000000"]);
    assert!(code == 1 && text.contains("--throughput-min"), "{text}");
    let (code, text) = with(&["--batching=off"]);
    assert!(
        code == 2 && text.contains("--batching=off: vr, mencius"),
        "{text}"
    );
    let (code, text) = with(&["--rate=5", "--think=1ms"]);
    assert!(code == 2 && text.contains("--think"), "{text}");
    let (code, text) = with(&["--workload=ycsb-e"]);
    assert!(code == 2 && text.contains("valid are null"), "{text}");
}

#[test]
fn a_comparison_takes_turns_and_tells_ratios_of_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "compare",
        "vr",
        "vr:unbatched",
        "--fabric=tunnel",
        "--clients=1,4",
        "--repetitions=2",
        "--duration=300ms",
        "--warm-up=100ms",
        "--json",
    ];
    let last = json(folder.path(), &arguments, 0);
    assert_eq!(
        (&last["cells"], &last["repetitions"]),
        (&2.into(), &2.into())
    );
    let run = folder.path().join("runs/latest");
    let csv = std::fs::read_to_string(run.join("compare.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1 + 2 * 2 * 2, "{csv}");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{csv}");
    let text = std::fs::read_to_string(run.join("compare.json")).unwrap();
    let objects: Vec<Value> = serde_json::from_str(&text).unwrap();
    for object in &objects {
        let ratio = &object["first_over_this_capacity_ops"];
        assert_eq!(ratio["count"], 2, "{object}");
        assert!(
            ratio["min"].as_f64() <= ratio["median"].as_f64(),
            "{object}"
        );
    }
    assert_eq!(objects[0]["first_over_this_p50_us"]["median"], 1.0);
    assert_eq!(objects[1]["contestant"], "vr:unbatched");
    assert!(rows[1..].iter().all(|row| row[1] == "real"), "{csv}");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    for name in [
        "latency-over-clients-n3-real",
        "latency-over-throughput-n3-real",
    ] {
        let svg = std::fs::read_to_string(run.join(format!("{name}.svg"))).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        for contestant in ["vr", "vr:unbatched"] {
            let is = |node: roxmltree::Node<'_, '_>| node.text().map(str::trim) == Some(contestant);
            assert!(document.descendants().any(is), "{name}: {contestant}");
        }
        assert!(report.contains(&svg), "{name}");
    }
    assert!(
        report.contains("had ") && report.contains("Seed 1, commit"),
        "{report}"
    );
    let wrong = run_wrong(folder.path());
    assert!(wrong.contains("valid are spec-paxos"), "{wrong}");
}

fn run_wrong(folder: &std::path::Path) -> String {
    let output = run(folder, &["compare", "paxos"]);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stderr).into_owned()
}
