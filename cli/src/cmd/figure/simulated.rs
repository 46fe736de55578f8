//! The same contestants in virtual time: replicas with a core each that takes a known time for
//! each message, wires without faults but those of the place.

use crate::arguments::{Contestant, FigureArguments};
use crate::cmd::sim::verdict;
use crate::failure::Failure;
use crate::output::Output;
use bench::sample::{Numbers, Place, Sample};
use bench::summary::Clock;
use sim::profile::Profile;
use sim::run::run;
use sim::schedule::Noise;
pub(super) use sim::settings::Costs;
use sim::settings::{STEADY_REORDER_NS, Settings};
use sim::sweep::Total;
use sim::world::Blueprint;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Seeds and times as many requests of the long form.
const FULL: (u32, u32) = (7, 10);
/// Requests of the run that tells how long a client waits that is alone.
const ALONE: usize = 100;
/// Virtual time that a request may take in the mean before a run is made longer.
const REQUEST_NS: u64 = 50_000;
/// How often a run is made longer, and how many times as long.
const LONGER: (u32, u64) = (4, 8);

/// One simulation.
struct Job {
    place: Place,
    contestant: Contestant,
    turn: u32,
    seed: u64,
}

/// Simulates every contestant in every place with every seed.
pub(super) fn simulate(
    places: &[Place],
    contestants: &[Contestant],
    costs: Costs,
    arguments: &FigureArguments,
    output: Output,
) -> Result<Vec<Sample>, Failure> {
    let (seeds, operations) = if arguments.full {
        (FULL.0, arguments.operations.saturating_mul(FULL.1))
    } else {
        (arguments.seeds, arguments.operations)
    };
    let mut jobs = Vec::new();
    for place in places {
        for contestant in contestants {
            for turn in 1..=seeds {
                jobs.push(Job {
                    place: *place,
                    contestant: *contestant,
                    turn,
                    seed: arguments.seed.wrapping_add(u64::from(turn - 1)),
                });
            }
        }
    }
    let bar = output.bar(jobs.len() as u64, "simulations");
    let blueprint = Blueprint::new();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    let numbers = job.run(costs, operations, &blueprint);
                    let failed = numbers.is_err();
                    done.lock()
                        .expect("nobody panics with it")
                        .push((index, numbers));
                    bar.inc(1);
                    if failed {
                        // The others end too: what is missing is no result.
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().expect("nobody panics with it");
    done.sort_unstable_by_key(|(index, _)| *index);
    let samples = done.into_iter().map(|(index, numbers)| {
        let job = &jobs[index];
        Ok(Sample {
            contestant: job.contestant.name(),
            clock: Clock::Virtual,
            place: job.place,
            turn: job.turn,
            seed: job.seed,
            numbers: numbers?,
        })
    });
    samples.collect()
}

impl Job {
    fn run(
        &self,
        costs: Costs,
        operations: u32,
        blueprint: &Blueprint,
    ) -> Result<Numbers, Failure> {
        let mut settings = self.settings(costs);
        if let Some(rate) = self.place.rate_per_second {
            let alone = Settings {
                clients: 1,
                operations: ALONE,
                ..settings.clone()
            };
            let alone_ns = total(&alone, self.seed, blueprint)?.latency_ns(50);
            // A client asks, waits, and pauses: together that is to take so long.
            let cycle_ns = 1_000_000_000 * u64::from(self.place.clients) / rate;
            settings.think_ns = cycle_ns.saturating_sub(alone_ns.unwrap_or(0));
        }
        settings.operations = (operations / self.place.clients).max(1) as usize;
        let total = total(&settings, self.seed, blueprint)?;
        Ok(Numbers {
            throughput_ops: total.throughput(),
            p50_us: micros(total.latency_ns(50)),
            p99_us: micros(total.latency_ns(99)),
            bottleneck_us: None,
            capacity_ops: None,
        })
    }

    fn settings(&self, costs: Costs) -> Settings {
        let Place {
            replicas,
            clients,
            loss_ppm,
            reorder_ppm,
            ..
        } = self.place;
        let protocol = self.contestant.protocol;
        Settings {
            protocol,
            replicas: vec![if protocol.is_one_server() {
                1
            } else {
                replicas
            }],
            clients: clients as usize,
            // The checker looks at one key at a time, and at all orders of what overlaps there.
            keys: u64::from(clients).max(Settings::default().keys),
            profile: Profile::None,
            steady: Noise {
                loss_ppm,
                reorder_ppm,
                reorder_ns: if reorder_ppm > 0 {
                    STEADY_REORDER_NS
                } else {
                    0
                },
                ..Noise::default()
            },
            costs,
            pauses: false,
            gap_awareness: Some(self.contestant.gap_awareness),
            batching: self.contestant.batching,
            ..Settings::default()
        }
    }
}

/// One run, which must end well, and before wires stop to do what the place says. They cannot do
/// so for ever: a run goes on until they stop, and idle time takes time to simulate.
fn total(settings: &Settings, seed: u64, blueprint: &Blueprint) -> Result<Total, Failure> {
    settings.check()?;
    let mut settings = settings.clone();
    let (clients, operations) = (settings.clients as u64, settings.operations as u64);
    settings.fault_ns = operations * (clients * REQUEST_NS + 2 * settings.think_ns);
    for _ in 0..LONGER.0 {
        let outcome = run(&settings, seed, blueprint);
        verdict(&outcome)?;
        if outcome.tally.last.0 < settings.fault_ns {
            let mut total = Total::default();
            total.add(&outcome);
            return Ok(total);
        }
        settings.fault_ns = settings.fault_ns.saturating_mul(LONGER.1);
    }
    Err(Failure::Check(format!(
        "the simulation took longer than {} virtual s: downbeat sim {}",
        settings.fault_ns / 1_000_000_000,
        settings.flags(seed)
    )))
}

#[expect(clippy::cast_precision_loss, reason = "virtual times are below 2^52")]
fn micros(ns: Option<u64>) -> Option<f64> {
    ns.map(|ns| ns as f64 / 1e3)
}
