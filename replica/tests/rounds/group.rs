//! Cores with a root and wires that do what the test says: a packet arrives when the test
//! delivers it, and never otherwise.

use crate::machine::Letters;
use replica::protocol::Status;
use replica::rounds::{Config, Limits, Mutant, Rounds};
use replica::{Boot, Effect, Effects, Persistent, Protocol, Quorum};
use std::collections::BTreeSet;
use wire::message::rounds::{Change, Membership, RoundPacket, RoundsMessage};
use wire::message::{Message, Request, Wants};
use wire::{
    ClientId, EpochNumber, GroupId, HostAddress, Kind, Members, Position, ReplicaId, RequestNumber,
    RoundNumber, RoundsEpoch, Sender, SequenceNumber, StampHeader, Tick,
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

    /// A packet of a round that proposes other members.
    pub(crate) fn proposes_change(&self) -> bool {
        let of_group = |round: &RoundPacket<'_>| {
            let mut clients = round.batch.iter().map(|request| request.client);
            clients.any(|client| client == ClientId::GROUP)
        };
        matches!(self.message(), Message::Rounds(RoundsMessage::Round(round)) if of_group(&round))
    }

    /// The epoch that it is a report for.
    pub(crate) fn reports_for(&self) -> Option<RoundsEpoch> {
        match self.message() {
            Message::Rounds(RoundsMessage::Report(report)) => Some(report.epoch),
            _ => None,
        }
    }

    /// Up to where a packet of a round tells that the log is locked.
    pub(crate) fn locks(&self) -> Option<Position> {
        match self.message() {
            Message::Rounds(RoundsMessage::Round(round)) => Some(round.locked.position),
            _ => None,
        }
    }

    /// Somebody wants another epoch.
    pub(crate) fn is_wish(&self) -> bool {
        matches!(self.message(), Message::Rounds(RoundsMessage::Suspect(_)))
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
    /// The first members, and then replicas that may become members.
    members: Vec<Rounds<Letters>>,
    /// How many the first members are.
    first: usize,
    mutant: Option<Mutant>,
    limits: Limits,
    disks: Vec<Persistent>,
    now: Tick,
    term: u32,
    last: u64,
    pub(crate) wire: Vec<Flying>,
    /// Everything that clients were told.
    pub(crate) replies: Vec<String>,
    /// Beginnings that were sent, each once: the epoch and what is fixed.
    pub(crate) starts: BTreeSet<(u64, String)>,
    /// How often members said that they want another epoch.
    pub(crate) wishes: usize,
    /// The newest packet that each member sent, as it acknowledges.
    acknowledged: Vec<Position>,
}

impl Group {
    /// A group in its first epoch, at rest.
    pub(crate) fn new(n: usize, mutant: Option<Mutant>) -> Self {
        Self::with_others(n, n, mutant)
    }

    /// The same with replicas that are no members yet: `known` in all.
    pub(crate) fn with_others(n: usize, known: usize, mutant: Option<Mutant>) -> Self {
        let limits = Limits {
            reads: 8,
            ..Limits::default()
        };
        Self::with_limits(n, known, mutant, limits)
    }

    /// The same with other bounds.
    pub(crate) fn with_limits(
        n: usize,
        known: usize,
        mutant: Option<Mutant>,
        limits: Limits,
    ) -> Self {
        let mut group = Self {
            members: Vec::new(),
            first: n,
            mutant,
            limits,
            disks: vec![Persistent::default(); known],
            now: Tick(0),
            term: 1,
            last: 0,
            wire: Vec::new(),
            replies: Vec::new(),
            starts: BTreeSet::new(),
            wishes: 0,
            acknowledged: vec![Position::ZERO; known],
        };
        for index in 0..known {
            let config = group.config(known, index);
            let member = Rounds::format(config, Letters::default(), group.now);
            group.members.push(member);
        }
        group.settle();
        group
    }

    fn config(&self, known: usize, index: usize) -> Config {
        let quorum = Quorum::of(self.first).expect("an odd size");
        let mut config = Config::with_others(id(index), quorum, known);
        config.mutant = self.mutant;
        config.limits = self.limits;
        config
    }

    /// An operator asks a member to make the change number `version`.
    pub(crate) fn change(&mut self, member: usize, version: u64, members: &[usize]) {
        let set = members.iter().map(|index| id(*index));
        let change = Change(Membership {
            version,
            members: set.fold(Members::default(), Members::with),
        });
        let operation = change.operation();
        let request = Request {
            client: ClientId::GROUP,
            number: RequestNumber(version),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation: &operation,
        };
        self.hand(member, None, Message::Request(request));
    }

    /// A client, named by its letter, asks a member to append the letter.
    pub(crate) fn ask(&mut self, member: usize, letter: u8) {
        self.ask_numbered(member, (letter, 1), &[letter]);
    }

    /// A client, named by its letter, reads the letters at a member: its request of this number.
    pub(crate) fn ask_to_read(&mut self, member: usize, reader: u8, number: u64) {
        self.ask_numbered(member, (reader, number), b"?");
    }

