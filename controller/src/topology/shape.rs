//! The shapes that a deployment or a simulated one can be wired in.

use super::{Topology, TopologyError};
use serde::{Deserialize, Serialize};

/// How switches are wired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One switch, which is the root.
    #[default]
    Single,
    /// A leaf that has all hosts, and two roots above it.
    DualRoot,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 2] = [Self::Single, Self::DualRoot];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::DualRoot => "dual-root",
        }
    }

    /// The topology of this shape with so many hosts; see [`Topology::single`] and
    /// [`Topology::dual_root`].
    pub fn of_hosts(self, hosts: u16) -> Result<Topology, TopologyError> {
        match self {
            Self::Single => Topology::single(hosts),
            Self::DualRoot => Topology::dual_root(hosts),
        }
    }

    /// How many switches it has.
    pub fn switches(self) -> usize {
        match self {
            Self::Single => 1,
            Self::DualRoot => 3,
        }
    }

    /// How many wires between them.
    pub fn trunks(self) -> usize {
        self.switches() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_the_switches_and_wires_that_it_says() {
        for shape in Shape::ALL {
            let topology = shape.of_hosts(4).unwrap();
            let built = (topology.switches.len(), topology.links.len());
            assert_eq!(
                built,
                (shape.switches(), shape.trunks()),
                "{}",
                shape.name()
            );
        }
    }
}
