use proptest::prelude::*;

use super::*;
use crate::linearizability::kv::{KvOperation, KvOutcome};

type KvHistory = History<KvOperation, KvOutcome>;

fn get(key: &str) -> KvOperation {
    KvOperation::Get { key: key.into() }
}

fn written(history: &KvHistory) -> String {
    let mut bytes = Vec::new();
    history.write_to(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn read(text: &str) -> Result<KvHistory, HistoryError> {
    History::read_from(&mut text.as_bytes())
}

#[test]
fn the_file_format_is_what_it_was() {
    let mut history = KvHistory::new();
    let set = history.invoke(
        3,
        KvOperation::Set {
            key: b"a".into(),
            value: vec![0xff, 0x00],
        },
        120,
    );
    history.invoke(
        4,
        KvOperation::Incr {
            key: b"n".into(),
            by: -1,
        },
        130,
    );
    history.complete(set, 180, KvOutcome::Ok).unwrap();
    let again = history.invoke(3, get("a"), 180);
    history
        .complete(again, 200, KvOutcome::Value(None))
        .unwrap();
    let expected = concat!(
        r#"{"schema":1,"client":3,"operation":{"set":{"key":"a","value":{"hex":"ff00"}}},"#,
        r#""invoked":120,"returned":180,"outcome":"ok"}"#,
        "\n",
        r#"{"schema":1,"client":4,"operation":{"incr":{"key":"n","by":-1}},"invoked":130}"#,
        "\n",
        r#"{"schema":1,"client":3,"operation":{"get":{"key":"a"}},"invoked":180,"#,
        r#""invoked_order":1,"returned":200,"outcome":{"value":null}}"#,
        "\n",
    );
    assert_eq!(written(&history), expected);
    assert_eq!(read(expected).unwrap().calls(), history.calls());
}

#[test]
fn one_recorder_orders_events_of_one_tick() {
    let mut history = KvHistory::new();
    let first = history.invoke(1, get("a"), 7);
    history.complete(first, 7, KvOutcome::Value(None)).unwrap();
    let second = history.invoke(1, get("a"), 7);
    let calls = history.calls();
    let returned = calls[first.0].completion.as_ref().unwrap().returned;
    assert!(calls[first.0].invoked < returned && returned < calls[second.0].invoked);
    // A clock that went back and came again must not put a new event before an old one.
    history.invoke(1, get("a"), 6);
    let third = history.invoke(1, get("a"), 7);
    assert!(history.calls()[second.0].invoked < history.calls()[third.0].invoked);
}

#[test]
fn impossible_records_are_refused() {
    let mut history = KvHistory::new();
    let id = history.invoke(1, get("a"), 10);
    let early = history.complete(id, 9, KvOutcome::Ok).unwrap_err();
    assert!(matches!(
        early,
        HistoryError::ReturnedBeforeInvoked { invoked: 10, .. }
    ));
    history.complete(id, 10, KvOutcome::Ok).unwrap();
    let twice = history.complete(id, 11, KvOutcome::Ok).unwrap_err();
    assert!(matches!(twice, HistoryError::CompletedTwice { index: 0 }));
    let foreign = KvHistory::new()
        .complete(id, 11, KvOutcome::Ok)
        .unwrap_err();
    assert!(matches!(
        foreign,
        HistoryError::NoSuchCall {
            index: 0,
            length: 0
        }
    ));
}

#[test]
fn bad_lines_are_named() {
    let good = r#"{"schema":1,"client":1,"operation":{"get":{"key":"a"}},"invoked":1}"#;
    let wrong = |line: &str| {
        read(&format!("{good}\n\n{line}\n"))
            .unwrap_err()
            .to_string()
    };
    let newer = wrong(r#"{"schema":2,"process":1}"#);
    assert_eq!(
        newer,
        "line 3: schema 2 is unknown: this program reads schema 1"
    );
    let half = wrong(&good.replace("\"invoked\":1", "\"invoked\":1,\"returned\":2"));
    assert_eq!(
        half,
        "line 3: `returned` without `outcome`: give both or none"
    );
    let half = wrong(&good.replace("\"invoked\":1", "\"invoked\":1,\"outcome\":\"ok\""));
    assert_eq!(
        half,
        "line 3: `outcome` without `returned`: give both or none"
    );
    let back = wrong(&good.replace(
        "\"invoked\":1",
        "\"invoked\":5,\"returned\":2,\"outcome\":\"ok\"",
    ));
    assert!(back.starts_with("line 3: operation of client 1 returned at tick 2, before tick 5"));
    let hex = wrong(&good.replace("\"a\"", "{\"hex\":\"0g\"}"));
    assert!(hex.contains("`0g` is not hexadecimal"), "{hex}");
    assert!(wrong("not json").starts_with("line 3: "));
}

#[test]
fn a_line_without_end_is_refused_at_the_limit() {
    struct Endless;
    impl io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let error = KvHistory::read_from(&mut io::BufReader::new(Endless)).unwrap_err();
    assert_eq!(error.to_string(), "line 1: longer than 16777216 bytes");
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        "\\PC{0,5}".prop_map(String::into_bytes)
    ]
}

fn operation() -> impl Strategy<Value = KvOperation> {
    prop_oneof![
        bytes().prop_map(|key| KvOperation::Get { key }),
        bytes().prop_map(|key| KvOperation::Del { key }),
        (bytes(), any::<i64>()).prop_map(|(key, by)| KvOperation::Incr { key, by }),
        (bytes(), bytes()).prop_map(|(key, value)| KvOperation::Set { key, value }),
        (bytes(), bytes()).prop_map(|(key, value)| KvOperation::Append { key, value }),
        (bytes(), prop::option::of(bytes()), bytes()).prop_map(|(key, expected, value)| {
            KvOperation::Cas {
                key,
                expected,
                value,
            }
        }),
    ]
}

fn outcome() -> impl Strategy<Value = KvOutcome> {
    prop_oneof![
        prop::option::of(bytes()).prop_map(KvOutcome::Value),
        any::<i64>().prop_map(KvOutcome::Integer),
        Just(KvOutcome::Ok),
        Just(KvOutcome::Error),
    ]
}

fn call() -> impl Strategy<Value = Call<KvOperation, KvOutcome>> {
    let times = (any::<u64>(), 0..3_u32, any::<u64>(), 0..3_u32);
    (
        any::<u64>(),
        operation(),
        times,
        prop::option::of(outcome()),
    )
        .prop_map(
            |(client, operation, (tick, order, later, later_order), outcome)| {
                let one = Moment { tick, order };
                let other = Moment {
                    tick: later,
                    order: later_order,
                };
                let completion = outcome.map(|outcome| Completion {
                    returned: one.max(other),
                    outcome,
                });
                Call {
                    client,
                    operation,
                    invoked: one.min(other),
                    completion,
                }
            },
        )
}

proptest! {
    #[test]
    fn reading_gives_back_what_was_written(calls in prop::collection::vec(call(), 0..8)) {
        let mut history = KvHistory::new();
        for call in calls {
            history.push(call).unwrap();
        }
        let text = written(&history);
        prop_assert_eq!(text.lines().count(), history.len());
        prop_assert_eq!(read(&text).unwrap(), history);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KvHistory::read_from(&mut bytes.as_slice());
    }

    #[test]
    fn broken_lines_never_panic(call in call(), cut in any::<prop::sample::Index>(), byte: u8) {
        let mut history = KvHistory::new();
        history.push(call).unwrap();
        let mut bytes = written(&history).into_bytes();
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        let _ = KvHistory::read_from(&mut bytes.as_slice());
        let _ = KvHistory::read_from(&mut &bytes[..at]);
    }
}
