//! What must hold of a topology as a whole. The first thing that does not is the error.

use std::collections::BTreeMap;

use super::{
    Group, Host, MAX_GROUPS, MAX_HOSTS, MAX_MEMBERS, MAX_MEMBERS_OF_SWITCH, MAX_PORT,
    MAX_ROUND_SHIFT, MAX_SWITCHES, Switch, Topology, TopologyError, nearest,
};

/// As many names are listed in an error.
const LISTED_NAMES: usize = 8;

/// The longest name.
const MAX_NAME_LEN: usize = 64;

pub(super) fn validate(topology: &Topology) -> Result<(), TopologyError> {
    let in_topology = || "topology".to_owned();
    let switches = topology.switches.len();
    range(in_topology, "number of switches", switches, 1, MAX_SWITCHES)?;
    range(
        in_topology,
        "number of hosts",
        topology.hosts.len(),
        0,
        MAX_HOSTS,
    )?;
    range(
        in_topology,
        "number of groups",
        topology.groups.len(),
        0,
        MAX_GROUPS,
    )?;
    validate_switches(&topology.switches)?;
    let ports = validate_hosts(topology)?;
    validate_links(topology, ports)?;
    validate_groups(topology)
}

fn validate_switches(switches: &[Switch]) -> Result<(), TopologyError> {
    let mut names = Owners::new("name");
    let mut devices = Owners::new("device");
    for switch in switches {
        let place = || format!("switch {}", switch.name);
        validate_name("switch", &switch.name)?;
        names.add(switch.name.clone(), place)?;
        let port = switch.address.rsplit_once(':').and_then(|(host, port)| {
            super::names::number(port).filter(|port| *port != 0 && !host.is_empty())
        });
        if port.is_none() {
            let valid = "host:port such as 127.0.0.1:9559".to_owned();
            return Err(out_of_range(place, "address", &switch.address, valid));
        }
        if switch.device_id == 0 {
            return Err(out_of_range(place, "device_id", 0, "1 or more".to_owned()));
        }
        devices.add(format!("{} at {}", switch.device_id, switch.address), place)?;
    }
    Ok(())
}

/// Returns whose each port is.
fn validate_hosts(topology: &Topology) -> Result<Owners, TopologyError> {
    let switch_names: Vec<&str> = topology
        .switches
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    let mut names = Owners::new("name");
    let mut addresses = Owners::new("ip");
    let mut macs = Owners::new("mac");
    let mut ports = Owners::new("port");
    for host in &topology.hosts {
        let place = || format!("host {}", host.name);
        validate_name("host", &host.name)?;
        names.add(host.name.clone(), place)?;
        if host.ip.is_multicast() || host.ip.is_broadcast() || host.ip.is_unspecified() {
            let valid = "an address of one host such as 10.0.0.1".to_owned();
            return Err(out_of_range(place, "ip", host.ip, valid));
        }
        addresses.add(host.ip.to_string(), place)?;
        if !host.mac.is_unicast() {
            let valid = "an address of one interface such as 02:00:0a:00:00:01".to_owned();
            return Err(out_of_range(place, "mac", host.mac, valid));
        }
        macs.add(host.mac.to_string(), place)?;
        if !switch_names.contains(&host.port.switch.as_str()) {
            return Err(unknown(place, "switch", &host.port.switch, &switch_names));
        }
        range(
            place,
            "port",
            usize::from(host.port.port),
            1,
            usize::from(MAX_PORT),
        )?;
        ports.add(host.port.to_string(), place)?;
    }
    Ok(ports)
}

/// Links make one leaf, which has all hosts, and its roots. More would need routes between leaves,
/// which nobody plans yet.
fn validate_links(topology: &Topology, mut ports: Owners) -> Result<(), TopologyError> {
    let names: Vec<&str> = topology
        .switches
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    let mut roots = Owners::new("link to root");
    for link in &topology.links {
        let place = || format!("link {} to {}", link.leaf, link.root);
        let wrong = |why| {
            Err(TopologyError::LinkShape {
                leaf: link.leaf.to_string(),
                root: link.root.to_string(),
                why,
            })
        };
        for end in [&link.leaf, &link.root] {
            if !names.contains(&end.switch.as_str()) {
                return Err(unknown(place, "switch", &end.switch, &names));
            }
            let most = usize::from(MAX_PORT);
            range(place, "port", usize::from(end.port), 1, most)?;
            ports.add(end.to_string(), place)?;
        }
        let has_hosts = |switch: &str| topology.hosts.iter().any(|it| it.port.switch == switch);
        if has_hosts(&link.root.switch) {
            return wrong("there are hosts at its upper end");
        }
        if link.leaf.switch != topology.links[0].leaf.switch {
            return wrong("its lower end is at another switch than that of the first link");
        }
        if link.root.switch == link.leaf.switch {
            return wrong("both ends are at one switch");
        }
        roots.add(link.root.switch.clone(), place)?;
    }
    Ok(())
}

