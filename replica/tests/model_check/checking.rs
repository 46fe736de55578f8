//! Runs the checker and holds what it found against what was expected.

use crate::bounds::Bounds;
use crate::model::{Action, Group, State};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};
use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const THREADS: usize = 2;

/// Tests of one binary run side by side; a check wants both cores and its memory to itself.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Past the harness, which swallows what passing tests print.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr can be written to");
}

/// Explores everything within the bounds: no rule may break, exactly what is in `seen` must
/// happen somewhere, and the number of different states must be the one noted.
pub(crate) fn holds(name: &str, bounds: Bounds, unique_states: usize, seen: &[&str]) {
    let _alone = alone();
    let begun = Instant::now();
    let checker = Group::new(bounds).checker().threads(THREADS);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs()
        .join();
    let found = checker.discoveries();
    if let Some((rule, path)) = failure(&checker, &found) {
        panic!("{name}: broken: {rule}\n{}", steps(path));
    }
    println!(
        "{name}: {} states, {} steps, depth {}, {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed()
    );
    let found: BTreeSet<&str> = found.keys().copied().collect();
    assert_eq!(
        found,
        seen.iter().copied().collect(),
        "{name}: what happens"
    );
    assert_eq!(
        checker.unique_state_count(),
        unique_states,
        "{name}: states"
    );
}

type Found = HashMap<&'static str, Path<State, Action>>;

/// A rule that broke, and how.
fn failure<'a>(
    checker: &impl Checker<Group>,
    found: &'a Found,
) -> Option<(&'static str, &'a Path<State, Action>)> {
    let rules = found.iter().map(|(name, path)| (*name, path));
    rules
        .filter(|(name, _)| {
            let expectation = &checker.model().property(name).expectation;
            matches!(expectation, Expectation::Always)
        })
        .min_by_key(|(name, _)| *name)
}

/// Explores, shortest runs first, until a rule breaks, which it must before `steps_max` steps.
pub(crate) fn breaks(bounds: Bounds, steps_max: usize) {
    let _alone = alone();
    let begun = Instant::now();
    let mutant = bounds.mutant.expect("something to be caught").name();
    let checker = Group::new(bounds).checker().threads(THREADS);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(steps_max)
        .spawn_bfs()
        .join();
    let found = checker.discoveries();
    let Some((rule, path)) = failure(&checker, &found) else {
        panic!("{mutant} survives {} steps", checker.state_count());
    };
    println!(
        "{mutant}: after {} steps, {:?}: {rule}\n{}",
        checker.state_count(),
        begun.elapsed(),
        steps(path)
    );
}

/// How it came about, one step a line, and what was seen of it in the end.
fn steps(path: &Path<State, Action>) -> String {
    let actions = path.clone().into_actions();
    let mut text: Vec<String> = actions
        .iter()
        .map(|action| format!("  {action:?}"))
        .collect();
    let end = path.last_state();
    text.extend(end.violation.clone());
    for asker in &end.askers {
        text.extend(asker.completions().map(|done| format!("  {done:?}")));
    }
    text.extend(end.starts.iter().map(|start| format!("  {start:?}")));
    text.push(format!("  committed {:?}", end.decided));
    text.join("\n")
}
