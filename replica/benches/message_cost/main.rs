//! What a message costs a replica with its driver: `cargo bench -p replica --bench message_cost`.
//!
//! Three real replicas (driver, endpoint, decoding, Speculative Paxos with the key-value store)
//! take turns on one thread; the bench plays the root and the clients. Each turn is divided into
//! what comes in (system call, decoding, everything the core does) and what goes out (system
//! call and copying), as the simulator's `--receive-cost` and `--send-cost` divide it. All times
//! are CPU time of the thread, not wall time.
//!
//! Not here: waiting and waking up. A replica at its limit does neither.

mod fabric;
mod group;
mod meter;
mod statistics;
mod threads;
mod turns;

use fabric::{Builder, FABRICS};
use link::NodeError;
use meter::thread_cpu_ns;
use statistics::Spread;
use threads::Threads;
use turns::Turns;

const REPLICAS: usize = 3;
const OPERATION_BYTES: usize = 64;
/// Requests that a replica finds waiting when it looks. The driver takes at most 64 messages a
/// turn; the longest burst leaves room for what replicas say to each other.
const BURSTS: [u64; 4] = [1, 4, 16, 48];
/// The burst that the proposed values are of: a replica that has work all the time.
const PROPOSED: u64 = 16;

/// How much is measured.
struct Extent {
    /// Until logs have reached their bound and memory is used again.
    warm_up: u64,
    /// Requests of one sample.
    sample: u64,
    samples: u32,
    /// Requests of one sample with threads; long against the tick that CPU time is counted by.
    run: u64,
}

const FULL: Extent = Extent {
    warm_up: 400_000,
    sample: 9_600,
    samples: 31,
    run: 40_000,
};

/// `cargo test` runs benches too: only to see that they work.
const TRIAL: Extent = Extent {
    warm_up: 480,
    sample: 480,
    samples: 3,
    run: 4_000,
};

fn main() -> Result<(), NodeError> {
    let extent = if std::env::args().any(|argument| argument == "--bench") {
        FULL
    } else {
        TRIAL
    };
    let clock_ns = clock_cost();
    println!("reading the clock takes {clock_ns} ns, which is taken off every reading");
    println!(
        "{REPLICAS} replicas, operations of {OPERATION_BYTES} bytes, {} samples of {} requests: \
         median (quartiles) of ns of CPU time a message",
        extent.samples, extent.sample
    );
    println!("carrier  burst  in                  out                 in + out");
    let mut proposals = Vec::new();
    for (name, build) in FABRICS {
        proposals.push((name, take_turns(name, build, clock_ns, &extent)?));
    }
    println!("\neach replica on its own thread, sleeping and waking included");
    println!("carrier  burst  in + out");
    for (name, build) in FABRICS {
        run_threads(name, build, &extent)?;
    }
    println!("\nfor a replica that has work all the time (bursts of {PROPOSED}), rounded to 50 ns");
    for (name, (receive, send)) in proposals {
        println!("{name:<7}  --receive-cost={receive}ns --send-cost={send}ns");
    }
    Ok(())
}

/// Measures in and out on one fabric, prints a row a burst, and returns what to propose.
fn take_turns(
    name: &str,
    build: Builder,
    clock_ns: u64,
    extent: &Extent,
) -> Result<(u64, u64), NodeError> {
    let mut bench = Turns::new(build, clock_ns)?;
    bench.run(extent.warm_up, 48)?;
    let mut proposal = (0, 0);
    for row in measure(&mut bench, extent)? {
        let Row {
            burst,
            receive,
            send,
            both,
        } = row;
        println!("{name:<7}  {burst:>5}  {receive:<18}  {send:<18}  {both}");
        if burst == PROPOSED {
            proposal = (rounded(receive.median()), rounded(send.median()));
        }
    }
    let idle = bench.idle_turns(extent.sample)?;
    println!("{name:<7}  a look that finds nothing takes {idle} ns");
    bench.check()?;
    Ok(proposal)
}

/// Measures whole runs on one fabric and prints a row.
fn run_threads(name: &str, build: Builder, extent: &Extent) -> Result<(), NodeError> {
    let mut bench = Threads::start(build)?;
    bench.run(extent.warm_up)?;
    let mut both = Spread::default();
    let mut bursts = 0.0;
    for _ in 0..extent.samples {
        let cost = bench.run(extent.run)?;
        both.add(cost.both_ns);
        bursts += cost.burst;
    }
    let burst = bursts / f64::from(extent.samples);
    println!("{name:<7}  {burst:>5.1}  {both}");
    bench.end()
}

struct Row {
    burst: u64,
    receive: Spread,
    send: Spread,
    both: Spread,
}

/// Samples of all bursts by turns, so that a noisy moment meets all of them.
fn measure(bench: &mut Turns, extent: &Extent) -> Result<Vec<Row>, NodeError> {
    let mut rows: Vec<_> = BURSTS
        .iter()
        .map(|&burst| Row {
            burst,
            receive: Spread::default(),
            send: Spread::default(),
            both: Spread::default(),
        })
        .collect();
    for _ in 0..extent.samples {
        for row in &mut rows {
            let spent = bench.run(extent.sample, row.burst)?;
            let receive = spent.receive_ns / spent.received;
            let send = spent.send_ns / spent.sent;
            row.receive.add(receive);
            row.send.add(send);
            row.both.add(receive + send);
        }
    }
    Ok(rows)
}

/// What it takes to read the thread's clock: the median of many readings.
fn clock_cost() -> u64 {
    let mut spread = Spread::default();
    for _ in 0..10_001 {
        let begun = thread_cpu_ns();
        spread.add(thread_cpu_ns() - begun);
    }
    spread.median()
}

fn rounded(ns: u64) -> u64 {
    (ns + 25) / 50 * 50
}
