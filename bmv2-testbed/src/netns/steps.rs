//! The settings of every interface, as a list of steps that can be read, tested and cut short.
//!
//! The list is the one place that says what a lab changes, and why. The tests that show what breaks
//! without each setting are in `lab/tests.rs`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::command::{run, tokened};
use super::error::LabError;
use super::inside::inside;
use super::plan::{Link, Plan, spoken_mac};

/// MTU of both ends of every link, in bytes: room for messages of 8,900 bytes and the headers.
pub(super) const MTU: &str = "9000";

/// The addresses of all groups.
pub(super) const GROUP_PREFIX: &str = "239.77.0.0/16";

/// One thing that is done to bring a lab up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `ip` with these words.
    Ip(Vec<String>),
    /// `ethtool` with these words, inside a namespace.
    Ethtool {
        namespace: String,
        words: Vec<String>,
    },
    /// A kernel setting below `/proc/sys/net`, inside a namespace.
    Setting {
        namespace: String,
        key: String,
        value: &'static str,
    },
}

/// Where the programs are that the steps run.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) ip: PathBuf,
    pub(super) ethtool: PathBuf,
    pub(super) token: String,
}

/// Everything that has to be done for the plan, in order.
pub(super) fn steps(plan: &Plan, token: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    add_namespace(&mut steps, &plan.switch_namespace, token);
    for (link, host) in plan.links.iter().zip(&plan.hosts) {
        add_namespace(&mut steps, &link.host_namespace, token);
        add_host_settings(&mut steps, &link.host_namespace);
        add_pair(&mut steps, link, host.mac);
        add_offloads(&mut steps, &link.host_namespace, &link.host_interface);
        add_offloads(&mut steps, &link.switch_namespace, &link.switch_interface);
        add_interface_settings(&mut steps, link);
        let address = format!("{}/{}", Ipv4Addr::from(host.ip), host.prefix_length);
        add_host_addresses(&mut steps, link, &address);
        let up = ["link", "set", "dev", &link.switch_interface, "up"];
        steps.push(ip_in(&link.switch_namespace, &up));
    }
    steps
}

/// A namespace that carries the token, with loopback up and IPv6 off before the first link.
fn add_namespace(steps: &mut Vec<Step>, namespace: &str, token: &str) {
    steps.push(ip(&["netns", "add", namespace]));
    steps.push(ip_in(
        namespace,
        &["link", "set", "dev", "lo", "alias", token, "up"],
    ));
    for scope in ["all", "default"] {
        // IPv6 would send router solicitations and listener reports into a fabric that is to be
        // silent when idle.
        steps.push(setting(
            namespace,
            &format!("ipv6/conf/{scope}/disable_ipv6"),
            "1",
        ));
        // New namespaces take these from the machine, where a distribution may have set them:
        // a stamped copy comes from wherever its sender is, not from where the route points.
        steps.push(setting(
            namespace,
            &format!("ipv4/conf/{scope}/rp_filter"),
            "0",
        ));
    }
    // The switch program forwards; the kernel must not do so as well (a machine that runs
    // containers has this on and new namespaces take it over).
    steps.push(setting(namespace, "ipv4/ip_forward", "0"));
}

/// A member receives its own message back, stamped, with its own source address: Linux drops such
/// a packet as a forgery unless told otherwise.
fn add_host_settings(steps: &mut Vec<Step>, namespace: &str) {
    for scope in ["all", "default"] {
        steps.push(setting(
            namespace,
            &format!("ipv4/conf/{scope}/accept_local"),
            "1",
        ));
    }
}

/// The veth pair, each end made where it belongs: the machine's own namespace never sees it.
fn add_pair(steps: &mut Vec<Step>, link: &Link, mac: [u8; 6]) {
    steps.push(ip(&[
        "link",
        "add",
        "name",
        &link.host_interface,
        "netns",
        &link.host_namespace,
        "mtu",
        MTU,
        "address",
        &spoken_mac(mac),
        "type",
        "veth",
        "peer",
        "name",
        &link.switch_interface,
        "netns",
        &link.switch_namespace,
        "mtu",
        MTU,
    ]));
}

/// Checksums are to be computed by the sender: across a veth pair the kernel would leave them out,
/// the switch would pass the frame on as it is and the receiver would find them wrong.
/// Segmentation and coalescing off: a switch is to see the frames that were sent.
fn add_offloads(steps: &mut Vec<Step>, namespace: &str, interface: &str) {
    let words = [
        "-K", interface, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
    ];
    let words = words.map(str::to_owned).to_vec();
    steps.push(Step::Ethtool {
        namespace: namespace.to_owned(),
        words,
    });
}

