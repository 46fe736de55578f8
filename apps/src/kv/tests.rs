//! The store as a whole: what commands mean, limits on replies, expiry, snapshots.

mod meaning;
mod reads;
#[cfg(feature = "front")]
mod redis;
mod undo;

use super::encode::{BatchWriter, atomic, command, write_arguments, write_atomic};
use super::reply::{Reply, Value};
use super::*;
use alloc::string::String;
use alloc::vec;
use wire::AgreedTime;

/// A stamp at this many microseconds; the slot does not matter to the store.
fn at_us(time_us: u64) -> Stamp {
    Stamp {
        slot: SlotNumber(1),
        time: Some(AgreedTime(time_us)),
    }
}

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ')
        .map(|word| {
            if word == "''" {
                &b""[..]
            } else {
                word.as_bytes()
            }
        })
        .collect()
}

fn run(kv: &mut Kv, at: Stamp, operation: &[u8]) -> Vec<Value> {
    let mut reply = Vec::new();
    kv.execute(at, operation, &mut reply);
    assert!(reply.len() <= kv.reply_limit());
    Reply::parse(&reply).unwrap().values
}

fn one(kv: &mut Kv, at: Stamp, line: &str) -> Value {
    let mut values = run(kv, at, &command(&words(line)));
    assert_eq!(values.len(), 1);
    values.remove(0)
}

fn batch(lines: &[&str]) -> Vec<u8> {
    let mut batch = BatchWriter::new();
    for line in lines {
        assert!(batch.push_command(&words(line)));
    }
    batch.finish()
}

/// A value on one line.
fn show(value: &Value) -> String {
    let list = |values: &[Value]| values.iter().map(show).collect::<Vec<_>>().join(" ");
    match value {
        Value::Null => "nil".into(),
        Value::Ok => "OK".into(),
        Value::Text(text) => format!("+{}", String::from_utf8_lossy(text)),
        Value::Error(text) => format!("-{text}"),
        Value::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Value::Integer(number) => format!("{number}"),
        Value::Array(values) => format!("[{}]", list(values)),
        Value::Set(values) => format!("{{{}}}", list(values)),
        Value::Map(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{}={}", show(key), show(value)))
                .collect();
            format!("%[{}]", pairs.join(" "))
        }
    }
}

#[test]
fn a_malformed_operation_is_refused_without_effect() {
    let mut kv = Kv::default();
    let mut good = batch(&["SET a 1", "SET b 2"]);
    let digest = kv.digest();
    good.pop();
    let values = run(&mut kv, at_us(1), &good);
    assert!(matches!(&values[..], [Value::Error(text)] if text.contains("not valid at byte")));
    assert_eq!(kv.digest(), digest);
    assert_eq!(kv.live_keys(), 0);
}

#[test]
fn a_batch_stops_before_a_reply_that_does_not_fit() {
    let mut kv = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
    let big = "x".repeat(300);
    one(&mut kv, at_us(1), &format!("SET a {big}"));
    let operation = batch(&["GET a", "INCR n", "GETSET a y", "INCR n"]);
    let values = run(&mut kv, at_us(2), &operation);
    assert_eq!(values.len(), 2, "GETSET would have been too much");
    assert_eq!(
        one(&mut kv, at_us(3), "STRLEN a"),
        Value::Integer(300),
        "and had no effect"
    );
    assert_eq!(one(&mut kv, at_us(3), "GET n"), Value::Bulk(b"1".to_vec()));
}

#[test]
fn one_command_over_the_limit_is_an_error_without_effect() {
    let mut kv = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
    for _ in 0..10 {
        one(&mut kv, at_us(1), &format!("APPEND a {}", "x".repeat(100)));
    }
    let before = kv.clone();
    let values = run(&mut kv, at_us(1), &batch(&["GETDEL a", "PING"]));
    let [Value::Error(text), Value::Text(_)] = &values[..] else {
        panic!("{values:?}")
    };
    let expected = "ERR reply of 1006 bytes is over the limit of 512 bytes, nothing was done";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(kv, before);
}

