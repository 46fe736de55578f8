//! A burst of commands from one connection, in order: what is answered here, and what is sent.
//!
//! Local replies are made at once, as they do not depend on the state; the commands for the state
//! machine are encoded as units, to go out together. Transactions are queued here until EXEC.

use super::info::Shared;
use super::local::{self, Next, Session};
use super::render::{Protocol, Renderer};
use crate::kv::encode::{
    BATCH_HEADER_SIZE, command_size, operation_size, write_arguments, write_atomic, write_command,
};
use crate::kv::{self, Failure};
use std::ops::Range;

/// Bytes an atomic unit takes besides its commands, at most.
const ATOMIC_OVERHEAD: usize = BATCH_HEADER_SIZE + 1 + 5;

/// One place in the order of replies.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// The reply is there: a part of [`Plan::local`].
    Local(Range<usize>),
    /// The reply comes from the state machine.
    Remote {
        /// The unit: a part of [`Plan::units`].
        unit: Range<usize>,
        /// What the connection spoke when the command came.
        protocol: Protocol,
    },
}

/// The burst.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Replies in order.
    pub slots: Vec<Slot>,
    /// Replies made here.
    pub local: Vec<u8>,
    /// Units for the state machine.
    pub units: Vec<u8>,
}

/// Commands between MULTI and EXEC.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    count: usize,
    commands: Vec<u8>,
    has_failed: bool,
}

/// The parts of a connection that planning changes.
pub(super) struct Planner<'c> {
    /// Facts and settings.
    pub shared: &'c Shared,
    /// The connection.
    pub session: &'c mut Session,
    /// The open transaction.
    pub transaction: &'c mut Option<Transaction>,
    /// Most bytes of one operation.
    pub operation_limit: usize,
}

impl Plan {
    /// Forgets everything but the room.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.local.clear();
        self.units.clear();
    }

    /// Adds a local reply.
    pub(super) fn error(&mut self, protocol: Protocol, text: &str) {
        self.reply(protocol, |to| to.error(text));
    }

    fn reply(&mut self, protocol: Protocol, write: impl FnOnce(&mut Renderer<'_>)) {
        let start = self.local.len();
        write(&mut Renderer::new(&mut self.local, protocol));
        self.slots.push(Slot::Local(start..self.local.len()));
    }
}

impl Planner<'_> {
    /// Plans one command. Its arguments, the name first, are not empty.
    pub(super) fn add(&mut self, plan: &mut Plan, arguments: &[&[u8]]) -> Next {
        match kv::check(arguments) {
            Ok(_) if self.transaction.is_some() => self.queue(plan, arguments),
            Ok(about) => match about.name {
                "ping" | "echo" | "select" => return self.answer(plan, about.name, arguments),
                _ => self.send(plan, arguments),
            },
            Err(failure) => match local::find(arguments) {
                Some(Ok(about)) => return self.here(plan, about.name, arguments),
                Some(Err(failure)) => self.refuse(plan, failure.text()),
                None => self.refuse(plan, failure.text()),
            },
        }
        Next::Continue
    }

    /// A local command, in or out of a transaction.
    fn here(&mut self, plan: &mut Plan, name: &str, arguments: &[&[u8]]) -> Next {
        match name {
            "multi" if self.transaction.is_some() => {
                plan.error(self.session.protocol, "ERR MULTI calls can not be nested");
            }
            "multi" => {
                *self.transaction = Some(Transaction::default());
                plan.reply(self.session.protocol, |to| to.text(b"OK"));
            }
            "exec" => self.exec(plan),
            "discard" => match self.transaction.take() {
                Some(_) => plan.reply(self.session.protocol, |to| to.text(b"OK")),
                None => plan.error(self.session.protocol, "ERR DISCARD without MULTI"),
            },
            "quit" | "reset" => {
                *self.transaction = None;
                return self.answer(plan, name, arguments);
            }
            _ if self.transaction.is_some() => {
                let name = name.to_ascii_uppercase();
                self.refuse(plan, &format!("ERR {name} is not supported inside MULTI"));
            }
            _ => return self.answer(plan, name, arguments),
        }
        Next::Continue
    }

    fn answer(&mut self, plan: &mut Plan, name: &str, arguments: &[&[u8]]) -> Next {
        let start = plan.local.len();
        let next = self
            .session
            .answer(self.shared, name, arguments, &mut plan.local);
        plan.slots.push(Slot::Local(start..plan.local.len()));
        next
    }

    /// Answers an error, after which an open transaction cannot be executed.
    fn refuse(&mut self, plan: &mut Plan, text: &str) {
        if let Some(transaction) = self.transaction {
            transaction.has_failed = true;
        }
        plan.error(self.session.protocol, text);
    }

    fn send(&mut self, plan: &mut Plan, arguments: &[&[u8]]) {
        let size = operation_size(arguments);
        if size > self.operation_limit {
            let failure = self.too_large("command", size);
            plan.error(self.session.protocol, failure.text());
            return;
        }
        let start = plan.units.len();
        write_command(&mut plan.units, arguments);
        self.push_unit(plan, start);
    }

    fn queue(&mut self, plan: &mut Plan, arguments: &[&[u8]]) {
        let Some(transaction) = self.transaction else {
            return;
        };
        let size = ATOMIC_OVERHEAD + transaction.commands.len() + command_size(arguments);
        if size > self.operation_limit {
            let failure = self.too_large("transaction", size);
            self.refuse(plan, failure.text());
            return;
        }
        write_arguments(&mut transaction.commands, arguments);
        transaction.count += 1;
        plan.reply(self.session.protocol, |to| to.text(b"QUEUED"));
    }

    fn exec(&mut self, plan: &mut Plan) {
        let protocol = self.session.protocol;
        match self.transaction.take() {
            None => plan.error(protocol, "ERR EXEC without MULTI"),
            Some(transaction) if transaction.has_failed => plan.error(
                protocol,
                "EXECABORT Transaction discarded because of previous errors.",
            ),
            Some(transaction) if transaction.count == 0 => plan.reply(protocol, |to| to.array(0)),
            Some(transaction) => {
                let start = plan.units.len();
                write_atomic(&mut plan.units, transaction.count, &transaction.commands);
                self.push_unit(plan, start);
            }
        }
    }

    fn push_unit(&self, plan: &mut Plan, start: usize) {
        let unit = start..plan.units.len();
        plan.slots.push(Slot::Remote {
            unit,
            protocol: self.session.protocol,
        });
    }

    fn too_large(&self, what: &str, size: usize) -> Failure {
        let limit = self.operation_limit;
        Failure::owned(format!(
            "ERR {what} of {size} bytes is over the limit of {limit} bytes for one request"
        ))
    }
}
