//! Frames against their inverse, against `etherparse`, and against arbitrary bytes.

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::endpoint::internet_checksum;

fn hosts() -> impl Strategy<Value = HostAddress> {
    any::<([u8; 4], u16)>().prop_map(|(ip, port)| HostAddress { ip, port })
}

fn addresses() -> impl Strategy<Value = Addresses> {
    (any::<[u8; 6]>(), any::<[u8; 6]>(), hosts(), hosts()).prop_map(
        |(a, b, source, destination)| Addresses {
            source_mac: MacAddress(a),
            destination_mac: MacAddress(b),
            source,
            destination,
        },
    )
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

fn built(addresses: &Addresses, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    build(&mut frame, addresses, payload).unwrap();
    frame
}

fn some_frame() -> Vec<u8> {
    let addresses = Addresses {
        source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
        destination_mac: MacAddress([2, 0, 0, 0, 0, 2]),
        source: HostAddress {
            ip: [10, 0, 0, 1],
            port: 9_770,
        },
        destination: HostAddress {
            ip: [10, 0, 0, 2],
            port: 9_770,
        },
    };
    built(&addresses, b"sixteen bytes...")
}

/// The frame with the IPv4 header checksum made right again.
fn with_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame[24..26].fill(0);
    let length = usize::from(frame[14] & 0x0f) * 4;
    let checksum = internet_checksum(&frame[14..14 + length]);
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    frame
}

fn altered(change: impl FnOnce(&mut Vec<u8>)) -> Result<usize, DropReason> {
    let mut frame = some_frame();
    change(&mut frame);
    parse(&with_checksum(frame)).map(|datagram| datagram.payload.len())
}

proptest! {
    #[test]
    fn parse_is_the_inverse_of_build(
        addresses in addresses(),
        payload in payloads(),
        padding in 0_usize..50,
    ) {
        let mut frame = built(&addresses, &payload);
        frame.resize(frame.len() + padding, 0);
        let datagram = parse(&frame);
        let expected = Datagram { addresses, time_to_live: 64, payload: &payload };
        prop_assert_eq!(datagram, Ok(expected));
    }

    /// Byte for byte what another implementation builds.
    #[test]
    fn etherparse_builds_the_same(addresses in addresses(), payload in payloads()) {
        let Addresses { source_mac, destination_mac, source, destination } = addresses;
        let builder = PacketBuilder::ethernet2(source_mac.0, destination_mac.0)
            .ipv4(source.ip, destination.ip, TIME_TO_LIVE)
            .udp(source.port, destination.port);
        let mut theirs = Vec::new();
        builder.write(&mut theirs, &payload).unwrap();
        prop_assert_eq!(built(&addresses, &payload), theirs);
    }

    /// A frame with a few bytes changed: if we take it, `etherparse` reads the same from it.
    #[test]
    fn etherparse_agrees_on_what_is_accepted(
        addresses in addresses(),
        payload in payloads(),
        changes in prop::collection::vec((0_usize..60, any::<u8>()), 0..4),
        repair in any::<bool>(),
    ) {
        let mut frame = built(&addresses, &payload);
        for (at, value) in changes {
            let length = frame.len();
            frame[at % length] = value;
        }
        let wide_enough = 14 + usize::from(frame[14] & 0x0f) * 4 <= frame.len();
        let frame = if repair && wide_enough { with_checksum(frame) } else { frame };
        if let Ok(datagram) = parse(&frame) {
            let packet = SlicedPacket::from_ethernet(&frame).unwrap();
            let Some(TransportSlice::Udp(udp)) = packet.transport else { panic!("{packet:?}") };
            prop_assert_eq!(udp.payload(), datagram.payload);
            prop_assert_eq!(udp.source_port(), datagram.addresses.source.port);
            prop_assert_eq!(udp.destination_port(), datagram.addresses.destination.port);
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = parse(&bytes);
    }

    /// Arbitrary bytes behind the right EtherType and version come further into the parser.
    #[test]
    fn arbitrary_packets_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 20..120)) {
        let mut frame = some_frame();
        frame.truncate(14);
        frame.extend_from_slice(&bytes);
        frame[14] = 0x40 | (frame[14] & 0x0f);
        let _ = parse(&frame);
        frame[23] = 17;
        if 14 + usize::from(frame[14] & 0x0f) * 4 <= frame.len() {
            let _ = parse(&with_checksum(frame));
        }
    }

    /// Any one bit flipped in IPv4 header, UDP header or payload is noticed, except in the UDP
    /// checksum when that makes it 0.
    #[test]
    fn a_flipped_bit_is_noticed(
        addresses in addresses(),
        payload in payloads(),
        bit in any::<prop::sample::Index>(),
    ) {
        let mut frame = built(&addresses, &payload);
        let bit = bit.index((frame.len() - 14) * 8);
        frame[14 + bit / 8] ^= 1 << (bit % 8);
        prop_assume!(frame[40..42] != [0, 0]);
        prop_assert!(parse(&frame).is_err());
    }
}

