//! The root: it numbers packets, and every member gets them in that order but for some.

use crate::common::{digest_of, equal_by_digest};
use crate::firing::REPLICAS;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use wire::message::Message;
use wire::message::rounds::{RoundPacket, RoundsMessage};
use wire::{EpochNumber, GroupId, Kind, RoundNumber, Sender, SequenceNumber, StampHeader};

/// A packet with its number.
#[derive(Clone)]
pub(crate) struct Packet {
    digest: u64,
    term: u32,
    sequence: u64,
    /// How many packets the root had numbered before: the round.
    round: u64,
    bytes: Arc<[u8]>,
}

impl Packet {
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("a core sent it")
    }

    pub(crate) fn round_packet(&self) -> RoundPacket<'_> {
        match self.message() {
            Message::Rounds(RoundsMessage::Round(packet)) => packet,
            other => panic!("a core multicasts {other:?}"),
        }
    }

    pub(crate) fn stamp(&self) -> StampHeader {
        let sender = Sender::Member(self.round_packet().replica);
        StampHeader {
            epoch: EpochNumber(self.term),
            sequence: SequenceNumber(self.sequence),
            round: RoundNumber(self.round),
            ..StampHeader::unstamped(Kind::RoundPacket, sender, GroupId(1))
        }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {:?}", self.term, self.sequence, self.message())
    }
}

equal_by_digest!(Packet);

/// The root and its copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Root {
    term: u32,
    last: u64,
    /// Packets numbered so far.
    round: u64,
    packets: Vec<Packet>,
    /// The next packet of each member.
    next: [usize; REPLICAS],
    /// What each member has not got though it has got later ones.
    held_back: [BTreeSet<usize>; REPLICAS],
}

impl Root {
    pub(crate) fn new() -> Self {
        Self {
            term: 1,
            last: 0,
            round: 0,
            packets: Vec::new(),
            next: [0; REPLICAS],
            held_back: std::array::from_fn(|_| BTreeSet::new()),
        }
    }

    /// All packets, in their order.
    pub(crate) fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// Forgets what has been delivered, and goes on.
    pub(crate) fn rest(&mut self) {
        self.packets.clear();
        self.next = [0; REPLICAS];
    }

    /// Gives a packet the next number.
    pub(crate) fn number(&mut self, bytes: &[u8], at_most: usize) {
        if self.packets.len() >= at_most {
            return;
        }
        self.last += 1;
        self.round += 1;
        let round = self.round;
        self.packets.push(Packet {
            digest: digest_of((self.term, self.last, round, bytes)),
            term: self.term,
            sequence: self.last,
            round,
            bytes: bytes.into(),
        });
    }

    /// Whether a number was given that can be given again.
    pub(crate) fn can_count_back(&self) -> bool {
        self.last > 0
    }

    pub(crate) fn count_back(&mut self) {
        self.last -= 1;
    }

    pub(crate) fn begin_term(&mut self) {
        self.term += 1;
        self.last = 0;
    }

    pub(crate) fn next_of(&self, member: usize) -> Option<&Packet> {
        self.packets.get(self.next[member])
    }

    pub(crate) fn late_of(&self, member: usize) -> impl Iterator<Item = usize> {
        self.held_back[member].iter().copied()
    }

    pub(crate) fn hold_back(&mut self, member: usize) {
        let index = self.next[member];
        self.held_back[member].insert(index);
        self.next[member] += 1;
    }

    pub(crate) fn take_next(&mut self, member: usize) {
        self.next[member] += 1;
    }

    pub(crate) fn take_late(&mut self, member: usize, index: usize) {
        self.held_back[member].remove(&index);
    }
}
