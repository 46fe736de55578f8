//! One rule of a switch, in words of the fabric: ports, neighbours, routes, members, groups.
//!
//! What a rule becomes on a certain kind of switch is the business of its `target`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use wire::{EpochNumber, GroupId, RoundNumber};

use crate::MacAddress;

/// What is behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortRole {
    /// A host: stamps that it sends are not believed.
    Host,
    /// Another switch.
    Fabric,
}

/// One copy of a group's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberCopy {
    /// Where it leaves the switch.
    pub port: u16,
    /// By which egress finds the member; from 1, unique on the switch.
    pub replication_id: u16,
}

/// What the root knows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupRule {
    /// The address that stands for the group.
    pub address: Ipv4Addr,
    /// Where the group's registers are, from 0.
    pub register_index: u32,
    /// The group.
    pub group: GroupId,
    /// Its term at this root.
    pub term: EpochNumber,
    /// A round lasts 2^`round_shift` µs.
    pub round_shift: u8,
    /// The round in which the term begins.
    pub round_base: RoundNumber,
    /// Members 0 to `member_count` - 1.
    pub member_count: u8,
    /// The multicast group that makes the copies.
    pub multicast_group: u16,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// What is behind a port.
    Port {
        /// The port.
        port: u16,
        /// What is there.
        role: PortRole,
    },
    /// The switch answers ARP requests for a host.
    Neighbour {
        /// The host.
        ip: Ipv4Addr,
        /// The answer.
        mac: MacAddress,
    },
    /// Packets to these addresses leave here.
    Route {
        /// Bits behind the prefix are 0.
        network: Ipv4Addr,
        /// The length of the prefix in bits, 0 to 32.
        length: u8,
        /// The port.
        port: u16,
        /// The Ethernet address of who takes them.
        next_hop: MacAddress,
    },
    /// A copy with this replication id is for this member.
    Member {
        /// From 1, unique on the switch.
        replication_id: u16,
        /// The member's Ethernet address.
        mac: MacAddress,
        /// Its IPv4 address.
        ip: Ipv4Addr,
        /// Its UDP port.
        udp_port: u16,
    },
    /// The copies that a multicast group makes, as a set: switches list them in any order.
    Copies {
        /// From 1.
        multicast_group: u16,
        /// One a member.
        copies: BTreeSet<MemberCopy>,
    },
    /// Packets to a group are stamped and copied.
    Group(GroupRule),
    /// Something on a switch that this controller never writes.
    Foreign {
        /// Where it was found.
        table: String,
        /// Its key there.
        key: String,
        /// What it is.
        what: String,
    },
}

/// When a rule is written. Rules of one stage may be written in any order; a stage begins when
/// the one before is done.
///
/// The order keeps packets from vanishing. Were the group rule first:
///
/// 1. The group rule is written.
/// 2. A packet to the group is stamped with sequence 1 and copied by a multicast group that does
///    not exist yet: nobody gets it.
/// 3. The multicast group is written. All members begin with a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Ports, neighbours and routes.
    Forwarding,
    /// Which copy is for whom.
    Members,
    /// Which copies are made.
    Copies,
    /// Groups.
    Groups,
}

impl Stage {
    /// All stages, first to last.
    pub const ALL: [Self; 4] = [Self::Forwarding, Self::Members, Self::Copies, Self::Groups];
}

impl Rule {
    /// When it is written.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Port { .. }
            | Self::Neighbour { .. }
            | Self::Route { .. }
            | Self::Foreign { .. } => Stage::Forwarding,
            Self::Member { .. } => Stage::Members,
            Self::Copies { .. } => Stage::Copies,
            Self::Group(_) => Stage::Groups,
        }
    }

    /// Where it stands: a switch has at most one rule for each table and key.
    pub fn place(&self) -> Place {
        let (table, key) = match self {
            Self::Port { port, .. } => ("port_role", port.to_string()),
            Self::Neighbour { ip, .. } => ("neighbour", ip.to_string()),
            Self::Route {
                network, length, ..
            } => ("forward", format!("{network}/{length}")),
            Self::Member { replication_id, .. } => ("rewrite", replication_id.to_string()),
            Self::Copies {
                multicast_group, ..
            } => ("multicast group", multicast_group.to_string()),
            Self::Group(group) => ("group", group.address.to_string()),
            Self::Foreign { table, key, .. } => (table.as_str(), key.clone()),
        };
        Place {
            table: table.to_owned(),
            key,
        }
    }

    /// What it does, in words.
    pub fn effect(&self) -> String {
        match self {
            Self::Port {
                role: PortRole::Host,
                ..
            } => "host".to_owned(),
            Self::Port {
                role: PortRole::Fabric,
                ..
            } => "fabric".to_owned(),
            Self::Neighbour { mac, .. } => format!("is at {mac}"),
            Self::Route { port, next_hop, .. } => format!("port {port}, next hop {next_hop}"),
            Self::Member {
                mac, ip, udp_port, ..
            } => format!("{ip}:{udp_port} at {mac}"),
            Self::Copies { copies, .. } => {
                let mut text = "copies".to_owned();
                for copy in copies {
                    // Writing to a string cannot fail.
                    let _ = write!(text, " {}:{}", copy.port, copy.replication_id);
                }
                text
            }
            Self::Group(rule) => format!(
                "group {} term {} round shift {} base {} members {} registers {} multicast group {}",
                rule.group,
                rule.term,
                rule.round_shift,
                rule.round_base,
                rule.member_count,
                rule.register_index,
                rule.multicast_group,
            ),
            Self::Foreign { what, .. } => what.clone(),
        }
    }
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The table.
    pub table: String,
    /// The key in it.
    pub key: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} [{}]", self.table, self.key)
    }
}
