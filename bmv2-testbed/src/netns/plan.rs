//! The names of everything in a lab, worked out and checked before anything is made.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::error::LabError;

/// The highest port: v1model has nine bits and bmv2 keeps 511 for dropping.
const MAX_SWITCH_PORT: u16 = 510;

/// Longest run name, in characters.
const MAX_RUN_LENGTH: usize = 40;

/// Longest host name: the kernel allows 15 characters for `<host>-eth0`.
const MAX_HOST_NAME_LENGTH: usize = 10;

/// MTU of an ordinary Ethernet, in bytes: room for messages of 1,400 bytes with their headers.
const STANDARD_MTU: u16 = 1_500;

/// MTU with room for messages of 8,900 bytes with their headers, in bytes.
pub(super) const JUMBO_MTU: u16 = 9_000;

/// The switch's name in namespaces and interfaces, as Mininet would call it.
const SWITCH: &str = "s1";

/// One host of the topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// Short name such as `h1`: a lower-case letter, then lower-case letters and digits, at most
    /// 10 characters, not `s1`, which is the switch.
    pub name: String,
    /// IPv4 address of the host's interface.
    pub ip: [u8; 4],
    /// Length of its network prefix, in bits, 1 to 32.
    pub prefix_length: u8,
    /// Ethernet address of the host's interface; unicast and not all zero.
    pub mac: [u8; 6],
    /// Port of the switch that it is plugged into, 1 to 510.
    pub switch_port: u16,
}

/// A wire between two switches of one namespace, each end a switch's short name, such as `s2`, and
/// its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkSpec {
    /// The end at the switch that has the hosts.
    pub lower: (String, u16),
    /// The end at the other one.
    pub upper: (String, u16),
}

/// A veth pair between a host and the switch, or inside the switch's namespace between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) host_namespace: String,
    pub(super) host_interface: String,
    pub(super) switch_namespace: String,
    pub(super) switch_interface: String,
}

/// A checked topology with its names.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) run: String,
    pub(super) switch_namespace: String,
    pub(super) hosts: Vec<HostSpec>,
    /// One for each host, in the same order; then those between switches.
    pub(super) links: Vec<Link>,
    /// MTU of both ends of every link, in bytes.
    pub(super) mtu: u16,
}

impl Plan {
    pub(super) fn new(run: &str, hosts: &[HostSpec], mtu: u16) -> Result<Self, LabError> {
        check_run(run)?;
        if !(STANDARD_MTU..=JUMBO_MTU).contains(&mtu) {
            let valid = format!("{STANDARD_MTU} to {JUMBO_MTU} bytes are valid");
            return Err(LabError::Plan {
                what: "MTU",
                value: mtu.to_string(),
                valid,
            });
        }
        if hosts.is_empty() || hosts.len() > usize::from(MAX_SWITCH_PORT) {
            return Err(LabError::Plan {
                what: "number of hosts",
                value: hosts.len().to_string(),
                valid: format!("1 to {MAX_SWITCH_PORT} are valid"),
            });
        }
        for host in hosts {
            check_host(host)?;
        }
        distinct("host name", hosts.iter().map(|host| host.name.clone()))?;
        distinct(
            "address",
            hosts.iter().map(|host| Ipv4Addr::from(host.ip).to_string()),
        )?;
        distinct(
            "Ethernet address",
            hosts.iter().map(|host| spoken_mac(host.mac)),
        )?;
        distinct(
            "switch port",
            hosts.iter().map(|host| host.switch_port.to_string()),
        )?;
        let switch_namespace = format!("db-{run}-{SWITCH}");
        let links = hosts
            .iter()
            .map(|host| Link {
                host_namespace: format!("db-{run}-{}", host.name),
                host_interface: format!("{}-eth0", host.name),
                switch_namespace: switch_namespace.clone(),
                switch_interface: switch_interface(host.switch_port),
            })
            .collect();
        Ok(Self {
            mtu,
            run: run.to_owned(),
            switch_namespace,
            hosts: hosts.to_vec(),
            links,
        })
    }

