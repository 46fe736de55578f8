//! What a deployment consists of and where each part is: one JSON file that every role reads.

use crate::ports::FreePorts;
use controller::topology::{Group as TopologyGroup, Topology, TopologyError};
use link::faults::{FaultPlan, Probability};
use link::{MacAddress, Mtu};
use replica::Quorum;
use replica::driver::Group;
use replica::quorum::MAX_REPLICAS;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
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

/// How frames get from host to switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fabric {
    /// In-process rings; everything is one process.
    Embedded,
    /// Ethernet frames in UDP datagrams on loopback; one process a role, no root.
    Tunnel,
    /// Network namespaces and veth pairs with our software switch; needs root.
    Netns,
    /// The same with bmv2's simple_switch_grpc.
    Bmv2,
}

impl Fabric {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Tunnel => "tunnel",
            Self::Netns => "netns",
            Self::Bmv2 => "bmv2",
        }
    }
}

/// Which protocol the replicas run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolName {
    /// Speculative Paxos.
    SpecPaxos,
    /// Synchronous rounds.
    Rounds,
    /// One server, no replication.
    Unreplicated,
}

impl ProtocolName {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::SpecPaxos => "spec-paxos",
            Self::Rounds => "rounds",
            Self::Unreplicated => "unreplicated",
        }
    }
}

/// The two ends of one tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The host's end.
    pub host: SocketAddr,
    /// The switch's end.
    pub switch: SocketAddr,
}

/// How switches are wired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One switch.
    #[default]
    Single,
    /// A leaf that has all hosts, and two roots above it.
    DualRoot,
}

impl Shape {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::DualRoot => "dual-root",
        }
    }

    /// How many switches it has.
    fn switches(self) -> usize {
        match self {
            Self::Single => 1,
            Self::DualRoot => 3,
        }
    }

    /// How many wires between them.
    fn trunks(self) -> usize {
        self.switches() - 1
    }
}

/// The two ends of a tunnel between switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// The leaf's end.
    pub leaf: SocketAddr,
    /// The root's end.
    pub root: SocketAddr,
}

/// What is done on purpose to the frames that replicas send and receive: for trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harm {
    /// Frames lost, in parts per million.
    pub loss_ppm: u32,
    /// Frames overtaken, in parts per million.
    pub reorder_ppm: u32,
    /// What decides which.
    pub seed: u64,
}

impl Harm {
    /// Whether anything is done at all.
    pub fn is_none(&self) -> bool {
        self.loss_ppm == 0 && self.reorder_ppm == 0
    }

    /// The same as a plan for links.
    pub fn plan(&self) -> Result<FaultPlan, DeploymentError> {
        let probability = |what, ppm| {
            Probability::from_ppm(ppm).ok_or(DeploymentError::Probability { what, ppm })
        };
        Ok(FaultPlan {
            loss: probability("loss", self.loss_ppm)?,
            reordering: probability("reordering", self.reorder_ppm)?,
            ..FaultPlan::default()
        })
    }
}

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
    pub protocol: ProtocolName,
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

/// What to build a deployment from.
#[derive(Clone, Debug)]
pub struct Options {
    /// The fabric.
    pub fabric: Fabric,
    /// The protocol.
    pub protocol: ProtocolName,
    /// How switches are wired.
    pub topology: Shape,
    /// How many replicas are members at first.
    pub replicas: usize,
    /// How many there are besides.
    pub spares: usize,
    /// Bytes of the longest IP packet.
    pub mtu: u16,
    /// Round length is 2^round_shift µs.
    pub round_shift: u8,
    /// Whether replicas ask each other for packets that they missed.
    pub gap_awareness: bool,
    /// Whether synchronous rounds answer reads by a barrier; else they go in the log.
    pub read_barrier: bool,
    /// What is done to frames on purpose.
    pub harm: Harm,
    /// Port of the RESP front door on loopback, 0 for any free one.
    pub resp_port: u16,
    /// How many front doors there are, on this port and the next ones: the callers of each have
    /// its member asked first, by protocols whose members are asked one by one.
    pub doors: usize,
    /// The deployment's folder.
    pub folder: PathBuf,
    /// A number that no other client of any group has.
    pub unique: u64,
}

