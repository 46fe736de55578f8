//! Each replica on a thread of its own, as in a deployment: a cross-check that cannot tell in
//! from out, but holds what turns leave out: sleeping, waking others, looks that find nothing,
//! and caches that other threads have used.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use link::{Clock, NodeError, RunError, StopFlag, WaitPolicy, run::run_nodes};
use replica::driver::ReplicaHandle;
use replica::spec_paxos::Timings;
use rustix::thread::{Pid, gettid};

use super::REPLICAS;
use super::fabric::{Builder, Fabric};
use super::group::{Asker, check, replicas};
use super::meter::Readings;

/// Requests that are not answered yet, as of so many clients that never pause.
const OUTSTANDING: u64 = 64;
/// How long answers may stay away.
const PATIENCE_NS: u64 = 10_000_000_000;

/// A group whose replicas have threads.
pub(crate) struct Threads {
    seats: Vec<Seat>,
    fabric: Box<dyn Fabric>,
    asker: Asker,
    replies: u64,
    stop: StopFlag,
}

struct Seat {
    thread: JoinHandle<Result<(), RunError>>,
    id: Pid,
    handle: ReplicaHandle,
    readings: Readings,
}

/// What one replica did: CPU time of its thread, datagrams in and out.
#[derive(Clone, Copy)]
struct Work {
    cpu_ns: u64,
    received: u64,
    sent: u64,
    turns: u64,
}

/// What a message in and one out cost together, and how many came in a turn with work.
pub(crate) struct Cost {
    pub(crate) both_ns: u64,
    pub(crate) burst: f64,
}

impl Threads {
    pub(crate) fn start(build: Builder) -> Result<Self, NodeError> {
        let (fabric, endpoints) = build()?;
        // Threads that get no core for a while must not be taken for crashed: what a view change
        // costs is not asked here.
        let patient = Duration::from_secs(5).as_micros().try_into()?;
        let timings = Timings {
            suspect_us: patient,
            sync_timeout_us: patient,
            ..Timings::default()
        };
        let stop = StopFlag::new()?;
        let mut seats = Vec::new();
        for replica in replicas(fabric.members(), endpoints, Clock.now(), timings)? {
            let (tell, told) = std::sync::mpsc::channel();
            let (mut nodes, stop) = ([replica.node], stop.clone());
            let thread = thread::spawn(move || {
                // Nobody listens only if the bench has failed already.
                let _ = tell.send(gettid());
                run_nodes(&mut nodes, &stop, WaitPolicy::Block)
            });
            seats.push(Seat {
                thread,
                id: told.recv()?,
                handle: replica.handle,
                readings: replica.readings,
            });
        }
        Ok(Self {
            seats,
            fabric,
            asker: Asker::new(),
            replies: 0,
            stop,
        })
    }

    /// The mean over all replicas while they answer `requests` requests.
    pub(crate) fn run(&mut self, requests: u64) -> Result<Cost, NodeError> {
        let before = self.work()?;
        let end = self.asker.count() + requests;
        let mut heard = Clock.now();
        while self.asker.count() < end || self.outstanding() > 0 {
            let now = Clock.now();
            while self.asker.count() < end && self.outstanding() < OUTSTANDING {
                self.asker.ask(now, &mut *self.fabric);
            }
            self.fabric.flush();
            let replies = self.fabric.carry();
            self.replies += replies;
            if replies > 0 {
                heard = now;
            } else if now.since(heard) > PATIENCE_NS {
                let missing = self.outstanding();
                return Err(format!("{missing} requests got no answer within 10 s").into());
            } else {
                thread::yield_now();
            }
        }
        let spent = self.work()? - before;
        let pairs = u64::midpoint(spent.received, spent.sent);
        #[expect(clippy::cast_precision_loss, reason = "a ratio to look at")]
        let burst = spent.received as f64 / spent.turns as f64;
        Ok(Cost {
            both_ns: spent.cpu_ns / pairs,
            burst,
        })
    }

    /// Requests that some replica has not answered.
    fn outstanding(&self) -> u64 {
        self.asker.count() - self.replies / REPLICAS as u64
    }

    fn work(&self) -> Result<Work, NodeError> {
        let mut sum = Work {
            cpu_ns: 0,
            received: 0,
            sent: 0,
            turns: 0,
        };
        for seat in &self.seats {
            sum.cpu_ns += scheduled_ns(seat.id)?;
            sum.received += seat.readings.received();
            sum.sent += seat.readings.sent();
            sum.turns += seat.readings.turns();
        }
        Ok(sum)
    }

    /// Stops all threads; panics unless every request was executed by everybody.
    pub(crate) fn end(self) -> Result<(), NodeError> {
        for seat in &self.seats {
            check(&seat.handle, self.asker.count())?;
        }
        self.stop.stop();
        for seat in self.seats {
            seat.thread.join().expect("a replica does not panic")?;
        }
        Ok(())
    }
}

impl std::ops::Sub for Work {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns - other.cpu_ns,
            received: self.received - other.received,
            sent: self.sent - other.sent,
            turns: self.turns - other.turns,
        }
    }
}

/// CPU time of another thread of this process, as the scheduler has it. It is brought up to date
/// at each tick, which is why samples are much longer than a tick.
fn scheduled_ns(thread: Pid) -> Result<u64, NodeError> {
    let path = format!("/proc/self/task/{}/schedstat", thread.as_raw_nonzero());
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let first = text.split_whitespace().next().unwrap_or_default();
    first
        .parse()
        .map_err(|error| format!("{path} begins with {first:?}: {error}").into())
}
