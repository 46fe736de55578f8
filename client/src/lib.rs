//! The client of a replica group.
//!
//! - [`core`](mod@core): one logical client, pure: what to send, when to retry, when it is done
//!
//! A client knows the group's address and its size. It does not know the leader, the members'
//! addresses or the root.

pub mod core;
