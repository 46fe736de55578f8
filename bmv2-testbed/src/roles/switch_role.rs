//! The software switch: the pipeline on its links, P4Runtime beside it.

use super::{RoleError, spawn, stopped};
use crate::deployment::{Deployment, Fabric};
use crate::netns::Lab;
use crate::status;
use controller::topology::{Switch, Topology};
use link::tunnel::TunnelLink;
use link::{Link, StopFlag, WaitPolicy};
use sequencer::driver::{Port, SwitchNode};
use sequencer::pipeline::PortNumber;
use sequencer::server::{ControlHandle, serve};
use serde_json::json;
use tokio::net::TcpListener;

/// The process of the switch of this name: until `stop`.
pub fn run_switch(deployment: &Deployment, name: &str, stop: &StopFlag) -> Result<(), RoleError> {
    let topology = deployment.topology()?;
    let Some(switch) = topology.switch(name) else {
        let names: Vec<_> = deployment.switches().collect();
        return Err(format!("there is no switch {name}, valid are {}", names.join(", ")).into());
    };
    let ports = ports(deployment, &topology, name)?;
    let (node, control) = SwitchNode::new(&format!("switch {name}"), ports)?;
    let thread = spawn("switch", vec![Box::new(node)], stop, WaitPolicy::Block)?;
    let p4runtime = switch.address.clone();
    let report = move || json!({ "state": "serving", "p4runtime": p4runtime });
    status::serve(&deployment.socket(name), stop, report)?;
    let served = serve_p4runtime(switch, control, stop);
    stop.stop();
    thread
        .join()
        .map_err(|_| "the switch's thread panicked")??;
    served
}

/// Serves P4Runtime for a switch of the topology until `stop`.
pub fn serve_p4runtime(
    switch: &Switch,
    control: ControlHandle,
    stop: &StopFlag,
) -> Result<(), RoleError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = &switch.address;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot serve P4Runtime on {address}: {error}"))?;
        serve(listener, control, switch.device_id, stopped(stop.clone())).await?;
        Ok(())
    })
}

/// What is plugged in at a switch: hosts, then other switches.
fn ports(deployment: &Deployment, topology: &Topology, name: &str) -> Result<Vec<Port>, RoleError> {
    let mut ports = Vec::new();
    let mut plug = |number: u16, tunnel: &dyn Fn() -> Result<TunnelLink, RoleError>| {
        let link: Box<dyn Link> = match deployment.fabric {
            Fabric::Tunnel => Box::new(tunnel()?),
            Fabric::Netns => {
                let interface = Lab::interface_of(name, number);
                Box::new(link::packet::PacketLink::open(&interface)?)
            }
            Fabric::Bmv2 => return Err(RoleError::from("bmv2 is the switch of this fabric")),
            Fabric::Embedded => {
                return Err("the embedded fabric has no processes of its own".into());
            }
        };
        let number = PortNumber(number);
        ports.push(Port { number, link });
        Ok(())
    };
    for (index, host) in topology.hosts.iter().enumerate() {
        if host.port.switch == name {
            plug(host.port.port, &|| {
                let tunnel = deployment.tunnels[index];
                Ok(TunnelLink::open(tunnel.switch, tunnel.host)?)
            })?;
        }
    }
    for (index, link) in topology.links.iter().enumerate() {
        let trunk = || deployment.trunks[index];
        if link.leaf.switch == name {
            let open = || Ok(TunnelLink::open(trunk().leaf, trunk().root)?);
            plug(link.leaf.port, &open)?;
        }
        if link.root.switch == name {
            let open = || Ok(TunnelLink::open(trunk().root, trunk().leaf)?);
            plug(link.root.port, &open)?;
        }
    }
    Ok(ports)
}
