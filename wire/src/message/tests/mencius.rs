//! Messages of Mencius, for the tests of all messages.

use super::Owned;
use crate::message::mencius::*;
use crate::message::{Batch, Message, Request};
use crate::{AgreedTime, InstanceNumber};
use alloc::vec::Vec;
use proptest::prelude::*;

impl Owned {
    fn ballot(&self) -> Ballot {
        Ballot {
            round: self.numbers[2],
            replica: self.common().1,
            incarnation: self.numbers[3],
        }
    }

    fn lane(&self) -> Lane {
        let [base, chosen, last, next, executed] = self.numbers.map(InstanceNumber);
        Lane {
            replica: self.common().1,
            incarnations: self.incarnations(),
            base,
            chosen,
            last,
            next,
            executed,
        }
    }

    pub(super) fn cells<'a>(&self, batch: Batch<'a>) -> impl Iterator<Item = Cell<'a>> {
        let ballot = self.ballot();
        let [first, time] = [self.numbers[0], self.numbers[4]];
        (0..4_u64).map(move |kind| Cell {
            instance: InstanceNumber(first.wrapping_add(kind)),
            ballot,
            chosen: kind & 2 != 0,
            value: (kind & 1 != 0).then_some((AgreedTime(time), batch)),
        })
    }

    pub(super) fn promises(&self) -> impl Iterator<Item = LanePromise> {
        let promise = LanePromise {
            promised: self.ballot(),
            up_to: InstanceNumber(self.numbers[1]),
            start: Start {
                incarnation: self.numbers[3],
                above: InstanceNumber(self.numbers[2]),
            },
        };
        [promise, LanePromise::default()].into_iter()
    }

    pub(super) fn each_of_mencius<'a>(
        &'a self,
        batch: Batch<'a>,
        cells: Cells<'a>,
        lanes: LanePromises<'a>,
    ) -> Vec<Message<'a>> {
        let (_, replica, hash, slot, _) = self.common();
        let [below, held, revoked, above, executed] = self.numbers.map(InstanceNumber);
        let lane = self.lane();
        let mut each = alloc::vec![
            MenciusMessage::Propose(Propose {
                lane,
                time: AgreedTime(self.numbers[4]),
                batch,
            }),
            MenciusMessage::Ack(Ack {
                lane,
                owner_incarnation: self.numbers[1],
                above: below,
                held,
                revoked,
            }),
            MenciusMessage::Status(Status {
                lane,
                asks: self.wants == 1,
            }),
            MenciusMessage::Fetch(Fetch {
                replica,
                decisions: self.wants == 1,
                above,
            }),
            MenciusMessage::Decided(Decided {
                replica,
                incarnations: self.incarnations(),
                above: below,
                executed,
                cells,
            }),
            MenciusMessage::State(State {
                replica,
                executed,
                slot,
                hash,
                time: AgreedTime(self.numbers[4]),
                state: &self.payload,
            }),
        ];
        each.extend(self.each_of_revoke(cells).map(MenciusMessage::Revoke));
        each.extend(
            self.each_of_rejoin(cells, lanes)
                .map(MenciusMessage::Rejoin),
        );
        each.into_iter().map(Message::Mencius).collect()
    }

    fn each_of_revoke<'a>(&self, cells: Cells<'a>) -> [Revoke<'a>; 4] {
        let (owner, ballot, incarnations) = (self.common().1, self.ballot(), self.incarnations());
        let replica = crate::ReplicaId(1);
        let [a, b, c] = [0, 1, 2].map(|index| InstanceNumber(self.numbers[index]));
        [
            Revoke::Prepare(Prepare {
                replica,
                incarnations,
                owner,
                ballot,
                up_to: a,
            }),
            Revoke::Promise(Promise {
                replica,
                incarnations,
                owner,
                ballot,
                promised: Ballot::default(),
                up_to: a,
                executed: b,
                start: Start {
                    incarnation: self.numbers[4],
                    above: c,
                },
                cells,
            }),
            Revoke::Accept(Accept {
                replica,
                incarnations,
                owner,
                ballot,
                above: a,
                up_to: b,
                decided: self.wants == 1,
                cells,
            }),
            Revoke::Accepted(Accepted {
                replica,
                incarnations,
                owner,
                ballot,
            }),
        ]
    }

    fn each_of_rejoin<'a>(&self, cells: Cells<'a>, lanes: LanePromises<'a>) -> [Rejoin<'a>; 3] {
        let (replica, incarnations) = (self.common().1, self.incarnations());
        let [a, b] = [0, 1].map(|index| InstanceNumber(self.numbers[index]));
        [
            Rejoin::Welcome(Welcome {
                replica,
                incarnations,
                incarnation: self.numbers[3],
                executed: a,
                lanes,
                cells,
            }),
            Rejoin::Starting(Starting {
                replica,
                incarnations,
                above: a,
            }),
            Rejoin::Started(Started {
                replica,
                incarnations,
                above: a,
                needed: b,
            }),
        ]
    }
}

proptest! {
    #[test]
    fn what_a_proposal_needs_besides_its_batch_is_as_declared(owned in super::owned()) {
        let bytes = owned.batch();
        let batch = Batch::parse(&bytes).unwrap();
        let mut emitted = Vec::new();
        owned.each_of_mencius(batch, Cells::NONE, LanePromises::default())[0].emit(&mut emitted);
        prop_assert_eq!(emitted.len(), Propose::overhead(3) + bytes.len());
        prop_assert_eq!(
            Propose::RESERVED + Request::OVERHEAD,
            Propose::overhead(15) + Batch::cost(0)
        );
    }

    #[test]
    fn cells_iterate_as_they_were_encoded(owned in super::owned()) {
        let bytes = owned.batch();
        let batch = Batch::parse(&bytes).unwrap();
        let mut storage = Vec::new();
        let cells = Cells::encode(owned.cells(batch), &mut storage);
        prop_assert!(cells.iter().eq(owned.cells(batch)));
        let mut storage = Vec::new();
        let promises = LanePromises::encode(owned.promises(), &mut storage);
        prop_assert!(promises.iter().eq(owned.promises()));
    }
}
