//! Messages of synchronous rounds.

use super::{Owned, owned};
use crate::message::Message;
use crate::message::rounds::*;
use crate::{
    AgreedTime, Members, Position, ReplicaId, RoundsEpoch, SequenceNumber, SlotNumber, SummaryHash,
    ViewNumber,
};
use alloc::vec::Vec;
use proptest::prelude::*;

impl Owned {
    pub(super) fn batch(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (seed, operation) in &self.entries {
            Batch::push(&mut bytes, &self.request(*seed, operation));
        }
        bytes
    }

    pub(super) fn values<'a>(&self, batch: Batch<'a>) -> impl Iterator<Item = Value<'a>> {
        let packet = Value::Packet(self.proposal(batch));
        let is_packet = |index| index % 4 == 0 || index % 4 == 3;
        let value = move |index| {
            if is_packet(index) {
                packet
            } else {
                Value::NoOp
            }
        };
        (0..self.entries.len()).map(value)
    }

    pub(super) fn proposal<'a>(&self, batch: Batch<'a>) -> Proposal<'a> {
        Proposal {
            sender: self.replica,
            incarnation: self.numbers[0],
            number: self.numbers[1],
            time: AgreedTime(self.numbers[2]),
            batch,
        }
    }

    fn frontier(&self, index: usize) -> Frontier {
        Frontier {
            position: Position(self.numbers[index]),
            digest: SummaryHash(self.hash),
        }
    }

    fn footing(&self) -> Footing {
        Footing {
            frontier: self.frontier(2),
            time: AgreedTime(self.numbers[3]),
        }
    }

    fn epoch(&self, index: usize) -> RoundsEpoch {
        RoundsEpoch::from_view(ViewNumber(self.numbers[index]))
    }

    /// One message of each type of synchronous rounds, in the order of their type bytes.
    pub(super) fn each_of_rounds<'a>(
        &'a self,
        batch: Batch<'a>,
        values: Values<'a>,
    ) -> Vec<Message<'a>> {
        let mut each = self.packets(batch).to_vec();
        each.extend(self.agreement(values));
        each.extend(self.catching_up(values));
        each.into_iter().map(Message::Rounds).collect()
    }

    fn packets<'a>(&self, batch: Batch<'a>) -> [RoundsMessage<'a>; 3] {
        let (replica, epoch) = (ReplicaId(self.replica), self.epoch(0));
        let sequence = SequenceNumber(self.numbers[1]);
        let body = match self.wants {
            0 => HeldBody::Lacking,
            1 => HeldBody::Packet(self.proposal(batch)),
            _ => HeldBody::NoOp,
        };
        [
            RoundsMessage::Round(RoundPacket {
                replica,
                incarnation: self.numbers[3],
                number: self.numbers[4],
                epoch,
                acknowledged: self.frontier(1),
                locked: self.frontier(2),
                committed: Position(self.numbers[3]),
                barrier: self.wants == 1,
                batch,
            }),
            RoundsMessage::FetchRound(FetchRound {
                replica,
                epoch,
                first: sequence,
                count: self.wants,
            }),
            RoundsMessage::Held(Held {
                replica,
                epoch,
                sequence,
                body,
            }),
        ]
    }

    fn membership(&self) -> Membership {
        Membership {
            version: self.numbers[0],
            members: Members::first(1 + usize::from(self.replica % 15)),
        }
    }

    fn agreement<'a>(&self, values: Values<'a>) -> [RoundsMessage<'a>; 3] {
        let (replica, epoch) = (ReplicaId(self.replica), self.epoch(0));
        let (installed, incarnations) = (self.epoch(4), self.incarnations());
        [
            RoundsMessage::Suspect(Suspect {
                replica,
                wanted: epoch,
                fence: self.epoch(3),
                installed,
                incarnations,
            }),
            RoundsMessage::Report(Report {
                replica,
                epoch,
                installed,
                membership: self.membership(),
                forgot: self.wants == 2,
                incarnations,
                term_base: Position(self.numbers[2]),
                seen: Position(self.numbers[3]),
                locked: self.frontier(1),
                committed: self.footing(),
                values,
            }),
            RoundsMessage::StartEpoch(StartEpoch {
                replica,
                epoch,
                membership: self.membership(),
                incarnations,
                term_base: Position(self.numbers[1]),
                below: self.footing(),
                values,
            }),
        ]
    }

    fn catching_up<'a>(&'a self, values: Values<'a>) -> [RoundsMessage<'a>; 3] {
        let replica = ReplicaId(self.replica);
        let position = Position(self.numbers[1]);
        [
            RoundsMessage::FetchPositions(FetchPositions {
                replica,
                above: position,
            }),
            RoundsMessage::Positions(Positions {
                replica,
                epoch: self.epoch(4),
                below: self.footing(),
                committed: position,
                values,
            }),
            RoundsMessage::State(State {
                replica,
                at: self.footing(),
                membership: self.membership(),
                slot: SlotNumber(self.numbers[1]),
                hash: SummaryHash(self.hash),
                time: AgreedTime(self.numbers[3]),
                state: &self.payload,
            }),
        ]
    }
}

proptest! {
    #[test]
    fn batches_and_values_iterate_as_they_were_encoded(owned in owned()) {
        let bytes = owned.batch();
        let batch = Batch::parse(&bytes).unwrap();
        let requests = owned.entries.iter().map(|(seed, operation)| owned.request(*seed, operation));
        prop_assert!(batch.iter().eq(requests));
        let cost: usize = owned.entries.iter().map(|(_, operation)| Batch::cost(operation.len())).sum();
        prop_assert_eq!(cost, bytes.len());
        let mut storage = Vec::new();
        let values = Values::encode(owned.values(batch), &mut storage);
        prop_assert!(values.iter().eq(owned.values(batch)));
    }

    #[test]
    fn what_a_packet_needs_besides_its_batch_is_as_declared(owned in owned()) {
        let bytes = owned.batch();
        let batch = Batch::parse(&bytes).unwrap();
        let [round, _, held] = owned.packets(batch).map(|message| {
            let mut bytes = Vec::new();
            Message::Rounds(message).emit(&mut bytes);
            bytes.len()
        });
        prop_assert_eq!(round, RoundPacket::OVERHEAD + bytes.len());
        if owned.wants == 1 {
            prop_assert_eq!(held, Held::OVERHEAD + bytes.len());
        }
        for (seed, operation) in &owned.entries {
            let mut asked = Vec::new();
            Message::Request(owned.request(*seed, operation)).emit(&mut asked);
            let passed_on = RoundPacket::OVERHEAD + Batch::cost(operation.len());
            prop_assert_eq!(asked.len() + RoundPacket::RESERVED, passed_on);
        }
    }

    #[test]
    fn an_epoch_is_a_view_that_grows_with_it(a in any::<(u32, u32)>(), b in any::<(u32, u32)>()) {
        let epoch = |(term, attempt)| RoundsEpoch { term: crate::EpochNumber(term), attempt };
        let (one, other) = (epoch(a), epoch(b));
        prop_assert_eq!(RoundsEpoch::from_view(one.as_view()), one);
        prop_assert_eq!(one.cmp(&other), one.as_view().cmp(&other.as_view()));
    }
}
