//! Commands on hashes. Fields are kept, and answered, in byte order.

use super::arguments::{integer, require_integer};
use super::edit::Edit;
use super::failure::Failure;
use super::keyspace::Hash;
use super::reply::ReplyWriter;
use super::strings::decimal;
use super::view::View;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

pub(super) fn hset(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let added = put_fields(edit, arguments, "hset")?;
    reply.count(added);
    Ok(())
}

pub(super) fn hmset(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    put_fields(edit, arguments, "hmset")?;
    reply.ok();
    Ok(())
}

fn put_fields(edit: &mut Edit<'_>, arguments: &[&[u8]], name: &str) -> Result<usize, Failure> {
    let (key, pairs) = (arguments[1], &arguments[2..]);
    if !pairs.len().is_multiple_of(2) {
        return Err(Failure::arity(name));
    }
    edit.hash(key)?;
    let is_new = |pair: &&[&[u8]]| edit.put_field(key, pair[0], pair[1].to_vec());
    Ok(pairs.chunks_exact(2).filter(is_new).count())
}

pub(super) fn hsetnx(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let (key, field) = (arguments[1], arguments[2]);
    let is_new = edit.hash(key)?.is_none_or(|hash| !hash.contains_key(field));
    if is_new {
        edit.put_field(key, field, arguments[3].to_vec());
    }
    reply.integer(i64::from(is_new));
    Ok(())
}

pub(super) fn hincrby(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let (key, field) = (arguments[1], arguments[2]);
    let by = require_integer(arguments[3])?;
    let before = match edit.hash(key)?.and_then(|hash| hash.get(field)) {
        Some(content) => integer(content).ok_or(Failure::HASH_NOT_INTEGER)?,
        None => 0,
    };
    let sum = before.checked_add(by).ok_or(Failure::OVERFLOW)?;
    edit.put_field(key, field, decimal(sum));
    reply.integer(sum);
    Ok(())
}

pub(super) fn hget(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.bulk_or_null(content(view, arguments[1], arguments[2])?);
    Ok(())
}

pub(super) fn hmget(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let hash = view.hash(arguments[1])?;
    reply.array(arguments.len() - 2);
    for field in &arguments[2..] {
        reply.bulk_or_null(
            hash.and_then(|hash| hash.get(*field))
                .map(|content| &content[..]),
        );
    }
    Ok(())
}

pub(super) fn hgetall(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let hash = view.hash(arguments[1])?;
    reply.map(hash.map_or(0, Hash::len));
    for (field, content) in hash.into_iter().flatten() {
        reply.bulk(field);
        reply.bulk(content);
    }
    Ok(())
}

pub(super) fn hkeys(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let hash = view.hash(arguments[1])?;
    reply.array(hash.map_or(0, Hash::len));
    hash.into_iter()
        .flatten()
        .for_each(|(field, _)| reply.bulk(field));
    Ok(())
}

pub(super) fn hvals(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let hash = view.hash(arguments[1])?;
    reply.array(hash.map_or(0, Hash::len));
    hash.into_iter()
        .flatten()
        .for_each(|(_, content)| reply.bulk(content));
    Ok(())
}

pub(super) fn hdel(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let key = arguments[1];
    edit.hash(key)?;
    reply.count(
        arguments[2..]
            .iter()
            .filter(|field| edit.remove_field(key, field))
            .count(),
    );
    Ok(())
}

pub(super) fn hlen(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(view.hash(arguments[1])?.map_or(0, Hash::len));
    Ok(())
}

pub(super) fn hexists(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let there = content(view, arguments[1], arguments[2])?.is_some();
    reply.integer(i64::from(there));
    Ok(())
}

pub(super) fn hstrlen(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(content(view, arguments[1], arguments[2])?.map_or(0, <[u8]>::len));
    Ok(())
}

fn content<'e>(view: View<'e>, key: &[u8], field: &[u8]) -> Result<Option<&'e [u8]>, Failure> {
    Ok(view
        .hash(key)?
        .and_then(|hash| hash.get(field))
        .map(|content| &content[..]))
}
