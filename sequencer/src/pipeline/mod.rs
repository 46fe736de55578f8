//! The pipeline: loads the JSON that p4c makes of a v1model program and runs packets through it.
//!
//! It is not a line-by-line interpreter of that JSON. At load, everything is resolved: header fields
//! become places in one byte vector that holds the headers as on the wire, metadata becomes words, a
//! table an index structure that fits its key, a name an index. Parser, verification of checksums and
//! ingress become one stretch of instructions for a small register machine; egress and the update of
//! checksums another. On the way of a packet nothing is allocated, no string is hashed or compared
//! and no lock is taken. Where the JSON means something, it behaves as bmv2's simple_switch does
//! (`machine/mod.rs` has the order of things); what it does not implement is refused at load by name
//! ([`LoadError::Unsupported`]), never ignored.
//!
//! It is pure: no I/O, no clock, no thread, no randomness. Time is an argument.
//!
//! | module | what it holds |
//! |---|---|
//! | `switch` | [`Switch`]: load, process, the control plane's requests |
//! | `load/` | from JSON to the flat program; all refusals |
//! | `program`, `instruction`, `field` | the flat program |
//! | `machine/` | runs it: parser, controls, replication, deparser |
//! | `table`, `index`, `state`, `entry` | entries and how packets find them; registers, counters, groups |
//!
//! *Invariant:* a packet's way through the machine is finite and bounded: jumps go forward only, so
//! that an instruction runs at most once for each pass, and a packet makes one pass through ingress
//! and one through egress for each copy.
//!
//! *Invariant:* frames of one port leave in the order of the packets that caused them, because copies
//! run to completion one after the other and are appended; there is no queue and no second thread.
//!
//! What is refused, each by its name: header stacks and unions, variable-length and signed fields,
//! values above 128 bits, loops, clone, resubmit, recirculate, digests, meters, action profiles and
//! selectors, idle timeouts, parser value sets, statements in the deparser, other hashes than csum16,
//! crc16, crc32 and identity, and every member or primitive that is not known here.
//!
//! What differs from bmv2, on purpose:
//! - Fields of a header that is not valid read as 0 at first, instead of what an earlier packet left.
//! - A packet too short for a `lookahead` in a parser's key is a `PacketTooShort` error, instead of
//!   a read beyond its end.
//! - All copies of a packet see the same egress timestamp, the ingress one; queue depths are 0.
//! - The priority that a program sets is handed on with each copy, for 8 queues a port; bmv2 with its
//!   default of one queue drops packets of any other priority.
//! - Replicas are copied in the order in which the control plane gave them.
//! - `log_msg`, `assert` and `assume` are refused like everything that is not implemented: the packet
//!   path has nowhere to log to, and an assertion would end the process.
//!
//! What p4c makes of a program may surprise a control plane: an `optional` field comes as a ternary
//! one, and tables that p4c makes up for plain statements are no tables here ([`ProgramInfo`]); nor
//! are tables without a key whose default action is constant.

mod checksum;
mod copies;
mod entry;
mod error;
mod field;
mod index;
mod info;
mod instruction;
mod load;
mod machine;
mod program;
mod state;
mod switch;
mod table;

pub use copies::{Copies, Losses};
pub use entry::{EntryKey, EntrySpec, Match};
pub use error::{ControlError, LoadError};
pub use info::{
    ActionCall, ActionInfo, CounterInfo, KeyFieldInfo, MatchKind, ParameterInfo, ProgramInfo,
    RegisterInfo, TableInfo,
};
pub use machine::MAX_FRAME_BYTES;
pub use state::{CounterValue, Replica};
pub use switch::Switch;

/// A port of the switch: 0 to 510.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortNumber(pub u16);

impl core::fmt::Display for PortNumber {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The greatest port. The one after it, 511, means "drop".
pub const LAST_PORT: PortNumber = PortNumber(510);

/// The most copies a multicast group makes of a packet.
pub const MAX_REPLICAS: usize = 1024;
