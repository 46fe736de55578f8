//! What a link counts: traffic in both directions and every drop with its reason.
//!
//! A wire loses frames; a program must be able to say which, where and why.

use std::fmt;
use std::ops::{AddAssign, Index};

/// Frames (or datagrams) and their bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Number of frames.
    pub frames: u64,
    /// Sum of their lengths in bytes.
    pub bytes: u64,
}

impl Traffic {
    /// Counts one frame of `length` bytes.
    pub fn count(&mut self, length: usize) {
        self.frames += 1;
        self.bytes += length as u64;
    }
}

/// Counters of one link or endpoint since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Handed to the caller of `receive`.
    pub received: Traffic,
    /// Handed to the carrier.
    pub sent: Traffic,
    /// Neither, by reason.
    pub drops: Drops,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a frame was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// Every reason, in the order they are printed.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The reason as a word for counters and logs: lowercase, hyphens, stable.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// The ring, socket buffer or queue had no room.
    QueueFull = "queue-full",
    /// Longer than the carrier or the MTU takes.
    Oversize = "oversize",
    /// Shorter than the header it must have.
    Undersize = "undersize",
    /// A tunnel datagram from another address than the peer's.
    ForeignSource = "foreign-source",
    /// The kernel refused to send it: no route, interface down, or not permitted.
    Refused = "refused",
    /// Loss asked for from the fault middleware.
    FaultLoss = "fault-loss",
    /// The link is down because the fault middleware was told so.
    LinkDown = "link-down",
    /// The fault middleware holds as many frames back as it may.
    FaultOverflow = "fault-overflow",
    /// Not dropped on the wire: passed on, but the capture file could not take it.
    CaptureFailed = "capture-failed",
    /// An Ethernet destination that is neither ours nor broadcast.
    WrongMac = "wrong-mac",
    /// IPv6, which is left for later.
    Ipv6 = "ipv6",
    /// An EtherType other than IPv4, IPv6 and ARP, or a malformed ARP packet.
    NotIpv4 = "not-ipv4",
    /// An IP version, header length or total length that does not fit the frame.
    BadIpv4Header = "bad-ipv4-header",
    /// A wrong IPv4 header checksum.
    BadIpv4Checksum = "bad-ipv4-checksum",
    /// A fragment; nobody here sends any.
    Fragment = "fragment",
    /// An IPv4 destination that is not this host's.
    WrongAddress = "wrong-address",
    /// An IP protocol other than UDP.
    NotUdp = "not-udp",
    /// A UDP length that does not fit the packet.
    BadUdpLength = "bad-udp-length",
    /// A UDP checksum that is neither right nor 0.
    BadUdpChecksum = "bad-udp-checksum",
    /// A UDP destination port that is not ours.
    WrongPort = "wrong-port",
    /// A destination whose Ethernet address nobody told.
    Unresolved = "unresolved",
}

/// Number of reasons.
const REASONS: usize = DropReason::ALL.len();

/// A count for each [`DropReason`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Drops([u64; REASONS]);

impl Drops {
    /// Counts one drop.
    pub fn count(&mut self, reason: DropReason) {
        self.add(reason, 1);
    }

    /// Counts `number` drops of one reason.
    pub fn add(&mut self, reason: DropReason, number: u64) {
        self.0[reason as usize] += number;
    }

    /// Drops for all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason with its count, zeros too, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&reason| (reason, self[reason]))
    }
}

impl Default for Drops {
    fn default() -> Self {
        Self([0; REASONS])
    }
}

impl Index<DropReason> for Drops {
    type Output = u64;

    fn index(&self, reason: DropReason) -> &u64 {
        &self.0[reason as usize]
    }
}

impl AddAssign for Drops {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

impl fmt::Debug for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Drops {
    /// The reasons that occurred, as `queue-full 3, oversize 1`; `none` if none did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (reason, count) in self.iter().filter(|&(_, count)| count > 0) {
            write!(f, "{separator}{} {count}", reason.name())?;
            separator = ", ";
        }
        if separator.is_empty() {
            f.write_str("none")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_counted_by_reason_and_printed() {
        let mut drops = Drops::default();
        assert_eq!(drops.to_string(), "none");
        drops.count(DropReason::Oversize);
        drops.add(DropReason::QueueFull, 3);
        assert_eq!(drops.to_string(), "queue-full 3, oversize 1");
        assert_eq!(drops.total(), 4);
        let mut sum = drops;
        sum += drops;
        assert_eq!(sum[DropReason::QueueFull], 6);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
    }
}