/// Interfaces took over `default` when they were made; said again for each, since a reader of
/// `sysctl` looks there.
fn add_interface_settings(steps: &mut Vec<Step>, link: &Link) {
    let Link {
        host_namespace,
        host_interface,
        switch_namespace,
        switch_interface,
    } = link;
    for (namespace, interface) in [
        (host_namespace, host_interface),
        (switch_namespace, switch_interface),
    ] {
        steps.push(setting(
            namespace,
            &format!("ipv4/conf/{interface}/rp_filter"),
            "0",
        ));
        steps.push(setting(
            namespace,
            &format!("ipv6/conf/{interface}/disable_ipv6"),
            "1",
        ));
    }
    let accept_local = format!("ipv4/conf/{host_interface}/accept_local");
    steps.push(setting(host_namespace, &accept_local, "1"));
}

/// Address, up, and the route that lets a program send to a group without naming an interface.
fn add_host_addresses(steps: &mut Vec<Step>, link: &Link, address: &str) {
    let interface = link.host_interface.as_str();
    let namespace = link.host_namespace.as_str();
    steps.push(ip_in(
        namespace,
        &["address", "add", address, "dev", interface],
    ));
    steps.push(ip_in(namespace, &["link", "set", "dev", interface, "up"]));
    steps.push(ip_in(
        namespace,
        &["route", "add", GROUP_PREFIX, "dev", interface],
    ));
}

fn ip(words: &[&str]) -> Step {
    Step::Ip(words.iter().map(|word| (*word).to_owned()).collect())
}

fn ip_in(namespace: &str, words: &[&str]) -> Step {
    ip(&[&["-n", namespace], words].concat())
}

fn setting(namespace: &str, key: &str, value: &'static str) -> Step {
    Step::Setting {
        namespace: namespace.to_owned(),
        key: key.to_owned(),
        value,
    }
}

impl Step {
    /// Does it.
    pub(super) fn take(&self, tools: &Tools) -> Result<(), LabError> {
        match self {
            Self::Ip(words) => {
                let mut command = tokened(&tools.ip, &tools.token);
                command.args(words);
                run(command).map(drop)
            }
            Self::Ethtool { namespace, words } => {
                let mut command = tokened(&tools.ip, &tools.token);
                command
                    .args(["netns", "exec", namespace])
                    .arg(&tools.ethtool)
                    .args(words);
                run(command).map(drop)
            }
            Self::Setting {
                namespace,
                key,
                value,
            } => write_setting(namespace, key, value),
        }
    }
}

/// Writes a kernel setting of a namespace. A kernel without IPv6 has none of its settings, and
/// then there is nothing to turn off.
pub(super) fn write_setting(namespace: &str, key: &str, value: &str) -> Result<(), LabError> {
    const ROOT: &str = "/proc/sys/net";
    let path = Path::new(ROOT).join(key);
    let written = inside(namespace, || {
        if key.starts_with("ipv6/") && !Path::new(ROOT).join("ipv6").exists() {
            return Ok(());
        }
        std::fs::write(&path, value)
    });
    written
        .and_then(|result| result)
        .map_err(LabError::io("write the kernel setting", &path))
}

#[cfg(test)]
mod tests {
    use super::super::testing::hosts;
    use super::*;

    #[test]
    fn a_namespace_is_marked_and_silent_before_its_first_link() {
        let plan = Plan::new("quick", &hosts(1)).unwrap();
        let steps = steps(&plan, "the-token");
        let position = |wanted: &Step| steps.iter().position(|step| step == wanted).unwrap();
        let made = position(&ip(&["netns", "add", "db-quick-h1"]));
        let alias = ["link", "set", "dev", "lo", "alias", "the-token", "up"];
        assert_eq!(position(&ip_in("db-quick-h1", &alias)), made + 1);
        let silent = position(&setting(
            "db-quick-h1",
            "ipv6/conf/default/disable_ipv6",
            "1",
        ));
        let first_link = steps
            .iter()
            .position(|step| matches!(step, Step::Ip(words) if words.contains(&"veth".to_owned())))
            .unwrap();
        assert!(silent < first_link);
    }

    #[test]
    fn an_interface_is_up_only_when_its_settings_are_made() {
        let plan = Plan::new("quick", &hosts(1)).unwrap();
        let steps = steps(&plan, "the-token");
        let up = ip_in("db-quick-h1", &["link", "set", "dev", "h1-eth0", "up"]);
        let up = steps.iter().position(|step| *step == up).unwrap();
        let late = steps[up..].iter().any(|step| !matches!(step, Step::Ip(_)));
        assert!(
            !late,
            "a setting comes after the interface is up: {:?}",
            &steps[up..]
        );
    }
}
