//! What every member relies on, whatever the fabric: what it sends to its group comes to all
//! members, itself included, stamped.

use super::*;
use crate::ProtocolName;
use crate::deployment::{Application, Caller, Harm, Options, Shape};
use crate::embedded::Wires;
use crate::netns::{Bmv2Program, Lab};
use link::{Clock, RunError};
use replica::driver::{ReplicaNode, local_mesh};
use replica::{Counters, Effects, Mode, Protocol, Status};
use sequencer::driver::SwitchNode;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::mpsc::{Receiver, Sender as Told, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::message::Commit;
use wire::{
    Kind, Message, ReplicaId, Sender, SequenceNumber, SlotNumber, StampHeader, SummaryHash, Tick,
    ViewNumber,
};

const PATIENCE: Duration = Duration::from_secs(30);
const MEMBERS: usize = 3;
/// A beacon that has not heard itself sends again after this time.
const AGAIN_US: u64 = 20_000;

/// A packet as a member got it.
#[derive(Clone, Copy, Debug)]
struct Heard {
    by: ReplicaId,
    stamp: StampHeader,
    message: Commit,
}

/// A protocol that multicasts its own name until it hears itself, and tells what it hears.
struct Beacon {
    me: ReplicaId,
    again: Option<Tick>,
    told: Told<Heard>,
}

impl Beacon {
    fn new(me: ReplicaId, told: Told<Heard>) -> Self {
        let again = Some(Clock.now());
        Self { me, again, told }
    }

    fn says(replica: ReplicaId) -> Commit {
        Commit {
            view: ViewNumber::ZERO,
            slot: SlotNumber(replica.0.into()),
            hash: SummaryHash([replica.0; 32]),
        }
    }
}

impl Protocol for Beacon {
    fn on_message(
        &mut self,
        _now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        _out: &mut Effects,
    ) {
        let (Some(stamp), Message::Commit(message)) = (stamp, message) else {
            panic!("nobody sends this: {message:?}");
        };
        if stamp.sender == Sender::Member(self.me) {
            self.again = None;
        }
        // The test may have ended.
        let _ = self.told.send(Heard {
            by: self.me,
            stamp: *stamp,
            message,
        });
    }

    fn on_deadline(&mut self, now: Tick, out: &mut Effects) {
        if self.again.is_some_and(|at| at <= now) {
            out.multicast(&Message::Commit(Self::says(self.me)));
            self.again = Some(now.plus_us(AGAIN_US));
        }
    }

    fn deadline(&self) -> Option<Tick> {
        self.again
    }

    fn status(&self) -> Status {
        Status {
            replica: self.me,
            mode: Mode::Normal,
            degraded: false,
            view: ViewNumber::ZERO,
            last_speculative: SlotNumber::ZERO,
            last_committed: SlotNumber::ZERO,
            hash: SummaryHash::EMPTY,
            digest: SummaryHash::EMPTY,
            rounds: None,
            counters: Counters::default(),
        }
    }

    fn check(&self) {}
}

/// Everything of a deployment but its replicas and front door.
struct Running {
    stop: StopFlag,
    roles: Vec<JoinHandle<Result<(), RoleError>>>,
    nodes: Vec<JoinHandle<Result<(), RunError>>>,
}

impl Running {
    fn new() -> Self {
        Self {
            stop: StopFlag::new().unwrap(),
            roles: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// A role on a thread of its own, in a namespace if one is given.
    fn start(
        &mut self,
        namespace: Option<&str>,
        work: impl FnOnce(&StopFlag) -> Result<(), RoleError> + Send + 'static,
    ) {
        let (namespace, stop) = (namespace.map(str::to_owned), self.stop.clone());
        self.roles.push(thread::spawn(move || match namespace {
            Some(namespace) => netns::inside(&namespace, || work(&stop))?,
            None => work(&stop),
        }));
    }

    fn start_controller(&mut self, namespace: Option<&str>, deployment: &Deployment) {
        let deployment = deployment.clone();
        self.start(namespace, move |stop| run_controller(&deployment, stop));
    }

    fn end(self) {
        self.stop.stop();
        for node in self.nodes {
            node.join().unwrap().unwrap();
        }
        for role in self.roles {
            role.join().unwrap().unwrap();
        }
    }
}

fn plan(fabric: Fabric, shape: Shape, folder: &std::path::Path) -> Deployment {
    let deployment = Deployment::plan(&Options {
        fabric,
        protocol: ProtocolName::Rounds,
        topology: shape,
        replicas: MEMBERS,
        spares: 0,
        mtu: 1_428,
        round_shift: 8,
        gap_awareness: true,
        read_barrier: true,
        batching: true,
        application: Application::Kv,
        caller: Caller::Front,
        harm: Harm::default(),
        resp_port: 0,
        doors: 1,
        folder: folder.to_path_buf(),
        unique: u64::from(std::process::id()) << 8 | (fabric as u64) << 4 | shape as u64,
    });
    let deployment = deployment.unwrap();
    deployment.write().unwrap();
    deployment
}

/// Starts a beacon on each endpoint and waits until every one has heard every one.
fn all_hear_all(deployment: &Deployment, endpoints: Vec<Box<dyn Endpoint>>, running: &mut Running) {
    let (told, heard) = channel();
    let mesh = local_mesh(endpoints.len()).unwrap();
    for (index, (endpoint, (sender, inbox))) in endpoints.into_iter().zip(mesh).enumerate() {
        let me = ReplicaId(u8::try_from(index).unwrap());
        let beacon = Beacon::new(me, told.clone());
        let bulk: Bulk = (Box::new(sender), inbox);
        let node = ReplicaNode::new(me, deployment.group(), beacon, endpoint, bulk, None);
        let nodes: Vec<Box<dyn Node>> = vec![Box::new(node.unwrap().0)];
        let thread = spawn("beacon", nodes, &running.stop, WaitPolicy::Block).unwrap();
        running.nodes.push(thread);
    }
    drop(told);
    wait_for_all(&heard);
}

fn wait_for_all(heard: &Receiver<Heard>) {
    let deadline = Instant::now() + PATIENCE;
    let mut pairs: BTreeMap<(ReplicaId, ReplicaId), StampHeader> = BTreeMap::new();
    let mut by_number: BTreeMap<SequenceNumber, StampHeader> = BTreeMap::new();
    while pairs.len() < MEMBERS * MEMBERS {
        let left = deadline.saturating_duration_since(Instant::now());
        let Heard { by, stamp, message } = heard
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("only these heard (by, of): {:?}", pairs.keys()));
        let Sender::Member(of) = stamp.sender else {
            panic!("not a member's: {stamp:?}");
        };
        assert_eq!(message, Beacon::says(of));
        assert_eq!(stamp.kind, Kind::RoundPacket);
        assert!(stamp.is_stamped(), "{by} got {stamp:?}");
        // One packet, one number: all copies of it have the same stamp.
        let known = by_number.entry(stamp.sequence).or_insert(stamp);
        assert_eq!(*known, stamp);
        pairs.insert((by, of), stamp);
    }
}

#[test]
fn members_hear_themselves_through_rings() {
    for shape in Shape::ALL {
        let folder = tempfile::tempdir().unwrap();
        let deployment = plan(Fabric::Embedded, shape, folder.path());
        let faults = FaultControl::new(deployment.harm.plan().unwrap());
        let mut wires = Wires::new(&deployment, 1, &faults).unwrap();
        let mut running = Running::new();
        for switch in deployment.topology().unwrap().switches {
            let ports = wires.take_ports(&switch.name);
            let (node, control) = SwitchNode::new(&switch.name, ports).unwrap();
            let nodes: Vec<Box<dyn Node>> = vec![Box::new(node)];
            let thread = spawn("switch", nodes, &running.stop, WaitPolicy::Block).unwrap();
            running.nodes.push(thread);
            running.start(None, move |stop| serve_p4runtime(&switch, control, stop));
        }
        running.start_controller(None, &deployment);
        let endpoint = |host| frame_endpoint(&deployment, host, wires.take_host(host)).unwrap();
        let endpoints = (0..MEMBERS).map(endpoint).collect();
        all_hear_all(&deployment, endpoints, &mut running);
        running.end();
    }
}

/// Our software switches, each on a thread of its own.
fn start_switches(running: &mut Running, namespace: Option<&str>, deployment: &Deployment) {
    for name in deployment.switches() {
        let served = deployment.clone();
        running.start(namespace, move |stop| run_switch(&served, &name, stop));
    }
}

#[test]
fn members_hear_themselves_through_tunnels() {
    for shape in Shape::ALL {
        let folder = tempfile::tempdir().unwrap();
        let deployment = plan(Fabric::Tunnel, shape, folder.path());
        let mut running = Running::new();
        start_switches(&mut running, None, &deployment);
        running.start_controller(None, &deployment);
        let endpoint = |host| process_endpoint(&deployment, host).unwrap();
        let endpoints = (0..MEMBERS).map(endpoint).collect();
        all_hear_all(&deployment, endpoints, &mut running);
        running.end();
    }
}

/// The kernel takes a packet with its own source address for a forgery unless told otherwise.
#[test]
fn members_hear_themselves_through_namespaces() {
    for shape in Shape::ALL {
        in_namespaces(Fabric::Netns, shape);
    }
}

#[test]
fn members_hear_themselves_through_bmv2() {
    if let Err(missing) = Bmv2Program::find() {
        return skip(Fabric::Bmv2, &missing);
    }
    for shape in Shape::ALL {
        in_namespaces(Fabric::Bmv2, shape);
    }
}

fn in_namespaces(fabric: Fabric, shape: Shape) {
    if let Err(missing) = Lab::preflight() {
        return skip(fabric, &missing);
    }
    let folder = tempfile::tempdir().unwrap();
    let deployment = plan(fabric, shape, folder.path());
    let lab::Running { lab, .. } = lab::up(&deployment).unwrap();
    let namespace = lab.switch_namespace().to_owned();
    let mut running = Running::new();
    if fabric == Fabric::Netns {
        start_switches(&mut running, Some(&namespace), &deployment);
    }
    running.start_controller(Some(&namespace), &deployment);
    let endpoint = |host| {
        let open = || process_endpoint(&deployment, host);
        netns::inside(lab.host_namespace(host), open)
            .unwrap()
            .unwrap()
    };
    let endpoints = (0..MEMBERS).map(endpoint).collect();
    all_hear_all(&deployment, endpoints, &mut running);
    running.end();
    lab.down().unwrap();
}

fn skip(fabric: Fabric, missing: &dyn std::fmt::Display) {
    let name = fabric.name();
    writeln!(io::stderr(), "skip: own copies on fabric {name}: {missing}").unwrap();
}
