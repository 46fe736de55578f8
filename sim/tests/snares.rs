//! Snares spring, and a group that keeps to its rules stands them.

use sim::profile::Profile;
use sim::schedule::{Fault, Snare};
use sim::settings::{ProtocolName, Settings};
use sim::world::{Blueprint, Ending, World};

/// In how many of so many runs of a profile each step of a snare was seen.
fn steps(profile: Profile, snare: Snare, seeds: u64) -> Vec<usize> {
    let settings = Settings {
        protocol: ProtocolName::Rounds,
        profile,
        replicas: vec![5],
        ..Settings::default()
    };
    settings.check().expect("rounds has these profiles");
    let blueprint = Blueprint::new();
    let mut reached = Vec::new();
    for seed in 1..=seeds {
        let mut world = World::new(&settings, seed, &blueprint, true);
        let of_snare = |fault: Fault| fault == Fault::Snare { snare };
        if !world.schedule().iter().any(|item| of_snare(item.fault)) {
            continue;
        }
        let word = format!("snare: {snare}");
        let mut steps = 0;
        while world.step() {
            let lines = world.take_lines();
            let goes_on = |line: &&str| line.contains(" goes on: ") && line.ends_with(&word);
            steps += lines.lines().filter(goes_on).count();
        }
        assert_eq!(world.outcome().ending, Ending::Passed, "seed {seed}");
        reached.push(steps);
    }
    reached
}

#[test]
fn each_snare_goes_all_its_way_in_some_runs() {
    for (profile, snare, all) in [
        // The packet, the lock, the restart, and who reports.
        (Profile::Oblivion, Snare::LostLock, 4),
        // The walls before the report, those after it, and the restart.
        (Profile::Oblivion, Snare::LostPromise, 3),
        (Profile::Newcomers, Snare::Newcomers, 1),
    ] {
        let reached = steps(profile, snare, 16);
        let whole = reached.iter().filter(|steps| **steps >= all).count();
        assert!(
            whole * 4 >= reached.len() && whole > 0,
            "{snare}: {reached:?}"
        );
    }
}
