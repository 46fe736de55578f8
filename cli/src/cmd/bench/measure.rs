//! One measurement: up, load, and what the roles spent between the end of the warm-up and the end
//! of the load, per answered request.

use super::target::Target;
use crate::failure::Failure;
use crate::output::Output;
use bmv2_testbed::Deployment;
use bmv2_testbed::load::{self, Load, LoadSettings, Loaded, ProcessorTime, Progress};
use link::StopFlag;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// How often the load is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long replicas may take to agree after the last request.
const SETTLE: Duration = Duration::from_secs(10);

/// What a role spent for a request.
#[derive(Clone, Debug)]
pub(super) struct RoleCost {
    pub(super) role: String,
    pub(super) us_per_request: f64,
}

/// What was measured.
pub(in crate::cmd) struct Measured {
    pub(super) loaded: Loaded,
    pub(super) costs: Vec<RoleCost>,
    /// What each replica said when all was over.
    pub(super) replicas: Vec<Value>,
}

impl Measured {
    /// Whether all replicas have the same log and the same state, nothing of it open.
    pub(super) fn agrees(&self) -> bool {
        agree(&self.replicas)
    }
}

/// Runs the whole of it, unless it is interrupted.
pub(in crate::cmd) fn measure(
    deployment: &Deployment,
    settings: &LoadSettings,
    seed: u64,
    interrupted: &StopFlag,
    output: Output,
) -> Result<Measured, Failure> {
    let (target, endpoint) = Target::up(deployment, seed)?;
    let stop = StopFlag::new()?;
    let load = Load::new(settings, stop.clone())?;
    let progress = load.progress();
    let (loaded, costs) = thread::scope(|scope| {
        let running = thread::Builder::new()
            .name("load".into())
            .spawn_scoped(scope, || {
                let outcome = load::run(deployment, endpoint, load, &stop);
                stop.stop();
                outcome.map_err(|error| Failure::usage(error.as_ref()))
            })?;
        let flags = [&stop, interrupted];
        let costs = watch(&target, &progress, settings, flags, output);
        stop.stop();
        let loaded = running.join().map_err(|_| {
            Failure::Usage("the thread of the load panicked; its report is above".into())
        })??;
        Ok::<_, Failure>((loaded, costs?))
    })?;
    if interrupted.is_raised() {
        target.down()?;
        return Err(Failure::Usage("interrupted: there is no result".into()));
    }
    let replicas = settled(&target, deployment);
    target.down()?;
    Ok(Measured {
        loaded,
        costs,
        replicas,
    })
}

/// Shows how far the load is, and measures what roles spend from the end of the warm-up on.
fn watch(
    target: &Target,
    progress: &Progress,
    settings: &LoadSettings,
    ends: [&StopFlag; 2],
    output: Output,
) -> Result<Vec<RoleCost>, Failure> {
    let whole = settings.warm_up.saturating_add(settings.duration);
    let bar = output.bar(u64::try_from(whole.as_millis()).unwrap_or(u64::MAX), "ms");
    let mut begin: Option<(Vec<(String, ProcessorTime)>, u64)> = None;
    // The last look before the load ends counts: afterwards nodes idle.
    let mut end = None;
    while !ends.iter().any(|end| end.is_raised()) {
        if let Some(elapsed) = progress.elapsed() {
            bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            let look = (target.processor_times()?, progress.answered());
            if begin.is_none() && elapsed >= settings.warm_up {
                begin = Some(look);
            } else if begin.is_some() {
                end = Some(look);
            }
        }
        thread::park_timeout(LOOK);
    }
    bar.finish_and_clear();
    Ok(match (begin, end) {
        (Some(begin), Some(end)) if end.1 > begin.1 => costs(&begin, &end),
        _ => Vec::new(),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and times of a run are far below 2^52"
)]
fn costs(
    begin: &(Vec<(String, ProcessorTime)>, u64),
    end: &(Vec<(String, ProcessorTime)>, u64),
) -> Vec<RoleCost> {
    let requests = (end.1 - begin.1) as f64;
    let pairs = begin.0.iter().zip(&end.0);
    pairs
        .map(|((role, before), (_, after))| RoleCost {
            role: role.clone(),
            us_per_request: after.since(*before) as f64 / 1e3 / requests,
        })
        .collect()
}

/// Waits until all replicas have committed the same log.
fn settled(target: &Target, deployment: &Deployment) -> Vec<Value> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let replicas = target.replicas(deployment);
        if agree(&replicas) || Instant::now() >= deadline {
            return replicas;
        }
        thread::park_timeout(LOOK);
    }
}

fn agree(replicas: &[Value]) -> bool {
    let first = &replicas[0];
    replicas.iter().all(|said| {
        said["hash"].is_string()
            && said["hash"] == first["hash"]
            && said["digest"] == first["digest"]
            && said["slot"] == said["committed"]
    })
}
