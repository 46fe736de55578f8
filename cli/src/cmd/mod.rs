//! One file a verb.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod figure;
pub(crate) mod kv;
pub(crate) mod members;
pub(crate) mod p4;
pub(crate) mod replay;
pub(crate) mod roles;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod up;
