//! Who votes, and how that changes.
//!
//! A change is a command of the log. Deciding it changes nothing but what is wanted: the epoch
//! after it is the first in which the new members vote. That epoch needs reports of a majority of
//! those who voted before, and of a majority of everyone whom a change in the log has named since:
//! whatever order things happen in, an epoch that some of them may have begun is seen.
//!
//! At least a majority of the new members must have been members before. So the old members
//! alone can give all reports, and a replica that comes in is let in like one that has restarted:
//! it votes from the first epoch on that was started for its life.

use super::mutant::Mutant;
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::quorum::{MAX_REPLICAS, Quorum};
use crate::{Effects, StateMachine};
use wire::message::rounds::{Change, Membership, Value};
use wire::message::{Message, Reply, Request};
use wire::{EpochNumber, HostAddress, Members, ReplicaId, RequestNumber, RoundsEpoch, Tick};

/// Attempts go round over so many numbers, one for each replica that could be a member: who
/// coordinates an epoch must not depend on who the members are thought to be.
const COORDINATORS: u32 = 16;

/// Who coordinates an epoch.
pub(super) fn coordinator_of(epoch: RoundsEpoch) -> ReplicaId {
    ReplicaId(u8::try_from(epoch.attempt % COORDINATORS).expect("below 16"))
}

/// The first epoch of a term among `members`; each term has another coordinator.
pub(super) fn first_epoch(term: EpochNumber, members: Members) -> RoundsEpoch {
    let place = usize::try_from(term.0).expect("32 bits fit") % members.len();
    let coordinator = members.iter().nth(place).expect("there are more");
    RoundsEpoch {
        term,
        attempt: coordinator.0.into(),
    }
}

/// The next epoch of the same term that one of `members` coordinates.
pub(super) fn epoch_after(epoch: RoundsEpoch, members: Members) -> RoundsEpoch {
    let mut next = epoch.next_attempt();
    while !members.contains(coordinator_of(next)) {
        next = next.next_attempt();
    }
    next
}

/// The membership after a change, if the change is one to make.
pub(super) fn changed(from: Membership, change: Change) -> Option<Membership> {
    let Change(wanted) = change;
    let (old, new) = (from.members, wanted.members);
    let named = wanted.version == from.version + 1 && new != old;
    let possible = !new.is_empty() && new.common(Members::first(MAX_REPLICAS)) == new;
    let stays = |new: Members| new.common(old).len() >= Quorum::of_members(new).majority();
    (named && possible && stays(new)).then_some(wanted)
}

/// The change that a request of a decided or reported value asks for.
pub(super) fn changes_of<'v>(value: &Value<'v>) -> impl Iterator<Item = Change> + use<'v> {
    let batch = match value {
        Value::NoOp => None,
        Value::Packet(proposal) => Some(proposal.batch),
    };
    let requests = batch.into_iter().flat_map(|batch| batch.iter());
    requests.filter_map(|request| Change::of(&request))
}

impl<S: StateMachine> Rounds<S> {
    /// Who votes in the installed epoch.
    pub(super) fn voters(&self) -> Members {
        self.epoch_membership.members
    }

    /// The quorums of the installed epoch.
    pub(super) fn quorum(&self) -> Quorum {
        Quorum::of_members(self.voters())
    }

    /// Whether the log has changed the members since the installed epoch began.
    pub(super) fn is_change_pending(&self) -> bool {
        self.membership.version > self.epoch_membership.version
    }

    /// Somebody asks for a change.
    pub(super) fn on_change_request(
        &mut self,
        now: Tick,
        request: &Request<'_>,
        out: &mut Effects,
    ) {
        let change = Change::of(request);
        let possible = change.and_then(|change| changed(self.membership, change));
        if possible.is_none() {
            // It is done, or refused: whoever asked sees which.
            self.tell_membership(request.number, request.reply_to, out);
        } else if possible.is_some_and(|next| !self.would_go_on_with(now, next.members))
            || self.is_change_pending()
            || self.intake.len() >= self.config.limits.requests
        {
            // One after the other.
            self.counters.throttled += 1;
        } else if self.intake.take(request) {
            self.arm_stall(now);
        }
    }

