//! The clients of a load: each with a schedule and operations of its own, all on one thread.
//!
//! First every key that is read gets a value, then the run begins. A client has one operation on
//! its way; in an open loop the next one's time may come meanwhile, and its latency counts from
//! then. When its schedule passes the end, a client is done; when all are, the thread is told.

use super::Loaded;
use crate::roles::RoleError;
use apps::kv::encode;
use bench::arrivals::{Arrivals, ArrivalsError, Schedule};
use bench::recorder::{OutcomeClass, Recorder, Sample};
use bench::workload::{Loading, Operation, Operations, Workload};
use client::core::{Answer, Path};
use client::{Call, CallError, Callers};
use link::{Descriptors, StopFlag};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wire::Tick;

/// What to ask for, when and for how long.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// What.
    pub workload: Workload,
    /// When.
    pub arrivals: Arrivals,
    /// How many clients.
    pub clients: u32,
    /// What is left out at the beginning.
    pub warm_up: Duration,
    /// What is measured.
    pub duration: Duration,
}

/// How far a load is; for who watches from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    /// Milliseconds since the run began, plus one; 0 while keys are loaded.
    begun_ms: AtomicU64,
    answered: AtomicU64,
}

impl Progress {
    /// How long the run has been going on, as of its newest answer; `None` before it has begun.
    pub fn elapsed(&self) -> Option<Duration> {
        let ms = self.begun_ms.load(Ordering::Acquire).checked_sub(1)?;
        Some(Duration::from_millis(ms))
    }

    /// Operations answered since the run began, warm-up included.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

struct LoadClient {
    schedule: Schedule,
    operations: Operations,
    loading: Loading,
    /// Since when it has had nothing on its way.
    free_ns: u64,
}

/// An operation on its way.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    client: usize,
    intended_ns: u64,
}

/// All clients.
pub struct Load {
    clients: Vec<LoadClient>,
    /// Who begins next: at what time since the beginning.
    starts: BinaryHeap<Reverse<(u64, usize)>>,
    on_the_way: usize,
    /// When the run began; `None` while keys are loaded.
    begun: Option<Tick>,
    end_ns: u64,
    last_ns: u64,
    recorder: Recorder,
    progress: Arc<Progress>,
    stop: StopFlag,
    /// What no group that works answers.
    broken: Option<CallError>,
}

impl Load {
    /// Clients that have not begun; they raise `stop` when they are done.
    pub fn new(settings: &LoadSettings, stop: StopFlag) -> Result<Self, ArrivalsError> {
        let seed = settings.workload.seed();
        let client = |index: u32| {
            Ok(LoadClient {
                schedule: Schedule::new(settings.arrivals, seed, index, settings.clients)?,
                operations: settings.workload.client(index),
                loading: settings.workload.loading(index, settings.clients),
                free_ns: 0,
            })
        };
        let clients: Result<Vec<_>, ArrivalsError> = (0..settings.clients).map(client).collect();
        let clients = clients?;
        let starts = (0..clients.len()).map(|index| Reverse((0, index)));
        Ok(Self {
            starts: starts.collect(),
            clients,
            on_the_way: 0,
            begun: None,
            end_ns: nanoseconds(settings.warm_up.saturating_add(settings.duration)),
            last_ns: 0,
            recorder: Recorder::new(nanoseconds(settings.warm_up)),
            progress: Arc::default(),
            stop,
            broken: None,
        })
    }

    /// How far it is.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// The result.
    pub(super) fn finish(self) -> Result<Loaded, RoleError> {
        if let Some(error) = self.broken {
            return Err(error.into());
        }
        if self.begun.is_none() {
            return Err("the load was stopped before its run began".into());
        }
        Ok(Loaded {
            recorder: self.recorder,
            end_ns: self.end_ns.max(self.last_ns),
        })
    }

    /// The next operation that gives a key its value.
    fn next_of_loading(&mut self) -> Option<Call<Token>> {
        while let Some(Reverse((_, index))) = self.starts.pop() {
            if let Some(operation) = self.clients[index].loading.next() {
                return Some(self.call(operation, index, 0));
            }
        }
        None
    }

