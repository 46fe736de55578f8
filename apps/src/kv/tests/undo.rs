//! Undo is exact: thousands of random histories, cut back at random, against copies kept aside.

use super::*;
use alloc::collections::BTreeSet;
use proptest::prelude::*;

/// Commands with holes: K key, V value or element, F field or member, I index or small number,
/// T time in seconds or milliseconds, A absolute milliseconds, P pattern.
pub(super) const TEMPLATES: &[&str] = &[
    "append K V",
    "dbsize",
    "decr K",
    "decrby K I",
    "del K",
    "del K K",
    "echo V",
    "exists K K",
    "expire K T",
    "expire K T NX",
    "expire K I GT",
    "expireat K T",
    "expiretime K",
    "flushall",
    "flushdb",
    "get K",
    "getdel K",
    "getex K",
    "getex K PX A",
    "getex K PERSIST",
    "getrange K I I",
    "getset K V",
    "hdel K F F",
    "hexists K F",
    "hget K F",
    "hgetall K",
    "hincrby K F I",
    "hkeys K",
    "hlen K",
    "hmget K F F",
    "hmset K F V",
    "hset K F V F V",
    "hset K F V",
    "hsetnx K F V",
    "hstrlen K F",
    "hvals K",
    "incr K",
    "incrby K I",
    "keys P",
    "lindex K I",
    "linsert K BEFORE V V",
    "linsert K AFTER V V",
    "llen K",
    "lmove K K LEFT RIGHT",
    "lmove K K RIGHT LEFT",
    "lmove K K LEFT LEFT",
    "lpop K",
    "lpop K I",
    "lpush K V V",
    "lpush K V",
    "lpushx K V",
    "lrange K I I",
    "lrem K I V",
    "lset K I V",
    "ltrim K I I",
    "mget K K",
    "mset K V K V",
    "msetnx K V K V",
    "persist K",
    "pexpire K A",
    "pexpireat K A",
    "pexpiretime K",
    "ping",
    "psetex K A V",
    "pttl K",
    "rename K K",
    "renamenx K K",
    "rpop K",
    "rpop K I",
    "rpoplpush K K",
    "rpush K V V V",
    "rpush K V",
    "rpushx K V",
    "sadd K F F",
    "sadd K F",
    "scard K",
    "sdiff K K",
    "sdiffstore K K K",
    "select 0",
    "set K V",
    "set K V EX T",
    "set K V PX A",
    "set K V NX",
    "set K V XX GET",
    "set K V KEEPTTL",
    "set K V IFEQ V",
    "setex K T V",
    "setnx K V",
    "setrange K I V",
    "sinter K K",
    "sinterstore K K K",
    "sismember K F",
    "smembers K",
    "smismember K F F",
    "smove K K F",
    "srem K F F",
    "strlen K",
    "substr K I I",
    "sunion K K",
    "sunionstore K K K",
    "time",
    "touch K",
    "ttl K",
    "type K",
    "unlink K",
    "nosuch K",
    "get",
];

fn fill(template: &'static str) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let word = |word: &'static str| {
        let from: &'static [&'static str] = match word {
            "K" => &["a", "b", "c", "d", "e"],
            "V" => &[
                "",
                "x",
                "y",
                "7",
                "-3",
                "9223372036854775807",
                "longer text",
            ],
            "F" => &["f", "g", "h", "i"],
            "I" => &["0", "1", "2", "-1", "-2", "5", "-9", "x"],
            "T" => &["0", "1", "2", "5", "1002", "-1"],
            "A" => &["0", "1", "700", "2500", "1001500", "1003000"],
            "P" => &["*", "[a-c]", "?", "z"],
            _ => return Just(word.as_bytes().to_vec()).boxed(),
        };
        prop::sample::select(from)
            .prop_map(|text| text.as_bytes().to_vec())
            .boxed()
    };
    template.split(' ').map(word).collect::<Vec<_>>()
}

fn any_command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::sample::select(TEMPLATES).prop_flat_map(fill)
}

/// A batch of plain commands and atomic groups.
fn any_operation() -> impl Strategy<Value = Vec<u8>> {
    let unit = prop_oneof![
        4 => any_command().prop_map(|command| vec![command]),
        1 => prop::collection::vec(any_command(), 2..4),
    ];
    prop::collection::vec(unit, 1..4).prop_map(|units| {
        let mut batch = BatchWriter::new();
        for commands in units {
            if let [command] = &commands[..] {
                batch.push_command(command);
                continue;
            }
            let mut body = Vec::new();
            for command in &commands {
                write_arguments(&mut body, command);
            }
            let mut unit = Vec::new();
            write_atomic(&mut unit, commands.len(), &body);
            batch.push_unit(&unit);
        }
        batch.finish()
    })
}

