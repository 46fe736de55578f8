//! Commands on keys whatever their type, and on all keys.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the table of commands holds functions of one signature"
)]

use super::arguments::is_word;
use super::edit::Edit;
use super::failure::Failure;
use super::glob;
use super::reply::ReplyWriter;
use super::view::View;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

pub(super) fn del(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(arguments[1..].iter().filter(|key| edit.remove(key)).count());
    Ok(())
}

/// EXISTS and TOUCH; a key named twice counts twice.
pub(super) fn exists(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(arguments[1..].iter().filter(|key| view.exists(key)).count());
    Ok(())
}

pub(super) fn type_of(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.text(
        view.entry(arguments[1])
            .map_or("none", |entry| entry.value.type_name()),
    );
    Ok(())
}

pub(super) fn keys(view: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let matching = || {
        view.iter_live()
            .filter(|key| glob::matches(arguments[1], key))
    };
    reply.array(matching().count());
    matching().for_each(|key| reply.bulk(key));
    Ok(())
}

pub(super) fn rename(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    if !edit.exists(arguments[1]) {
        return Err(Failure::NO_SUCH_KEY);
    }
    edit.rename(arguments[1], arguments[2]);
    reply.ok();
    Ok(())
}

pub(super) fn renamenx(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    if !edit.exists(arguments[1]) {
        return Err(Failure::NO_SUCH_KEY);
    }
    let is_free = !edit.exists(arguments[2]);
    if is_free {
        edit.rename(arguments[1], arguments[2]);
    }
    reply.integer(i64::from(is_free));
    Ok(())
}

pub(super) fn dbsize(view: View<'_>, _: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.count(view.live_keys());
    Ok(())
}

/// FLUSHALL and FLUSHDB; SYNC and ASYNC mean the same here.
pub(super) fn flushall(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    match &arguments[1..] {
        [] => {}
        [word] if is_word(word, "SYNC") || is_word(word, "ASYNC") => {}
        _ => return Err(Failure::SYNTAX),
    }
    edit.flush();
    reply.ok();
    Ok(())
}
