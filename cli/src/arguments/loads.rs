//! Arguments of the verbs that measure.

use super::values::{Contestant, FabricArgument, KeysLike, Protocol, Switch, VirtualTime};
use bench::preset::Preset;
use clap::{Args, ValueEnum};
use link::faults::Probability;
use std::path::PathBuf;

/// When an open loop's requests come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArrivalsLike {
    /// Independently of each other.
    Poisson,
    /// One every so often.
    Constant,
}

/// Arguments of `bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    pub(crate) group: GroupFlags,
    /// Clients that ask at the same time, each with one request on its way.
    #[arg(long, env = "DOWNBEAT_CLIENTS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) clients: u32,
    #[command(flatten)]
    pub(crate) load: LoadFlags,
    #[command(flatten)]
    pub(crate) thresholds: Thresholds,
    /// What decides everything random.
    #[arg(long, env = "DOWNBEAT_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, env = "DOWNBEAT_RUNS", default_value = "runs")]
    pub(crate) runs: PathBuf,
}

/// Arguments of `compare`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArguments {
    /// The protocols, the first of which the others are compared with; vr:unbatched is vr with
    /// --batching=off, spec-paxos:gap-unaware is spec-paxos with --gap-awareness=off.
    #[arg(env = "DOWNBEAT_CONTESTANTS", default_values = ["spec-paxos", "rounds", "vr", "vr:unbatched", "unreplicated"])]
    pub(crate) contestants: Vec<Contestant>,
    /// How frames get from host to switch.
    #[arg(long, env = "DOWNBEAT_FABRIC", default_value = "tunnel")]
    pub(crate) fabric: FabricArgument,
    /// Replicas in the group, several after commas.
    #[arg(
        long,
        env = "DOWNBEAT_REPLICAS",
        value_delimiter = ',',
        default_value = "3"
    )]
    pub(crate) replicas: Vec<usize>,
    /// Clients that ask at the same time, several after commas.
    #[arg(long, env = "DOWNBEAT_CLIENTS", value_delimiter = ',', default_value = "16", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) clients: Vec<u32>,
    /// Frames of replicas that are lost on purpose, several after commas.
    #[arg(
        long,
        env = "DOWNBEAT_LOSS",
        value_delimiter = ',',
        default_value = "0%"
    )]
    pub(crate) loss: Vec<Probability>,
    /// How often each is measured; all contestants take their turns each time.
    #[arg(long, env = "DOWNBEAT_REPETITIONS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repetitions: u32,
    #[command(flatten)]
    pub(crate) load: LoadFlags,
    /// What decides everything random.
    #[arg(long, env = "DOWNBEAT_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, env = "DOWNBEAT_RUNS", default_value = "runs")]
    pub(crate) runs: PathBuf,
}

/// What is brought up to be measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct GroupFlags {
    /// How frames get from host to switch.
    #[arg(long, env = "DOWNBEAT_FABRIC", default_value = "embedded")]
    pub(crate) fabric: FabricArgument,
    /// The protocol.
    #[arg(long, env = "DOWNBEAT_PROTOCOL", default_value = "spec-paxos")]
    pub(crate) protocol: Protocol,
    /// Replicas in the group: 3, 5, … 15; 3 if not said, or the one server of unreplicated.
    #[arg(long, env = "DOWNBEAT_REPLICAS")]
    pub(crate) replicas: Option<usize>,
    /// Bytes of the longest UDP payload.
    #[arg(long, env = "DOWNBEAT_MTU", default_value_t = 1_400, value_parser = clap::value_parser!(u16).range(300..=8_972))]
    pub(crate) mtu: u16,
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
    /// Whether requests that come while others are on the way go together, by protocol vr.
    #[arg(long, env = "DOWNBEAT_BATCHING", default_value = "on")]
    pub(crate) batching: Switch,
}

/// What is asked for, when and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadFlags {
    /// What is asked for: null, ycsb-a, ycsb-b, ycsb-c, ycsb-f, set or get.
    #[arg(long, env = "DOWNBEAT_WORKLOAD", default_value = "null")]
    pub(crate) workload: Preset,
    /// Requests per second of all clients together: an open loop. Without it each client asks
    /// again as soon as it was answered: a closed loop.
    #[arg(long, env = "DOWNBEAT_RATE", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) rate: Option<u64>,
    /// How the requests of an open loop come.
    #[arg(long, env = "DOWNBEAT_ARRIVALS", requires = "rate")]
    pub(crate) arrivals: Option<ArrivalsLike>,
    /// How long a client of a closed loop waits between an answer and its next request.
    #[arg(long, env = "DOWNBEAT_THINK", conflicts_with = "rate")]
    pub(crate) think: Option<VirtualTime>,
    /// How long is measured.
    #[arg(long, env = "DOWNBEAT_DURATION", default_value = "5s")]
    pub(crate) duration: VirtualTime,
    /// What is left out before.
    #[arg(long, env = "DOWNBEAT_WARM_UP", default_value = "1s")]
    pub(crate) warm_up: VirtualTime,
    /// Keys; 1000 if not said.
    #[arg(long, env = "DOWNBEAT_KEYS", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub(crate) keys: Option<u32>,
    /// Which keys are asked for more often: uniform, zipf (0.99), zipf:0.8; latest, latest:0.8: those written
    /// last, while writes are of new keys.
    #[arg(long, env = "DOWNBEAT_KEYS_LIKE")]
    pub(crate) keys_like: Option<KeysLike>,
    /// Bytes of a value, or of an operation that does nothing.
    #[arg(long, env = "DOWNBEAT_VALUE_BYTES", value_parser = clap::value_parser!(u32).range(0..=8_192))]
    pub(crate) value_bytes: Option<u32>,
}

/// What makes the exit code 1.
#[derive(Clone, Debug, Args)]
pub(crate) struct Thresholds {
    /// Fails if half of the requests took longer.
    #[arg(long, env = "DOWNBEAT_P50_MAX")]
    pub(crate) p50_max: Option<VirtualTime>,
    /// Fails if one of a hundred requests took longer.
    #[arg(long, env = "DOWNBEAT_P99_MAX")]
    pub(crate) p99_max: Option<VirtualTime>,
    /// Fails if fewer requests per second were answered.
    #[arg(long, env = "DOWNBEAT_THROUGHPUT_MIN")]
    pub(crate) throughput_min: Option<u64>,
}