#[test]
fn an_atomic_group_is_executed_whole_or_not_at_all() {
    let mut kv = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
    let commands = [words("SET a 1"), words("LPUSH a x"), words("INCR a")];
    let groups: Vec<&[&[u8]]> = commands.iter().map(|command| &command[..]).collect();
    let values = run(&mut kv, at_us(1), &atomic(&groups));
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(show(&values[0]), format!("[OK -{wrong} 2]"));

    let big = "x".repeat(300);
    one(&mut kv, at_us(1), &format!("SET b {big}"));
    let before = kv.clone();
    let commands = [words("INCR a"), words("GET b"), words("GET b")];
    let groups: Vec<&[&[u8]]> = commands.iter().map(|command| &command[..]).collect();
    let values = run(&mut kv, at_us(1), &atomic(&groups));
    assert!(matches!(&values[0], Value::Error(text) if text.contains("over the limit")));
    assert_eq!(kv, before, "no part of the group took effect");

    // Later in a batch the group waits for the next operation, whole.
    let mut body = Vec::new();
    write_arguments(&mut body, &words("INCR a"));
    write_arguments(&mut body, &words("GET b"));
    let mut unit = Vec::new();
    write_atomic(&mut unit, 2, &body);
    let mut batch = BatchWriter::new();
    batch.push_command(&words("GET b"));
    batch.push_unit(&unit);
    let values = run(&mut kv, at_us(1), &batch.finish());
    assert_eq!(values.len(), 1);
    assert_eq!(kv, before);
}

#[test]
fn due_keys_are_absent_before_they_are_removed() {
    let mut kv = Kv::default();
    let count = 100;
    for index in 0..count {
        one(&mut kv, at_us(1), &format!("SET k{index:03} v PX 1"));
    }
    one(&mut kv, at_us(1), "SET stays v");
    assert_eq!(one(&mut kv, at_us(1_000), "DBSIZE"), Value::Integer(101));
    assert_eq!(
        one(&mut kv, at_us(1_001), "DBSIZE"),
        Value::Integer(1),
        "due at its deadline"
    );
    assert!(kv.expiring_keys() > 50, "the sweep is bounded");
    assert_eq!(kv.live_keys(), 1);
    assert_eq!(show(&one(&mut kv, at_us(1_001), "KEYS *")), "[\"stays\"]");
    assert_eq!(one(&mut kv, at_us(1_001), "GET k099"), Value::Null);
    assert_eq!(
        one(&mut kv, at_us(1_001), "EXISTS k098 k097 stays"),
        Value::Integer(1)
    );
    for _ in 0..count {
        one(&mut kv, at_us(1_001), "PING");
    }
    assert_eq!(kv.expiring_keys(), 0, "and ends the work in time");
}

#[test]
fn the_digest_is_of_what_is_not_due() {
    let mut one_kv = Kv::default();
    let mut other = Kv::default();
    for index in 0..50 {
        one(&mut one_kv, at_us(1), &format!("SET k{index} v PX 1"));
    }
    assert_ne!(one_kv.digest(), other.digest());
    one(&mut one_kv, at_us(2_000), "PING");
    one(&mut other, at_us(2_000), "PING");
    assert!(one_kv.expiring_keys() > 0);
    assert_eq!(one_kv.digest(), other.digest());
}

#[test]
fn without_stamps_what_needs_time_says_so() {
    let mut kv = Kv::default();
    let at = Stamp {
        slot: SlotNumber(1),
        time: None,
    };
    one(&mut kv, at, "SET a 1");
    for line in [
        "SET b 1 EX 5",
        "SETEX b 5 1",
        "EXPIRE a 5",
        "PEXPIREAT a 5",
        "TIME",
        "GETEX a PX 1",
    ] {
        let Value::Error(text) = one(&mut kv, at, line) else {
            panic!("{line}")
        };
        assert!(text.starts_with("ERR no agreed time"), "{line}: {text}");
    }
    assert_eq!(one(&mut kv, at, "TTL a"), Value::Integer(-1));
    assert_eq!(one(&mut kv, at, "EXISTS a b"), Value::Integer(1));
}

