//! Commands that a connection can answer itself but that also stand in transactions.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the table of commands holds functions of one signature"
)]

use super::arguments::integer;
use super::failure::Failure;
use super::reply::ReplyWriter;
use super::view::View;
use alloc::format;

type Outcome = Result<(), Failure>;
type Reply<'r, 'o> = &'r mut ReplyWriter<'o>;

pub(super) fn ping(_: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    match arguments {
        [_] => reply.text("PONG"),
        [_, argument] => reply.bulk(argument),
        _ => return Err(Failure::arity("ping")),
    }
    Ok(())
}

pub(super) fn echo(_: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    reply.bulk(arguments[1]);
    Ok(())
}

pub(super) fn select(_: View<'_>, arguments: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    match integer(arguments[1]) {
        Some(0) => reply.ok(),
        Some(_) => return Err(Failure::DATABASE_RANGE),
        None => return Err(Failure::NOT_INTEGER),
    }
    Ok(())
}

pub(super) fn time(view: View<'_>, _: &[&[u8]], reply: Reply<'_, '_>) -> Outcome {
    let now_us = view.time_us()?;
    reply.array(2);
    reply.bulk(format!("{}", now_us / 1_000_000).as_bytes());
    reply.bulk(format!("{}", now_us % 1_000_000).as_bytes());
    Ok(())
}
