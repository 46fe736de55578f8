//! Ambushes that wait for what members say when an epoch ends and another begins. How they go on
//! is in `world::snares`. All of them are for synchronous rounds: no other protocol says such
//! things, and then nothing springs.

use std::fmt;

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snare {
    /// A packet with requests reaches f+1 members, and what they say of it only its sender. Who
    /// first told a lock restarts with its disk, and whoever else has the packet reports to
    /// nobody.
    LostLock,
    /// The root reboots. The epoch that follows lacks a report, and a part of the group goes on
    /// to another epoch; one of those who promise that restarts without its disk, and from then on
    /// it hears only those that still wait for the first.
    LostPromise,
    /// The first epoch of changed members is heard of only by those that come in, and by as few
    /// others as are a majority with them. The rest are a majority of the old members.
    Newcomers,
}

impl fmt::Display for Snare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LostLock => {
                "who tells a lock to its sender alone restarts with its disk, and who else knows \
                 of it reports to nobody"
            }
            Self::LostPromise => {
                "the root reboots, and who promises the second epoch restarts without its disk \
                 among those who wait for the first"
            }
            Self::Newcomers => {
                "who begins an epoch of other members reaches those that come in and few others"
            }
        })
    }
}
