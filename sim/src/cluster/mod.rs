//! A replica group in virtual time: the real cores of replicas and clients, a root that stamps,
//! links that lose, copy and overtake by seed.
//!
//! One seed is the whole identity of a run. Every event is followed by the checks that must
//! always hold; the history goes to the linearizability checker. Not here yet: the switch's
//! compiled pipeline, restarts, partitions.

mod network;
mod workload;

pub use network::Faults;

use crate::history::{CallId, History};
use crate::kv::{decode, encode};
use crate::linearizability::kv::{KvOperation, KvOutcome};
use apps::kv::Kv;
use client::core::{Agreement, ClientCore, Path, Step};
use network::{Network, Target};
use replica::spec_paxos::{Config, SpecPaxos};
use replica::{Effect, Effects, Mode, Protocol, Quorum, Status};
use std::collections::BTreeMap;
use wire::{
    ClientId, GroupId, HostAddress, Kind, Message, ReplicaId, Sender, SlotNumber, StampHeader,
    SummaryHash, Tick,
};
use workload::Workload;

const GROUP: GroupId = GroupId(1);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The run's identity.
    pub seed: u64,
    /// Replicas in the group.
    pub replicas: usize,
    /// Closed-loop clients.
    pub clients: usize,
    /// Operations of each client.
    pub operations: usize,
    /// Keys they share.
    pub keys: u64,
    /// What the links do to packets while faults are on.
    pub faults: Faults,
    /// Faults end when this many operations are answered; then everything must heal.
    pub faults_until: usize,
    /// A replica that crashes for good when this many operations are answered.
    pub crash: Option<(usize, ReplicaId)>,
    /// Virtual time after which a run has failed to finish.
    pub limit: Tick,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that clients asked and were told.
    pub history: History<KvOperation, KvOutcome>,
    /// Operations answered in one round trip.
    pub fast: usize,
    /// Operations answered otherwise.
    pub slow: usize,
    /// Every live replica at the end.
    pub replicas: Vec<Status>,
    /// When the run ended.
    pub end: Tick,
    /// The longest time between two answers.
    pub longest_gap_ns: u64,
}

struct SimClient {
    core: ClientCore,
    workload: Workload,
    call: Option<(CallId, KvOperation)>,
}

struct Cluster {
    settings: Settings,
    now: Tick,
    network: Network,
    replicas: Vec<Option<SpecPaxos<Kv>>>,
    clients: Vec<SimClient>,
    history: History<KvOperation, KvOutcome>,
    committed: BTreeMap<SlotNumber, SummaryHash>,
    effects: Effects,
    fast: usize,
    slow: usize,
    last_answer: Tick,
    longest_gap_ns: u64,
}

/// Runs to the end of the workload and until every live replica has the same committed log.
///
/// Panics, naming seed and time, when an invariant breaks or the run does not finish in time.
pub fn run(settings: Settings) -> Outcome {
    let mut cluster = Cluster::new(settings);
    for client in 0..settings.clients {
        cluster.next_operation(client);
    }
    while !cluster.is_finished() {
        cluster.step();
    }
    cluster.outcome()
}

impl Cluster {
    fn new(settings: Settings) -> Self {
        let quorum = Quorum::of(settings.replicas).expect("a possible group");
        let replicas = (0..settings.replicas)
            .map(|index| {
                let config = Config::new(replica_id(index), quorum);
                Some(SpecPaxos::format(config, Kv::default(), Tick(0)))
            })
            .collect();
        let clients = (0..settings.clients)
            .map(|index| {
                let id = ClientId(1_000 + index as u64);
                let agreement = Agreement::Speculative(quorum);
                SimClient {
                    core: ClientCore::new(id, client_address(index), agreement),
                    workload: Workload::new(settings.seed, index as u64, settings.keys),
                    call: None,
                }
            })
            .collect();
        Self {
            settings,
            now: Tick(0),
            network: Network::new(settings.seed, settings.faults),
            replicas,
            clients,
            history: History::new(),
            committed: BTreeMap::new(),
            effects: Effects::new(),
            fast: 0,
            slow: 0,
            last_answer: Tick(0),
            longest_gap_ns: 0,
        }
    }

    fn answered(&self) -> usize {
        self.fast + self.slow
    }

    fn is_finished(&self) -> bool {
        let all = self.settings.clients * self.settings.operations;
        if self.answered() < all {
            return false;
        }
        let mut statuses = self.live().map(Protocol::status);
        let Some(first) = statuses.next() else {
            return true;
        };
        let settled = |s: &Status| {
            s.mode == Mode::Normal && s.last_committed == s.last_speculative && s.hash == first.hash
        };
        settled(&first) && statuses.all(|status| settled(&status))
    }

    fn live(&self) -> impl Iterator<Item = &SpecPaxos<Kv>> {
        self.replicas.iter().flatten()
    }

    /// Handles the next event: the earliest packet or timer.
    fn step(&mut self) {
        let packet = self.network.next_at();
        let timers = self.live().filter_map(Protocol::deadline);
        let timer = timers
            .chain(self.clients.iter().filter_map(|c| c.core.deadline()))
            .min();
        let next = packet
            .into_iter()
            .chain(timer)
            .min()
            .expect("replicas have heartbeats");
        self.now = self.now.max(next);
        assert!(
            self.now < self.settings.limit,
            "seed {}: {} of {} answered when time ran out; replicas: {:#?}",
            self.settings.seed,
            self.answered(),
            self.settings.clients * self.settings.operations,
            self.live().map(Protocol::status).collect::<Vec<_>>()
        );
        if packet.is_some_and(|at| at <= self.now) {
            if let Some((target, payload)) = self.network.pop() {
                self.deliver(target, &payload);
            }
        } else {
            self.fire_timers();
        }
    }

