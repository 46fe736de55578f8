//! Every header and message of downbeat, defined once: how it looks as bytes, how it is parsed
//! and emitted, how it is printed.
//!
//! Two views of the stamp: [`StampView`] is the bytes in place, [`StampHeader`] a value that can
//! only hold what makes sense. Messages borrow their payloads from the buffer they came in.
//!
//! Invariants: no I/O, no clock, no allocation while parsing; every parser returns an error for
//! malformed input and never panics. `docs/wire-format.md` has the byte tables.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod bytes;
mod ids;
mod members;
pub mod message;
pub mod pretty;
mod stamp;

pub use bytes::WireError;
pub use ids::{
    AgreedTime, ClientId, EpochNumber, GroupId, HostAddress, InstanceNumber, Position, ReplicaId,
    RequestNumber, RoundNumber, RoundsEpoch, SequenceNumber, SlotNumber, SummaryHash, Tick,
    ViewNumber,
};
pub use members::Members;
pub use message::Message;
pub use stamp::{Kind, STAMP_LEN, Sender, StampHeader, StampView};

/// The UDP destination port under which a switch looks for a stamp.
pub const STAMP_PORT: u16 = 9770;

/// First two octets of every group address: 239.77.x.y.
pub const GROUP_PREFIX: [u8; 2] = [239, 77];

/// Bytes of stamp and message together that fit a packet unless configured otherwise.
pub const DEFAULT_PAYLOAD_LIMIT: usize = 1_400;

/// The largest payload limit that can be configured (jumbo frames).
pub const MAX_PAYLOAD_LIMIT: usize = 8_900;

/// The address that stands for a group: 239.77.(g >> 8).(g & 255), or `None` when the group's
/// number does not fit the two octets.
pub fn group_address(group: GroupId) -> Option<HostAddress> {
    let [high, low] = u16::try_from(group.0).ok()?.to_be_bytes();
    let [a, b] = GROUP_PREFIX;
    Some(HostAddress {
        ip: [a, b, high, low],
        port: STAMP_PORT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_addresses_spell_the_group_in_two_octets() {
        let address = group_address(GroupId(0x1234)).expect("fits");
        assert_eq!(address.ip, [239, 77, 0x12, 0x34]);
        assert_eq!(group_address(GroupId(0x1_0000)), None);
    }
}
