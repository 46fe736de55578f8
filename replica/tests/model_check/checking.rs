//! Runs the checker and holds what it found against what was expected.

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const THREADS: usize = 2;

/// What a check is told: a model within its bounds.
pub(crate) trait Configuration {
    /// The model.
    type Group: Model<State: Clone + Debug + Eq + Hash + Send + Sync, Action: Clone + Debug + Eq>
        + Send
        + Sync
        + 'static;

    /// The model within these bounds.
    fn group(self) -> Self::Group;

    /// The deliberate break, if any.
    fn mutant(&self) -> Option<&'static str>;

    /// What is to be seen of a state in which a rule is broken.
    fn tell(end: &<Self::Group as Model>::State) -> Vec<String>;
}

type StateOf<C> = <<C as Configuration>::Group as Model>::State;
type ActionOf<C> = <<C as Configuration>::Group as Model>::Action;
type PathOf<C> = Path<StateOf<C>, ActionOf<C>>;
type Found<C> = HashMap<&'static str, PathOf<C>>;

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
pub(crate) fn holds<C: Configuration>(name: &str, bounds: C, unique_states: usize, seen: &[&str]) {
    let _alone = alone();
    let begun = Instant::now();
    let checker = bounds.group().checker().threads(THREADS);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs()
        .join();
    let found = checker.discoveries();
    if let Some((rule, path)) = failure::<C>(&checker, &found) {
        panic!("{name}: broken: {rule}\n{}", steps::<C>(path));
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

/// A rule that broke, and how.
fn failure<'a, C: Configuration>(
    checker: &impl Checker<C::Group>,
    found: &'a Found<C>,
) -> Option<(&'static str, &'a PathOf<C>)> {
    let rules = found.iter().map(|(name, path)| (*name, path));
    rules
        .filter(|(name, _)| {
            let expectation = &checker.model().property(name).expectation;
            matches!(expectation, Expectation::Always)
        })
        .min_by_key(|(name, _)| *name)
}

/// Explores, shortest runs first, until a rule breaks, which it must before `steps_max` steps.
pub(crate) fn breaks<C: Configuration>(bounds: C, steps_max: usize) {
    let _alone = alone();
    let begun = Instant::now();
    let mutant = bounds.mutant().expect("something to be caught");
    let checker = bounds.group().checker().threads(THREADS);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(steps_max)
        .spawn_bfs()
        .join();
    let found = checker.discoveries();
    let Some((rule, path)) = failure::<C>(&checker, &found) else {
        panic!("{mutant} survives {} steps", checker.state_count());
    };
    println!(
        "{mutant}: after {} steps, {:?}: {rule}\n{}",
        checker.state_count(),
        begun.elapsed(),
        steps::<C>(path)
    );
}

/// How it came about, one step a line, and what was seen of it in the end.
fn steps<C: Configuration>(path: &PathOf<C>) -> String {
    let actions = path.clone().into_actions();
    let mut text: Vec<String> = actions
        .iter()
        .map(|action| format!("  {action:?}"))
        .collect();
    text.extend(C::tell(path.last_state()));
    text.join("\n")
}
