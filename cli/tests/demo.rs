//! The tour: what it reports, and that faults neither hang it nor make it lie.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::{folder, json, output};

#[test]
fn the_demo_is_linearizable_and_reports_what_it_promises() {
    let folder = folder();
    let result = json(folder.path(), &["demo", "--requests=6000", "--json"], 0);
    assert_eq!(result["linearizable"], true);
    assert_eq!(
        (&result["requests"], &result["seed"]),
        (&6000.into(), &1.into())
    );
    for number in [
        "fast_path_share",
        "rollbacks",
        "p50_us",
        "p99_us",
        "throughput_ops",
    ] {
        assert!(result[number].is_number(), "{number}: {result}");
    }
    assert!(result["fast_path_share"].as_f64() > Some(0.5), "{result}");
    let run = folder.path().join("runs/latest");
    for file in [
        "run.json",
        "summary.json",
        "result.json",
        "history.ndjson",
        "deployment.json",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
}

/// What the readme begins with.
#[test]
fn no_word_at_all_is_the_demo() {
    let folder = folder();
    let text = output(folder.path(), &[], 0);
    assert!(text.contains("linearizable"), "{text}");
}

#[test]
fn loss_and_reordering_are_survived_by_seed() {
    let folder = folder();
    for seed in 1..=3 {
        let seed = format!("--seed={seed}");
        let flags = [
            "demo",
            "--loss=1%",
            "--reorder=1%",
            "--requests=1500",
            "--clients=4",
            &seed,
            "--json",
        ];
        let result = json(folder.path(), &flags, 0);
        assert_eq!(result["unanswered"], 0, "{result}");
        assert!(
            result["view_changes"].as_u64() > Some(0),
            "no fault had an effect: {result}"
        );
    }
}

#[test]
fn five_replicas_and_one_server() {
    let folder = folder();
    let five = ["demo", "--replicas=5", "--requests=2000", "--json"];
    assert_eq!(json(folder.path(), &five, 0)["replicas"], 5);
    let one = [
        "demo",
        "--protocol=unreplicated",
        "--requests=2000",
        "--json",
    ];
    let result = json(folder.path(), &one, 0);
    assert_eq!(
        (&result["replicas"], &result["linearizable"]),
        (&1.into(), &true.into())
    );
}

#[test]
fn clients_of_rounds_ask_one_member_each() {
    let folder = folder();
    let rounds = [
        "demo",
        "--protocol=rounds",
        "--requests=2000",
        "--loss=0",
        "--reorder=0",
        "--json",
    ];
    let result = json(folder.path(), &rounds, 0);
    for (field, expected) in [
        ("linearizable", true.into()),
        ("digests_equal", true.into()),
        ("unanswered", serde_json::Value::from(0)),
        ("rollbacks", 0.into()),
    ] {
        assert_eq!(result[field], expected, "{field}: {result}");
    }
}

#[test]
fn text_goes_to_people_and_ends_with_the_next_step() {
    let folder = folder();
    let text = output(
        folder.path(),
        &["demo", "--requests=300", "--loss=0", "--reorder=0"],
        0,
    );
    assert!(
        text.contains("verdict    linearizable (300 operations checked)"),
        "{text}"
    );
    assert!(text.contains("one round trip (%)"), "{text}");
    assert!(
        text.trim_end().lines().last().unwrap().starts_with("next "),
        "{text}"
    );
}
