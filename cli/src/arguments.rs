//! What can be typed. Every flag is also an environment variable `DOWNBEAT_…` and a key of
//! `downbeat.toml`; flags come first, then the environment, then the file.

use bmv2_testbed::{Fabric, ProtocolName};
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use link::faults::Probability;
use sim::profile::Profile;
use std::path::PathBuf;
use std::str::FromStr;

/// Replication co-designed with a programmable network.
#[derive(Debug, Parser)]
#[command(
    name = "downbeat",
    version,
    about,
    subcommand_required = false,
    before_help = "Examples:\n  downbeat\n  downbeat up --fabric=tunnel --replicas=3\n"
)]
pub(crate) struct Cli {
    /// What to do; without a verb, `demo`.
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// Print JSON, one object a line, instead of text.
    #[arg(long, global = true, env = "DOWNBEAT_JSON")]
    pub(crate) json: bool,
    /// Say nothing but results and errors.
    #[arg(short, long, global = true, env = "DOWNBEAT_QUIET")]
    pub(crate) quiet: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The tour: a switch, a controller, replicas, a workload with faults, a verdict.
    #[command(
        before_help = "Examples:\n  downbeat demo --seed=7\n  downbeat demo --loss=1% --reorder=1% --json\n"
    )]
    Demo(DemoArguments),
    /// Bring a deployment up and keep it running.
    #[command(
        before_help = "Examples:\n  downbeat up --resp-port=6380\n  downbeat up --fabric=tunnel --detach\n"
    )]
    Up(UpArguments),
    /// Take a deployment down.
    #[command(before_help = "Examples:\n  downbeat down\n  downbeat down --run=runs/up\n")]
    Down(RunArguments),
    /// Tell how each part of a deployment is.
    #[command(before_help = "Examples:\n  downbeat status\n  downbeat status --json\n")]
    Status(RunArguments),
    /// Ask the key-value store of a deployment.
    #[command(
        before_help = "Examples:\n  downbeat kv put greeting hello\n  downbeat kv get greeting\n"
    )]
    Kv(KvArguments),
    /// Run one software switch of a deployment.
    #[command(
        before_help = "Examples:\n  downbeat switch --deployment=runs/up/deployment.json\n  DOWNBEAT_DEPLOYMENT=runs/up/deployment.json downbeat switch\n"
    )]
    Switch(RoleArguments),
    /// Run the controller of a deployment.
    #[command(
        before_help = "Examples:\n  downbeat controller --deployment=runs/up/deployment.json\n  DOWNBEAT_DEPLOYMENT=runs/up/deployment.json downbeat controller\n"
    )]
    Controller(RoleArguments),
    /// Run one replica of a deployment, or mark its first boot.
    #[command(
        before_help = "Examples:\n  downbeat replica format --deployment=runs/up/deployment.json --index=0\n  downbeat replica --deployment=runs/up/deployment.json --index=0\n"
    )]
    Replica(ReplicaArguments),
    /// Run the RESP front door of a deployment.
    #[command(
        before_help = "Examples:\n  downbeat front --deployment=runs/up/deployment.json\n  DOWNBEAT_DEPLOYMENT=runs/up/deployment.json downbeat front\n"
    )]
    Front(RoleArguments),
    /// Run a whole embedded deployment in this process.
    #[command(hide = true)]
    Embedded(RoleArguments),
    /// Compile the switch programs, or check that the compiled ones match their sources.
    #[command(
        before_help = "Examples:\n  downbeat p4 check\n  downbeat p4 build --p4c=p4c-bm2-ss\n"
    )]
    P4(P4Arguments),
    /// Simulate whole deployments with faults in virtual time, many seeds, and check invariants.
    #[command(
        before_help = "Examples:\n  downbeat sim --seeds=2000\n  downbeat sim --faults=reorder --replicas=5 --seed=7 --events\n"
    )]
    Sim(SimArguments),
    /// Step through one simulated run again.
    #[command(
        before_help = "Examples:\n  downbeat replay 7\n  downbeat replay 7 --faults=reorder --replicas=5\n"
    )]
    Replay(ReplayArguments),
    /// Tell what is missing for which fabric, and how to get it.
    #[command(before_help = "Examples:\n  downbeat doctor\n  downbeat doctor --json\n")]
    Doctor,
    /// Print the settings in force and where each comes from.
    #[command(
        before_help = "Examples:\n  downbeat config\n  DOWNBEAT_REPLICAS=5 downbeat config\n"
    )]
    Config,
}

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    /// It is done.
    On,
    /// It is not.
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

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
    /// Replicas in the group: 1, 3, 5, … 15.
    #[arg(long, env = "DOWNBEAT_REPLICAS", default_value_t = 3)]
    pub(crate) replicas: usize,
    /// Port of the RESP front door; 0 for any free one.
    #[arg(long, env = "DOWNBEAT_RESP_PORT", default_value_t = 6380)]
    pub(crate) resp_port: u16,
    /// RESP front doors, on RESP_PORT and the next ports; the callers of each have one replica
    /// asked first, by protocol rounds.
    #[arg(long, env = "DOWNBEAT_DOORS", default_value_t = 1)]
    pub(crate) doors: usize,
    /// Bytes of stamp and message that fit a packet.
    #[arg(long, env = "DOWNBEAT_MTU", default_value_t = 1_400, value_parser = clap::value_parser!(u16).range(600..=8_900))]
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

