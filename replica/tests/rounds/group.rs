//! Cores with a root and wires that do what the test says: a packet arrives when the test
//! delivers it, and never otherwise.

use crate::machine::Letters;
use replica::rounds::{Config, Mutant, Rounds};
use replica::{Boot, Effect, Effects, Persistent, Protocol, Quorum};
use std::collections::BTreeSet;
use wire::message::rounds::{RoundPacket, RoundsMessage};
use wire::message::{Message, Request, Wants};
use wire::{
    ClientId, EpochNumber, GroupId, HostAddress, Kind, Position, ReplicaId, RequestNumber,
    RoundNumber, Sender, SequenceNumber, StampHeader, Tick,
};

const GROUP: GroupId = GroupId(1);
/// The longest that members may take to settle.
const SETTLES_US: u64 = 400_000;

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Flying {
    pub(crate) from: usize,
    pub(crate) to: usize,
    stamp: Option<StampHeader>,
    bytes: Vec<u8>,
}

impl Flying {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("a core sent it")
    }

    pub(crate) fn is_round(&self) -> bool {
        matches!(self.message(), Message::Rounds(RoundsMessage::Round(_)))
    }

    /// A packet of a round that proposes something.
    pub(crate) fn proposes(&self) -> bool {
        let is_work = |round: &RoundPacket<'_>| !round.batch.is_empty();
        matches!(self.message(), Message::Rounds(RoundsMessage::Round(round)) if is_work(&round))
    }

    pub(crate) fn is_start(&self) -> bool {
        matches!(
            self.message(),
            Message::Rounds(RoundsMessage::StartEpoch(_))
        )
    }
}

/// The group.
pub(crate) struct Group {
    members: Vec<Rounds<Letters>>,
    mutant: Option<Mutant>,
    retained: u64,
    disks: Vec<Persistent>,
    now: Tick,
    term: u32,
    last: u64,
    pub(crate) wire: Vec<Flying>,
    /// Everything that clients were told.
    pub(crate) replies: Vec<String>,
    /// Beginnings that were sent, each once: the epoch and what is fixed.
    pub(crate) starts: BTreeSet<(u64, String)>,
    /// The newest packet that each member sent, as it acknowledges.
    acknowledged: Vec<Position>,
}

impl Group {
    /// A group in its first epoch, at rest.
    pub(crate) fn new(n: usize, mutant: Option<Mutant>) -> Self {
        Self::that_retains(n, mutant, 4_096)
    }

    pub(crate) fn that_retains(n: usize, mutant: Option<Mutant>, retained: u64) -> Self {
        let mut group = Self {
            members: Vec::new(),
            mutant,
            retained,
            disks: vec![Persistent::default(); n],
            now: Tick(0),
            term: 1,
            last: 0,
            wire: Vec::new(),
            replies: Vec::new(),
            starts: BTreeSet::new(),
            acknowledged: vec![Position::ZERO; n],
        };
        for index in 0..n {
            let config = group.config(n, index);
            let member = Rounds::format(config, Letters::default(), group.now);
            group.members.push(member);
        }
        group.settle();
        group
    }

    fn config(&self, n: usize, index: usize) -> Config {
        let quorum = Quorum::of(n).expect("an odd size");
        let mut config = Config::new(id(index), quorum);
        config.mutant = self.mutant;
        config.limits.retained = self.retained;
        config
    }

    /// A client, named by its letter, asks a member to append the letter.
    pub(crate) fn ask(&mut self, member: usize, letter: u8) {
        let operation = [letter];
        let request = Request {
            client: ClientId(letter.into()),
            number: RequestNumber(1),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation: &operation,
        };
        self.hand(member, None, Message::Request(request));
    }

    pub(crate) fn hand(
        &mut self,
        member: usize,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
    ) {
        let mut out = Effects::new();
        self.members[member].on_message(self.now, stamp, message, &mut out);
        self.carry_out(member, &out);
    }

