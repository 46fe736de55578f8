//! Histories whose verdict is known by hand; `generated` has the ones whose verdict is computed.

use super::kv::{Kv, KvOperation, KvOutcome};
use super::*;
use crate::history::{Completion, Moment};

mod generated;

type KvHistory = History<KvOperation, KvOutcome>;
type KvReport = Report<KvOperation, KvOutcome>;

fn get(value: Option<&str>) -> (KvOperation, KvOutcome) {
    (
        KvOperation::Get { key: b"x".into() },
        KvOutcome::Value(value.map(Into::into)),
    )
}

fn set(value: &str) -> (KvOperation, KvOutcome) {
    (
        KvOperation::Set {
            key: b"x".into(),
            value: value.into(),
        },
        KvOutcome::Ok,
    )
}

fn incr(sum: i64) -> (KvOperation, KvOutcome) {
    (
        KvOperation::Incr {
            key: b"x".into(),
            by: 1,
        },
        KvOutcome::Integer(sum),
    )
}

fn append(value: &str, length: i64) -> (KvOperation, KvOutcome) {
    let operation = KvOperation::Append {
        key: b"x".into(),
        value: value.into(),
    };
    (operation, KvOutcome::Integer(length))
}

fn del(removed: i64) -> (KvOperation, KvOutcome) {
    (
        KvOperation::Del { key: b"x".into() },
        KvOutcome::Integer(removed),
    )
}

fn cas(expected: Option<&str>, value: &str, outcome: KvOutcome) -> (KvOperation, KvOutcome) {
    let expected = expected.map(Into::into);
    (
        KvOperation::Cas {
            key: b"x".into(),
            expected,
            value: value.into(),
        },
        outcome,
    )
}

/// Rows of (invoked, returned, (operation, outcome)); returned 0 means never, and the outcome is
/// dropped.
fn history(rows: &[(u64, u64, (KvOperation, KvOutcome))]) -> KvHistory {
    let mut history = KvHistory::new();
    for (client, (invoked, returned, (operation, outcome))) in (0..).zip(rows.iter().cloned()) {
        let completion = (returned > 0).then(|| Completion {
            returned: Moment::at(returned),
            outcome: outcome.clone(),
        });
        let invoked = Moment::at(invoked);
        history
            .push(Call {
                client,
                operation,
                invoked,
                completion,
            })
            .unwrap();
    }
    history
}

fn judge(history: &KvHistory) -> KvReport {
    check::<Kv>(history, &Bounds::default())
}

#[track_caller]
fn accepted(rows: &[(u64, u64, (KvOperation, KvOutcome))]) {
    assert_eq!(judge(&history(rows)).verdict, Verdict::Linearizable);
}

#[track_caller]
fn rejected(
    rows: &[(u64, u64, (KvOperation, KvOutcome))],
) -> Counterexample<KvOperation, KvOutcome> {
    match judge(&history(rows)).verdict {
        Verdict::Violation(counterexample) => *counterexample,
        other => panic!("expected a violation, found {other:?}"),
    }
}

const NEVER: u64 = 0;

#[test]
fn nothing_at_all() {
    accepted(&[]);
    accepted(&[(1, NEVER, set("a"))]);
    accepted(&[(1, NEVER, get(Some("a")))]);
}

#[test]
fn one_after_the_other() {
    accepted(&[
        (1, 2, get(None)),
        (3, 4, set("a")),
        (5, 6, get(Some("a"))),
        (7, 8, del(1)),
    ]);
    accepted(&[
        (1, 2, incr(1)),
        (3, 4, incr(2)),
        (5, 6, append("0", 2)),
        (7, 8, incr(21)),
    ]);
    rejected(&[(1, 2, set("a")), (3, 4, incr(1))]);
    accepted(&[
        (1, 2, set("a")),
        (3, 4, (incr(0).0, KvOutcome::Error)),
        (5, 6, get(Some("a"))),
    ]);
}

#[test]
fn stale_read() {
    rejected(&[(1, 2, set("a")), (3, 4, set("b")), (5, 6, get(Some("a")))]);
    // While the second write is open, the old value may still be seen.
    accepted(&[(1, 2, set("a")), (3, 6, set("b")), (4, 5, get(Some("a")))]);
}

#[test]
fn equal_moments_are_concurrent() {
    accepted(&[(1, 2, set("a")), (3, 5, set("b")), (5, 6, get(Some("a")))]);
    rejected(&[(1, 2, set("a")), (3, 4, set("b")), (5, 6, get(Some("a")))]);
    // One recorder that saw the response before the invocation knows better.
    let mut history = KvHistory::new();
    for (operation, outcome) in [set("a"), set("b"), get(Some("a"))] {
        let id = history.invoke(1, operation, 5);
        history.complete(id, 5, outcome).unwrap();
    }
    assert!(matches!(judge(&history).verdict, Verdict::Violation(_)));
}

