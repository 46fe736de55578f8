//! Arguments of the verbs that run one role of a deployment.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Arguments of a role.
#[derive(Clone, Debug, Args)]
pub(crate) struct RoleArguments {
    /// The deployment's file, as `up` writes it.
    #[arg(long, env = "DOWNBEAT_DEPLOYMENT")]
    pub(crate) deployment: PathBuf,
}

/// Arguments of `switch`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SwitchArguments {
    /// The deployment's file, as `up` writes it.
    #[arg(long, env = "DOWNBEAT_DEPLOYMENT")]
    pub(crate) deployment: PathBuf,
    /// Which switch: s1, which has the hosts, or one of its roots.
    #[arg(long, env = "DOWNBEAT_SWITCH", default_value = "s1")]
    pub(crate) switch: String,
}

/// Arguments of `replica`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplicaArguments {
    /// `format` marks a first boot and returns; `run` is what happens without it.
    #[arg(default_value = "run")]
    pub(crate) action: ReplicaAction,
    /// The deployment's file, as `up` writes it.
    #[arg(long, env = "DOWNBEAT_DEPLOYMENT")]
    pub(crate) deployment: PathBuf,
    /// Which replica, from 0.
    #[arg(long, env = "DOWNBEAT_INDEX")]
    pub(crate) index: usize,
}

/// What to do with a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplicaAction {
    /// Run it.
    Run,
    /// Mark its first boot.
    Format,
    /// Mark that it has run before and lost its disk: it then votes for nothing until a view is
    /// started for it.
    FormatLost,
}
