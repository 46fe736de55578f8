//! Frames in and out.
//!
//! One trait, [`Link`], is an end of a wire that carries Ethernet frames. Carriers implement it:
//! [`ring`] within a process, [`tunnel`] over UDP without privileges, [`packet`] on a network
//! interface. Middleware wraps any of them: [`pcap`] records, [`faults`] harms by seed,
//! [`tracer`] tells. An [`Endpoint`] is a host's view: UDP payloads to and from IPv4 addresses,
//! by way of a link or of the kernel. [`run`](run::run) drives nodes that own links.
//!
//! Not here: headers above UDP (`wire`), forwarding (`sequencer`), protocols (`replica`).
//!
//! *Invariant:* nothing but [`Clock`] reads a clock and nothing but [`run::run`] sleeps.

mod batch;
pub mod clock;
pub mod counters;
pub mod endpoint;
pub mod faults;
pub mod inbox;
mod link;
pub mod packet;
pub mod pcap;
pub mod ring;
pub mod run;
#[cfg(test)]
mod testing;
pub mod tracer;
pub mod tunnel;
pub mod waker;

pub use clock::Clock;
pub use counters::{DropReason, Drops, LinkCounters, Traffic};
pub use endpoint::{Endpoint, FrameEndpoint, MacAddress, Mtu, SocketEndpoint};
pub use faults::{FaultControl, FaultPlan, Faults, Probability};
pub use inbox::{Inbox, InboxError, InboxSender};
pub use link::{FRAME_LIMIT, FRAME_MINIMUM, Link, LinkError};
pub use packet::PacketLink;
pub use pcap::{CaptureFile, PcapTee};
pub use ring::RingLink;
pub use run::{Descriptors, Node, NodeError, Poll, RunError, StopFlag, WaitPolicy, run, run_nodes};
pub use tracer::Tracer;
pub use tunnel::TunnelLink;
pub use waker::Waker;
