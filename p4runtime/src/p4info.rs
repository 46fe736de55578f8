//! What a compiled program has, by name and by id.
//!
//! A [`P4Info`] is loaded from the text or binary form that p4c writes, checked once (ids unique,
//! widths sensible, references not dangling) and then only read. It keeps the message it came
//! from, because that is what a switch is given with the program.
//!
//! P4Runtime 1.4, section "The P4Info Message".

mod build;
mod error;
mod objects;
#[cfg(test)]
pub(crate) mod tests;

use std::io::Read as _;
use std::path::Path;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

pub use error::{P4InfoError, UnknownName};
pub use objects::{
    Action, ActionRef, ActionScope, Counter, CounterUnit, DirectCounter, MatchField, MatchKind,
    PacketHeader, Param, Register, Table,
};

use crate::config;

/// A P4Info file is not read beyond this.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// A field or parameter wider than this is refused.
pub const MAX_BITWIDTH: u32 = 1 << 16;

/// The objects of one program.
#[derive(Clone, Debug, PartialEq)]
pub struct P4Info {
    message: config::P4Info,
    tables: Vec<Table>,
    actions: Vec<Action>,
    registers: Vec<Register>,
    counters: Vec<Counter>,
    direct_counters: Vec<DirectCounter>,
    packet_headers: Vec<PacketHeader>,
}

impl P4Info {
    /// Reads a file: the text form if its name ends in `.txtpb`, `.txt` or `.pbtxt`, else the
    /// binary form.
    pub fn load(path: &Path) -> Result<Self, P4InfoError> {
        let fail = |source| P4InfoError::Read {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(fail)?;
        let mut bytes = Vec::new();
        let read = file
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            let path = path.to_owned();
            return Err(P4InfoError::TooLong {
                path,
                bytes,
                limit: MAX_FILE_BYTES,
            });
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("txtpb" | "txt" | "pbtxt")) {
            let text = std::str::from_utf8(&bytes)
                .map_err(|error| P4InfoError::Text(error.to_string()))?;
            Self::from_text(text)
        } else {
            Self::from_bytes(&bytes)
        }
    }

    /// Parses the text form. A field that the specification does not have is an error.
    pub fn from_text(text: &str) -> Result<Self, P4InfoError> {
        let fail = |error: &dyn std::fmt::Display| P4InfoError::Text(error.to_string());
        let pool =
            DescriptorPool::decode(crate::FILE_DESCRIPTOR_SET).map_err(|error| fail(&error))?;
        let descriptor = pool
            .get_message_by_name("p4.config.v1.P4Info")
            .ok_or_else(|| fail(&"the descriptors lack p4.config.v1.P4Info"))?;
        let message =
            DynamicMessage::parse_text_format(descriptor, text).map_err(|error| fail(&error))?;
        Self::from_message(message.transcode_to().map_err(|error| fail(&error))?)
    }

    /// Parses the binary form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, P4InfoError> {
        let message = config::P4Info::decode(bytes)
            .map_err(|error| P4InfoError::Binary(error.to_string()))?;
        Self::from_message(message)
    }

    /// Checks a message and resolves its objects.
    pub fn from_message(message: config::P4Info) -> Result<Self, P4InfoError> {
        build::build(message)
    }

    /// The message it came from.
    pub fn message(&self) -> &config::P4Info {
        &self.message
    }

    /// All tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// All actions.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// All registers.
    pub fn registers(&self) -> &[Register] {
        &self.registers
    }

    /// All counters with an index.
    pub fn counters(&self) -> &[Counter] {
        &self.counters
    }

    /// All direct counters.
    pub fn direct_counters(&self) -> &[DirectCounter] {
        &self.direct_counters
    }

    /// The table of this name or alias.
    pub fn table(&self, name: &str) -> Result<&Table, UnknownName> {
        find("table", &self.tables, name, |table| {
            (&table.name, &table.alias)
        })
    }

    /// The action of this name or alias.
    pub fn action(&self, name: &str) -> Result<&Action, UnknownName> {
        find("action", &self.actions, name, |action| {
            (&action.name, &action.alias)
        })
    }

    /// The register of this name or alias.
    pub fn register(&self, name: &str) -> Result<&Register, UnknownName> {
        find("register", &self.registers, name, |register| {
            (&register.name, &register.alias)
        })
    }

    /// The counter of this name or alias.
    pub fn counter(&self, name: &str) -> Result<&Counter, UnknownName> {
        find("counter", &self.counters, name, |counter| {
            (&counter.name, &counter.alias)
        })
    }

    /// The controller header of this name: `packet_in` or `packet_out`.
    pub fn packet_header(&self, name: &str) -> Result<&PacketHeader, UnknownName> {
        find("controller header", &self.packet_headers, name, |header| {
            (&header.name, &header.name)
        })
    }

    /// The table with this id.
    pub fn table_by_id(&self, id: u32) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }

    /// The action with this id.
    pub fn action_by_id(&self, id: u32) -> Option<&Action> {
        self.actions.iter().find(|action| action.id == id)
    }

    /// The register with this id.
    pub fn register_by_id(&self, id: u32) -> Option<&Register> {
        self.registers.iter().find(|register| register.id == id)
    }

    /// The counter with this id.
    pub fn counter_by_id(&self, id: u32) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.id == id)
    }

    /// The name of any object with this id, whatever it is, for messages to people.
    pub fn name_of(&self, id: u32) -> Option<&str> {
        build::preambles(&self.message)
            .find(|(_, preamble)| preamble.id == id)
            .map(|(_, preamble)| preamble.name.as_str())
    }
}

fn find<'a, T>(
    kind: &'static str,
    objects: &'a [T],
    name: &str,
    names: impl Fn(&T) -> (&String, &String),
) -> Result<&'a T, UnknownName> {
    // Full names first: an alias never hides one.
    let by_name = objects.iter().find(|object| names(object).0 == name);
    by_name
        .or_else(|| objects.iter().find(|object| names(object).1 == name))
        .ok_or_else(|| {
            UnknownName::new(
                kind,
                name,
                objects.iter().map(|object| names(object).1.as_str()),
            )
        })
}
