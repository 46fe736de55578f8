//! A `single,N` fabric on one machine: network namespaces, veth pairs and a real bmv2.
//!
//! [`Lab::up`] makes one namespace for the switch and one for each host, joins them by veth pairs
//! and gives every host interface the settings that stamped multicast needs. [`Bmv2`] starts
//! `simple_switch_grpc` in the switch namespace. Any other program (a replica, our own switch, the
//! controller) is started with [`Lab::command_in`] and [`Lab::spawn`]; a socket that lives in a
//! namespace can also be had without a process of its own, through [`inside()`].
//!
//! What it is not: no routes between switches, no rules, no P4Runtime. Those are the controller's.
//!
//! # Where the controller runs
//! In the switch namespace. P4Runtime (and bmv2's Thrift, which listens on all addresses) is then
//! reached over that namespace's own loopback and by nobody else; there is no management network
//! and nothing is ever added to the machine's own namespace. A program outside gets a connection
//! by opening it with [`inside()`]: a socket stays in the namespace in which it was made, whoever
//! uses it. Unix sockets with a path in the run folder pass between namespaces as they are.
//!
//! # Taking down
//! What is about to be made stands in `netns.manifest` in the run folder before it is made, so
//! [`Lab::down_by_manifest`] can clear up after a bringer that was killed at any point. It removes
//! what the manifest names and carries the lab's token: namespaces (as the alias of their `lo`),
//! processes (by pid and start time, and by the environment variable [`TOKEN_VARIABLE`]). The one
//! thing that stays is the empty lock file `/run/downbeat-netns.lock`.

mod bmv2;
mod carriers;
mod command;
mod error;
mod inside;
mod lab;
mod manifest;
mod plan;
mod preflight;
mod process;
mod removal;
mod steps;
#[cfg(test)]
mod testing;
mod thrift;

pub use bmv2::{Bmv2, Bmv2Error, Bmv2Options, Bmv2Program, QueueDepth};
pub use error::LabError;
pub use inside::inside;
pub use lab::Lab;
pub use plan::{HostSpec, TrunkSpec};
pub use preflight::{Missing, MissingThing};
pub(crate) use process::end_all;
pub use process::{Ending, Process, ProcessIdentity, TOKEN_VARIABLE};
pub use removal::Removed;
