//! The front door: a client of the group that speaks RESP to everybody else.

use super::{RoleError, process_endpoint, spawn, stopped};
use crate::deployment::{Deployment, ProtocolName};
use crate::status;
use apps::resp::{Info, Submit, SubmitError, serve};
use client::core::Agreement;
use client::{CallError, Client, ClientNode, Settings, Target};
use link::{Endpoint, Node, StopFlag, WaitPolicy};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A caller is told that the outcome is unknown after this time.
const GIVE_UP: Duration = Duration::from_secs(30);

/// A client of the deployment's group on `endpoint`.
pub fn front_node(
    deployment: &Deployment,
    endpoint: Box<dyn Endpoint>,
) -> Result<(Box<dyn Node>, Client), RoleError> {
    let settings = client_settings(deployment, GIVE_UP);
    let (node, client) = ClientNode::new(settings, endpoint)?;
    Ok((Box::new(node), client))
}

/// How a client finds the deployment's group, and how long it tries.
pub fn client_settings(deployment: &Deployment, give_up: Duration) -> Settings {
    let (protocol, members) = (deployment.protocol, deployment.group());
    let target = if protocol.asks_one_member() {
        Target::Members {
            addresses: members.members,
            first: 0,
        }
    } else {
        Target::Group(members.address)
    };
    Settings {
        group: members.id,
        target,
        agreement: Agreement::of(protocol, deployment.quorum()),
        reserved: protocol.reserved_bytes(),
        unique: deployment.unique,
        give_up,
    }
}

/// Facts for `INFO replication`.
#[derive(Debug)]
pub struct FrontInfo {
    protocol: ProtocolName,
    replicas: usize,
    client: Client,
}

impl FrontInfo {
    /// Facts about `client`'s group.
    pub fn new(deployment: &Deployment, client: Client) -> Self {
        Self {
            protocol: deployment.protocol,
            replicas: deployment.replicas,
            client,
        }
    }

    /// What the front door says of itself on its control socket.
    pub fn report(self, deployment: &Deployment) -> impl Fn() -> Value + Send + use<> {
        let doors: Vec<_> = deployment.doors().map(|door| door.to_string()).collect();
        move || {
            json!({
                "state": "serving",
                "resp": doors[0],
                "doors": doors,
                "requests": self.counters(),
            })
        }
    }

    /// The client's counters.
    pub fn counters(&self) -> Value {
        let statistics = self.client.statistics();
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "fast": read(&statistics.fast),
            "slow": read(&statistics.slow),
            "sent_again": read(&statistics.sent_again),
            "reconciliations": read(&statistics.reconciliations),
            "abandoned": read(&statistics.abandoned),
        })
    }
}

impl Info for FrontInfo {
    fn replication(&self) -> Vec<(String, String)> {
        let mut facts = vec![
            ("role".to_owned(), "master".to_owned()),
            (
                "downbeat_protocol".to_owned(),
                self.protocol.name().to_owned(),
            ),
            ("downbeat_replicas".to_owned(), self.replicas.to_string()),
        ];
        if let Value::Object(counters) = self.counters() {
            let named = |(name, value): (String, Value)| {
                (format!("downbeat_requests_{name}"), value.to_string())
            };
            facts.extend(counters.into_iter().map(named));
        }
        facts
    }
}

/// The group as the RESP front door sees it.
#[derive(Clone)]
struct GroupSubmit(Client);

impl Submit for GroupSubmit {
    async fn submit(&self, operation: Vec<u8>) -> Result<Vec<u8>, SubmitError> {
        match self.0.call(operation).await {
            Ok(answer) => Ok(answer.result.into_vec()),
            Err(CallError::TooLarge { size, limit }) => Err(SubmitError::TooLarge { size, limit }),
            Err(error @ CallError::Overloaded) => Err(SubmitError::NotExecuted(error.to_string())),
            Err(error) => Err(SubmitError::Unavailable(error.to_string())),
        }
    }

    fn operation_limit(&self) -> usize {
        self.0.operation_limit()
    }
}

/// Serves RESP at every front door of the deployment until `stop`. The callers of each have its
/// member asked first, where members are asked one by one: what befalls another member they do
/// not notice.
pub async fn serve_front(
    deployment: &Deployment,
    client: Client,
    stop: StopFlag,
) -> Result<(), RoleError> {
    let info = Arc::new(FrontInfo::new(deployment, client.clone()));
    let mut doors = JoinSet::new();
    for (member, address) in deployment.doors().enumerate() {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("cannot listen for RESP on {address}: {error}; choose another --resp-port")
        })?;
        let submit = GroupSubmit(client.preferring(member));
        doors.spawn(serve(listener, submit, info.clone(), stopped(stop.clone())));
    }
    while let Some(ended) = doors.join_next().await {
        // When one has ended, no door is to stay open alone.
        stop.stop();
        ended??;
    }
    Ok(())
}

/// The front door's process: until `stop`.
pub fn run_front(deployment: &Deployment, stop: &StopFlag) -> Result<(), RoleError> {
    let endpoint = process_endpoint(deployment, deployment.front_host())?;
    let (node, client) = front_node(deployment, endpoint)?;
    let info = FrontInfo::new(deployment, client.clone());
    let report = info.report(deployment);
    status::serve(&deployment.socket("front"), stop, report)?;
    let thread = spawn("client", vec![node], stop, WaitPolicy::Block)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve_front(deployment, client, stop.clone()));
    stop.stop();
    thread
        .join()
        .map_err(|_| "the client's thread panicked")??;
    served
}
