//! A deployment's namespaces: which hosts there are, and bmv2 where it is the switch.

use crate::deployment::{Deployment, Fabric, host_ip, host_mac};
use crate::netns::{
    Bmv2, Bmv2Error, Bmv2Options, Bmv2Program, HostSpec, Lab, LabError, ProcessIdentity, TrunkSpec,
};
use controller::{SwitchLink, SwitchPort, Topology};
use std::path::Path;

/// Namespaces or bmv2 that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// Namespaces.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// bmv2.
    #[error(transparent)]
    Bmv2(#[from] Bmv2Error),
    /// The topology.
    #[error(transparent)]
    Topology(#[from] controller::TopologyError),
}

/// Where the Thrift server of the first bmv2 listens; others on the ports after it.
const THRIFT_PORT: u16 = 9090;

/// Namespaces that are up, and what bmv2 said of its queues if it is the switch.
pub struct Running {
    /// The namespaces.
    pub lab: Lab,
    /// By switch: bmv2's process and a line about its queues; empty if it is not the switch.
    pub bmv2: Vec<(ProcessIdentity, String)>,
}

/// Brings up the namespaces of `deployment`, and bmv2 if it is the switch.
pub fn up(deployment: &Deployment) -> Result<Running, FabricError> {
    let topology = deployment.topology()?;
    let hosts: Vec<_> = (0..=deployment.replicas)
        .map(|index| HostSpec {
            name: topology.hosts[index].name.clone(),
            ip: host_ip(index).octets(),
            prefix_length: 24,
            mac: host_mac(&topology, index).0,
            switch_port: topology.hosts[index].port.port,
        })
        .collect();
    // No larger than asked for: bmv2's receive ring holds fewer packets the larger they may be.
    let mtu = deployment.mtu.max(1_500);
    let trunks: Vec<_> = topology.links.iter().map(trunk).collect();
    let lab = Lab::up_with_trunks(&deployment.name, &hosts, &trunks, &deployment.folder, mtu)?;
    let mut running = Running {
        lab,
        bmv2: Vec::new(),
    };
    if deployment.fabric != Fabric::Bmv2 {
        return Ok(running);
    }
    let program = Bmv2Program::find()?;
    let switches = topology.switches.iter().zip(deployment.p4runtime());
    for ((switch, address), thrift_port) in switches.zip(THRIFT_PORT..) {
        let options = Bmv2Options {
            device_id: switch.device_id,
            grpc_port: address.port(),
            thrift_port,
            interfaces: interfaces(&topology, &switch.name),
            ..Bmv2Options::default()
        };
        let bmv2 = Bmv2::start(&running.lab, &program, &options)?;
        let told = (bmv2.identity(), bmv2.queue_depth().to_string());
        running.bmv2.push(told);
    }
    Ok(running)
}

fn trunk(link: &SwitchLink) -> TrunkSpec {
    let end = |port: &SwitchPort| (port.switch.clone(), port.port);
    TrunkSpec {
        lower: end(&link.leaf),
        upper: end(&link.root),
    }
}

/// The ports of a switch with their interfaces.
fn interfaces(topology: &Topology, switch: &str) -> Vec<(u16, String)> {
    let hosts = topology.hosts.iter().map(|host| &host.port);
    let links = topology.links.iter();
    let ends = hosts.chain(links.flat_map(|link| [&link.leaf, &link.root]));
    ends.filter(|end| end.switch == switch)
        .map(|end| (end.port, Lab::interface_of(switch, end.port)))
        .collect()
}

/// The namespace of a deployment's host, by its index.
pub fn host_namespace(deployment: &Deployment, host: usize) -> String {
    format!("db-{}-h{}", deployment.name, host + 1)
}

/// Takes away what `up` made in `folder`; a deployment without namespaces has nothing to take.
pub fn down(folder: &Path) -> Result<(), LabError> {
    match Lab::down_by_manifest(folder) {
        Ok(_) | Err(LabError::NoManifest { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
