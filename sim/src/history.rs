//! What clients asked and what they were told, with the times of both, and its file format.
//!
//! A history is the only thing the linearizability checker sees: no replica state, no log, no
//! clock of a server. It follows section 2 of Herlihy and Wing, "Linearizability: A Correctness
//! Condition for Concurrent Objects" (1990): an invocation, and perhaps a response. It is not an
//! event log of the simulator, and it knows nothing of any application.
//!
//! The file format (schema 1) is one JSON object a line, one line an operation, in the order of
//! the invocations as they were recorded:
//!
//! ```text
//! {"schema":1,"client":3,"operation":…,"invoked":120,"returned":180,"outcome":…}
//! {"schema":1,"client":4,"operation":…,"invoked":130}
//! ```
//!
//! The second line is an operation whose outcome is unknown: its client gave up, or the run ended.
//! `invoked_order` and `returned_order` stand beside the ticks when they are not zero.

use std::io::{self, BufRead, Read as _, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of the line format that [`History::write_to`] writes and [`History::read_from`] reads.
pub const SCHEMA: u32 = 1;

/// Longest line that [`History::read_from`] accepts, in bytes.
pub const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// A point in time of one run: a tick (the unit is the caller's), and an order within the tick.
///
/// A response happened before an invocation when its moment is *smaller*; equal moments are
/// concurrent. One recorder that saw both events sets the order, so that a client that asks again
/// in the very tick of its last answer is not taken to have asked twice at once. Events that
/// several recorders saw are comparable by tick alone and have order 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Ticks since the start of the run.
    pub tick: u64,
    /// Position among the events that one recorder saw in this tick.
    pub order: u32,
}

impl Moment {
    /// The moment `tick` with no order known inside the tick.
    pub const fn at(tick: u64) -> Self {
        Self { tick, order: 0 }
    }
}

/// The response to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion<R> {
    /// When the client got the response.
    pub returned: Moment,
    /// What the client was told.
    pub outcome: R,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<O, R> {
    /// Who asked. Clients may have several operations open at once.
    pub client: u64,
    /// What was asked.
    pub operation: O,
    /// When it was asked.
    pub invoked: Moment,
    /// The response; `None` means that the outcome is unknown, for ever: the operation may have
    /// taken effect at any time after `invoked`, or never.
    pub completion: Option<Completion<R>>,
}

/// Names an operation of a [`History`] between its invocation and its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(usize);

/// What makes a history, or a line of its file, unusable.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A response before its own invocation.
    #[error(
        "operation of client {client} returned at tick {returned}, before tick {invoked}, \
             when it was invoked: give both times on one clock"
    )]
    ReturnedBeforeInvoked {
        /// The client.
        client: u64,
        /// Tick of the invocation.
        invoked: u64,
        /// Tick of the response.
        returned: u64,
    },
    /// A second response to one operation.
    #[error("operation {index} already has an outcome: record only the first reply")]
    CompletedTwice {
        /// Index of the operation in its history.
        index: usize,
    },
    /// A [`CallId`] of another history.
    #[error(
        "operation {index} is not in this history of {length} operations: use the id that \
             `invoke` gave"
    )]
    NoSuchCall {
        /// Index that was asked for.
        index: usize,
        /// Operations in the history.
        length: usize,
    },
    /// A line that is not an operation in schema 1.
    #[error("line {line}: {reason}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The file could not be read.
    #[error("history could not be read: {0}")]
    Read(#[from] io::Error),
}

/// Operations of all clients of one run, in the order in which they were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<O, R> {
    calls: Vec<Call<O, R>>,
    last: Option<Moment>,
}

impl<O, R> Default for History<O, R> {
    fn default() -> Self {
        Self {
            calls: Vec::new(),
            last: None,
        }
    }
}

impl<O, R> History<O, R> {
    /// A history without operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that `client` asks for `operation` at `tick`, after everything that was recorded
    /// before with [`History::invoke`] and [`History::complete`] in the same tick.
    pub fn invoke(&mut self, client: u64, operation: O, tick: u64) -> CallId {
        let invoked = self.next_moment(tick);
        self.calls.push(Call {
            client,
            operation,
            invoked,
            completion: None,
        });
        CallId(self.calls.len() - 1)
    }

    /// Records that the operation `id` was answered at `tick`. An operation that is never
    /// completed has an unknown outcome.
    pub fn complete(&mut self, id: CallId, tick: u64, outcome: R) -> Result<(), HistoryError> {
        let returned = self.next_moment(tick);
        let length = self.calls.len();
        let Some(call) = self.calls.get_mut(id.0) else {
            return Err(HistoryError::NoSuchCall {
                index: id.0,
                length,
            });
        };
        if call.completion.is_some() {
            return Err(HistoryError::CompletedTwice { index: id.0 });
        }
        check_times(call.client, call.invoked, returned)?;
        call.completion = Some(Completion { returned, outcome });
        Ok(())
    }