#[test]
fn each_malformed_frame_has_its_reason() {
    assert_eq!(altered(|_| {}), Ok(16));
    assert_eq!(parse(&some_frame()[..13]), Err(DropReason::Undersize));
    assert_eq!(parse(&some_frame()[..30]), Err(DropReason::BadIpv4Header));
    assert_eq!(
        altered(|frame| frame[12..14].fill(0)),
        Err(DropReason::NotIpv4)
    );
    assert_eq!(
        altered(|frame| frame[12..14].copy_from_slice(&[0x86, 0xdd])),
        Err(DropReason::Ipv6)
    );
    assert_eq!(
        altered(|frame| frame[14] = 0x65),
        Err(DropReason::BadIpv4Header)
    );
    assert_eq!(
        altered(|frame| frame[14] = 0x44),
        Err(DropReason::BadIpv4Header)
    );
    assert_eq!(
        altered(|frame| frame[17] = 45),
        Err(DropReason::BadIpv4Header)
    );
    assert_eq!(altered(|frame| frame[20] = 0x20), Err(DropReason::Fragment));
    assert_eq!(altered(|frame| frame[21] = 1), Err(DropReason::Fragment));
    assert_eq!(altered(|frame| frame[23] = 6), Err(DropReason::NotUdp));
    assert_eq!(
        altered(|frame| frame[39] = 23),
        Err(DropReason::BadUdpLength)
    );
    assert_eq!(
        altered(|frame| frame[17] = 27),
        Err(DropReason::BadUdpLength)
    );
    assert_eq!(
        altered(|frame| frame[41] ^= 1),
        Err(DropReason::BadUdpChecksum)
    );
    assert_eq!(
        altered(|frame| frame[50] ^= 1),
        Err(DropReason::BadUdpChecksum)
    );
    let mut frame = some_frame();
    frame[24] ^= 1;
    assert_eq!(parse(&frame), Err(DropReason::BadIpv4Checksum));
}

#[test]
fn a_udp_checksum_of_zero_is_not_checked() {
    assert_eq!(altered(|frame| frame[40..42].fill(0)), Ok(16));
}

#[test]
fn ipv4_options_are_skipped() {
    let mut frame = some_frame();
    frame[14] = 0x46;
    frame[17] += 4;
    frame.splice(34..34, [1, 1, 1, 1]);
    assert_eq!(
        parse(&with_checksum(frame)).unwrap().payload,
        b"sixteen bytes..."
    );
}

#[test]
fn a_payload_beyond_ipv4_is_refused() {
    let addresses = parse(&some_frame()).unwrap().addresses;
    let mut frame = Vec::new();
    assert_eq!(
        build(&mut frame, &addresses, &vec![0; 65_508]),
        Err(DropReason::Oversize)
    );
    assert!(frame.is_empty());
    build(&mut frame, &addresses, &vec![0; 65_507]).unwrap();
    assert_eq!(parse(&frame).unwrap().payload.len(), 65_507);
}

/// A computed checksum of 0 would say "not computed".
#[test]
fn the_udp_checksum_is_never_written_as_zero() {
    let addresses = parse(&some_frame()).unwrap().addresses;
    let mut all_ones = 0;
    for word in 0..=u16::MAX {
        let frame = built(&addresses, &word.to_be_bytes());
        assert_ne!(frame[40..42], [0, 0]);
        assert!(parse(&frame).is_ok());
        all_ones += u32::from(frame[40..42] == [0xff, 0xff]);
    }
    assert!(all_ones > 0, "the case did not occur");
}
