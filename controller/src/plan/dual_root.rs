//! Two roots: every packet from every switch to every destination is walked through the planned
//! tables, in every placement that a move of a group passes through.

use super::*;
use crate::placement::{Failover, News};
use wire::EpochNumber;

const GROUP: GroupId = GroupId(1);
const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn topology() -> Topology {
    let mut topology = Topology::dual_root(4).expect("four hosts");
    let group = Group::of_hosts(1, ["h1", "h2", "h3"]);
    topology.add_group(group).expect("a group");
    topology
}

/// The rules of all switches, as they are once written.
struct Fabric {
    topology: Topology,
    rules: BTreeMap<String, BTreeSet<Rule>>,
}

/// What became of a packet: hosts that got it, or where it was dropped.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Delivered(Vec<String>),
    Dropped(String),
}

impl Fabric {
    fn new(placement: &Placement) -> Self {
        let topology = topology();
        let term = TakenTerm {
            term: EpochNumber(9),
            taken_us: 1 << 20,
        };
        let rules = topology.switches.iter().map(|switch| {
            let plan = Plan::placed(&topology, &switch.name, placement).expect("a plan");
            let rules = plan.rules_beside(&BTreeSet::new(), Some(term));
            (switch.name.clone(), rules.expect("a term"))
        });
        Self {
            rules: rules.collect(),
            topology,
        }
    }

    /// Walks a packet that is at a switch; `hops` bounds it.
    fn walk(&self, switch: &str, to: std::net::Ipv4Addr, hops: u32) -> Fate {
        assert!(hops > 0, "a loop at {switch} towards {to}");
        let rules = &self.rules[switch];
        let stamps = rules.iter().find_map(|rule| match rule {
            Rule::Group(group) if group.address == to => Some(group.multicast_group),
            _ => None,
        });
        if let Some(wanted) = stamps {
            return self.copies(switch, wanted, hops);
        }
        let port = rules.iter().find_map(|rule| match rule {
            Rule::Route { network, port, .. } if *network == to => Some(*port),
            _ => None,
        });
        match port {
            None => Fate::Dropped(switch.to_owned()),
            Some(port) => self.leave(switch, port, to, hops),
        }
    }

    fn copies(&self, switch: &str, wanted: u16, hops: u32) -> Fate {
        let rules = &self.rules[switch];
        let mut all = Vec::new();
        let copies = rules.iter().find_map(|rule| match rule {
            Rule::Copies {
                multicast_group,
                copies,
            } if *multicast_group == wanted => Some(copies),
            _ => None,
        });
        for copy in copies.expect("copies of the group") {
            let member = rules.iter().find_map(|rule| match rule {
                Rule::Member {
                    replication_id, ip, ..
                } if *replication_id == copy.replication_id => Some(*ip),
                _ => None,
            });
            let to = member.expect("a member of each copy");
            match self.leave(switch, copy.port, to, hops) {
                Fate::Delivered(hosts) => all.extend(hosts),
                dropped @ Fate::Dropped(_) => return dropped,
            }
        }
        all.sort();
        Fate::Delivered(all)
    }

    fn leave(&self, switch: &str, port: u16, to: std::net::Ipv4Addr, hops: u32) -> Fate {
        let end = format!("{switch}:{port}");
        let host = |it: &&Host| it.port.to_string() == end;
        if let Some(host) = self.topology.hosts.iter().find(host) {
            assert_eq!(host.ip, to, "{end} is another host's");
            return Fate::Delivered(vec![host.name.clone()]);
        }
        for link in &self.topology.links {
            let (leaf, root) = (link.leaf.to_string(), link.root.to_string());
            if leaf == end {
                return self.walk(&link.root.switch, to, hops - 1);
            }
            if root == end {
                return self.walk(&link.leaf.switch, to, hops - 1);
            }
        }
        panic!("nothing is plugged in at {end}");
    }
}

/// Every placement that a move passes through, from both sides.
fn placements() -> Vec<Placement> {
    let topology = topology();
    let mut failover = Failover::new(&topology, Placement::preferred(&topology));
    let mut all = vec![failover.placement().clone()];
    let roots = topology.roots_of(&topology.groups[0]);
    for (lost, other) in [(0, 1), (1, 0)] {
        let name = |index: usize| roots[index].name.as_str();
        failover.on_news(name(other), &News::Ready(vec![]));
        failover.on_news(name(lost), &News::Lost);
        all.push(failover.placement().clone());
        failover.on_news(name(other), &News::Written(vec![GROUP]));
        all.push(failover.placement().clone());
    }
    all
}

#[test]
fn every_packet_arrives_from_every_switch_in_every_placement() {
    for placement in placements() {
        let seat = placement.seat(GROUP).expect("the group").clone();
        let fabric = Fabric::new(&placement);
        for switch in ["s1", "s2", "s3"] {
            for host in HOSTS {
                let ip = fabric.topology.host(host).expect("a host").ip;
                let expected = Fate::Delivered(vec![host.to_owned()]);
                assert_eq!(fabric.walk(switch, ip, 4), expected, "{switch} {host}");
            }
        }
        let group = fabric.topology.groups[0].address();
        let members = Fate::Delivered(HOSTS[..3].iter().map(|&it| it.to_owned()).collect());
        for switch in ["s2", "s3"] {
            // Only the group's root knows it: nobody else stamps.
            let expected = if switch == seat.root {
                Fate::Delivered(HOSTS[..3].iter().map(|&it| it.to_owned()).collect())
            } else {
                Fate::Dropped(switch.to_owned())
            };
            assert_eq!(fabric.walk(switch, group, 4), expected, "{seat:?}");
        }
        if seat.root == seat.routed_to {
            assert_eq!(fabric.walk("s1", group, 4), members, "{seat:?}");
        }
    }
}

#[test]
fn the_leaf_stamps_nothing_and_believes_its_roots_only() {
    let fabric = Fabric::new(&placements()[0]);
    let leaf = &fabric.rules["s1"];
    assert!(!leaf.iter().any(|rule| matches!(rule, Rule::Group(_))));
    for port in 1..=6 {
        let role = if port <= 4 {
            PortRole::Host
        } else {
            PortRole::Fabric
        };
        assert!(leaf.contains(&Rule::Port { port, role }), "port {port}");
    }
}

#[test]
fn a_move_writes_one_entry_and_one_route() {
    let all = placements();
    let (before, half, after) = (
        Fabric::new(&all[0]),
        Fabric::new(&all[1]),
        Fabric::new(&all[2]),
    );
    let seat = all[1].seat(GROUP).expect("the group");
    let new: Vec<_> = half.rules[&seat.root]
        .difference(&before.rules[&seat.root])
        .collect();
    assert!(matches!(new[..], [Rule::Group(_)]), "{new:?}");
    assert_eq!(half.rules["s1"], before.rules["s1"]);
    let moved: Vec<_> = after.rules["s1"].difference(&half.rules["s1"]).collect();
    assert!(matches!(moved[..], [Rule::Route { .. }]), "{moved:?}");
}
