//! Messages of Viewstamped Replication, for the tests of all messages.

use super::Owned;
use crate::AgreedTime;
use crate::message::vr::{Prepare, PrepareOk, VrMessage, Welcome};
use crate::message::{Batch, Message};
use alloc::vec::Vec;
use proptest::prelude::*;

impl Owned {
    pub(super) fn each_of_vr<'a>(&self, batch: Batch<'a>) -> Vec<Message<'a>> {
        let (view, replica, _, slot, committed) = self.common();
        let each = [
            VrMessage::Prepare(Prepare {
                view,
                base: slot,
                committed,
                time: AgreedTime(self.numbers[4]),
                batch,
            }),
            VrMessage::PrepareOk(PrepareOk {
                view,
                replica,
                slot,
            }),
            VrMessage::Welcome(Welcome {
                view,
                replica,
                incarnation: self.numbers[3],
                last: slot,
            }),
        ];
        each.map(Message::Vr).into()
    }
}

proptest! {
    #[test]
    fn what_a_prepare_needs_besides_its_batch_is_as_declared(owned in super::owned()) {
        let bytes = owned.batch();
        let batch = Batch::parse(&bytes).unwrap();
        let mut emitted = Vec::new();
        owned.each_of_vr(batch)[0].emit(&mut emitted);
        prop_assert_eq!(emitted.len(), Prepare::OVERHEAD + bytes.len());
        for (seed, operation) in &owned.entries {
            let mut asked = Vec::new();
            Message::Request(owned.request(*seed, operation)).emit(&mut asked);
            let passed_on = Prepare::OVERHEAD + Batch::cost(operation.len());
            prop_assert_eq!(asked.len() + Prepare::RESERVED, passed_on);
        }
    }
}
