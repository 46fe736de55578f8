//! The state as bytes: snapshots, and the digest that replicas compare.
//!
//! ```text
//! snapshot = version (1 byte, 1), agreed time + 1 or 0 (varint), entry count (varint), entries
//! entry    = key, type (1 byte), deadline + 1 or 0 (varint), content
//! content  = string: bytes | hash: count, fields and contents in turn | list, set: count, elements
//! ```
//!
//! Keys, fields and members stand in strictly ascending order, so equal states have equal bytes.
//! The digest covers the entries that are not due at the last executed stamp, in the same form.

use super::cursor::{Cursor, Fault, put_chunk, put_length, put_varint};
use super::keyspace::{Entry, Hash, Keyspace, List, Set, Value};
use alloc::boxed::Box;
use alloc::vec::Vec;
use wire::SummaryHash;

const VERSION: u8 = 1;
const TEXT: u8 = 0;
const HASH: u8 = 1;
const LIST: u8 = 2;
const SET: u8 = 3;
/// The digest hands this much at a time to the hash function.
const DIGEST_CHUNK: usize = 1 << 16;

pub(super) fn write(space: &Keyspace, now_us: Option<u64>, out: &mut Vec<u8>) {
    out.push(VERSION);
    put_optional(out, now_us);
    put_length(out, space.len());
    for (key, entry) in space.iter() {
        write_entry(out, key, entry);
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<(Keyspace, Option<u64>), Fault> {
    let mut cursor = Cursor::new(bytes);
    if cursor.byte()? != VERSION {
        return Err(Fault {
            at: 0,
            reason: "unknown version of the snapshot format",
        });
    }
    let now_us = read_optional(&mut cursor)?;
    let count = cursor.count(4)?;
    let mut space = Keyspace::default();
    let mut previous = None;
    for _ in 0..count {
        let start = cursor;
        let key = cursor.chunk()?;
        if previous.is_some_and(|previous| previous >= key) {
            return Err(start.fault("keys are not in ascending order"));
        }
        previous = Some(key);
        space.insert(key, read_entry(&mut cursor)?);
    }
    cursor.finish()?;
    space.check();
    Ok((space, now_us))
}

pub(super) fn digest(space: &Keyspace, now_us: Option<u64>) -> SummaryHash {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = Vec::new();
    let is_due = |entry: &Entry| {
        entry
            .deadline_us
            .zip(now_us)
            .is_some_and(|(end, now)| end <= now)
    };
    for (key, entry) in space.iter().filter(|(_, entry)| !is_due(entry)) {
        write_entry(&mut chunk, key, entry);
        if chunk.len() >= DIGEST_CHUNK {
            hasher.update(&chunk);
            chunk.clear();
        }
    }
    hasher.update(&chunk);
    SummaryHash(*hasher.finalize().as_bytes())
}

fn write_entry(out: &mut Vec<u8>, key: &[u8], entry: &Entry) {
    put_chunk(out, key);
    match &entry.value {
        Value::Text(text) => {
            write_head(out, TEXT, entry);
            put_chunk(out, text);
        }
        Value::Hash(hash) => {
            write_head(out, HASH, entry);
            put_length(out, hash.len());
            for (field, content) in hash {
                put_chunk(out, field);
                put_chunk(out, content);
            }
        }
        Value::List(list) => {
            write_head(out, LIST, entry);
            put_length(out, list.len());
            for element in list {
                put_chunk(out, element);
            }
        }
        Value::Set(set) => {
            write_head(out, SET, entry);
            put_length(out, set.len());
            for member in set {
                put_chunk(out, member);
            }
        }
    }
}

fn write_head(out: &mut Vec<u8>, kind: u8, entry: &Entry) {
    out.push(kind);
    put_optional(out, entry.deadline_us);
}

fn read_entry(cursor: &mut Cursor<'_>) -> Result<Entry, Fault> {
    let start = *cursor;
    let kind = cursor.byte()?;
    let deadline_us = read_optional(cursor)?;
    let value = match kind {
        TEXT => Value::Text(cursor.chunk()?.to_vec()),
        HASH => Value::Hash(read_hash(cursor)?),
        LIST => Value::List(read_list(cursor)?),
        SET => Value::Set(read_set(cursor)?),
        _ => return Err(start.fault("unknown type of value")),
    };
    if value.is_empty_collection() {
        return Err(start.fault("a collection is empty"));
    }
    Ok(Entry { value, deadline_us })
}

fn read_hash(cursor: &mut Cursor<'_>) -> Result<Hash, Fault> {
    let mut hash = Hash::new();
    for _ in 0..cursor.count(2)? {
        let start = *cursor;
        let field = cursor.chunk()?;
        if hash
            .last_key_value()
            .is_some_and(|(last, _)| **last >= *field)
        {
            return Err(start.fault("fields are not in ascending order"));
        }
        hash.insert(field.into(), cursor.chunk()?.to_vec());
    }
    Ok(hash)
}

fn read_list(cursor: &mut Cursor<'_>) -> Result<List, Fault> {
    let mut list = List::new();
    for _ in 0..cursor.count(1)? {
        list.push_back(Box::from(cursor.chunk()?));
    }
    Ok(list)
}

fn read_set(cursor: &mut Cursor<'_>) -> Result<Set, Fault> {
    let mut set = Set::new();
    for _ in 0..cursor.count(1)? {
        let start = *cursor;
        let member = cursor.chunk()?;
        if set.last().is_some_and(|last| **last >= *member) {
            return Err(start.fault("members are not in ascending order"));
        }
        set.insert(member.into());
    }
    Ok(set)
}

/// A number that may be absent: 0, or the number plus one, so the largest one cannot be written.
/// Times are far below it: 2^64 microseconds are over half a million years.
fn put_optional(out: &mut Vec<u8>, number: Option<u64>) {
    put_varint(out, number.map_or(0, |number| number.saturating_add(1)));
}

fn read_optional(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Fault> {
    Ok(cursor.varint()?.checked_sub(1))
}
