//! The client of a replica group.
//!
//! - [`core`](mod@core): one logical client, pure: what to send, when to retry, when it is done
//! - [`ClientNode`]: many of them behind one endpoint, driven by an event loop
//! - [`Callers`]: who asks the node, on its own thread or by a handle
//! - [`Client`]: the handle that applications call
//!
//! A client knows the group's address and its size, or, for protocols whose members take requests
//! one by one, the members' addresses. It does not know the leader or the root.

mod callers;
pub mod core;
mod handle;
mod routes;
mod runtime;

pub use callers::{Call, Callers, Handles};
pub use handle::{CallError, Client};
pub use routes::Target;
pub use runtime::{ClientNode, Settings, Statistics, operation_limit};
