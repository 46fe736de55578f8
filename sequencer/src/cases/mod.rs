//! Case files: packets in, packets out, in a text that a person can read and write.
//!
//! The same file is meant for any switch that runs the program: this crate's, bmv2 over P4Runtime.
//! [`parse()`] reads a file; [`run()`] runs its cases on a [`Switch`]. Lines are
//!
//! ```text
//! # to the end of the line: a comment
//! program root                       the program: p4/built/root.json
//! needs clock                        the cases set the switch's time: only for switches that can
//! setup                              what follows is done before each case
//! case NAME                          what follows is one case, on a switch without any state but `setup`
//!
//! insert TABLE KEY… -> ACTION ARGUMENT…      priority goes first: insert TABLE @7 KEY… -> …
//! delete TABLE KEY…
//! default TABLE -> ACTION ARGUMENT…
//! multicast ID = PORT:RID…
//! now US                             the switch's time from here on
//! send PORT HEX…                     a frame goes in
//! expect PORT HEX…                   a frame that the last `send` must make leave
//! counter NAME INDEX PACKETS         what an indirect counter must have counted
//! register NAME INDEX VALUE          what a register must hold: only for switches that can tell
//! ```
//!
//! A line that begins with a blank goes on with the hexadecimal of the line before. `??` in an
//! expected frame is a byte that may be anything. After each `send` the frames of each port must be
//! the expected ones of that port, in order, and no others; the order between ports is free.
//!
//! Numbers are decimal, `0x…`, IPv4 (`10.0.0.1`) or MAC (`02:00:00:00:00:01`). A key is a number
//! (exact), `NUMBER/LENGTH` (lpm), `NUMBER&MASK` (ternary), `LOW..HIGH` (range) or `*` (anything).

mod parse;
mod run;

use alloc::string::String;
use alloc::vec::Vec;

use crate::pipeline::{ActionCall, EntryKey, EntrySpec, PortNumber, Replica};

pub use self::parse::{CaseError, parse};
pub use self::run::{Failure, run};

#[cfg(doc)]
use crate::pipeline::Switch;

/// A case file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// The program the cases are for, without folder and ending.
    pub program: String,
    /// The cases set the switch's time.
    pub needs_clock: bool,
    /// Done before each case.
    pub setup: Vec<Step>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One thing to do or to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line it begins on, counted from 1.
    pub line: usize,
    /// What it is.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Adds a table entry.
    Insert {
        /// The table.
        table: String,
        /// The entry.
        entry: EntrySpec,
    },
    /// Removes a table entry.
    Delete {
        /// The table.
        table: String,
        /// The entry's key.
        key: EntryKey,
    },
    /// Sets what a miss does.
    Default {
        /// The table.
        table: String,
        /// The action.
        call: ActionCall,
    },
    /// Sets a multicast group.
    Multicast {
        /// Its number.
        id: u16,
        /// Its replicas.
        replicas: Vec<Replica>,
    },
    /// Sets the switch's time, in µs.
    Now(u64),
    /// A frame goes in.
    Send {
        /// Where.
        port: PortNumber,
        /// The frame.
        frame: Vec<u8>,
    },
    /// A frame that must have come out.
    Expect(Expected),
    /// What a counter must have counted.
    Counter {
        /// The counter.
        name: String,
        /// Its cell.
        index: u64,
        /// Packets.
        packets: u64,
    },
    /// What a register must hold.
    Register {
        /// The register.
        name: String,
        /// Its cell.
        index: u64,
        /// The value.
        value: u128,
    },
}

/// A frame that must come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Where.
    pub port: PortNumber,
    /// The frame.
    pub frame: Vec<u8>,
    /// As long as the frame: 0xFF where a byte counts, 0 where it may be anything.
    pub mask: Vec<u8>,
}

impl Expected {
    /// Whether this is the frame.
    pub fn matches(&self, port: PortNumber, frame: &[u8]) -> bool {
        port == self.port
            && frame.len() == self.frame.len()
            && frame
                .iter()
                .zip(&self.frame)
                .zip(&self.mask)
                .all(|((found, wanted), mask)| (found ^ wanted) & mask == 0)
    }
}
