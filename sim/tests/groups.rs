//! Groups that must never lie and never hang.

use sim::profile::Profile;
use sim::run::run;
use sim::schedule::Noise;
use sim::settings::{MS, ProtocolName, Settings};
use sim::world::{Blueprint, Ending, Outcome};

fn checked(settings: &Settings, seed: u64, blueprint: &Blueprint) -> Outcome {
    let outcome = run(settings, seed, blueprint);
    let told = sim::report::failure(&outcome);
    assert_eq!(outcome.ending, Ending::Passed, "{told}");
    let operations = (settings.clients * settings.operations) as u64;
    assert_eq!(outcome.tally.answered(), operations);
    outcome
}

fn quiet() -> Settings {
    Settings {
        profile: Profile::None,
        ..Settings::default()
    }
}

#[test]
fn a_quiet_network_answers_everything_in_one_round_trip() {
    let blueprint = Blueprint::new();
    for replicas in [1, 3, 5, 7, 9] {
        let settings = Settings {
            replicas: vec![replicas],
            ..quiet()
        };
        let outcome = checked(&settings, 1, &blueprint);
        assert_eq!(
            (outcome.tally.fast, outcome.tally.slow),
            (300, 0),
            "{replicas} replicas"
        );
        assert_eq!(
            (outcome.counters.rolled_back, outcome.counters.view_changes),
            (0, 0)
        );
    }
}

#[test]
fn a_quiet_network_answers_rounds_at_the_member_that_is_asked_first() {
    let blueprint = Blueprint::new();
    for replicas in [1, 3, 5, 7] {
        let settings = Settings {
            protocol: ProtocolName::Rounds,
            replicas: vec![replicas],
            // One member takes the requests of all clients, which its small bound does not allow.
            pauses: false,
            ..quiet()
        };
        let outcome = checked(&settings, 1, &blueprint);
        let tally = outcome.tally;
        assert_eq!((tally.fast, tally.slow), (300, 0), "{replicas} replicas");
        assert_eq!(outcome.counters.rolled_back, 0, "nothing is speculated");
    }
}

#[test]
fn one_server_is_linearizable_too() {
    let blueprint = Blueprint::new();
    for profile in [
        Profile::Harsh,
        Profile::Reorder,
        Profile::Root,
        Profile::Partition,
    ] {
        let settings = Settings {
            protocol: ProtocolName::Unreplicated,
            profile,
            ..Settings::default()
        };
        for seed in 1..=10 {
            checked(&settings, seed, &blueprint);
        }
    }
}

#[test]
fn loss_and_reordering_neither_hang_nor_lie() {
    let blueprint = Blueprint::new();
    let settings = Settings {
        profile: Profile::None,
        clients: 4,
        steady: Noise {
            loss_ppm: 10_000,
            duplicate_ppm: 5_000,
            reorder_ppm: 10_000,
            reorder_ns: 200_000,
        },
        ..Settings::default()
    };
    let outcomes = (1..=90).map(|seed| checked(&settings, seed, &blueprint));
    let rolled_back: u64 = outcomes.map(|outcome| outcome.counters.rolled_back).sum();
    assert!(
        rolled_back > 0,
        "the faults never led to a rollback: the test tests nothing"
    );
}

/// The schedule under which the published replicas crash in rollback and merge, and their clients
/// hang for ever: five replicas, five closed-loop clients, 5 to 20 % of the frames overtaken.
#[test]
fn heavy_reordering_with_five_clients_on_five_replicas() {
    let blueprint = Blueprint::new();
    let mut rolled_back = 0;
    for percent in [5, 10, 15, 20] {
        let settings = Settings {
            replicas: vec![5],
            clients: 5,
            operations: 100,
            profile: Profile::None,
            pauses: false,
            steady: Noise {
                reorder_ppm: percent * 10_000,
                reorder_ns: 100_000,
                ..Noise::default()
            },
            ..Settings::default()
        };
        for seed in 1..=20 {
            rolled_back += checked(&settings, seed, &blueprint).counters.rolled_back;
        }
    }
    assert!(
        rolled_back > 1_000,
        "{rolled_back} rollbacks are not the schedule that is meant"
    );
}

#[test]
fn a_replica_that_ends_for_good_does_not_stop_the_others() {
    let blueprint = Blueprint::new();
    let settings = Settings {
        replicas: vec![3],
        profile: Profile::Crash,
        ..Settings::default()
    };
    let mut crashes = 0;
    for seed in 1..=60 {
        let outcome = checked(&settings, seed, &blueprint);
        crashes += outcome.crashes;
        if outcome.crashes > 0 {
            assert!(
                outcome.tally.slow > 0,
                "two of three cannot be a superquorum"
            );
        }
        let gap_ms = outcome.tally.longest_gap_ns / 1_000_000;
        assert!(gap_ms < 500, "seed {seed}: no answer for {gap_ms} ms");
    }
    assert!(crashes > 30, "{crashes} crashes");
}

#[test]
fn replicas_with_a_processor_are_slower_and_as_right() {
    use sim::settings::Costs;
    let blueprint = Blueprint::new();
    let throughput = |costs| {
        let settings = Settings {
            replicas: vec![3],
            clients: 16,
            pauses: false,
            costs,
            ..quiet()
        };
        let mut total = sim::sweep::Total::default();
        total.add(&checked(&settings, 1, &blueprint));
        total.throughput().expect("operations were answered")
    };
    let free = throughput(Costs::default());
    let costly = throughput(Costs {
        receive_ns: 2_000,
        send_ns: 1_000,
    });
    // 3 µs a request: at most 333,000 a second.
    assert!(free > 400_000.0, "{free}");
    assert!((100_000.0..333_334.0).contains(&costly), "{costly}");
}

#[test]
fn a_root_that_reboots_gets_a_greater_term_from_its_controller() {
    use sim::world::World;
    let blueprint = Blueprint::new();
    let settings = Settings {
        profile: Profile::Root,
        ..Settings::default()
    };
    let mut terms = Vec::new();
    for seed in 1..=8 {
        let mut world = World::new(&settings, seed, &blueprint, true);
        let mut lines = String::new();
        while sim::run::step(&mut world) {
            lines.push_str(&world.take_lines());
        }
        let verified = lines
            .lines()
            .filter(|line| line.contains("install   verified"));
        terms.push(verified.count());
    }
    assert!(
        terms.iter().any(|count| *count > 1),
        "no root was installed twice: {terms:?}"
    );
}

/// What clients feel of a rolling restart: `downbeat sim --faults=rolling --steady` measures it.
#[test]
fn replicas_that_restart_in_turn_keep_clients_waiting_for_milliseconds_only() {
    let blueprint = Blueprint::new();
    for profile in [Profile::Rolling, Profile::RollingLost] {
        let settings = Settings {
            profile,
            replicas: vec![3],
            clients: 1,
            operations: 9_000,
            fault_ns: 100 * MS,
            pauses: false,
            ..Settings::default()
        };
        for seed in 1..=4 {
            let outcome = checked(&settings, seed, &blueprint);
            assert_eq!(outcome.crashes, 3, "each replica once");
            let last_ms = outcome.tally.last.0 / MS;
            assert!(
                last_ms > 90,
                "seed {seed}: nobody asked any more after {last_ms} ms"
            );
            let gap_ms = outcome.tally.longest_gap_ns / MS;
            assert!(gap_ms < 20, "seed {seed}: no answer for {gap_ms} ms");
        }
    }
}
