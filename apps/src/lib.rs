//! Replicated applications and their front doors.
//!
//! [`kv`] is a key-value store as a pure [`replica::StateMachine`] with exact undo; [`resp`]
//! (feature `front`) lets RESP2 and RESP3 clients such as `redis-cli` talk to it; [`null`] is the
//! service that does nothing, to measure by. Not here: how
//! operations are ordered, and how a request reaches the replicas. `docs/redis.md` lists the
//! commands and where they differ from Redis.
#![cfg_attr(not(feature = "front"), no_std)]

extern crate alloc;

pub mod kv;
pub mod null;
#[cfg(feature = "front")]
pub mod resp;
