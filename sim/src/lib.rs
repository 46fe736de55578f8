//! Virtual time, faults and invariants for the protocol cores; this file is a table of contents.

pub mod cluster;
pub mod history;
pub mod kv;
pub mod linearizability;
