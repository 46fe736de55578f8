//! Which rules a switch should have, and where a switch differs from them. Pure.
//!
//! A [`Plan`] is made of a topology and a placement of its groups. With the terms of its groups it
//! becomes a set of rules ([`Plan::rules`]); [`stages`] puts them into the order of writing,
//! [`differences`] compares them with what was read back.
//!
//! With two roots the leaf has no `group` entry: it sends the group's address up to the root that
//! stamps. That root's copies come down the same link, each with its member's own address, and the
//! leaf forwards them as it does any packet. The other root has everything but the `group` entry,
//! so that one entry there and one route at the leaf are all that it takes to go on there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;
use wire::{GroupId, RoundNumber};

use crate::placement::Placement;
use crate::rule::{GroupRule, MemberCopy, Place, PortRole, Rule, Stage};
use crate::terms::TakenTerm;
use crate::topology::{Group, Host, Topology, TopologyError};

/// Why there is no plan for a topology.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The switch is not in it.
    #[error("there is no switch {0:?} in the topology")]
    NoSwitch(String),
    /// The program cannot do it.
    #[error(
        "group {0} has stamps = false, but the program root.p4 copies only what it stamps; set \
         stamps = true"
    )]
    NoStamps(String),
}

/// Where a switch differs from its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Table and key.
    pub place: Place,
    /// What should be there, if anything.
    pub desired: Option<String>,
    /// What was found there, if anything.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = "nothing";
        let desired = self.desired.as_deref().unwrap_or(nothing);
        let found = self.found.as_deref().unwrap_or(nothing);
        write!(formatter, "{}: wanted {desired}, found {found}", self.place)
    }
}

/// What one switch should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    switch: String,
    /// Everything that does not depend on a term.
    lasting: BTreeSet<Rule>,
    /// The group rules, each still without term and base.
    groups: Vec<GroupRule>,
}

impl Plan {
    /// The plan for the switch of this name, with each group at the root that suits it best.
    pub fn new(topology: &Topology, switch: &str) -> Result<Self, PlanError> {
        Self::placed(topology, switch, &Placement::preferred(topology))
    }

    /// The plan for the switch of this name, with groups where `placement` has them.
    pub fn placed(
        topology: &Topology,
        switch: &str,
        placement: &Placement,
    ) -> Result<Self, PlanError> {
        topology.validate()?;
        if topology.switch(switch).is_none() {
            return Err(PlanError::NoSwitch(switch.to_owned()));
        }
        let mut plan = Self {
            switch: switch.to_owned(),
            lasting: BTreeSet::new(),
            groups: Vec::new(),
        };
        plan.add_hosts(topology);
        plan.add_links(topology);
        plan.add_ways_up(topology, placement);
        plan.add_groups(topology, placement)?;
        Ok(plan)
    }

    /// Hosts of this switch, and those that it reaches over its leaf.
    fn add_hosts(&mut self, topology: &Topology) {
        for host in &topology.hosts {
            let (ip, mac) = (host.ip, host.mac);
            let Some(port) = self.port_towards(topology, host) else {
                continue;
            };
            self.lasting.insert(Rule::Route {
                network: ip,
                length: 32,
                port,
                next_hop: mac,
            });
            if host.port.switch == self.switch {
                let role = PortRole::Host;
                let rules = [Rule::Port { port, role }, Rule::Neighbour { ip, mac }];
                self.lasting.extend(rules);
            }
        }
    }

    /// Where packets to a host leave this switch.
    fn port_towards(&self, topology: &Topology, host: &Host) -> Option<u16> {
        if host.port.switch == self.switch {
            return Some(host.port.port);
        }
        let down = topology.link_between(&host.port.switch, &self.switch)?;
        Some(down.root.port)
    }

    /// Stamps that come over links between switches are believed.
    fn add_links(&mut self, topology: &Topology) {
        let switch = self.switch.clone();
        let ends = topology.links_of(&switch).map(|link| {
            let end = [&link.leaf, &link.root].into_iter();
            let here = end.filter(|end| end.switch == switch).map(|end| end.port);
            here.map(|port| Rule::Port {
                port,
                role: PortRole::Fabric,
            })
        });
        self.lasting.extend(ends.flatten());
    }