    /// Whether a majority of the new members vote now, as far as was heard lately. Who has just come in may not have caught up
    /// yet: the next change waits for it, or nobody would be left who can begin an epoch.
    fn would_go_on_with(&self, now: Tick, members: Members) -> bool {
        let silent_ns = self.config.timings.silent_us * 1_000;
        let voting = |member: &ReplicaId| {
            let heard = now.since(self.heard[usize::from(member.0)]) < silent_ns
                && self.votes.is_heard(*member);
            *member == self.config.me || (self.voters().contains(*member) && heard)
        };
        let majority = Quorum::of_members(members).majority();
        self.mode == Mode::Normal && members.iter().filter(voting).count() >= majority
    }

    /// A change is decided, or what once was one.
    pub(super) fn execute_change(&mut self, request: &Request<'_>, mine: bool, out: &mut Effects) {
        let change = Change::of(request);
        if let Some(membership) = change.and_then(|change| changed(self.membership, change)) {
            self.membership = membership;
            if self.config.breaks(Mutant::ChangeAtOnce) {
                self.epoch_membership = membership;
            }
        }
        if mine {
            self.tell_membership(request.number, request.reply_to, out);
        }
        self.intake.done(request.client, request.number);
    }

    fn tell_membership(&self, number: RequestNumber, to: HostAddress, out: &mut Effects) {
        let log = self.history.log();
        let reply = Reply {
            client: wire::ClientId::GROUP,
            number,
            replica: self.config.me,
            view: self.installed.as_view(),
            slot: log.last(),
            hash: log.last_hash(),
            committed: true,
            result: &self.membership.to_bytes(),
        };
        out.reply(to, &Message::Reply(reply));
    }

    /// A change that was decided wants an epoch. An earlier wish of this member for one may have
    /// passed, and is not said any more: then it is as if there was none.
    pub(super) fn want_changed_members(&mut self, now: Tick, out: &mut Effects) {
        let own = self.wishes.of(self.config.me);
        let says_so = own > self.installed && self.timers.is_armed(Timer::Resend);
        if self.mode == Mode::Normal && self.is_change_pending() && !says_so {
            self.want(now, self.next_epoch(), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[u8]) -> Members {
        let add = |set: Members, member: &u8| set.with(ReplicaId(*member));
        members.iter().fold(Members::default(), add)
    }

    #[test]
    fn a_change_keeps_a_majority_of_the_new_members() {
        let from = Membership {
            version: 4,
            members: set(&[0, 1, 2]),
        };
        let ask = |version, members: &[u8]| {
            let members = set(members);
            changed(from, Change(Membership { version, members })).is_some()
        };
        for good in [
            &[0, 1, 3][..],
            &[0, 1, 2, 3],
            &[0, 1],
            &[0],
            &[0, 1, 2, 3, 4],
        ] {
            assert!(ask(5, good), "{good:?}");
        }
        for bad in [&[][..], &[0, 1, 2], &[0, 3, 4], &[0, 3], &[3], &[0, 1, 15]] {
            assert!(!ask(5, bad), "{bad:?}");
        }
        assert!(!ask(4, &[0, 1, 3]) && !ask(6, &[0, 1, 3]));
    }

    #[test]
    fn epochs_pass_over_who_is_not_a_member() {
        let members = set(&[0, 2, 5]);
        let mut epoch = first_epoch(EpochNumber(4), members);
        let mut seen = alloc::vec![(epoch.attempt, coordinator_of(epoch))];
        for _ in 0..3 {
            epoch = epoch_after(epoch, members);
            seen.push((epoch.attempt, coordinator_of(epoch)));
        }
        let all = [(2, 2), (5, 5), (16, 0), (18, 2)];
        assert_eq!(seen, all.map(|(attempt, id)| (attempt, ReplicaId(id))));
    }
}
