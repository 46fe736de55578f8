//! All replicas on one thread, one turn after the other: the exact way.

use std::thread;

use link::{Node, NodeError};
use replica::spec_paxos::Timings;
use wire::Tick;

use super::REPLICAS;
use super::fabric::{Builder, Fabric};
use super::group::{Asker, Replica, check, replicas};
use super::meter::thread_cpu_ns;

/// The replicas' time goes on by so much a request: protocol timers then fire as often as at
/// some 300,000 requests a second, and never because another program had the core.
const REQUEST_US: u64 = 3;

/// CPU time and messages of all replicas together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) receive_ns: u64,
    pub(crate) received: u64,
    pub(crate) send_ns: u64,
    pub(crate) sent: u64,
}

/// A group that takes turns.
pub(crate) struct Turns {
    replicas: Vec<Replica>,
    fabric: Box<dyn Fabric>,
    asker: Asker,
    now: Tick,
    replies: u64,
    /// What it takes to read the clock.
    clock_ns: u64,
}

impl Turns {
    pub(crate) fn new(build: Builder, clock_ns: u64) -> Result<Self, NodeError> {
        let (fabric, endpoints) = build()?;
        let now = Tick(1_000_000_000);
        Ok(Self {
            replicas: replicas(fabric.members(), endpoints, now, Timings::default())?,
            fabric,
            asker: Asker::new(),
            now,
            replies: 0,
            clock_ns,
        })
    }

    /// `requests` requests in bursts of `burst`: each replica finds a burst waiting, takes all of
    /// it in and sends all answers.
    pub(crate) fn run(&mut self, requests: u64, burst: u64) -> Result<Spent, NodeError> {
        let mut spent = Spent::default();
        for _ in 0..requests / burst {
            for _ in 0..burst {
                self.asker.ask(self.now, &mut *self.fabric);
            }
            self.fabric.flush();
            self.now = self.now.plus_us(REQUEST_US * burst);
            for replica in &mut self.replicas {
                turn(replica, self.now, self.clock_ns, &mut spent)?;
            }
            self.replies += self.fabric.carry();
        }
        Ok(spent)
    }

    /// What a turn costs that finds nothing.
    pub(crate) fn idle_turns(&mut self, turns: u64) -> Result<u64, NodeError> {
        let mut spent = Spent::default();
        for _ in 0..turns {
            // Time stands still, so that no timer fires.
            turn(&mut self.replicas[1], self.now, self.clock_ns, &mut spent)?;
        }
        Ok((spent.receive_ns + spent.send_ns) / turns)
    }

    /// Panics unless every request was executed by everybody and answered.
    pub(crate) fn check(mut self) -> Result<(), NodeError> {
        let requests = self.asker.count();
        for replica in &mut self.replicas {
            let handle = replica.handle.clone();
            let asking = thread::spawn(move || check(&handle, requests));
            while !asking.is_finished() {
                replica.node.poll(self.now)?;
                thread::yield_now();
            }
            asking
                .join()
                .expect("what was measured was not what was meant")?;
        }
        assert_eq!(self.replies, requests * REPLICAS as u64);
        Ok(())
    }
}

/// One turn of a replica; the moment at which receiving was over divides it.
fn turn(
    replica: &mut Replica,
    now: Tick,
    clock_ns: u64,
    spent: &mut Spent,
) -> Result<(), NodeError> {
    let Replica { node, readings, .. } = replica;
    let (received, sent) = (readings.received(), readings.sent());
    let begun = thread_cpu_ns();
    node.poll(now)?;
    let ended = thread_cpu_ns();
    let between = readings.received_at();
    assert!((begun..=ended).contains(&between), "a turn receives once");
    spent.receive_ns += (between - begun).saturating_sub(clock_ns);
    spent.send_ns += (ended - between).saturating_sub(clock_ns);
    spent.received += readings.received() - received;
    spent.sent += readings.sent() - sent;
    Ok(())
}
