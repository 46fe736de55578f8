//! The tables of `p4/v1model/root.p4` as Rust types, and rules as entries of them.
//!
//! [`Tables::bind`] compares them with a P4Info and lists every disagreement; after that no name
//! is looked up and no id is written by hand.

use std::net::Ipv4Addr;

use p4runtime::table::{
    BoundTable, DecodeError, Disagreements, EncodeError, Prefix, TableShape, verify,
};
use p4runtime::{Entry, MulticastGroup, P4Info, Replica, v1};
use wire::{EpochNumber, GroupId, RoundNumber};

use crate::MacAddress;
use crate::rule::{GroupRule, MemberCopy, PortRole, Rule};

p4runtime::p4_table! {
    /// What is behind a port.
    pub table PortRoleTable = "RootIngress.admit.port_role";
    /// Where the packet came in.
    pub key PortRoleKey {
        /// The port.
        port: u16 = "standard_metadata.ingress_port": 9,
    }
    /// What is there.
    pub action PortRoleAction {
        /// A host.
        Host = "RootIngress.admit.host" {},
        /// Another switch.
        Fabric = "RootIngress.admit.fabric" {},
    }
}

p4runtime::p4_table! {
    /// Answers to ARP requests.
    pub table NeighbourTable = "RootIngress.neighbour.neighbour";
    /// Who is asked for.
    pub key NeighbourKey {
        /// The address.
        ip: Ipv4Addr = "hdr.arp.target_ip": 32,
    }
    /// What is answered.
    pub action NeighbourAction {
        /// Here.
        Answer = "RootIngress.neighbour.answer" {
            /// The Ethernet address.
            mac: MacAddress = "mac": 48,
        },
        /// Nothing.
        Unknown = "RootIngress.neighbour.unknown" {},
    }
}

p4runtime::p4_table! {
    /// The groups of which the switch is the root.
    pub table GroupTable = "RootIngress.stamp.group";
    /// Where a packet goes.
    pub key GroupKey {
        /// The group's address.
        address: Ipv4Addr = "hdr.ipv4.dst_addr": 32,
    }
    /// What is done with it.
    pub action GroupAction {
        /// It is stamped and copied.
        StampGroup = "RootIngress.stamp.stamp_group" {
            /// Where the group's registers are.
            register_index: u32 = "register_index": 32,
            /// The group.
            group_id: u32 = "group_id": 32,
            /// The term.
            new_term: u32 = "new_term": 32,
            /// A round lasts 2^`shift` µs.
            shift: u8 = "shift": 8,
            /// The round in which the term begins.
            base: u64 = "base": 64,
            /// How many members there are.
            member_count: u8 = "member_count": 8,
            /// The multicast group.
            copies: u16 = "copies": 16,
        },
        /// Nothing.
        NoAction = "NoAction" {},
    }
}

p4runtime::p4_table! {
    /// Where packets leave.
    pub table ForwardTable = "RootIngress.forward.forward";
    /// Where a packet goes.
    pub key ForwardKey {
        /// The destination.
        destination: Prefix<Ipv4Addr> = "hdr.ipv4.dst_addr": 32,
    }
    /// What is done with it.
    pub action ForwardAction {
        /// It leaves here.
        ToPort = "RootIngress.forward.to_port" {
            /// The port.
            port: u16 = "port": 9,
            /// The Ethernet address of who takes it.
            next_hop: MacAddress = "next_hop": 48,
        },
        /// It is dropped.
        NoRoute = "RootIngress.forward.no_route" {},
    }
}

p4runtime::p4_table! {
    /// Which copy of a group's packet is for whom.
    pub table RewriteTable = "RootEgress.rewrite.rewrite";
    /// Which copy it is.
    pub key RewriteKey {
        /// The replication id.
        replication_id: u16 = "standard_metadata.egress_rid": 16,
    }
    /// Whose it is.
    pub action RewriteAction {
        /// This member's.
        ToMember = "RootEgress.rewrite.to_member" {
            /// Its Ethernet address.
            mac: MacAddress = "mac": 48,
            /// Its IPv4 address.
            ip: Ipv4Addr = "ip": 32,
            /// Its UDP port.
            port: u16 = "port": 16,
        },
        /// Nobody's: it is dropped.
        NoMember = "RootEgress.rewrite.no_member" {},
    }
}

/// All tables with the ids of one program.
#[derive(Clone, Debug)]
pub struct Tables {
    /// What is behind a port.
    pub port_role: BoundTable<PortRoleTable>,
    /// Answers to ARP requests.
    pub neighbour: BoundTable<NeighbourTable>,
    /// The groups of which the switch is the root.
    pub group: BoundTable<GroupTable>,
    /// Where packets leave.
    pub forward: BoundTable<ForwardTable>,
    /// Which copy of a group's packet is for whom.
    pub rewrite: BoundTable<RewriteTable>,
}

impl Tables {
    /// Compares all declarations with the program; the error has every disagreement of all tables.
    pub fn bind(info: &P4Info) -> Result<Self, Disagreements> {
        let shapes = [
            TableShape::of::<PortRoleTable>(),
            TableShape::of::<NeighbourTable>(),
            TableShape::of::<GroupTable>(),
            TableShape::of::<ForwardTable>(),
            TableShape::of::<RewriteTable>(),
        ];
        verify(info, &shapes)?;
        Ok(Self {
            port_role: BoundTable::new(info)?,
            neighbour: BoundTable::new(info)?,
            group: BoundTable::new(info)?,
            forward: BoundTable::new(info)?,
            rewrite: BoundTable::new(info)?,
        })
    }

    /// The ids of all tables.
    pub fn ids(&self) -> [u32; 5] {
        [
            self.port_role.id(),
            self.neighbour.id(),
            self.group.id(),
            self.forward.id(),
            self.rewrite.id(),
        ]
    }

