//! The stamp header: what the sender says of a packet, and what the root says of its order.
//!
//! The same 44 bytes as `stamp_h` in `p4/shared/headers.p4`.

use crate::{
    AgreedTime, EpochNumber, GroupId, Members, ReplicaId, RoundNumber, SequenceNumber, WireError,
};
use zerocopy::byteorder::network_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of the stamp header in bytes.
pub const STAMP_LEN: usize = 44;

/// Magic and version, the header's first two bytes.
pub(crate) const MAGIC_VERSION: u16 = 0xDB01;

/// The member byte of a sender that is not a member.
const NOT_A_MEMBER: u8 = 255;

/// The stamp header in place. Judges nothing: every byte pattern is a view.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StampView {
    /// Magic and version, written by the sender.
    pub magic_version: U16,
    /// Kind of the packet, written by the sender.
    pub kind: u8,
    /// Index of the sender in the group, 255 if it is not a member.
    pub member: u8,
    /// Group id; must agree with the destination address.
    pub group: U32,
    /// The root's term for the group; 0 if unstamped.
    pub epoch: U32,
    /// 1, 2, 3 … per group and epoch.
    pub sequence: U64,
    /// Agreed time in units of the round length.
    pub round: U64,
    /// The newest non-empty round that is over.
    pub closed_round: U64,
    /// Bit i: member i was heard in the closed round.
    pub closed_members: U32,
    /// Round length = 2^round_shift µs.
    pub round_shift: u8,
    /// 0.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<StampView>() == STAMP_LEN, "stamp_h is 44 bytes");

impl StampView {
    /// The header at the front of `payload`, in place, and what follows it.
    pub fn prefix(payload: &[u8]) -> Result<(&Self, &[u8]), WireError> {
        Self::ref_from_prefix(payload).map_err(|_| WireError::Truncated {
            what: "stamp header",
            needed: STAMP_LEN,
            left: payload.len(),
        })
    }
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A client's request to a group.
    Request = 1,
    /// A member's packet of a synchronous round.
    RoundPacket = 2,
    /// Anything else that the protocols say to each other or to clients.
    Protocol = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Result<Self, WireError> {
        match byte {
            1 => Ok(Self::Request),
            2 => Ok(Self::RoundPacket),
            3 => Ok(Self::Protocol),
            other => Err(WireError::UnknownValue {
                what: "kind",
                value: other.into(),
            }),
        }
    }
}

/// Who sent a packet, as far as the group is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// A member, by its index.
    Member(ReplicaId),
    /// Somebody else: a client.
    Outsider,
}

/// What a stamp header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StampHeader {
    /// What the packet is for.
    pub kind: Kind,
    /// Who sent it.
    pub sender: Sender,
    /// The group it belongs to.
    pub group: GroupId,
    /// The root's term; 0 if the packet was not stamped.
    pub epoch: EpochNumber,
    /// The packet's number within the epoch.
    pub sequence: SequenceNumber,
    /// The round it was stamped in.
    pub round: RoundNumber,
    /// The newest non-empty round that is over.
    pub closed_round: RoundNumber,
    /// Who was heard in it.
    pub closed_members: Members,
    /// Round length = 2^round_shift µs; below 64.
    pub round_shift: u8,
}

impl StampHeader {
    /// A header as a sender writes it: everything that the root fills in is 0.
    pub fn unstamped(kind: Kind, sender: Sender, group: GroupId) -> Self {
        Self {
            kind,
            sender,
            group,
            epoch: EpochNumber::ZERO,
            sequence: SequenceNumber::ZERO,
            round: RoundNumber::ZERO,
            closed_round: RoundNumber::ZERO,
            closed_members: Members(0),
            round_shift: 0,
        }
    }

    /// Whether a root has stamped the packet.
    pub fn is_stamped(&self) -> bool {
        self.epoch != EpochNumber::ZERO
    }

    /// The stamped time in microseconds, saturating; `None` if the packet was not stamped.
    pub fn time(&self) -> Option<AgreedTime> {
        let shift = u32::from(self.round_shift);
        let fits = self.round.0 == 0 || self.round.0.leading_zeros() >= shift;
        let micros = if fits {
            self.round.0.checked_shl(shift).unwrap_or(0)
        } else {
            u64::MAX
        };
        self.is_stamped().then_some(AgreedTime(micros))
    }