/// Arguments of a role.
#[derive(Clone, Debug, Args)]
pub(crate) struct RoleArguments {
    /// The deployment's file, as `up` writes it.
    #[arg(long, env = "DOWNBEAT_DEPLOYMENT")]
    pub(crate) deployment: PathBuf,
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

/// What a simulated run is, besides its seed.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimFlags {
    /// The protocol.
    #[arg(long, env = "DOWNBEAT_PROTOCOL", default_value = "spec-paxos")]
    pub(crate) protocol: Protocol,
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
    /// Numbers of the only faults of the schedule that happen, such as 3,7,12, or none.
    #[arg(long, env = "DOWNBEAT_ONLY_FAULTS")]
    pub(crate) only_faults: Option<OnlyFaults>,
    /// Whether replicas ask each other for packets that they missed; two runs of three if not
    /// given.
    #[arg(long, env = "DOWNBEAT_GAP_AWARENESS")]
    pub(crate) gap_awareness: Option<Switch>,
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

/// A fault profile's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultsArgument(pub(crate) Profile);

impl ValueEnum for FaultsArgument {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [FaultsArgument; Profile::ALL.len()] = {
            let mut all = [FaultsArgument(Profile::None); Profile::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = FaultsArgument(Profile::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// A time with its unit, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VirtualTime(pub(crate) u64);

impl FromStr for VirtualTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time; valid is a whole number with ns, us, ms or s");
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        // Times are added up: a century is enough, and none overflows.
        let most = 1 << 61;
        let nanoseconds = number.checked_mul(factor).filter(|ns| *ns <= most);
        nanoseconds.map(Self).ok_or_else(wrong)
    }
}

/// Numbers of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnlyFaults(pub(crate) Vec<usize>);

impl FromStr for OnlyFaults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let number = |part: &str| {
            part.parse()
                .map_err(|_| format!("{part:?} is no number; valid is such as 3,7 or none"))
        };
        text.split(',')
            .map(number)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A protocol's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protocol(pub(crate) ProtocolName);

impl ValueEnum for Protocol {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(ProtocolName::SpecPaxos),
            Self(ProtocolName::Rounds),
            Self(ProtocolName::Unreplicated),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// A fabric's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FabricArgument(pub(crate) Fabric);

impl ValueEnum for FabricArgument {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(Fabric::Embedded),
            Self(Fabric::Tunnel),
            Self(Fabric::Netns),
            Self(Fabric::Bmv2),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}
