//! Brings a whole deployment up on one machine.
//!
//! - [`Deployment`]: what there is and where, as a file that every role reads
//! - [`roles`]: one function a role: switch, controller, replica, front door
//! - [`embedded`]: all roles in this process, over in-process links
//! - [`processes`]: one process a role, over UDP tunnels or in network namespaces
//! - [`netns`]: namespaces, veth pairs and bmv2; [`lab`]: a deployment's use of them
//! - [`status`]: how a role tells what it is doing, and how that is asked for
//!
//! The same cores, the same controller and the same switch program run in every form.

pub mod artifacts;
pub mod deployment;
pub mod embedded;
pub mod lab;
pub mod load;
pub mod netns;
mod ports;
pub mod processes;
pub mod roles;
pub mod status;

pub use deployment::{Deployment, Fabric, ProtocolName, Shape};