    /// Reads the header off the front of a UDP payload; also returns the message behind it.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (view, message) = StampView::prefix(payload)?;
        let found = view.magic_version.get();
        if found != MAGIC_VERSION {
            return Err(WireError::ForeignStamp { found });
        }
        if view.round_shift >= 64 {
            let value = view.round_shift.into();
            return Err(WireError::UnknownValue {
                what: "round shift",
                value,
            });
        }
        let header = Self {
            kind: Kind::from_byte(view.kind)?,
            sender: match view.member {
                NOT_A_MEMBER => Sender::Outsider,
                index => Sender::Member(ReplicaId(index)),
            },
            group: GroupId(view.group.get()),
            epoch: EpochNumber(view.epoch.get()),
            sequence: SequenceNumber(view.sequence.get()),
            round: RoundNumber(view.round.get()),
            closed_round: RoundNumber(view.closed_round.get()),
            closed_members: Members(view.closed_members.get()),
            round_shift: view.round_shift,
        };
        Ok((header, message))
    }

    /// The header as bytes.
    pub fn to_bytes(&self) -> [u8; STAMP_LEN] {
        let view = StampView {
            magic_version: U16::new(MAGIC_VERSION),
            kind: self.kind as u8,
            member: match self.sender {
                Sender::Member(ReplicaId(index)) => index,
                Sender::Outsider => NOT_A_MEMBER,
            },
            group: U32::new(self.group.0),
            epoch: U32::new(self.epoch.0),
            sequence: U64::new(self.sequence.0),
            round: U64::new(self.round.0),
            closed_round: U64::new(self.closed_round.0),
            closed_members: U32::new(self.closed_members.0),
            round_shift: self.round_shift,
            reserved: [0; 3],
        };
        zerocopy::transmute!(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_stamp() -> impl Strategy<Value = StampHeader> {
        let kind = prop_oneof![
            Just(Kind::Request),
            Just(Kind::RoundPacket),
            Just(Kind::Protocol)
        ];
        let numbers = (
            any::<u32>(),
            any::<u32>(),
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
        );
        (kind, any::<u8>(), numbers, any::<u32>(), 0_u8..64).prop_map(
            |(kind, member, (group, epoch, sequence, round, closed), heard, round_shift)| {
                StampHeader {
                    kind,
                    sender: match member {
                        255 => Sender::Outsider,
                        index => Sender::Member(ReplicaId(index)),
                    },
                    group: GroupId(group),
                    epoch: EpochNumber(epoch),
                    sequence: SequenceNumber(sequence),
                    round: RoundNumber(round),
                    closed_round: RoundNumber(closed),
                    closed_members: Members(heard),
                    round_shift,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_back(stamp in any_stamp(), body in any::<[u8; 5]>()) {
            let mut payload = [0xa5; STAMP_LEN + 5];
            payload[..STAMP_LEN].copy_from_slice(&stamp.to_bytes());
            payload[STAMP_LEN..].copy_from_slice(&body);
            prop_assert_eq!(StampHeader::parse(&payload), Ok((stamp, body.as_slice())));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((stamp, _)) = StampHeader::parse(&bytes) {
                let emitted = stamp.to_bytes();
                prop_assert_eq!(&emitted[..41], &bytes[..41]);
                let _ = stamp.time();
            }
        }
    }

    #[test]
    fn the_golden_stamp_has_its_bytes() {
        let stamp = StampHeader {
            kind: Kind::Request,
            sender: Sender::Outsider,
            group: GroupId(1),
            epoch: EpochNumber(7),
            sequence: SequenceNumber(0x0102),
            round: RoundNumber(0x0304),
            closed_round: RoundNumber(0x0303),
            closed_members: Members(0b101),
            round_shift: 8,
        };
        let golden = include_str!("../tests/golden/stamp.hex");
        let digits = golden
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(str::chars);
        let digits: alloc::vec::Vec<_> = digits.filter_map(|digit| digit.to_digit(16)).collect();
        let bytes: alloc::vec::Vec<_> = digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
            .collect();
        assert_eq!(stamp.to_bytes().as_slice(), bytes);
        assert_eq!(stamp.time(), Some(AgreedTime(0x0304 << 8)));
    }

    #[test]
    fn foreign_versions_and_short_headers_say_what_is_wrong() {
        let mut bytes =
            StampHeader::unstamped(Kind::Request, Sender::Outsider, GroupId(1)).to_bytes();
        bytes[1] = 2;
        let error = StampHeader::parse(&bytes).expect_err("version 2 is not ours");
        assert_eq!(
            alloc::format!("{error}"),
            "magic and version are 0xdb02, expected 0xdb01"
        );
        let error = StampHeader::parse(&bytes[..10]).expect_err("too short");
        assert_eq!(
            alloc::format!("{error}"),
            "stamp header needs 44 bytes, 10 are left"
        );
    }
}
