//! The table of commands: names, argument counts, what runs them.
//!
//! One table serves execution, `COMMAND` and `docs/redis.md` (a test compares them). The names are
//! sorted, and found without allocation whatever their case.

use super::edit::Edit;
use super::failure::Failure;
use super::reply::ReplyWriter;
use super::{expiry, hashes, keys, lists, server, sets, strings};

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

pub(super) type Run = fn(&mut Edit<'_>, &[&[u8]], &mut ReplyWriter<'_>) -> Result<(), Failure>;

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

const READ: bool = false;
const WRITE: bool = true;

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

const fn command(
    name: &'static str,
    arity: i8,
    is_write: bool,
    keys: (i8, i8, i8),
    run: (&'static str, Run),
    summary: &'static str,
) -> Command {
    let (group, run) = run;
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
    command("append", 3, WRITE, ONE, string(strings::append), "Appends to a string"),
    command("dbsize", 1, READ, NONE, about_server(keys::dbsize), "Counts the keys"),
    command("decr", 2, WRITE, ONE, string(strings::decr), "Subtracts one from an integer"),
    command("decrby", 3, WRITE, ONE, string(strings::decrby), "Subtracts from an integer"),
    command("del", -2, WRITE, ALL, generic(keys::del), "Removes keys"),
    command("echo", 2, READ, NONE, ("connection", server::echo), "Answers its argument"),
    command("exists", -2, READ, ALL, generic(keys::exists), "Counts those of the keys that exist"),
    command("expire", -3, WRITE, ONE, generic(expiry::expire), "Ends a key after some seconds"),
    command("expireat", -3, WRITE, ONE, generic(expiry::expireat), "Ends a key at a Unix time in seconds"),
    command("expiretime", 2, READ, ONE, generic(expiry::expiretime), "The Unix time in seconds at which a key ends"),
    command("flushall", -1, WRITE, NONE, about_server(keys::flushall), "Removes all keys"),
    command("flushdb", -1, WRITE, NONE, about_server(keys::flushall), "Removes all keys"),
    command("get", 2, READ, ONE, string(strings::get), "Reads a string"),
    command("getdel", 2, WRITE, ONE, string(strings::getdel), "Reads a string and removes it"),
    command("getex", -2, WRITE, ONE, string(strings::getex), "Reads a string and changes when it ends"),
    command("getrange", 4, READ, ONE, string(strings::getrange), "Reads a part of a string"),
    command("getset", 3, WRITE, ONE, string(strings::getset), "Writes a string and reads the old one"),
    command("hdel", -3, WRITE, ONE, hash(hashes::hdel), "Removes fields of a hash"),
    command("hexists", 3, READ, ONE, hash(hashes::hexists), "Tells whether a hash has a field"),
    command("hget", 3, READ, ONE, hash(hashes::hget), "Reads a field of a hash"),
    command("hgetall", 2, READ, ONE, hash(hashes::hgetall), "Reads all fields of a hash with their values"),
    command("hincrby", 4, WRITE, ONE, hash(hashes::hincrby), "Adds to an integer in a hash"),
    command("hkeys", 2, READ, ONE, hash(hashes::hkeys), "Reads the names of all fields of a hash"),
    command("hlen", 2, READ, ONE, hash(hashes::hlen), "Counts the fields of a hash"),
    command("hmget", -3, READ, ONE, hash(hashes::hmget), "Reads several fields of a hash"),
    command("hmset", -4, WRITE, ONE, hash(hashes::hmset), "Writes fields of a hash"),
    command("hset", -4, WRITE, ONE, hash(hashes::hset), "Writes fields of a hash and counts the new ones"),
    command("hsetnx", 4, WRITE, ONE, hash(hashes::hsetnx), "Writes a field of a hash unless it exists"),
    command("hstrlen", 3, READ, ONE, hash(hashes::hstrlen), "The length of a field's value"),
    command("hvals", 2, READ, ONE, hash(hashes::hvals), "Reads the values of all fields of a hash"),
    command("incr", 2, WRITE, ONE, string(strings::incr), "Adds one to an integer"),
    command("incrby", 3, WRITE, ONE, string(strings::incrby), "Adds to an integer"),
    command("keys", 2, READ, NONE, generic(keys::keys), "Lists the keys that match a pattern"),
    command("lindex", 3, READ, ONE, list(lists::lindex), "Reads an element of a list"),
    command("linsert", 5, WRITE, ONE, list(lists::linsert), "Inserts before or after an element of a list"),
    command("llen", 2, READ, ONE, list(lists::llen), "The length of a list"),
    command("lmove", 5, WRITE, TWO, list(lists::lmove), "Moves an element from one list to another"),
    command("lpop", -2, WRITE, ONE, list(lists::lpop), "Takes elements off the head of a list"),
    command("lpush", -3, WRITE, ONE, list(lists::lpush), "Puts elements at the head of a list"),
    command("lpushx", -3, WRITE, ONE, list(lists::lpushx), "Puts elements at the head of a list that exists"),
    command("lrange", 4, READ, ONE, list(lists::lrange), "Reads a range of a list"),
    command("lrem", 4, WRITE, ONE, list(lists::lrem), "Removes equal elements from a list"),
    command("lset", 4, WRITE, ONE, list(lists::lset), "Replaces an element of a list"),
    command("ltrim", 4, WRITE, ONE, list(lists::ltrim), "Keeps only a range of a list"),
    command("mget", -2, READ, ALL, string(strings::mget), "Reads several strings"),
    command("mset", -3, WRITE, PAIRS, string(strings::mset), "Writes several strings at once"),
    command("msetnx", -3, WRITE, PAIRS, string(strings::msetnx), "Writes several strings if none of the keys exists"),
    command("persist", 2, WRITE, ONE, generic(expiry::persist), "Makes a key stay"),
    command("pexpire", -3, WRITE, ONE, generic(expiry::pexpire), "Ends a key after some milliseconds"),
    command("pexpireat", -3, WRITE, ONE, generic(expiry::pexpireat), "Ends a key at a Unix time in milliseconds"),
    command("pexpiretime", 2, READ, ONE, generic(expiry::pexpiretime), "The Unix time in milliseconds at which a key ends"),
    command("ping", -1, READ, NONE, ("connection", server::ping), "Answers PONG, or its argument"),
    command("psetex", 4, WRITE, ONE, string(strings::psetex), "Writes a string that ends after some milliseconds"),
    command("pttl", 2, READ, ONE, generic(expiry::pttl), "Milliseconds until a key ends"),
    command("rename", 3, WRITE, TWO, generic(keys::rename), "Gives a key another name"),
    command("renamenx", 3, WRITE, TWO, generic(keys::renamenx), "Gives a key another name unless that exists"),
    command("rpop", -2, WRITE, ONE, list(lists::rpop), "Takes elements off the tail of a list"),
    command("rpoplpush", 3, WRITE, TWO, list(lists::rpoplpush), "Moves the tail of one list to the head of another"),
    command("rpush", -3, WRITE, ONE, list(lists::rpush), "Puts elements at the tail of a list"),
    command("rpushx", -3, WRITE, ONE, list(lists::rpushx), "Puts elements at the tail of a list that exists"),
    command("sadd", -3, WRITE, ONE, set(sets::sadd), "Adds members to a set"),
    command("scard", 2, READ, ONE, set(sets::scard), "Counts the members of a set"),
    command("sdiff", -2, READ, ALL, set(sets::sdiff), "Members of the first set that the others lack"),
    command("sdiffstore", -3, WRITE, ALL, set(sets::sdiffstore), "Stores what SDIFF answers"),
    command("select", 2, READ, NONE, ("connection", server::select), "Chooses the database; there is only 0"),
    command("set", -3, WRITE, ONE, string(strings::set), "Writes a string"),
    command("setex", 4, WRITE, ONE, string(strings::setex), "Writes a string that ends after some seconds"),
    command("setnx", 3, WRITE, ONE, string(strings::setnx), "Writes a string unless the key exists"),
    command("setrange", 4, WRITE, ONE, string(strings::setrange), "Overwrites a part of a string"),
    command("sinter", -2, READ, ALL, set(sets::sinter), "Members that all sets have"),
    command("sinterstore", -3, WRITE, ALL, set(sets::sinterstore), "Stores what SINTER answers"),
    command("sismember", 3, READ, ONE, set(sets::sismember), "Tells whether a set has a member"),
    command("smembers", 2, READ, ONE, set(sets::smembers), "Reads all members of a set"),
    command("smismember", -3, READ, ONE, set(sets::smismember), "Tells which of several members a set has"),
    command("smove", 4, WRITE, TWO, set(sets::smove), "Moves a member from one set to another"),
    command("srem", -3, WRITE, ONE, set(sets::srem), "Removes members of a set"),
    command("strlen", 2, READ, ONE, string(strings::strlen), "The length of a string"),
    command("substr", 4, READ, ONE, string(strings::getrange), "Reads a part of a string; an old name of GETRANGE"),
    command("sunion", -2, READ, ALL, set(sets::sunion), "Members that any of the sets has"),
    command("sunionstore", -3, WRITE, ALL, set(sets::sunionstore), "Stores what SUNION answers"),
    command("time", 1, READ, NONE, about_server(server::time), "The agreed time in seconds and microseconds"),
    command("touch", -2, READ, ALL, generic(keys::exists), "Counts those of the keys that exist"),
    command("ttl", 2, READ, ONE, generic(expiry::ttl), "Seconds until a key ends"),
    command("type", 2, READ, ONE, generic(keys::type_of), "The type of a key's value"),
    command("unlink", -2, WRITE, ALL, generic(keys::del), "Removes keys"),
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
