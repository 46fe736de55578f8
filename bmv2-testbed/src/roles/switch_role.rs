//! The software switch: the pipeline on its links, P4Runtime beside it.

use super::{RoleError, spawn, stopped};
use crate::deployment::{DEVICE_ID, Deployment, Fabric};
use crate::netns::Lab;
use crate::status;
use link::tunnel::TunnelLink;
use link::{Link, StopFlag, WaitPolicy};
use sequencer::driver::{Port, SwitchNode};
use sequencer::pipeline::PortNumber;
use sequencer::server::{ControlHandle, serve};
use serde_json::json;
use tokio::net::TcpListener;

/// The switch's process: until `stop`.
pub fn run_switch(deployment: &Deployment, stop: &StopFlag) -> Result<(), RoleError> {
    let (node, control) = SwitchNode::new("switch s1", ports(deployment)?)?;
    let thread = spawn("switch", vec![Box::new(node)], stop, WaitPolicy::Block)?;
    let p4runtime = deployment.p4runtime.to_string();
    let report = move || json!({ "state": "serving", "p4runtime": p4runtime });
    status::serve(&deployment.socket("s1"), stop, report)?;
    let served = serve_p4runtime(deployment, control, stop);
    stop.stop();
    thread
        .join()
        .map_err(|_| "the switch's thread panicked")??;
    served
}

/// Serves P4Runtime on the deployment's address until `stop`.
pub fn serve_p4runtime(
    deployment: &Deployment,
    control: ControlHandle,
    stop: &StopFlag,
) -> Result<(), RoleError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = deployment.p4runtime;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot serve P4Runtime on {address}: {error}"))?;
        serve(listener, control, DEVICE_ID, stopped(stop.clone())).await?;
        Ok(())
    })
}

fn ports(deployment: &Deployment) -> Result<Vec<Port>, RoleError> {
    let hosts = deployment.replicas + 1;
    (0..hosts)
        .map(|host| {
            let number = PortNumber(u16::try_from(host + 1)?);
            let link: Box<dyn Link> = match deployment.fabric {
                Fabric::Tunnel => {
                    let tunnel = deployment.tunnels[host];
                    Box::new(TunnelLink::open(tunnel.switch, tunnel.host)?)
                }
                Fabric::Netns => Box::new(link::packet::PacketLink::open(&Lab::switch_interface(
                    number.0,
                ))?),
                Fabric::Bmv2 => return Err("bmv2 is the switch of this fabric".into()),
                Fabric::Embedded => {
                    return Err("the embedded fabric has no processes of its own".into());
                }
            };
            Ok(Port { number, link })
        })
        .collect()
}
