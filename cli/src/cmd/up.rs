//! `downbeat up`: brings a deployment up; stays until Ctrl-C, or returns when it is ready.

use super::roles::stop_on_signals;
use crate::arguments::UpArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::run_directory::RunDirectory;
use bmv2_testbed::deployment::{Application, Caller, Harm, Options};
use bmv2_testbed::netns::{Bmv2Program, Lab};
use bmv2_testbed::processes::{self, Processes};
use bmv2_testbed::{Deployment, Fabric};
use link::StopFlag;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

/// IPv4 and UDP headers: what an MTU holds besides the payload.
const HEADERS: u16 = 28;
/// How often a running deployment is looked at.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Runs the verb.
pub(crate) fn run(arguments: &UpArguments, output: Output) -> Result<(), Failure> {
    let fabric = arguments.fabric.0;
    if fabric == Fabric::Bmv2 {
        Bmv2Program::find()?;
    }
    if matches!(fabric, Fabric::Netns | Fabric::Bmv2) {
        Lab::preflight()?;
    }
    let run = RunDirectory::create(&arguments.runs, "up", SystemTime::now())?;
    let folder = fs::canonicalize(run.path())?;
    let deployment = Deployment::plan(&Options {
        fabric,
        protocol: arguments.protocol.0,
        application: Application::Kv,
        caller: Caller::Front,
        topology: arguments.topology.shape,
        replicas: replicas(arguments)?,
        spares: arguments.spares,
        mtu: arguments.mtu + HEADERS,
        round_shift: arguments
            .round_shift
            .unwrap_or(if fabric == Fabric::Bmv2 { 12 } else { 8 }),
        gap_awareness: arguments.gap_awareness.is_on(),
        read_barrier: arguments.read_barrier.is_on(),
        batching: arguments.batching.is_on(),
        harm: Harm {
            loss_ppm: arguments.loss.ppm(),
            reorder_ppm: arguments.reorder.ppm(),
            seed: arguments.seed,
        },
        resp_port: arguments.resp_port,
        doors: arguments.doors,
        folder: folder.clone(),
        unique: unique()?,
    })?;
    let stop = stop_on_signals()?;
    let program = env::current_exe()?;
    output.say(&format!(
        "bringing up {} in {}",
        fabric.name(),
        folder.display()
    ));
    let running = processes::up(deployment, &program)?;
    point_to(&arguments.runs.join("up"), &folder)?;
    tell(running.deployment(), output);
    if arguments.detach {
        running.leave();
        return Ok(());
    }
    output.say("Ctrl-C takes it down");
    watch(running, &stop, output)
}

/// The number of replicas may stand in the topology, on its own, or in both if it is the same.
fn replicas(arguments: &UpArguments) -> Result<usize, Failure> {
    match (arguments.topology.replicas, arguments.replicas) {
        (Some(one), Some(other)) if one != other => {
            let shape = arguments.topology.shape.name();
            Err(Failure::Usage(format!(
                "--topology={shape},{one} has {one} replicas, --replicas={other} says otherwise; \
                 leave one of them out"
            )))
        }
        (one, other) => Ok(one.or(other).unwrap_or(3)),
    }
}

fn tell(deployment: &Deployment, output: Output) {
    let resp = deployment.resp;
    output.line(&format!(
        "{} on {}, {}, with {} replicas",
        deployment.protocol.name(),
        deployment.fabric.name(),
        deployment.topology.name(),
        deployment.replicas
    ));
    for door in deployment.doors() {
        let port = door.port();
        output.line(&format!("resp       {door}   (redis-cli -p {port})"));
    }
    output.line(&format!("folder     {}", deployment.folder.display()));
    output.object(json!({
        "deployment": deployment.name,
        "fabric": deployment.fabric.name(),
        "topology": deployment.topology.name(),
        "protocol": deployment.protocol.name(),
        "replicas": deployment.replicas,
        "resp": resp.to_string(),
        "doors": deployment.doors().map(|door| door.to_string()).collect::<Vec<_>>(),
        "folder": deployment.folder.display().to_string(),
    }));
}

/// Until told to stop: says so when a process ends, and ends all when the last one has.
fn watch(mut running: Processes, stop: &StopFlag, output: Output) -> Result<(), Failure> {
    let mut known: Vec<String> = Vec::new();
    while !stop.is_raised() {
        // A signal ends the wait early; the loop looks again.
        let _ = poll(&mut [PollFd::new(stop, PollFlags::IN)], Some(&LOOK));
        for (name, status) in running.ended() {
            if !known.contains(&name) {
                output.say(&format!("{name} has ended: {status}"));
                known.push(name);
            }
        }
        if known.len() == running.started().count() {
            return Err(Failure::Check(
                "every process of the deployment has ended".into(),
            ));
        }
    }
    running.end();
    output.say("down");
    Ok(())
}

/// Makes `link` point to `folder`, in one step for whoever looks.
fn point_to(link: &Path, folder: &Path) -> Result<(), Failure> {
    let new = link.with_extension("new");
    let _ = fs::remove_file(&new);
    symlink(folder, &new)?;
    fs::rename(&new, link)?;
    Ok(())
}

/// 48 random bits: a number that no other client has or had.
pub(crate) fn unique() -> Result<u64, Failure> {
    let mut bytes = [0; 8];
    let mut source = fs::File::open("/dev/urandom")?;
    io::Read::read_exact(&mut source, &mut bytes[2..])?;
    Ok(u64::from_be_bytes(bytes))
}
