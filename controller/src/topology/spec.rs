//! Mininet's syntax for topologies: a name, then arguments behind commas.

use std::net::Ipv4Addr;

use super::names::number;
use super::{
    DEFAULT_ADDRESS, Host, MAX_DUAL_ROOT_HOSTS, MAX_SINGLE_HOSTS, Switch, SwitchLink, SwitchPort,
    Topology, TopologyError, nearest,
};
use crate::MacAddress;

/// Mininet's own default for `single`.
const DEFAULT_HOSTS: u16 = 2;
/// Where the first switch listens; others on the ports after it.
const FIRST_PORT: u16 = 9559;

const SINGLE: &str = "single";
const DUAL_ROOT: &str = "dual-root";

pub(super) fn parse(text: &str) -> Result<Topology, TopologyError> {
    let (name, arguments) = match text.split_once(',') {
        Some((name, arguments)) => (name, Some(arguments)),
        None => (text, None),
    };
    let (name, most): (&'static str, u16) = match name {
        SINGLE => (SINGLE, MAX_SINGLE_HOSTS),
        DUAL_ROOT => (DUAL_ROOT, MAX_DUAL_ROOT_HOSTS),
        _ => {
            return Err(TopologyError::UnknownTopology {
                found: text.to_owned(),
                nearest: nearest(name, [SINGLE, DUAL_ROOT]),
            });
        }
    };
    let hosts = match arguments {
        None => DEFAULT_HOSTS,
        Some(count) => {
            let digits = count.strip_prefix("k=").unwrap_or(count);
            number(digits).ok_or_else(|| TopologyError::HostCount {
                name,
                found: count.to_owned(),
                most,
            })?
        }
    };
    if name == SINGLE {
        single(hosts)
    } else {
        dual_root(hosts)
    }
}

pub(super) fn single(hosts: u16) -> Result<Topology, TopologyError> {
    check(SINGLE, hosts, MAX_SINGLE_HOSTS)?;
    let switch = Switch {
        name: "s1".to_owned(),
        address: DEFAULT_ADDRESS.to_owned(),
        device_id: 1,
    };
    let hosts = (1..=hosts).map(|number| {
        let [high, low] = number.to_be_bytes();
        Host {
            name: format!("h{number}"),
            ip: Ipv4Addr::new(10, 0, high, low),
            mac: MacAddress([2, 0, 10, 0, high, low]),
            port: SwitchPort {
                switch: switch.name.clone(),
                port: number,
            },
        }
    });
    Ok(Topology {
        hosts: hosts.collect(),
        switches: vec![switch],
        ..Topology::default()
    })
}

pub(super) fn dual_root(hosts: u16) -> Result<Topology, TopologyError> {
    check(DUAL_ROOT, hosts, MAX_DUAL_ROOT_HOSTS)?;
    let mut topology = single(hosts)?;
    let leaf = topology.switches[0].name.clone();
    for number in 2..=3 {
        let root = Switch {
            name: format!("s{number}"),
            address: format!("127.0.0.1:{}", FIRST_PORT + number - 1),
            device_id: number.into(),
        };
        topology.links.push(SwitchLink {
            leaf: SwitchPort {
                switch: leaf.clone(),
                port: hosts + number - 1,
            },
            root: SwitchPort {
                switch: root.name.clone(),
                port: 1,
            },
        });
        topology.switches.push(root);
    }
    Ok(topology)
}

fn check(name: &'static str, hosts: u16, most: u16) -> Result<(), TopologyError> {
    if (1..=most).contains(&hosts) {
        return Ok(());
    }
    Err(TopologyError::HostCount {
        name,
        found: hosts.to_string(),
        most,
    })
}
