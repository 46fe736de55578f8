//! Address resolution for IPv4 over Ethernet (RFC 826): the packet, not the cache.

use super::MacAddress;
use super::frame::{ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4};

/// Bytes of an ARP frame, without Ethernet's padding.
pub const ARP_FRAME: usize = ETHERNET_HEADER + 28;

const HARDWARE_ETHERNET: u16 = 1;
const OPERATION_REQUEST: u16 = 1;
const OPERATION_REPLY: u16 = 2;

/// What an ARP packet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks who has the target address.
    Request,
    /// Tells that the sender has its address.
    Reply,
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Question or answer.
    pub operation: Operation,
    /// Ethernet address of the sender.
    pub sender_mac: MacAddress,
    /// IPv4 address of the sender.
    pub sender_ip: [u8; 4],
    /// Ethernet address of the target; zeros in a request.
    pub target_mac: MacAddress,
    /// IPv4 address of the target.
    pub target_ip: [u8; 4],
}

impl Arp {
    /// The whole frame, to `destination`.
    pub fn frame(&self, destination: MacAddress) -> [u8; ARP_FRAME] {
        let operation = match self.operation {
            Operation::Request => OPERATION_REQUEST,
            Operation::Reply => OPERATION_REPLY,
        };
        let mut frame = [0; ARP_FRAME];
        frame[0..6].copy_from_slice(&destination.0);
        frame[6..12].copy_from_slice(&self.sender_mac.0);
        frame[12..14].copy_from_slice(&ETHERTYPE_ARP.to_be_bytes());
        frame[14..16].copy_from_slice(&HARDWARE_ETHERNET.to_be_bytes());
        frame[16..18].copy_from_slice(&ETHERTYPE_IPV4.to_be_bytes());
        // Lengths of an Ethernet and an IPv4 address.
        frame[18] = 6;
        frame[19] = 4;
        frame[20..22].copy_from_slice(&operation.to_be_bytes());
        frame[22..28].copy_from_slice(&self.sender_mac.0);
        frame[28..32].copy_from_slice(&self.sender_ip);
        frame[32..38].copy_from_slice(&self.target_mac.0);
        frame[38..42].copy_from_slice(&self.target_ip);
        frame
    }

    /// Reads a frame; `None` if it is not ARP for IPv4 over Ethernet.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let frame = frame.first_chunk::<ARP_FRAME>()?;
        let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let is_ours = word(12) == ETHERTYPE_ARP
            && word(14) == HARDWARE_ETHERNET
            && word(16) == ETHERTYPE_IPV4
            && frame[18..20] == [6, 4];
        if !is_ours {
            return None;
        }
        let operation = match word(20) {
            OPERATION_REQUEST => Operation::Request,
            OPERATION_REPLY => Operation::Reply,
            _ => return None,
        };
        Some(Self {
            operation,
            sender_mac: MacAddress(*frame[22..].first_chunk()?),
            sender_ip: *frame[28..].first_chunk()?,
            target_mac: MacAddress(*frame[32..].first_chunk()?),
            target_ip: *frame[38..].first_chunk()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{ArpOperation, NetSlice, SlicedPacket};
    use proptest::prelude::*;

    use super::*;

    fn arps() -> impl Strategy<Value = Arp> {
        any::<(bool, [u8; 6], [u8; 4], [u8; 6], [u8; 4])>().prop_map(|(request, a, b, c, d)| Arp {
            operation: if request {
                Operation::Request
            } else {
                Operation::Reply
            },
            sender_mac: MacAddress(a),
            sender_ip: b,
            target_mac: MacAddress(c),
            target_ip: d,
        })
    }

    proptest! {
        #[test]
        fn parse_is_the_inverse_of_frame(arp in arps()) {
            prop_assert_eq!(Arp::parse(&arp.frame(MacAddress::BROADCAST)), Some(arp));
        }

        #[test]
        fn etherparse_agrees(arp in arps()) {
            let frame = arp.frame(MacAddress::BROADCAST);
            let packet = SlicedPacket::from_ethernet(&frame).unwrap();
            let Some(NetSlice::Arp(slice)) = packet.net else { panic!("not ARP: {packet:?}") };
            let request = arp.operation == Operation::Request;
            let operation = if request { ArpOperation::REQUEST } else { ArpOperation::REPLY };
            prop_assert_eq!(slice.operation(), operation);
            prop_assert_eq!(slice.sender_hw_addr(), &arp.sender_mac.0);
            prop_assert_eq!(slice.sender_protocol_addr(), &arp.sender_ip);
            prop_assert_eq!(slice.target_hw_addr(), &arp.target_mac.0);
            prop_assert_eq!(slice.target_protocol_addr(), &arp.target_ip);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Arp::parse(&bytes);
        }
    }
}
