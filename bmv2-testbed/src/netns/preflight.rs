//! What must be there before a lab can be brought up, and how to get it.

use std::fmt;

use rustix::thread::{CapabilitySet, capabilities};

use super::command::find_program;

/// One thing that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingThing {
    /// What is missing.
    pub what: String,
    /// The command that gets it.
    pub get: String,
}

/// Everything that is not there; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// One element for each thing.
    pub things: Vec<MissingThing>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, thing) in self.things.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", thing.what, thing.get)?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

/// The programs a lab needs: name, and the command that installs it.
const PROGRAMS: [(&str, &str); 2] = [
    ("ip", "sudo apt install iproute2"),
    ("ethtool", "sudo apt install ethtool"),
];

/// The capabilities a lab needs: making namespaces, making links, raw sockets of a switch.
const CAPABILITIES: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::NET_RAW, "CAP_NET_RAW"),
];

/// Checks privileges and programs without changing anything.
pub(super) fn preflight() -> Result<(), Missing> {
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    check(effective, |program| find_program(program).is_some())
}

fn check(effective: CapabilitySet, installed: impl Fn(&str) -> bool) -> Result<(), Missing> {
    let mut things = Vec::new();
    let absent: Vec<&str> = CAPABILITIES
        .iter()
        .filter(|(capability, _)| !effective.contains(*capability))
        .map(|(_, name)| *name)
        .collect();
    if !absent.is_empty() {
        things.push(MissingThing {
            what: format!("root privileges ({})", absent.join(", ")),
            get: "run it with sudo, in a container with --privileged".to_owned(),
        });
    }
    for (program, get) in PROGRAMS {
        if !installed(program) {
            things.push(MissingThing {
                what: format!("program `{program}`"),
                get: get.to_owned(),
            });
        }
    }
    if things.is_empty() {
        Ok(())
    } else {
        Err(Missing { things })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_there_passes() {
        assert_eq!(check(CapabilitySet::all(), |_| true), Ok(()));
    }

    #[test]
    fn each_missing_thing_is_named_with_its_command() {
        let missing = check(CapabilitySet::NET_ADMIN, |_| false).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "root privileges (CAP_SYS_ADMIN, CAP_NET_RAW): run it with sudo, in a container with \
             --privileged; program `ip`: sudo apt install iproute2; \
             program `ethtool`: sudo apt install ethtool"
        );
    }

    #[test]
    fn one_missing_program_is_enough() {
        let missing = check(CapabilitySet::all(), |program| program != "ethtool").unwrap_err();
        assert_eq!(missing.things.len(), 1);
    }
}