#[test]
fn lost_update() {
    rejected(&[(1, 4, incr(1)), (2, 5, incr(1))]);
    accepted(&[(1, 4, incr(2)), (2, 5, incr(1))]);
    let swapped = || KvOutcome::Ok;
    rejected(&[
        (1, 4, cas(None, "a", swapped())),
        (2, 5, cas(None, "b", swapped())),
    ]);
    let found = KvOutcome::Value(Some(b"a".into()));
    accepted(&[
        (1, 4, cas(None, "a", swapped())),
        (2, 5, cas(None, "b", found.clone())),
    ]);
    accepted(&[
        (1, 4, cas(None, "a", swapped())),
        (2, 5, cas(None, "b", KvOutcome::Error)),
    ]);
    rejected(&[
        (1, 4, cas(None, "a", swapped())),
        (5, 6, cas(Some("a"), "b", found)),
    ]);
    rejected(&[
        (1, 4, cas(None, "a", swapped())),
        (5, 6, cas(Some("a"), "b", KvOutcome::Error)),
    ]);
}

#[test]
fn split_reads() {
    // Two writes at once; two readers after them disagree on which was last.
    rejected(&[
        (1, 4, set("a")),
        (2, 5, set("b")),
        (6, 7, get(Some("a"))),
        (6, 8, get(Some("b"))),
    ]);
    // While the writes are open both may be right.
    accepted(&[
        (1, 9, set("a")),
        (2, 9, set("b")),
        (3, 7, get(Some("a"))),
        (3, 8, get(Some("b"))),
    ]);
}

#[test]
fn reads_that_go_back_in_time() {
    rejected(&[(1, 9, set("a")), (2, 3, get(Some("a"))), (4, 5, get(None))]);
    accepted(&[(1, 9, set("a")), (2, 3, get(None)), (4, 5, get(Some("a")))]);
}

#[test]
fn pending_write() {
    let pending = (1, NEVER, set("a"));
    accepted(&[pending.clone(), (2, 3, get(None))]);
    accepted(&[pending.clone(), (2, 3, get(Some("a")))]);
    // It may take effect long after its client gave up, but only once.
    accepted(&[
        pending.clone(),
        (2, 3, get(None)),
        (4, 5, set("b")),
        (6, 7, get(Some("b"))),
        (8, 9, get(Some("a"))),
    ]);
    rejected(&[
        pending.clone(),
        (2, 3, get(Some("a"))),
        (4, 5, set("b")),
        (6, 7, get(Some("b"))),
        (8, 9, get(Some("a"))),
    ]);
    rejected(&[pending, (2, 3, get(Some("a"))), (4, 5, get(None))]);
    // Nor before it was asked.
    rejected(&[(1, 2, get(Some("a"))), (3, NEVER, set("a"))]);
}

#[test]
fn pending_operations_of_the_same_kind() {
    let pending = (1, NEVER, incr(0));
    let read = |sum: &str| (2, 3, get(Some(sum)));
    accepted(&[pending.clone(), pending.clone(), pending.clone(), read("3")]);
    accepted(&[
        pending.clone(),
        pending.clone(),
        pending.clone(),
        read("2"),
        (4, 5, incr(4)),
    ]);
    rejected(&[pending.clone(), pending.clone(), pending.clone(), read("4")]);
    rejected(&[pending.clone(), pending, read("2"), (4, 5, incr(4))]);
}

#[test]
fn duplicate_execution() {
    rejected(&[(1, 2, incr(1)), (3, 4, get(Some("2")))]);
    rejected(&[(1, 2, incr(2))]);
    rejected(&[(1, 2, append("ab", 2)), (3, 4, get(Some("abab")))]);
    rejected(&[(1, 2, set("a")), (3, 4, del(1)), (5, 6, del(1))]);
}

#[test]
fn outcomes_of_the_wrong_kind_are_impossible() {
    rejected(&[(1, 2, (get(None).0, KvOutcome::Ok))]);
    rejected(&[(1, 2, (set("a").0, KvOutcome::Error))]);
    rejected(&[(1, 2, (incr(1).0, KvOutcome::Error))]);
    rejected(&[(1, 2, (del(0).0, KvOutcome::Value(None)))]);
}

#[test]
fn integers_have_one_form() {
    for text in [
        "",
        "01",
        "+1",
        "-0",
        " 1",
        "1 ",
        "9223372036854775808",
        "\u{661}",
    ] {
        accepted(&[(1, 2, set(text)), (3, 4, (incr(0).0, KvOutcome::Error))]);
    }
    accepted(&[
        (1, 2, set("9223372036854775807")),
        (3, 4, (incr(0).0, KvOutcome::Error)),
    ]);
    accepted(&[
        (1, 2, set("-9223372036854775808")),
        (3, 4, incr(i64::MIN + 1)),
    ]);
}