#[test]
fn a_stamp_that_runs_back_does_not_revive_a_key() {
    let mut kv = Kv::default();
    one(&mut kv, at_us(1_000), "SET a 1 PX 1");
    assert_eq!(one(&mut kv, at_us(3_000), "GET a"), Value::Null);
    assert_eq!(one(&mut kv, at_us(500), "SET a 1 PXAT 2"), Value::Ok);
    assert_eq!(
        one(&mut kv, at_us(500), "GET a"),
        Value::Null,
        "2 ms are over"
    );
}

#[test]
fn restore_refuses_what_no_snapshot_is() {
    let mut kv = Kv::default();
    one(&mut kv, at_us(1), "HSET h a 1 b 2");
    one(&mut kv, at_us(1), "SET z 1 EX 100");
    let mut good = Vec::new();
    kv.snapshot(&mut good);
    let before = kv.clone();
    for length in 0..good.len() {
        assert!(kv.restore(&good[..length]).is_err(), "cut at {length}");
    }
    let swapped: Vec<u8> = good
        .iter()
        .map(|byte| if *byte == b'a' { b'c' } else { *byte })
        .collect();
    let error = kv.restore(&swapped).unwrap_err();
    assert_eq!(error.reason, "fields are not in ascending order");
    assert_eq!(kv, before, "a failed restore changes nothing");
}

#[test]
fn a_reply_limit_must_hold_any_error() {
    assert!(Kv::with_reply_limit(MIN_REPLY_LIMIT - 1).is_err());
    let mut kv = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
    let long = "x".repeat(2_000);
    for line in [
        format!("{long} {long} {long}"),
        format!("GET {long} {long}"),
    ] {
        assert!(matches!(one(&mut kv, at_us(1), &line), Value::Error(_)));
    }
}

/// Where the list `l` keeps its element `middle`.
fn middle_slot(kv: &Kv) -> usize {
    let Some(keyspace::Value::List(list)) = kv.space.get(b"l").map(|entry| &entry.value) else {
        panic!("there is no list");
    };
    let slot = list
        .iter()
        .find(|element| ***element == *b"middle")
        .unwrap();
    core::ptr::from_ref(slot).addr()
}

#[test]
fn a_large_list_is_changed_and_undone_in_place() {
    let mut kv = Kv::default();
    let chunk = vec!["e"; 1_000].join(" ");
    for round in 0..100 {
        one(&mut kv, at_us(1), &format!("RPUSH l {chunk}"));
        if round == 50 {
            one(&mut kv, at_us(1), "RPUSH l middle");
        }
    }
    let lines = [
        "LPUSH l a",
        "RPUSH l a",
        "LPOP l",
        "RPOP l 3",
        "LSET l 5 x",
        "LTRIM l 1 -2",
        "RENAME l m",
        "DEL l",
        "FLUSHALL",
        "LMOVE l m LEFT RIGHT",
        "EXPIRE l 5",
    ];
    // A list that was copied, or moved element by element, would stand elsewhere afterwards.
    for line in lines {
        let slot = middle_slot(&kv);
        let mut reply = Vec::new();
        let undo = kv.execute(at_us(1), &command(&words(line)), &mut reply);
        assert!(undo.steps.len() <= 3, "{line}: {}", undo.steps.len());
        if kv.space.get(b"l").is_some() {
            assert_eq!(middle_slot(&kv), slot, "{line}");
        }
        kv.undo(undo);
        assert_eq!(middle_slot(&kv), slot, "undo of {line}");
    }
    assert_eq!(one(&mut kv, at_us(1), "LLEN l"), Value::Integer(100_001));
}
