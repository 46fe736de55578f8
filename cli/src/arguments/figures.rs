//! Arguments of `figure`.

use super::values::{FabricArgument, VirtualTime};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `figure`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FigureArguments {
    /// Which one; all are listed without.
    pub(crate) name: Option<String>,
    /// Runs of each simulation, each with a seed of its own.
    #[arg(long, env = "DOWNBEAT_SEEDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) seeds: u32,
    /// Requests of each simulation, of all clients together.
    #[arg(long, env = "DOWNBEAT_OPERATIONS", default_value_t = 6_400, value_parser = clap::value_parser!(u32).range(64..=100_000_000))]
    pub(crate) operations: u32,
    /// The long form: seven seeds and ten times as many requests.
    #[arg(long, env = "DOWNBEAT_FULL", conflicts_with_all = ["seeds", "operations"])]
    pub(crate) full: bool,
    /// What a simulated replica's processor takes for a message that comes in.
    #[arg(long, env = "DOWNBEAT_RECEIVE_COST", default_value = "1400ns")]
    pub(crate) receive_cost: VirtualTime,
    /// What it takes for a message that goes out.
    #[arg(long, env = "DOWNBEAT_SEND_COST", default_value = "1100ns")]
    pub(crate) send_cost: VirtualTime,
    /// Also bring deployments up on this machine and measure them: minutes instead of seconds.
    #[arg(long, env = "DOWNBEAT_REAL")]
    pub(crate) real: bool,
    /// How frames get from host to switch, in real time.
    #[arg(
        long,
        env = "DOWNBEAT_FABRIC",
        default_value = "tunnel",
        requires = "real"
    )]
    pub(crate) fabric: FabricArgument,
    /// How often each is measured in real time; all contestants take their turns each time.
    #[arg(long, env = "DOWNBEAT_REPETITIONS", default_value_t = 3, requires = "real", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repetitions: u32,
    /// How long is measured in real time, each time.
    #[arg(
        long,
        env = "DOWNBEAT_DURATION",
        default_value = "2s",
        requires = "real"
    )]
    pub(crate) duration: VirtualTime,
    /// What is left out before.
    #[arg(
        long,
        env = "DOWNBEAT_WARM_UP",
        default_value = "500ms",
        requires = "real"
    )]
    pub(crate) warm_up: VirtualTime,
    /// The first seed of everything random.
    #[arg(long, env = "DOWNBEAT_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, env = "DOWNBEAT_RUNS", default_value = "runs")]
    pub(crate) runs: PathBuf,
}
