//! What can go wrong with a lab, for a person who has to put it right.

use std::io;
use std::path::{Path, PathBuf};

use super::preflight::Missing;

/// Why a lab could not be brought up, used or taken down.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Something that must be there first is not.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The run name or a host of the plan cannot be used.
    #[error("{what} `{value}` cannot be used: {valid}")]
    Plan {
        /// Which part of the plan.
        what: &'static str,
        /// The value that was given.
        value: String,
        /// What is valid.
        valid: String,
    },
    /// A namespace of that name is there already.
    #[error(
        "network namespace {name} exists already: take the lab that made it down, \
         or choose another run name"
    )]
    Occupied {
        /// The namespace.
        name: String,
    },
    /// The run folder holds the manifest of a lab that was not taken down.
    #[error("{} is of a lab that was not taken down: take that one down first", path.display())]
    NotDown {
        /// The manifest.
        path: PathBuf,
    },
    /// The folder holds no manifest, so nothing is known of a lab there.
    #[error("{} does not exist: no lab was ever brought up in this folder", path.display())]
    NoManifest {
        /// Where the manifest would be.
        path: PathBuf,
    },
    /// The manifest is not one that this program wrote.
    #[error("{} line {line}: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process is bringing a lab up or taking one down.
    #[error(
        "{} is locked after {waited_s} s: another lab is being brought up or taken down; \
         try again when it is done", path.display()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long was waited, in seconds.
        waited_s: u64,
    },
    /// A command that was run for the lab failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it wrote, trimmed.
        output: String,
    },
    /// An interface did not start to carry frames.
    #[error("interface {interface} carries nothing {waited_s} s after it was set up: {shown}")]
    NoCarrier {
        /// The interface and its namespace.
        interface: String,
        /// How long was waited, in seconds.
        waited_s: u64,
        /// What `ip` says of it.
        shown: String,
    },
    /// The kernel or the file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The namespace is not one of this lab.
    #[error("{name} is not a namespace of this lab, which has {known}")]
    UnknownNamespace {
        /// The name that was asked for.
        name: String,
        /// The lab's namespaces.
        known: String,
    },
    /// Bringing up failed, and then clearing up did too.
    #[error("{up}; and clearing up failed: {down}")]
    UpAndDown {
        /// Why bringing up failed.
        up: Box<Self>,
        /// Why clearing up failed.
        down: Box<Self>,
    },
    /// Taking down left something behind.
    #[error("not everything could be removed, run down again: {}", remains.join("; "))]
    Remains {
        /// One sentence for each thing that is still there.
        remains: Vec<String>,
    },
}

impl LabError {
    /// Turns an I/O error into one that says what was tried on which path.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
