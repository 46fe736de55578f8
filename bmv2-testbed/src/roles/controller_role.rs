//! The controller: keeps the switch as the topology says, with a fresh term whenever it must.

use super::{RoleError, stopped};
use crate::artifacts::{ROOT_JSON, ROOT_P4INFO};
use crate::deployment::Deployment;
use crate::status;
use controller::{Artifacts, Config, Event, EventKind, Events};
use link::StopFlag;
use p4runtime::P4Info;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What the controller last told of the switch.
#[derive(Clone, Default)]
pub struct ControllerState(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    verified: bool,
    term: u32,
    installations: u64,
    last: String,
}

impl ControllerState {
    /// Takes note of an event.
    pub fn note(&self, event: &Event) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.last = event.to_string();
        match &event.kind {
            EventKind::Verified { groups, installed } => {
                known.verified = true;
                known.term = groups.first().map_or(known.term, |group| group.term.0);
                known.installations += u64::from(*installed);
            }
            EventKind::StreamLost { .. } | EventKind::Differs { .. } => known.verified = false,
            _ => {}
        }
    }

    /// Whether the switch is as it should be.
    pub fn is_verified(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .verified
    }

    /// What operators see.
    pub fn report(&self) -> Value {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "state": if known.verified { "verified" } else { "working" },
            "term": known.term,
            "installations": known.installations,
            "last_event": known.last,
        })
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
    let events = Events::to(move |event| {
        state.note(&event);
        tell(&event);
    });
    let (ended, shutdown) = watch::channel(false);
    let config = Config::new(state_file(deployment));
    let running = controller::run(config, deployment.topology()?, artifacts, events, shutdown);
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
    let state = ControllerState::default();
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
