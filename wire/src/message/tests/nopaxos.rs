//! Messages of NOPaxos, for the tests of all messages.

use super::Owned;
use crate::message::nopaxos::{
    Answer, Catchup, Committed, Executed, GapCommit, GapOk, NoPaxosMessage, Place, Report, Run,
    Runs, Start, SyncOk, SyncPrepare,
};
use crate::message::{Entries, Message};
use crate::{AgreedTime, ClientId, EpochNumber, RequestNumber, SequenceNumber, WireError};
use alloc::vec::Vec;

impl Owned {
    pub(super) fn run(&self) -> Run {
        let [one, other, ..] = self.numbers;
        Run {
            first: SequenceNumber(one.min(other)),
            last: SequenceNumber(one.max(other)),
        }
    }

    pub(super) fn runs<'a>(&self, storage: &'a mut Vec<u8>) -> Runs<'a> {
        Runs::encode(self.entries.iter().map(|_| self.run()), storage)
    }

    fn committed(&self) -> Committed {
        let (_, _, hash, slot, _) = self.common();
        Committed {
            place: Place {
                session: EpochNumber(u32::from(self.replica)),
                position: SequenceNumber(self.numbers[3]),
            },
            slot,
            hash,
        }
    }

    /// One message of each type, and of some both kinds.
    pub(super) fn each_of_nopaxos<'a>(
        &'a self,
        entries: Entries<'a>,
        runs: Runs<'a>,
    ) -> Vec<Message<'a>> {
        let mut each = self.small(runs);
        each.extend(self.logs(entries, runs));
        each.into_iter().map(Message::NoPaxos).collect()
    }

    fn small<'a>(&'a self, runs: Runs<'a>) -> Vec<NoPaxosMessage<'a>> {
        let (view, replica, hash, slot, _) = self.common();
        let head = SequenceNumber(self.numbers[4]);
        let answer = |executed| Answer {
            client: ClientId(self.numbers[0]),
            number: RequestNumber(self.numbers[1]),
            replica,
            view,
            position: head,
            executed,
        };
        let executed = Executed {
            slot,
            hash,
            committed: self.wants == 1,
            result: &self.payload,
        };
        let run = self.run();
        let last = head;
        let small = [
            NoPaxosMessage::GapCommit(GapCommit { view, run }),
            NoPaxosMessage::GapOk(GapOk {
                view,
                replica,
                last,
            }),
            NoPaxosMessage::SyncPrepare(SyncPrepare {
                view,
                head,
                from: self.committed().place.position,
                to: head,
                committed: self.committed(),
                no_ops: runs,
            }),
            NoPaxosMessage::SyncOk(SyncOk {
                view,
                replica,
                position: head,
                committed: slot,
            }),
            NoPaxosMessage::Answer(answer(None)),
            NoPaxosMessage::Answer(answer(Some(executed))),
        ];
        small.into()
    }

    fn logs<'a>(&'a self, entries: Entries<'a>, runs: Runs<'a>) -> [NoPaxosMessage<'a>; 4] {
        let (view, replica, hash, slot, _) = self.common();
        let head = SequenceNumber(self.numbers[4]);
        let committed = self.committed();
        let incarnations = self.incarnations();
        [
            NoPaxosMessage::Catchup(Catchup::Entries {
                view,
                replica,
                committed,
                base: slot,
                entries,
            }),
            NoPaxosMessage::Catchup(Catchup::State {
                view,
                replica,
                committed,
                time: AgreedTime(self.numbers[4]),
                state: &self.payload,
            }),
            NoPaxosMessage::Report(Report {
                view,
                replica,
                last_normal_view: view,
                incarnations,
                committed,
                head,
                no_ops: runs,
                entries,
            }),
            NoPaxosMessage::Start(Start {
                view,
                incarnations,
                committed,
                head,
                last: slot,
                last_hash: hash,
                base: slot,
                entries,
            }),
        ]
    }
}

#[test]
fn a_run_that_ends_before_it_begins_is_refused() {
    let mut bytes = alloc::vec![40];
    for number in [1_u64, 7, 6] {
        bytes.extend(number.to_be_bytes());
    }
    let error = WireError::UnknownValue {
        what: "first position behind the last",
        value: 7,
    };
    assert_eq!(Message::parse(&bytes), Err(error));
}
