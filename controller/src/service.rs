//! Everything together: a topology, a program and a state file become switches that work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use p4runtime::P4Info;
use p4runtime::client::ConnectOptions;
use p4runtime::p4info::P4InfoError;
use p4runtime::table::Disagreements;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use wire::GroupId;

use crate::controller::{Pauses, Probe, Reports, Settled, SwitchController, TryError};
use crate::event::{EventKind, Events, InstalledGroup};
use crate::p4runtime_target::{P4RuntimeTarget, Program};
use crate::placement::{Failover, Move, News, Placement};
use crate::plan::{Plan, PlanError};
use crate::tables::Tables;
use crate::terms::{TermError, TermStore};
use crate::topology::Topology;

/// How the controller works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where terms are kept. Never share it between controllers of different numbers, never copy
    /// it, never take it from a backup.
    pub state_file: PathBuf,
    /// The number of the controller, 0 to 3: different for controllers with different state files.
    pub controller: u8,
    /// How long one try to connect lasts.
    pub connect_deadline: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long to pause between two tries.
    pub pauses: Pauses,
    /// How often a switch is compared even when nothing happened; none means never.
    pub audit_interval: Option<Duration>,
    /// How often a switch is asked whether it is still there; see `p4runtime::ConnectOptions`. Not
    /// for `simple_switch_grpc`.
    pub keep_alive: Option<Duration>,
    /// How a switch is found out that hangs, in topologies where a group can have another root.
    pub probe: Option<Probe>,
}

impl Config {
    /// The defaults, with this state file, as controller 0: 1 s to connect, 5 s a request, compared
    /// every 10 s, probed as by [`Probe::default`].
    pub fn new(state_file: impl Into<PathBuf>) -> Self {
        Self {
            state_file: state_file.into(),
            controller: 0,
            connect_deadline: Duration::from_secs(1),
            request_timeout: Duration::from_secs(5),
            pauses: Pauses::default(),
            audit_interval: Some(Duration::from_secs(10)),
            keep_alive: None,
            probe: Some(Probe::default()),
        }
    }
}

/// The compiled program in both its forms.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// For the switch: what p4c wrote as JSON.
    pub json: Arc<Vec<u8>>,
    /// For the controller.
    pub p4info: Arc<P4Info>,
}

impl Artifacts {
    /// The two forms in memory.
    pub fn new(json: Vec<u8>, p4info: P4Info) -> Self {
        Self {
            json: Arc::new(json),
            p4info: Arc::new(p4info),
        }
    }

    /// Reads both files, such as `p4/built/root.json` and `p4/built/root.p4info.txtpb`.
    pub fn load(json: &Path, p4info: &Path) -> Result<Self, ControllerError> {
        let bytes = std::fs::read(json).map_err(|source| ControllerError::Program {
            path: json.to_owned(),
            source,
        })?;
        Ok(Self::new(bytes, P4Info::load(p4info)?))
    }

    /// The mark by which a switch that runs this program is known: the first eight bytes of the
    /// BLAKE3 hash of the JSON.
    pub fn cookie(&self) -> u64 {
        let hash = blake3::hash(&self.json);
        let first = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
        u64::from_be_bytes(*first)
    }
}

