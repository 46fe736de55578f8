//! Groups that must never lie and never hang.

use super::*;
use crate::linearizability::kv::Kv as Model;
use crate::linearizability::{Bounds, Verdict, check};

fn settings(seed: u64, replicas: usize, faults: Faults) -> Settings {
    Settings {
        seed,
        replicas,
        clients: 4,
        operations: 60,
        keys: 5,
        faults,
        faults_until: 200,
        crash: None,
        limit: Tick(120_000_000_000),
    }
}

/// Runs and checks what every run must satisfy.
fn checked(settings: Settings) -> Outcome {
    let outcome = run(settings);
    let report = check::<Model>(&outcome.history, &Bounds::default());
    assert_eq!(
        report.verdict,
        Verdict::Linearizable,
        "seed {}",
        settings.seed
    );
    assert!(
        outcome
            .history
            .calls()
            .iter()
            .all(|call| call.completion.is_some())
    );
    let digests: Vec<_> = outcome
        .replicas
        .iter()
        .map(|status| status.digest)
        .collect();
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "seed {}",
        settings.seed
    );
    outcome
}

const HARSH: Faults = Faults {
    loss_ppm: 10_000,
    reorder_ppm: 10_000,
    reorder_ns: 200_000,
    duplicate_ppm: 5_000,
};

#[test]
fn a_quiet_network_answers_everything_in_one_round_trip() {
    for replicas in [1, 3, 5, 7] {
        let outcome = checked(settings(1, replicas, Faults::default()));
        assert_eq!(
            (outcome.fast, outcome.slow),
            (240, 0),
            "{replicas} replicas"
        );
        let rolled_back: u64 = outcome
            .replicas
            .iter()
            .map(|s| s.counters.rolled_back)
            .sum();
        assert_eq!(rolled_back, 0);
    }
}

#[test]
fn loss_and_reordering_neither_hang_nor_lie() {
    let mut rolled_back = 0;
    for seed in 1..=60 {
        for replicas in [3, 5, 7] {
            let outcome = checked(settings(seed, replicas, HARSH));
            rolled_back += outcome
                .replicas
                .iter()
                .map(|s| s.counters.rolled_back)
                .sum::<u64>();
        }
    }
    assert!(
        rolled_back > 0,
        "the faults never led to a rollback: the test tests nothing"
    );
}

#[test]
fn heavy_reordering_with_five_clients_on_five_replicas() {
    // The schedule under which the published replicas crash in rollback and their clients hang.
    let faults = Faults {
        reorder_ppm: 200_000,
        reorder_ns: 100_000,
        ..Faults::default()
    };
    for seed in 1..=20 {
        checked(Settings {
            clients: 5,
            ..settings(seed, 5, faults)
        });
    }
}

#[test]
fn a_crashed_replica_does_not_stop_the_others() {
    for seed in 1..=20 {
        for crashed in 0..3 {
            let crash = Some((100, ReplicaId(crashed)));
            let outcome = checked(Settings {
                crash,
                ..settings(seed, 3, Faults::default())
            });
            assert!(outcome.slow > 0, "two of three cannot be a superquorum");
            assert!(
                outcome.longest_gap_ns < 500_000_000,
                "gap {}",
                outcome.longest_gap_ns
            );
        }
    }
}

#[test]
fn a_crash_under_faults() {
    for seed in 1..=30 {
        let crashed = ReplicaId(u8::try_from(seed % 5).unwrap());
        let crash = Some((80, crashed));
        checked(Settings {
            crash,
            ..settings(seed, 5, HARSH)
        });
    }
}
