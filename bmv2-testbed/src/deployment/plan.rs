//! From what is wanted to a deployment: every address and port is decided here, once.

use super::check::{check_doors, check_spares};
use super::{
    Application, BULK_PORT, Caller, Deployment, DeploymentError, Fabric, Harm, ProtocolName, Shape,
    Trunk, Tunnel, host_ip,
};
use crate::ports::FreePorts;
use replica::Quorum;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What to build a deployment from.
#[derive(Clone, Debug)]
pub struct Options {
    /// The fabric.
    pub fabric: Fabric,
    /// The protocol.
    pub protocol: ProtocolName,
    /// What is replicated.
    pub application: Application,
    /// Who asks for operations.
    pub caller: Caller,
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
    /// Whether the leader sends requests that come while others are on the way together.
    pub batching: bool,
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

impl Deployment {
    /// Decides every address and port; writes nothing. Ports that it chooses are reserved until
    /// this process ends.
    pub fn plan(options: &Options) -> Result<Self, DeploymentError> {
        // Before anything is made that has as many parts.
        Quorum::of(options.replicas)?;
        let replicas = options.replicas + options.spares;
        check_spares(options.protocol, replicas, options.spares)?;
        let hosts = replicas + 1;
        let mut ports = FreePorts::of_roles(options.unique);
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
        let mut doors = plan_doors(options)?.into_iter();
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
            application: options.application,
            caller: options.caller,
            read_barrier: options.read_barrier,
            batching: options.batching,
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
fn plan_doors(options: &Options) -> Result<Vec<SocketAddr>, DeploymentError> {
    let (doors, first) = (options.doors, options.resp_port);
    check_doors(doors, options.replicas)?;
    if first == 0 {
        let mut ports = FreePorts::of_doors(options.unique);
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
