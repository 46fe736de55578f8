//! The client of a replica group.
//!
//! - [`core`](mod@core): one logical client, pure: what to send, when to retry, when it is done
//! - [`ClientNode`]: many of them behind one endpoint, driven by an event loop
//! - [`Client`]: the handle that applications call
//!
//! A client knows the group's address and its size. It does not know the leader, the members'
//! addresses or the root.

pub mod core;
mod handle;
mod runtime;

pub use handle::{CallError, Client};
pub use runtime::{ClientNode, Settings, Statistics};
