//! The software switch of downbeat.
//!
//! [`pipeline`] is its heart: it loads the JSON that p4c makes of a v1model program and runs it,
//! as a value without sockets, threads or clock. [`cases`] reads packet-in packet-out case files.
//! Without feature `driver` the whole crate is `no_std` with `alloc`.
#![cfg_attr(not(feature = "driver"), no_std)]

extern crate alloc;

pub mod cases;
#[cfg(feature = "driver")]
pub mod driver;
pub mod pipeline;
#[cfg(feature = "driver")]
pub mod server;
