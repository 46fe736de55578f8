//! The roles of a deployment, each a function of the deployment file: what a role's process runs,
//! and what the embedded form puts on threads.

mod controller_role;
mod front;
mod members;
mod replica_role;
mod switch_role;

pub use controller_role::{ControllerState, control, run_controller};
pub use front::{FrontInfo, client_settings, front_node, run_front, serve_front};
pub use replica_role::{
    Bulk, identity, replica_name, replica_node, report, run_replica, serve_operator, state_folder,
};
pub use switch_role::{run_switch, serve_p4runtime};

use crate::deployment::{Deployment, Fabric, host_address, host_mac};
use crate::lab;
use crate::netns;
use link::endpoint::{FrameSettings, Neighbours, SocketSettings};
use link::faults::{FaultControl, Faults};
use link::tunnel::TunnelLink;
use link::{Endpoint, FrameEndpoint, Link, Node, SocketEndpoint, StopFlag, WaitPolicy};
use rustix::event::{PollFd, PollFlags, poll};
use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::thread;

/// What ends a role before it was told to stop.
pub type RoleError = Box<dyn Error + Send + Sync>;

/// A host's endpoint over a link that carries its frames.
pub fn frame_endpoint<L: Link + 'static>(
    deployment: &Deployment,
    host: usize,
    link: L,
) -> Result<Box<dyn Endpoint>, RoleError> {
    let topology = deployment.topology()?;
    let settings = FrameSettings {
        address: host_address(host),
        mac: host_mac(&topology, host),
        mtu: deployment.mtu(),
        neighbours: Neighbours::Arp,
    };
    Ok(Box::new(FrameEndpoint::new(link, settings)?))
}

/// A host's endpoint in a process of its own.
pub fn process_endpoint(
    deployment: &Deployment,
    host: usize,
) -> Result<Box<dyn Endpoint>, RoleError> {
    match deployment.fabric {
        Fabric::Tunnel => {
            let tunnel = deployment.tunnels[host];
            let link = TunnelLink::open(tunnel.host, tunnel.switch)?;
            if host == deployment.front_host() || deployment.harm.is_none() {
                return frame_endpoint(deployment, host, link);
            }
            let control = FaultControl::new(deployment.harm.plan()?);
            let seed = deployment.harm.seed.wrapping_add(host as u64);
            frame_endpoint(deployment, host, Faults::new(link, seed, control))
        }
        Fabric::Netns | Fabric::Bmv2 => {
            let address = host_address(host);
            let settings = SocketSettings {
                mtu: deployment.mtu(),
                multicast_from: Some(address.ip),
                ..SocketSettings::default()
            };
            let bind = || SocketEndpoint::bind(address, &settings);
            let endpoint = if host == deployment.front_host() {
                netns::inside(&lab::host_namespace(deployment, host), bind)?
            } else {
                bind()
            };
            Ok(Box::new(endpoint?))
        }
        Fabric::Embedded => Err("the embedded fabric has no processes of its own".into()),
    }
}

/// Runs a node on this thread until `stop`.
fn run_here(node: Box<dyn Node>, stop: &StopFlag) -> Result<(), RoleError> {
    link::run(&mut [node], stop, WaitPolicy::Block)?;
    Ok(())
}

/// Nodes on a thread of their own; raises `stop` when one fails, so that nobody waits for it.
pub(crate) fn spawn(
    name: &str,
    mut nodes: Vec<Box<dyn Node>>,
    stop: &StopFlag,
    policy: WaitPolicy,
) -> io::Result<thread::JoinHandle<Result<(), link::RunError>>> {
    let stop = stop.clone();
    thread::Builder::new().name(name.into()).spawn(move || {
        let outcome = link::run(&mut nodes, &stop, policy);
        stop.stop();
        outcome
    })
}

/// Ends when `stop` is raised.
pub(crate) async fn stopped(stop: StopFlag) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // A thread that sleeps on the flag's descriptor: the flag is not tied to any runtime.
    let watcher = thread::Builder::new()
        .name("stop-watch".into())
        .spawn(move || {
            let mut waiting = [PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN)];
            while !stop.is_raised() {
                // A signal may end the wait early; the loop looks again.
                let _ = poll(&mut waiting, None);
            }
            let _ = sender.send(());
        });
    if watcher.is_ok() {
        let _ = receiver.await;
    }
}

#[cfg(test)]
mod tests;
