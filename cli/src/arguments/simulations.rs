//! Arguments of the verbs that simulate.

use super::values::{FaultsArgument, OnlyFaults, Protocol, Switch, TopologyArgument, VirtualTime};
use clap::Args;
use link::faults::Probability;

/// What a simulated run is, besides its seed.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimFlags {
    /// The protocol.
    #[arg(long, env = "DOWNBEAT_PROTOCOL", default_value = "spec-paxos")]
    pub(crate) protocol: Protocol,
    /// How switches are wired: single or dual-root, with N replicas as in dual-root,3.
    #[arg(long, env = "DOWNBEAT_TOPOLOGY", default_value = "single")]
    pub(crate) topology: TopologyArgument,
    /// Replicas in the group; several sizes take turns by seed. 3,5,7 unless given.
    #[arg(long, env = "DOWNBEAT_REPLICAS", value_delimiter = ',')]
    pub(crate) replicas: Vec<usize>,
    /// Clients that ask at the same time.
    #[arg(long, env = "DOWNBEAT_CLIENTS", default_value_t = 5)]
    pub(crate) clients: usize,
    /// Operations of each client.
    #[arg(long, env = "DOWNBEAT_OPERATIONS", default_value_t = 60)]
    pub(crate) operations: usize,
    /// Keys that the clients share.
    #[arg(long, env = "DOWNBEAT_KEYS", default_value_t = 6)]
    pub(crate) keys: u64,
    /// Clients also set keys that end by themselves, after some milliseconds of agreed time.
    #[arg(long, env = "DOWNBEAT_EXPIRY")]
    pub(crate) expiry: bool,
    /// Which faults there may be.
    #[arg(long, env = "DOWNBEAT_FAULTS", default_value = "all")]
    pub(crate) faults: FaultsArgument,
    /// Frames lost on every wire, besides.
    #[arg(long, env = "DOWNBEAT_LOSS", default_value = "0")]
    pub(crate) loss: Probability,
    /// Frames held back on every wire, so that others overtake them, besides.
    #[arg(long, env = "DOWNBEAT_REORDER", default_value = "0")]
    pub(crate) reorder: Probability,
    /// How long there may be faults, in virtual time; then all stop.
    #[arg(long, env = "DOWNBEAT_FAULT_TIME", default_value = "300ms")]
    pub(crate) fault_time: VirtualTime,
    /// How long the group may take to heal after that.
    #[arg(long, env = "DOWNBEAT_HEAL_TIME", default_value = "20s")]
    pub(crate) heal_time: VirtualTime,
    /// What a replica's processor takes for a message that comes in.
    #[arg(long, env = "DOWNBEAT_RECEIVE_COST", default_value = "0ns")]
    pub(crate) receive_cost: VirtualTime,
    /// What it takes for a message that goes out.
    #[arg(long, env = "DOWNBEAT_SEND_COST", default_value = "0ns")]
    pub(crate) send_cost: VirtualTime,
    /// Clients never pause: for throughput.
    #[arg(long, env = "DOWNBEAT_STEADY")]
    pub(crate) steady: bool,
    /// How long clients that never pause wait between an answer and their next request, in the
    /// mean: for a load that stays the same.
    #[arg(long, env = "DOWNBEAT_THINK", default_value = "0ns")]
    pub(crate) think: VirtualTime,
    /// Numbers of the only faults of the schedule that happen, such as 3,7,12, or none.
    #[arg(long, env = "DOWNBEAT_ONLY_FAULTS")]
    pub(crate) only_faults: Option<OnlyFaults>,
    /// Whether replicas ask each other for packets that they missed; two runs of three if not
    /// given.
    #[arg(long, env = "DOWNBEAT_GAP_AWARENESS")]
    pub(crate) gap_awareness: Option<Switch>,
    /// Whether requests that come while others are on the way go together, by protocol vr.
    #[arg(long, env = "DOWNBEAT_BATCHING", default_value = "on")]
    pub(crate) batching: Switch,
    /// The only invariant that is looked at; all, and the cores' own checks, unless given.
    #[arg(long, env = "DOWNBEAT_INVARIANT")]
    pub(crate) invariant: Option<String>,
    /// A deliberate break of the protocol; `sim --mutants` lists them.
    #[arg(long, env = "DOWNBEAT_MUTANT")]
    pub(crate) mutant: Option<String>,
}

/// Arguments of `sim`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimArguments {
    /// The first seed; on its own, the only one. 1 unless given.
    #[arg(long, env = "DOWNBEAT_SEED")]
    pub(crate) seed: Option<u64>,
    /// How many seeds to run; 100 unless a seed is given.
    #[arg(long, env = "DOWNBEAT_SEEDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: Option<u64>,
    /// The run itself.
    #[command(flatten)]
    pub(crate) flags: SimFlags,
    /// Print a line for each event of the run.
    #[arg(long, env = "DOWNBEAT_EVENTS")]
    pub(crate) events: bool,
    /// Break the protocol on purpose, one way after the other, and see each break caught.
    #[arg(long, env = "DOWNBEAT_MUTANTS", conflicts_with_all = ["events", "seeds", "seed", "mutant"])]
    pub(crate) mutants: bool,
    /// Seeds within which a mutant must be caught.
    #[arg(long, env = "DOWNBEAT_BOUND", requires = "mutants", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) bound: Option<u64>,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The seed.
    pub(crate) seed: u64,
    /// The run itself.
    #[command(flatten)]
    pub(crate) flags: SimFlags,
}