    /// On a leaf, the route to the root of each group.
    fn add_ways_up(&mut self, topology: &Topology, placement: &Placement) {
        for group in &topology.groups {
            let is_leaf = topology
                .leaf_of(group)
                .is_some_and(|leaf| leaf.name == self.switch);
            let seat = placement.seat(GroupId(group.id.into()));
            if let (true, Some(seat)) = (is_leaf, seat)
                && let Some(link) = topology.link_between(&self.switch, &seat.routed_to)
            {
                self.lasting.insert(Rule::Route {
                    network: group.address(),
                    length: 32,
                    port: link.leaf.port,
                    next_hop: group.mac(),
                });
            }
        }
    }

    fn add_groups(&mut self, topology: &Topology, placement: &Placement) -> Result<(), PlanError> {
        let mut replication_id = 0;
        let can_be_here = |group: &&Group| {
            let roots = topology.roots_of(group);
            roots.iter().any(|root| root.name == self.switch)
        };
        let groups: Vec<&Group> = topology.groups.iter().filter(can_be_here).collect();
        for (index, group) in (0_u16..).zip(groups) {
            if !group.stamps {
                return Err(PlanError::NoStamps(group.name.clone()));
            }
            let multicast_group = index + 1;
            let mut copies = BTreeSet::new();
            for member in &group.members {
                let Some(host) = topology.host(&member.host) else {
                    continue;
                };
                let Some(port) = self.port_towards(topology, host) else {
                    continue;
                };
                replication_id += 1;
                copies.insert(MemberCopy {
                    port,
                    replication_id,
                });
                self.lasting.insert(Rule::Member {
                    replication_id,
                    mac: host.mac,
                    ip: host.ip,
                    udp_port: member.udp_port,
                });
            }
            self.lasting.insert(Rule::Copies {
                multicast_group,
                copies,
            });
            let id = GroupId(u32::from(group.id));
            if placement
                .seat(id)
                .is_none_or(|seat| seat.root != self.switch)
            {
                continue;
            }
            self.groups.push(GroupRule {
                address: group.address(),
                register_index: u32::from(index),
                group: id,
                term: wire::EpochNumber::ZERO,
                round_shift: group.round_shift,
                round_base: RoundNumber::ZERO,
                member_count: u8::try_from(group.members.len()).unwrap_or(u8::MAX),
                multicast_group,
            });
        }
        Ok(())
    }

    /// The name of the switch.
    pub fn switch(&self) -> &str {
        &self.switch
    }

    /// The groups of which the switch is the root, each of which needs a term.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.groups.iter().map(|group| group.group)
    }

    /// All rules, if there is a term for every group. The round in which a term begins follows
    /// from the time at which the term was taken, so that rounds go on over terms and roots.
    pub fn rules(&self, terms: &BTreeMap<GroupId, TakenTerm>) -> Option<BTreeSet<Rule>> {
        let mut rules = self.lasting.clone();
        for group in &self.groups {
            let taken = terms.get(&group.group)?;
            rules.insert(Rule::Group(with_term(group, taken)));
        }
        Some(rules)
    }

    /// The groups of the plan that `found` does not have, in whatever term.
    pub fn groups_missing_in(&self, found: &BTreeSet<Rule>) -> Vec<GroupId> {
        let missing = self
            .groups
            .iter()
            .filter(|group| group_in(group, found).is_none());
        missing.map(|group| group.group).collect()
    }

    /// All rules, where groups that `found` has keep their terms and all others get this one.
    pub fn rules_beside(
        &self,
        found: &BTreeSet<Rule>,
        taken: Option<TakenTerm>,
    ) -> Option<BTreeSet<Rule>> {
        let mut rules = self.lasting.clone();
        for group in &self.groups {
            let rule = match (group_in(group, found), taken) {
                (Some(rule), _) => rule,
                (None, Some(taken)) => with_term(group, &taken),
                (None, None) => return None,
            };
            rules.insert(Rule::Group(rule));
        }
        Some(rules)
    }
}