    /// The rule as the switch takes it; none for one that is never written.
    pub fn encode(&self, rule: &Rule) -> Result<Option<v1::Entity>, EncodeError> {
        let entry = match rule {
            Rule::Port { port, role } => {
                let action = match role {
                    PortRole::Host => PortRoleAction::Host {},
                    PortRole::Fabric => PortRoleAction::Fabric {},
                };
                self.port_role
                    .encode(&Entry::new(PortRoleKey { port: *port }, action))?
            }
            Rule::Neighbour { ip, mac } => {
                let action = NeighbourAction::Answer { mac: *mac };
                self.neighbour
                    .encode(&Entry::new(NeighbourKey { ip: *ip }, action))?
            }
            Rule::Route {
                network,
                length,
                port,
                next_hop,
            } => {
                let destination = Prefix {
                    value: *network,
                    length: u32::from(*length),
                };
                let action = ForwardAction::ToPort {
                    port: *port,
                    next_hop: *next_hop,
                };
                self.forward
                    .encode(&Entry::new(ForwardKey { destination }, action))?
            }
            Rule::Member {
                replication_id,
                mac,
                ip,
                udp_port,
            } => {
                let key = RewriteKey {
                    replication_id: *replication_id,
                };
                let action = RewriteAction::ToMember {
                    mac: *mac,
                    ip: *ip,
                    port: *udp_port,
                };
                self.rewrite.encode(&Entry::new(key, action))?
            }
            Rule::Group(rule) => self.group.encode(&group_entry(rule))?,
            Rule::Copies {
                multicast_group,
                copies,
            } => {
                let replicas = copies.iter().map(|copy| Replica {
                    port: u32::from(copy.port),
                    instance: u32::from(copy.replication_id),
                });
                let group = MulticastGroup::new(u32::from(*multicast_group), replicas);
                return Ok(Some((&group).into()));
            }
            Rule::Foreign { .. } => return Ok(None),
        };
        Ok(Some(entry.into()))
    }

    /// The rule of an entry; none for an action that this controller never writes.
    pub fn decode(&self, message: &v1::TableEntry) -> Result<Option<Rule>, DecodeError> {
        let id = message.table_id;
        if id == self.port_role.id() {
            self.port_role
                .decode(message)
                .map(|entry| Some(port_rule(entry)))
        } else if id == self.neighbour.id() {
            self.neighbour
                .decode(message)
                .map(|entry| neighbour_rule(&entry))
        } else if id == self.forward.id() {
            self.forward.decode(message).map(|entry| route_rule(&entry))
        } else if id == self.rewrite.id() {
            self.rewrite
                .decode(message)
                .map(|entry| member_rule(&entry))
        } else {
            self.group.decode(message).map(|entry| group_rule(&entry))
        }
    }
}

/// The rule of a multicast group; none for ports and replication ids that no switch has.
pub fn rule_of_multicast(group: &MulticastGroup) -> Option<Rule> {
    let copy = |replica: &Replica| {
        Some(MemberCopy {
            port: u16::try_from(replica.port).ok()?,
            replication_id: u16::try_from(replica.instance).ok()?,
        })
    };
    Some(Rule::Copies {
        multicast_group: u16::try_from(group.id).ok()?,
        copies: group.replicas().iter().map(copy).collect::<Option<_>>()?,
    })
}

fn port_rule(entry: Entry<PortRoleTable>) -> Rule {
    let role = match entry.action {
        PortRoleAction::Host {} => PortRole::Host,
        PortRoleAction::Fabric {} => PortRole::Fabric,
    };
    Rule::Port {
        port: entry.key.port,
        role,
    }
}

fn neighbour_rule(entry: &Entry<NeighbourTable>) -> Option<Rule> {
    match entry.action {
        NeighbourAction::Answer { mac } => Some(Rule::Neighbour {
            ip: entry.key.ip,
            mac,
        }),
        NeighbourAction::Unknown {} => None,
    }
}

fn route_rule(entry: &Entry<ForwardTable>) -> Option<Rule> {
    let ForwardAction::ToPort { port, next_hop } = entry.action else {
        return None;
    };
    let Prefix {
        value: network,
        length,
    } = entry.key.destination;
    Some(Rule::Route {
        network,
        length: u8::try_from(length).ok()?,
        port,
        next_hop,
    })
}

fn member_rule(entry: &Entry<RewriteTable>) -> Option<Rule> {
    let RewriteAction::ToMember { mac, ip, port } = entry.action else {
        return None;
    };
    Some(Rule::Member {
        replication_id: entry.key.replication_id,
        mac,
        ip,
        udp_port: port,
    })
}

fn group_entry(rule: &GroupRule) -> Entry<GroupTable> {
    let action = GroupAction::StampGroup {
        register_index: rule.register_index,
        group_id: rule.group.0,
        new_term: rule.term.0,
        shift: rule.round_shift,
        base: rule.round_base.0,
        member_count: rule.member_count,
        copies: rule.multicast_group,
    };
    Entry::new(
        GroupKey {
            address: rule.address,
        },
        action,
    )
}

fn group_rule(entry: &Entry<GroupTable>) -> Option<Rule> {
    let GroupAction::StampGroup {
        register_index,
        group_id,
        new_term,
        shift,
        base,
        member_count,
        copies,
    } = entry.action
    else {
        return None;
    };
    Some(Rule::Group(GroupRule {
        address: entry.key.address,
        register_index,
        group: GroupId(group_id),
        term: EpochNumber(new_term),
        round_shift: shift,
        round_base: RoundNumber(base),
        member_count,
        multicast_group: copies,
    }))
}

#[cfg(test)]
mod tests;
