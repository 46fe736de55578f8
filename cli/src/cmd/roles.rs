//! `switch`, `controller`, `replica`, `front`: one role of a deployment in this process, until it
//! is told to stop by SIGINT or SIGTERM.

use crate::arguments::{ReplicaAction, ReplicaArguments, RoleArguments, SwitchArguments};
use crate::failure::Failure;
use crate::output::Output;
use bmv2_testbed::Deployment;
use bmv2_testbed::embedded::Embedded;
use bmv2_testbed::roles::{self, RoleError};
use link::StopFlag;
use replica::driver::{Identity, StateError, StateFile};
use serde_json::json;
use std::path::Path;

pub(crate) fn switch(arguments: &SwitchArguments) -> Result<(), Failure> {
    until_stopped(&arguments.deployment, |deployment, stop| {
        roles::run_switch(deployment, &arguments.switch, stop)
    })
}

pub(crate) fn controller(arguments: &RoleArguments) -> Result<(), Failure> {
    until_stopped(&arguments.deployment, roles::run_controller)
}

pub(crate) fn front(arguments: &RoleArguments) -> Result<(), Failure> {
    until_stopped(&arguments.deployment, roles::run_front)
}

pub(crate) fn replica(arguments: &ReplicaArguments, output: Output) -> Result<(), Failure> {
    let index = arguments.index;
    match arguments.action {
        ReplicaAction::Run => until_stopped(&arguments.deployment, |deployment, stop| {
            roles::run_replica(deployment, index, stop)
        }),
        ReplicaAction::Format => format(arguments, output, StateFile::format),
        ReplicaAction::FormatLost => format(arguments, output, StateFile::format_lost),
    }
}

fn format(
    arguments: &ReplicaArguments,
    output: Output,
    mark: impl FnOnce(&Path, &Identity) -> Result<(), StateError>,
) -> Result<(), Failure> {
    let index = arguments.index;
    let deployment = Deployment::read(&arguments.deployment)?;
    let folder = roles::state_folder(&deployment, index);
    mark(&folder, &roles::identity(&deployment, index))?;
    output.line(&format!("replica {index}: formatted {}", folder.display()));
    output.object(json!({ "replica": index, "folder": folder.display().to_string() }));
    Ok(())
}

pub(crate) fn embedded(arguments: &RoleArguments) -> Result<(), Failure> {
    until_stopped(&arguments.deployment, |deployment, stop| {
        let embedded = Embedded::up(deployment, 0)?;
        // Both flags end it: the process's own and the deployment's.
        let inner = embedded.stop_flag().clone();
        let outer = stop.clone();
        let follow = move || {
            let _ = wait_for(&outer);
            inner.stop();
        };
        std::thread::Builder::new()
            .name("stop".into())
            .spawn(follow)?;
        embedded.serve()
    })
}

/// Blocks until `stop` is raised.
fn wait_for(stop: &StopFlag) -> std::io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    while !stop.is_raised() {
        poll(&mut [PollFd::new(stop, PollFlags::IN)], None)?;
    }
    Ok(())
}

fn until_stopped(
    file: &Path,
    role: impl FnOnce(&Deployment, &StopFlag) -> Result<(), RoleError>,
) -> Result<(), Failure> {
    let deployment = Deployment::read(file)?;
    let stop = stop_on_signals()?;
    role(&deployment, &stop).map_err(|error| Failure::usage(error.as_ref()))
}

/// A flag that SIGINT, SIGTERM and SIGHUP raise.
pub(crate) fn stop_on_signals() -> Result<StopFlag, Failure> {
    let stop = StopFlag::new()?;
    let raised = stop.clone();
    ctrlc::set_handler(move || raised.stop())?;
    Ok(stop)
}
