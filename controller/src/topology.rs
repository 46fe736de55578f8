//! Which switches, hosts and groups there are.
//!
//! A topology comes from Mininet's syntax (`single,3`) or from a TOML file, and is written back as
//! TOML. It says nothing of terms or rules; see `plan` for those, nor of which root stamps for a
//! group at the moment; see `placement`.
//!
//! The members of a group are all behind one switch, the leaf. Without links it is the group's
//! root; with links each switch above it can be.

mod names;
mod roots;
mod shape;
mod spec;
#[cfg(test)]
mod tests;
mod validate;

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::MacAddress;
pub use names::{Member, SwitchPort};
pub use shape::Shape;

/// `single,N` has at most this many hosts: 10.0.0.1 to 10.0.0.250.
pub const MAX_SINGLE_HOSTS: u16 = 250;

/// `dual-root,N` has at most this many hosts, so that the leaf has ports left for its roots.
pub const MAX_DUAL_ROOT_HOSTS: u16 = MAX_SINGLE_HOSTS;

/// A topology has at most this many hosts: as many routes as a switch has room for.
pub const MAX_HOSTS: usize = 4096;

/// A topology has at most this many switches.
pub const MAX_SWITCHES: usize = 1024;

/// A switch can be the root of this many groups.
pub const MAX_GROUPS: usize = 1024;

/// The members of all groups of a switch together.
pub const MAX_MEMBERS_OF_SWITCH: usize = 8192;

/// A group has at most this many members: the bitmap in the stamp has 32 bits.
pub const MAX_MEMBERS: usize = 32;

/// The last port of a switch that a host can have; 511 means "drop".
pub const MAX_PORT: u16 = 510;

/// The longest round is 2^30 µs, about 18 minutes.
pub const MAX_ROUND_SHIFT: u8 = 30;

/// Rounds of 256 µs, for switches in software of ours; bmv2 wants 12, about 4 ms.
pub const DEFAULT_ROUND_SHIFT: u8 = 8;

/// Where the first switch of `single,N` listens.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9559";

/// A topology file is not read beyond this.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// Switches, hosts and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// At least one.
    #[serde(rename = "switch", default)]
    pub switches: Vec<Switch>,
    /// The hosts of all switches.
    #[serde(rename = "host", default)]
    pub hosts: Vec<Host>,
    /// The wires between switches; there may be none.
    #[serde(rename = "link", default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<SwitchLink>,
    /// The replica groups; there may be none.
    #[serde(rename = "group", default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Such as `s1`.
    pub name: String,
    /// Where its P4Runtime server listens, as host:port.
    pub address: String,
    /// Its number at that server, from 1.
    #[serde(default = "first_device")]
    pub device_id: u64,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Such as `h1`.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its address below that.
    pub mac: MacAddress,
    /// Where it is plugged in, such as `s1:1`.
    pub port: SwitchPort,
}

/// A wire between a switch that has hosts, the leaf, and one above it that has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchLink {
    /// Where it is plugged in below, such as `s1:5`.
    pub leaf: SwitchPort,
    /// Where it is plugged in above, such as `s2:1`.
    pub root: SwitchPort,
}

/// A replica group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// 1 to 65535; its address is 239.77.(id >> 8).(id & 255).
    pub id: u16,
    /// Such as `kv`.
    pub name: String,
    /// Member 0 first; such as `h1:9770`, or `h1` for port 9770.
    pub members: Vec<Member>,
    /// A round lasts 2^`round_shift` µs.
    #[serde(default = "default_round_shift")]
    pub round_shift: u8,
    /// Whether the root stamps the group's packets.
    #[serde(default = "yes")]
    pub stamps: bool,
}