/// A deployment that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The file system refused.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No port could be had.
    #[error("cannot find a free port on loopback: {0}")]
    NoPort(io::Error),
    /// The group's size.
    #[error(transparent)]
    GroupSize(#[from] replica::quorum::GroupSizeError),
    /// Spares of a protocol that has no use for them.
    #[error(
        "protocol {} has the same members for ever: leave --spares out, or use --protocol=rounds",
        .0.name()
    )]
    FixedMembers(ProtocolName),
    /// More replicas than a group can have.
    #[error("{spares} spares are not possible: with these replicas valid are 0 to {most}")]
    Spares {
        /// How many were asked for.
        spares: usize,
        /// How many there can be.
        most: usize,
    },
    /// One server is one server.
    #[error(
        "protocol unreplicated takes exactly 1 replica, not {0}; use --replicas=1 or --protocol=spec-paxos"
    )]
    OneServer(usize),
    /// A front door is a member's.
    #[error("{doors} front doors are not possible: valid are 1 to {replicas}, one a replica")]
    Doors {
        /// How many were asked for.
        doors: usize,
        /// How many there can be.
        replicas: usize,
    },
    /// There is no such port.
    #[error("{doors} front doors from port {port} on are not possible: the last port is 65535")]
    DoorPorts {
        /// How many were asked for.
        doors: usize,
        /// The first one's port.
        port: u16,
    },
    /// The topology.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Not as many as there are hosts or replicas.
    #[error("a deployment of this fabric and size has {valid} {what}, not {count}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there must be.
        valid: usize,
    },
    /// More than always.
    #[error("{what} of {ppm} parts per million is not possible, the most is 1000000")]
    Probability {
        /// Of what.
        what: &'static str,
        /// How much.
        ppm: u32,
    },
    /// Harm where nothing of ours is between replica and link.
    #[error(
        "loss and reordering can be put on fabric embedded or tunnel only, not on {}", .0.name()
    )]
    HarmOnKernelLinks(Fabric),
    /// A setting of the links.
    #[error(transparent)]
    Link(#[from] link::LinkError),
    /// The file is not a deployment's.
    #[error("{path} is not a deployment file: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Deployment {
    /// Decides every address and port; writes nothing.
    pub fn plan(options: &Options) -> Result<Self, DeploymentError> {
        // Before anything is made that has as many parts.
        Quorum::of(options.replicas)?;
        let replicas = options.replicas + options.spares;
        check_spares(options.protocol, replicas, options.spares)?;
        let hosts = replicas + 1;
        let mut ports = FreePorts::new(options.unique);
        let namespaces = matches!(options.fabric, Fabric::Netns | Fabric::Bmv2);
        let bulk = match options.fabric {
            Fabric::Embedded => Vec::new(),
            Fabric::Tunnel => {
                let bulk = (0..replicas).map(|_| ports.tcp());
                bulk.collect::<Result<_, _>>()
                    .map_err(DeploymentError::NoPort)?
            }
            Fabric::Netns | Fabric::Bmv2 => (0..replicas)
                .map(|index| (host_ip(index), BULK_PORT).into())
                .collect(),
        };
        let tunnels = match options.fabric {
            Fabric::Tunnel => {
                let tunnels = (0..hosts).map(|_| free_tunnel(&mut ports));
                tunnels
                    .collect::<Result<_, _>>()
                    .map_err(DeploymentError::NoPort)?
            }
            _ => Vec::new(),
        };
        let mut switches = plan_switches(options.topology, namespaces, &mut ports)?.into_iter();
        let p4runtime = switches.next().expect("there is at least one");
        let trunks = match options.fabric {
            Fabric::Tunnel => {
                let trunks = (0..options.topology.trunks()).map(|_| free_trunk(&mut ports));
                trunks
                    .collect::<Result<_, _>>()
                    .map_err(DeploymentError::NoPort)?
            }
            _ => Vec::new(),
        };
        let mut doors = plan_doors(options, &mut ports)?.into_iter();
        let resp = doors.next().expect("there is at least one");
        let deployment = Self {
            schema: 1,
            name: format!("{:08x}", options.unique & 0xffff_ffff),
            folder: options.folder.clone(),
            fabric: options.fabric,
            protocol: options.protocol,
            replicas,
            spares: options.spares,
            mtu: options.mtu,
            round_shift: options.round_shift,
            gap_awareness: options.gap_awareness,
            read_barrier: options.read_barrier,
            harm: options.harm,
            resp,
            more_doors: doors.collect(),
            topology: options.topology,
            p4runtime,
            roots_p4runtime: switches.collect(),
            trunks,
            bulk,
            tunnels,
            unique: options.unique,
        };
        deployment.check()?;
        Ok(deployment)
    }

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

    /// A file may have been written by anyone: what the code relies on is checked once, here.
    fn check(&self) -> Result<(), DeploymentError> {
        check_spares(self.protocol, self.replicas, self.spares)?;
        match self.protocol {
            ProtocolName::SpecPaxos | ProtocolName::Rounds => {
                let _ = Quorum::of(self.replicas - self.spares)?;
            }
            ProtocolName::Unreplicated if self.replicas == 1 => {}
            ProtocolName::Unreplicated => return Err(DeploymentError::OneServer(self.replicas)),
        }
        check_doors(self.doors().count(), self.replicas)?;
        Mtu::new(self.mtu)?;
        self.harm.plan()?;
        if !self.harm.is_none() && matches!(self.fabric, Fabric::Netns | Fabric::Bmv2) {
            return Err(DeploymentError::HarmOnKernelLinks(self.fabric));
        }
        let (hosts, replicas) = (self.replicas + 1, self.replicas);
        let above = self.topology.trunks();
        let (tunnels, bulk, trunks) = match self.fabric {
            Fabric::Embedded => (0, 0, 0),
            Fabric::Tunnel => (hosts, replicas, above),
            Fabric::Netns | Fabric::Bmv2 => (0, replicas, 0),
        };
        let tunnels = ("tunnels", self.tunnels.len(), tunnels);
        let bulk = ("bulk addresses", self.bulk.len(), bulk);
        let trunks = ("tunnels between switches", self.trunks.len(), trunks);
        let roots = (
            "P4Runtime addresses of roots",
            self.roots_p4runtime.len(),
            above,
        );
        for (what, count, valid) in [tunnels, bulk, trunks, roots] {
            if count != valid {
                return Err(DeploymentError::Count { what, count, valid });
            }
        }
        self.topology()?;
        Ok(())
    }

    /// The controller's view: switches, a host a port, one group.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        let hosts = u16::try_from(self.replicas + 1).unwrap_or(u16::MAX);
        let mut topology = match self.topology {
            Shape::Single => Topology::single(hosts)?,
            Shape::DualRoot => Topology::dual_root(hosts)?,
        };
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

/// There is room for spares, and a protocol that knows what to do with them.
fn check_spares(
    protocol: ProtocolName,
    replicas: usize,
    spares: usize,
) -> Result<(), DeploymentError> {
    if spares > 0 && protocol != ProtocolName::Rounds {
        return Err(DeploymentError::FixedMembers(protocol));
    }
    if spares >= replicas || replicas > MAX_REPLICAS {
        let most = MAX_REPLICAS - (replicas - spares).min(MAX_REPLICAS);
        return Err(DeploymentError::Spares { spares, most });
    }
    Ok(())
}

fn check_doors(doors: usize, replicas: usize) -> Result<(), DeploymentError> {
    if (1..=replicas).contains(&doors) {
        Ok(())
    } else {
        Err(DeploymentError::Doors { doors, replicas })
    }
}

/// Where switches serve P4Runtime: on successive ports of a namespace's own loopback, or on free
/// ones.
fn plan_switches(
    shape: Shape,
    namespaces: bool,
    ports: &mut FreePorts,
) -> Result<Vec<SocketAddr>, DeploymentError> {
    /// The port that is assigned to P4Runtime.
    const FIRST: u16 = 9559;
    let all = (FIRST..).take(shape.switches());
    if namespaces {
        return Ok(all.map(|port| ([127, 0, 0, 1], port).into()).collect());
    }
    let free = all.map(|_| ports.tcp());
    free.collect::<Result<_, _>>()
        .map_err(DeploymentError::NoPort)
}

/// Where the front doors listen: on successive ports, or on free ones.
fn plan_doors(
    options: &Options,
    ports: &mut FreePorts,
) -> Result<Vec<SocketAddr>, DeploymentError> {
    let (doors, first) = (options.doors, options.resp_port);
    check_doors(doors, options.replicas)?;
    if first == 0 {
        let free = (0..doors).map(|_| ports.tcp());
        return free
            .collect::<Result<_, _>>()
            .map_err(DeploymentError::NoPort);
    }
    let door = |index: usize| {
        let port = u16::try_from(usize::from(first) + index).ok()?;
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    };
    let all: Option<Vec<_>> = (0..doors).map(door).collect();
    all.ok_or(DeploymentError::DoorPorts { doors, port: first })
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

fn free_tunnel(ports: &mut FreePorts) -> io::Result<Tunnel> {
    Ok(Tunnel {
        host: ports.udp()?,
        switch: ports.udp()?,
    })
}

fn free_trunk(ports: &mut FreePorts) -> io::Result<Trunk> {
    Ok(Trunk {
        leaf: ports.udp()?,
        root: ports.udp()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(fabric: Fabric, replicas: usize, folder: &Path) -> Options {
        Options {
            fabric,
            gap_awareness: true,
            read_barrier: true,
            harm: Harm::default(),
            protocol: ProtocolName::SpecPaxos,
            topology: Shape::Single,
            replicas,
            spares: 0,
            mtu: 1_428,
            round_shift: 8,
            resp_port: 0,
            doors: 1,
            folder: folder.into(),
            unique: 7,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for fabric in [
            Fabric::Embedded,
            Fabric::Tunnel,
            Fabric::Netns,
            Fabric::Bmv2,
        ] {
            let folder = tempfile::tempdir().unwrap();
            for topology in [Shape::Single, Shape::DualRoot] {
                let options = options(fabric, 5, folder.path());
                let planned = Deployment::plan(&Options {
                    topology,
                    ..options
                });
                let planned = planned.unwrap();
                planned.write().unwrap();
                assert_eq!(
                    Deployment::read(&folder.path().join(FILE)).unwrap(),
                    planned
                );
                let switches = planned.topology().unwrap().switches;
                let names: Vec<_> = switches.into_iter().map(|it| it.name).collect();
                assert_eq!(names, planned.switches().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn front_doors_have_successive_ports_or_free_ones_and_are_no_more_than_replicas() {
        let folder = tempfile::tempdir().unwrap();
        let plan = |doors, resp_port| {
            Deployment::plan(&Options {
                resp_port,
                doors,
                ..options(Fabric::Tunnel, 3, folder.path())
            })
        };
        let ports = |deployment: Deployment| -> Vec<u16> {
            deployment.doors().map(|door| door.port()).collect()
        };
        assert_eq!(ports(plan(1, 6_380).unwrap()), [6_380]);
        assert_eq!(ports(plan(3, 65_533).unwrap()), [65_533, 65_534, 65_535]);
        let mut free = ports(plan(3, 0).unwrap());
        free.sort_unstable();
        free.dedup();
        assert_eq!(free.len(), 3);
        for (doors, resp_port, expected) in [
            (0, 0, "0 front doors are not possible: valid are 1 to 3"),
            (4, 0, "4 front doors are not possible: valid are 1 to 3"),
            (3, 65_534, "the last port is 65535"),
        ] {
            let error = plan(doors, resp_port).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let planned = Deployment::plan(&options(Fabric::Tunnel, 3, folder.path())).unwrap();
        let error = |deployment: Deployment| {
            deployment.write().unwrap();
            Deployment::read(&folder.path().join(FILE))
                .unwrap_err()
                .to_string()
        };
        let few = Deployment {
            tunnels: Vec::new(),
            ..planned.clone()
        };
        assert!(error(few).ends_with("has 4 tunnels, not 0"));
        let rootless = Deployment {
            topology: Shape::DualRoot,
            ..planned.clone()
        };
        assert!(error(rootless).ends_with("has 2 tunnels between switches, not 0"));
        let even = Deployment {
            replicas: 4,
            ..planned.clone()
        };
        assert!(error(even).contains("a group of 4 replicas is not possible"));
        let doors = Deployment {
            more_doors: vec![planned.resp; 3],
            ..planned.clone()
        };
        assert!(error(doors).starts_with("4 front doors are not possible"));
        let huge = Deployment {
            mtu: 65_000,
            ..planned
        };
        assert!(error(huge).contains("valid are 576 to 9000"));
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(text in "[ -~]{0,200}", replicas in any::<usize>()) {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(FILE);
            fs::write(&file, &text).unwrap();
            prop_assert!(Deployment::read(&file).is_err());
            let planned = Deployment::plan(&options(Fabric::Netns, 3, folder.path())).unwrap();
            Deployment { replicas, ..planned }.write().unwrap();
            let read = Deployment::read(&file);
            prop_assert_eq!(read.is_ok(), replicas == 3);
        }
    }
}