    /// The run begins as soon as every key has its value.
    fn begin_if_loaded(&mut self, now: Tick) {
        if self.begun.is_some() || self.on_the_way > 0 || !self.starts.is_empty() {
            return;
        }
        self.begun = Some(now);
        self.progress.begun_ms.store(1, Ordering::Release);
        for index in 0..self.clients.len() {
            self.schedule(index, 0);
        }
    }

    /// Puts a client's next start down, unless it is past the end.
    fn schedule(&mut self, index: usize, answered_ns: u64) {
        let client = &mut self.clients[index];
        client.free_ns = answered_ns;
        let start = client.schedule.next_start_ns(answered_ns);
        if start < self.end_ns {
            self.starts.push(Reverse((start, index)));
        } else if self.starts.is_empty() && self.on_the_way == 0 {
            self.stop.stop();
        }
    }

    fn call(&mut self, operation: Operation, client: usize, intended_ns: u64) -> Call<Token> {
        self.on_the_way += 1;
        Call {
            operation: encoded(operation).into_boxed_slice(),
            prefers: client,
            token: Token {
                client,
                intended_ns,
            },
        }
    }

    fn record(&mut self, token: Token, ended_ns: u64, outcome: &Result<Answer, CallError>) {
        let class = match outcome {
            Ok(answer) if answer.path == Path::Fast => OutcomeClass::Fast,
            Ok(_) => OutcomeClass::Slow,
            Err(_) => OutcomeClass::Failed,
        };
        if class != OutcomeClass::Failed {
            self.progress.answered.fetch_add(1, Ordering::Relaxed);
        }
        let elapsed_ms = ended_ns / 1_000_000 + 1;
        self.progress.begun_ms.store(elapsed_ms, Ordering::Release);
        self.last_ns = self.last_ns.max(ended_ns);
        self.recorder.record(Sample {
            intended_ns: token.intended_ns,
            ended_ns,
            class,
        });
    }
}

impl Callers for Load {
    type Token = Token;

    fn next(&mut self, now: Tick) -> Option<Call<Token>> {
        if self.begun.is_none() {
            let call = self.next_of_loading();
            if call.is_some() {
                return call;
            }
            self.begin_if_loaded(now);
        }
        let elapsed_ns = now.since(self.begun?);
        let Reverse((start, index)) = *self.starts.peek()?;
        if start > elapsed_ns {
            return None;
        }
        self.starts.pop();
        let client = &mut self.clients[index];
        self.recorder
            .record_start(start.max(client.free_ns), elapsed_ns);
        let operation = client.operations.next_operation();
        Some(self.call(operation, index, start))
    }

    fn finished(&mut self, now: Tick, token: Token, outcome: Result<Answer, CallError>) {
        self.on_the_way -= 1;
        if let Err(error @ (CallError::Divergence(_) | CallError::TooLarge { .. })) = outcome {
            self.broken = Some(error);
            self.stop.stop();
        } else if let Some(begun) = self.begun {
            let ended_ns = now.since(begun);
            self.record(token, ended_ns, &outcome);
            self.schedule(token.client, ended_ns);
        } else {
            self.starts.push(Reverse((0, token.client)));
        }
    }

    fn deadline(&self) -> Option<Tick> {
        let Reverse((start, _)) = self.starts.peek()?;
        match self.begun {
            None => Some(Tick::default()),
            Some(begun) => Some(Tick(begun.0.saturating_add(*start))),
        }
    }

    fn prepare_to_wait(&mut self) -> bool {
        false
    }

    fn readiness<'a>(&'a self, _descriptors: &mut Descriptors<'a>) {}
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The operation in the words of the service.
fn encoded(operation: Operation) -> Vec<u8> {
    match operation {
        Operation::Get { key } => encode::get(&key),
        Operation::Set { key, value } => encode::set(&key, &value),
        Operation::Incr { key } => encode::incr(&key),
        Operation::Append { key, value } => encode::append(&key, &value),
        Operation::Del { key } => encode::delete(&key),
        Operation::Null { bytes } => bytes,
    }
}

#[cfg(test)]
mod tests;
