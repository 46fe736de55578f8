//! P4Runtime for downbeat: the messages, typed and named access to them by P4Info, and a client.
//!
//! * [`proto`] holds the messages and the service as generated from `proto/`; [`v1`] and
//!   [`config`] are short names for the two packages.
//! * [`P4Info`] answers by name or id what a program has: tables, actions, registers, counters.
//! * [`bytestring`] is the one place that knows how integers are written.
//! * [`table`] lets a controller write table entries as Rust types that were checked against the
//!   P4Info at start.
//! * [`Client`] holds a session with one switch.
//!
//! What is not here: the server (see `sequencer::server`), and any opinion on which entries a
//! switch should have (see `controller`).
//!
//! The words follow the P4Runtime specification 1.4.1.

pub mod bytestring;
pub mod client;
mod code;
mod describe;
mod entity;
pub mod p4info;
mod status;
pub mod table;

pub use client::{Client, ClientError, ConnectOptions};
pub use code::Code;
pub use describe::{Description, describe};
pub use entity::{ElectionId, MulticastGroup, Replica, entity_of_group, update_of};
pub use p4info::P4Info;
pub use status::{decode_details, encode_details};
pub use table::{BoundTable, Entry};

/// The messages and the service, generated from `proto/`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/, where the fields are described"
)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/proto.rs"));
}

pub use prost_types::Any;
pub use proto::p4::config::v1 as config;
pub use proto::p4::v1;

/// The version of the specification that messages, client and server follow.
pub const API_VERSION: &str = "1.4.1";

/// The descriptors of all messages, for reflection: what the text form is parsed by.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/p4runtime.binpb"));
