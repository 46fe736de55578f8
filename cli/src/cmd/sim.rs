//! `downbeat sim`: whole deployments in virtual time, many seeds, faults, and a verdict.

use crate::arguments::{SimArguments, SimFlags, Switch};
use crate::failure::Failure;
use crate::output::{Output, table};
use bench::table::three_digits;
use link::faults::Probability;
use serde_json::{Value, json};
use sim::mutant::Mutant;
use sim::mutants::{BOUND, hunt};
use sim::report;
use sim::schedule::Noise;
use sim::settings::{Costs, STEADY_REORDER_NS, Settings};
use sim::shrink::shrink;
use sim::sweep::{Total, sweep};
use sim::world::{Blueprint, Ending, Outcome, World, can_restart};
use std::ops::ControlFlow;
use std::thread;

/// Seeds run when neither `--seed` nor `--seeds` is given.
const SEEDS: u64 = 100;
/// Failing seeds that are told one by one; the others are only counted.
const TOLD: u64 = 10;

/// Runs the verb.
pub(crate) fn run(arguments: &SimArguments, output: Output) -> Result<(), Failure> {
    let settings = settings(&arguments.flags)?;
    let first = arguments.seed.unwrap_or(1);
    if arguments.mutants {
        return mutants(&settings, arguments.bound, output);
    }
    let count = match (arguments.seed, arguments.seeds) {
        (_, Some(count)) => count,
        (Some(_), None) => 1,
        (None, None) => SEEDS,
    };
    if arguments.events && count > 1 {
        return Err(Failure::Usage(format!(
            "--events prints one run, not {count}; give --seed and leave --seeds out"
        )));
    }
    say_begin(&settings, first, count, output);
    let blueprint = Blueprint::new();
    if arguments.events {
        return print_events(&settings, first, &blueprint, output);
    }
    run_seeds(&settings, first, count, &blueprint, output)
}

/// What the flags mean to the simulator.
pub(crate) fn settings(flags: &SimFlags) -> Result<Settings, Failure> {
    let default = Settings::default();
    let settings = Settings {
        protocol: flags.protocol.0,
        topology: flags.topology.shape,
        replicas: replicas(flags)?.unwrap_or(default.replicas),
        clients: flags.clients,
        operations: flags.operations,
        keys: flags.keys,
        expiry: flags.expiry,
        profile: flags.faults.0,
        steady: Noise {
            loss_ppm: flags.loss.ppm(),
            reorder_ppm: flags.reorder.ppm(),
            reorder_ns: if flags.reorder == Probability::NEVER {
                0
            } else {
                STEADY_REORDER_NS
            },
            ..Noise::default()
        },
        fault_ns: flags.fault_time.0,
        heal_ns: flags.heal_time.0,
        costs: Costs {
            receive_ns: flags.receive_cost.0,
            send_ns: flags.send_cost.0,
        },
        pauses: !flags.steady,
        think_ns: flags.think.0,
        gap_awareness: flags.gap_awareness.map(Switch::is_on),
        batching: flags.batching.is_on(),
        only_invariant: flags.invariant.clone(),
        only_faults: flags.only_faults.clone().map(|only| only.0),
        mutant: mutant(flags)?,
    };
    settings.check()?;
    Ok(settings)
}

/// Group sizes, which may stand in the topology, on their own, or in both if it is the same.
fn replicas(flags: &SimFlags) -> Result<Option<Vec<usize>>, Failure> {
    let listed = (!flags.replicas.is_empty()).then(|| flags.replicas.clone());
    match (flags.topology.replicas, listed) {
        (Some(one), Some(listed)) if listed != [one] => {
            let shape = flags.topology.shape.name();
            Err(Failure::Usage(format!(
                "--topology={shape},{one} has {one} replicas, --replicas={listed:?} says \
                 otherwise; leave one of them out"
            )))
        }
        (one, listed) => Ok(listed.or(one.map(|one| vec![one]))),
    }
}

fn mutant(flags: &SimFlags) -> Result<Option<Mutant>, Failure> {
    let named = |name: &String| Mutant::of_name(flags.protocol.0, name);
    let mutant = flags.mutant.as_ref().map(named).transpose();
    mutant.map_err(|error| Failure::Usage(error.to_string()))
}

