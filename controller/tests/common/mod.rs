//! What the integration tests share: the compiled program, a topology, and waiting for events.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use controller::{Artifacts, Event, EventKind, Group, InstalledGroup, Topology};
use tokio::sync::mpsc;

/// Long enough for a loaded machine; nothing waits this long when it works.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) fn artifacts() -> Artifacts {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../p4/built");
    Artifacts::load(&built.join("root.json"), &built.join("root.p4info.txtpb")).expect("built")
}

/// Five hosts, two groups, one member in both.
pub(crate) fn topology(address: &str) -> Topology {
    let mut topology = Topology::single(5).expect("five hosts");
    address.clone_into(&mut topology.switches[0].address);
    topology
        .add_group(Group::of_hosts(1, ["h1", "h2", "h3"]))
        .expect("group 1");
    topology
        .add_group(Group::of_hosts(2, ["h3", "h4"]))
        .expect("group 2");
    topology
}

/// The events of a controller, with what came so far for the message of a failure.
pub(crate) struct Watcher {
    events: mpsc::Receiver<Event>,
    pub(crate) seen: Vec<EventKind>,
}

impl Watcher {
    pub(crate) fn new(events: mpsc::Receiver<Event>) -> Self {
        Self {
            events,
            seen: Vec::new(),
        }
    }

    /// Waits for an event; what came before it is kept in `seen`.
    pub(crate) async fn wait_for<R>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&EventKind) -> Option<R>,
    ) -> R {
        let waiting = async {
            while let Some(event) = self.events.recv().await {
                let picked = pick(&event.kind);
                self.seen.push(event.kind);
                if let Some(picked) = picked {
                    return Some(picked);
                }
            }
            None
        };
        match tokio::time::timeout(DEADLINE, waiting).await {
            Ok(Some(picked)) => picked,
            _ => panic!("no {what} after {:#?}", self.seen),
        }
    }

    pub(crate) async fn verified(&mut self) -> (Vec<InstalledGroup>, bool) {
        self.wait_for("Verified", |kind| match kind {
            EventKind::Verified { groups, installed } => Some((groups.clone(), *installed)),
            _ => None,
        })
        .await
    }
}

pub(crate) fn skip(what: &str) {
    writeln!(std::io::stderr(), "skip: {what}").expect("stderr");
}
