//! Outcomes in words: what a failing run tells, and how to see it again.

use crate::schedule::generate;
use crate::settings::Settings;
use crate::shrink::Shrunk;
use crate::world::{Ending, Outcome};
use std::fmt::Write as _;

/// What went wrong, on a few lines. Empty for a run that passed.
pub fn failure(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::Passed => String::new(),
        Ending::Unsafe(violation) => format!(
            "seed {}: {} broke at {} µs\n  paper   {}\n  seen    {}",
            outcome.seed,
            violation.invariant,
            violation.at.0 / 1_000,
            violation.paper,
            violation.seen
        ),
        Ending::Stuck(why) => format!(
            "seed {}: the group did not heal (liveness) by {} µs\n  seen    {why}",
            outcome.seed,
            outcome.end.0 / 1_000
        ),
    }
}

/// The command that steps through a run again.
pub fn replay_command(settings: &Settings, seed: u64) -> String {
    let flags = settings.flags(seed);
    let flags = flags
        .strip_prefix(&format!("--seed={seed}"))
        .unwrap_or(&flags);
    format!("downbeat replay {seed}{flags}")
}

/// The smallest run that still fails, with its schedule and the command for it.
pub fn smallest(shrunk: &Shrunk) -> String {
    let seed = shrunk.outcome.seed;
    let settings = &shrunk.settings;
    let mut text = format!(
        "smallest that still fails, after {} runs: {} replicas, {} clients, {} operations each",
        shrunk.runs,
        settings.replicas_of(seed),
        settings.clients,
        settings.operations
    );
    for item in generate(settings, seed) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {item}");
    }
    let _ = write!(
        text,
        "\n  {}",
        failure(&shrunk.outcome).replace('\n', "\n  ")
    );
    let _ = write!(text, "\n  replay  {}", replay_command(settings, seed));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::Violation;
    use crate::oracle::Tally;
    use replica::Counters;
    use wire::Tick;

    #[test]
    fn a_failure_names_seed_invariant_paper_and_command() {
        let outcome = Outcome {
            seed: 9,
            replicas: 3,
            faults: 2,
            ending: Ending::Unsafe(Violation {
                invariant: "exactly_once",
                paper: "section 4.1",
                seen: "twice".into(),
                at: Tick(5_000),
            }),
            events: 1,
            trace: 2,
            end: Tick(5_000),
            tally: Tally::default(),
            latencies_ns: Vec::new(),
            counters: Counters::default(),
            crashes: 0,
        };
        let settings = Settings {
            clients: 2,
            only_faults: Some(vec![1]),
            ..Settings::default()
        };
        let text = failure(&outcome);
        for part in ["seed 9", "exactly_once", "5 µs", "section 4.1", "twice"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(
            replay_command(&settings, 9),
            "downbeat replay 9 --clients=2 --only-faults=1"
        );
        let shrunk = Shrunk {
            settings,
            outcome,
            runs: 12,
        };
        let text = smallest(&shrunk);
        assert!(
            text.contains("after 12 runs") && text.contains("#1 "),
            "{text}"
        );
    }
}
