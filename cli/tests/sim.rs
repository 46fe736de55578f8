//! Simulated runs: a seed is the whole identity of one, and exit codes tell how it ended.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::{json, output, run};

#[test]
fn the_same_seed_gives_the_same_bytes_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, size) in [("--seed=1", "5"), ("--seed=2", "7"), ("--seed=3", "3")] {
        let flags = ["sim", seed, "--events", "--operations=25"];
        let (first, second) = (
            output(folder.path(), &flags, 0),
            output(folder.path(), &flags, 0),
        );
        assert!(
            first.lines().count() > 1_000,
            "{} lines",
            first.lines().count()
        );
        assert!(
            first == second,
            "{seed} with {size} replicas gave two different logs"
        );
    }
    let other = output(
        folder.path(),
        &["sim", "--seed=4", "--events", "--operations=25"],
        0,
    );
    let first = output(
        folder.path(),
        &["sim", "--seed=1", "--events", "--operations=25"],
        0,
    );
    assert_ne!(first, other);
}

#[test]
fn event_lines_have_fixed_columns() {
    let folder = tempfile::tempdir().unwrap();
    let text = output(
        folder.path(),
        &["sim", "--seed=5", "--events", "--operations=10"],
        0,
    );
    let mut last = 0;
    for line in text.lines() {
        let time: u64 = line[..12]
            .trim_start()
            .parse()
            .unwrap_or_else(|_| panic!("{line}"));
        assert!(time >= last, "{line}");
        last = time;
        let words = [&line[13..18], &line[19..28]];
        assert!(words.iter().all(|word| !word.starts_with(' ')), "{line}");
    }
    for event in [
        "recv", "send", "stamp", "install", "ask", "answer", "state", "heal", "end",
    ] {
        let found = text.lines().any(|line| line[19..28].trim_end() == event);
        assert!(found, "no event {event}");
    }
}

#[test]
fn a_sweep_reports_what_it_promises_whoever_ran_which_seed() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "sim",
        "--seed=10",
        "--seeds=12",
        "--operations=20",
        "--json",
    ];
    let text = output(folder.path(), &flags, 0);
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["schema"], &first["seed"]), (&1.into(), &10.into()));
    let summary: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (
            &summary["seeds"],
            &summary["failed"],
            &summary["operations"]
        ),
        (&12.into(), &0.into(), &1_200.into())
    );
    for number in [
        "events",
        "virtual_ns",
        "fast_path_share",
        "longest_gap_ns",
        "median_gap_ns",
    ] {
        assert!(summary[number].is_number(), "{number}: {summary}");
    }
    assert_eq!(output(folder.path(), &flags, 0), text);
}

#[test]
fn every_profile_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    for profile in [
        "none",
        "loss",
        "reorder",
        "light",
        "harsh",
        "crash",
        "restart",
        "rolling",
        "rolling-lost",
        "partition",
        "root",
        "disk",
        "storm",
        "all",
    ] {
        let faults = format!("--faults={profile}");
        let summary = json(folder.path(), &["sim", &faults, "--seeds=6", "--json"], 0);
        assert_eq!(summary["failed"], 0, "{summary}");
    }
    let one = [
        "sim",
        "--protocol=unreplicated",
        "--faults=harsh",
        "--seeds=6",
        "--json",
    ];
    assert_eq!(json(folder.path(), &one, 0)["failed"], 0);
}

#[test]
fn a_run_that_does_not_heal_is_exit_1_with_the_command_that_replays_it() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "sim",
        "--seed=3",
        "--seeds=2",
        "--operations=8",
        "--heal-time=0ns",
        "--json",
    ];
    let failed = run(folder.path(), &flags);
    assert_eq!(failed.status.code(), Some(1));
    let text = String::from_utf8(failed.stdout).unwrap();
    let told: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(
        (&told["failure"], &told["seed"]),
        (&"liveness".into(), &3.into())
    );
    let summary: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let command = summary["replay"].as_str().unwrap();
    assert!(
        command.contains("--only-faults=none --heal-time=0ns")
            || command.contains("--heal-time=0ns --only-faults=none"),
        "{command}"
    );
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let replayed = run(folder.path(), &words);
    assert_eq!(replayed.status.code(), Some(1));
    let said = String::from_utf8(replayed.stderr).unwrap();
    assert!(said.contains("did not heal"), "{said}");
}

#[test]
fn without_a_terminal_a_replay_prints_the_events_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--operations=10", "--faults=light"];
    let events = output(
        folder.path(),
        &[&["sim", "--seed=6", "--events"], &flags[..]].concat(),
        0,
    );
    let replayed = output(folder.path(), &[&["replay", "6"], &flags[..]].concat(), 0);
    assert!(events == replayed);
}

#[test]
fn no_mutant_survives_the_hunt() {
    let folder = tempfile::tempdir().unwrap();
    let summary = json(folder.path(), &["sim", "--mutants", "--json"], 0);
    assert!(summary["mutants"].as_u64().unwrap() >= 26, "{summary}");
    assert_eq!(summary["survivors"], serde_json::json!([]), "{summary}");
}

#[test]
fn a_mutant_that_there_is_not_is_answered_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["replay", "1", "--mutant=keep-terms"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    for words in ["no mutant keep-terms", "never-truncate", "keep-term"] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_broken_invariant_is_exit_3() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["sim", "--mutant=merge-one-vote", "--faults=storm", "--json"];
    let summary = json(folder.path(), &arguments, 3);
    assert!(summary["failed"].as_u64().unwrap() > 0, "{summary}");
}
