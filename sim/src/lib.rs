//! Virtual time, faults and invariants for whole deployments; this file is a table of contents.
//!
//! - [`settings`], [`profile`], [`draw`]: what decides a run, besides its seed
//! - [`schedule`]: the faults of a run as numbered, timed items
//! - [`world`]: the deployment: replicas, root switch, controller, wires, disks, clients
//! - [`oracle`]: the clients, and what they were told
//! - [`invariants`]: what must always hold, one file each; [`checked`]: the state machine's watch,
//!   `clocked`: its time
//! - [`run`], [`sweep`], [`shrink`], [`report`]: one run, many, a smaller failing one, in words
//! - [`mutant`]: deliberate breaks of replicas, root and controller; [`mutants`]: the hunt that
//!   must catch each
//! - [`event_log`]: what happened, a line an event
//! - [`history`], [`linearizability`], [`kv`]: the checker, for histories from anywhere

pub mod checked;
mod clocked;
pub mod draw;
pub mod event_log;
pub mod history;
pub mod invariants;
pub mod kv;
pub mod linearizability;
pub mod mutant;
pub mod mutants;
pub mod oracle;
pub mod profile;
pub mod report;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod shrink;
pub mod sweep;
pub mod world;
