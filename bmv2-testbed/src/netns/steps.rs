//! The settings of every interface, as a list of steps that can be read, tested and cut short.
//!
//! The list is the one place that says what a lab changes, and why. The tests that show what breaks
//! without each setting are in `lab/tests.rs`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command::{run, tokened};
use super::error::LabError;
use super::inside::inside;
use super::plan::{Link, Plan, spoken_mac};

/// The addresses of all groups.
pub(super) const GROUP_PREFIX: &str = "239.77.0.0/16";

/// How long an interface may take from being set up to carrying frames: the kernel takes at most
/// about a second.
const CARRIER_PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked at.
const CARRIER_POLL: Duration = Duration::from_millis(5);

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
    /// Nothing but waiting until an interface carries frames.
    Await {
        namespace: String,
        interface: String,
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
        add_pair(&mut steps, link, host.mac, plan.mtu);
        add_offloads(&mut steps, &link.host_namespace, &link.host_interface);
        add_offloads(&mut steps, &link.switch_namespace, &link.switch_interface);
        add_interface_settings(&mut steps, link);
        let address = format!("{}/{}", Ipv4Addr::from(host.ip), host.prefix_length);
        add_host_addresses(&mut steps, link, &address);
        let up = ["link", "set", "dev", &link.switch_interface, "up"];
        steps.push(ip_in(&link.switch_namespace, &up));
    }
    for trunk in plan.trunks() {
        add_trunk(&mut steps, trunk, plan.mtu);
    }
    for link in &plan.links {
        for (namespace, interface) in [
            (&link.host_namespace, &link.host_interface),
            (&link.switch_namespace, &link.switch_interface),
        ] {
            let (namespace, interface) = (namespace.clone(), interface.clone());
            steps.push(Step::Await {
                namespace,
                interface,
            });
        }
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
fn add_pair(steps: &mut Vec<Step>, link: &Link, mac: [u8; 6], mtu: u16) {
    let mtu = mtu.to_string();
    steps.push(ip(&[
        "link",
        "add",
        "name",
        &link.host_interface,
        "netns",
        &link.host_namespace,
        "mtu",
        &mtu,
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
        &mtu,
    ]));
}

/// A veth pair between two switches, with both ends in their one namespace. Neither end has an
/// address: what arrives is for the switch program alone.
fn add_trunk(steps: &mut Vec<Step>, trunk: &Link, mtu: u16) {
    let mtu = mtu.to_string();
    let namespace = trunk.switch_namespace.as_str();
    let (lower, upper) = (
        trunk.switch_interface.as_str(),
        trunk.host_interface.as_str(),
    );
    steps.push(ip(&[
        "link", "add", "name", upper, "netns", namespace, "mtu", &mtu, "type", "veth", "peer",
        "name", lower, "netns", namespace, "mtu", &mtu,
    ]));
    for interface in [lower, upper] {
        add_offloads(steps, namespace, interface);
        steps.push(setting(
            namespace,
            &format!("ipv6/conf/{interface}/disable_ipv6"),
            "1",
        ));
    }
    for interface in [lower, upper] {
        steps.push(ip_in(namespace, &["link", "set", "dev", interface, "up"]));
    }
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
            Self::Await {
                namespace,
                interface,
            } => await_carrier(tools, namespace, interface),
            Self::Setting {
                namespace,
                key,
                value,
            } => write_setting(namespace, key, value),
        }
    }
}

/// Waits until an interface is up, not only set up.
///
/// It could go: (1) one end is set up and has no carrier, for the other is down, (2) the other is
/// set up, which gives both a carrier, but for the first the kernel only notes that it is to be
/// put to work, (3) a program sends and the frame is dropped without a word, (4) the kernel gets
/// to its note.
fn await_carrier(tools: &Tools, namespace: &str, interface: &str) -> Result<(), LabError> {
    let deadline = Instant::now() + CARRIER_PATIENCE;
    loop {
        let mut command = tokened(&tools.ip, &tools.token);
        command.args(["-n", namespace, "-o", "link", "show", "dev", interface]);
        let shown = run(command)?;
        if shown.contains(" state UP ") {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let interface = format!("{interface} in {namespace}");
            let waited_s = CARRIER_PATIENCE.as_secs();
            return Err(LabError::NoCarrier {
                interface,
                waited_s,
                shown: shown.trim().to_owned(),
            });
        }
        std::thread::sleep(CARRIER_POLL);
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
    use super::super::plan::JUMBO_MTU;
    use super::super::testing::hosts;
    use super::*;

    #[test]
    fn a_namespace_is_marked_and_silent_before_its_first_link() {
        let plan = Plan::new("quick", &hosts(1), JUMBO_MTU).unwrap();
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
        let plan = Plan::new("quick", &hosts(1), JUMBO_MTU).unwrap();
        let steps = steps(&plan, "the-token");
        let up = ip_in("db-quick-h1", &["link", "set", "dev", "h1-eth0", "up"]);
        let up = steps.iter().position(|step| *step == up).unwrap();
        let late = steps[up..]
            .iter()
            .any(|step| matches!(step, Step::Setting { .. } | Step::Ethtool { .. }));
        assert!(
            !late,
            "a setting comes after the interface is up: {:?}",
            &steps[up..]
        );
    }
}