/// An operation, how far time goes on before it, and how many operations to undo after it.
type Event = (Vec<u8>, u64, usize);

fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let undone = prop_oneof![3 => Just(0_usize), 1 => 1_usize..6];
    let pause_us = prop_oneof![Just(0_u64), Just(300_000), Just(1_000_000)];
    prop::collection::vec((any_operation(), pause_us, undone), 1..30)
}

struct Done {
    undo: Undo,
    before: Kv,
    digest: SummaryHash,
    at: Stamp,
    operation: Vec<u8>,
    reply: Vec<u8>,
}

fn play(history: Vec<Event>) {
    let mut kv = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
    let mut now_us = 1_000_000_000;
    let mut done: Vec<Done> = Vec::new();
    for (operation, pause_us, undone) in history {
        now_us += pause_us;
        let (before, digest) = (kv.clone(), kv.digest());
        let mut reply = Vec::new();
        let undo = kv.execute(at_us(now_us), &operation, &mut reply);
        kv.check();
        Reply::parse(&reply).unwrap();
        done.push(Done {
            undo,
            before,
            digest,
            at: at_us(now_us),
            operation,
            reply,
        });
        for _ in 0..undone {
            let Some(last) = done.pop() else { break };
            kv.undo(last.undo);
            kv.check();
            assert_eq!(kv, last.before);
            assert_eq!(kv.digest(), last.digest);
        }
    }
    // A replica that never guessed wrong, and one that starts from a snapshot half way.
    let mut straight = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
    let half = done.len() / 2;
    for (index, kept) in done.iter().enumerate() {
        if index == half {
            let mut bytes = Vec::new();
            straight.snapshot(&mut bytes);
            let mut restored = Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap();
            restored.restore(&bytes).unwrap();
            assert_eq!(restored, straight);
            straight = restored;
        }
        let mut reply = Vec::new();
        straight.execute(kept.at, &kept.operation, &mut reply);
        assert_eq!(reply, kept.reply);
    }
    assert_eq!(straight, kv);
    assert_eq!(straight.digest(), kv.digest());
    while let Some(last) = done.pop() {
        kv.undo(last.undo);
    }
    assert_eq!(kv, Kv::with_reply_limit(MIN_REPLY_LIMIT).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn undo_gives_back_exactly_the_state_before(history in any_history()) {
        play(history);
    }
}

proptest! {
    #[test]
    fn arbitrary_operations_never_panic_and_are_undone(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        cut in any_operation(),
        position: prop::sample::Index,
        byte: u8,
    ) {
        let mut kv = Kv::default();
        one(&mut kv, at_us(1), "SET a 1");
        let before = kv.clone();
        let mut bent = cut;
        let place = position.index(bent.len());
        bent[place] = byte;
        for operation in [bytes, bent] {
            let mut reply = Vec::new();
            let undo = kv.execute(at_us(2), &operation, &mut reply);
            Reply::parse(&reply).unwrap();
            kv.undo(undo);
            prop_assert_eq!(&kv, &before);
        }
    }

    #[test]
    fn arbitrary_snapshots_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        history in any_history(),
        position: prop::sample::Index,
        byte: u8,
    ) {
        let mut kv = Kv::default();
        let _ = kv.restore(&bytes);
        let mut kv = Kv::default();
        for (operation, _, _) in history {
            kv.execute(at_us(1_000_000_000), &operation, &mut Vec::new());
        }
        let mut bent = Vec::new();
        kv.snapshot(&mut bent);
        let place = position.index(bent.len());
        bent[place] = byte;
        if kv.restore(&bent).is_ok() {
            kv.check();
            let mut again = Vec::new();
            kv.snapshot(&mut again);
            prop_assert_eq!(again, bent, "a snapshot that is read is the one that is written");
        }
    }
}

#[test]
fn the_templates_name_every_command() {
    let named: BTreeSet<&str> = TEMPLATES
        .iter()
        .filter_map(|template| template.split(' ').next())
        .collect();
    for about in descriptions() {
        assert!(named.contains(about.name), "{} is never undone", about.name);
    }
}
