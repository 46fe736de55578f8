//! Histories made from a seed: out of a real sequential object, so that they must be accepted, or
//! small enough to compare with every permutation.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::super::brute_force::is_linearizable;
use super::super::search::{Ending, Search};
use super::*;

struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// What a generated history is like.
#[derive(Clone, Copy)]
struct Shape {
    operations: usize,
    clients: u64,
    keys: u64,
    /// Longest time that an operation is open, and that a client waits before the next.
    open: u64,
    wait: u64,
    /// One operation in so many has an unknown outcome; 0: none.
    unknown: u64,
    /// Different values that writes write; few make outcomes ambiguous.
    values: u64,
}

/// The object that the histories are generated from; it shares nothing with the model.
#[derive(Default)]
struct Store(BTreeMap<Vec<u8>, Vec<u8>>);

impl Store {
    fn execute(&mut self, operation: &KvOperation) -> KvOutcome {
        match operation.clone() {
            KvOperation::Get { key } => KvOutcome::Value(self.0.get(&key).cloned()),
            KvOperation::Set { key, value } => {
                self.0.insert(key, value);
                KvOutcome::Ok
            }
            KvOperation::Del { key } => KvOutcome::Integer(self.0.remove(&key).is_some().into()),
            KvOperation::Append { key, value } => {
                let entry = self.0.entry(key).or_default();
                entry.extend(value);
                KvOutcome::Integer(entry.len().try_into().unwrap())
            }
            KvOperation::Incr { key, by } => {
                let old = match self.0.get(&key) {
                    None => Ok(0),
                    Some(value) => str::from_utf8(value).unwrap().parse::<i64>(),
                };
                match old {
                    Ok(old) if old.checked_add(by).is_some() => {
                        self.0.insert(key, (old + by).to_string().into_bytes());
                        KvOutcome::Integer(old + by)
                    }
                    _ => KvOutcome::Error,
                }
            }
            KvOperation::Cas {
                key,
                expected,
                value,
            } => {
                let found = self.0.get(&key).cloned();
                if found == expected {
                    self.0.insert(key, value);
                    KvOutcome::Ok
                } else {
                    KvOutcome::Value(found)
                }
            }
        }
    }
}

fn operation(dice: &mut Dice, shape: Shape) -> KvOperation {
    let key = format!("k{}", dice.below(shape.keys)).into_bytes();
    // Short values without leading zeros, so that `incr` and `append` meet each other.
    let value = |dice: &mut Dice| (1 + dice.below(shape.values)).to_string().into_bytes();
    match dice.below(16) {
        0..=5 => KvOperation::Get { key },
        6..=9 => KvOperation::Set {
            value: value(dice),
            key,
        },
        10 | 11 => KvOperation::Incr { key, by: 1 },
        12 => KvOperation::Append {
            value: value(dice),
            key,
        },
        13 => KvOperation::Del { key },
        _ => {
            let expected = (!dice.one_in(3)).then(|| value(dice));
            KvOperation::Cas {
                expected,
                value: value(dice),
                key,
            }
        }
    }
}

/// A history in which every operation takes effect at one point between its invocation and its
/// response; of those without response some take effect much later, and some never.
fn sequential(dice: &mut Dice, shape: Shape) -> KvHistory {
    struct Plan {
        point: u64,
        call: usize,
    }
    let mut free_at = vec![0; usize::try_from(shape.clients).unwrap()];
    let mut calls = Vec::new();
    let mut plans = Vec::new();
    for index in 0..shape.operations {
        let client = index % free_at.len();
        let invoked = free_at[client] + dice.below(shape.wait);
        let returned = invoked + dice.below(shape.open);
        free_at[client] = returned;
        let unknown = shape.unknown > 0 && dice.one_in(shape.unknown);
        let point = if unknown && dice.one_in(2) {
            invoked + dice.below(20 * shape.open)
        } else {
            invoked + dice.below(returned - invoked + 1)
        };
        if !unknown || !dice.one_in(3) {
            plans.push(Plan { point, call: index });
        }
        let completion = (!unknown).then(|| Completion {
            returned: Moment::at(returned),
            outcome: KvOutcome::Ok,
        });
        let operation = operation(dice, shape);
        let client = u64::try_from(client).unwrap();
        calls.push(Call {
            client,
            operation,
            invoked: Moment::at(invoked),
            completion,
        });
    }
    plans.sort_by_key(|plan| plan.point);
    let mut store = Store::default();
    for plan in plans {
        let outcome = store.execute(&calls[plan.call].operation);
        if let Some(completion) = &mut calls[plan.call].completion {
            completion.outcome = outcome;
        }
    }
    let mut history = KvHistory::new();
    for call in calls {
        history.push(call).unwrap();
    }
    history
}