    fn deliver(&mut self, target: Target, payload: &[u8]) {
        match target {
            Target::Replica(index) => {
                let (stamp, bytes) = StampHeader::parse(payload).expect("we wrote it");
                let message = Message::parse(bytes).expect("we wrote it");
                let stamp = (!message.is_bulk()).then_some(&stamp);
                let Some(replica) = &mut self.replicas[index] else {
                    return;
                };
                replica.on_message(self.now, stamp, message, &mut self.effects);
                self.after_replica(index);
            }
            Target::Client(index) => {
                let (_, bytes) = StampHeader::parse(payload).expect("we wrote it");
                let Ok(Message::Reply(reply)) = Message::parse(bytes) else {
                    return;
                };
                let step = self.clients[index].core.on_reply(self.now, &reply);
                self.after_client(index, step);
            }
        }
    }

    fn fire_timers(&mut self) {
        for index in 0..self.replicas.len() {
            let Some(replica) = &mut self.replicas[index] else {
                continue;
            };
            if replica.deadline().is_some_and(|at| at <= self.now) {
                replica.on_deadline(self.now, &mut self.effects);
                self.after_replica(index);
            }
        }
        for index in 0..self.clients.len() {
            let step = self.clients[index].core.on_deadline(self.now);
            self.after_client(index, step);
        }
    }

    /// Carries out a replica's effects and checks what must hold.
    fn after_replica(&mut self, index: usize) {
        let me = replica_id(index);
        let header = StampHeader::unstamped(Kind::Protocol, Sender::Member(me), GROUP).to_bytes();
        let effects = core::mem::take(&mut self.effects);
        for effect in effects.iter() {
            let (target, message, bulk) = match effect {
                Effect::Send { to, message } => (Target::Replica(to.0.into()), message, false),
                Effect::SendBulk { to, message } => (Target::Replica(to.0.into()), message, true),
                Effect::Reply { to, message } => {
                    (Target::Client(usize::from(to.port)), message, false)
                }
                Effect::Persist(_) => continue,
            };
            let mut payload = header.to_vec();
            payload.extend_from_slice(effects.bytes(message));
            self.network.send(self.now, target, payload, bulk);
        }
        self.effects = effects;
        self.effects.clear();
        self.check_replica(index);
    }

    /// Committed prefix agreement: no two replicas ever commit different logs.
    fn check_replica(&mut self, index: usize) {
        let Some(replica) = &self.replicas[index] else {
            return;
        };
        replica.check();
        let log = replica.history().log();
        let last = log.last_committed();
        let known = self
            .committed
            .last_key_value()
            .map_or(SlotNumber(0), |(slot, _)| *slot);
        let from = known.min(last);
        for (slot, entry) in log
            .above(from.max(log.base()))
            .take_while(|(slot, _)| *slot <= last)
        {
            self.committed.insert(slot, entry.hash);
        }
        if let (Some(hash), Some(expected)) = (log.hash_at(last), self.committed.get(&last)) {
            assert_eq!(
                hash, *expected,
                "seed {}: replica {index} committed another log at slot {last}",
                self.settings.seed
            );
        }
    }

    fn after_client(&mut self, index: usize, step: Step) {
        match step {
            Step::Wait => {}
            Step::Send => self.multicast(index),
            Step::Failed(error) => panic!("seed {}: {error}", self.settings.seed),
            Step::Done(answer) => {
                let (id, operation) = self.clients[index].call.take().expect("a call is open");
                let outcome = decode(&operation, &answer.result).expect("the store's own reply");
                self.history
                    .complete(id, self.now.0, outcome)
                    .expect("completed once");
                match answer.path {
                    Path::Fast => self.fast += 1,
                    Path::Slow => self.slow += 1,
                }
                self.longest_gap_ns = self.longest_gap_ns.max(self.now.since(self.last_answer));
                self.last_answer = self.now;
                self.at_milestone();
                self.next_operation(index);
            }
        }
    }

    fn at_milestone(&mut self) {
        let answered = self.answered();
        if answered == self.settings.faults_until {
            self.network.heal();
        }
        if let Some((at, replica)) = self.settings.crash
            && answered == at
        {
            self.replicas[usize::from(replica.0)] = None;
        }
    }

    fn next_operation(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.workload.issued() == self.settings.operations {
            return;
        }
        let operation = client.workload.next_operation();
        let id = self
            .history
            .invoke(index as u64, operation.clone(), self.now.0);
        client.core.begin(self.now, encode(&operation).into());
        client.call = Some((id, operation));
        self.multicast(index);
    }

    /// Sends a client's request to the root, which stamps it and copies it to the replicas.
    fn multicast(&mut self, index: usize) {
        let Some(request) = self.clients[index].core.request() else {
            return;
        };
        let mut message = Vec::new();
        Message::Request(request).emit(&mut message);
        self.network
            .multicast(self.now, GROUP, self.settings.replicas, &message);
    }

    fn outcome(self) -> Outcome {
        Outcome {
            replicas: self.live().map(Protocol::status).collect(),
            history: self.history,
            fast: self.fast,
            slow: self.slow,
            end: self.now,
            longest_gap_ns: self.longest_gap_ns,
        }
    }
}

fn replica_id(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a small group"))
}

fn client_address(index: usize) -> HostAddress {
    let port = u16::try_from(index).expect("a small number of clients");
    HostAddress {
        ip: [10, 0, 0, 100],
        port,
    }
}

#[cfg(test)]
mod tests;
