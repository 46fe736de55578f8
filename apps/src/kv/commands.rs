//! The table of commands: names, argument counts, what runs them.
//!
//! One table serves execution, `COMMAND` and `docs/redis.md` (a test compares them). The names are
//! sorted, and found without allocation whatever their case.

use super::edit::Edit;
use super::failure::Failure;
use super::reply::ReplyWriter;
use super::view::View;
use super::{expiry, hashes, keys, lists, server, sets, strings};
use Run::{Read, Write};

/// What a command is called and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name in lower case.
    pub name: &'static str,
    /// The exact number of arguments, name included; negative: at least that many.
    pub arity: i8,
    /// Whether it can change the state.
    pub is_write: bool,
    /// Position of the first key, of the last (negative: from the end), and the step; 0: no keys.
    pub keys: (i8, i8, i8),
    /// The family, as `COMMAND DOCS` names it.
    pub group: &'static str,
    /// One line for people.
    pub summary: &'static str,
}

impl Description {
    /// Whether a command with this many arguments, name included, can be run.
    pub fn accepts(&self, arguments: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 {
            arguments >= wanted
        } else {
            arguments == wanted
        }
    }
}

/// What runs a command: one that never writes gets a view of the state and nothing else.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Read(ReadCommand),
    Write(WriteCommand),
}

type ReadCommand = fn(View<'_>, &[&[u8]], &mut ReplyWriter<'_>) -> Result<(), Failure>;
type WriteCommand = fn(&mut Edit<'_>, &[&[u8]], &mut ReplyWriter<'_>) -> Result<(), Failure>;

pub(super) struct Command {
    pub(super) about: Description,
    pub(super) run: Run,
}

/// The longest name in the table.
const MAX_NAME: usize = 16;
/// Keys of most commands: the first argument.
const ONE: (i8, i8, i8) = (1, 1, 1);
const ALL: (i8, i8, i8) = (1, -1, 1);
const TWO: (i8, i8, i8) = (1, 2, 1);
const PAIRS: (i8, i8, i8) = (1, -1, 2);
const NONE: (i8, i8, i8) = (0, 0, 0);

/// Checks that a command can be queued or sent: the name is known and the count of arguments fits.
/// The first argument is the name.
pub fn check(arguments: &[&[u8]]) -> Result<&'static Description, Failure> {
    find(arguments).map(|command| &command.about)
}

/// All commands that the state machine runs, sorted by name.
pub fn descriptions() -> impl Iterator<Item = &'static Description> {
    COMMANDS.iter().map(|command| &command.about)
}

pub(super) fn find(arguments: &[&[u8]]) -> Result<&'static Command, Failure> {
    let name = arguments.first().copied().unwrap_or_default();
    let mut lower = [0; MAX_NAME];
    let found = lower.get_mut(..name.len()).and_then(|lower| {
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        COMMANDS
            .binary_search_by(|command| command.about.name.as_bytes().cmp(lower))
            .ok()
    });
    let Some(command) = found.map(|index| &COMMANDS[index]) else {
        return Err(refusal(name).unwrap_or_else(|| Failure::unknown(arguments)));
    };
    if command.about.accepts(arguments.len()) {
        Ok(command)
    } else {
        Err(Failure::arity(command.about.name))
    }
}

/// Commands that Redis has and this store refuses for a reason worth saying.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "BLMOVE",
        "a replicated command cannot wait; poll with LMOVE",
    ),
    ("BLPOP", "a replicated command cannot wait; poll with LPOP"),
    ("BRPOP", "a replicated command cannot wait; poll with RPOP"),
    (
        "HINCRBYFLOAT",
        "floating point text is not the same everywhere; use HINCRBY",
    ),
    (
        "HRANDFIELD",
        "a random choice would differ between replicas",
    ),
    (
        "INCRBYFLOAT",
        "floating point text is not the same everywhere; use INCRBY",
    ),
    ("RANDOMKEY", "a random choice would differ between replicas"),
    ("SCAN", "there are no cursors; use KEYS pattern"),
    (
        "SPOP",
        "a random choice would differ between replicas; use SMEMBERS and SREM",
    ),
    (
        "SRANDMEMBER",
        "a random choice would differ between replicas; use SMEMBERS",
    ),
    (
        "UNWATCH",
        "WATCH is not supported; use SET key value IFEQ old, or MULTI",
    ),
    (
        "WATCH",
        "use SET key value IFEQ old, or MULTI, which is atomic by itself",
    ),
];