/// The history with the outcome of the operation at `index` replaced.
fn with_outcome(history: &KvHistory, index: usize, outcome: &KvOutcome) -> KvHistory {
    let mut changed = KvHistory::new();
    for (at, call) in history.calls().iter().enumerate() {
        let mut call = call.clone();
        if let (true, Some(completion)) = (at == index, &mut call.completion) {
            completion.outcome = outcome.clone();
        }
        changed.push(call).unwrap();
    }
    changed
}

fn pick_completed(dice: &mut Dice, history: &KvHistory) -> Option<usize> {
    let completed: Vec<usize> = (0..history.len())
        .filter(|at| history.calls()[*at].completion.is_some())
        .collect();
    let count = u64::try_from(completed.len()).unwrap();
    (count > 0).then(|| completed[usize::try_from(dice.below(count)).unwrap()])
}

const SMALL: Shape = Shape {
    operations: 7,
    clients: 3,
    keys: 1,
    open: 8,
    wait: 4,
    unknown: 4,
    values: 2,
};

fn random_outcome(dice: &mut Dice) -> KvOutcome {
    match dice.below(6) {
        0 => KvOutcome::Value(None),
        1 | 2 => KvOutcome::Value(Some((1 + dice.below(3)).to_string().into_bytes())),
        3 | 4 => KvOutcome::Integer(i64::try_from(dice.below(4)).unwrap()),
        _ => KvOutcome::Ok,
    }
}

#[test]
fn agrees_with_every_permutation() {
    let (mut accepted, mut rejected) = (0, 0);
    for seed in 0..20_000 {
        let dice = &mut Dice::new(seed);
        let operations = 1 + usize::try_from(dice.below(7)).unwrap();
        let clients = 1 + dice.below(6);
        let unknown = [0, 2, 4][usize::try_from(dice.below(3)).unwrap()];
        let mut history = sequential(
            dice,
            Shape {
                operations,
                clients,
                unknown,
                ..SMALL
            },
        );
        for _ in 0..dice.below(3) {
            if let Some(index) = pick_completed(dice, &history) {
                history = with_outcome(&history, index, &random_outcome(dice));
            }
        }
        let calls: Vec<_> = history.calls().iter().collect();
        let expected = is_linearizable::<Kv>(&calls);
        let report = judge(&history);
        let found = match report.verdict {
            Verdict::Linearizable => true,
            Verdict::Violation(_) => false,
            Verdict::Unknown { why } => panic!("seed {seed}: {why}"),
        };
        assert_eq!(found, expected, "seed {seed}: {history:#?}");
        *(if expected {
            &mut accepted
        } else {
            &mut rejected
        }) += 1;
    }
    assert!(
        accepted > 4000 && rejected > 4000,
        "{accepted} accepted, {rejected} rejected"
    );
}

/// A write is visible only in the eyes of this model: nothing is known to observe, so rule 2 never
/// applies, and what it hides in the other tests is searched.
struct BlindKv;

impl Model for BlindKv {
    type State = <Kv as Model>::State;
    type Operation = KvOperation;
    type Outcome = KvOutcome;

    fn initial() -> Self::State {
        Kv::initial()
    }

    fn step(
        state: &Self::State,
        operation: &KvOperation,
        outcome: Option<&KvOutcome>,
    ) -> Option<Self::State> {
        Kv::step(state, operation, outcome)
    }

    fn key(operation: &KvOperation) -> Option<&[u8]> {
        Kv::key(operation)
    }
}

#[test]
fn knowing_observers_changes_no_verdict() {
    for seed in 0..5_000 {
        let dice = &mut Dice::new(seed);
        let shape = Shape {
            operations: 12,
            clients: 5,
            unknown: 5,
            ..SMALL
        };
        let mut history = sequential(dice, shape);
        if let Some(index) = pick_completed(dice, &history)
            && dice.one_in(2)
        {
            history = with_outcome(&history, index, &random_outcome(dice));
        }
        let fast = matches!(judge(&history).verdict, Verdict::Linearizable);
        let slow = check::<BlindKv>(&history, &Bounds::default()).verdict;
        assert_eq!(
            fast,
            slow == Verdict::Linearizable,
            "seed {seed}: {history:#?}"
        );
    }
}

#[test]
fn what_a_sequential_object_did_is_accepted() {
    for seed in 0..400 {
        let dice = &mut Dice::new(seed);
        let shape = Shape {
            operations: 400,
            clients: 1 + dice.below(12),
            keys: 1 + dice.below(4),
            open: 1 + dice.below(40),
            wait: 1 + dice.below(40),
            unknown: [0, 10, 50][usize::try_from(dice.below(3)).unwrap()],
            values: [3, 1_000_000][usize::try_from(dice.below(2)).unwrap()],
        };
        let history = sequential(dice, shape);
        let report = judge(&history);
        assert_eq!(report.verdict, Verdict::Linearizable, "seed {seed}");
        assert_eq!(report.operations, 400);
    }
}