fn validate_groups(topology: &Topology) -> Result<(), TopologyError> {
    let hosts: BTreeMap<&str, &Host> = topology
        .hosts
        .iter()
        .map(|host| (host.name.as_str(), host))
        .collect();
    let mut names = Owners::new("name");
    let mut ids = Owners::new("id");
    let mut members_of_switch = BTreeMap::<&str, usize>::new();
    for group in &topology.groups {
        let place = || format!("group {}", group.name);
        validate_name("group", &group.name)?;
        names.add(group.name.clone(), place)?;
        range(place, "id", usize::from(group.id), 1, usize::from(u16::MAX))?;
        ids.add(group.id.to_string(), place)?;
        let longest = usize::from(MAX_ROUND_SHIFT);
        range(
            place,
            "round_shift",
            usize::from(group.round_shift),
            0,
            longest,
        )?;
        range(
            place,
            "number of members",
            group.members.len(),
            1,
            MAX_MEMBERS,
        )?;
        let root = validate_members(group, &hosts)?;
        let members = members_of_switch.entry(root).or_default();
        *members += group.members.len();
        let at_switch = || format!("switch {root}");
        range(
            at_switch,
            "number of all groups' members",
            *members,
            1,
            MAX_MEMBERS_OF_SWITCH,
        )?;
    }
    Ok(())
}

/// Returns the name of the switch that all members are at.
fn validate_members<'a>(
    group: &Group,
    hosts: &BTreeMap<&str, &'a Host>,
) -> Result<&'a str, TopologyError> {
    let place = || format!("group {}", group.name);
    let mut addresses = Owners::new("address");
    let mut first: Option<&'a Host> = None;
    for (index, member) in group.members.iter().enumerate() {
        let Some(host) = hosts.get(member.host.as_str()) else {
            let names: Vec<&str> = hosts.keys().copied().collect();
            return Err(unknown(place, "host", &member.host, &names));
        };
        if member.udp_port == 0 {
            return Err(out_of_range(
                place,
                "UDP port of a member",
                0,
                "1 to 65535".to_owned(),
            ));
        }
        addresses.add(member.to_string(), || {
            format!("group {} member {index}", group.name)
        })?;
        let first = *first.get_or_insert(host);
        if first.port.switch != host.port.switch {
            return Err(TopologyError::TwoSwitches {
                group: group.name.clone(),
                first: first.name.clone(),
                first_switch: first.port.switch.clone(),
                second: host.name.clone(),
                second_switch: host.port.switch.clone(),
            });
        }
    }
    Ok(first.map_or("", |host| host.port.switch.as_str()))
}

fn validate_name(kind: &'static str, name: &str) -> Result<(), TopologyError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.is_empty() && name.len() <= MAX_NAME_LEN && name.bytes().all(is_plain) {
        return Ok(());
    }
    let valid = format!("1 to {MAX_NAME_LEN} of the characters A-Z a-z 0-9 - _ .");
    Err(out_of_range(
        || kind.to_owned(),
        "name",
        format!("{name:?}"),
        valid,
    ))
}

/// Who has a value first.
struct Owners {
    what: &'static str,
    owners: BTreeMap<String, String>,
}

impl Owners {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            owners: BTreeMap::new(),
        }
    }

    fn add(&mut self, value: String, place: impl Fn() -> String) -> Result<(), TopologyError> {
        match self.owners.get(&value) {
            None => {
                self.owners.insert(value, place());
                Ok(())
            }
            Some(owner) => Err(TopologyError::Repeated {
                place: place(),
                what: self.what,
                found: value,
                owner: owner.clone(),
            }),
        }
    }
}

fn range(
    place: impl Fn() -> String,
    what: &'static str,
    found: usize,
    least: usize,
    most: usize,
) -> Result<(), TopologyError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(out_of_range(
        place,
        what,
        found,
        format!("{least} to {most}"),
    ))
}

fn out_of_range(
    place: impl Fn() -> String,
    what: &'static str,
    found: impl std::fmt::Display,
    valid: String,
) -> TopologyError {
    TopologyError::OutOfRange {
        place: place(),
        what,
        found: found.to_string(),
        valid,
    }
}

fn unknown(
    place: impl Fn() -> String,
    kind: &'static str,
    found: &str,
    names: &[&str],
) -> TopologyError {
    let mut valid = names[..names.len().min(LISTED_NAMES)].join(", ");
    if names.is_empty() {
        valid.push_str("none");
    } else if names.len() > LISTED_NAMES {
        valid.push_str(", …");
    }
    TopologyError::UnknownName {
        place: place(),
        kind,
        found: found.to_owned(),
        nearest: nearest(found, names.iter().copied()),
        valid,
    }
}
