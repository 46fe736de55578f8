//! A replica: the protocol's core with the key-value store, on its endpoint.

use super::{RoleError, process_endpoint, run_here};
use crate::deployment::{Application, Deployment, GROUP, ProtocolName};
use crate::status;
use apps::kv::Kv;
use apps::null::Null;
use link::{Clock, Endpoint, Inbox, Node, StopFlag};
use replica::driver::{Boot, BulkSender, Identity, ReplicaHandle, ReplicaNode, StateFile, TcpBulk};
use replica::fast_paxos::{self, FastPaxos};
use replica::history::DEFAULT_RETAINED_BYTES;
use replica::mencius::{self, Mencius};
use replica::nopaxos::{self, NoPaxos};
use replica::rounds::{self, ReadPath, Rounds};
use replica::spec_paxos::{Config, SpecPaxos};
use replica::unreplicated::Unreplicated;
use replica::vr::{self, Vr};
use replica::{Protocol, StateMachine};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::message::Reply;
use wire::message::nopaxos::Answer;
use wire::{GroupId, ReplicaId, STAMP_LEN};

/// How long the operator's question may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A sender and an inbox for bulk messages.
pub type Bulk = (Box<dyn BulkSender>, Inbox<Vec<u8>>);

/// A replica on its first boot, or one that has run before.
pub fn replica_node(
    deployment: &Deployment,
    index: usize,
    endpoint: Box<dyn Endpoint>,
    bulk: Bulk,
    store: Option<(StateFile, Boot)>,
) -> Result<(Box<dyn Node>, ReplicaHandle), RoleError> {
    let overhead = match deployment.protocol {
        ProtocolName::NoPaxos => STAMP_LEN + Answer::OVERHEAD,
        _ => STAMP_LEN + Reply::OVERHEAD,
    };
    let reply_limit = endpoint.payload_limit().saturating_sub(overhead);
    let (store, boot) = store.map_or((None, Boot::First), |(store, boot)| (Some(store), boot));
    let birth = Birth {
        deployment,
        index,
        endpoint,
        bulk,
        store,
        boot,
    };
    match deployment.application {
        Application::Kv => birth.node(Kv::with_reply_limit(reply_limit)?),
        Application::Null => birth.node(Null::default()),
    }
}

/// What a replica is made of, but for its state machine.
struct Birth<'a> {
    deployment: &'a Deployment,
    index: usize,
    endpoint: Box<dyn Endpoint>,
    bulk: Bulk,
    store: Option<StateFile>,
    boot: Boot,
}

impl Birth<'_> {
    fn node<S>(self, machine: S) -> Result<(Box<dyn Node>, ReplicaHandle), RoleError>
    where
        S: StateMachine + Send + 'static,
        S::Undo: Send,
    {
        let (deployment, boot, now) = (self.deployment, self.boot, Clock.now());
        let (me, quorum) = (replica_id(self.index), deployment.quorum());
        let payload_limit = self.endpoint.payload_limit().saturating_sub(STAMP_LEN);
        match deployment.protocol {
            ProtocolName::SpecPaxos => {
                let mut config = Config::new(me, quorum);
                config.gap_awareness = deployment.gap_awareness;
                self.around(match again(boot) {
                    None => SpecPaxos::format(config, machine, now),
                    Some(boot) => SpecPaxos::restart(config, machine, now, boot),
                })
            }
            ProtocolName::Rounds => {
                let mut config = rounds::Config::with_others(me, quorum, deployment.replicas);
                config.payload_limit = payload_limit;
                if !deployment.read_barrier {
                    config.reads = ReadPath::Log;
                }
                self.around(match again(boot) {
                    None => Rounds::format(config, machine, now),
                    Some(boot) => Rounds::restart(config, machine, now, boot),
                })
            }
            ProtocolName::Vr => {
                let mut config = vr::Config::new(me, quorum);
                config.payload_limit = payload_limit;
                config.batching = deployment.batching;
                self.around(match again(boot) {
                    None => Vr::format(config, machine, now),
                    Some(boot) => Vr::restart(config, machine, now, boot),
                })
            }
            ProtocolName::NoPaxos => {
                let config = nopaxos::Config::new(me, quorum);
                self.around(match again(boot) {
                    None => NoPaxos::format(config, machine, now),
                    Some(boot) => NoPaxos::restart(config, machine, now, boot),
                })
            }
            ProtocolName::FastPaxos => {
                let config = fast_paxos::Config::new(me, quorum);
                self.around(match again(boot) {
                    None => FastPaxos::format(config, machine, now),
                    Some(boot) => FastPaxos::restart(config, machine, now, boot),
                })
            }
            ProtocolName::Mencius => {
                let mut config = mencius::Config::new(me, quorum);
                config.payload_limit = payload_limit;
                config.batching = deployment.batching;
                self.around(match again(boot) {
                    None => Mencius::format(config, machine, now),
                    Some(boot) => Mencius::restart(config, machine, now, boot),
                })
            }
            ProtocolName::Unreplicated => {
                self.around(Unreplicated::new(machine, true, DEFAULT_RETAINED_BYTES))
            }
        }
    }

    fn around<P: Protocol + Send + 'static>(
        self,
        core: P,
    ) -> Result<(Box<dyn Node>, ReplicaHandle), RoleError> {
        let (me, group) = (replica_id(self.index), self.deployment.group());
        let (node, handle) =
            ReplicaNode::new(me, group, core, self.endpoint, self.bulk, self.store)?;
        Ok((Box::new(node), handle))
    }
}

