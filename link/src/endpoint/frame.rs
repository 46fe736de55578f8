//! Ethernet, IPv4 and UDP in front of a payload: build and take apart, on the hot path.
//!
//! Follows RFC 791 and RFC 768. Frames we build have no options, no fragments ("don't fragment"
//! is set, so the identification may be 0, RFC 6864 section 4.1) and both checksums. Frames we
//! take may have options and a UDP checksum of 0, as a root switch leaves it.

use wire::HostAddress;

use super::checksum::Sum;
use super::{IPV4_UDP_HEADER, MacAddress};
use crate::DropReason;

/// Bytes of an Ethernet header.
pub const ETHERNET_HEADER: usize = 14;

/// Bytes in front of the payload of a frame we build.
pub const FRAME_HEADER: usize = ETHERNET_HEADER + IPV4_UDP_HEADER;

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Hops a datagram may take.
pub const TIME_TO_LIVE: u8 = 64;

const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const PROTOCOL_UDP: u8 = 17;
const DONT_FRAGMENT: [u8; 2] = [0x40, 0x00];

/// Addresses of one datagram on both layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Ethernet source.
    pub source_mac: MacAddress,
    /// Ethernet destination.
    pub destination_mac: MacAddress,
    /// IPv4 and UDP source.
    pub source: HostAddress,
    /// IPv4 and UDP destination.
    pub destination: HostAddress,
}

/// A datagram found in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where from and where to.
    pub addresses: Addresses,
    /// Hops left.
    pub time_to_live: u8,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// Replaces the content of `frame` by `payload` with all headers in front; allocates only if
/// `frame` is too small. A payload that IPv4's 16-bit length cannot express is
/// [`DropReason::Oversize`] and leaves `frame` empty.
pub fn build(frame: &mut Vec<u8>, addresses: &Addresses, payload: &[u8]) -> Result<(), DropReason> {
    frame.clear();
    let ip_length =
        u16::try_from(IPV4_UDP_HEADER + payload.len()).map_err(|_| DropReason::Oversize)?;
    let udp_length = ip_length - 20;
    let Addresses {
        source_mac,
        destination_mac,
        source,
        destination,
    } = addresses;

    let mut ip = [0_u8; IPV4_HEADER];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&ip_length.to_be_bytes());
    ip[6..8].copy_from_slice(&DONT_FRAGMENT);
    ip[8] = TIME_TO_LIVE;
    ip[9] = PROTOCOL_UDP;
    ip[12..16].copy_from_slice(&source.ip);
    ip[16..20].copy_from_slice(&destination.ip);
    let checksum = Sum::default().add(&ip).checksum();
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut udp = [0_u8; UDP_HEADER];
    udp[0..2].copy_from_slice(&source.port.to_be_bytes());
    udp[2..4].copy_from_slice(&destination.port.to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let checksum = udp_sum(source.ip, destination.ip, udp, payload).checksum();
    // 0 means "not computed"; the same sum is also expressed by all ones (RFC 768).
    let checksum = if checksum == 0 { 0xffff } else { checksum };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());

    frame.extend_from_slice(&destination_mac.0);
    frame.extend_from_slice(&source_mac.0);
    frame.extend_from_slice(&ETHERTYPE_IPV4.to_be_bytes());
    frame.extend_from_slice(&ip);
    frame.extend_from_slice(&udp);
    frame.extend_from_slice(payload);
    Ok(())
}

/// The EtherType of a frame, `None` if it is too short to have one.
pub fn ethertype(frame: &[u8]) -> Option<u16> {
    let (header, _) = frame.split_first_chunk::<ETHERNET_HEADER>()?;
    Some(u16::from_be_bytes([header[12], header[13]]))
}

/// The Ethernet destination of a frame, `None` if it is too short to have one.
pub fn destination_mac(frame: &[u8]) -> Option<MacAddress> {
    frame.first_chunk().copied().map(MacAddress)
}

