//! Mininet's syntax for topologies: a name, then arguments behind commas.

use std::net::Ipv4Addr;

use super::names::number;
use super::{
    DEFAULT_ADDRESS, Host, MAX_SINGLE_HOSTS, Switch, SwitchPort, Topology, TopologyError, nearest,
};
use crate::MacAddress;

/// Mininet's own default for `single`.
const DEFAULT_SINGLE_HOSTS: u16 = 2;

pub(super) fn parse(text: &str) -> Result<Topology, TopologyError> {
    let (name, arguments) = match text.split_once(',') {
        Some((name, arguments)) => (name, Some(arguments)),
        None => (text, None),
    };
    if name != "single" {
        return Err(TopologyError::UnknownTopology {
            found: text.to_owned(),
            nearest: nearest(name, ["single"]),
        });
    }
    let Some(count) = arguments else {
        return single(DEFAULT_SINGLE_HOSTS);
    };
    let digits = count.strip_prefix("k=").unwrap_or(count);
    let hosts = number(digits).ok_or_else(|| TopologyError::HostCount {
        found: count.to_owned(),
    })?;
    single(hosts)
}

pub(super) fn single(hosts: u16) -> Result<Topology, TopologyError> {
    if !(1..=MAX_SINGLE_HOSTS).contains(&hosts) {
        return Err(TopologyError::HostCount {
            found: hosts.to_string(),
        });
    }
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
        groups: Vec::new(),
    })
}
