//! What requests mean for one device, and with which code they fail. Pure: no gRPC, no clock.
//!
//! | module | what it holds |
//! |---|---|
//! | `bind` | whether a P4Info and a compiled program are the same program |
//! | `pipeline` | loading, reconciling, telling which program there is |
//! | `write` | batches and their atomicity |
//! | `table`, `convert` | table entries and direct counters |
//! | `replication` | multicast groups |
//! | `cells` | registers and counters |
//! | `read` | filters |
//! | `stream` | what can be said on the stream besides arbitration |

mod bind;
mod cells;
mod convert;
mod pipeline;
mod read;
mod replication;
mod stream;
mod table;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use p4runtime::{Code, P4Info};

pub use pipeline::Pipeline;
pub use read::{MAX_READ_ENTITIES, MAX_READ_FILTERS};
pub(super) use read::{ReadAnswer, check_read};
pub(super) use stream::{packet_out_refusal, stream_refusal};
pub use write::MAX_UPDATES;
pub(super) use write::check_len;

use super::Failure;
use crate::pipeline::{EntryKey, Switch};

/// The longest metadata of an entry or group.
pub const MAX_METADATA_BYTES: usize = 1024;

/// A switch with its program, or still without one.
#[derive(Clone, Debug, Default)]
pub struct Device {
    running: Option<Running>,
}

impl Device {
    /// A device without a program.
    pub fn new() -> Self {
        Self::default()
    }

    /// A device that has a program from the start.
    pub fn with_pipeline(pipeline: Pipeline) -> Self {
        Self {
            running: Some(Running::new(pipeline)),
        }
    }

    /// The switch, once there is a program.
    pub fn switch(&self) -> Option<&Switch> {
        self.running.as_ref().map(|running| &running.switch)
    }

    /// The switch, once there is a program, to run packets through.
    pub fn switch_mut(&mut self) -> Option<&mut Switch> {
        self.running.as_mut().map(|running| &mut running.switch)
    }

    /// The program's objects, once there is one.
    pub fn info(&self) -> Option<&P4Info> {
        self.running.as_ref().map(|running| &running.config.info)
    }

    fn running(&self) -> Result<&Running, Failure> {
        self.running.as_ref().ok_or_else(no_program)
    }

    fn running_mut(&mut self) -> Result<&mut Running, Failure> {
        self.running.as_mut().ok_or_else(no_program)
    }
}

pub(super) fn no_program() -> Failure {
    let message = "no program is loaded, call SetForwardingPipelineConfig first";
    Failure::new(Code::FailedPrecondition, message)
}

#[derive(Clone, Debug)]
struct Running {
    switch: Switch,
    config: Arc<Config>,
    extras: Extras,
}

impl Running {
    fn new(pipeline: Pipeline) -> Self {
        let (switch, config) = pipeline.into_parts();
        Self {
            switch,
            config,
            extras: Extras::default(),
        }
    }

    /// The P4Info without borrowing the rest.
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }
}

/// A program as it was given.
#[derive(Debug)]
struct Config {
    info: P4Info,
    for_switch: Vec<u8>,
    cookie: Option<u64>,
}

/// What a controller attaches to entries and groups, and the switch itself has no use for.
#[derive(Clone, Debug, Default)]
struct Extras {
    /// By the table's id.
    entries: BTreeMap<(u32, EntryKey), EntryExtras>,
    /// By the table's id.
    defaults: BTreeMap<u32, EntryExtras>,
    groups: BTreeMap<u16, GroupExtras>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct EntryExtras {
    metadata: Vec<u8>,
    controller_metadata: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct GroupExtras {
    metadata: Vec<u8>,
    /// Ports came as byte strings, and are given back so.
    ports_are_bytes: bool,
}

fn check_metadata(metadata: &[u8]) -> Result<(), Failure> {
    if metadata.len() <= MAX_METADATA_BYTES {
        return Ok(());
    }
    let message = format!(
        "metadata has {} bytes, at most {MAX_METADATA_BYTES} are kept",
        metadata.len()
    );
    Err(Failure::new(Code::ResourceExhausted, message))
}
