//! A whole deployment in one process: switch, controller, replicas and front door over in-process
//! rings. The controller talks real gRPC to the switch; only the wires are not there.
//!
//! Nodes run to completion: on a machine with few cores the switch and the replicas share one
//! thread, so that a request costs no wake-up between them; otherwise each has its own.

use crate::deployment::Deployment;
use crate::roles::{
    Bulk, ControllerState, RoleError, control, frame_endpoint, front_node, replica_node,
    serve_front, serve_p4runtime, spawn,
};
use crate::status;
use client::Client;
use controller::SwitchPort;
use link::faults::{FaultControl, Faults};
use link::{Endpoint, Link, Node, RunError, StopFlag, WaitPolicy, ring};
use replica::driver::{ReplicaHandle, local_mesh};
use sequencer::driver::{Port, SwitchNode};
use sequencer::pipeline::PortNumber;
use serde_json::json;
use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long the controller may take to install and verify.
const READY: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The parts of a running deployment that serve: all but its client. Ends when dropped.
pub struct Servers {
    deployment: Deployment,
    replicas: Vec<ReplicaHandle>,
    faults: FaultControl,
    controller: ControllerState,
    stop: StopFlag,
    nodes: Vec<JoinHandle<Result<(), RunError>>>,
    services: Vec<JoinHandle<Result<(), RoleError>>>,
}

impl Servers {
    /// Brings all of `deployment` up but its client, and waits until the controller has verified
    /// the switch. Also returns the endpoint for the client. `seed` decides what faults do once a
    /// plan is set.
    pub fn up(deployment: &Deployment, seed: u64) -> Result<(Self, Box<dyn Endpoint>), RoleError> {
        deployment.write()?;
        let stop = StopFlag::new()?;
        let faults = FaultControl::new(deployment.harm.plan()?);
        let mut wires = Wires::new(deployment, seed, &faults)?;
        let mut nodes: Vec<Box<dyn Node>> = Vec::new();
        let mut controls = Vec::new();
        for name in deployment.switches() {
            let ports = wires.take_ports(&name);
            let (switch, control) = SwitchNode::new(&format!("switch {name}"), ports)?;
            nodes.push(Box::new(switch));
            controls.push(control);
        }
        let mut replicas = Vec::new();
        for (index, (sender, inbox)) in local_mesh(deployment.replicas)?.into_iter().enumerate() {
            let endpoint = frame_endpoint(deployment, index, wires.take_host(index))?;
            let bulk: Bulk = (Box::new(sender), inbox);
            let (node, handle) = replica_node(deployment, index, endpoint, bulk, None)?;
            nodes.push(node);
            replicas.push(handle);
        }
        let front = deployment.front_host();
        let endpoint = frame_endpoint(deployment, front, wires.take_host(front))?;
        let mut servers = Self {
            deployment: deployment.clone(),
            replicas,
            faults,
            controller: ControllerState::new(deployment),
            stop,
            nodes: Vec::new(),
            services: Vec::new(),
        };
        servers.start_nodes(nodes)?;
        servers.start_services(controls)?;
        servers.wait_until_verified()?;
        Ok((servers, endpoint))
    }

    /// The replicas, by index.
    pub fn replicas(&self) -> &[ReplicaHandle] {
        &self.replicas
    }

    /// The flag that ends everything.
    pub fn stop_flag(&self) -> &StopFlag {
        &self.stop
    }

    /// Stops every thread and tells the first thing that went wrong.
    pub fn end(&mut self) -> Result<(), RoleError> {
        self.stop.stop();
        let mut outcome: Result<(), RoleError> = Ok(());
        for thread in self.nodes.drain(..) {
            let ended = thread.join().map_err(|_| "a node's thread panicked")?;
            outcome = outcome.and(ended.map_err(Into::into));
        }
        for thread in self.services.drain(..) {
            let ended = thread.join().map_err(|_| "a service's thread panicked")?;
            outcome = outcome.and(ended);
        }
        outcome
    }

