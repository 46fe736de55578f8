//! Sized names for every number that crosses the wire or a crate boundary.
//!
//! Bare integers of one width are easy to swap; these are not. Nothing here has behaviour
//! beyond order, successor and text.

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            /// The smallest value.
            pub const ZERO: Self = Self(0);

            /// The number after this one. Panics at the end of the range: a wrapped counter
            /// would silently name something old.
            #[must_use]
            pub const fn next(self) -> Self {
                match self.0.checked_add(1) {
                    Some(value) => Self(value),
                    None => panic!(concat!(stringify!($name), " is exhausted")),
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number!(
    /// A position in the replicated log; the first request has slot 1, slot 0 is "before the log".
    SlotNumber,
    u64
);
number!(
    /// A view: one leader and one agreement on the log's past.
    ViewNumber,
    u64
);
number!(
    /// The root's term for a group, set by the controller; 0 means "not stamped".
    EpochNumber,
    u32
);
number!(
    /// Agreed time in units of the round length.
    RoundNumber,
    u64
);
number!(
    /// The root's count of a group's packets within an epoch: 1, 2, 3 … without holes.
    SequenceNumber,
    u64
);
number!(
    /// A place in the order that the root gives to a group's packets, counted over all terms;
    /// 0 is "before the first".
    Position,
    u64
);
number!(
    /// One of the decisions that servers of Mencius take turns to propose for, counted from 1; 0 is
    /// "before the first".
    InstanceNumber,
    u64
);
number!(
    /// Index of a replica in its group, from 0.
    ReplicaId,
    u8
);
number!(
    /// One logical client: it has at most one request outstanding.
    ClientId,
    u64
);
number!(
    /// A client's own count of its requests, from 1.
    RequestNumber,
    u64
);
number!(
    /// A replica group.
    GroupId,
    u32
);
number!(
    /// Agreed time in microseconds: `round << round_shift`, made monotone by the log.
    AgreedTime,
    u64
);

impl ClientId {
    /// The group itself: its requests change who is in it. No client has this number.
    pub const GROUP: Self = Self(0);
}

/// An epoch of synchronous rounds: a configuration of voters that agree on the past.
///
/// The term is the root's, raised by the controller; the attempt is raised by members that must
/// settle among themselves under the same root. Votes count only for the epoch that they name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundsEpoch {
    /// The root's term.
    pub term: EpochNumber,
    /// Counts the agreements within the term, from 0.
    pub attempt: u32,
}

impl RoundsEpoch {
    /// The first epoch of a term.
    pub const fn of_term(term: EpochNumber) -> Self {
        Self { term, attempt: 0 }
    }

    /// The next epoch under the same root. Panics at the end of the range.
    #[must_use]
    pub const fn next_attempt(self) -> Self {
        match self.attempt.checked_add(1) {
            Some(attempt) => Self {
                term: self.term,
                attempt,
            },
            None => panic!("attempts are exhausted"),
        }
    }

    /// The epoch as one number that grows with it: what disks, replies and operators see.
    pub const fn as_view(self) -> ViewNumber {
        ViewNumber((self.term.0 as u64) << 32 | self.attempt as u64)
    }

    /// The epoch that [`as_view`](Self::as_view) made a number of.
    pub const fn from_view(view: ViewNumber) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "each half has 32 bits")]
        Self {
            term: EpochNumber((view.0 >> 32) as u32),
            attempt: view.0 as u32,
        }
    }
}

impl core::fmt::Display for RoundsEpoch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}", self.term, self.attempt)
    }
}

/// A 32-byte hash over the whole log up to a slot: equal hashes mean equal prefixes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SummaryHash(pub [u8; 32]);

impl SummaryHash {
    /// The hash of the empty log.
    pub const EMPTY: Self = Self([0; 32]);
}

impl core::fmt::Debug for SummaryHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl core::fmt::Display for SummaryHash {
    /// The first four bytes: enough to tell logs apart by eye.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A point in a node's own monotonic time, in nanoseconds since an arbitrary start.
///
/// Cores get it as an argument; only drivers and simulators make one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// This tick plus `us` microseconds.
    #[must_use]
    pub const fn plus_us(self, us: u64) -> Self {
        Self(self.0.saturating_add(us.saturating_mul(1_000)))
    }

    /// Nanoseconds from `earlier` to this tick, 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// An IPv4 address and UDP port: where a host listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAddress {
    /// IPv4 address, most significant byte first.
    pub ip: [u8; 4],
    /// UDP port.
    pub port: u16,
}

impl core::fmt::Display for HostAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}", core::net::Ipv4Addr::from(self.ip), self.port)
    }
}
