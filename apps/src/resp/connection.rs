//! One connection: read a burst, plan it, send what must be sent, write all replies at once.
//!
//! At most one request is outstanding, so the commands of a connection take effect in the order
//! they were sent.

use super::info::Shared;
use super::local::{Next, Session};
use super::plan::{Plan, Planner, Slot, Transaction};
use super::render::Renderer;
use super::request::{Framer, ProtocolError, Request, decode};
use super::submit::{Submit, SubmitError};
use crate::kv::encode::{BatchWriter, MAX_UNITS};
use crate::kv::reply::{Parsed, ReplyReader};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Bytes asked for in one read.
const READ_SIZE: usize = 16 * 1024;
/// Most commands planned before their replies are written.
const MAX_BURST: usize = 1_024;
/// Replies are written early once they take this many bytes.
const WRITE_SIZE: usize = 64 * 1024;
/// How long a command that has begun may take to arrive.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);
/// How long a client may take to read replies.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// A connection and everything it owns.
pub(super) struct Connection<'s, S> {
    stream: TcpStream,
    submit: S,
    shared: &'s Shared,
    session: Session,
    transaction: Option<Transaction>,
    framer: Framer,
    input: Vec<u8>,
    plan: Plan,
    output: Vec<u8>,
}

impl<'s, S: Submit> Connection<'s, S> {
    /// A connection on which nothing has been read.
    pub(super) fn new(stream: TcpStream, submit: S, shared: &'s Shared, session: Session) -> Self {
        Self {
            stream,
            submit,
            shared,
            session,
            transaction: None,
            framer: Framer::default(),
            input: Vec::new(),
            plan: Plan::default(),
            output: Vec::new(),
        }
    }

    /// Serves until the client goes, breaks the protocol, or the front is closed.
    pub(super) async fn run(mut self, mut closing: watch::Receiver<bool>) -> io::Result<()> {
        let mut may_hold_more = false;
        loop {
            if !may_hold_more {
                let is_open = tokio::select! {
                    is_open = self.read() => is_open?,
                    _ = closing.wait_for(|closing| *closing) => false,
                };
                if !is_open {
                    return Ok(());
                }
            }
            let (next, planned) = self.plan_burst();
            may_hold_more = planned == MAX_BURST;
            self.answer().await?;
            self.write().await?;
            if next == Next::Close || *closing.borrow() {
                return self.stream.shutdown().await;
            }
        }
    }

    /// Reads what there is; false at the end of the stream. An unfinished command gets a deadline.
    async fn read(&mut self) -> io::Result<bool> {
        self.input.reserve(READ_SIZE);
        if self.input.is_empty() {
            return Ok(self.stream.read_buf(&mut self.input).await? > 0);
        }
        if let Ok(read) = timeout(COMMAND_DEADLINE, self.stream.read_buf(&mut self.input)).await {
            return Ok(read? > 0);
        }
        let error = ProtocolError::Slow(COMMAND_DEADLINE.as_secs());
        self.plan.clear();
        self.plan.error(
            self.session.protocol,
            &format!("ERR Protocol error: {error}"),
        );
        self.answer().await?;
        self.write().await?;
        Ok(false)
    }

    /// Plans the complete commands that are there, up to a bound; says how many that were.
    fn plan_burst(&mut self) -> (Next, usize) {
        self.plan.clear();
        let mut planner = Planner {
            shared: self.shared,
            session: &mut self.session,
            transaction: &mut self.transaction,
            operation_limit: self.submit.operation_limit(),
        };
        let (mut at, mut planned, mut next) = (0, 0, Next::Continue);
        while planned < MAX_BURST && next == Next::Continue {
            let outcome = self.framer.advance(&self.input[at..]);
            let request = match outcome {
                Ok(None) => break,
                Ok(Some(length)) => {
                    let frame = &self.input[at..at + length];
                    at += length;
                    decode(frame)
                }
                Err(error) => Err(error),
            };
            planned += 1;
            next = match request {
                Ok(Request::Empty) => Next::Continue,
                Ok(Request::Bulk(arguments)) => planner.add(&mut self.plan, &arguments),
                Ok(Request::Inline(words)) => {
                    let arguments: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
                    planner.add(&mut self.plan, &arguments)
                }
                Err(error) => {
                    let text = format!("ERR Protocol error: {error}");
                    self.plan.error(planner.session.protocol, &text);
                    Next::Close
                }
            };
        }
        self.shared
            .commands
            .fetch_add(planned as u64, Ordering::Relaxed);
        self.input.drain(..at);
        (next, planned)
    }

