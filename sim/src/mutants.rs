//! The hunt that must catch each [mutant](crate::mutant): a checker that no mutant trips is not a
//! checker.

use crate::mutant::Mutant;
use crate::profile::Profile;
use crate::settings::Settings;
use crate::sweep::sweep;
use crate::world::{Blueprint, Ending};
use std::ops::ControlFlow;

/// The seeds within which every mutant must be caught.
pub const BOUND: u64 = 2_000;

/// Profiles by turns: what one never leads to, another does.
const PROFILES: [Profile; 8] = [
    Profile::Storm,
    Profile::Members,
    Profile::Siege,
    Profile::All,
    Profile::Partition,
    Profile::Reorder,
    Profile::Crash,
    Profile::Harsh,
];

/// So many seeds are run with the profiles that fit a mutant before the others have their turns.
const FITTING: u64 = 500;

/// Profiles that make likely what a mutant does not stand. Empty: any profile does, or nobody
/// knows of one.
const fn fitting(mutant: Mutant) -> &'static [Profile] {
    use replica::rounds::Mutant as R;
    match mutant {
        Mutant::Rounds(R::LetInUnheard | R::CountForgetful) => &[Profile::Oblivion],
        Mutant::Rounds(R::ChangeWithoutNew) => &[Profile::Newcomers],
        Mutant::Rounds(R::ChangeAtOnce) => &[Profile::Members],
        Mutant::Rounds(R::ReadInFlightPacket) => &[Profile::Detour],
        Mutant::Rounds(
            R::MergeStaleReports
            | R::MergeOneVote
            | R::IgnoreIncarnations
            | R::ReadAfterEpochChange,
        ) => &[Profile::Siege],
        _ => &[],
    }
}

/// A mutant that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The invariant that broke, or `liveness`.
    pub by: &'static str,
    /// Runs it took.
    pub seeds: u64,
    /// The run that caught it.
    pub settings: Settings,
    /// Its seed.
    pub seed: u64,
}

/// Runs seeds, with profiles by turns, until a run fails; `None` if none of `bound` does. If only
/// one invariant is looked at, nothing but that counts: neither a core that panics nor a group
/// that does not heal.
pub fn hunt(
    settings: &Settings,
    bound: u64,
    threads: usize,
    blueprint: &Blueprint,
) -> Option<Caught> {
    /// Runs with one profile before the next has its turn.
    const TURN: u64 = 25;
    let counts = |ending: &Ending| match &settings.only_invariant {
        None => *ending != Ending::Passed,
        Some(only) => ending.name() == only,
    };
    let may_change = settings.protocol.changes_members();
    let usual = PROFILES.into_iter();
    let usual = usual.filter(|profile| may_change || !profile.changes_members());
    let first = settings.mutant.map_or(&[][..], fitting).iter().copied();
    let first = first
        .cycle()
        .take(usize::try_from(FITTING / TURN).expect("few"));
    let turns = 0..bound.div_ceil(TURN);
    for (turn, profile) in turns.zip(first.chain(usual.cycle())) {
        // Replicas that fetch what they missed seldom differ, and then a siege catches nobody.
        let gap_awareness = match profile {
            Profile::Siege => Some(false),
            _ => settings.gap_awareness,
        };
        let settings = Settings {
            profile,
            gap_awareness,
            ..settings.clone()
        };
        let first = 1 + turn * TURN;
        let count = TURN.min(bound + 1 - first);
        let mut caught = None;
        sweep(&settings, (first, count), threads, blueprint, |outcome| {
            if !counts(&outcome.ending) {
                return ControlFlow::Continue(());
            }
            caught = Some(Caught {
                by: outcome.ending.name(),
                seeds: outcome.seed,
                settings: settings.clone(),
                seed: outcome.seed,
            });
            ControlFlow::Break(())
        });
        if caught.is_some() {
            return caught;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::MS;

    #[test]
    fn a_hunt_ends_with_the_first_failure_or_at_its_bound() {
        let blueprint = Blueprint::new();
        let whole = Settings {
            clients: 2,
            operations: 5,
            fault_ns: 20 * MS,
            ..Settings::default()
        };
        assert_eq!(hunt(&whole, 30, 2, &blueprint), None);
        let broken = Settings {
            heal_ns: 0,
            ..whole
        };
        let caught = hunt(&broken, 30, 2, &blueprint).unwrap();
        assert_eq!((caught.by, caught.seeds), ("liveness", 1));
    }
}
