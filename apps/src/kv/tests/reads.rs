//! Operations that are answered without a place in the log.

use super::*;
use alloc::collections::BTreeSet;

fn read(kv: &Kv, time_us: u64, operation: &[u8]) -> Vec<Value> {
    assert!(kv.is_read(operation));
    let mut reply = Vec::new();
    kv.read(Some(AgreedTime(time_us)), operation, &mut reply);
    Reply::parse(&reply).unwrap().values
}

/// Every command that never writes.
#[rustfmt::skip] // It is read as a list.
const LINES: [&str; 42] = [
    "GET s", "GET e", "GET h", "GET none", "MGET s e h none", "STRLEN s", "GETRANGE s 1 2",
    "SUBSTR s 0 0", "EXISTS s e none", "TOUCH s e", "TYPE l", "TTL e", "PTTL e", "PTTL s",
    "EXPIRETIME e", "PEXPIRETIME e", "KEYS *", "DBSIZE", "HGET h f", "HMGET h f x", "HGETALL h",
    "HKEYS h", "HVALS h", "HLEN h", "HEXISTS h f", "HSTRLEN h f", "LLEN l", "LRANGE l 0 -1",
    "LINDEX l 1", "SMEMBERS t", "SCARD t", "SISMEMBER t x", "SMISMEMBER t x q", "SINTER t u",
    "SUNION t u", "SDIFF t u", "PING", "ECHO word", "SELECT 0", "SELECT 1", "TIME",
    "LRANGE l a b",
];

#[test]
fn every_command_that_never_writes_reads_what_it_would_answer_in_the_log() {
    let mut kv = Kv::default();
    for line in [
        "SET s text",
        "SET e 1 PX 5",
        "HSET h f 1 g 2",
        "RPUSH l a b c",
        "SADD t x y",
        "SADD u y z",
    ] {
        one(&mut kv, at_us(1_000), line);
    }
    let named: BTreeSet<_> = LINES
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_lowercase())
        .collect();
    let reads = descriptions().filter(|about| !about.is_write);
    assert!(reads.map(|about| about.name).eq(named.iter()), "{named:?}");
    // Before the key with a deadline ends, and after.
    for time_us in [2_000, 6_000] {
        for line in LINES {
            let operation = batch(&[line]);
            let before = kv.clone();
            let answer = read(&kv, time_us, &operation);
            assert_eq!(kv, before, "{line}");
            let mut logged = kv.clone();
            assert_eq!(
                answer,
                run(&mut logged, at_us(time_us), &operation),
                "{line}"
            );
        }
    }
}

#[test]
fn what_writes_in_any_part_is_no_read() {
    let kv = Kv::default();
    let atomic = |lines: [&str; 2]| atomic(&lines.map(words).each_ref().map(|words| &words[..]));
    assert!(kv.is_read(&batch(&["GET a", "TTL b"])));
    assert!(kv.is_read(&atomic(["GET a", "EXISTS b"])));
    assert!(!kv.is_read(&batch(&["GET a", "SET b 1"])));
    assert!(!kv.is_read(&atomic(["GET a", "INCR b"])));
    for line in ["GETDEL a", "GETEX a", "GETSET a 1", "NOSUCH a", "GET"] {
        assert!(!kv.is_read(&batch(&[line])), "{line}");
    }
    assert!(!kv.is_read(&batch(&[])), "nothing is asked");
    assert!(!kv.is_read(b""), "not an operation");
}

#[test]
fn a_read_as_of_an_older_time_does_not_revive_a_key() {
    let mut kv = Kv::default();
    one(&mut kv, at_us(0), "SET e 1 PX 5");
    one(&mut kv, at_us(5_000), "SET other 1");
    assert_eq!(read(&kv, 1_000, &batch(&["EXISTS e"])), [Value::Integer(0)]);
}
