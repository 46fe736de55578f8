//! `downbeat bench`: brings a deployment up, puts load on it, takes it down, and tells throughput,
//! latency from the intended start, and the processor time of each role.

mod measure;
mod report;
mod target;

use crate::arguments::{ArrivalsLike, BenchArguments, GroupFlags, LoadFlags};
use crate::failure::Failure;
use crate::output::Output;
use bench::arrivals::Arrivals;
use bench::run_directory::RunDirectory;
use bench::workload::{Workload, WorkloadConfig};
use bmv2_testbed::deployment::{Application, Caller, Harm, Options};
use bmv2_testbed::load::LoadSettings;
use bmv2_testbed::{Deployment, Fabric, Shape};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// IPv4 and UDP headers: what an MTU holds besides the payload.
const HEADERS: u16 = 28;

/// Runs the verb.
pub(crate) fn run(arguments: &BenchArguments, output: Output) -> Result<(), Failure> {
    output.say(&format!("seed {}", arguments.seed));
    let load = load_settings(&arguments.load, arguments.seed)?;
    let run = RunDirectory::create(&arguments.runs, "bench", SystemTime::now())?;
    let folder = fs::canonicalize(run.path())?;
    let deployment = plan(arguments, &folder)?;
    let measured = measure::measure(&deployment, &load, arguments.seed, output)?;
    let result = report::BenchResult::new(arguments, &deployment, &measured);
    report::write(&run, (arguments.seed, &load), &measured, &result)?;
    report::print(&run, &result, output);
    report::check(&arguments.thresholds, &result)
}

fn plan(arguments: &BenchArguments, folder: &Path) -> Result<Deployment, Failure> {
    let GroupFlags {
        fabric, protocol, ..
    } = arguments.group;
    let group = &arguments.group;
    let servers = if protocol.0.is_one_server() { 1 } else { 3 };
    Ok(Deployment::plan(&Options {
        fabric: fabric.0,
        protocol: protocol.0,
        application: if arguments.load.workload.is_null() {
            Application::Null
        } else {
            Application::Kv
        },
        caller: Caller::Load,
        topology: Shape::Single,
        replicas: group.replicas.unwrap_or(servers),
        spares: 0,
        mtu: group.mtu + HEADERS,
        round_shift: if fabric.0 == Fabric::Bmv2 { 12 } else { 8 },
        gap_awareness: group.gap_awareness.is_on(),
        read_barrier: group.read_barrier.is_on(),
        batching: group.batching.is_on(),
        harm: Harm {
            loss_ppm: group.loss.ppm(),
            reorder_ppm: group.reorder.ppm(),
            seed: arguments.seed,
        },
        resp_port: 0,
        doors: 1,
        folder: folder.to_path_buf(),
        unique: super::up::unique()?,
    })?)
}

fn load_settings(flags: &LoadFlags, seed: u64) -> Result<LoadSettings, Failure> {
    let preset = flags.workload.config();
    let config = WorkloadConfig {
        keys: flags.keys.unwrap_or(preset.keys),
        distribution: flags.keys_like.map_or(preset.distribution, |keys| keys.0),
        value_bytes_min: flags.value_bytes.unwrap_or(preset.value_bytes_min),
        value_bytes_max: flags.value_bytes.unwrap_or(preset.value_bytes_max),
        ..preset
    };
    Ok(LoadSettings {
        workload: Workload::new(config, seed)?,
        arrivals: arrivals(flags),
        clients: flags.clients,
        warm_up: Duration::from_nanos(flags.warm_up.0),
        duration: Duration::from_nanos(flags.duration.0),
    })
}

fn arrivals(flags: &LoadFlags) -> Arrivals {
    match (flags.rate, flags.arrivals) {
        (None, _) => Arrivals::Closed {
            think_us: flags.think.map_or(0, |think| think.0 / 1_000),
        },
        (Some(rate_per_second), Some(ArrivalsLike::Constant)) => {
            Arrivals::Constant { rate_per_second }
        }
        (Some(rate_per_second), _) => Arrivals::Poisson { rate_per_second },
    }
}