    /// Adds wires between switches.
    pub(super) fn with_trunks(mut self, trunks: &[TrunkSpec]) -> Result<Self, LabError> {
        for trunk in trunks {
            let [lower, upper] = [&trunk.lower, &trunk.upper].map(|(switch, port)| {
                check_switch(switch, *port).map(|()| interface_of(switch, *port))
            });
            let (lower, upper) = (lower?, upper?);
            self.links.push(Link {
                host_namespace: self.switch_namespace.clone(),
                host_interface: upper,
                switch_namespace: self.switch_namespace.clone(),
                switch_interface: lower,
            });
        }
        let ends = |link: &Link| [link.host_interface.clone(), link.switch_interface.clone()];
        distinct("interface", self.links.iter().flat_map(ends))?;
        Ok(self)
    }

    /// The wires between switches.
    pub(super) fn trunks(&self) -> &[Link] {
        &self.links[self.hosts.len()..]
    }

    /// All namespaces, the switch's first.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        let of_hosts = self.links[..self.hosts.len()].iter();
        std::iter::once(self.switch_namespace.as_str())
            .chain(of_hosts.map(|link| link.host_namespace.as_str()))
    }
}

/// The first switch's interface behind a port.
pub(super) fn switch_interface(port: u16) -> String {
    interface_of(SWITCH, port)
}

/// A switch's interface behind a port.
pub(super) fn interface_of(switch: &str, port: u16) -> String {
    format!("{switch}-eth{port}")
}

