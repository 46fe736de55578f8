//! Messages of Fast Paxos, for the tests of all messages.

use super::Owned;
use crate::message::fast_paxos::{
    Accept, Ask, Ballot, Chosen, FastPaxosMessage, Forward, Report, Vote, Want, Welcome,
};
use crate::message::{Entries, Message};
use crate::{AgreedTime, DEFAULT_PAYLOAD_LIMIT, STAMP_LEN, SlotNumber, SummaryHash, ViewNumber};
use alloc::vec::Vec;
use proptest::prelude::*;

impl Owned {
    /// One message of each type, in the order of their type bytes.
    pub(super) fn each_of_fast_paxos<'a>(&'a self, entries: Entries<'a>) -> Vec<Message<'a>> {
        let (view, replica, hash, slot, committed) = self.common();
        let ballot = Ballot {
            view,
            attempt: self.numbers[4],
        };
        let each = [
            FastPaxosMessage::Accept(Accept {
                ballot,
                fast: self.wants == 1,
                base: slot,
                base_hash: hash,
                committed,
                entries,
            }),
            FastPaxosMessage::Vote(Vote {
                ballot,
                replica,
                settled: committed,
                slot,
                hash,
            }),
            FastPaxosMessage::Chosen(Chosen {
                ballot,
                slot,
                hash,
                asks: self.wants == 1,
            }),
            FastPaxosMessage::Ask(Ask {
                view,
                replica,
                committed,
            }),
            FastPaxosMessage::Forward(Forward {
                view,
                replica,
                time: AgreedTime(self.numbers[3]),
                request: self.request(0, &self.payload),
            }),
            FastPaxosMessage::Want(Want {
                ballot,
                above: slot,
            }),
            FastPaxosMessage::Welcome(Welcome {
                ballot,
                replica,
                incarnation: self.numbers[3],
            }),
            FastPaxosMessage::Report(Report {
                view,
                replica,
                accepted: ballot,
                settled: slot,
                incarnations: self.incarnations(),
                committed,
                committed_hash: hash,
                entries,
            }),
        ];
        each.map(Message::FastPaxos).into()
    }
}

#[test]
fn ballots_are_ordered_by_view_first() {
    let of = |view, attempt| Ballot {
        view: ViewNumber(view),
        attempt,
    };
    assert!(of(1, 0) > of(0, u64::MAX));
    assert!(of(u64::from(u32::MAX) + 1, 0) > of(u64::from(u32::MAX), 7));
    assert!(of(3, 2) > of(3, 1));
}

proptest! {
    #[test]
    fn what_a_forward_needs_besides_its_request_is_as_declared(owned in super::owned()) {
        let (mut asked, mut passed_on) = (Vec::new(), Vec::new());
        Message::Request(owned.request(0, &owned.payload)).emit(&mut asked);
        owned.each_of_fast_paxos(Entries::NONE)[4].emit(&mut passed_on);
        prop_assert_eq!(asked.len() + Forward::RESERVED, passed_on.len());
    }

    #[test]
    fn an_accept_that_is_said_to_fit_a_packet_does(owned in super::owned()) {
        let mut storage = Vec::new();
        let entries = Entries::encode(owned.log_entries(), &mut storage);
        let accept = Accept {
            ballot: Ballot::default(),
            fast: true,
            base: SlotNumber::ZERO,
            base_hash: SummaryHash::default(),
            committed: SlotNumber::ZERO,
            entries,
        };
        let message = Message::FastPaxos(FastPaxosMessage::Accept(accept));
        let fits = STAMP_LEN + super::emitted(&message).len() <= DEFAULT_PAYLOAD_LIMIT;
        prop_assert_eq!(accept.fits_a_packet(), fits);
        prop_assert_eq!(message.is_bulk(), !fits);
        prop_assert_eq!(accept.end().0, owned.entries.len() as u64);
    }
}
