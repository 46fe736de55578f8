//! Synchronous rounds and Fast Paxos trust no root: nothing false and nothing lost while it gives one
//! number to two packets, counts back, forgets its registers or is two.

use sim::mutant::Mutant;
use sim::profile::Profile;
use sim::run::run;
use sim::settings::{ProtocolName, Settings};
use sim::world::{Blueprint, Ending};

fn lied_to() -> Settings {
    lied_to_by(ProtocolName::Rounds)
}

fn lied_to_by(protocol: ProtocolName) -> Settings {
    let settings = Settings {
        protocol,
        profile: Profile::LyingRoot,
        ..Settings::default()
    };
    settings.check().expect("the protocol trusts no root");
    settings
}

/// How the first run ends that does not pass, of so many.
fn first_failure(settings: &Settings, seeds: u64) -> Option<&'static str> {
    let blueprint = Blueprint::new();
    let endings = (1..=seeds).map(|seed| run(settings, seed, &blueprint).ending);
    let mut failures = endings.filter(|ending| *ending != Ending::Passed);
    failures.next().map(|ending| ending.name())
}

#[test]
fn a_root_that_lies_makes_nobody_lie() {
    let (settings, blueprint) = (lied_to(), Blueprint::new());
    let mut attempts = 0;
    for seed in 1..=60 {
        let outcome = run(&settings, seed, &blueprint);
        let told = sim::report::failure(&outcome);
        assert_eq!(outcome.ending, Ending::Passed, "{told}");
        let operations = (settings.clients * settings.operations) as u64;
        assert_eq!(outcome.tally.answered(), operations, "seed {seed}");
        attempts += outcome.counters.view_changes;
    }
    assert!(attempts > 100, "{attempts} epochs: nobody was disturbed");
}

#[test]
fn who_takes_requests_as_they_come_does_not_notice() {
    let settings = lied_to_by(ProtocolName::FastPaxos);
    assert_eq!(first_failure(&settings, 60), None);
}

/// The one invariant that a lying root breaks is the one about the root.
#[test]
fn the_root_does_lie() {
    let settings = Settings {
        only_invariant: Some("stamps_never_reused".to_owned()),
        ..lied_to()
    };
    assert_eq!(first_failure(&settings, 5), Some("stamps_never_reused"));
}

/// With digests that leave out what is below, votes for different logs add up. Under an honest
/// root logs seldom differ.
#[test]
fn digests_of_the_last_packet_alone_do_not_survive_it() {
    let mutant = Mutant::of_name(ProtocolName::Rounds, "digest-of-last").expect("there is one");
    let settings = Settings {
        mutant: Some(mutant),
        ..lied_to()
    };
    let caught = first_failure(&settings, 60);
    assert!(
        caught.is_some_and(|by| by != "liveness"),
        "{caught:?} after 60 seeds"
    );
}
