//! How a root can lie: numbers and rounds that a right program never gives.
//!
//! Everything is by count of packets, so that a run with other faults left out lies alike.

use super::HostSet;
use std::fmt;

/// One way to lie, as long as the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// One packet in `every` gets the number of the one before it.
    Repeats {
        /// At least 1.
        every: u64,
    },
    /// The same, and of the two packets with one number some hosts get only the first, the others
    /// only the second.
    TwoFaced {
        /// At least 1.
        every: u64,
        /// Who gets the first.
        hosts: HostSet,
    },
    /// After `every` packets the count goes back.
    CountsBack {
        /// At least 1.
        every: u64,
        /// By so many.
        by: u64,
    },
    /// For one packet in `every` the clock is behind, and the round with it.
    RoundsRunBack {
        /// At least 1.
        every: u64,
        /// By so many microseconds.
        by_us: u64,
    },
    /// All its registers are 0 at first, and it goes on with the rules it has: the same term.
    Forgets,
    /// It is two: what these hosts send is numbered by a second count, which begins like the
    /// first.
    TwoRoots {
        /// Whose packets the second one gets.
        hosts: HostSet,
    },
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Repeats { every } => {
                write!(f, "one packet in {every} has the number of the one before")
            }
            Self::TwoFaced { every, hosts } => write!(
                f,
                "one packet in {every} has the number of the one before, which {hosts} get instead"
            ),
            Self::CountsBack { every, by } => {
                write!(f, "after {every} packets the count goes back by {by}")
            }
            Self::RoundsRunBack { every, by_us } => {
                write!(f, "one packet in {every} is of a round {by_us} µs ago")
            }
            Self::Forgets => write!(f, "all registers are 0, the term stays"),
            Self::TwoRoots { hosts } => write!(f, "packets of {hosts} have a count of their own"),
        }
    }
}