/// Why the controller does not start, or why [`install`] failed.
#[derive(Debug, Error)]
pub enum ControllerError {
    /// The topology cannot be installed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The program's P4Info is wrong.
    #[error(transparent)]
    P4Info(#[from] P4InfoError),
    /// The program is not the one that this controller knows.
    #[error(transparent)]
    Tables(#[from] Disagreements),
    /// The program cannot be read.
    #[error("cannot read program {}: {source}", .path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The state file.
    #[error(transparent)]
    Terms(#[from] TermError),
    /// A switch, in [`install`] only.
    #[error("switch {switch}: {source}")]
    Switch {
        /// Its name.
        switch: String,
        /// Why.
        source: TryError,
    },
}

/// A switch after [`install`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub switch: String,
    /// The groups of which it is the root, with their terms.
    pub groups: Vec<InstalledGroup>,
    /// False if all was there already and nothing was written.
    pub installed: bool,
}

/// Keeps all switches of a topology as they should be until `shutdown` is true or its sender is
/// gone. What is wrong with the input is an error at once; what happens with switches is told as
/// events and tried again. Needs a tokio runtime with time and I/O.
pub async fn run(
    config: Config,
    topology: Topology,
    artifacts: Artifacts,
    events: Events,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ControllerError> {
    let (_, nobody) = mpsc::unbounded_channel();
    run_hearing_members(config, topology, artifacts, events, nobody, shutdown).await
}

/// Groups that hear nothing from a root of theirs, which answers the controller, with its name.
pub type Silences = mpsc::UnboundedReceiver<(GroupId, String)>;

/// As [`run`], where somebody listens to members and says so when a group hears nothing from its
/// root. Whoever says it takes care that it is not said
/// more often than members can follow.
pub async fn run_hearing_members(
    config: Config,
    topology: Topology,
    artifacts: Artifacts,
    events: Events,
    silences: Silences,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ControllerError> {
    let mut tasks = JoinSet::new();
    let (reports, news) = mpsc::unbounded_channel();
    let (controllers, fleet) = fleet(&config, &topology, &artifacts, &events, &reports)?;
    for (_, controller) in controllers {
        let shutdown = shutdown.clone();
        tasks.spawn(async move { controller.run(shutdown).await });
    }
    let place = place(topology, fleet, news, silences, events);
    tokio::select! {
        () = place => {}
        // Dropping the set stops all, so that a caller may also just drop this future.
        () = async {
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
            }
        } => {}
    }
    Ok(())
}

/// Changes plans as groups move, for as long as there are news.
async fn place(
    topology: Topology,
    mut fleet: Fleet,
    mut news: mpsc::UnboundedReceiver<(String, News)>,
    mut silences: Silences,
    events: Events,
) {
    let mut anybody_listens = true;
    loop {
        let moves = tokio::select! {
            told = news.recv() => match told {
                Some((switch, news)) => fleet.failover.on_news(&switch, &news),
                None => return,
            },
            told = silences.recv(), if anybody_listens => {
                anybody_listens = told.is_some();
                told.map_or_else(Vec::new, |(group, root)| {
                    fleet.failover.on_silence(group, &root)
                })
            }
        };
        if moves.is_empty() {
            continue;
        }
        for (name, plan) in &fleet.plans {
            let placed = Plan::placed(&topology, name, fleet.failover.placement());
            // The topology has a plan in one placement, hence in all.
            let new = Arc::new(placed.expect("checked at the start"));
            plan.send_if_modified(|plan| {
                let differs = *plan != new;
                *plan = new;
                differs
            });
        }
        for Move {
            group,
            from,
            to,
            done,
        } in moves
        {
            let kind = if done {
                EventKind::GroupMoved { group, from }
            } else {
                EventKind::GroupMoves { group, from }
            };
            events.tell(&to, kind);
        }
    }
}

/// Makes all switches of a topology what they should be, once, and leaves them. The first failure
/// is the error.
pub async fn install(
    config: Config,
    topology: Topology,
    artifacts: Artifacts,
    events: Events,
) -> Result<Vec<Outcome>, ControllerError> {
    let mut outcomes = Vec::new();
    let (reports, _news) = mpsc::unbounded_channel();
    let (controllers, _) = fleet(&config, &topology, &artifacts, &events, &reports)?;
    for (switch, controller) in controllers {
        match controller.once().await {
            Ok(Settled { groups, installed }) => {
                outcomes.push(Outcome {
                    switch,
                    groups,
                    installed,
                });
            }
            Err(source) => return Err(ControllerError::Switch { switch, source }),
        }
    }
    Ok(outcomes)
}

type Named = (String, SwitchController<P4RuntimeTarget>);

/// What decides the plans of all switches.
struct Fleet {
    plans: BTreeMap<String, watch::Sender<Arc<Plan>>>,
    failover: Failover,
}

fn fleet(
    config: &Config,
    topology: &Topology,
    artifacts: &Artifacts,
    events: &Events,
    reports: &Reports,
) -> Result<(Vec<Named>, Fleet), ControllerError> {
    topology.validate().map_err(PlanError::from)?;
    let tables = Arc::new(Tables::bind(&artifacts.p4info)?);
    let terms = TermStore::open(&config.state_file, config.controller)?;
    let program = Program {
        info: Arc::clone(&artifacts.p4info),
        device_config: Arc::clone(&artifacts.json),
        cookie: artifacts.cookie(),
    };
    // A controller that restarts leaves groups where they are.
    let placement = Placement::recorded(topology, &terms.roots()?);
    let mut controllers = Vec::with_capacity(topology.switches.len());
    let mut plans = BTreeMap::new();
    for switch in &topology.switches {
        let plan = Arc::new(Plan::placed(topology, &switch.name, &placement)?);
        let (sender, followed) = watch::channel(plan);
        plans.insert(switch.name.clone(), sender);
        let mut options = ConnectOptions::new(switch.address.clone(), switch.device_id);
        options.connect_deadline = config.connect_deadline;
        options.request_timeout = config.request_timeout;
        options.keep_alive = config.keep_alive;
        let tables = Arc::clone(&tables);
        let target = P4RuntimeTarget::new(options, program.clone(), tables, config.controller);
        let controller =
            SwitchController::following(target, followed, terms.clone(), events.clone())
                .with_reports(reports.clone())
                .with_probe(config.probe.filter(|_| !topology.links.is_empty()))
                .with_pauses(config.pauses)
                .with_audit_interval(config.audit_interval);
        controllers.push((switch.name.clone(), controller));
    }
    let fleet = Fleet {
        plans,
        failover: Failover::new(topology, placement),
    };
    Ok((controllers, fleet))
}