/// Why a text is no topology.
#[derive(Debug, Error)]
pub enum TopologyError {
    /// The name before the comma.
    #[error("topology {found:?} is not known{}; valid is single,N, dual-root,N, or a TOML file", did_you(.nearest.as_ref()))]
    UnknownTopology {
        /// What was given.
        found: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The number of hosts.
    #[error("{found:?} is no number of hosts; valid is {name},1 to {name},{most}")]
    HostCount {
        /// Of which topology.
        name: &'static str,
        /// What was given.
        found: String,
        /// The most that there can be.
        most: u16,
    },
    /// The file cannot be read.
    #[error("cannot read topology file {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has fields of other names or types.
    #[error("topology is not valid TOML: {0}")]
    Toml(String),
    /// A value is not in its form.
    #[error("{found:?} is no {what}; valid is {valid}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// What was given.
        found: String,
        /// What would be right.
        valid: &'static str,
    },
    /// A value is in its form, but cannot be used.
    #[error("{place}: {what} is {found}; valid is {valid}")]
    OutOfRange {
        /// Such as `group 3`.
        place: String,
        /// What is wrong.
        what: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        valid: String,
    },
    /// Two things have what only one can have.
    #[error("{place}: {what} {found} belongs to {owner} already; give each its own")]
    Repeated {
        /// The second one.
        place: String,
        /// What both have.
        what: &'static str,
        /// Its value.
        found: String,
        /// The first one.
        owner: String,
    },
    /// A name that nothing has.
    #[error("{place}: there is no {kind} {found:?}{}; there are {valid}", did_you(.nearest.as_ref()))]
    UnknownName {
        /// Where it stands.
        place: String,
        /// `host` or `switch`.
        kind: &'static str,
        /// The name.
        found: String,
        /// What may have been meant.
        nearest: Option<String>,
        /// Names that there are.
        valid: String,
    },
    /// A group without a root.
    #[error(
        "group {group}: member {first} is at switch {first_switch}, but {second} at \
         {second_switch}; put all members at one switch"
    )]
    TwoSwitches {
        /// The group's name.
        group: String,
        /// A member.
        first: String,
        /// Its switch.
        first_switch: String,
        /// Another member.
        second: String,
        /// Its switch.
        second_switch: String,
    },
    /// A link that is not between a leaf and a root.
    #[error(
        "link {leaf} to {root}: {why}; valid are links from the one switch with hosts up to \
             switches without hosts, one to each"
    )]
    LinkShape {
        /// Its lower end.
        leaf: String,
        /// Its upper end.
        root: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl Topology {
    /// One switch with `hosts` hosts: host i is h`i`, 10.0.0.`i`, 02:00:0a:00:00:`i`, on port i of
    /// switch s1. There are no groups yet.
    pub fn single(hosts: u16) -> Result<Self, TopologyError> {
        spec::single(hosts)
    }

    /// One leaf with `hosts` hosts as in [`Topology::single`], and two roots above it, s2 and s3:
    /// port 1 of each is wired to the leaf's next ports after the hosts'. They listen on the ports
    /// after the leaf's, as devices 2 and 3.
    pub fn dual_root(hosts: u16) -> Result<Self, TopologyError> {
        spec::dual_root(hosts)
    }

    /// Reads Mininet's syntax: `single,N`, `single,k=N`, or `single` for two hosts; and the same
    /// with `dual-root`.
    pub fn from_spec(text: &str) -> Result<Self, TopologyError> {
        spec::parse(text)
    }

    /// Reads the text of a TOML file.
    pub fn from_toml(text: &str) -> Result<Self, TopologyError> {
        let topology: Self =
            toml::from_str(text).map_err(|error| TopologyError::Toml(error.to_string()))?;
        topology.validate()?;
        Ok(topology)
    }

    /// Reads a TOML file.
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        let fail = |source| TopologyError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(fail)?;
        let read = file
            .take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(fail)?;
        if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            let limit = format!("more than {MAX_FILE_BYTES} bytes");
            return Err(fail(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                limit,
            )));
        }
        Self::from_toml(&text)
    }

    /// The text of a TOML file that [`Topology::from_toml`] reads as this very topology.
    pub fn to_toml(&self) -> Result<String, TopologyError> {
        toml::to_string(self).map_err(|error| TopologyError::Toml(error.to_string()))
    }

    /// Adds a group and checks it.
    pub fn add_group(&mut self, group: Group) -> Result<(), TopologyError> {
        self.groups.push(group);
        self.validate().inspect_err(|_| drop(self.groups.pop()))
    }

    /// Checks all that a parser of fields cannot see: names that repeat or do not exist, ports,
    /// addresses and sizes out of range, groups without a root.
    pub fn validate(&self) -> Result<(), TopologyError> {
        validate::validate(self)
    }

    /// The switch of this name.
    pub fn switch(&self, name: &str) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.name == name)
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }
}

impl Group {
    /// A stamped group with the default round length, each member on the stamp's own UDP port.
    pub fn of_hosts<'a>(id: u16, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let members = hosts.into_iter().map(|host| Member {
            host: host.to_owned(),
            udp_port: wire::STAMP_PORT,
        });
        Self {
            id,
            name: format!("g{id}"),
            members: members.collect(),
            round_shift: DEFAULT_ROUND_SHIFT,
            stamps: true,
        }
    }

    /// The Ethernet address that goes with its address, by RFC 1112: 23 bits of it.
    pub fn mac(&self) -> MacAddress {
        let [_, b, c, d] = self.address().octets();
        MacAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// The address that stands for the group.
    pub fn address(&self) -> Ipv4Addr {
        let [a, b] = wire::GROUP_PREFIX;
        let [c, d] = self.id.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    }
}

fn first_device() -> u64 {
    1
}

fn default_round_shift() -> u8 {
    DEFAULT_ROUND_SHIFT
}

fn yes() -> bool {
    true
}

fn did_you(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name:?}?"))
}

/// The name most like `found`, if one is like it at all.
fn nearest<'a>(found: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Below this two names have little in common.
    const SIMILAR: f64 = 0.7;
    valid
        .into_iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.to_owned())
}