#[test]
fn counterexample_can_be_read() {
    let counterexample = rejected(&[
        (1, 2, set("a")),
        (3, 4, set("b")),
        (5, 6, get(Some("a"))),
        (5, NEVER, set("c")),
        (7, 8, set("d")),
    ]);
    assert_eq!(counterexample.key.as_deref(), Some(&b"x"[..]));
    assert_eq!(counterexample.deadline, Moment::at(6));
    let expected = "\
key \"x\": not linearizable at tick 6 (2 of 5 operations placed)
longest order, last 2 operations:
  [1, 2]  client 0   set x \"a\" -> ok
  [3, 4]  client 1   set x \"b\" -> ok
state after it: \"b\"
cannot be placed next, in any order that gets this far:
  [5, 6]  client 2   get x -> \"a\"
outcome unknown, of no help:
  [5, -]  client 3   set x \"c\" -> unknown
";
    assert_eq!(counterexample.to_string(), expected);
}

#[test]
fn keys_are_judged_apart() {
    let mut rows = history(&[(1, 2, set("a")), (3, 4, get(Some("a")))]);
    let other = KvOperation::Get { key: b"y".into() };
    let id = rows.invoke(9, other, 5);
    rows.complete(id, 6, KvOutcome::Value(Some(b"a".into())))
        .unwrap();
    let report = judge(&rows);
    assert_eq!((report.operations, report.parts), (3, 2));
    let Verdict::Violation(counterexample) = report.verdict else {
        panic!("{report:?}")
    };
    assert_eq!(counterexample.key.as_deref(), Some(&b"y"[..]));
    assert!(counterexample.prefix.is_empty());
}

/// Two registers that one operation reads at once, so that it has no key.
struct Pair;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PairOperation {
    Write(u8),
    ReadBoth,
}

impl Model for Pair {
    type State = [bool; 2];
    type Operation = PairOperation;
    type Outcome = [bool; 2];

    fn initial() -> [bool; 2] {
        [false; 2]
    }

    fn step(
        state: &[bool; 2],
        operation: &PairOperation,
        outcome: Option<&[bool; 2]>,
    ) -> Option<[bool; 2]> {
        let mut after = *state;
        if let PairOperation::Write(which) = operation {
            after[usize::from(*which)] = true;
        }
        outcome
            .is_none_or(|outcome| *outcome == after)
            .then_some(after)
    }

    fn key(operation: &PairOperation) -> Option<&[u8]> {
        match operation {
            PairOperation::Write(which) => Some(std::slice::from_ref(which)),
            PairOperation::ReadBoth => None,
        }
    }
}

#[test]
fn an_operation_without_key_joins_all_parts() {
    let mut history = History::<PairOperation, [bool; 2]>::new();
    history.invoke(0, PairOperation::Write(0), 1);
    history.invoke(1, PairOperation::Write(1), 1);
    for (client, outcome) in [(2, [true, false]), (3, [false, true])] {
        let id = history.invoke(client, PairOperation::ReadBoth, 2);
        history.complete(id, 3, outcome).unwrap();
    }
    let report = check::<Pair>(&history, &Bounds::default());
    assert_eq!(report.parts, 1);
    let Verdict::Violation(counterexample) = report.verdict else {
        panic!("{report:?}")
    };
    assert_eq!(counterexample.key, None);
    assert!(
        counterexample
            .to_string()
            .starts_with("whole history: not linearizable")
    );
}

/// Concurrent appends of different strings, and a read that none of their orders explains.
fn hard() -> KvHistory {
    let mut rows: Vec<_> = (0..10_u8)
        .map(|letter| {
            let letter = char::from(b'a' + letter).to_string();
            (1, NEVER, append(&letter, 0))
        })
        .collect();
    rows.push((2, 3, get(Some("nothing of this"))));
    history(&rows)
}

#[test]
fn bounds_end_in_an_honest_verdict() {
    let few = Bounds {
        steps_per_key: 1000,
        ..Bounds::default()
    };
    let report = check::<Kv>(&hard(), &few);
    assert!(report.steps < 1100, "{}", report.steps);
    let Verdict::Unknown { why } = report.verdict else {
        panic!("{report:?}")
    };
    assert_eq!(
        why.to_string(),
        "key \"x\": no verdict after 1000 steps for one key"
    );

    let few = Bounds {
        steps: 500,
        ..Bounds::default()
    };
    let Verdict::Unknown { why } = check::<Kv>(&hard(), &few).verdict else {
        panic!("decided")
    };
    assert_eq!(
        why.to_string(),
        "key \"x\": no verdict after 500 steps for all keys"
    );

    let small = Bounds {
        memory_bytes: 10_000,
        ..Bounds::default()
    };
    let Verdict::Unknown { why } = check::<Kv>(&hard(), &small).verdict else {
        panic!("decided")
    };
    assert_eq!(
        why.to_string(),
        "key \"x\": no verdict within 10000 bytes of memory"
    );
}

#[test]
fn a_violation_outranks_an_unknown_verdict() {
    let mut rows = hard();
    let id = rows.invoke(9, KvOperation::Get { key: b"y".into() }, 5);
    rows.complete(id, 6, KvOutcome::Integer(0)).unwrap();
    let few = Bounds {
        steps_per_key: 1000,
        ..Bounds::default()
    };
    assert!(matches!(
        check::<Kv>(&rows, &few).verdict,
        Verdict::Violation(_)
    ));
}
