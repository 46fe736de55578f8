//! Counting the answers to one request of NOPaxos: f+1 replicas have it at one position, with
//! everything before it, and the leader among them has executed it.

use replica::Quorum;
use replica::nopaxos::leader_of;
use replica::quorum::MAX_REPLICAS;
use wire::message::nopaxos::Answer;
use wire::{SequenceNumber, SlotNumber, SummaryHash, ViewNumber};

/// What a leader said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Executed {
    pub(super) result: Box<[u8]>,
    pub(super) slot: SlotNumber,
    pub(super) hash: SummaryHash,
    pub(super) committed: bool,
}

/// A replica's newest answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    view: ViewNumber,
    position: SequenceNumber,
}

/// The answers so far.
#[derive(Clone, Debug, Default)]
pub(super) struct LedVotes {
    newest: [Option<Vote>; MAX_REPLICAS],
    /// The newest of a leader.
    executed: Option<(Vote, Executed)>,
}

impl LedVotes {
    /// Adds an answer; returns what the leader said if that completes the request.
    pub(super) fn add(&mut self, quorum: Quorum, answer: &Answer<'_>) -> Option<Executed> {
        let index = usize::from(answer.replica.0);
        let newest_view = self.newest.iter().flatten().map(|vote| vote.view).max();
        // Who is left behind in an older view may not know what the newer one is without.
        if index >= quorum.n() || newest_view.is_some_and(|view| answer.view < view) {
            return None;
        }
        let vote = Vote {
            view: answer.view,
            position: answer.position,
        };
        let leads = answer.replica == leader_of(answer.view, quorum);
        if let Some(executed) = answer.executed.filter(|_| leads) {
            let said = Executed {
                result: executed.result.into(),
                slot: executed.slot,
                hash: executed.hash,
                committed: executed.committed,
            };
            if said.committed {
                return Some(said);
            }
            if self
                .executed
                .as_ref()
                .is_none_or(|(known, _)| *known < vote)
            {
                self.executed = Some((vote, said));
            }
        }
        // A request that was sent twice has two positions; answers may overtake each other.
        let known = &mut self.newest[index];
        *known = Some(vote).max(*known);
        let (led, said) = self.executed.as_ref()?;
        let equal = self.newest.iter().flatten().filter(|vote| *vote == led);
        (equal.count() >= quorum.majority()).then(|| said.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{ClientId, ReplicaId, RequestNumber};

    const SESSION: u64 = 7 << 32;

    fn answer(replica: u8, view: u64, position: u64) -> Answer<'static> {
        Answer {
            client: ClientId(7),
            number: RequestNumber(1),
            replica: ReplicaId(replica),
            view: ViewNumber(view),
            position: SequenceNumber(position),
            executed: None,
        }
    }

    fn led(replica: u8, view: u64, position: u64, committed: bool) -> Answer<'static> {
        Answer {
            executed: Some(wire::message::nopaxos::Executed {
                slot: SlotNumber(3),
                hash: SummaryHash([1; 32]),
                committed,
                result: b"ok",
            }),
            ..answer(replica, view, position)
        }
    }

    fn count(answers: &[Answer<'_>]) -> Option<usize> {
        let quorum = Quorum::of(5).unwrap();
        let mut votes = LedVotes::default();
        let done = |answer| votes.add(quorum, answer).is_some();
        answers.iter().position(done).map(|index| index + 1)
    }

    #[test]
    fn a_majority_with_the_views_leader_is_enough_and_without_it_is_not() {
        let view = SESSION + 6;
        let followers = [0, 2, 3, 4].map(|replica| answer(replica, view, 9));
        assert_eq!(count(&followers), None);
        // Replica 1 leads: 6 mod 5.
        let with_leader = [followers[0], led(1, view, 9, false), followers[2]];
        assert_eq!(count(&with_leader), Some(3));
        let twice = [followers[0], followers[0], led(1, view, 9, false)];
        assert_eq!(count(&twice), None);
        // Who claims to have executed and does not lead is one vote.
        let claims = [led(0, view, 9, false), followers[1], followers[2]];
        assert_eq!(count(&claims), None);
    }

    #[test]
    fn positions_and_views_do_not_mix() {
        let view = SESSION + 6;
        let mixed = [
            led(1, view, 9, false),
            answer(0, view, 9),
            answer(2, view, 8),
        ];
        assert_eq!(count(&mixed), None);
        let older = [
            led(1, view, 9, false),
            answer(0, view, 9),
            answer(2, view - 1, 9),
        ];
        assert_eq!(count(&older), None);
        let again = [
            led(1, view, 9, false),
            answer(0, view, 12),
            led(1, view, 12, false),
            answer(0, view, 9),
            answer(2, view, 12),
        ];
        assert_eq!(count(&again), Some(5));
    }

    #[test]
    fn what_is_committed_needs_one_answer_unless_its_view_is_over() {
        let view = SESSION + 6;
        assert_eq!(count(&[led(1, view, 9, true)]), Some(1));
        let left_behind = [answer(0, view + 1, 4), led(1, view, 9, true)];
        assert_eq!(count(&left_behind), None);
    }
}
