//! What each command means, as scripts: a command, its reply. `@n` sets the agreed time in seconds.

use super::*;

fn check(script: &str) {
    let mut kv = Kv::default();
    let mut now_us = 1_000_000_000;
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(seconds) = line.strip_prefix('@') {
            now_us = seconds.parse::<u64>().unwrap() * 1_000_000;
            continue;
        }
        let (command, expected) = line.split_once(" => ").unwrap();
        let value = one(&mut kv, at_us(now_us), command);
        assert_eq!(show(&value).trim_end(), expected, "{command}");
        kv.check();
    }
}

#[test]
fn strings() {
    check(
        "
        GET a => nil
        SET a 1 => OK
        GET a => \"1\"
        SET a 2 NX => nil
        SET b 2 XX => nil
        SET a 2 XX GET => \"1\"
        SET a 3 IFEQ 1 => nil
        SET a 3 IFEQ 2 => OK
        SET a 3 NX XX => -ERR syntax error
        SET a 3 EX => -ERR syntax error
        SET a 3 EX 5 KEEPTTL => -ERR syntax error
        SET a 3 EX x => -ERR value is not an integer or out of range
        SET a 3 EX 0 => -ERR invalid expire time in 'set' command
        SET a 3 EX 9223372036854775807 => -ERR invalid expire time in 'set' command
        MSET a 1 b 2 => OK
        MSET a 1 b => -ERR wrong number of arguments for 'mset' command
        MGET a none b => [\"1\" nil \"2\"]
        MSETNX c 3 a 9 => 0
        EXISTS c => 0
        MSETNX c 3 d 4 => 1
        SETNX c 9 => 0
        GETSET c 5 => \"3\"
        GETDEL c => \"5\"
        GETDEL c => nil
        APPEND t ab => 2
        APPEND t cd => 4
        STRLEN t => 4
        GETRANGE t 1 -2 => \"bc\"
        SUBSTR t 0 0 => \"a\"
        GETRANGE t 5 9 => \"\"
        SETRANGE t 1 XY => 4
        SETRANGE t 6 z => 7
        GET t => \"aXYd\\x00\\x00z\"
        SETRANGE t -1 z => -ERR offset is out of range
        SETRANGE t 1048576 z => -ERR string exceeds maximum allowed size (1048576 bytes)
        SETRANGE none 5 '' => 0
        INCR n => 1
        INCRBY n 10 => 11
        DECR n => 10
        DECRBY n 3 => 7
        INCR t => -ERR value is not an integer or out of range
        SET m 9223372036854775807 => OK
        INCR m => -ERR increment or decrement would overflow
        DECRBY m -9223372036854775808 => -ERR decrement would overflow
        GET => -ERR wrong number of arguments for 'get' command
        nosuch a b => -ERR unknown command 'nosuch', with args beginning with: 'a' 'b'
        ",
    );
}

#[test]
fn expiry() {
    check(
        "
        @100
        SET a 1 EX 10 => OK
        TTL a => 10
        PTTL a => 10000
        EXPIRETIME a => 110
        PEXPIRETIME a => 110000
        SET a 2 KEEPTTL => OK
        TTL a => 10
        INCR a => 3
        APPEND a 0 => 2
        TTL a => 10
        @109
        GET a => \"30\"
        @110
        GET a => nil
        TTL a => -2
        SET a 1 => OK
        TTL a => -1
        EXPIRE a 5 XX => 0
        EXPIRE a 5 GT => 0
        EXPIRE a 50 LT => 1
        EXPIRE a 60 LT => 0
        EXPIRE a 60 GT => 1
        EXPIRE a 70 NX => 0
        EXPIRE a 70 NX XX => -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE a 70 GT LT => -ERR GT and LT options at the same time are not compatible
        EXPIRE none 5 => 0
        PERSIST a => 1
        PERSIST a => 0
        PEXPIRE a 1500 => 1
        TTL a => 2
        PEXPIREAT a 120000 => 1
        TTL a => 10
        EXPIREAT a 109 => 1
        EXISTS a => 0
        SETEX b 5 v => OK
        PSETEX c 5000 v => OK
        SETEX b 0 v => -ERR invalid expire time in 'setex' command
        GETEX b PERSIST => \"v\"
        TTL b => -1
        GETEX b EX 100 => \"v\"
        GETEX b => \"v\"
        TTL b => 100
        GETEX none EX 5 => nil
        RENAME b d => OK
        TTL d => 100
        SET d new => OK
        TTL d => -1
        @114
        DBSIZE => 2
        @115
        DBSIZE => 1
        TIME => [\"115\" \"0\"]
        SET e 1 EXAT 115 => OK
        EXISTS e => 0
        ",
    );
}

#[test]
fn keys() {
    check(
        "
        MSET a 1 b 2 c 3 => OK
        EXISTS a a none => 2
        TOUCH a b => 2
        DEL a none => 1
        UNLINK b => 1
        TYPE c => +string
        TYPE none => +none
        RPUSH l x => 1
        SADD s x => 1
        HSET h x y => 1
        TYPE l => +list
        TYPE s => +set
        TYPE h => +hash
        KEYS * => [\"c\" \"h\" \"l\" \"s\"]
        KEYS [a-h] => [\"c\" \"h\"]
        RENAME none x => -ERR no such key
        RENAME c s => OK
        GET s => \"3\"
        RENAME s s => OK
        RENAMENX s h => 0
        RENAMENX s c => 1
        DBSIZE => 3
        FLUSHALL ASYNC => OK
        FLUSHDB now => -ERR syntax error
        DBSIZE => 0
        SELECT 0 => OK
        SELECT 1 => -ERR DB index is out of range: there is only database 0
        PING => +PONG
        PING x => \"x\"
        ECHO x => \"x\"
        ",
    );
}

#[test]
fn hashes() {
    check(
        "
        HSET h b 2 a 1 => 2
        HSET h a 9 c 3 => 1
        HSET h a => -ERR wrong number of arguments for 'hset' command
        HSET h a 1 b => -ERR wrong number of arguments for 'hset' command
        HGETALL h => %[\"a\"=\"9\" \"b\"=\"2\" \"c\"=\"3\"]
        HGET h a => \"9\"
        HMGET h a none => [\"9\" nil]
        HMSET h d 4 => OK
        HLEN h => 4
        HEXISTS h d => 1
        HKEYS h => [\"a\" \"b\" \"c\" \"d\"]
        HVALS h => [\"9\" \"2\" \"3\" \"4\"]
        HINCRBY h a 5 => 14
        HINCRBY h new -5 => -5
        HSET h text x => 1
        HINCRBY h text 1 => -ERR hash value is not an integer
        HSETNX h a 1 => 0
        HSETNX h e 1 => 1
        HSTRLEN h a => 2
        HDEL h a b none => 2
        HDEL h c d e new text => 5
        EXISTS h => 0
        HGETALL h => %[]
        SET t x => OK
        HGET t a => -WRONGTYPE Operation against a key holding the wrong kind of value
        HSET t a 1 => -WRONGTYPE Operation against a key holding the wrong kind of value
        GET t => \"x\"
        ",
    );
}

#[test]
fn lists() {
    check(
        "
        LPUSH l b a => 2
        RPUSH l c d => 4
        LRANGE l 0 -1 => [\"a\" \"b\" \"c\" \"d\"]
        LRANGE l -2 9 => [\"c\" \"d\"]
        LPUSHX none x => 0
        RPUSHX l e => 5
        LLEN l => 5
        LINDEX l -1 => \"e\"
        LINDEX l 9 => nil
        LSET l 0 A => OK
        LSET l 9 A => -ERR index out of range
        LSET none 0 A => -ERR no such key
        LINSERT l BEFORE b x => 6
        LINSERT l AFTER e y => 7
        LINSERT l AFTER none y => -1
        LINSERT none AFTER e y => 0
        LRANGE l 0 -1 => [\"A\" \"x\" \"b\" \"c\" \"d\" \"e\" \"y\"]
        LPOP l => \"A\"
        RPOP l => \"y\"
        LPOP l 2 => [\"x\" \"b\"]
        RPOP l 2 => [\"e\" \"d\"]
        LPOP l 0 => []
        LPOP l -1 => -ERR value is out of range, must be positive
        LPOP l 9 => [\"c\"]
        EXISTS l => 0
        LPOP l => nil
        LPOP l 2 => nil
        RPUSH l x y x z x => 5
        LREM l -2 x => 2
        LRANGE l 0 -1 => [\"x\" \"y\" \"z\"]
        LREM l 0 none => 0
        LTRIM l 1 -1 => OK
        LRANGE l 0 -1 => [\"y\" \"z\"]
        RPOPLPUSH l m => \"z\"
        LMOVE l m LEFT RIGHT => \"y\"
        EXISTS l => 0
        LRANGE m 0 -1 => [\"z\" \"y\"]
        LMOVE m m LEFT RIGHT => \"z\"
        LRANGE m 0 -1 => [\"y\" \"z\"]
        LMOVE m m UP RIGHT => -ERR syntax error
        RPOPLPUSH none m => nil
        LTRIM m 5 9 => OK
        EXISTS m => 0
        SADD s x => 1
        RPUSH l x => 1
        RPOPLPUSH l s => -WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN l => 1
        ",
    );
}

#[test]
fn sets() {
    check(
        "
        SADD s b a b => 2
        SADD s a c => 1
        SMEMBERS s => {\"a\" \"b\" \"c\"}
        SCARD s => 3
        SISMEMBER s a => 1
        SMISMEMBER s a none c => [1 0 1]
        SADD t c d => 2
        SINTER s t => {\"c\"}
        SUNION s t => {\"a\" \"b\" \"c\" \"d\"}
        SDIFF s t => {\"a\" \"b\"}
        SINTERSTORE i s t => 1
        SUNIONSTORE u s t none => 4
        SDIFFSTORE s s t => 2
        SMEMBERS s => {\"a\" \"b\"}
        SINTERSTORE i s none => 0
        EXISTS i => 0
        SMOVE s t a => 1
        SMOVE s t a => 0
        SREM s b none => 1
        EXISTS s => 0
        SMEMBERS s => {}
        SET x 1 => OK
        SUNION t x => -WRONGTYPE Operation against a key holding the wrong kind of value
        SADD x 1 => -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn refused_commands_say_why() {
    for (name, reason) in REFUSED {
        let value = one(&mut Kv::default(), at_us(1), &format!("{name} a b"));
        assert_eq!(
            show(&value),
            format!("-ERR {name} is not supported: {reason}")
        );
    }
}
