//! Every invariant catches a deliberate break when it alone is looked at: none of them is there
//! only because others come first.

use sim::invariants;
use sim::mutant::Mutant;
use sim::mutants::{BOUND, hunt};
use sim::profile::Profile;
use sim::settings::{ProtocolName, Settings};
use sim::world::Blueprint;

const SPEC_PAXOS: ProtocolName = ProtocolName::SpecPaxos;

/// An invariant, and a break that it catches alone. The catch must come early enough for a test.
const CATCHES: [(&str, ProtocolName, &str); 14] = [
    ("committed_prefix_agreement", SPEC_PAXOS, "commit-unchecked"),
    (
        "committed_never_lost_or_moved",
        SPEC_PAXOS,
        "merge-one-vote",
    ),
    ("exactly_once", SPEC_PAXOS, "commit-unchecked"),
    ("undo_is_exact", SPEC_PAXOS, "skip-undo"),
    (
        "results_never_change",
        SPEC_PAXOS,
        "snapshot-of-speculation",
    ),
    (
        "equal_hash_equal_entries",
        SPEC_PAXOS,
        "hash-without-client",
    ),
    ("stamps_never_reused", SPEC_PAXOS, "keep-term"),
    ("one_start_per_view", SPEC_PAXOS, "old-start-view"),
    ("votes_only_when_normal", SPEC_PAXOS, "no-freeze"),
    ("votes_stand", ProtocolName::Rounds, "vote-twice"),
    ("agreed_time_monotone", SPEC_PAXOS, "time-runs-back"),
    ("bounded_memory", SPEC_PAXOS, "never-truncate"),
    (
        "equal_logs_equal_states",
        SPEC_PAXOS,
        "snapshot-without-state",
    ),
    ("linearizable_history", SPEC_PAXOS, "merge-one-vote"),
];

#[test]
fn every_invariant_catches_a_break_alone() {
    let names: Vec<_> = invariants::all().iter().map(|one| one.name()).collect();
    let here: Vec<_> = CATCHES.iter().map(|(invariant, ..)| *invariant).collect();
    assert_eq!(here, names, "one row for each invariant, in their order");
    let blueprint = Blueprint::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for (invariant, protocol, name) in CATCHES {
        let mutant = Mutant::of_name(protocol, name).expect("a mutant");
        let settings = Settings {
            protocol,
            mutant: Some(mutant),
            only_invariant: Some(invariant.to_owned()),
            ..Settings::default()
        };
        settings.check().expect("the invariant exists");
        let caught = hunt(&settings, BOUND, threads, &blueprint);
        let caught = caught.unwrap_or_else(|| panic!("{name} survives {invariant}"));
        println!("{invariant}: {name} after {} seeds", caught.seeds);
        assert_eq!(caught.by, invariant);
    }
}

#[test]
fn every_break_of_a_baseline_is_caught() {
    const MAIN: [ProtocolName; 2] = [SPEC_PAXOS, ProtocolName::Rounds];
    let blueprint = Blueprint::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for protocol in ProtocolName::ALL {
        if MAIN.contains(&protocol) || protocol.is_one_server() {
            continue;
        }
        let mutants = Mutant::all(protocol);
        assert!(mutants.len() >= 2, "{protocol:?}");
        for mutant in mutants {
            let settings = Settings {
                protocol,
                mutant: Some(mutant),
                ..Settings::default()
            };
            let caught = hunt(&settings, BOUND, threads, &blueprint);
            let caught = caught.unwrap_or_else(|| panic!("{protocol:?}: {mutant} survives"));
            println!(
                "{protocol:?}: {mutant}: {} after {} seeds",
                caught.by, caught.seeds
            );
        }
    }
}

/// What takes one schedule among very many is caught early by the profile that makes it likely.
#[test]
fn rare_breaks_of_rounds_are_caught_by_the_profiles_that_fit_them() {
    const WITHIN: u64 = 150;
    let blueprint = Blueprint::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for (name, profile) in [
        ("let-in-unheard", Profile::Oblivion),
        ("count-forgetful", Profile::Oblivion),
        ("change-without-new", Profile::Newcomers),
        ("read-in-flight-packet", Profile::Detour),
    ] {
        let protocol = ProtocolName::Rounds;
        let settings = Settings {
            protocol,
            mutant: Some(Mutant::of_name(protocol, name).expect("a mutant")),
            ..Settings::default()
        };
        let caught = hunt(&settings, WITHIN, threads, &blueprint);
        let caught = caught.unwrap_or_else(|| panic!("{name} survives"));
        println!("{name}: {} after {} seeds", caught.by, caught.seeds);
        assert_eq!(caught.settings.profile, profile, "{name}");
        assert_ne!(caught.by, "liveness", "{name}");
    }
}
