//! Cores with a root and wires that do what the test says: a stamped packet reaches whom the test
//! names. What replicas send each other arrives at once, in order, unless one of them is cut off.

use apps::kv::{Kv, encode};
use replica::nopaxos::{Config, NoPaxos};
use replica::{Boot, Effect, Effects, Persistent, Protocol, Quorum};
use std::collections::VecDeque;
use wire::message::nopaxos::NoPaxosMessage;
use wire::message::{Message, Request, Wants};
use wire::{
    ClientId, EpochNumber, GroupId, HostAddress, Kind, ReplicaId, RequestNumber, RoundNumber,
    Sender, SequenceNumber, StampHeader, Tick,
};

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) replica: usize,
    pub(crate) position: u64,
    pub(crate) executed: bool,
    pub(crate) committed: bool,
}

/// Three replicas.
pub(crate) struct Group {
    pub(crate) members: Vec<NoPaxos<Kv>>,
    disks: Vec<Persistent>,
    now: Tick,
    wire: VecDeque<(usize, usize, Vec<u8>)>,
    /// Neither hears others nor is heard.
    pub(crate) cut_off: Option<usize>,
    pub(crate) told: Vec<Told>,
}

fn config(index: usize) -> Config {
    let me = ReplicaId(u8::try_from(index).expect("few replicas"));
    Config::new(me, Quorum::of(3).expect("odd and small"))
}

impl Group {
    pub(crate) fn new() -> Self {
        let member = |index| NoPaxos::format(config(index), Kv::default(), Tick(0));
        Self {
            members: (0..3).map(member).collect(),
            disks: vec![Persistent::default(); 3],
            now: Tick(0),
            wire: VecDeque::new(),
            cut_off: None,
            told: Vec::new(),
        }
    }

    /// The root has given a client's request this number in this term; it reaches some.
    pub(crate) fn stamped(
        &mut self,
        (term, sequence): (u32, u64),
        (client, number): (u64, u64),
        reaches: &[usize],
    ) {
        let operation = encode::append(b"log", format!("{client}.{number} ").as_bytes());
        let request = Request {
            client: ClientId(client),
            number: RequestNumber(number),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation: &operation,
        };
        let stamp = StampHeader {
            epoch: EpochNumber(term),
            sequence: SequenceNumber(sequence),
            round: RoundNumber(sequence),
            ..StampHeader::unstamped(Kind::Request, Sender::Outsider, GroupId(1))
        };
        for to in reaches {
            let mut out = Effects::new();
            let message = Message::Request(request);
            self.members[*to].on_message(self.now, Some(&stamp), message, &mut out);
            self.carry_out(*to, &out);
        }
        self.deliver();
    }

    /// Time passes.
    pub(crate) fn wait_us(&mut self, us: u64) {
        let end = self.now.plus_us(us);
        loop {
            let due = (0..3).filter_map(|index| Some((self.members[index].deadline()?, index)));
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
        self.members[index] = NoPaxos::restart(config(index), Kv::default(), self.now, boot);
    }

    fn carry_out(&mut self, from: usize, out: &Effects) {
        for effect in out.iter() {
            match effect {
                Effect::Send { to, message } | Effect::SendBulk { to, message } => {
                    let bytes = out.bytes(message).to_vec();
                    self.wire.push_back((from, usize::from(to.0), bytes));
                }
                Effect::Reply { message, .. } => {
                    let Ok(Message::NoPaxos(NoPaxosMessage::Answer(answer))) =
                        Message::parse(out.bytes(message))
                    else {
                        panic!("an answer was expected");
                    };
                    self.told.push(Told {
                        replica: from,
                        position: answer.position.0,
                        executed: answer.executed.is_some(),
                        committed: answer.executed.is_some_and(|executed| executed.committed),
                    });
                }
                Effect::Persist(state) => self.disks[from] = *state,
                Effect::Multicast { .. } => panic!("nothing is sent by way of the root"),
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((from, to, bytes)) = self.wire.pop_front() {
            if self.cut_off == Some(from) || self.cut_off == Some(to) {
                continue;
            }
            let message = Message::parse(&bytes).expect("a core sent it");
            let mut out = Effects::new();
            self.members[to].on_message(self.now, None, message, &mut out);
            self.members[to].check();
            self.carry_out(to, &out);
        }
    }

    /// Which requests a replica has executed, in order.
    pub(crate) fn executed(&self, index: usize) -> Vec<(u64, u64)> {
        let log = self.members[index].history().log();
        let entries = log.above(log.base());
        let name = |request: replica::history::RequestRef<'_>| (request.client.0, request.number.0);
        entries.map(|(_, entry)| name(entry.request)).collect()
    }
}
