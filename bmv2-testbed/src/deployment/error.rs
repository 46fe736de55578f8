//! What is wrong with a deployment that cannot be.

use super::{Fabric, ProtocolName};
use controller::topology::TopologyError;
use std::io;
use std::path::PathBuf;

/// A deployment that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The file system refused.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No port could be had.
    #[error("cannot find a free port on loopback: {0}")]
    NoPort(io::Error),
    /// The group's size.
    #[error(transparent)]
    GroupSize(#[from] replica::quorum::GroupSizeError),
    /// Spares of a protocol that has no use for them.
    #[error(
        "protocol {} has the same members for ever: leave --spares out, or use --protocol=rounds",
        .0.name()
    )]
    FixedMembers(ProtocolName),
    /// Leaving out the batches of a protocol that cannot do without, or has none.
    #[error(
        "protocol {} has no batches to leave out: leave --batching out (valid with \
         --batching=off: {})",
        .0.name(),
        ProtocolName::names_of(ProtocolName::has_batches_to_leave_out)
    )]
    AlwaysBatches(ProtocolName),
    /// More replicas than a group can have.
    #[error("{spares} spares are not possible: with these replicas valid are 0 to {most}")]
    Spares {
        /// How many were asked for.
        spares: usize,
        /// How many there can be.
        most: usize,
    },
    /// One server is one server.
    #[error(
        "protocol unreplicated takes exactly 1 replica, not {0}; use --replicas=1 or --protocol=spec-paxos"
    )]
    OneServer(usize),
    /// A front door is a member's.
    #[error("{doors} front doors are not possible: valid are 1 to {replicas}, one a replica")]
    Doors {
        /// How many were asked for.
        doors: usize,
        /// How many there can be.
        replicas: usize,
    },
    /// There is no such port.
    #[error("{doors} front doors from port {port} on are not possible: the last port is 65535")]
    DoorPorts {
        /// How many were asked for.
        doors: usize,
        /// The first one's port.
        port: u16,
    },
    /// The topology.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Not as many as there are hosts or replicas.
    #[error("a deployment of this fabric and size has {valid} {what}, not {count}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there must be.
        valid: usize,
    },
    /// More than always.
    #[error("{what} of {ppm} parts per million is not possible, the most is 1000000")]
    Probability {
        /// Of what.
        what: &'static str,
        /// How much.
        ppm: u32,
    },
    /// Harm where nothing of ours is between replica and link.
    #[error(
        "loss and reordering can be put on fabric embedded or tunnel only, not on {}", .0.name()
    )]
    HarmOnKernelLinks(Fabric),
    /// A setting of the links.
    #[error(transparent)]
    Link(#[from] link::LinkError),
    /// The file is not a deployment's.
    #[error("{path} is not a deployment file: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}
