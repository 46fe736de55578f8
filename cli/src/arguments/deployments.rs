//! Arguments of the verbs that bring up, take down and use whole deployments.

use super::values::{FabricArgument, Protocol, Switch, TopologyArgument};
use clap::{Args, Subcommand};
use link::faults::Probability;
use std::path::PathBuf;

/// Arguments of `demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArguments {
    /// The protocol.
    #[arg(long, env = "DOWNBEAT_PROTOCOL", default_value = "spec-paxos")]
    pub(crate) protocol: Protocol,
    /// Replicas in the group: 1, 3, 5, … 15.
    #[arg(long, env = "DOWNBEAT_REPLICAS", default_value_t = 3)]
    pub(crate) replicas: usize,
    /// Clients that ask at the same time.
    #[arg(long, env = "DOWNBEAT_CLIENTS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) clients: u32,
    /// Requests of all clients together.
    #[arg(long, env = "DOWNBEAT_REQUESTS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) requests: u64,
    /// Frames lost in the middle third of the run.
    #[arg(long, env = "DOWNBEAT_LOSS", default_value = "0.1%")]
    pub(crate) loss: Probability,
    /// Frames overtaken in the middle third of the run.
    #[arg(long, env = "DOWNBEAT_REORDER", default_value = "0.1%")]
    pub(crate) reorder: Probability,
    /// Whether replicas ask each other for packets that they missed.
    #[arg(long, env = "DOWNBEAT_GAP_AWARENESS", default_value = "on")]
    pub(crate) gap_awareness: Switch,
    /// What decides everything random.
    #[arg(long, env = "DOWNBEAT_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, env = "DOWNBEAT_RUNS", default_value = "runs")]
    pub(crate) runs: PathBuf,
}

/// Arguments of `up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArguments {
    /// How frames get from host to switch.
    #[arg(long, env = "DOWNBEAT_FABRIC", default_value = "embedded")]
    pub(crate) fabric: FabricArgument,
    /// The protocol.
    #[arg(long, env = "DOWNBEAT_PROTOCOL", default_value = "spec-paxos")]
    pub(crate) protocol: Protocol,
    /// How switches are wired: single,N or dual-root,N for N replicas.
    #[arg(long, env = "DOWNBEAT_TOPOLOGY", default_value = "single")]
    pub(crate) topology: TopologyArgument,
    /// Replicas in the group: 1, 3, 5, … 15; as many as the topology says, else 3.
    #[arg(long, env = "DOWNBEAT_REPLICAS")]
    pub(crate) replicas: Option<usize>,
    /// Replicas besides, that may become members; by protocol rounds.
    #[arg(long, env = "DOWNBEAT_SPARES", default_value_t = 0)]
    pub(crate) spares: usize,
    /// Port of the RESP front door; 0 for any free one.
    #[arg(long, env = "DOWNBEAT_RESP_PORT", default_value_t = 6380)]
    pub(crate) resp_port: u16,
    /// RESP front doors, on RESP_PORT and the next ports; the callers of each have one replica
    /// asked first, by protocol rounds.
    #[arg(long, env = "DOWNBEAT_DOORS", default_value_t = 1)]
    pub(crate) doors: usize,
    /// Bytes of stamp and message that fit a packet.
    #[arg(long, env = "DOWNBEAT_MTU", default_value_t = 1_400, value_parser = clap::value_parser!(u16).range(640..=8_900))]
    pub(crate) mtu: u16,
    /// Round length is 2^ROUND_SHIFT µs; 8 unless given, 12 on bmv2, which takes its time.
    #[arg(long, env = "DOWNBEAT_ROUND_SHIFT", value_parser = clap::value_parser!(u8).range(0..=30))]
    pub(crate) round_shift: Option<u8>,
    /// Frames of replicas that are lost on purpose, on fabric embedded or tunnel.
    #[arg(long, env = "DOWNBEAT_LOSS", default_value = "0%")]
    pub(crate) loss: Probability,
    /// Frames of replicas that are overtaken on purpose, on fabric embedded or tunnel.
    #[arg(long, env = "DOWNBEAT_REORDER", default_value = "0%")]
    pub(crate) reorder: Probability,
    /// Whether replicas ask each other for packets that they missed.
    #[arg(long, env = "DOWNBEAT_GAP_AWARENESS", default_value = "on")]
    pub(crate) gap_awareness: Switch,
    /// Whether reads do without a place in the log, by protocol rounds.
    #[arg(long, env = "DOWNBEAT_READ_BARRIER", default_value = "on")]
    pub(crate) read_barrier: Switch,
    /// Whether requests that come while others are on the way go together, by protocols vr and mencius.
    #[arg(long, env = "DOWNBEAT_BATCHING", default_value = "on")]
    pub(crate) batching: Switch,
    /// What decides which frames are lost or overtaken.
    #[arg(long, env = "DOWNBEAT_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Return when the deployment is ready and leave it running.
    #[arg(long, env = "DOWNBEAT_DETACH")]
    pub(crate) detach: bool,
    /// Where the deployment's folder goes.
    #[arg(long, env = "DOWNBEAT_RUNS", default_value = "runs")]
    pub(crate) runs: PathBuf,
}

/// Arguments of verbs about a deployment that was brought up.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArguments {
    /// The deployment's folder; the newest one if not given.
    #[arg(long, env = "DOWNBEAT_RUN", default_value = "runs/up")]
    pub(crate) run: PathBuf,
}

/// Arguments of `members`.
#[derive(Clone, Debug, Args)]
pub(crate) struct MembersArguments {
    /// The deployment's folder; the newest one if not given.
    #[arg(long, env = "DOWNBEAT_RUN", default_value = "runs/up")]
    pub(crate) run: PathBuf,
    /// Replicas that come in, by name: r3, or r3,r4.
    #[arg(long, env = "DOWNBEAT_ADD", value_delimiter = ',')]
    pub(crate) add: Vec<String>,
    /// Members that leave.
    #[arg(long, env = "DOWNBEAT_REMOVE", value_delimiter = ',')]
    pub(crate) remove: Vec<String>,
}

/// Arguments of `kv`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KvArguments {
    /// The deployment's folder; the newest one if not given.
    #[arg(long, env = "DOWNBEAT_RUN", default_value = "runs/up")]
    pub(crate) run: PathBuf,
    /// What to ask.
    #[command(subcommand)]
    pub(crate) question: KvQuestion,
}

/// What can be asked of the store.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KvQuestion {
    /// Print a key's value; exit 1 if there is none.
    Get {
        /// The key.
        key: String,
    },
    /// Set a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Set a key if its value is the one expected; exit 1 if it is not.
    Cas {
        /// The key.
        key: String,
        /// The value that must be there.
        expected: String,
        /// The value to set.
        value: String,
    },
    /// Remove a key; exit 1 if there was none.
    Del {
        /// The key.
        key: String,
    },
    /// Add one to a number.
    Incr {
        /// The key.
        key: String,
    },
}
