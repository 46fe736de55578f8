//! Arguments of the verb for the switch programs.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Arguments of `p4`.
#[derive(Clone, Debug, Args)]
pub(crate) struct P4Arguments {
    /// What to do.
    pub(crate) action: P4Action,
    /// The folder of the switch programs.
    #[arg(long, env = "DOWNBEAT_P4", default_value = "p4")]
    pub(crate) p4: PathBuf,
    /// The compiler, for `build`.
    #[arg(long, env = "DOWNBEAT_P4C", default_value = "p4c-bm2-ss")]
    pub(crate) p4c: PathBuf,
}

/// What to do with the switch programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum P4Action {
    /// Compare built files and sources with the manifest.
    Check,
    /// Compile and write the manifest.
    Build,
}
