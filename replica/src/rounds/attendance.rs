//! Who was heard by the root, as its stamps say: the same for everybody who gets them.
//!
//! For operators. Nothing is decided by it.

use super::Rounds;
use crate::StateMachine;
use crate::protocol::RoundsStatus;
use crate::quorum::MAX_REPLICAS;
use wire::{AgreedTime, Members, RoundNumber, StampHeader};

/// The newest closed round, and when each member was last in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Attendance {
    round: RoundNumber,
    members: Members,
    round_shift: u8,
    last: [RoundNumber; MAX_REPLICAS],
}

impl Attendance {
    /// A stamp tells of a closed round; only a later one than known says something new.
    pub(super) fn note(&mut self, stamp: &StampHeader) {
        if stamp.closed_round <= self.round {
            return;
        }
        if self.round == RoundNumber::default() {
            // Rounds are counted from an hour that is long past: who was not heard yet is silent
            // since this replica began to listen, not since then.
            self.last = [stamp.closed_round; MAX_REPLICAS];
        }
        self.round = stamp.closed_round;
        self.members = stamp.closed_members;
        self.round_shift = stamp.round_shift;
        for (index, last) in self.last.iter_mut().enumerate() {
            if stamp.closed_members.contains(super::replica_at(index)) {
                *last = stamp.closed_round;
            }
        }
    }

    /// For how many microseconds of agreed time each member had not been heard when the newest
    /// closed round ended.
    fn silent_us(&self) -> [u64; MAX_REPLICAS] {
        let time = |round: RoundNumber| {
            let micros = u128::from(round.0) << self.round_shift.min(63);
            AgreedTime(u64::try_from(micros).unwrap_or(u64::MAX))
        };
        self.last.map(|last| time(self.round).0 - time(last).0)
    }
}

impl<S: StateMachine> Rounds<S> {
    pub(super) fn rounds_status(&self) -> RoundsStatus {
        RoundsStatus {
            epoch: self.installed,
            members: self.voters(),
            decided: self.membership,
            closed_round: self.attendance.round,
            closed_members: self.attendance.members,
            silent_us: self.attendance.silent_us(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{GroupId, Kind, ReplicaId, Sender};

    fn stamp(round: u64, members: u32) -> StampHeader {
        let sender = Sender::Member(ReplicaId(0));
        StampHeader {
            closed_round: RoundNumber(round),
            closed_members: Members(members),
            round_shift: 8,
            ..StampHeader::unstamped(Kind::RoundPacket, sender, GroupId(1))
        }
    }

    #[test]
    fn each_member_is_as_silent_as_the_last_round_with_it_is_old() {
        let mut attendance = Attendance::default();
        attendance.note(&stamp(10, 0b111));
        attendance.note(&stamp(14, 0b001));
        assert_eq!(attendance.silent_us()[..3], [0, 4 << 8, 4 << 8]);
        // Stamps that come late, or say the same again, change nothing.
        attendance.note(&stamp(12, 0b110));
        attendance.note(&stamp(14, 0b110));
        assert_eq!(attendance.silent_us()[..3], [0, 4 << 8, 4 << 8]);
        assert_eq!(attendance.members, Members(0b001));
    }

    #[test]
    fn rounds_of_a_lying_root_do_not_overflow() {
        let mut attendance = Attendance::default();
        attendance.note(&stamp(1, 0b001));
        attendance.note(&stamp(u64::MAX, 0b001));
        assert_eq!(attendance.silent_us()[..2], [0, u64::MAX - (1 << 8)]);
    }

    #[test]
    fn who_was_never_heard_is_silent_since_the_first_stamp() {
        let mut attendance = Attendance::default();
        attendance.note(&stamp(1 << 40, 0b001));
        assert_eq!(attendance.silent_us()[..2], [0, 0]);
        attendance.note(&stamp((1 << 40) + 3, 0b001));
        assert_eq!(attendance.silent_us()[..2], [0, 3 << 8]);
    }
}
