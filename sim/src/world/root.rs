//! The switches, each of which can be a root, and how they are wired: the committed compiled P4
//! program in our pipeline, behind the P4Runtime server as a value, with real frames. A switch can
//! be dark, and it can lose everything.

use super::lies::Lying;
use crate::mutant::FabricMutant;
use crate::schedule::Lie;
use controller::SwitchPort;
use controller::mac::MacAddress as FabricMac;
use controller::tables::Tables;
use controller::topology::{Group, Shape, Topology};
use p4runtime::P4Info;
use sequencer::pipeline::{Copies, PortNumber, Switch};
use sequencer::server::{Core, Device, Pipeline};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use wire::{GROUP_PREFIX, GroupId, HostAddress, STAMP_PORT, Tick};

/// BMv2 JSON of `p4/v1model/root.p4`.
const ROOT_JSON: &[u8] = include_bytes!("../../../p4/built/root.json");
/// P4Info of the same program, in text form.
const ROOT_P4INFO: &str = include_str!("../../../p4/built/root.p4info.txtpb");

/// The one group.
pub(super) const GROUP: GroupId = GroupId(1);
/// The switch's number at its server.
pub(super) const DEVICE_ID: u64 = 1;
/// The program's register with the sequence numbers of groups; the one group is at index 0.
pub(super) const SEQUENCE: &str = "RootIngress.stamp.sequence_of_group";
/// So long a packet is in the pipeline: of a switch chip, some hundred nanoseconds.
const PIPELINE_NS: u64 = 400;
/// Where the destination address begins in a frame that we build.
const DESTINATION_IP: usize = 30;
/// The mark by which the controller knows the program again.
const COOKIE: u64 = 0x646f_776e_6265_6174;

/// The program, loaded and bound once; runs copy from it.
#[derive(Debug)]
pub struct Blueprint {
    /// A switch right after the program was loaded.
    pub(super) loaded: Device,
    /// The controller's view of the program's tables.
    pub(super) tables: Tables,
}

impl Blueprint {
    /// Loads the committed program.
    pub fn new() -> Self {
        let info = P4Info::from_text(ROOT_P4INFO).expect("the committed P4Info is right");
        let tables = Tables::bind(&info).expect("the controller knows the committed program");
        let pipeline = Pipeline::new(info, ROOT_JSON.to_vec(), Some(COOKIE))
            .expect("the committed program loads");
        Self {
            loaded: Device::with_pipeline(pipeline),
            tables,
        }
    }
}

impl Default for Blueprint {
    fn default() -> Self {
        Self::new()
    }
}

/// Addresses of host `index` (replicas first), as the topology has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostNames {
    pub(super) address: HostAddress,
    pub(super) mac: link::MacAddress,
}

/// What is plugged in at a port of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plugged {
    /// A host.
    Host(usize),
    /// A wire to another switch, and whether this is its lower end.
    Trunk { trunk: usize, lower: bool },
}

/// The switch that all hosts are at. Without others above it, it is the root.
pub(super) const LEAF: usize = 0;

/// A switch with a host a port, perhaps two roots above it, and one group.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) hosts: Vec<HostNames>,
    pub(super) topology: Topology,
    /// By switch: its ports.
    ports: Vec<BTreeMap<PortNumber, Plugged>>,
}

impl Layout {
    pub(super) fn new(shape: Shape, replicas: usize, clients: usize) -> Self {
        let count = u16::try_from(replicas + clients).expect("few hosts");
        let mut topology = shape.of_hosts(count).expect("at most 250 hosts");
        let members: Vec<String> = topology.hosts[..replicas]
            .iter()
            .map(|host| host.name.clone())
            .collect();
        let group = u16::try_from(GROUP.0).expect("a small number");
        let group = Group::of_hosts(group, members.iter().map(String::as_str));
        topology.add_group(group).expect("the group is valid");
        Self {
            hosts: topology
                .hosts
                .iter()
                .map(|host| names(host.ip, host.mac))
                .collect(),
            ports: ports(&topology),
            topology,
        }
    }

    /// Which host has this IPv4 address.
    pub(super) fn host_of(&self, ip: [u8; 4]) -> Option<usize> {
        self.hosts.iter().position(|host| host.address.ip == ip)
    }

    /// How many switches there are.
    pub(super) fn switches(&self) -> usize {
        self.ports.len()
    }

    /// Which switch has this name.
    pub(super) fn switch(&self, name: &str) -> usize {
        let switches = &self.topology.switches;
        let found = switches.iter().position(|switch| switch.name == name);
        found.expect("a switch of the topology")
    }

    /// Whether a switch only passes on what others stamp.
    pub(super) fn only_passes_on(&self, switch: usize) -> bool {
        switch == LEAF && !self.topology.links.is_empty()
    }

    /// Where a wire between switches ends: switch and port.
    pub(super) fn end_of(&self, trunk: usize, lower: bool) -> (usize, PortNumber) {
        let link = &self.topology.links[trunk];
        let end = if lower { &link.leaf } else { &link.root };
        (self.switch(&end.switch), PortNumber(end.port))
    }

