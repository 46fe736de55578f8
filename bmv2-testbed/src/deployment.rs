//! What a deployment consists of and where each part is: one JSON file that every role reads.

mod check;
mod error;
mod kinds;
mod plan;

pub use controller::topology::Shape;
pub use error::DeploymentError;
pub use kinds::{Application, Caller, Fabric, Harm, Trunk, Tunnel};
pub use plan::Options;
pub use replica::ProtocolName;

use controller::topology::{Group as TopologyGroup, Topology, TopologyError};
use link::{MacAddress, Mtu};
use replica::Quorum;
use replica::driver::Group;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use wire::{GroupId, HostAddress, STAMP_PORT, group_address};

/// For deployment files that do not say.
fn yes() -> bool {
    true
}

/// The file in a deployment's folder.
pub const FILE: &str = "deployment.json";
/// The one group that a deployment has so far.
pub const GROUP: u16 = 1;

/// A deployment around one switch that has all hosts: replicas on the first hosts, the front door
/// on the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Version of this file's form.
    pub schema: u32,
    /// A short name that nothing else on this machine has.
    pub name: String,
    /// Where this file, logs, sockets and state are.
    pub folder: PathBuf,
    /// The fabric.
    pub fabric: Fabric,
    /// The protocol.
    #[serde(with = "kinds::protocol_name")]
    pub protocol: ProtocolName,
    /// What is replicated.
    #[serde(default)]
    pub application: Application,
    /// Who asks for operations.
    #[serde(default)]
    pub caller: Caller,
    /// How many replicas, spares included.
    pub replicas: usize,
    /// So many of them, the last ones, are no members at first.
    #[serde(default)]
    pub spares: usize,
    /// Bytes of the longest IP packet.
    pub mtu: u16,
    /// Round length is 2^round_shift µs.
    pub round_shift: u8,
    /// Whether replicas ask each other for packets that they missed.
    #[serde(default = "yes")]
    pub gap_awareness: bool,
    /// Whether synchronous rounds answer reads by a barrier; else they go in the log.
    #[serde(default = "yes")]
    pub read_barrier: bool,
    /// Whether the leader sends requests that come while others are on the way together.
    #[serde(default = "yes")]
    pub batching: bool,
    /// What is done to frames on purpose.
    #[serde(default)]
    pub harm: Harm,
    /// Where the RESP front door listens: that of the first member, if each has its own.
    pub resp: SocketAddr,
    /// Where the front doors of the next members listen, if there is more than one.
    #[serde(default)]
    pub more_doors: Vec<SocketAddr>,
    /// How switches are wired.
    #[serde(default)]
    pub topology: Shape,
    /// Where the switch that has the hosts serves P4Runtime.
    pub p4runtime: SocketAddr,
    /// Where the switches above it do.
    #[serde(default)]
    pub roots_p4runtime: Vec<SocketAddr>,
    /// By switch above: its tunnel; empty without tunnels.
    #[serde(default)]
    pub trunks: Vec<Trunk>,
    /// By replica: where it takes bulk connections; empty when embedded.
    pub bulk: Vec<SocketAddr>,
    /// By host: its tunnel; empty without tunnels.
    pub tunnels: Vec<Tunnel>,
    /// A number that no other client of any group has.
    pub unique: u64,
}

impl Deployment {
    /// Writes the deployment file into its folder, which is made if need be.
    pub fn write(&self) -> Result<(), DeploymentError> {
        let io = |operation, path: &Path| {
            let path = path.to_path_buf();
            move |source| DeploymentError::Io {
                operation,
                path,
                source,
            }
        };
        fs::create_dir_all(&self.folder).map_err(io("create", &self.folder))?;
        let file = self.folder.join(FILE);
        let text = serde_json::to_string_pretty(self).expect("plain data");
        fs::write(&file, text + "\n").map_err(io("write", &file))
    }

    /// Reads a deployment file.
    pub fn read(file: &Path) -> Result<Self, DeploymentError> {
        let path = file.to_path_buf();
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(source) => {
                return Err(DeploymentError::Io {
                    operation: "read",
                    path,
                    source,
                });
            }
        };
        let malformed = |reason| DeploymentError::Malformed {
            path: path.clone(),
            reason,
        };
        let deployment: Self =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if deployment.schema != 1 {
            return Err(malformed(format!(
                "schema is {}, valid is 1",
                deployment.schema
            )));
        }
        deployment.check()?;
        Ok(deployment)
    }

    /// The controller's view: switches, a host a port, one group.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        let hosts = u16::try_from(self.replicas + 1).unwrap_or(u16::MAX);
        let mut topology = self.topology.of_hosts(hosts)?;
        for (switch, address) in topology.switches.iter_mut().zip(self.p4runtime()) {
            switch.address = address.to_string();
        }
        let names: Vec<_> = topology
            .hosts
            .iter()
            .take(self.replicas)
            .map(|host| host.name.clone())
            .collect();
        let mut group = TopologyGroup::of_hosts(GROUP, names.iter().map(String::as_str));
        group.round_shift = self.round_shift;
        topology.add_group(group)?;
        Ok(topology)
    }

    /// Where the switches serve P4Runtime, the leaf first.
    pub fn p4runtime(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.p4runtime).chain(self.roots_p4runtime.iter().copied())
    }

    /// The names of the switches, the leaf first: s1, s2, …
    pub fn switches(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.topology.switches()).map(|number| format!("s{number}"))
    }

    /// The replicas' view of the group.
    pub fn group(&self) -> Group {
        Group {
            id: GroupId(GROUP.into()),
            address: group_address(GroupId(GROUP.into())).expect("the number has 16 bits"),
            members: (0..self.replicas).map(host_address).collect(),
        }
    }

    /// The quorums of the first members.
    pub fn quorum(&self) -> Quorum {
        Quorum::of(self.replicas - self.spares).expect("checked when the deployment was planned")
    }

    /// Where the front doors listen, by the member that each prefers.
    pub fn doors(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.resp).chain(self.more_doors.iter().copied())
    }

    /// The host of the front door.
    pub fn front_host(&self) -> usize {
        self.replicas
    }

    /// The MTU of its links.
    pub fn mtu(&self) -> Mtu {
        Mtu::new(self.mtu).expect("checked when the deployment was planned")
    }

    /// The control socket of a role's process.
    pub fn socket(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.sock"))
    }
}

/// The port for bulk connections where each host has an address of its own.
const BULK_PORT: u16 = 9771;

/// Address of host `index` (from 0), as in `single,N`.
pub fn host_ip(index: usize) -> Ipv4Addr {
    let last = u8::try_from(index + 1).expect("at most 250 hosts");
    Ipv4Addr::new(10, 0, 0, last)
}

/// Where host `index` takes datagrams.
pub fn host_address(index: usize) -> HostAddress {
    HostAddress {
        ip: host_ip(index).octets(),
        port: STAMP_PORT,
    }
}

/// The Ethernet address of host `index`, as the topology has it.
pub fn host_mac(topology: &Topology, index: usize) -> MacAddress {
    let bytes = topology.hosts[index].mac.to_string();
    bytes.parse().expect("the topology prints valid addresses")
}

#[cfg(test)]
mod tests;
