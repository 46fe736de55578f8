//! Commands on sets. Members are kept, and answered, in byte order.

use super::edit::Edit;
use super::failure::Failure;
use super::keyspace::{Set, Value};
use super::reply::ReplyWriter;
use super::view::View;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

pub(super) fn sadd(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let key = arguments[1];
    edit.set(key)?;
    reply.count(
        arguments[2..]
            .iter()
            .filter(|member| edit.add_member(key, member))
            .count(),
    );
    Ok(())
}

pub(super) fn srem(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let key = arguments[1];
    edit.set(key)?;
    reply.count(
        arguments[2..]
            .iter()
            .filter(|member| edit.remove_member(key, member))
            .count(),
    );
    Ok(())
}

pub(super) fn smove(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let (from, to, member) = (arguments[1], arguments[2], arguments[3]);
    let Some(source) = edit.set(from)? else {
        reply.integer(0);
        return Ok(());
    };
    let there = source.contains(member);
    edit.set(to)?;
    if there && from != to {
        edit.remove_member(from, member);
        edit.add_member(to, member);
    }
    reply.integer(i64::from(there));
    Ok(())
}

pub(super) fn smembers(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let set = view.set(arguments[1])?;
    reply.set(set.map_or(0, Set::len));
    set.into_iter()
        .flatten()
        .for_each(|member| reply.bulk(member));
    Ok(())
}

pub(super) fn sismember(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let there = view
        .set(arguments[1])?
        .is_some_and(|set| set.contains(arguments[2]));
    reply.integer(i64::from(there));
    Ok(())
}

pub(super) fn smismember(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let set = view.set(arguments[1])?;
    reply.array(arguments.len() - 2);
    for member in &arguments[2..] {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(*member))));
    }
    Ok(())
}

pub(super) fn scard(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(view.set(arguments[1])?.map_or(0, Set::len));
    Ok(())
}

pub(super) fn sinter(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    answer(&inter(view, &arguments[1..])?, reply);
    Ok(())
}

pub(super) fn sunion(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    answer(&union(view, &arguments[1..])?, reply);
    Ok(())
}

pub(super) fn sdiff(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    answer(&diff(view, &arguments[1..])?, reply);
    Ok(())
}

pub(super) fn sinterstore(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
) -> Outcome {
    let result = inter(edit.view(), &arguments[2..])?;
    store(edit, arguments[1], result, reply);
    Ok(())
}

pub(super) fn sunionstore(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
) -> Outcome {
    let result = union(edit.view(), &arguments[2..])?;
    store(edit, arguments[1], result, reply);
    Ok(())
}

pub(super) fn sdiffstore(
    edit: &mut Edit<'_>,
    arguments: &[&[u8]],
    reply: Reply<'_, '_>,
) -> Outcome {
    let result = diff(edit.view(), &arguments[2..])?;
    store(edit, arguments[1], result, reply);
    Ok(())
}

fn answer(result: &Set, reply: Reply<'_, '_>) {
    reply.set(result.len());
    for member in result {
        reply.bulk(member);
    }
}

/// An empty result removes the key.
fn store(edit: &mut Edit<'_>, key: &[u8], result: Set, reply: Reply<'_, '_>) {
    reply.count(result.len());
    edit.put(key, Value::Set(result), None);
}

fn first(view: View<'_>, keys: &[&[u8]]) -> Result<Set, Failure> {
    Ok(view.set(keys[0])?.cloned().unwrap_or_default())
}

fn inter(view: View<'_>, keys: &[&[u8]]) -> Result<Set, Failure> {
    let mut result = first(view, keys)?;
    for key in &keys[1..] {
        match view.set(key)? {
            Some(set) => result.retain(|member| set.contains(member)),
            None => result.clear(),
        }
    }
    Ok(result)
}

fn union(view: View<'_>, keys: &[&[u8]]) -> Result<Set, Failure> {
    let mut result = first(view, keys)?;
    for key in &keys[1..] {
        result.extend(view.set(key)?.into_iter().flatten().cloned());
    }
    Ok(result)
}

fn diff(view: View<'_>, keys: &[&[u8]]) -> Result<Set, Failure> {
    let mut result = first(view, keys)?;
    for key in &keys[1..] {
        if let Some(set) = view.set(key)? {
            result.retain(|member| !set.contains(member));
        }
    }
    Ok(result)
}