fn refusal(name: &[u8]) -> Option<Failure> {
    let same = |entry: &&(&str, &str)| entry.0.as_bytes().eq_ignore_ascii_case(name);
    REFUSED
        .iter()
        .find(same)
        .map(|(name, reason)| Failure::not_supported(name, reason))
}

const fn row(
    name: &'static str,
    arity: i8,
    keys: (i8, i8, i8),
    run: (&'static str, Run),
    summary: &'static str,
) -> Command {
    let (group, run) = run;
    let is_write = matches!(run, Write(_));
    Command {
        about: Description {
            name,
            arity,
            is_write,
            keys,
            group,
            summary,
        },
        run,
    }
}

const fn string(run: Run) -> (&'static str, Run) {
    ("string", run)
}

const fn hash(run: Run) -> (&'static str, Run) {
    ("hash", run)
}

const fn list(run: Run) -> (&'static str, Run) {
    ("list", run)
}

const fn set(run: Run) -> (&'static str, Run) {
    ("set", run)
}

const fn generic(run: Run) -> (&'static str, Run) {
    ("generic", run)
}

const fn about_server(run: Run) -> (&'static str, Run) {
    ("server", run)
}

#[rustfmt::skip] // One line a command: it is read as a table.
static COMMANDS: &[Command] = &[
    row("append", 3, ONE, string(Write(strings::append)), "Appends to a string"),
    row("dbsize", 1, NONE, about_server(Read(keys::dbsize)), "Counts the keys"),
    row("decr", 2, ONE, string(Write(strings::decr)), "Subtracts one from an integer"),
    row("decrby", 3, ONE, string(Write(strings::decrby)), "Subtracts from an integer"),
    row("del", -2, ALL, generic(Write(keys::del)), "Removes keys"),
    row("echo", 2, NONE, ("connection", Read(server::echo)), "Answers its argument"),
    row("exists", -2, ALL, generic(Read(keys::exists)), "Counts those of the keys that exist"),
    row("expire", -3, ONE, generic(Write(expiry::expire)), "Ends a key after some seconds"),
    row("expireat", -3, ONE, generic(Write(expiry::expireat)), "Ends a key at a Unix time"),
    row("expiretime", 2, ONE, generic(Read(expiry::expiretime)), "When a key ends, in seconds"),
    row("flushall", -1, NONE, about_server(Write(keys::flushall)), "Removes all keys"),
    row("flushdb", -1, NONE, about_server(Write(keys::flushall)), "Removes all keys"),
    row("get", 2, ONE, string(Read(strings::get)), "Reads a string"),
    row("getdel", 2, ONE, string(Write(strings::getdel)), "Reads a string and removes it"),
    row("getex", -2, ONE, string(Write(strings::getex)), "Reads, and changes when it ends"),
    row("getrange", 4, ONE, string(Read(strings::getrange)), "Reads a part of a string"),
    row("getset", 3, ONE, string(Write(strings::getset)), "Writes, and reads the old one"),
    row("hdel", -3, ONE, hash(Write(hashes::hdel)), "Removes fields of a hash"),
    row("hexists", 3, ONE, hash(Read(hashes::hexists)), "Tells whether a hash has a field"),
    row("hget", 3, ONE, hash(Read(hashes::hget)), "Reads a field of a hash"),
    row("hgetall", 2, ONE, hash(Read(hashes::hgetall)), "Reads all fields and values of a hash"),
    row("hincrby", 4, ONE, hash(Write(hashes::hincrby)), "Adds to an integer in a hash"),
    row("hkeys", 2, ONE, hash(Read(hashes::hkeys)), "Reads the names of all fields of a hash"),
    row("hlen", 2, ONE, hash(Read(hashes::hlen)), "Counts the fields of a hash"),
    row("hmget", -3, ONE, hash(Read(hashes::hmget)), "Reads several fields of a hash"),
    row("hmset", -4, ONE, hash(Write(hashes::hmset)), "Writes fields of a hash"),
    row("hset", -4, ONE, hash(Write(hashes::hset)), "Writes fields of a hash"),
    row("hsetnx", 4, ONE, hash(Write(hashes::hsetnx)), "Writes a field unless it exists"),
    row("hstrlen", 3, ONE, hash(Read(hashes::hstrlen)), "The length of a field's value"),
    row("hvals", 2, ONE, hash(Read(hashes::hvals)), "Reads the values of all fields of a hash"),
    row("incr", 2, ONE, string(Write(strings::incr)), "Adds one to an integer"),
    row("incrby", 3, ONE, string(Write(strings::incrby)), "Adds to an integer"),
    row("keys", 2, NONE, generic(Read(keys::keys)), "Lists the keys that match a pattern"),
    row("lindex", 3, ONE, list(Read(lists::lindex)), "Reads an element of a list"),
    row("linsert", 5, ONE, list(Write(lists::linsert)), "Inserts at an element of a list"),
    row("llen", 2, ONE, list(Read(lists::llen)), "The length of a list"),
    row("lmove", 5, TWO, list(Write(lists::lmove)), "Moves an element between lists"),
    row("lpop", -2, ONE, list(Write(lists::lpop)), "Takes elements off the head of a list"),
    row("lpush", -3, ONE, list(Write(lists::lpush)), "Puts elements at the head of a list"),
    row("lpushx", -3, ONE, list(Write(lists::lpushx)), "Puts at the head of an existing list"),
    row("lrange", 4, ONE, list(Read(lists::lrange)), "Reads a range of a list"),
    row("lrem", 4, ONE, list(Write(lists::lrem)), "Removes equal elements from a list"),
    row("lset", 4, ONE, list(Write(lists::lset)), "Replaces an element of a list"),
    row("ltrim", 4, ONE, list(Write(lists::ltrim)), "Keeps only a range of a list"),
    row("mget", -2, ALL, string(Read(strings::mget)), "Reads several strings"),
    row("mset", -3, PAIRS, string(Write(strings::mset)), "Writes several strings at once"),
    row("msetnx", -3, PAIRS, string(Write(strings::msetnx)), "Writes strings if no key exists"),
    row("persist", 2, ONE, generic(Write(expiry::persist)), "Makes a key stay"),
    row("pexpire", -3, ONE, generic(Write(expiry::pexpire)), "Ends a key after milliseconds"),
    row("pexpireat", -3, ONE, generic(Write(expiry::pexpireat)), "Ends a key at a Unix time in ms"),
    row("pexpiretime", 2, ONE, generic(Read(expiry::pexpiretime)), "When a key ends, in ms"),
    row("ping", -1, NONE, ("connection", Read(server::ping)), "Answers PONG, or its argument"),
    row("psetex", 4, ONE, string(Write(strings::psetex)), "Writes for some milliseconds"),
    row("pttl", 2, ONE, generic(Read(expiry::pttl)), "Milliseconds until a key ends"),
    row("rename", 3, TWO, generic(Write(keys::rename)), "Gives a key another name"),
    row("renamenx", 3, TWO, generic(Write(keys::renamenx)), "Renames unless the name exists"),
    row("rpop", -2, ONE, list(Write(lists::rpop)), "Takes elements off the tail of a list"),
    row("rpoplpush", 3, TWO, list(Write(lists::rpoplpush)), "Moves from tail to head"),
    row("rpush", -3, ONE, list(Write(lists::rpush)), "Puts elements at the tail of a list"),
    row("rpushx", -3, ONE, list(Write(lists::rpushx)), "Puts at the tail of an existing list"),
    row("sadd", -3, ONE, set(Write(sets::sadd)), "Adds members to a set"),
    row("scard", 2, ONE, set(Read(sets::scard)), "Counts the members of a set"),
    row("sdiff", -2, ALL, set(Read(sets::sdiff)), "Members that only the first set has"),
    row("sdiffstore", -3, ALL, set(Write(sets::sdiffstore)), "Stores what SDIFF answers"),
    row("select", 2, NONE, ("connection", Read(server::select)), "Chooses the only database"),
    row("set", -3, ONE, string(Write(strings::set)), "Writes a string"),
    row("setex", 4, ONE, string(Write(strings::setex)), "Writes for some seconds"),
    row("setnx", 3, ONE, string(Write(strings::setnx)), "Writes a string unless the key exists"),
    row("setrange", 4, ONE, string(Write(strings::setrange)), "Overwrites a part of a string"),
    row("sinter", -2, ALL, set(Read(sets::sinter)), "Members that all sets have"),
    row("sinterstore", -3, ALL, set(Write(sets::sinterstore)), "Stores what SINTER answers"),
    row("sismember", 3, ONE, set(Read(sets::sismember)), "Tells whether a set has a member"),
    row("smembers", 2, ONE, set(Read(sets::smembers)), "Reads all members of a set"),
    row("smismember", -3, ONE, set(Read(sets::smismember)), "Tells which members a set has"),
    row("smove", 4, TWO, set(Write(sets::smove)), "Moves a member from one set to another"),
    row("srem", -3, ONE, set(Write(sets::srem)), "Removes members of a set"),
    row("strlen", 2, ONE, string(Read(strings::strlen)), "The length of a string"),
    row("substr", 4, ONE, string(Read(strings::getrange)), "An old name of GETRANGE"),
    row("sunion", -2, ALL, set(Read(sets::sunion)), "Members that any of the sets has"),
    row("sunionstore", -3, ALL, set(Write(sets::sunionstore)), "Stores what SUNION answers"),
    row("time", 1, NONE, about_server(Read(server::time)), "The agreed time"),
    row("touch", -2, ALL, generic(Read(keys::exists)), "Counts those of the keys that exist"),
    row("ttl", 2, ONE, generic(Read(expiry::ttl)), "Seconds until a key ends"),
    row("type", 2, ONE, generic(Read(keys::type_of)), "The type of a key's value"),
    row("unlink", -2, ALL, generic(Write(keys::del)), "Removes keys"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_table_is_sorted_and_its_names_fit() {
        let names: Vec<_> = descriptions().map(|about| about.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(names.iter().all(|name| name.len() <= MAX_NAME));
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
        assert!(REFUSED.is_sorted_by(|a, b| a.0 < b.0));
        for (name, _) in REFUSED {
            assert!(
                !names.contains(&name.to_ascii_lowercase().as_str()),
                "{name} is refused"
            );
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(check(&[b"gEt", b"k"]).unwrap().name, "get");
        assert_eq!(
            check(&[b"GET"]).unwrap_err().text(),
            "ERR wrong number of arguments for 'get' command"
        );
        assert!(
            check(&[b"nosuch"])
                .unwrap_err()
                .text()
                .starts_with("ERR unknown command 'nosuch'")
        );
        assert!(
            check(&[&[b'x'; 5_000]])
                .unwrap_err()
                .text()
                .starts_with("ERR unknown command")
        );
        assert!(
            check(&[b"spop", b"k"])
                .unwrap_err()
                .text()
                .contains("SPOP is not supported")
        );
        assert!(check(&[]).is_err());
    }
}