    pub(crate) fn ask_numbered(
        &mut self,
        member: usize,
        (client, number): (u8, u64),
        operation: &[u8],
    ) {
        let request = Request {
            client: ClientId(client.into()),
            number: RequestNumber(number),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation,
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
                    self.replies.push(match reply.client {
                        ClientId::GROUP => {
                            let now = Membership::from_bytes(reply.result).expect("a membership");
                            format!("{}: {}", now.version, now.members)
                        }
                        _ => String::from_utf8_lossy(reply.result).into_owned(),
                    });
                }
                Effect::Persist(state) => self.disks[from] = *state,
            }
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        if let Ok(Message::Rounds(RoundsMessage::Suspect(_))) = Message::parse(bytes) {
            self.wishes += 1;
        }
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
        let stamp = self.stamp_of(from, self.term, self.last);
        for to in 0..self.members.len() {
            self.wire.push(Flying {
                from,
                to,
                stamp: Some(stamp),
                bytes: bytes.to_vec(),
            });
        }
    }

    fn stamp_of(&self, from: usize, term: u32, sequence: u64) -> StampHeader {
        StampHeader {
            epoch: EpochNumber(term),
            sequence: SequenceNumber(sequence),
            round: RoundNumber(1 + self.now.0 / 1_000_000),
            ..StampHeader::unstamped(Kind::RoundPacket, Sender::Member(id(from)), GROUP)
        }
    }

    /// A packet reaches a member with the stamp of another root.
    pub(crate) fn arrive_stamped(
        &mut self,
        flying: &Flying,
        to: usize,
        (term, sequence): (u32, u64),
    ) {
        let stamp = self.stamp_of(flying.from, term, sequence);
        self.hand(to, Some(&stamp), flying.message());
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
        self.pass_without(&[], us);
    }

    /// The same, but the timers of some members do not.
    pub(crate) fn pass_without(&mut self, asleep: &[usize], us: u64) {
        self.now = self.now.plus_us(us);
        for index in (0..self.members.len()).filter(|index| !asleep.contains(index)) {
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
        self.settle_if(|flying| !cut_off.contains(&flying.from) && !cut_off.contains(&flying.to));
    }

    /// The same, but nothing that is not to be kept.
    pub(crate) fn settle_if(&mut self, keep: impl Fn(&Flying) -> bool) {
        self.pass_until(keep, |_| false);
    }

    /// The same, until something is so.
    pub(crate) fn pass_until(
        &mut self,
        keep: impl Fn(&Flying) -> bool,
        is_so: impl Fn(&Self) -> bool,
    ) {
        const STEP_US: u64 = 50;
        for _ in 0..SETTLES_US / STEP_US {
            if is_so(self) {
                break;
            }
            self.wire.retain(&keep);
            self.deliver(|_| true);
            self.pass(STEP_US);
        }
        self.drop_all();
    }

    /// Everything arrives, until nothing is on its way. No time passes but what lost packets take.
    pub(crate) fn come_to_rest(&mut self) {
        self.pass(2_000);
        while !self.wire.is_empty() {
            self.deliver(|_| true);
        }
    }

    /// Everything arrives for a long time, but one member sleeps; returns what comes for it meanwhile.
    pub(crate) fn settle_around(&mut self, asleep: usize) -> Vec<Flying> {
        const STEP_US: u64 = 50;
        let mut came = Vec::new();
        for _ in 0..SETTLES_US / STEP_US {
            let all = std::mem::take(&mut self.wire);
            let (to_it, others): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|flying| flying.to == asleep);
            came.extend(to_it);
            self.wire = others;
            self.deliver(|_| true);
            self.pass_without(&[asleep], STEP_US);
        }
        self.drop_all();
        came
    }

    /// Everything arrives for a long time, but for what is sent to one member.
    pub(crate) fn settle_with_deaf(&mut self, deaf: usize) {
        const STEP_US: u64 = 50;
        for _ in 0..SETTLES_US / STEP_US {
            self.wire.retain(|flying| flying.to != deaf);
            self.deliver(|_| true);
            self.pass(STEP_US);
        }
        self.drop_all();
    }

    /// Whether a member has promised an epoch that it has not installed.
    pub(crate) fn is_fenced(&self, member: usize) -> bool {
        self.disks[member].view > self.disks[member].last_normal_view
    }

    /// The epoch that a member has installed.
    pub(crate) fn epoch(&self, member: usize) -> RoundsEpoch {
        self.members[member].epoch()
    }

    /// A member's process ends and starts again with what it saved.
    pub(crate) fn restart(&mut self, member: usize) {
        self.restart_with(member, Some(self.disks[member]));
    }

    /// The same, but what it saved is lost.
    pub(crate) fn restart_without_disk(&mut self, member: usize) {
        self.restart_with(member, None);
    }

    fn restart_with(&mut self, member: usize, persisted: Option<Persistent>) {
        let config = self.config(self.members.len(), member);
        let boot = Boot {
            persisted,
            incarnation: 2,
        };
        self.members[member] = Rounds::restart(config, Letters::default(), self.now, boot);
    }

    /// What a replica says of itself.
    pub(crate) fn status(&self, member: usize) -> Status {
        self.members[member].status()
    }

    /// What a member has executed.
    pub(crate) fn executed(&self, member: usize) -> &str {
        &self.members[member].history().machine().0
    }

    /// How many requests stand in a member's log.
    pub(crate) fn logged(&self, member: usize) -> u64 {
        self.members[member].history().log().last().0
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