    fn start_nodes(&mut self, nodes: Vec<Box<dyn Node>>) -> Result<(), RoleError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        if cores > nodes.len() + 1 {
            for node in nodes {
                let policy = WaitPolicy::for_threads(self.deployment.replicas + 2);
                self.nodes
                    .push(spawn("node", vec![node], &self.stop, policy)?);
            }
        } else {
            self.nodes
                .push(spawn("fabric", nodes, &self.stop, WaitPolicy::Block)?);
        }
        Ok(())
    }

    fn start_services(
        &mut self,
        controls: Vec<sequencer::server::ControlHandle>,
    ) -> Result<(), RoleError> {
        let switches = self.deployment.topology()?.switches;
        for (switch, control) in switches.into_iter().zip(controls) {
            let stop = self.stop.clone();
            let work = move || serve_p4runtime(&switch, control, &stop);
            self.services.push(
                thread::Builder::new()
                    .name("p4runtime".into())
                    .spawn(work)?,
            );
        }
        let (deployment, stop) = (self.deployment.clone(), self.stop.clone());
        let state = self.controller.clone();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(control(&deployment, state, |_| {}, stop))
        };
        self.services.push(
            thread::Builder::new()
                .name("controller".into())
                .spawn(work)?,
        );
        Ok(())
    }

    fn wait_until_verified(&mut self) -> Result<(), RoleError> {
        let deadline = Instant::now() + READY;
        while !self.controller.is_verified() {
            let ended = self.services.iter().any(JoinHandle::is_finished);
            if ended || self.stop.is_raised() {
                self.end()?;
                return Err("a part of the deployment ended before it was ready".into());
            }
            if Instant::now() >= deadline {
                let state = self.controller.report();
                return Err(
                    format!("the controller was not done within {READY:?}: {state}").into(),
                );
            }
            thread::park_timeout(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Whoever wants to know what went wrong has called `end` before.
        let _ = self.end();
    }
}

/// A running deployment with a client on its last host. Ends when dropped.
pub struct Embedded {
    servers: Servers,
    client: Client,
}

impl Embedded {
    /// Brings `deployment` up and waits until the controller has verified the switch.
    /// `seed` decides what faults do once a plan is set.
    pub fn up(deployment: &Deployment, seed: u64) -> Result<Self, RoleError> {
        let (mut servers, endpoint) = Servers::up(deployment, seed)?;
        let (node, client) = front_node(deployment, endpoint)?;
        let policy = WaitPolicy::Block;
        let thread = spawn("client", vec![node], &servers.stop, policy)?;
        servers.nodes.push(thread);
        Ok(Self { servers, client })
    }

    /// The handle of the client on the last host.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The replicas, by index.
    pub fn replicas(&self) -> &[ReplicaHandle] {
        self.servers.replicas()
    }

    /// What is done to the frames between switch and replicas.
    pub fn faults(&self) -> &FaultControl {
        &self.servers.faults
    }

    /// The flag that ends everything.
    pub fn stop_flag(&self) -> &StopFlag {
        self.servers.stop_flag()
    }

    /// Stops every thread and tells the first thing that went wrong.
    pub fn end(&mut self) -> Result<(), RoleError> {
        self.servers.end()
    }

    /// Serves RESP and the control sockets, as a deployment of processes does, until stopped.
    pub fn serve(mut self) -> Result<(), RoleError> {
        let reported = self.servers.controller.clone();
        let deployment = self.servers.deployment.clone();
        let stop = self.servers.stop.clone();
        for (name, address) in deployment.switches().zip(deployment.p4runtime()) {
            let p4runtime = address.to_string();
            let switch = move || json!({ "state": "serving", "p4runtime": p4runtime });
            status::serve(&deployment.socket(&name), &stop, switch)?;
        }
        status::serve(&deployment.socket("controller"), &stop, move || {
            reported.report()
        })?;
        for (index, handle) in self.servers.replicas.iter().enumerate() {
            let handle = handle.clone();
            let socket = deployment.socket(&crate::roles::replica_name(index));
            crate::roles::serve_operator(&socket, &stop, handle)?;
        }
        let info = crate::roles::FrontInfo::new(&deployment, self.client.clone());
        let front = info.report(&deployment);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        status::serve(&deployment.socket("front"), &stop, front)?;
        let served = runtime.block_on(serve_front(&deployment, self.client.clone(), stop));
        let ended = self.end();
        served.and(ended)
    }
}

/// The wires between switches and hosts.
pub(crate) struct Wires {
    hosts: Vec<Option<Box<dyn Link>>>,
    /// By switch.
    ports: BTreeMap<String, Vec<Port>>,
}

impl Wires {
    /// One ring pair a wire; the replicas' ends have faults, for the time a plan is set.
    pub(crate) fn new(
        deployment: &Deployment,
        seed: u64,
        faults: &FaultControl,
    ) -> Result<Self, RoleError> {
        let topology = deployment.topology()?;
        let mut wires = Self {
            hosts: Vec::new(),
            ports: BTreeMap::new(),
        };
        for (index, host) in topology.hosts.iter().enumerate() {
            let (host_end, switch_end) = ring::pair(ring::DEFAULT_CAPACITY)?;
            let host_end: Box<dyn Link> = if index < deployment.replicas {
                let seed = seed.wrapping_add(index as u64);
                Box::new(Faults::new(host_end, seed, faults.clone()))
            } else {
                Box::new(host_end)
            };
            wires.hosts.push(Some(host_end));
            wires.plug(&host.port, Box::new(switch_end));
        }
        for link in &topology.links {
            let (leaf_end, root_end) = ring::pair(ring::DEFAULT_CAPACITY)?;
            wires.plug(&link.leaf, Box::new(leaf_end));
            wires.plug(&link.root, Box::new(root_end));
        }
        Ok(wires)
    }

    fn plug(&mut self, port: &SwitchPort, link: Box<dyn Link>) {
        let number = PortNumber(port.port);
        let ports = self.ports.entry(port.switch.clone()).or_default();
        ports.push(Port { number, link });
    }

    pub(crate) fn take_ports(&mut self, switch: &str) -> Vec<Port> {
        self.ports.remove(switch).unwrap_or_default()
    }

    pub(crate) fn take_host(&mut self, host: usize) -> Box<dyn Link> {
        self.hosts[host].take().expect("each host is taken once")
    }
}
