//! `downbeat bench`: brings a deployment up, puts load on it, takes it down, and tells throughput,
//! latency from the intended start, and the processor time of each role.

mod measure;
mod report;
mod target;

pub(super) use measure::measure;
pub(super) use report::BenchResult;

use super::roles::stop_on_signals;
use crate::arguments::{ArrivalsLike, BenchArguments, LoadFlags};
use crate::failure::Failure;
use crate::output::Output;
use bench::arrivals::Arrivals;
use bench::run_directory::RunDirectory;
use bench::workload::{Workload, WorkloadConfig};
use bmv2_testbed::deployment::{Application, Caller, Harm, Options};
use bmv2_testbed::load::LoadSettings;
use bmv2_testbed::{Deployment, Fabric, ProtocolName, Shape};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// IPv4 and UDP headers: what an MTU holds besides the payload.
const HEADERS: u16 = 28;

/// Bytes of the longest UDP payload unless told otherwise.
pub(super) const MTU: u16 = 1_400;

/// Runs the verb.
pub(crate) fn run(arguments: &BenchArguments, output: Output) -> Result<(), Failure> {
    output.say(&format!("seed {}", arguments.seed));
    let load = load_settings(&arguments.load, arguments.clients, arguments.seed)?;
    let run = RunDirectory::create(&arguments.runs, "bench", SystemTime::now())?;
    let folder = fs::canonicalize(run.path())?;
    let flags = &arguments.group;
    let group = Group {
        fabric: flags.fabric.0,
        protocol: flags.protocol.0,
        replicas: flags.replicas,
        application: application(&arguments.load),
        mtu: flags.mtu,
        gap_awareness: flags.gap_awareness.is_on(),
        read_barrier: flags.read_barrier.is_on(),
        batching: flags.batching.is_on(),
        harm: Harm {
            loss_ppm: flags.loss.ppm(),
            reorder_ppm: flags.reorder.ppm(),
            seed: arguments.seed,
        },
    };
    let deployment = group.plan(&folder)?;
    let interrupted = stop_on_signals()?;
    let measured = measure(&deployment, &load, arguments.seed, &interrupted, output)?;
    let result = BenchResult::new(&load, &deployment, &measured);
    report::write(&run, (arguments.seed, &load), &measured, &result)?;
    report::print(&run, &result, output);
    report::check(&arguments.thresholds, &result)
}

/// What is brought up to be measured.
pub(super) struct Group {
    pub(super) fabric: Fabric,
    pub(super) protocol: ProtocolName,
    /// As many as the protocol usually has, if not said.
    pub(super) replicas: Option<usize>,
    pub(super) application: Application,
    pub(super) mtu: u16,
    pub(super) gap_awareness: bool,
    pub(super) read_barrier: bool,
    pub(super) batching: bool,
    pub(super) harm: Harm,
}

/// What a workload is for.
pub(super) fn application(load: &LoadFlags) -> Application {
    if load.workload.is_null() {
        Application::Null
    } else {
        Application::Kv
    }
}

impl Group {
    pub(super) fn plan(&self, folder: &Path) -> Result<Deployment, Failure> {
        let servers = if self.protocol.is_one_server() { 1 } else { 3 };
        Ok(Deployment::plan(&Options {
            fabric: self.fabric,
            protocol: self.protocol,
            application: self.application,
            caller: Caller::Load,
            topology: Shape::Single,
            replicas: self.replicas.unwrap_or(servers),
            spares: 0,
            mtu: self.mtu + HEADERS,
            round_shift: if self.fabric == Fabric::Bmv2 { 12 } else { 8 },
            gap_awareness: self.gap_awareness,
            read_barrier: self.read_barrier,
            batching: self.batching,
            harm: self.harm,
            resp_port: 0,
            doors: 1,
            folder: folder.to_path_buf(),
            unique: super::up::unique()?,
        })?)
    }
}

pub(super) fn load_settings(
    flags: &LoadFlags,
    clients: u32,
    seed: u64,
) -> Result<LoadSettings, Failure> {
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
        clients,
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
