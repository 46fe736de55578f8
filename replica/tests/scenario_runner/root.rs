//! The root: it numbers requests and stamps the agreed time.

use super::command::Send;
use super::names::Names;
use std::collections::BTreeMap;
use wire::message::{Message, Request, Wants};
use wire::{
    ClientId, EpochNumber, GroupId, HostAddress, Kind, ReplicaId, RequestNumber, RoundNumber,
    Sender, SequenceNumber, StampHeader,
};

const GROUP: GroupId = GroupId(1);

/// A request as the root has stamped it last.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) stamp: StampHeader,
    client: char,
    number: RequestNumber,
    wants: Wants,
    operation: [u8; 1],
}

impl Packet {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::Request(Request {
            client: ClientId(u64::from(self.client)),
            number: self.number,
            reply_to: HostAddress::default(),
            wants: self.wants,
            operation: &self.operation,
        })
    }
}

/// The root's counters, and the packets that have passed it.
#[derive(Debug)]
pub(crate) struct Root {
    epoch: EpochNumber,
    last: SequenceNumber,
    pub(crate) round: RoundNumber,
    packets: BTreeMap<char, Packet>,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            epoch: EpochNumber(1),
            last: SequenceNumber::ZERO,
            round: RoundNumber(1),
            packets: BTreeMap::new(),
        }
    }
}

impl Root {
    /// A header that no root has stamped.
    pub(crate) fn unstamped(from: ReplicaId) -> StampHeader {
        StampHeader::unstamped(Kind::Protocol, Sender::Member(from), GROUP)
    }

    pub(crate) fn begin_epoch(&mut self, epoch: EpochNumber) -> Result<(), String> {
        if epoch <= self.epoch {
            return Err(format!("epoch {} has begun already", self.epoch));
        }
        self.epoch = epoch;
        self.last = SequenceNumber::ZERO;
        Ok(())
    }

    /// The next number, or one that is asked for.
    pub(crate) fn next_stamp(&mut self, sequence: Option<SequenceNumber>) -> StampHeader {
        let sequence = sequence.unwrap_or_else(|| self.last.next());
        self.last = self.last.max(sequence);
        StampHeader {
            epoch: self.epoch,
            sequence,
            round: self.round,
            ..StampHeader::unstamped(Kind::Request, Sender::Outsider, GROUP)
        }
    }

    /// A client sends a request, or sends it again.
    pub(crate) fn number(&mut self, send: &Send, names: &mut Names) -> Result<(), String> {
        let letter = send.letter;
        let before = self.packets.get(&letter);
        if before.is_some() && (send.client.is_some() || send.operation.is_some()) {
            return Err(format!("whose request {letter} is was said before"));
        }
        let (client, number, operation) = before.map_or_else(
            || {
                let client = send.client.unwrap_or(letter);
                let others = self.packets.values();
                let numbers = others.filter(|packet| packet.client == client);
                let newest = numbers.map(|packet| packet.number).max();
                let operation = send.operation.unwrap_or(letter);
                let operation = u8::try_from(operation).expect("a letter is ASCII");
                (client, newest.unwrap_or_default().next(), [operation])
            },
            |before| (before.client, before.number, before.operation),
        );
        if before.is_none() {
            names.call(ClientId(u64::from(client)), number, letter, operation[0]);
        }
        let stamp = if send.unstamped {
            StampHeader::unstamped(Kind::Request, Sender::Outsider, GROUP)
        } else {
            self.next_stamp(send.sequence)
        };
        let wants = send.wants;
        let packet = Packet {
            stamp,
            client,
            number,
            wants,
            operation,
        };
        self.packets.insert(letter, packet);
        Ok(())
    }

    /// A request as stamped last.
    pub(crate) fn packet(&self, letter: char) -> Result<&Packet, String> {
        self.packets
            .get(&letter)
            .ok_or_else(|| format!("request {letter} was not sent before"))
    }
}
