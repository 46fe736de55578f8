//! Cores with wires that do what the test says: a client's packet reaches whom the test names, in
//! the order that it names. What replicas send each other arrives at once, in order, unless one of
//! them is cut off or the test holds the link.

use apps::kv::{Kv, encode};
use replica::fast_paxos::{Config, FastPaxos};
use replica::{Boot, Effect, Effects, Persistent, Protocol, Quorum};
use std::collections::{BTreeSet, VecDeque};
use wire::message::{Message, Request, Wants};
use wire::{
    ClientId, EpochNumber, GroupId, HostAddress, Kind, ReplicaId, RequestNumber, RoundNumber,
    Sender, SequenceNumber, StampHeader, Tick,
};

/// A packet between replicas: from, to, and what.
type Packet = (usize, usize, Vec<u8>);

/// Some replicas.
pub(crate) struct Group {
    pub(crate) members: Vec<FastPaxos<Kv>>,
    disks: Vec<Persistent>,
    now: Tick,
    wire: VecDeque<Packet>,
    /// Neither hear others nor are heard.
    pub(crate) cut_off: BTreeSet<usize>,
    /// From whom to whom nothing arrives until it is let go.
    held_link: Option<(usize, usize)>,
    held: Vec<Packet>,
    /// Who answered which client's which request, in the order of the answers.
    pub(crate) told: Vec<(usize, u64, u64)>,
    /// How many packets replicas have sent each other.
    pub(crate) sent: usize,
}

fn config(index: usize, n: usize) -> Config {
    let me = ReplicaId(u8::try_from(index).expect("few replicas"));
    Config::new(me, Quorum::of(n).expect("odd and small"))
}

impl Group {
    pub(crate) fn new(n: usize) -> Self {
        let member = |index| FastPaxos::format(config(index, n), Kv::default(), Tick(0));
        Self {
            members: (0..n).map(member).collect(),
            disks: vec![Persistent::default(); n],
            now: Tick(0),
            wire: VecDeque::new(),
            cut_off: BTreeSet::new(),
            held_link: None,
            held: Vec::new(),
            told: Vec::new(),
            sent: 0,
        }
    }

    /// A client's packet reaches some, with whatever number the root gave it.
    pub(crate) fn request(&mut self, (client, number): (u64, u64), reaches: &[usize]) {
        let operation = encode::append(b"log", format!("{client}.{number} ").as_bytes());
        let request = Request {
            client: ClientId(client),
            number: RequestNumber(number),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation: &operation,
        };
        let stamp = StampHeader {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(1),
            round: RoundNumber(1),
            ..StampHeader::unstamped(Kind::Request, Sender::Outsider, GroupId(1))
        };
        for to in reaches {
            let mut out = Effects::new();
            let message = Message::Request(request);
            self.members[*to].on_message(self.now, Some(&stamp), message, &mut out);
            self.fire(*to, &mut out);
            self.carry_out(*to, &out);
        }
    }

    /// What is due at once, as the driver does it after it has taken in what came.
    fn fire(&mut self, index: usize, out: &mut Effects) {
        let member = &mut self.members[index];
        if member.deadline().is_some_and(|at| at <= self.now) {
            member.on_deadline(self.now, out);
        }
    }

    /// Holds everything on a link from now on.
    pub(crate) fn hold(&mut self, from: usize, to: usize) {
        self.held_link = Some((from, to));
    }

    /// What is held stays so; what is sent from now on arrives.
    pub(crate) fn keep_held(&mut self) {
        self.held_link = None;
    }

    /// Lets what was held arrive; returns how many packets that were.
    pub(crate) fn let_go(&mut self) -> usize {
        self.held_link = None;
        let held = std::mem::take(&mut self.held);
        let count = held.len();
        self.wire.extend(held);
        self.deliver();
        count
    }

    /// Time passes.
    pub(crate) fn wait_us(&mut self, us: u64) {
        self.deliver();
        let end = self.now.plus_us(us);
        loop {
            let there = (0..self.members.len()).filter(|index| !self.cut_off.contains(index));
            let due = there.filter_map(|index| Some((self.members[index].deadline()?, index)));
            let Some((at, index)) = due.min().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            let mut out = Effects::new();
            self.members[index].on_deadline(self.now, &mut out);
            self.carry_out(index, &out);
            self.deliver();
        }
        self.now = end;
    }

    /// A replica's process ends and starts again.
    pub(crate) fn restart(&mut self, index: usize) {
        let boot = Boot {
            persisted: Some(self.disks[index]),
            incarnation: 2,
        };
        let config = config(index, self.members.len());
        self.members[index] = FastPaxos::restart(config, Kv::default(), self.now, boot);
    }

    fn carry_out(&mut self, from: usize, out: &Effects) {
        for effect in out.iter() {
            match effect {
                Effect::Send { to, message } | Effect::SendBulk { to, message } => {
                    self.sent += 1;
                    let bytes = out.bytes(message).to_vec();
                    self.wire.push_back((from, usize::from(to.0), bytes));
                }
                Effect::Reply { message, .. } => {
                    let Ok(Message::Reply(reply)) = Message::parse(out.bytes(message)) else {
                        panic!("a reply was expected");
                    };
                    assert!(reply.committed, "nothing else is answered");
                    self.told.push((from, reply.client.0, reply.number.0));
                }
                Effect::Persist(state) => self.disks[from] = *state,
                Effect::Multicast { .. } => panic!("nothing is sent by way of the root"),
            }
        }
    }

    /// Everything that is on the way arrives.
    pub(crate) fn deliver(&mut self) {
        while let Some((from, to, bytes)) = self.wire.pop_front() {
            if self.cut_off.contains(&from) || self.cut_off.contains(&to) {
                continue;
            }
            if self.held_link == Some((from, to)) {
                self.held.push((from, to, bytes));
                continue;
            }
            let message = Message::parse(&bytes).expect("a core sent it");
            let mut out = Effects::new();
            let stamp = StampHeader::unstamped(Kind::Protocol, Sender::Outsider, GroupId(1));
            let stamp = (!message.is_bulk()).then_some(&stamp);
            self.members[to].on_message(self.now, stamp, message, &mut out);
            self.fire(to, &mut out);
            self.members[to].check();
            self.carry_out(to, &out);
        }
    }

    /// The requests in a replica's log, oldest first.
    pub(crate) fn log(&self, index: usize) -> Vec<(u64, u64)> {
        let log = self.members[index].history().log();
        let requests = log.above(log.base()).map(|(_, entry)| entry.request);
        requests.map(|one| (one.client.0, one.number.0)).collect()
    }

    /// How many slots a replica has committed.
    pub(crate) fn committed(&self, index: usize) -> u64 {
        self.members[index].history().log().last_committed().0
    }
}