    /// Turns the plan into replies in `output`, sending requests as needed.
    async fn answer(&mut self) -> io::Result<()> {
        let mut at = 0;
        loop {
            at = self.copy_local(at);
            if at == self.plan.slots.len() {
                return Ok(());
            }
            let (operation, units) = self.next_operation(at);
            match self.submit.submit(operation).await {
                Ok(reply) => at = self.render(at, units, &reply)?,
                Err(error) => at = self.render_failure(at, units, &error),
            }
            if self.output.len() >= WRITE_SIZE {
                self.write().await?;
            }
        }
    }

    /// Copies local replies up to the next remote slot and returns its index.
    fn copy_local(&mut self, mut at: usize) -> usize {
        while let Some(Slot::Local(range)) = self.plan.slots.get(at) {
            self.output
                .extend_from_slice(&self.plan.local[range.clone()]);
            at += 1;
        }
        at
    }

    /// As many remote units from `at` on as fit one operation.
    fn next_operation(&self, at: usize) -> (Vec<u8>, usize) {
        let mut batch = BatchWriter::new();
        for slot in &self.plan.slots[at..] {
            let Slot::Remote { unit, .. } = slot else {
                continue;
            };
            let unit = &self.plan.units[unit.clone()];
            let fits = batch.size() + unit.len() <= self.submit.operation_limit();
            if batch.units() > 0 && (!fits || batch.units() == MAX_UNITS) {
                break;
            }
            batch.push_unit(unit);
        }
        let units = batch.units();
        (batch.finish(), units)
    }

    /// Renders the replies that came; the units that were not executed are sent again.
    fn render(&mut self, mut at: usize, units: usize, reply: &[u8]) -> io::Result<usize> {
        let broken = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        let mut reader = match ReplyReader::new(reply).map_err(|why| broken(&why.to_string()))? {
            Parsed::Executed(reader) => reader,
            Parsed::Refused(text) => return Err(broken(&String::from_utf8_lossy(text))),
        };
        let executed = reader.executed();
        if executed == 0 || executed > units {
            return Err(broken("the reply does not answer the units that were sent"));
        }
        for _ in 0..executed {
            at = self.copy_local(at);
            if let Some(Slot::Remote { protocol, .. }) = self.plan.slots.get(at) {
                let mut to = Renderer::new(&mut self.output, *protocol);
                to.value(&mut reader)
                    .map_err(|why| broken(&why.to_string()))?;
                at += 1;
            }
        }
        Ok(at)
    }

    /// Answers the units of a failed request. When they may still take effect, nothing later of
    /// this burst is sent: it could overtake them.
    fn render_failure(&mut self, mut at: usize, units: usize, error: &SubmitError) -> usize {
        let text = error.reply();
        let mut failed = 0;
        while at < self.plan.slots.len() && (failed < units || error.is_unknown()) {
            at = self.copy_local(at);
            if let Some(Slot::Remote { protocol, .. }) = self.plan.slots.get(at) {
                let mut to = Renderer::new(&mut self.output, *protocol);
                if failed < units {
                    to.error(&text);
                } else {
                    to.error("UNAVAILABLE not sent: the outcome of an earlier command is unknown");
                }
                failed += 1;
                at += 1;
            }
        }
        at
    }

    async fn write(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            timeout(WRITE_DEADLINE, self.stream.write_all(&self.output)).await??;
            self.output.clear();
            // One large reply must not hold its memory for the life of the connection.
            self.output.shrink_to(WRITE_SIZE);
            self.input.shrink_to(READ_SIZE);
        }
        Ok(())
    }
}
