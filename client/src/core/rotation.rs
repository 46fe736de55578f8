//! Which member of a group is asked, where a request goes to one member and not to all.

use wire::ReplicaId;

/// The members by turns: a first try goes to the one that answered last, each further try to the
/// next one. After a crash only the requests under way take a second try; later ones go straight
/// to a member that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    members: usize,
    preferred: usize,
}

impl Rotation {
    /// Of `members` members, `first` (counted round) is asked first. Panics if there is none.
    pub fn new(members: usize, first: usize) -> Self {
        assert!(members > 0, "a group has members");
        Self {
            members,
            preferred: first % members,
        }
    }

    /// Whom to ask with this try, counted from 1.
    pub fn member(&self, tries: u32) -> usize {
        let further = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
        (self.preferred + further % self.members) % self.members
    }

    /// A request was answered by this member. One that the group does not have is no member.
    pub fn answered(&mut self, by: ReplicaId) {
        let by = usize::from(by.0);
        if by < self.members {
            self.preferred = by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_go_round_and_begin_at_the_member_that_answered_last() {
        let mut rotation = Rotation::new(3, 1);
        let asked = |rotation: &Rotation| [1, 2, 3, 4].map(|tries| rotation.member(tries));
        assert_eq!(asked(&rotation), [1, 2, 0, 1]);
        rotation.answered(ReplicaId(2));
        assert_eq!(asked(&rotation), [2, 0, 1, 2]);
        rotation.answered(ReplicaId(9));
        assert_eq!(asked(&rotation), [2, 0, 1, 2], "no member");
        assert!(rotation.member(u32::MAX) < 3);
    }

    #[test]
    fn clients_spread_over_the_members() {
        let first: Vec<_> = (0..5).map(|i| Rotation::new(3, i).member(1)).collect();
        assert_eq!(first, [0, 1, 2, 0, 1]);
    }
}