/// What a core is told that has run before.
fn again(boot: Boot) -> Option<replica::Boot> {
    match boot {
        Boot::First => None,
        Boot::Again { persistent, starts } => Some(replica::Boot {
            persisted: Some(persistent),
            incarnation: starts,
        }),
    }
}

/// Whose state a replica's folder holds.
pub fn identity(deployment: &Deployment, index: usize) -> Identity {
    Identity {
        group: GroupId(GROUP.into()),
        replica: replica_id(index),
        protocol: deployment.protocol.name().into(),
    }
}

/// Where a replica keeps its state.
pub fn state_folder(deployment: &Deployment, index: usize) -> PathBuf {
    deployment.folder.join(format!("r{index}"))
}

/// The name of a replica's control socket, log and process.
pub fn replica_name(index: usize) -> String {
    format!("r{index}")
}

/// A replica's process: until `stop`.
pub fn run_replica(
    deployment: &Deployment,
    index: usize,
    stop: &StopFlag,
) -> Result<(), RoleError> {
    if index >= deployment.replicas {
        let last = deployment.replicas - 1;
        return Err(format!("there is no replica {index}, valid are 0 to {last}").into());
    }
    let identity = identity(deployment, index);
    let store = StateFile::open(&state_folder(deployment, index), identity)?;
    let endpoint = process_endpoint(deployment, index)?;
    let group = GroupId(GROUP.into());
    let (me, listen) = (replica_id(index), deployment.bulk[index]);
    let (sender, inbox) = TcpBulk::open(group, me, listen, &deployment.bulk, stop)?;
    let bulk: Bulk = (Box::new(sender), inbox);
    let (node, handle) = replica_node(deployment, index, endpoint, bulk, Some(store))?;
    let socket = deployment.socket(&replica_name(index));
    serve_operator(&socket, stop, handle)?;
    run_here(node, stop)
}

/// Answers and obeys whoever connects to a replica's control socket.
pub fn serve_operator(
    socket: &Path,
    stop: &StopFlag,
    handle: ReplicaHandle,
) -> Result<(), RoleError> {
    let told = handle.clone();
    let obey = move |text: &str| match status::parse_change(text) {
        None => {
            json!({ "error": format!("{text:?} is no command; valid is: members VERSION BITS") })
        }
        Some(change) => match told.change(change) {
            Ok(()) => json!({ "proposes": change.0.members.to_string() }),
            Err(error) => json!({ "error": error.to_string() }),
        },
    };
    status::serve_commands(socket, stop, move || report(&handle), obey)?;
    Ok(())
}

/// What the replica behind `handle` says of itself.
pub fn report(handle: &ReplicaHandle) -> serde_json::Value {
    match handle.status(PATIENCE) {
        Ok(report) => status::of_replica(&report),
        Err(error) => json!({ "state": "unreachable", "reason": error.to_string() }),
    }
}

fn replica_id(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a group has at most 15 replicas"))
}