#[test]
fn an_impossible_outcome_is_found_where_it_is() {
    for seed in 0..400 {
        let dice = &mut Dice::new(seed);
        let shape = Shape {
            operations: 300,
            clients: 6,
            keys: 3,
            unknown: 30,
            ..SMALL
        };
        let history = sequential(
            dice,
            Shape {
                values: 1_000_000,
                ..shape
            },
        );
        let index = pick_completed(dice, &history).unwrap();
        let wrong = KvOutcome::Value(Some(b"never written".into()));
        let changed = with_outcome(&history, index, &wrong);
        let Verdict::Violation(counterexample) = judge(&changed).verdict else {
            panic!("seed {seed}: not found")
        };
        let call = &changed.calls()[index];
        assert_eq!(
            counterexample.key.as_deref(),
            Some(call.operation.key()),
            "seed {seed}"
        );
        assert!(
            counterexample.unplaced.contains(call),
            "seed {seed}: {counterexample}"
        );
        // The prefix is an order of a part of the history that the model really allows.
        let mut state = Kv::initial();
        for call in &counterexample.prefix {
            let outcome = call.completion.as_ref().map(|done| &done.outcome);
            state = Kv::step(&state, &call.operation, outcome).expect("prefix is allowed");
        }
        assert_eq!(format!("{state:?}"), counterexample.state);
    }
}

#[test]
fn the_same_check_takes_the_same_steps() {
    let shape = Shape {
        operations: 2_000,
        clients: 8,
        unknown: 20,
        ..SMALL
    };
    let history = sequential(&mut Dice::new(1), shape);
    assert_eq!(judge(&history), judge(&history));
}

/// Writes how long `history` took; the number is for people, nothing depends on it.
fn timed(what: &str, history: &KvHistory) -> KvReport {
    let start = Instant::now();
    let report = judge(history);
    let elapsed = start.elapsed();
    let line = format!(
        "{what}: {} operations, {} parts, {} steps, {} ms",
        report.operations,
        report.parts,
        report.steps,
        elapsed.as_millis()
    );
    let _ = writeln!(std::io::stderr(), "{line}");
    report
}

const LONG: Shape = Shape {
    operations: 200_000,
    clients: 16,
    keys: 64,
    open: 400,
    wait: 100,
    unknown: 100,
    values: 1_000_000,
};

#[test]
fn two_hundred_thousand_operations() {
    let history = sequential(&mut Dice::new(7), LONG);
    let report = timed("16 clients, 64 keys, 1 in 100 unknown", &history);
    assert_eq!(report.verdict, Verdict::Linearizable);
    assert_eq!(report.parts, 64);
    // Work is proportional to the history: a lost rule shows here as a search without end.
    assert!(report.steps < 40 * 200_000, "{} steps", report.steps);

    let index = pick_completed(&mut Dice::new(8), &history).unwrap();
    let changed = with_outcome(&history, index, &KvOutcome::Integer(i64::MIN));
    let report = timed("the same with one wrong outcome", &changed);
    assert!(matches!(report.verdict, Verdict::Violation(_)));
}

#[test]
fn one_key_under_contention() {
    let shape = Shape {
        operations: 5_000,
        keys: 1,
        unknown: 0,
        ..LONG
    };
    let report = timed("16 clients, 1 key", &sequential(&mut Dice::new(7), shape));
    assert_eq!(report.verdict, Verdict::Linearizable);
}

#[test]
fn many_operations_of_unknown_outcome() {
    for seed in 0..5 {
        let shape = Shape {
            operations: 3_000,
            clients: 8,
            keys: 4,
            unknown: 20,
            ..LONG
        };
        let history = sequential(&mut Dice::new(seed), shape);
        let report = timed("8 clients, 4 keys, 1 in 20 unknown", &history);
        assert_eq!(report.verdict, Verdict::Linearizable, "seed {seed}");
        assert!(
            report.steps < 200 * 3_000,
            "seed {seed}: {} steps",
            report.steps
        );
    }
}

#[test]
fn an_order_that_is_found_places_every_operation() {
    let shape = Shape {
        operations: 200,
        clients: 8,
        unknown: 0,
        ..SMALL
    };
    let history = sequential(&mut Dice::new(3), shape);
    let calls: Vec<_> = history.calls().iter().collect();
    let mut search = Search::<Kv>::new(&calls, u64::MAX, u64::MAX).unwrap();
    assert_eq!(search.run(), Ending::Placed);
    let order = search.order();
    assert_eq!(order.len(), 200);
    let mut state = Kv::initial();
    for (at, call) in order.iter().enumerate() {
        let outcome = call.completion.as_ref().map(|done| &done.outcome);
        state = Kv::step(&state, &call.operation, outcome).expect("order is allowed");
        let returned = call.completion.as_ref().unwrap().returned;
        assert!(
            order[..at]
                .iter()
                .all(|earlier| earlier.invoked <= returned)
        );
    }
}