    /// What is behind a port.
    pub(super) fn plugged(&self, switch: usize, port: PortNumber) -> Option<Plugged> {
        self.ports[switch].get(&port).copied()
    }
}

fn ports(topology: &Topology) -> Vec<BTreeMap<PortNumber, Plugged>> {
    let mut ports = vec![BTreeMap::new(); topology.switches.len()];
    let mut plug = |at: &SwitchPort, what: Plugged| {
        let switches = &mut topology.switches.iter().zip(&mut ports);
        let (_, ports) = switches
            .find(|(switch, _)| switch.name == at.switch)
            .expect("a valid topology");
        ports.insert(PortNumber(at.port), what);
    };
    for (index, host) in topology.hosts.iter().enumerate() {
        plug(&host.port, Plugged::Host(index));
    }
    for (trunk, link) in topology.links.iter().enumerate() {
        let end = |lower| Plugged::Trunk { trunk, lower };
        plug(&link.leaf, end(true));
        plug(&link.root, end(false));
    }
    ports
}

fn names(ip: Ipv4Addr, mac: FabricMac) -> HostNames {
    HostNames {
        address: HostAddress {
            ip: ip.octets(),
            port: STAMP_PORT,
        },
        mac: link::MacAddress(mac.0),
    }
}

/// The switch.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) core: Core,
    /// Items that keep it dark.
    dark: Vec<usize>,
    /// It will never be there again.
    dead: bool,
    /// Its clock counts from here.
    started: Tick,
    copies: Copies,
    mutant: Option<FabricMutant>,
    /// When the last packet came, and the group's count before it. Only a mutant reads it.
    last: (Tick, u128),
    lies: Vec<Lying>,
}

impl Root {
    /// A switch without a program. All have one device number: each has a server of its own.
    pub(super) fn new(mutant: Option<FabricMutant>) -> Self {
        Self {
            core: Core::new(DEVICE_ID, Device::new()),
            dark: Vec::new(),
            dead: false,
            started: Tick(0),
            copies: Copies::new(),
            mutant,
            last: (Tick(0), 0),
            lies: Vec::new(),
        }
    }

    pub(super) fn is_dark(&self) -> bool {
        self.dead || !self.dark.is_empty()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    /// Ends for good.
    pub(super) fn die(&mut self) {
        self.dead = true;
    }

    pub(super) fn darken(&mut self, item: usize) {
        self.dark.push(item);
    }

    pub(super) fn brighten(&mut self, item: usize) {
        self.dark.retain(|other| *other != item);
    }

    /// Lies from now on.
    pub(super) fn begin_lie(&mut self, item: usize, lie: Lie) {
        self.lies.push(Lying::new(item, lie));
    }

    /// Lies no more in this way.
    pub(super) fn end_lie(&mut self, item: usize) {
        self.lies.retain(|lying| lying.item() != item);
    }

    /// Whether it keeps the newest packet of the group from a host.
    pub(super) fn withholds_from(&self, host: usize) -> bool {
        self.lies.iter().any(|lying| lying.withholds_from(host))
    }

    /// Loses program, tables, registers and streams.
    pub(super) fn lose_everything(&mut self, now: Tick) {
        self.core = Core::new(DEVICE_ID, Device::new());
        self.started = now;
    }

    /// What became of the newest frame.
    pub(super) fn copies(&self) -> &Copies {
        &self.copies
    }

    /// Runs a frame of `host` that came in at a port. `None`: nobody is there to take it.
    pub(super) fn process(
        &mut self,
        now: Tick,
        (host, port): (usize, PortNumber),
        frame: &[u8],
    ) -> Option<()> {
        if self.is_dark() {
            return None;
        }
        let mut now_us = now.since(self.started) / 1_000;
        let switch = self.core.device_mut().switch_mut()?;
        if self.mutant == Some(FabricMutant::CountNotAtomic) {
            self.last = (now, count_again(switch, now, self.last));
        }
        if is_to_group(frame) {
            for lying in &mut self.lies {
                now_us = lying.before_packet(switch, now_us, host);
            }
        }
        self.copies.clear();
        switch.process(now_us, port, frame, &mut self.copies);
        if is_to_group(frame) {
            for lying in &mut self.lies {
                lying.after_packet(switch, host);
            }
        }
        Some(())
    }
}

/// Puts the group's count back to what it was before the last packet if that is still in the
/// pipeline; returns the count before the packet that comes now.
fn count_again(switch: &mut Switch, now: Tick, last: (Tick, u128)) -> u128 {
    let count = "the program counts the packets of a group";
    if now.since(last.0) < PIPELINE_NS {
        switch.write_register(SEQUENCE, 0, last.1).expect(count);
    }
    switch.read_register(SEQUENCE, 0).expect(count)
}

/// Whether a frame goes to a group's address.
pub(super) fn is_to_group(frame: &[u8]) -> bool {
    let destination = frame.get(DESTINATION_IP..);
    destination.is_some_and(|address| address.starts_with(&GROUP_PREFIX))
}

/// Host 0 is on port 1 of the leaf.
pub(super) fn port_of(host: usize) -> PortNumber {
    PortNumber(u16::try_from(host + 1).expect("few hosts"))
}
