use super::*;

fn workload(config: WorkloadConfig, seed: u64) -> Workload {
    Workload::new(config, seed).unwrap()
}

fn everything() -> WorkloadConfig {
    let mix = Mix {
        get: 40,
        set: 30,
        incr: 15,
        append: 10,
        del: 5,
        null: 0,
    };
    WorkloadConfig {
        mix,
        value_bytes_min: 0,
        value_bytes_max: 40,
        ..Default::default()
    }
}

#[test]
fn a_seed_is_a_promise() {
    let first: Vec<String> = workload(everything(), 42)
        .client(0)
        .take(4)
        .map(|operation| String::from_utf8_lossy(operation.key()).into_owned())
        .collect();
    assert_eq!(first.join(" "), PROMISED);
}

const PROMISED: &str = "key00000950 key00000803 counter00000238 key00000901";

#[test]
fn a_client_depends_on_seed_and_index_alone() {
    let take = |seed, client| -> Vec<_> {
        workload(everything(), seed)
            .client(client)
            .take(50)
            .collect()
    };
    assert_eq!(take(1, 3), take(1, 3));
    assert_ne!(take(1, 3), take(1, 4));
    assert_ne!(take(1, 3), take(2, 3));
    // Drawing from one client does not move another.
    let shared = workload(everything(), 1);
    let (mut one, mut other) = (shared.client(3), shared.client(4));
    let mixed: Vec<_> = (0..50)
        .map(|_| (one.next_operation(), other.next_operation()))
        .collect();
    assert_eq!(
        mixed.iter().map(|pair| pair.0.clone()).collect::<Vec<_>>(),
        take(1, 3)
    );
}

#[test]
fn weights_are_kept() {
    let mut counts = [0_u32; 5];
    for operation in workload(everything(), 5).client(0).take(100_000) {
        let (kind, family) = match &operation {
            Operation::Get { .. } => (0, None),
            Operation::Set { .. } => (1, Some("key")),
            Operation::Incr { .. } => (2, Some("counter")),
            Operation::Append { .. } => (3, Some("key")),
            Operation::Del { .. } => (4, None),
            Operation::Null { .. } => panic!("a mix without it asks for nothing"),
        };
        counts[kind] += 1;
        if let Some(family) = family {
            assert!(operation.key().starts_with(family.as_bytes()));
        }
    }
    for (count, percent) in counts.into_iter().zip([40, 30, 15, 10, 5]) {
        // Six standard deviations are below 1,000 for any of them.
        assert!(count.abs_diff(percent * 1000) < 1000, "{counts:?}");
    }
    let only = WorkloadConfig {
        mix: Mix {
            get: 0,
            set: 0,
            incr: 0,
            append: 0,
            del: 7,
            null: 0,
        },
        ..everything()
    };
    assert!(
        workload(only, 1)
            .client(0)
            .take(9)
            .all(|it| matches!(it, Operation::Del { .. }))
    );
}

#[test]
fn reads_follow_the_writes() {
    let share = |set, incr| {
        let mix = Mix {
            get: 100,
            set,
            incr,
            append: 0,
            del: 0,
            null: 0,
        };
        let stream = workload(
            WorkloadConfig {
                mix,
                ..Default::default()
            },
            1,
        )
        .client(0);
        stream
            .filter(|operation| matches!(operation, Operation::Get { .. }))
            .take(10_000)
            .filter(|operation| operation.key().starts_with(b"counter"))
            .count()
    };
    assert_eq!(share(1, 0), 0);
    assert_eq!(share(0, 1), 10_000);
    assert!(share(3, 1).abs_diff(2_500) < 300);
    assert_eq!(share(0, 0), 0);
}

#[test]
fn the_newest_keys_are_read_most_and_every_write_is_of_a_new_one() {
    let mix = Mix {
        get: 80,
        set: 20,
        ..everything().mix
    };
    let mix = Mix {
        incr: 0,
        append: 0,
        del: 0,
        ..mix
    };
    let config = WorkloadConfig {
        mix,
        keys: 100,
        distribution: Distribution::Latest {
            exponent_thousandths: 990,
        },
        ..Default::default()
    };
    let shared = workload(config, 3);
    let mut clients = [shared.client(0), shared.client(1)];
    let index = |key: &[u8]| -> u64 { str::from_utf8(&key[3..]).unwrap().parse().unwrap() };
    let mut written = 100;
    let mut ages = [0_u32; 100];
    for turn in 0..20_000 {
        match clients[turn % 2].next_operation() {
            Operation::Set { key, .. } => {
                assert_eq!(index(&key), written, "the next new key, whoever writes");
                written += 1;
            }
            operation => {
                let age = written - 1 - index(operation.key());
                ages[usize::try_from(age).unwrap()] += 1;
            }
        }
    }
    assert!(written > 3_000, "{written}");
    // Zipf's law over 100 ages with 0.99: the newest has 19 % of the reads, the tenth 2 %.
    let reads: u32 = ages.iter().sum();
    assert!((ages[0] * 100 / reads).abs_diff(19) <= 2, "{ages:?}");
    assert!((ages[9] * 1_000 / reads).abs_diff(19) <= 6, "{ages:?}");
}

#[test]
fn values_have_every_length_of_their_range() {
    let mut seen = [false; 41];
    let mut values = Vec::new();
    for operation in workload(everything(), 1).client(0).take(20_000) {
        if let Operation::Set { value, .. } = operation {
            seen[value.len()] = true;
            assert!(value.is_ascii() && value.iter().all(u8::is_ascii_graphic));
            values.extend((value.len() >= 12).then_some(value));
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    let count = values.len();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), count, "two values are the same");
}

#[test]
fn impossible_workloads_say_what_is_possible() {
    let message = |config| Workload::new(config, 0).unwrap_err().to_string();
    let base = WorkloadConfig::default();
    let mix = Mix {
        get: 0,
        set: 0,
        incr: 0,
        append: 0,
        del: 0,
        null: 0,
    };
    assert!(message(WorkloadConfig { mix, ..base }).contains("give at least one of get, set"));
    let keys = message(WorkloadConfig { keys: 0, ..base });
    assert_eq!(keys, "0 keys: give 1 to 16777216");
    let distribution = Distribution::Zipf {
        exponent_thousandths: 5001,
    };
    assert_eq!(
        message(WorkloadConfig {
            distribution,
            ..base
        }),
        "a Zipf exponent of 5001 thousandths: give 0 to 5000"
    );
    let distribution = Distribution::Latest {
        exponent_thousandths: 990,
    };
    let ages = message(WorkloadConfig {
        distribution,
        ..everything()
    });
    assert!(
        ages.starts_with("operations incr, append, del on the keys written last"),
        "{ages}"
    );
    assert_eq!(
        message(WorkloadConfig {
            value_bytes_min: 17,
            ..base
        }),
        "values of 17 to 16 bytes: give a range within 0 to 1048576"
    );
}

#[test]
fn configuration_survives_json() {
    let distribution = Distribution::Zipf {
        exponent_thousandths: 990,
    };
    let config = WorkloadConfig {
        distribution,
        ..everything()
    };
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<WorkloadConfig>(&text).unwrap(),
        config
    );
    assert!(serde_json::from_str::<WorkloadConfig>(r#"{"kyes":3}"#).is_err());
}
