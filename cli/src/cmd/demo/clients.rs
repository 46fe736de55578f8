//! The demo's clients: each asks, waits for the answer, asks the next; everything is recorded.

use super::fault_plan;
use crate::arguments::DemoArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::recorder::{OutcomeClass, Recorder, Sample};
use bench::workload::{Mix, Operation, Operations, Workload, WorkloadConfig};
use bmv2_testbed::embedded::Embedded;
use client::Client;
use client::core::Path;
use indicatif::ProgressBar;
use link::Clock;
use link::faults::FaultPlan;
use sim::history::{Call, Completion, History, Moment};
use sim::kv::{decode, encode};
use sim::linearizability::kv::{KvOperation, KvOutcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;
use wire::Tick;

/// Few keys, so that clients meet; enough, so that each key's history is checked in no time.
const KEYS: u32 = 64;

/// What came of the workload.
pub(super) struct Ran {
    pub(super) history: History<KvOperation, KvOutcome>,
    pub(super) recorder: Recorder,
    pub(super) duration_ns: u64,
}

/// One client's part of it.
struct Part {
    calls: Vec<Call<KvOperation, KvOutcome>>,
    recorder: Recorder,
}

/// What all clients share.
struct Run {
    client: Client,
    begun: Tick,
    /// Requests not yet taken by a client.
    left: AtomicU64,
    bar: ProgressBar,
}

/// Runs the whole workload; faults are on for its middle third.
pub(super) fn run_clients(
    arguments: &DemoArguments,
    embedded: &Embedded,
    output: Output,
) -> Result<Ran, Failure> {
    let workload = Workload::new(config(), arguments.seed)?;
    let run = Arc::new(Run {
        client: embedded.client().clone(),
        begun: Clock.now(),
        left: AtomicU64::new(arguments.requests),
        bar: output.bar(arguments.requests, "requests"),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let faults = embedded.faults();
    let third = arguments.requests / 3;
    let watch = {
        let run = run.clone();
        move || {
            let left = run.left.load(Ordering::Relaxed);
            (third..arguments.requests - third).contains(&left)
        }
    };
    let parts: Vec<Result<Part, String>> = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for index in 0..arguments.clients {
            tasks.spawn(one_client(
                run.clone(),
                u64::from(index),
                workload.client(index),
            ));
        }
        let mut on = false;
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(1));
        let mut parts = Vec::new();
        while !tasks.is_empty() {
            tokio::select! {
                Some(part) = tasks.join_next() => {
                    parts.push(part.map_err(|error| error.to_string()).and_then(|part| part));
                }
                _ = tick.tick() => {
                    if watch() != on {
                        on = !on;
                        let plan = if on { fault_plan(arguments) } else { FaultPlan::default() };
                        faults.set_both(plan);
                    }
                }
            }
        }
        faults.set_both(FaultPlan::default());
        parts
    });
    run.bar.finish_and_clear();
    let duration_ns = Clock.now().since(run.begun);
    let mut ran = Ran {
        history: History::new(),
        recorder: Recorder::new(0),
        duration_ns,
    };
    for part in parts {
        let part = part.map_err(Failure::Safety)?;
        ran.recorder.merge(&part.recorder)?;
        for call in part.calls {
            ran.history.push(call)?;
        }
    }
    Ok(ran)
}

fn config() -> WorkloadConfig {
    WorkloadConfig {
        mix: Mix {
            get: 40,
            set: 30,
            incr: 10,
            append: 10,
            del: 10,
            null: 0,
        },
        keys: KEYS,
        ..WorkloadConfig::default()
    }
}

async fn one_client(run: Arc<Run>, index: u64, mut operations: Operations) -> Result<Part, String> {
    let mut part = Part {
        calls: Vec::new(),
        recorder: Recorder::new(0),
    };
    let take = |left: u64| left.checked_sub(1);
    // By turns: each client has another member asked first, where members are asked one by one.
    let client = run.client.preferring(usize::try_from(index).unwrap_or(0));
    while run
        .left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        let operation = model(operations.next_operation(), index, part.calls.len());
        let asked = Clock.now();
        let answer = client.call(encode(&operation)).await;
        let answered = Clock.now();
        let (class, completion) = match answer {
            Ok(answer) => {
                let outcome = decode(&operation, &answer.result).map_err(|e| e.to_string())?;
                let class = match answer.path {
                    Path::Fast => OutcomeClass::Fast,
                    Path::Slow => OutcomeClass::Slow,
                };
                (
                    class,
                    Some(Completion {
                        returned: Moment::at(answered.0),
                        outcome,
                    }),
                )
            }
            Err(error @ client::CallError::Divergence(_)) => return Err(error.to_string()),
            Err(_) => (OutcomeClass::Failed, None),
        };
        part.recorder.record(Sample {
            intended_ns: asked.since(run.begun),
            ended_ns: answered.since(run.begun),
            class,
        });
        let invoked = Moment::at(asked.0);
        part.calls.push(Call {
            client: index,
            operation,
            invoked,
            completion,
        });
        run.bar.inc(1);
    }
    Ok(part)
}

/// The operation in the checker's words. Values name their writer, so that a read tells which
/// write it saw; numbers have keys of their own, so that most increments find a number.
fn model(operation: Operation, client: u64, count: usize) -> KvOperation {
    let value = || format!("{client}.{count};").into_bytes();
    match operation {
        Operation::Get { key } => KvOperation::Get { key },
        Operation::Set { key, .. } => KvOperation::Set {
            key,
            value: value(),
        },
        Operation::Incr { key } => KvOperation::Incr {
            key: [b"n:", &key[..]].concat(),
            by: 1,
        },
        Operation::Append { key, .. } => KvOperation::Append {
            key,
            value: value(),
        },
        Operation::Del { key } => KvOperation::Del { key },
        Operation::Null { .. } => unreachable!("the demo's mix has none"),
    }
}