/// A group's rule as `found` has it, if it differs from the planned one in its term only.
fn group_in(planned: &GroupRule, found: &BTreeSet<Rule>) -> Option<GroupRule> {
    found.iter().find_map(|rule| match rule {
        Rule::Group(rule) => {
            let same = GroupRule {
                term: rule.term,
                round_base: rule.round_base,
                ..*planned
            };
            (*rule == same).then_some(same)
        }
        _ => None,
    })
}

fn with_term(group: &GroupRule, taken: &TakenTerm) -> GroupRule {
    GroupRule {
        term: taken.term,
        round_base: RoundNumber(taken.taken_us >> group.round_shift),
        ..*group
    }
}

/// The rules in the order of writing; stages without rules are left out.
pub fn stages(rules: &BTreeSet<Rule>) -> Vec<Vec<Rule>> {
    let of_stage = |stage| {
        rules
            .iter()
            .filter(|rule| rule.stage() == stage)
            .cloned()
            .collect()
    };
    Stage::ALL
        .into_iter()
        .map(of_stage)
        .filter(|stage: &Vec<Rule>| !stage.is_empty())
        .collect()
}

/// Everything in which a switch differs, sorted by table and key.
pub fn differences(desired: &BTreeSet<Rule>, found: &BTreeSet<Rule>) -> Vec<Difference> {
    let mut differing = BTreeMap::<Place, (Option<String>, Option<String>)>::new();
    for rule in desired.difference(found) {
        differing.entry(rule.place()).or_default().0 = Some(rule.effect());
    }
    for rule in found.difference(desired) {
        differing.entry(rule.place()).or_default().1 = Some(rule.effect());
    }
    let difference = |(place, (desired, found))| Difference {
        place,
        desired,
        found,
    };
    differing.into_iter().map(difference).collect()
}