    fn carry_out(&mut self, from: usize, out: &Effects) {
        for effect in out.iter() {
            match effect {
                Effect::Send { to, message } | Effect::SendBulk { to, message } => {
                    let bytes = out.bytes(message).to_vec();
                    self.note(&bytes);
                    let (to, stamp) = (usize::from(to.0), None);
                    self.wire.push(Flying {
                        from,
                        to,
                        stamp,
                        bytes,
                    });
                }
                Effect::Multicast { message } => self.stamp(from, out.bytes(message)),
                Effect::Reply { message, .. } => {
                    let Ok(Message::Reply(reply)) = Message::parse(out.bytes(message)) else {
                        panic!("a reply was expected");
                    };
                    let text = String::from_utf8_lossy(reply.result);
                    self.replies.push(text.into_owned());
                }
                Effect::Persist(state) => self.disks[from] = *state,
            }
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        if let Ok(Message::Rounds(RoundsMessage::StartEpoch(start))) = Message::parse(bytes) {
            let values: Vec<_> = start.values.iter().collect();
            let fixed = format!("{:?} {values:?}", start.below);
            self.starts.insert((start.epoch.as_view().0, fixed));
        }
    }

    /// The root numbers a packet for everybody.
    fn stamp(&mut self, from: usize, bytes: &[u8]) {
        if let Ok(Message::Rounds(RoundsMessage::Round(round))) = Message::parse(bytes) {
            self.acknowledged[from] = round.acknowledged.position;
        }
        self.last += 1;
        let stamp = StampHeader {
            epoch: EpochNumber(self.term),
            sequence: SequenceNumber(self.last),
            round: RoundNumber(1 + self.now.0 / 1_000_000),
            ..StampHeader::unstamped(Kind::RoundPacket, Sender::Member(id(from)), GROUP)
        };
        for to in 0..self.members.len() {
            self.wire.push(Flying {
                from,
                to,
                stamp: Some(stamp),
                bytes: bytes.to_vec(),
            });
        }
    }

    /// The root goes on from another number of its term.
    pub(crate) fn set_last_number(&mut self, last: u64) {
        self.last = last;
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.last
    }

    /// The root is another one.
    pub(crate) fn begin_term(&mut self, term: u32) {
        assert!(term > self.term);
        (self.term, self.last) = (term, 0);
    }

    /// Delivers what is on its way now and what is asked for, in its order. What comes of it
    /// stays on its way.
    pub(crate) fn deliver(&mut self, wanted: impl Fn(&Flying) -> bool) {
        let all = std::mem::take(&mut self.wire);
        let (now, later): (Vec<_>, Vec<_>) = all.into_iter().partition(wanted);
        self.wire = later;
        for flying in now {
            self.arrive(&flying);
        }
    }

    pub(crate) fn arrive(&mut self, flying: &Flying) {
        self.hand(flying.to, flying.stamp.as_ref(), flying.message());
    }

    pub(crate) fn drop_all(&mut self) {
        self.wire.clear();
    }

    /// Time passes; timers fire.
    pub(crate) fn pass(&mut self, us: u64) {
        self.now = self.now.plus_us(us);
        for index in 0..self.members.len() {
            if self.members[index]
                .deadline()
                .is_some_and(|at| at <= self.now)
            {
                let mut out = Effects::new();
                self.members[index].on_deadline(self.now, &mut out);
                self.carry_out(index, &out);
            }
        }
    }

    /// Everything arrives for a long time.
    pub(crate) fn settle(&mut self) {
        self.settle_without(&[]);
    }

    /// The same, but nothing from or to some members.
    pub(crate) fn settle_without(&mut self, cut_off: &[usize]) {
        const STEP_US: u64 = 50;
        for _ in 0..SETTLES_US / STEP_US {
            self.wire
                .retain(|flying| !cut_off.contains(&flying.from) && !cut_off.contains(&flying.to));
            self.deliver(|_| true);
            self.pass(STEP_US);
        }
        self.drop_all();
    }

    /// A member's process ends and starts again with what it saved.
    pub(crate) fn restart(&mut self, member: usize) {
        let config = self.config(self.members.len(), member);
        let boot = Boot {
            persisted: Some(self.disks[member]),
            incarnation: 2,
        };
        self.members[member] = Rounds::restart(config, Letters::default(), self.now, boot);
    }

    /// What a member has executed.
    pub(crate) fn executed(&self, member: usize) -> &str {
        &self.members[member].history().machine().0
    }

    /// A member's core, to ask it.
    pub(crate) fn member(&self, member: usize) -> &Rounds<Letters> {
        &self.members[member]
    }

    /// Up to where a member has said that it has voted, in its newest packet.
    pub(crate) fn acknowledged(&self, member: usize) -> Position {
        self.acknowledged[member]
    }

    /// Whether of any two members one has executed what the other has, and perhaps more.
    pub(crate) fn agree(&self) -> bool {
        let all: Vec<&str> = (0..self.members.len())
            .map(|index| self.executed(index))
            .collect();
        all.iter().all(|one| {
            all.iter()
                .all(|other| one.starts_with(other) || other.starts_with(one))
        })
    }
}

pub(crate) fn id(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a small group"))
}