fn say_begin(settings: &Settings, first: u64, count: u64, output: Output) {
    let last = first.saturating_add(count - 1);
    if count == 1 {
        output.say(&format!("seed {first}"));
    } else {
        output.say(&format!("seed {first} to {last}"));
    }
    if !can_restart(settings.protocol) {
        output.say("note: replicas of this protocol cannot start again yet: a crash is for good");
    }
    output.object(json!({
        "event": "begin",
        "seed": first,
        "seeds": count,
        "protocol": settings.protocol.name(),
        "faults": settings.profile.name(),
    }));
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn run_seeds(
    settings: &Settings,
    first: u64,
    count: u64,
    blueprint: &Blueprint,
    output: Output,
) -> Result<(), Failure> {
    let bar = output.bar(count, "seeds");
    let mut total = Total::default();
    let mut worst: Option<Outcome> = None;
    sweep(settings, (first, count), threads(), blueprint, |outcome| {
        total.add(&outcome);
        bar.inc(1);
        if outcome.ending != Ending::Passed {
            if total.failed <= TOLD {
                bar.suspend(|| tell_failure(settings, &outcome, output));
            }
            let is_unsafe = |outcome: &Outcome| matches!(outcome.ending, Ending::Unsafe(_));
            if worst
                .as_ref()
                .is_none_or(|known| is_unsafe(&outcome) && !is_unsafe(known))
            {
                worst = Some(outcome);
            }
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let Some(worst) = worst else {
        summary(settings, first, &total, None, output);
        return Ok(());
    };
    output.say(&format!("making seed {} smaller ...", worst.seed));
    let shrunk = shrink(settings, &worst, blueprint);
    output.line(&report::smallest(&shrunk));
    let replay = report::replay_command(&shrunk.settings, worst.seed);
    summary(settings, first, &total, Some(&replay), output);
    let text = format!(
        "{} of {} runs failed, seed {}: {}",
        total.failed,
        total.seeds,
        worst.seed,
        worst.ending.name()
    );
    Err(match worst.ending {
        Ending::Unsafe(_) => Failure::Safety(text),
        _ => Failure::Check(text),
    })
}

fn tell_failure(settings: &Settings, outcome: &Outcome, output: Output) {
    output.line(&report::failure(outcome));
    let replay = report::replay_command(settings, outcome.seed);
    output.line(&format!("  replay  {replay}"));
    let mut object = json!({
        "event": "failed",
        "seed": outcome.seed,
        "replicas": outcome.replicas,
        "failure": outcome.ending.name(),
        "replay": replay,
    });
    match &outcome.ending {
        Ending::Unsafe(violation) => {
            object["paper"] = violation.paper.into();
            object["seen"] = violation.seen.clone().into();
            object["at_ns"] = violation.at.0.into();
        }
        Ending::Stuck(why) => object["seen"] = why.clone().into(),
        Ending::Passed => {}
    }
    output.object(object);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn summary(settings: &Settings, first: u64, total: &Total, replay: Option<&str>, output: Output) {
    let share = total.fast_share();
    output.object(summary_object(settings, first, total, replay));
    let percent = share.map_or_else(|| "-".to_owned(), |share| three_digits(share * 100.0));
    let throughput = throughput(settings, total).map_or_else(|| "-".to_owned(), three_digits);
    for (name, value) in [
        ("seeds", total.seeds.to_string()),
        ("failed", total.failed.to_string()),
        ("operations", (total.fast + total.slow).to_string()),
        ("one round trip (%)", percent),
        ("throughput (ops/s)", throughput),
        ("p50 (virtual µs)", micros(total.latency_ns(50))),
        ("p99 (virtual µs)", micros(total.latency_ns(99))),
        ("events", total.events.to_string()),
        (
            "virtual time (s)",
            three_digits(total.virtual_ns as f64 / 1e9),
        ),
        ("faults", total.faults.to_string()),
        ("crashes", total.crashes.to_string()),
        ("view changes", total.view_changes.to_string()),
        ("rollbacks", total.rolled_back.to_string()),
        (
            "longest gap (ms)",
            three_digits(total.longest_gap_ns as f64 / 1e6),
        ),
        (
            "its median (ms)",
            three_digits(total.median_gap_ns() as f64 / 1e6),
        ),
    ] {
        output.line(&format!("  {name:<20} {value}"));
    }
    match replay {
        None => {
            output.line("verdict    no invariant broke, and every group healed");
            output.line("next       downbeat sim --faults=harsh --seeds=2000");
        }
        Some(replay) => {
            output.line("verdict    FAILED");
            output.line(&format!("next       {replay}"));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn micros(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| three_digits(ns as f64 / 1e3))
}

/// Of clients that pause it says nothing.
fn throughput(settings: &Settings, total: &Total) -> Option<f64> {
    total.throughput().filter(|_| !settings.pauses)
}

fn summary_object(settings: &Settings, first: u64, total: &Total, replay: Option<&str>) -> Value {
    json!({
        "event": "summary",
        "protocol": settings.protocol.name(),
        "topology": settings.topology.name(),
        "faults_profile": settings.profile.name(),
        "seed": first,
        "seeds": total.seeds,
        "failed": total.failed,
        "unsafe": total.unsafe_seeds,
        "operations": total.fast + total.slow,
        "fast_path_share": total.fast_share(),
        "throughput_ops": throughput(settings, total),
        "p50_ns": total.latency_ns(50),
        "p99_ns": total.latency_ns(99),
        "events": total.events,
        "virtual_ns": total.virtual_ns,
        "faults": total.faults,
        "crashes": total.crashes,
        "view_changes": total.view_changes,
        "rollbacks": total.rolled_back,
        "longest_gap_ns": total.longest_gap_ns,
        "median_gap_ns": total.median_gap_ns(),
        "replay": replay,
    })
}

/// One run, an event a line.
fn print_events(
    settings: &Settings,
    seed: u64,
    blueprint: &Blueprint,
    output: Output,
) -> Result<(), Failure> {
    let mut world = World::new(settings, seed, blueprint, true);
    while sim::run::step(&mut world) {
        output.text(&world.take_lines());
    }
    let outcome = world.outcome();
    output.text(&world.take_lines());
    output.object(json!({
        "event": "summary",
        "seed": seed,
        "seeds": 1,
        "failed": u64::from(outcome.ending != Ending::Passed),
        "failure": outcome.ending.name(),
        "events": outcome.events,
        "trace": format!("{:016x}", outcome.trace),
        "virtual_ns": outcome.end.0,
    }));
    verdict(&outcome)
}

/// The exit code's side of one run.
pub(crate) fn verdict(outcome: &Outcome) -> Result<(), Failure> {
    let text = report::failure(outcome);
    match outcome.ending {
        Ending::Passed => Ok(()),
        Ending::Unsafe(_) => Err(Failure::Safety(text)),
        Ending::Stuck(_) => Err(Failure::Check(text)),
    }
}

/// Every deliberate break must be caught.
fn mutants(settings: &Settings, bound: Option<u64>, output: Output) -> Result<(), Failure> {
    let bound = bound.unwrap_or(BOUND);
    output.say("seed 1");
    let blueprint = Blueprint::new();
    let all = Mutant::all(settings.protocol);
    let count = all.len();
    let bar = output.bar(count as u64, "mutants");
    let head = ["mutant", "caught by", "seeds", "bound"];
    let mut rows = vec![head.map(String::from).to_vec()];
    let mut survivors = Vec::new();
    for mutant in all {
        let settings = Settings {
            mutant: Some(mutant),
            ..settings.clone()
        };
        let caught = hunt(&settings, bound, threads(), &blueprint);
        bar.inc(1);
        let by = caught.as_ref().map(|caught| caught.by);
        let seeds = caught.as_ref().map_or(bound, |caught| caught.seeds);
        if by.is_none() {
            survivors.push(mutant.name());
        }
        let replay = caught.map(|caught| report::replay_command(&caught.settings, caught.seed));
        output.object(json!({
            "event": "mutant",
            "mutant": mutant.name(),
            "caught_by": by,
            "seeds": seeds,
            "bound": bound,
            "replay": replay,
        }));
        let by = by.unwrap_or("NOBODY").to_owned();
        rows.push(vec![
            mutant.name().to_owned(),
            by,
            seeds.to_string(),
            bound.to_string(),
        ]);
    }
    bar.finish_and_clear();
    output.line(table(&rows).trim_end());
    output.object(json!({
        "event": "summary",
        "mutants": count,
        "survivors": survivors,
    }));
    output.line(&format!(
        "{} of {count} mutants caught",
        count - survivors.len()
    ));
    if survivors.is_empty() {
        Ok(())
    } else {
        Err(Failure::Check(format!(
            "not caught: {}",
            survivors.join(", ")
        )))
    }
}
