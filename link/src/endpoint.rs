//! A host's view of the fabric: UDP payloads to and from IPv4 addresses.
//!
//! Two ways: [`FrameEndpoint`] builds and takes apart the frames itself over any [`Link`];
//! [`SocketEndpoint`] leaves that to the kernel. A protocol's driver cannot tell them apart.
//!
//! Not here: what the payload means (`wire`), retransmission, ordering.
//!
//! [`Link`]: crate::Link

use std::fmt;
use std::os::fd::BorrowedFd;
use std::str::FromStr;

use wire::{HostAddress, Tick};

use crate::{LinkCounters, LinkError};

pub mod arp;
mod checksum;
pub mod frame;
mod frame_endpoint;
mod neighbours;
mod socket_endpoint;

pub use checksum::internet_checksum;
pub use frame_endpoint::{FrameEndpoint, FrameSettings};
pub use neighbours::{FixedNeighbours, Neighbours};
pub use socket_endpoint::{SocketEndpoint, SocketSettings};

/// Bytes of an IPv4 header without options and a UDP header.
pub const IPV4_UDP_HEADER: usize = 28;

/// A host on the fabric: sends and receives UDP payloads. Calls and cycle are those of
/// [`Link`](crate::Link); its counters count payloads and their bytes.
pub trait Endpoint: Send {
    /// Where this host is reached.
    fn address(&self) -> HostAddress;

    /// Bytes of the longest payload; a longer one is dropped and counted.
    fn payload_limit(&self) -> usize;

    /// Queues one payload to a host or to a group address (239.77.x.y).
    fn send(&mut self, to: HostAddress, payload: &[u8]);

    /// Ends a batch: hands over what is buffered and wakes the other end if it sleeps.
    fn flush(&mut self) -> Result<(), LinkError>;

    /// Calls `each` with source and payload of waiting datagrams, looking at no more than `limit`
    /// of them, and returns for how many; never blocks. Fewer than `limit` does not mean that
    /// nothing waits: what was looked at may have been for somebody else.
    fn receive(
        &mut self,
        limit: usize,
        each: &mut dyn FnMut(HostAddress, &[u8]),
    ) -> Result<usize, LinkError>;

    /// Arms the wake-up. True: something is already here, do not sleep.
    fn prepare_to_wait(&mut self) -> bool;

    /// The descriptor that is readable when datagrams wait, if there is one.
    fn readiness(&self) -> Option<BorrowedFd<'_>>;

    /// Gives the endpoint the time and returns when it next needs it, `None` if never.
    fn advance(&mut self, now: Tick) -> Option<Tick>;

    /// Payloads and their bytes in and out, and everything dropped below them.
    fn counters(&self) -> LinkCounters;
}

impl<E: Endpoint + ?Sized> Endpoint for Box<E> {
    fn address(&self) -> HostAddress {
        (**self).address()
    }

    fn payload_limit(&self) -> usize {
        (**self).payload_limit()
    }

    fn send(&mut self, to: HostAddress, payload: &[u8]) {
        (**self).send(to, payload);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        (**self).flush()
    }

    fn receive(
        &mut self,
        limit: usize,
        each: &mut dyn FnMut(HostAddress, &[u8]),
    ) -> Result<usize, LinkError> {
        (**self).receive(limit, each)
    }

    fn prepare_to_wait(&mut self) -> bool {
        (**self).prepare_to_wait()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        (**self).readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        (**self).advance(now)
    }

    fn counters(&self) -> LinkCounters {
        (**self).counters()
    }
}

/// Bytes of the longest IPv4 packet an endpoint sends, headers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtu(u16);

impl Mtu {
    /// Every IPv4 host takes packets of this size.
    pub const MINIMUM: u16 = 576;
    /// Jumbo frames.
    pub const MAXIMUM: u16 = 9_000;

    /// Checks that `bytes` is from 576 to 9,000.
    pub fn new(bytes: u16) -> Result<Self, LinkError> {
        if (Self::MINIMUM..=Self::MAXIMUM).contains(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(LinkError::Setting {
                what: "the MTU in bytes",
                value: bytes.to_string(),
                valid: "576 to 9000",
            })
        }
    }

    /// Bytes of the longest IPv4 packet.
    pub fn bytes(self) -> u16 {
        self.0
    }

    /// Bytes of the longest UDP payload: the MTU without an IPv4 and a UDP header.
    pub fn payload_limit(self) -> usize {
        usize::from(self.0) - IPV4_UDP_HEADER
    }
}

impl Default for Mtu {
    /// 1,500 bytes, Ethernet's own: payloads of up to 1,472 bytes.
    fn default() -> Self {
        Self(1_500)
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Everybody on the wire.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The Ethernet address of an IPv4 multicast group: 01:00:5e and the low 23 bits
    /// (RFC 1112, section 6.4).
    pub fn of_group(ip: [u8; 4]) -> Self {
        let [_, b, c, d] = ip;
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddress {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let error = || LinkError::Setting {
            what: "an Ethernet address",
            value: format!("{text:?}"),
            valid: "six hexadecimal bytes such as 02:00:00:00:00:01",
        };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| matches!(part.len(), 1 | 2))
                .ok_or_else(error)?;
            // `from_str_radix` takes a sign, an address has none.
            if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(error());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| error())?;
        }
        if parts.next().is_some() {
            Err(error())
        } else {
            Ok(Self(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mtu_leaves_room_for_the_headers() {
        assert_eq!(Mtu::default().payload_limit(), 1_472);
        assert_eq!(Mtu::new(9_000).unwrap().payload_limit(), 8_972);
        let error = Mtu::new(9_001).unwrap_err().to_string();
        assert_eq!(error, "the MTU in bytes is 9001, valid are 576 to 9000");
        assert!(Mtu::new(575).is_err());
    }

    #[test]
    fn ethernet_addresses_print_and_parse() {
        let address: MacAddress = "02:00:0a:0b:0c:ff".parse().unwrap();
        assert_eq!(address, MacAddress([2, 0, 10, 11, 12, 255]));
        assert_eq!(address.to_string(), "02:00:0a:0b:0c:ff");
        for wrong in [
            "",
            "02:00",
            "02:00:00:00:00:00:00",
            "0200:0:0:0:0:0",
            "+1:0:0:0:0:0",
            "::",
        ] {
            assert!(wrong.parse::<MacAddress>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn group_addresses_map_to_ethernet() {
        assert_eq!(
            MacAddress::of_group([239, 77, 1, 2]).to_string(),
            "01:00:5e:4d:01:02"
        );
        assert_eq!(
            MacAddress::of_group([239, 205, 1, 2]).to_string(),
            "01:00:5e:4d:01:02"
        );
    }
}
