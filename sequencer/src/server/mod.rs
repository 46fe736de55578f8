//! P4Runtime for the software switch.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Arbitration`] | who may write: streams, election ids, notifications |
//! | [`Device`] | the switch with its program: what an update or a read means, and its code |
//! | [`Core`] | both together without sockets, for the simulator |
//! | [`control_queue`] | the way of jobs into the thread that owns the [`Device`] |
//! | [`serve()`] | gRPC around them |
//!
//! [`Arbitration`], [`Device`] and [`Core`] are pure: no socket, no clock, no thread. The live
//! switch's packet thread owns its [`Device`] and runs the jobs of the queue between two batches of
//! packets; nothing on the way of a packet is locked, and no packet sees half of a job.
//!
//! It follows the P4Runtime specification 1.4.1. What it leaves out it refuses by name with
//! `UNIMPLEMENTED`: roles other than the default one, `VERIFY_AND_SAVE` and `COMMIT`, action
//! profiles, meters, digests, clone sessions, value sets, idle timeouts, backup replicas, packets
//! from and to the controller. Where the specification names two codes, this server answers:
//!
//! - an id that the program does not have: `INVALID_ARGUMENT`, so that `NOT_FOUND` only ever means
//!   "no such entry", which a controller that deletes may ignore;
//! - a value that is too wide or empty: `OUT_OF_RANGE` (section "Bytestrings"), in keys and
//!   parameters too.

mod arbitration;
mod control;
mod core;
mod failure;
mod grpc;
mod semantics;
mod serve;
#[cfg(test)]
mod tests;

pub use arbitration::{Arbitration, MAX_STREAMS, Notice, StreamId};
pub use control::{ControlGone, ControlHandle, ControlJobs, JOB_QUEUE_LEN, control_queue};
pub use core::Core;
pub use failure::Failure;
pub use semantics::{
    Device, MAX_METADATA_BYTES, MAX_READ_ENTITIES, MAX_READ_FILTERS, MAX_UPDATES, Pipeline,
};
pub use serve::{MAX_REQUEST_BYTES, ServeError, serve};
