//! What can be typed: the verbs here, their arguments in the modules below, by subject. Every flag
//! is also an environment variable `DOWNBEAT_…` and a key of `downbeat.toml`; flags come first,
//! then the environment, then the file.

mod deployments;
mod figures;
mod loads;
mod programs;
mod roles;
mod simulations;
mod values;

pub(crate) use deployments::{
    DemoArguments, KvArguments, KvQuestion, MembersArguments, RunArguments, UpArguments,
};
pub(crate) use figures::FigureArguments;
pub(crate) use loads::{ArrivalsLike, BenchArguments, CompareArguments, LoadFlags, Thresholds};
pub(crate) use programs::{P4Action, P4Arguments};
pub(crate) use roles::{ReplicaAction, ReplicaArguments, RoleArguments, SwitchArguments};
pub(crate) use simulations::{ReplayArguments, SimArguments, SimFlags};
pub(crate) use values::{Contestant, Switch};

use clap::{Parser, Subcommand};

/// Replication co-designed with a programmable network.
#[derive(Debug, Parser)]
#[command(
    name = "downbeat",
    version,
    about = "Replication co-designed with a programmable network",
    arg_required_else_help = false,
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
    /// Tell who is a member of the group, or have others in their place.
    #[command(
        before_help = "Examples:\n  downbeat members\n  downbeat members --add=r3 --remove=r0\n"
    )]
    Members(MembersArguments),
    /// Ask the key-value store of a deployment.
    #[command(
        before_help = "Examples:\n  downbeat kv put greeting hello\n  downbeat kv get greeting\n"
    )]
    Kv(KvArguments),
    /// Measure a deployment that is brought up for it: throughput, latency, processor time.
    #[command(
        before_help = "Examples:\n  downbeat bench --protocol=rounds --clients=64\n  downbeat bench --fabric=tunnel --rate=10000 --p99-max=5ms\n"
    )]
    Bench(BenchArguments),
    /// Measure protocols against each other, by turns.
    #[command(
        before_help = "Examples:\n  downbeat compare spec-paxos vr:unbatched\n  downbeat compare rounds vr --replicas=3,5 --clients=1,16 --repetitions=5\n"
    )]
    Compare(CompareArguments),
    /// Measure again what papers have published, and hold ours against it.
    #[command(
        before_help = "Examples:\n  downbeat figure\n  downbeat figure nsdi15-latency-throughput\n"
    )]
    Figure(FigureArguments),
    /// Run one software switch of a deployment.
    #[command(
        before_help = "Examples:\n  downbeat switch --deployment=runs/up/deployment.json\n  DOWNBEAT_DEPLOYMENT=runs/up/deployment.json downbeat switch\n"
    )]
    Switch(SwitchArguments),
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
