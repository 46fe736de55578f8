//! Running units: plain commands and atomic groups, inside the limit on a reply's size.
//!
//! A unit whose reply would pass the limit is taken back. As the first unit it is answered with an
//! error; later in a batch it ends the batch, and the sender sends the rest as a new operation.

use super::commands::{self, Run};
use super::cursor::Fault;
use super::decode::{Batch, Unit};
use super::edit::Edit;
use super::failure::Failure;
use super::reply::ReplyWriter;
use super::view::View;
use alloc::format;
use alloc::vec::Vec;

/// What commands run on: the state to be changed, or a view of it.
pub(super) trait Ground {
    /// How much has been recorded, for [`undo_to`](Self::undo_to).
    fn mark(&self) -> usize;

    /// Takes back everything since the mark.
    fn undo_to(&mut self, mark: usize);

    /// Runs one command.
    fn run(
        &mut self,
        run: Run,
        arguments: &[&[u8]],
        reply: &mut ReplyWriter<'_>,
    ) -> Result<(), Failure>;
}

impl Ground for Edit<'_> {
    fn mark(&self) -> usize {
        Edit::mark(self)
    }

    fn undo_to(&mut self, mark: usize) {
        Edit::undo_to(self, mark);
    }

    fn run(
        &mut self,
        run: Run,
        arguments: &[&[u8]],
        reply: &mut ReplyWriter<'_>,
    ) -> Result<(), Failure> {
        match run {
            Run::Read(run) => run(self.view(), arguments, reply),
            Run::Write(run) => run(self, arguments, reply),
        }
    }
}

impl Ground for View<'_> {
    fn mark(&self) -> usize {
        0
    }

    fn undo_to(&mut self, _mark: usize) {}

    fn run(
        &mut self,
        run: Run,
        arguments: &[&[u8]],
        reply: &mut ReplyWriter<'_>,
    ) -> Result<(), Failure> {
        match run {
            Run::Read(run) => run(*self, arguments, reply),
            Run::Write(_) => Err(Failure::fixed("ERR a write was sent as a read")),
        }
    }
}

/// Whether a checked batch has commands, and only such as never write. A command that cannot be
/// run is none of them.
pub(super) fn only_reads(batch: Batch<'_>) -> bool {
    batch.units() > 0 && has_no_write(batch).unwrap_or(false)
}

fn has_no_write(mut batch: Batch<'_>) -> Result<bool, Fault> {
    let mut arguments = Vec::new();
    for _ in 0..batch.units() {
        let count = match batch.next_unit()? {
            Unit::Plain => 1,
            Unit::Atomic(count) => count,
        };
        for _ in 0..count {
            batch.next_command(&mut arguments)?;
            if commands::find(&arguments).is_ok_and(|command| !command.about.is_write) {
                continue;
            }
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs a checked batch and says how many units were executed.
pub(super) fn run_batch(
    ground: &mut impl Ground,
    mut batch: Batch<'_>,
    limit: usize,
    reply: &mut ReplyWriter<'_>,
) -> Result<u16, Fault> {
    let mut arguments = Vec::new();
    for executed in 0..batch.units() {
        let (size, mark) = (reply.size(), ground.mark());
        match batch.next_unit()? {
            Unit::Plain => {
                batch.next_command(&mut arguments)?;
                run_command(ground, &arguments, reply);
            }
            Unit::Atomic(count) => {
                reply.array(count);
                for _ in 0..count {
                    batch.next_command(&mut arguments)?;
                    run_command(ground, &arguments, reply);
                }
            }
        }
        if reply.is_over() {
            let wanted = reply.size();
            ground.undo_to(mark);
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
fn run_command(ground: &mut impl Ground, arguments: &[&[u8]], reply: &mut ReplyWriter<'_>) {
    let (size, mark) = (reply.size(), ground.mark());
    let outcome =
        commands::find(arguments).and_then(|command| ground.run(command.run, arguments, reply));
    if let Err(failure) = outcome {
        ground.undo_to(mark);
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