/// Takes a frame apart and verifies lengths and checksums; whom it is for is up to the caller.
/// Bytes after the IPv4 packet are Ethernet's padding and ignored.
pub fn parse(frame: &[u8]) -> Result<Datagram<'_>, DropReason> {
    let (ethernet, packet) = frame
        .split_first_chunk::<ETHERNET_HEADER>()
        .ok_or(DropReason::Undersize)?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *ethernet;
    match u16::from_be_bytes([t0, t1]) {
        ETHERTYPE_IPV4 => {}
        ETHERTYPE_IPV6 => return Err(DropReason::Ipv6),
        _ => return Err(DropReason::NotIpv4),
    }
    let ip = parse_ipv4(packet)?;
    if ip.protocol != PROTOCOL_UDP {
        return Err(DropReason::NotUdp);
    }
    let (udp, payload) = ip
        .payload
        .split_first_chunk::<UDP_HEADER>()
        .ok_or(DropReason::BadUdpLength)?;
    let [sp0, sp1, dp0, dp1, l0, l1, c0, c1] = *udp;
    if usize::from(u16::from_be_bytes([l0, l1])) != ip.payload.len() {
        return Err(DropReason::BadUdpLength);
    }
    let checked = [c0, c1] != [0, 0];
    if checked && udp_sum(ip.source, ip.destination, *udp, payload).fold() != 0xffff {
        return Err(DropReason::BadUdpChecksum);
    }
    let source = HostAddress {
        ip: ip.source,
        port: u16::from_be_bytes([sp0, sp1]),
    };
    let destination = HostAddress {
        ip: ip.destination,
        port: u16::from_be_bytes([dp0, dp1]),
    };
    Ok(Datagram {
        addresses: Addresses {
            source_mac: MacAddress([s0, s1, s2, s3, s4, s5]),
            destination_mac: MacAddress([d0, d1, d2, d3, d4, d5]),
            source,
            destination,
        },
        time_to_live: ip.time_to_live,
        payload,
    })
}

struct Ipv4<'a> {
    source: [u8; 4],
    destination: [u8; 4],
    protocol: u8,
    time_to_live: u8,
    payload: &'a [u8],
}

fn parse_ipv4(packet: &[u8]) -> Result<Ipv4<'_>, DropReason> {
    let fixed = packet
        .first_chunk::<IPV4_HEADER>()
        .ok_or(DropReason::BadIpv4Header)?;
    let header_length = usize::from(fixed[0] & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if fixed[0] >> 4 != 4 || header_length < IPV4_HEADER || total_length < header_length {
        return Err(DropReason::BadIpv4Header);
    }
    let packet = packet
        .get(..total_length)
        .ok_or(DropReason::BadIpv4Header)?;
    let (header, payload) = packet.split_at(header_length);
    if Sum::default().add(header).fold() != 0xffff {
        return Err(DropReason::BadIpv4Checksum);
    }
    // "More fragments" or an offset other than 0.
    if u16::from_be_bytes([fixed[6], fixed[7]]) & 0x3fff != 0 {
        return Err(DropReason::Fragment);
    }
    Ok(Ipv4 {
        source: [fixed[12], fixed[13], fixed[14], fixed[15]],
        destination: [fixed[16], fixed[17], fixed[18], fixed[19]],
        protocol: fixed[9],
        time_to_live: fixed[8],
        payload,
    })
}

/// The sum over pseudo header, UDP header and payload.
fn udp_sum(source: [u8; 4], destination: [u8; 4], udp: [u8; UDP_HEADER], payload: &[u8]) -> Sum {
    Sum::default()
        .add(&source)
        .add(&destination)
        .add_word(u16::from(PROTOCOL_UDP))
        // The length counts twice: in the pseudo header and in the header.
        .add(&udp[4..6])
        .add(&udp)
        .add(payload)
}

#[cfg(test)]
mod tests;
