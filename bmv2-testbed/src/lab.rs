//! A deployment's namespaces: which hosts there are, and bmv2 where it is the switch.

use crate::deployment::{DEVICE_ID, Deployment, Fabric, host_ip, host_mac};
use crate::netns::{
    Bmv2, Bmv2Error, Bmv2Options, Bmv2Program, HostSpec, Lab, LabError, ProcessIdentity,
};
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

/// Namespaces that are up, and what bmv2 said of its queues if it is the switch.
pub struct Running {
    /// The namespaces.
    pub lab: Lab,
    /// bmv2's process and a line about its queues.
    pub bmv2: Option<(ProcessIdentity, String)>,
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
    let lab = Lab::up_with_mtu(&deployment.name, &hosts, &deployment.folder, mtu)?;
    if deployment.fabric != Fabric::Bmv2 {
        return Ok(Running { lab, bmv2: None });
    }
    let options = Bmv2Options {
        device_id: DEVICE_ID,
        grpc_port: deployment.p4runtime.port(),
        ..Bmv2Options::default()
    };
    let bmv2 = Bmv2::start(&lab, &Bmv2Program::find()?, &options)?;
    let told = (bmv2.identity(), bmv2.queue_depth().to_string());
    Ok(Running {
        lab,
        bmv2: Some(told),
    })
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
