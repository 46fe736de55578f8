//! Load on a deployment: many logical clients on one thread, whose operations and times come from
//! [`mod@bench`], and what the deployment's processes spent meanwhile.
//!
//! - [`callers`]: the clients
//! - [`processor`]: processor time of processes
//!
//! The clients are the same code that applications use ([`client::ClientNode`]); only who calls
//! them is another.

mod callers;
mod processor;

pub use callers::{Load, LoadSettings, Progress};
pub use processor::ProcessorTime;

use crate::deployment::Deployment;
use crate::roles::{RoleError, client_settings};
use bench::recorder::Recorder;
use client::ClientNode;
use link::{Endpoint, StopFlag, WaitPolicy};
use std::time::Duration;

/// A request that is not answered for so long counts as failed.
pub const GIVE_UP: Duration = Duration::from_secs(5);

/// How the generator waits for packets.
pub const WAIT: &str = "block";

/// What came of a load.
#[derive(Debug)]
pub struct Loaded {
    /// Every sample.
    pub recorder: Recorder,
    /// When the run ended, in nanoseconds since it began.
    pub end_ns: u64,
}

/// Runs the load on this thread until all its clients are done, or `stop` is raised.
pub fn run(
    deployment: &Deployment,
    endpoint: Box<dyn Endpoint>,
    load: Load,
    stop: &StopFlag,
) -> Result<Loaded, RoleError> {
    let settings = client_settings(deployment, GIVE_UP);
    let node = ClientNode::with_callers(settings, endpoint, load)?;
    let mut nodes = [node];
    link::run_nodes(&mut nodes, stop, WaitPolicy::Block)?;
    let [node] = nodes;
    node.into_callers().finish()
}
