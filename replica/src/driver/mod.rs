//! What a core needs to live: datagrams, time, a bulk channel, a place to persist.
//!
//! [`ReplicaNode`] is a [`link::Node`]: a thread runs one or several of them. Nothing here knows
//! a protocol's rules; it carries effects out in the order given.

mod bulk;
mod bulk_tcp;
mod node;
mod state_file;

pub use bulk::{BULK_LIMIT, BulkSender, LocalBulk, LocalEnds, local_mesh};
pub use bulk_tcp::{BulkError, TcpBulk};
pub use node::{Command, Group, NodeCounters, ReplicaHandle, ReplicaNode, Report, StatusError};
pub use state_file::{Boot, Identity, StateError, StateFile};
