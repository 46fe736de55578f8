//! Three replicas with their real drivers, and who asks them.

use std::time::Duration;

use apps::kv::{Kv, encode};
use link::{Endpoint, NodeError};
use replica::Quorum;
use replica::driver::{Group, ReplicaHandle, ReplicaNode, local_mesh};
use replica::spec_paxos::{Config, SpecPaxos, Timings};
use wire::message::{Message, Request, Wants};
use wire::{
    ClientId, EpochNumber, GroupId, HostAddress, Kind, ReplicaId, RequestNumber, RoundNumber,
    Sender, SequenceNumber, StampHeader, Tick, group_address,
};

use super::fabric::Fabric;
use super::meter::{Metered, Readings};
use super::{OPERATION_BYTES, REPLICAS};

const GROUP: GroupId = GroupId(1);
const CLIENTS: u64 = 64;
const ROUND_SHIFT: u8 = 8;
const PATIENCE: Duration = Duration::from_secs(5);

/// A replica with its driver.
pub(crate) type ReplicaDriver = ReplicaNode<SpecPaxos<Kv>>;

/// A replica, its operator's handle and what its meter reads.
pub(crate) struct Replica {
    pub(crate) node: ReplicaDriver,
    pub(crate) handle: ReplicaHandle,
    pub(crate) readings: Readings,
}

/// Replicas on their first boot, one on each endpoint.
pub(crate) fn replicas(
    members: [HostAddress; REPLICAS],
    endpoints: Vec<Box<dyn Endpoint>>,
    now: Tick,
    timings: Timings,
) -> Result<Vec<Replica>, NodeError> {
    let group = Group {
        id: GROUP,
        address: group_address(GROUP).expect("the group's number is small"),
        members: members.to_vec(),
    };
    let quorum = Quorum::of(REPLICAS)?;
    let ends = local_mesh(REPLICAS)?;
    let mut replicas = Vec::new();
    for (index, (endpoint, (sender, inbox))) in endpoints.into_iter().zip(ends).enumerate() {
        let me = ReplicaId(u8::try_from(index)?);
        let readings = Readings::default();
        let endpoint = Box::new(Metered::new(endpoint, readings.clone()));
        let mut config = Config::new(me, quorum);
        config.timings = timings;
        let core = SpecPaxos::format(config, Kv::default(), now);
        let bulk = (Box::new(sender) as _, inbox);
        let (node, handle) = ReplicaNode::new(me, group.clone(), core, endpoint, bulk, None)?;
        replicas.push(Replica {
            node,
            handle,
            readings,
        });
    }
    Ok(replicas)
}

/// Asks as root and clients: each request stamped, a copy to each replica.
pub(crate) struct Asker {
    count: u64,
    operations: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

impl Asker {
    pub(crate) fn new() -> Self {
        Self {
            count: 0,
            operations: operations(),
            payload: Vec::new(),
        }
    }

    /// Requests so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Queues one more request.
    pub(crate) fn ask(&mut self, now: Tick, fabric: &mut dyn Fabric) {
        self.count += 1;
        let stamp = StampHeader {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(self.count),
            round: RoundNumber((now.0 / 1_000) >> ROUND_SHIFT),
            round_shift: ROUND_SHIFT,
            ..StampHeader::unstamped(Kind::Request, Sender::Outsider, GROUP)
        };
        let client = self.count % CLIENTS;
        let request = Request {
            client: ClientId(client),
            number: RequestNumber(1 + self.count / CLIENTS),
            reply_to: fabric.client(),
            wants: Wants::Reply,
            operation: &self.operations[usize::try_from(client).expect("there are few clients")],
        };
        self.payload.clear();
        self.payload.extend_from_slice(&stamp.to_bytes());
        Message::Request(request).emit(&mut self.payload);
        for member in 0..REPLICAS {
            fabric.inject(member, &self.payload);
        }
    }
}

/// An operation for each client: sets a key of its own.
fn operations() -> Vec<Vec<u8>> {
    (0..CLIENTS)
        .map(|client| {
            let key = format!("key-{client:02}");
            let overhead = encode::set(key.as_bytes(), b"").len();
            let value = vec![b'v'; OPERATION_BYTES - overhead];
            let operation = encode::set(key.as_bytes(), &value);
            assert_eq!(operation.len(), OPERATION_BYTES);
            operation
        })
        .collect()
}

/// Panics unless the replica behind `handle` did what it was to be measured at: it executed each
/// of `requests` requests once, and nothing was lost or taken back. Somebody must be running it.
pub(crate) fn check(handle: &ReplicaHandle, requests: u64) -> Result<(), NodeError> {
    let report = handle.status(PATIENCE)?;
    let counters = report.status.counters;
    assert_eq!(counters.executed, requests, "{report:?}");
    assert_eq!(counters.rolled_back, 0, "{report:?}");
    assert_eq!(counters.view_changes, 0, "{report:?}");
    assert_eq!(report.link.drops.total(), 0, "{report:?}");
    Ok(())
}
