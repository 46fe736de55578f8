//! Sets of members.

use crate::ReplicaId;

/// A set of members: bit i stands for member i.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Members(pub u32);

impl Members {
    /// Members 0 to n − 1. Panics if `n` is over 32.
    pub fn first(n: usize) -> Self {
        assert!(n <= 32, "a set has room for 32 members, not for {n}");
        Self(u32::try_from((1_u64 << n) - 1).expect("at most 32 bits"))
    }

    /// Whether `member` is in the set.
    pub fn contains(self, member: ReplicaId) -> bool {
        self.0 & Self::bit(member) != 0
    }

    /// The set with `member`.
    #[must_use]
    pub fn with(self, member: ReplicaId) -> Self {
        Self(self.0 | Self::bit(member))
    }

    /// The set without `member`.
    #[must_use]
    pub fn without(self, member: ReplicaId) -> Self {
        Self(self.0 & !Self::bit(member))
    }

    /// Who is in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// How many are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether nobody is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = ReplicaId> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let index = u8::try_from(left.trailing_zeros()).ok()?;
            // None is left: the lowest bit of nothing cannot be taken away.
            left &= left.checked_sub(1)?;
            Some(ReplicaId(index))
        })
    }

    fn bit(member: ReplicaId) -> u32 {
        1_u32.checked_shl(member.0.into()).unwrap_or(0)
    }
}

impl core::fmt::Display for Members {
    /// `r0 r1 r4`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, member) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}r{member}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_who_was_put_in() {
        let set = Members::first(3).with(ReplicaId(14)).without(ReplicaId(1));
        assert_eq!(alloc::format!("{set}"), "r0 r2 r14");
        assert_eq!((set.len(), set.contains(ReplicaId(1))), (3, false));
        assert_eq!(set.common(Members::first(2)), Members::first(1));
        assert!(Members::default().is_empty() && !set.contains(ReplicaId(200)));
        assert_eq!(Members::first(32), Members(u32::MAX));
    }
}
