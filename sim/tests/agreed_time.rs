//! Keys end by agreed time: at the same slot at every replica, whatever happens on the way.
//! `equal_logs_equal_states` compares the digest of what has not ended, after every step.

use sim::mutant::Mutant;
use sim::profile::Profile;
use sim::run::run;
use sim::settings::{ProtocolName, Settings};
use sim::world::{Blueprint, Ending};

fn with_deadlines(protocol: ProtocolName, profile: Profile) -> Settings {
    Settings {
        protocol,
        profile,
        expiry: true,
        ..Settings::default()
    }
}

#[test]
fn keys_end_at_the_same_slot_everywhere() {
    let blueprint = Blueprint::new();
    for (protocol, profile) in [
        (ProtocolName::Rounds, Profile::All),
        (ProtocolName::Rounds, Profile::Storm),
        (ProtocolName::Rounds, Profile::LyingRoot),
        (ProtocolName::SpecPaxos, Profile::All),
    ] {
        let settings = with_deadlines(protocol, profile);
        let mut expired = 0;
        for seed in 1..=20 {
            let outcome = run(&settings, seed, &blueprint);
            let told = sim::report::failure(&outcome);
            assert_eq!(outcome.ending, Ending::Passed, "{told}");
            expired += outcome.tally.expired;
        }
        let name = profile.name();
        assert!(expired > 100, "{name}: {expired} reads found an ended key");
    }
}

#[test]
fn a_state_machine_with_a_clock_of_its_own_is_caught() {
    let blueprint = Blueprint::new();
    for protocol in [ProtocolName::Rounds, ProtocolName::SpecPaxos] {
        let settings = Settings {
            mutant: Some(Mutant::of_name(protocol, "local-clock").expect("there is one")),
            only_invariant: Some("equal_logs_equal_states".to_owned()),
            ..with_deadlines(protocol, Profile::None)
        };
        let caught = (1..=20).find(|seed| {
            let ending = run(&settings, *seed, &blueprint).ending;
            ending.name() == "equal_logs_equal_states"
        });
        assert!(caught.is_some(), "{} survives 20 seeds", protocol.name());
    }
}
