//! How many replicas make a decision: pure arithmetic, and a set of replicas.

use wire::{Members, ReplicaId};

/// The largest group: a member is a bit of 32 in the root's bitmap, and 9 is the largest anyone
/// has measured; the bound keeps per-replica arrays small.
pub const MAX_REPLICAS: usize = 15;

/// Quorum sizes of a group of n = 2f+1 replicas (NSDI'15, section 4.1). With synchronous rounds
/// the members may change, and there may be an even number of them for a while: 2f+2 replicas
/// survive no more crashes than 2f+1, and need one vote more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    n: u8,
}

/// A group size that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group of {n} replicas is not possible: valid are 1, 3, 5, 7, 9, 11, 13 and 15")]
pub struct GroupSizeError {
    /// The size that was asked for.
    pub n: usize,
}

impl Quorum {
    /// Quorums of `n` replicas; `n` is odd and at most [`MAX_REPLICAS`].
    pub fn of(n: usize) -> Result<Self, GroupSizeError> {
        match u8::try_from(n) {
            Ok(small) if n % 2 == 1 && n <= MAX_REPLICAS => Ok(Self { n: small }),
            _ => Err(GroupSizeError { n }),
        }
    }

    /// Quorums of any number of members, even ones too. Panics if there are none, or more than
    /// [`MAX_REPLICAS`].
    pub fn of_members(members: Members) -> Self {
        let n = members.len();
        assert!(
            (1..=MAX_REPLICAS).contains(&n),
            "a group of {n} members is not possible"
        );
        Self {
            n: u8::try_from(n).expect("at most 15"),
        }
    }

    /// Replicas in the group.
    pub fn n(self) -> usize {
        self.n.into()
    }

    /// Crashes that the group survives.
    pub fn f(self) -> usize {
        (self.n() - 1) / 2
    }

    /// f + 1, one more in a group of even size: any two share a replica.
    pub fn majority(self) -> usize {
        self.n() / 2 + 1
    }

    /// f + ⌈f/2⌉ + 1, or what is as much in a group of even size: of any majority, a majority was
    /// in it.
    pub fn superquorum(self) -> usize {
        self.n() - self.majority() + self.merge_votes()
    }

    /// ⌈f/2⌉ + 1, a majority of a majority: how many of its reports must agree for an entry to
    /// have been possibly completed by a superquorum.
    pub fn merge_votes(self) -> usize {
        self.majority() / 2 + 1
    }
}

/// A set of replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReplicaSet(u16);

impl ReplicaSet {
    /// Adds a replica; returns whether it was new.
    pub fn insert(&mut self, replica: ReplicaId) -> bool {
        assert!(
            usize::from(replica.0) < MAX_REPLICAS,
            "replica {replica} is not in any group"
        );
        let bit = 1_u16 << replica.0;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    /// Takes a replica out; returns whether it was in.
    pub fn remove(&mut self, replica: ReplicaId) -> bool {
        let was_in = self.contains(replica);
        if was_in {
            self.0 &= !(1_u16 << replica.0);
        }
        was_in
    }

    /// Whether the replica is in the set.
    pub fn contains(self, replica: ReplicaId) -> bool {
        usize::from(replica.0) < MAX_REPLICAS && self.0 & (1_u16 << replica.0) != 0
    }

    /// How many are in it.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether nobody is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_paper() {
        let table = [(3, 1, 2, 3), (5, 2, 3, 4), (7, 3, 4, 6), (9, 4, 5, 7)];
        for (n, f, majority, superquorum) in table {
            let quorum = Quorum::of(n).expect("odd and small");
            let sizes = (quorum.f(), quorum.majority(), quorum.superquorum());
            assert_eq!(sizes, (f, majority, superquorum), "n = {n}");
        }
    }

    #[test]
    fn a_superquorum_leaves_a_majority_of_votes_in_every_quorum() {
        for n in 1..=MAX_REPLICAS {
            let q = Quorum::of_members(Members::first(n));
            assert!(2 * q.majority() > n && q.superquorum() <= n, "n = {n}");
            assert!(n - q.f() >= q.majority(), "n = {n}");
            let seen = q.superquorum() + q.majority() - q.n();
            assert!(seen >= q.merge_votes() || q.f() == 0, "n = {n}");
            assert!(
                2 * q.merge_votes() > q.majority(),
                "two values could both win at n = {n}"
            );
        }
    }

    #[test]
    fn impossible_sizes_say_what_is_possible() {
        for n in [0, 2, 4, 16, 17, 300] {
            assert_eq!(Quorum::of(n), Err(GroupSizeError { n }));
        }
        let text = alloc::format!("{}", GroupSizeError { n: 4 });
        assert!(text.contains("a group of 4") && text.contains("3, 5"));
    }

    #[test]
    fn a_set_counts_each_replica_once() {
        let mut set = ReplicaSet::default();
        assert!(set.insert(ReplicaId(2)) && !set.insert(ReplicaId(2)));
        assert!(set.contains(ReplicaId(2)) && !set.contains(ReplicaId(1)));
        assert_eq!((set.len(), set.is_empty()), (1, false));
    }
}
