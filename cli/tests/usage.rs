//! Wrong use: exit code 2 and an error that says what is valid.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::{downbeat, output, run};

fn error(arguments: &[&str], code: i32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

#[test]
fn mistakes_are_told_with_what_is_valid() {
    for (arguments, expected) in [
        (vec!["dmeo"], "demo"),
        (vec!["demo", "--replica=3"], "--replicas"),
        (
            vec!["demo", "--replicas=4"],
            "a group of 4 replicas is not possible: valid are 1, 3",
        ),
        (vec!["demo", "--loss=2"], "loss"),
        (vec!["demo", "--clients=0"], "1..=512"),
        (vec!["up", "--fabric=tunel"], "tunnel"),
        (vec!["up", "--mtu=9000"], "640..=8900"),
        (
            vec!["up", "--protocol=unreplicated"],
            "exactly 1 replica, not 3",
        ),
        (vec!["up", "--protocol=chords"], "spec-paxos, rounds, vr"),
        (
            vec!["up", "--doors=4"],
            "4 front doors are not possible: valid are 1 to 3, one a replica",
        ),
        (
            vec!["up", "--doors=3", "--resp-port=65534"],
            "3 front doors from port 65534 on are not possible",
        ),
        (vec!["status"], "`downbeat up` brings a deployment up"),
        (vec!["down"], "holds no deployment"),
        (vec!["kv", "get", "x"], "deployment.json"),
        (
            vec!["switch", "--deployment=nowhere.json"],
            "cannot read nowhere.json",
        ),
        (vec!["p4", "check"], "--p4 names the folder"),
        (vec!["sim", "--faults=hrash"], "harsh"),
        (
            vec!["sim", "--replicas=3,4"],
            "a group of 4 replicas is not possible: valid are 1, 3",
        ),
        (vec!["sim", "--clients=225"], "valid are 1 to 224"),
        (
            vec!["sim", "--operations=0"],
            "operations must be at least 1",
        ),
        (vec!["sim", "--only-faults=3,x"], "\"x\" is no number"),
        (vec!["sim", "--heal-time=5"], "ns, us, ms or s"),
        (
            vec!["sim", "--events", "--seeds=5"],
            "--events prints one run, not 5",
        ),
        (vec!["sim", "--mutants", "--seed=3"], "cannot be used with"),
        (
            vec!["sim", "--seed=1", "--mutant=none"],
            "protocol spec-paxos has no mutant none",
        ),
        (
            vec!["sim", "--protocol=unreplicated", "--replicas=5"],
            "exactly 1 replica, not 5",
        ),
        (vec!["replay"], "<SEED>"),
        (vec!["replay", "seven"], "invalid digit"),
        (
            vec!["p4", "build", "--p4c=no-such-compiler"],
            "https://github.com/p4lang/p4c",
        ),
    ] {
        let text = error(&arguments, 2);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn mistakes_with_measurements_are_told_with_what_is_valid() {
    for (arguments, expected) in [
        (
            vec!["sim", "--think=1ms"],
            "clients that pause do not think besides: give --steady",
        ),
        (
            vec!["figure", "rounds-vs-leader"],
            "did you mean rounds-vs-leaders?",
        ),
        (
            vec!["figure", "nsdi16"],
            "valid: nsdi15-latency-throughput, nsdi15-reordering",
        ),
        (vec!["figure", "capacity-check"], "give --real"),
        (
            vec!["figure", "capacity-check", "--real", "--fabric=embedded"],
            "use --fabric=tunnel",
        ),
        (
            vec!["figure", "rounds-vs-leaders", "--duration=1s"],
            "--real",
        ),
        (
            vec!["figure", "rounds-vs-leaders", "--full", "--seeds=2"],
            "cannot be used with",
        ),
        (
            vec!["compare", "vr:gap-unaware"],
            "variant of spec-paxos only, not of vr",
        ),
    ] {
        let text = error(&arguments, 2);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn a_bmv2_that_is_not_there_is_exit_2_with_the_way_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let mut command = downbeat(folder.path());
    let output = command
        .args(["up", "--fabric=bmv2"])
        .env("PATH", empty.path())
        .env_remove("DOWNBEAT_BMV2")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("https://github.com/p4lang/behavioral-model"),
        "{text}"
    );
}

#[test]
fn settings_files_and_the_environment_are_shown_by_config() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("downbeat.toml"), "replicas = 5\n").unwrap();
    let text = output(folder.path(), &["config"], 0);
    let line = text
        .lines()
        .find(|line| line.starts_with("up ") && line.contains("--replicas"));
    assert!(
        line.is_some_and(
            |line| line.ends_with("5      downbeat.toml") || line.contains("downbeat.toml")
        ),
        "{text}"
    );
    let with = downbeat(folder.path())
        .arg("config")
        .env("DOWNBEAT_REPLICAS", "7")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&with.stdout).into_owned();
    assert!(text.contains("environment DOWNBEAT_REPLICAS"), "{text}");
    std::fs::write(folder.path().join("downbeat.toml"), "replcas = 5\n").unwrap();
    let output = run(folder.path(), &["config"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean replicas?"));
}

#[test]
fn every_help_begins_with_two_examples_that_parse() {
    let folder = tempfile::tempdir().unwrap();
    let verbs = [
        "demo",
        "up",
        "down",
        "status",
        "kv",
        "bench",
        "compare",
        "figure",
        "switch",
        "controller",
        "replica",
        "front",
        "p4",
        "sim",
        "replay",
        "doctor",
        "config",
    ];
    for verb in verbs {
        let help = output(folder.path(), &[verb, "--help"], 0);
        let examples: Vec<_> = help
            .lines()
            .skip(1)
            .take_while(|line| !line.trim().is_empty())
            .collect();
        assert!(help.starts_with("Examples:"), "{verb}: {help}");
        assert_eq!(examples.len(), 2, "{verb}: {help}");
        for example in examples {
            let words: Vec<_> = example
                .split_whitespace()
                .skip_while(|word| *word != "downbeat")
                .skip(1)
                .collect();
            let mut words: Vec<&str> = words;
            words.push("--help");
            output(folder.path(), &words, 0);
        }
    }
}

#[test]
fn doctor_finds_nothing_missing_for_the_embedded_fabric() {
    let folder = tempfile::tempdir().unwrap();
    let text = output(folder.path(), &["doctor"], 0);
    assert!(
        text.contains("up --fabric=tunnel") && text.contains("simple_switch_grpc"),
        "{text}"
    );
}