#[cfg(test)]
mod dual_root;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Group, Member};
    use wire::EpochNumber;

    fn topology() -> Topology {
        let mut topology = Topology::single(4).expect("four hosts");
        topology
            .add_group(Group::of_hosts(1, ["h1", "h2", "h3"]))
            .expect("group 1");
        topology
            .add_group(Group::of_hosts(258, ["h4", "h2"]))
            .expect("group 258");
        topology
    }

    fn terms() -> BTreeMap<GroupId, TakenTerm> {
        let taken = TakenTerm {
            term: EpochNumber(9),
            taken_us: 0x1234_5678,
        };
        BTreeMap::from([(GroupId(1), taken), (GroupId(258), taken)])
    }

    #[test]
    fn a_plan_has_every_rule_of_its_switch() {
        let plan = Plan::new(&topology(), "s1").expect("plan");
        let rules = plan.rules(&terms()).expect("terms for all");
        let effects: Vec<String> = rules
            .iter()
            .map(|rule| format!("{} {}", rule.place(), rule.effect()))
            .collect();
        assert_eq!(effects.len(), 4 * 3 + 5 + 2 + 2);
        for expected in [
            "port_role [4] host",
            "neighbour [10.0.0.2] is at 02:00:0a:00:00:02",
            "forward [10.0.0.4/32] port 4, next hop 02:00:0a:00:00:04",
            "rewrite [5] 10.0.0.2:9770 at 02:00:0a:00:00:02",
            "multicast group [2] copies 2:5 4:4",
            "group [239.77.0.1] group 1 term 9 round shift 8 base 1193046 members 3 registers 0 \
             multicast group 1",
            "group [239.77.1.2] group 258 term 9 round shift 8 base 1193046 members 2 registers 1 \
             multicast group 2",
        ] {
            assert!(
                effects.iter().any(|effect| effect == expected),
                "{expected} in {effects:#?}"
            );
        }
    }

    #[test]
    fn replication_ids_are_unique_over_groups_and_match_the_copies() {
        let plan = Plan::new(&topology(), "s1").expect("plan");
        let mut of_members = Vec::new();
        let mut of_copies = Vec::new();
        for rule in plan.rules(&terms()).expect("terms for all") {
            match rule {
                Rule::Member { replication_id, .. } => of_members.push(replication_id),
                Rule::Copies { copies, .. } => {
                    of_copies.extend(copies.iter().map(|copy| copy.replication_id));
                }
                _ => {}
            }
        }
        of_copies.sort_unstable();
        assert_eq!(of_members, [1, 2, 3, 4, 5]);
        assert_eq!(of_copies, of_members);
    }

    #[test]
    fn two_members_on_one_host_get_two_copies() {
        let mut topology = Topology::single(1).expect("one host");
        let mut group = Group::of_hosts(1, ["h1"]);
        group.members.push(Member {
            host: "h1".to_owned(),
            udp_port: 9771,
        });
        topology.add_group(group).expect("two members");
        let plan = Plan::new(&topology, "s1").expect("plan");
        let copies = plan.lasting.iter().find_map(|rule| match rule {
            Rule::Copies { copies, .. } => Some(copies.len()),
            _ => None,
        });
        assert_eq!(copies, Some(2));
    }

    #[test]
    fn groups_are_written_after_all_that_they_need() {
        let plan = Plan::new(&topology(), "s1").expect("plan");
        let rules = plan.rules(&terms()).expect("terms for all");
        let stages = stages(&rules);
        let order: Vec<Stage> = stages.iter().map(|stage| stage[0].stage()).collect();
        assert_eq!(order, Stage::ALL);
        assert_eq!(
            stages.iter().flatten().cloned().collect::<BTreeSet<Rule>>(),
            rules
        );
        for stage in &stages {
            assert!(stage.iter().all(|rule| rule.stage() == stage[0].stage()));
        }
    }

    #[test]
    fn without_a_term_for_every_group_there_are_no_rules() {
        let plan = Plan::new(&topology(), "s1").expect("plan");
        let mut terms = terms();
        terms.remove(&GroupId(258));
        assert_eq!(plan.rules(&terms), None);
    }

    #[test]
    fn every_difference_is_told_with_table_and_key() {
        let plan = Plan::new(&topology(), "s1").expect("plan");
        let desired = plan.rules(&terms()).expect("terms for all");
        assert_eq!(differences(&desired, &desired), []);
        let mut found = desired.clone();
        let changed = |rule: &Rule| rule.place().to_string() == "forward [10.0.0.4/32]";
        let route = desired
            .iter()
            .find(|rule| changed(rule))
            .expect("route")
            .clone();
        found.remove(&route);
        let Rule::Route {
            network,
            length,
            next_hop,
            ..
        } = route
        else {
            unreachable!()
        };
        found.insert(Rule::Route {
            network,
            length,
            port: 7,
            next_hop,
        });
        found.retain(|rule| rule.place().to_string() != "multicast group [1]");
        found.insert(Rule::Foreign {
            table: "forward".to_owned(),
            key: "10.9.0.0/16".to_owned(),
            what: "no_route".to_owned(),
        });
        let told: Vec<String> = differences(&desired, &found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "forward [10.0.0.4/32]: wanted port 4, next hop 02:00:0a:00:00:04, found port 7, \
                 next hop 02:00:0a:00:00:04",
                "forward [10.9.0.0/16]: wanted nothing, found no_route",
                "multicast group [1]: wanted copies 1:1 2:2 3:3, found nothing",
            ]
        );
    }

    #[test]
    fn a_group_without_stamps_is_refused_with_the_reason() {
        let mut topology = topology();
        topology.groups[0].stamps = false;
        let error = Plan::new(&topology, "s1").expect_err("root.p4 stamps");
        assert!(error.to_string().contains("set stamps = true"), "{error}");
    }

    #[test]
    fn each_switch_has_its_own_hosts_and_groups() {
        let mut topology = topology();
        let second = crate::Switch {
            name: "s2".to_owned(),
            ..topology.switches[0].clone()
        };
        topology.switches.push(crate::Switch {
            device_id: 2,
            ..second
        });
        topology.hosts[3].port = "s2:1".parse().expect("port");
        topology.groups[1].members.truncate(1);
        let first = Plan::new(&topology, "s1").expect("plan of s1");
        let second = Plan::new(&topology, "s2").expect("plan of s2");
        assert_eq!(first.groups().collect::<Vec<_>>(), [GroupId(1)]);
        assert_eq!(second.groups().collect::<Vec<_>>(), [GroupId(258)]);
        assert!(first.lasting.is_disjoint(&second.lasting) || second.lasting.len() == 5);
    }
}
