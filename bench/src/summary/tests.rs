use super::*;
use crate::recorder::Sample;

const SECOND: u64 = 1_000_000_000;

fn labels(name: &str) -> Labels {
    Labels {
        name: name.into(),
        wait: "block".into(),
        ..Labels::default()
    }
}

/// 1,000 operations in the second after one second of warm-up, of 1 to 1,000 µs; every tenth took
/// the slow path; and one that failed.
fn recorder() -> Recorder {
    let mut recorder = Recorder::new(SECOND);
    for number in 1..=1000 {
        let class = if number % 10 == 0 {
            OutcomeClass::Slow
        } else {
            OutcomeClass::Fast
        };
        let intended_ns = SECOND + (number - 1) * 1_000_000;
        recorder.record(Sample {
            intended_ns,
            ended_ns: intended_ns + number * 1_000,
            class,
        });
    }
    let class = OutcomeClass::Failed;
    recorder.record(Sample {
        intended_ns: SECOND,
        ended_ns: SECOND + 7_000,
        class,
    });
    recorder.record(Sample {
        intended_ns: 0,
        ended_ns: 5_000,
        class: OutcomeClass::Fast,
    });
    recorder.add_rollbacks(3);
    recorder
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() <= expected / 1000.0)
}

#[test]
fn numbers_are_those_of_the_samples() {
    let summary = recorder().summary(labels("spec-paxos"), 3 * SECOND);
    assert_eq!(
        (
            summary.requests,
            summary.warm_up_requests,
            summary.rollbacks
        ),
        (1001, 1, 3)
    );
    assert_eq!((summary.fast, summary.slow, summary.failed), (900, 100, 1));
    let exactly = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
    assert!(exactly(summary.duration_s, 2.0) && exactly(summary.warm_up_s, 1.0));
    assert!(exactly(summary.throughput_ops, 500.0));
    assert!(
        summary
            .fast_path_share
            .is_some_and(|share| exactly(share, 0.9))
    );
    let latency = summary.latency;
    assert!(close(latency.mean_us, 500.5), "{latency:?}");
    assert!(close(latency.p50_us, 500.0), "{latency:?}");
    assert!(close(latency.p90_us, 900.0), "{latency:?}");
    assert!(close(latency.p99_us, 990.0), "{latency:?}");
    assert!(close(latency.p999_us, 999.0), "{latency:?}");
    assert!(close(latency.max_us, 1000.0), "{latency:?}");
    assert!(
        close(summary.by_class.slow.p50_us, 500.0),
        "{:?}",
        summary.by_class
    );
    assert!(
        close(summary.by_class.failed.max_us, 7.0),
        "{:?}",
        summary.by_class
    );
    // The last reply came with the end of its second; then one second was silent.
    assert!(
        exactly(summary.longest_gap_us, 1_000_000.0),
        "{}",
        summary.longest_gap_us
    );
    let seconds: Vec<_> = summary
        .timeline
        .iter()
        .map(|row| (row.second, row.fast))
        .collect();
    assert_eq!(seconds, [(0, 1), (1, 900), (2, 0)]);
    assert_eq!(summary.timeline[1].failed, 1);
    assert_eq!(
        (summary.timeline[2].slow, summary.timeline[2].max_us),
        (1, Some(1000.0))
    );
}

#[test]
fn a_run_without_replies_has_no_latency() {
    let mut recorder = Recorder::new(0);
    let class = OutcomeClass::Failed;
    recorder.record(Sample {
        intended_ns: 0,
        ended_ns: SECOND,
        class,
    });
    let summary = recorder.summary(labels("dead"), 2 * SECOND);
    assert_eq!(summary.latency, Latency::default());
    assert_eq!(summary.fast_path_share, None);
    assert!((summary.longest_gap_us - 2e6).abs() < 1e-6);
    let empty = Recorder::new(0).summary(labels("empty"), 0);
    assert!(empty.throughput_ops.abs() < 1e-9 && empty.requests == 0);
}

#[test]
fn json_has_the_names_that_others_read() {
    let summary = recorder().summary(labels("spec-paxos"), 3 * SECOND);
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    assert!(text.starts_with(r#"{"schema":1,"name":"spec-paxos","clock":"wall","wait":"block""#));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in [
        "requests",
        "throughput_ops",
        "mean_us",
        "p50_us",
        "p90_us",
        "p99_us",
        "p999_us",
        "max_us",
        "fast_path_share",
        "rollbacks",
        "longest_gap_us",
        "duration_s",
    ] {
        assert!(value[name].is_number(), "{name}");
    }
    assert!(value["offered_ops"].is_null());
}

#[test]
fn table_is_aligned() {
    let slow = Recorder::new(0).summary(
        Labels {
            clock: Clock::Virtual,
            ..labels("nothing")
        },
        SECOND,
    );
    let fast = recorder().summary(labels("spec-paxos"), 3 * SECOND);
    let table = Summary::table(&[fast, slow]).to_string();
    let expected = "\
run         clock    wait   requests  failed  ops/s  p50 (µs)  p90 (µs)  p99 (µs)  p99.9 (µs)  \
max (µs)  fast path (%)  rollbacks  longest gap (µs)
spec-paxos  wall     block      1001       1    500       500       900       990         999      \
1000           90.0          3           1000000
nothing     virtual  block         0       0      0         -         -         -           -         \
-              -          0           1000000
";
    assert_eq!(table, expected);
}

#[test]
fn a_generator_that_was_the_bottleneck_is_named() {
    let mut slow = recorder();
    let offered = |offered_ops| Labels {
        offered_ops: Some(offered_ops),
        ..labels("x")
    };
    let calm = slow.summary(offered(505), 3 * SECOND);
    assert_eq!(calm.warnings(), Vec::<String>::new());
    let pressed = slow.summary(offered(506), 3 * SECOND);
    assert_eq!(
        pressed.warnings(),
        [
            "506 ops/s were offered and 500 answered: the system or the load generator was the \
          bottleneck"
        ]
    );
    for _ in 0..100 {
        slow.record_start(SECOND, SECOND + 600_000);
    }
    let late = slow.summary(labels("x"), 3 * SECOND).warnings();
    assert_eq!(late.len(), 1);
    assert!(
        late[0].starts_with("requests were sent 600 µs late at p99"),
        "{}",
        late[0]
    );
    let mut endless = Recorder::new(0);
    let class = OutcomeClass::Fast;
    endless.record(Sample {
        intended_ns: 0,
        ended_ns: 8_000 * SECOND,
        class,
    });
    assert!(endless.summary(labels("x"), 0).warnings()[0].starts_with("1 operations ended after"));
}