    /// Adds an operation whose times are known already.
    pub fn push(&mut self, call: Call<O, R>) -> Result<(), HistoryError> {
        if let Some(completion) = &call.completion {
            check_times(call.client, call.invoked, completion.returned)?;
        }
        self.calls.push(call);
        Ok(())
    }

    /// The operations, in the order in which they were recorded.
    pub fn calls(&self) -> &[Call<O, R>] {
        &self.calls
    }

    /// What each operation that was answered took, in ticks.
    pub fn latencies(&self) -> impl Iterator<Item = u64> + '_ {
        let latency = |call: &Call<O, R>| {
            let returned = call.completion.as_ref()?.returned;
            Some(returned.tick.saturating_sub(call.invoked.tick))
        };
        self.calls.iter().filter_map(latency)
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The moment of an event at `tick` that comes after all that was recorded in that tick.
    fn next_moment(&mut self, tick: u64) -> Moment {
        let order = match self.last {
            // The order goes on when the clock went back: were it to start again, an event that
            // was recorded later could seem to come before one of the same tick.
            Some(last) if tick <= last.tick => last.order.saturating_add(1),
            _ => 0,
        };
        let latest = self.last.map_or(tick, |last| last.tick.max(tick));
        self.last = Some(Moment {
            tick: latest,
            order,
        });
        Moment { tick, order }
    }
}

impl<O: Serialize, R: Serialize> History<O, R> {
    /// Writes the history, one line an operation.
    pub fn write_to(&self, writer: &mut (impl Write + ?Sized)) -> io::Result<()> {
        for call in &self.calls {
            let line = Line {
                schema: SCHEMA,
                client: call.client,
                operation: &call.operation,
                invoked: call.invoked.tick,
                invoked_order: call.invoked.order,
                returned: call
                    .completion
                    .as_ref()
                    .map(|completion| completion.returned.tick),
                returned_order: call
                    .completion
                    .as_ref()
                    .map_or(0, |done| done.returned.order),
                outcome: call
                    .completion
                    .as_ref()
                    .map(|completion| &completion.outcome),
            };
            let text = serde_json::to_string(&line).map_err(io::Error::other)?;
            writer.write_all(text.as_bytes())?;
            writer.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl<O: DeserializeOwned, R: DeserializeOwned> History<O, R> {
    /// Reads what [`History::write_to`] wrote. Empty lines are passed over.
    pub fn read_from(reader: &mut impl BufRead) -> Result<Self, HistoryError> {
        let mut history = Self::new();
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let read = reader
                .by_ref()
                .take(MAX_LINE_BYTES + 1)
                .read_until(b'\n', &mut bytes)?;
            if read == 0 {
                break;
            }
            let wrong = |reason: String| HistoryError::Line { line, reason };
            if u64::try_from(read).is_ok_and(|read| read > MAX_LINE_BYTES) {
                return Err(wrong(format!("longer than {MAX_LINE_BYTES} bytes")));
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let call = parse_line(&bytes).map_err(wrong)?;
            history
                .push(call)
                .map_err(|error| wrong(error.to_string()))?;
        }
        Ok(history)
    }
}

/// One line of the file, with borrowed parts when it is written and owned ones when it is read.
#[derive(Serialize, Deserialize)]
struct Line<O, R> {
    schema: u32,
    client: u64,
    operation: O,
    invoked: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    invoked_order: u32,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    returned: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    returned_order: u32,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    outcome: Option<R>,
}

/// The one field that every version of the format has.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn parse_line<O: DeserializeOwned, R: DeserializeOwned>(
    bytes: &[u8],
) -> Result<Call<O, R>, String> {
    let line: Line<O, R> = serde_json::from_slice(bytes).map_err(|error| {
        match serde_json::from_slice::<Version>(bytes) {
            Ok(version) if version.schema != SCHEMA => wrong_schema(version.schema),
            _ => error.to_string(),
        }
    })?;
    if line.schema != SCHEMA {
        return Err(wrong_schema(line.schema));
    }
    let completion = match (line.returned, line.outcome) {
        (Some(tick), Some(outcome)) => Some(Completion {
            returned: Moment {
                tick,
                order: line.returned_order,
            },
            outcome,
        }),
        (None, None) => None,
        (Some(_), None) => return Err("`returned` without `outcome`: give both or none".into()),
        (None, Some(_)) => return Err("`outcome` without `returned`: give both or none".into()),
    };
    Ok(Call {
        client: line.client,
        operation: line.operation,
        invoked: Moment {
            tick: line.invoked,
            order: line.invoked_order,
        },
        completion,
    })
}

fn wrong_schema(schema: u32) -> String {
    format!("schema {schema} is unknown: this program reads schema {SCHEMA}")
}

fn check_times(client: u64, invoked: Moment, returned: Moment) -> Result<(), HistoryError> {
    if returned < invoked {
        return Err(HistoryError::ReturnedBeforeInvoked {
            client,
            invoked: invoked.tick,
            returned: returned.tick,
        });
    }
    Ok(())
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(order: &u32) -> bool {
    *order == 0
}

#[cfg(test)]
mod tests;
