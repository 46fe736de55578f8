//! Running units: plain commands and atomic groups, inside the limit on a reply's size.
//!
//! A unit whose reply would pass the limit is taken back. As the first unit it is answered with an
//! error; later in a batch it ends the batch, and the sender sends the rest as a new operation.

use super::commands;
use super::cursor::Fault;
use super::decode::{Batch, Unit};
use super::edit::Edit;
use super::failure::Failure;
use super::reply::ReplyWriter;
use alloc::format;
use alloc::vec::Vec;

/// Runs a checked batch and says how many units were executed.
pub(super) fn run_batch(
    edit: &mut Edit<'_>,
    mut batch: Batch<'_>,
    limit: usize,
    reply: &mut ReplyWriter<'_>,
) -> Result<u16, Fault> {
    let mut arguments = Vec::new();
    for executed in 0..batch.units() {
        let (size, mark) = (reply.size(), edit.mark());
        match batch.next_unit()? {
            Unit::Plain => {
                batch.next_command(&mut arguments)?;
                run_command(edit, &arguments, reply);
            }
            Unit::Atomic(count) => {
                reply.array(count);
                for _ in 0..count {
                    batch.next_command(&mut arguments)?;
                    run_command(edit, &arguments, reply);
                }
            }
        }
        if reply.is_over() {
            let wanted = reply.size();
            edit.undo_to(mark);
            reply.rewind(size);
            if executed > 0 {
                return Ok(executed);
            }
            reply.error(&too_large(wanted, limit));
        }
    }
    Ok(batch.units())
}

/// Runs one command. One that fails has no effect and its error as reply; in an atomic group the
/// other commands still run.
fn run_command(edit: &mut Edit<'_>, arguments: &[&[u8]], reply: &mut ReplyWriter<'_>) {
    let (size, mark) = (reply.size(), edit.mark());
    let outcome =
        commands::find(arguments).and_then(|command| (command.run)(edit, arguments, reply));
    if let Err(failure) = outcome {
        edit.undo_to(mark);
        reply.rewind(size);
        reply.error(&failure);
    }
}

fn too_large(size: usize, limit: usize) -> Failure {
    Failure::owned(format!(
        "ERR reply of {size} bytes is over the limit of {limit} bytes, nothing was done: \
         ask for less at a time (LRANGE, GETRANGE, HMGET)"
    ))
}
