//! A reply is a vote, and so is a SYNC-REPLY or a DO-VIEW-CHANGE, a packet of a round or a REPORT,
//! an ANSWER, a GAP-OK or a SYNC-OK of NOPaxos, a VOTE or a REPORT of Fast Paxos, an ACK, a PROMISE
//! or an ACCEPTED of Mencius: a replica that has promised a view votes in no lower one any more, and
//! one that recovers votes for nothing.

use super::{Invariant, Sight};
use replica::Mode;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::Message;
use wire::message::fast_paxos::FastPaxosMessage;
use wire::message::mencius::{MenciusMessage, Revoke};
use wire::message::nopaxos::NoPaxosMessage;
use wire::message::rounds::RoundsMessage;
use wire::{ReplicaId, ViewNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct VotesOnlyWhenNormal {
    /// The newest view that a replica has told others it promised.
    promised: BTreeMap<ReplicaId, ViewNumber>,
    recovering: BTreeSet<ReplicaId>,
}

/// In which view, and as what, a message is a vote.
fn vote(message: &Message<'_>) -> Option<(ViewNumber, &'static str)> {
    match message {
        // A committed reply is no vote: it tells what is decided.
        Message::Reply(reply) if !reply.committed => Some((reply.view, "a speculative reply")),
        Message::SyncReply(reply) => Some((reply.view, "a SYNC-REPLY")),
        Message::NoPaxos(message) => vote_of_nopaxos(message),
        Message::DoViewChange(report) => Some((report.view, "a DO-VIEW-CHANGE")),
        Message::Rounds(RoundsMessage::Round(packet)) => {
            Some((packet.epoch.as_view(), "a packet of a round"))
        }
        // One that forgot its votes only promises.
        Message::Rounds(RoundsMessage::Report(report)) if !report.forgot => {
            Some((report.epoch.as_view(), "a REPORT"))
        }
        Message::FastPaxos(FastPaxosMessage::Vote(m)) => Some((m.ballot.view, "a VOTE")),
        Message::FastPaxos(FastPaxosMessage::Report(m)) => Some((m.view, "a REPORT")),
        // Mencius has no views.
        Message::Mencius(MenciusMessage::Ack(_)) => Some((ViewNumber::ZERO, "an ACK")),
        Message::Mencius(MenciusMessage::Revoke(Revoke::Promise(_) | Revoke::Accepted(_))) => {
            Some((ViewNumber::ZERO, "an answer to a revocation"))
        }
        _ => None,
    }
}

fn vote_of_nopaxos(message: &NoPaxosMessage<'_>) -> Option<(ViewNumber, &'static str)> {
    match message {
        NoPaxosMessage::Answer(m) if m.executed.is_none_or(|executed| !executed.committed) => {
            Some((m.view, "an ANSWER"))
        }
        NoPaxosMessage::GapOk(m) => Some((m.view, "a GAP-OK")),
        NoPaxosMessage::SyncOk(m) => Some((m.view, "a SYNC-OK")),
        NoPaxosMessage::Report(m) => Some((m.view, "a REPORT")),
        _ => None,
    }
}

fn promise(message: &Message<'_>) -> Option<ViewNumber> {
    match message {
        Message::StartViewChange(stop) => Some(stop.view),
        Message::DoViewChange(report) => Some(report.view),
        Message::NoPaxos(NoPaxosMessage::Report(report)) => Some(report.view),
        Message::FastPaxos(FastPaxosMessage::Report(report)) => Some(report.view),
        Message::Rounds(RoundsMessage::Report(report)) => Some(report.epoch.as_view()),
        _ => None,
    }
}

impl Invariant for VotesOnlyWhenNormal {
    fn name(&self) -> &'static str {
        "votes_only_when_normal"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.5: a replica in a view change stops processing requests"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Step(step) if step.after.mode == Mode::Recovering => {
                self.recovering.insert(step.replica);
                Ok(())
            }
            Sight::Step(step) => {
                self.recovering.remove(&step.replica);
                Ok(())
            }
            Sight::Started(replica, member) => {
                // What a life that lost its disk had promised, the next one cannot know; that the
                // earlier life's messages no longer count stands in for it.
                self.promised.insert(*replica, member.observed().view);
                if member.observed().mode == Mode::Recovering {
                    self.recovering.insert(*replica);
                }
                Ok(())
            }
            Sight::Sent(sent) => {
                let promised = self.promised.entry(sent.replica).or_default();
                if let Some((view, what)) = vote(&sent.message) {
                    if self.recovering.contains(&sent.replica) {
                        return Err(format!(
                            "replica {} recovers and sends {what} of view {view}",
                            sent.replica
                        ));
                    }
                    if view < *promised {
                        return Err(format!(
                            "replica {} has promised view {promised} and sends {what} of view \
                             {view}",
                            sent.replica
                        ));
                    }
                }
                if let Some(view) = promise(&sent.message) {
                    *promised = (*promised).max(view);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, sent, step};
    use super::*;
    use wire::message::fast_paxos::{Ballot, Vote};
    use wire::message::nopaxos::{Answer, Executed};
    use wire::message::{Incarnations, StartViewChange, SyncReply};
    use wire::{ClientId, RequestNumber, SequenceNumber, SlotNumber, SummaryHash};

    fn stop(view: u64) -> Message<'static> {
        Message::StartViewChange(StartViewChange {
            view: ViewNumber(view),
            replica: ReplicaId(1),
            committed: SlotNumber(0),
            degraded: false,
            incarnations: Incarnations::unknown(3),
        })
    }

    fn sync_reply(view: u64) -> Message<'static> {
        Message::SyncReply(SyncReply {
            view: ViewNumber(view),
            replica: ReplicaId(1),
            slot: SlotNumber(3),
            reached: SlotNumber(3),
            hash: SummaryHash::EMPTY,
        })
    }

    #[test]
    fn a_vote_below_a_promise_is_found() {
        let mut invariant = VotesOnlyWhenNormal::default();
        assert_eq!(invariant.see(&sent(1, sync_reply(0))), Ok(()));
        assert_eq!(invariant.see(&sent(1, stop(2))), Ok(()));
        assert_eq!(
            invariant.see(&sent(2, sync_reply(0))),
            Ok(()),
            "another replica"
        );
        assert_eq!(invariant.see(&sent(1, sync_reply(2))), Ok(()));
        let seen = invariant.see(&sent(1, sync_reply(1))).unwrap_err();
        assert!(seen.contains("promised view 2"), "{seen}");
    }

    /// A leader's answer about what is committed tells what is decided; any other one counts.
    #[test]
    fn answers_of_nopaxos_are_votes_unless_they_tell_what_is_committed() {
        let answer = |executed: Option<bool>| {
            Message::NoPaxos(NoPaxosMessage::Answer(Answer {
                client: ClientId(7),
                number: RequestNumber(1),
                replica: ReplicaId(1),
                view: ViewNumber(1),
                position: SequenceNumber(3),
                executed: executed.map(|committed| Executed {
                    slot: SlotNumber(3),
                    hash: SummaryHash::EMPTY,
                    committed,
                    result: b"",
                }),
            }))
        };
        let mut invariant = VotesOnlyWhenNormal::default();
        assert_eq!(invariant.see(&sent(1, answer(None))), Ok(()));
        assert_eq!(invariant.see(&sent(1, stop(2))), Ok(()));
        for (executed, holds) in [(None, false), (Some(false), false), (Some(true), true)] {
            let seen = invariant.see(&sent(1, answer(executed)));
            assert_eq!(seen.is_ok(), holds, "{executed:?}");
        }
    }

    #[test]
    fn a_vote_of_fast_paxos_is_of_its_ballots_view() {
        let vote = |view| {
            Message::FastPaxos(FastPaxosMessage::Vote(Vote {
                ballot: Ballot {
                    view: ViewNumber(view),
                    attempt: 9,
                },
                replica: ReplicaId(1),
                settled: SlotNumber(2),
                slot: SlotNumber(3),
                hash: SummaryHash::EMPTY,
            }))
        };
        let mut invariant = VotesOnlyWhenNormal::default();
        assert_eq!(invariant.see(&sent(1, stop(2))), Ok(()));
        assert_eq!(invariant.see(&sent(1, vote(2))), Ok(()));
        let seen = invariant.see(&sent(1, vote(1))).unwrap_err();
        assert!(seen.contains("a VOTE of view 1"), "{seen}");
    }

    #[test]
    fn a_vote_of_a_recovering_replica_is_found() {
        let mut invariant = VotesOnlyWhenNormal::default();
        let mut log = FakeLog::of(&[]);
        log.mode = Mode::Recovering;
        invariant.see(&step(1, &log)).unwrap();
        assert!(
            invariant
                .see(&sent(1, sync_reply(5)))
                .unwrap_err()
                .contains("recovers")
        );
        log.mode = Mode::Normal;
        invariant.see(&step(1, &log)).unwrap();
        assert_eq!(invariant.see(&sent(1, sync_reply(5))), Ok(()));
    }
}
