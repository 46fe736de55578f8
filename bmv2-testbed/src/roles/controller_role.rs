//! The controller: keeps the switches as the topology says, with a fresh term whenever it must.

use super::members::listen;
use super::{RoleError, stopped};
use crate::artifacts::{ROOT_JSON, ROOT_P4INFO};
use crate::deployment::{Deployment, ProtocolName, Shape};
use crate::status;
use controller::{Artifacts, Config, Event, EventKind, Events, run_hearing_members};
use link::StopFlag;
use p4runtime::P4Info;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};

/// What the controller last told of the switches.
#[derive(Clone)]
pub struct ControllerState(Arc<Mutex<Known>>);

struct Known {
    /// By switch; the first one has the hosts.
    switches: BTreeMap<String, Switch>,
    leaf: String,
    root: Option<Root>,
    /// When the root's session ended, if it has and no other one has taken over.
    lost: Option<Instant>,
    /// How often the group went to another root, and how long the last time took from the end of
    /// the old one's session until packets were sent to the new one.
    moves: u64,
    moved_in: Option<Duration>,
    installations: u64,
    last: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    /// It was never as it should be.
    New,
    Verified,
    /// It was, and is not, or does not answer.
    Lost,
}

/// The switch that stamps.
struct Root {
    switch: String,
    term: u32,
    since: SystemTime,
}

impl ControllerState {
    /// Nothing known yet of the switches of a deployment.
    pub fn new(deployment: &Deployment) -> Self {
        let switches: Vec<String> = deployment.switches().collect();
        Self(Arc::new(Mutex::new(Known {
            leaf: switches[0].clone(),
            switches: switches.into_iter().map(|it| (it, Switch::New)).collect(),
            root: None,
            lost: None,
            moves: 0,
            moved_in: None,
            installations: 0,
            last: String::new(),
        })))
    }

    /// Takes note of an event.
    pub fn note(&self, event: &Event) {
        self.known().note(event);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the switches are as they should be: each has been, and the one with the hosts and
    /// the one that stamps are.
    pub fn is_verified(&self) -> bool {
        self.known().is_verified()
    }

    /// The switch that stamps and its term, once there is one.
    pub(super) fn root(&self) -> Option<(String, u32)> {
        let known = self.known();
        let root = known.root.as_ref()?;
        Some((root.switch.clone(), root.term))
    }

    /// What operators see.
    pub fn report(&self) -> Value {
        let known = self.known();
        let word = |switch: &Switch| match switch {
            Switch::New => "new",
            Switch::Verified => "verified",
            Switch::Lost => "lost",
        };
        let switches = known.switches.iter();
        let switches: Map<String, Value> = switches
            .map(|(name, switch)| (name.clone(), word(switch).into()))
            .collect();
        let root = known.root.as_ref();
        let since = root.and_then(|root| root.since.duration_since(UNIX_EPOCH).ok());
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        json!({
            "state": if known.is_verified() { "verified" } else { "working" },
            "term": root.map_or(0, |root| root.term),
            "root": root.map(|root| root.switch.as_str()),
            "root_since_unix_us": since.map(us),
            "root_changes": known.moves,
            "root_changed_in_us": known.moved_in.map(us),
            "switches": switches,
            "installations": known.installations,
            "last_event": known.last,
        })
    }
}

impl Known {
    fn note(&mut self, event: &Event) {
        self.last = event.to_string();
        let name = &event.switch;
        match &event.kind {
            EventKind::Verified { groups, installed } => {
                self.switches.insert(name.clone(), Switch::Verified);
                self.installations += u64::from(*installed);
                if let Some(group) = groups.first() {
                    self.stamps(name, group.term.0);
                }
            }
            EventKind::Installed {
                term: Some(term), ..
            } => self.stamps(name, term.0),
            EventKind::GroupMoved { .. } => {
                self.moves += 1;
                self.moved_in = self.lost.take().map(|lost| lost.elapsed());
            }
            EventKind::StreamLost { .. } | EventKind::Differs { .. } => {
                let switch = self.switches.entry(name.clone()).or_insert(Switch::New);
                if *switch == Switch::Verified {
                    *switch = Switch::Lost;
                }
                if self.root.as_ref().is_some_and(|root| root.switch == *name) {
                    self.lost.get_or_insert_with(Instant::now);
                }
            }
            _ => {}
        }
    }

    /// A switch has the group in this term. A root that lost its session may be found with the
    /// term of before; who has a later one stamps.
    fn stamps(&mut self, switch: &str, term: u32) {
        if self.root.as_ref().is_none_or(|root| root.term < term) {
            self.root = Some(Root {
                switch: switch.to_owned(),
                term,
                since: SystemTime::now(),
            });
        }
    }

    fn is_verified(&self) -> bool {
        let is = |name: &String| self.switches.get(name) == Some(&Switch::Verified);
        let root = self.root.as_ref().map(|root| &root.switch);
        let each_was = self.switches.values().all(|switch| *switch != Switch::New);
        each_was && is(&self.leaf) && root.is_some_and(is)
    }
}

/// Runs the controller until `stop`; every event goes to `note` first.
pub async fn control(
    deployment: &Deployment,
    state: ControllerState,
    tell: impl Fn(&Event) + Send + Sync + 'static,
    stop: StopFlag,
) -> Result<(), RoleError> {
    let p4info = P4Info::from_text(ROOT_P4INFO)?;
    let artifacts = Artifacts::new(ROOT_JSON.to_vec(), p4info);
    let listened = state.clone();
    let events = Events::to(move |event| {
        state.note(&event);
        tell(&event);
    });
    let (ended, shutdown) = watch::channel(false);
    let config = Config::new(state_file(deployment));
    let (silent, silences) = mpsc::unbounded_channel();
    if deployment.topology != Shape::Single && deployment.protocol == ProtocolName::Rounds {
        listen(deployment, listened, silent, stop.clone())?;
    }
    let topology = deployment.topology()?;
    let running = run_hearing_members(config, topology, artifacts, events, silences, shutdown);
    tokio::select! {
        outcome = running => outcome?,
        () = stopped(stop) => { ended.send_replace(true); }
    }
    Ok(())
}

/// Terms must never be used twice, so they outlive a deployment's folder wherever a switch does:
/// here every deployment has a switch of its own.
fn state_file(deployment: &Deployment) -> PathBuf {
    deployment.folder.join("terms.json")
}

/// The controller's process: until `stop`.
pub fn run_controller(deployment: &Deployment, stop: &StopFlag) -> Result<(), RoleError> {
    let state = ControllerState::new(deployment);
    let reported = state.clone();
    status::serve(&deployment.socket("controller"), stop, move || {
        reported.report()
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tell = |event: &Event| {
        use std::io::Write;
        // The log is for people; that it cannot be written is no reason to stop controlling.
        let _ = writeln!(std::io::stderr(), "{event}");
    };
    runtime.block_on(control(deployment, state, tell, stop.clone()))
}