/// An Ethernet address the way `ip` reads it.
pub(super) fn spoken_mac(mac: [u8; 6]) -> String {
    let mut text = String::with_capacity(17);
    for (index, byte) in mac.iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        write!(text, "{separator}{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// Whether a name is one that a lab gives to namespaces or interfaces. Nothing else is ever passed
/// to a command that removes, whatever a manifest says.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn check_run(run: &str) -> Result<(), LabError> {
    if is_plain_name(run) && run.len() <= MAX_RUN_LENGTH {
        return Ok(());
    }
    Err(LabError::Plan {
        what: "run name",
        value: run.to_owned(),
        valid: format!(
            "1 to {MAX_RUN_LENGTH} lower-case letters, digits and hyphens are valid, \
             not starting with a hyphen"
        ),
    })
}

fn check_switch(name: &str, port: u16) -> Result<(), LabError> {
    let is_good = name.strip_prefix('s').is_some_and(|number| {
        (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let refuse = |what, value, valid: &str| {
        Err(LabError::Plan {
            what,
            value,
            valid: valid.to_owned(),
        })
    };
    if !is_good {
        let valid = "s and a number of up to three digits are valid";
        return refuse("switch name", name.to_owned(), valid);
    }
    if !(1..=MAX_SWITCH_PORT).contains(&port) {
        return refuse("switch port", port.to_string(), "1 to 510 are valid");
    }
    Ok(())
}

fn check_host(host: &HostSpec) -> Result<(), LabError> {
    let refuse = |what, value, valid: &str| {
        Err(LabError::Plan {
            what,
            value,
            valid: valid.to_owned(),
        })
    };
    let name = host.name.as_bytes();
    let name_is_good = name.first().is_some_and(u8::is_ascii_lowercase)
        && name.len() <= MAX_HOST_NAME_LENGTH
        && name
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && host.name != SWITCH;
    if !name_is_good {
        let valid = "a lower-case letter, then lower-case letters and digits are valid, \
                     at most 10 characters, and s1 is the switch";
        return refuse("host name", host.name.clone(), valid);
    }
    let ip = Ipv4Addr::from(host.ip);
    if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.is_loopback() {
        return refuse("address", ip.to_string(), "a unicast address is valid");
    }
    if !(1..=32).contains(&host.prefix_length) {
        return refuse(
            "prefix length",
            host.prefix_length.to_string(),
            "1 to 32 bits are valid",
        );
    }
    if host.mac[0] & 1 == 1 || host.mac == [0; 6] {
        let valid = "a unicast address is valid, such as 02:00:00:00:00:01";
        return refuse("Ethernet address", spoken_mac(host.mac), valid);
    }
    if !(1..=MAX_SWITCH_PORT).contains(&host.switch_port) {
        return refuse(
            "switch port",
            host.switch_port.to_string(),
            "1 to 510 are valid",
        );
    }
    Ok(())
}

fn distinct(what: &'static str, values: impl Iterator<Item = String>) -> Result<(), LabError> {
    let mut seen = BTreeSet::new();
    for value in values {
        if let Some(value) = seen.replace(value) {
            return Err(LabError::Plan {
                what,
                value,
                valid: "two hosts have it".to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::hosts;
    use super::*;

    fn refusal(run: &str, change: impl FnOnce(&mut Vec<HostSpec>)) -> String {
        let mut specs = hosts(2);
        change(&mut specs);
        Plan::new(run, &specs, JUMBO_MTU).unwrap_err().to_string()
    }

    #[test]
    fn everything_is_named_after_the_run() {
        let plan = Plan::new("quick", &hosts(2), JUMBO_MTU).unwrap();
        let names: Vec<&str> = plan.namespaces().collect();
        assert_eq!(names, ["db-quick-s1", "db-quick-h1", "db-quick-h2"]);
        assert_eq!(plan.links[1].host_interface, "h2-eth0");
        assert_eq!(plan.links[1].switch_interface, "s1-eth2");
    }

    #[test]
    fn switches_are_wired_inside_their_namespace() {
        let trunk = |lower: (&str, u16), upper: (&str, u16)| TrunkSpec {
            lower: (lower.0.to_owned(), lower.1),
            upper: (upper.0.to_owned(), upper.1),
        };
        let plan = |trunks: &[TrunkSpec]| {
            Plan::new("quick", &hosts(2), JUMBO_MTU)
                .unwrap()
                .with_trunks(trunks)
        };
        let made = plan(&[trunk(("s1", 3), ("s2", 1))]).unwrap();
        assert_eq!(made.namespaces().count(), 3);
        assert_eq!(made.trunks()[0].host_interface, "s2-eth1");
        assert_eq!(made.trunks()[0].switch_interface, "s1-eth3");
        let refused = |trunk| plan(&[trunk]).unwrap_err().to_string();
        let taken = refused(trunk(("s1", 2), ("s2", 1)));
        assert!(taken.starts_with("interface `s1-eth2`"), "{taken}");
        let name = refused(trunk(("s1", 3), ("../x", 1)));
        assert!(name.starts_with("switch name `../x`"), "{name}");
    }

    #[test]
    fn names_that_could_harm_are_refused() {
        for run in ["", "-n", "a/b", "..", "A", "a b", &"x".repeat(41)] {
            assert!(refusal(run, |_| ()).starts_with("run name `"), "{run}");
        }
        for name in ["", "s1", "1h", "h-1", "h1/..", "h1234567890"] {
            let text = refusal("quick", |specs| specs[0].name = name.to_owned());
            assert!(text.starts_with("host name `"), "{text}");
        }
    }

    #[test]
    fn two_hosts_never_share_a_name_address_or_port() {
        let same = [
            refusal("quick", |specs| specs[1].name = specs[0].name.clone()),
            refusal("quick", |specs| specs[1].ip = specs[0].ip),
            refusal("quick", |specs| specs[1].mac = specs[0].mac),
            refusal("quick", |specs| specs[1].switch_port = specs[0].switch_port),
        ];
        assert_eq!(
            same,
            [
                "host name `h1` cannot be used: two hosts have it",
                "address `10.0.0.1` cannot be used: two hosts have it",
                "Ethernet address `02:00:00:00:00:01` cannot be used: two hosts have it",
                "switch port `1` cannot be used: two hosts have it",
            ]
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for mtu in [1_499, 9_001] {
            let text = Plan::new("quick", &hosts(1), mtu).unwrap_err().to_string();
            let valid = "cannot be used: 1500 to 9000 bytes are valid";
            assert_eq!(text, format!("MTU `{mtu}` {valid}"));
        }
        assert!(refusal("quick", |specs| specs[0].ip = [239, 77, 0, 1]).contains("239.77.0.1"));
        assert!(refusal("quick", |specs| specs[0].prefix_length = 33).contains("33"));
        assert!(refusal("quick", |specs| specs[0].mac[0] = 1).contains("01:00"));
        assert!(refusal("quick", |specs| specs[0].switch_port = 511).contains("511"));
        assert!(refusal("quick", |specs| specs[0].switch_port = 0).contains("`0`"));
        assert!(refusal("quick", Vec::clear).contains("number of hosts `0`"));
    }
}
