//! An endpoint that leaves Ethernet, ARP, IPv4 and UDP to the kernel.
//!
//! For hosts that are real or in a network namespace. Group addresses are only sent to: the
//! fabric turns a group packet's destination into each member's own address, so no group is ever
//! joined.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockaddrIn;
use rustix::net::SocketAddrAny;
use socket2::SockRef;
use wire::{HostAddress, Tick};

use super::frame::TIME_TO_LIVE;
use super::{Endpoint, Mtu};
use crate::batch::{Incoming, Outgoing};
use crate::tunnel::bind_udp;
use crate::{DropReason, LinkCounters, LinkError};

/// What a [`SocketEndpoint`] can be told beyond its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketSettings {
    /// The longest IPv4 packet it sends.
    pub mtu: Mtu,
    /// Binds the socket to this interface; needs root or CAP_NET_RAW. `None`: routes decide.
    pub interface: Option<String>,
    /// Sends to groups by the interface with this address. `None`: the socket's own address, or
    /// the kernel's choice if that is 0.0.0.0.
    pub multicast_from: Option<[u8; 4]>,
}

/// A kernel UDP socket as an endpoint.
pub struct SocketEndpoint {
    socket: UdpSocket,
    address: HostAddress,
    mtu: Mtu,
    outgoing: Outgoing,
    incoming: Incoming,
    counters: LinkCounters,
    /// What went wrong in a `send` that had to empty a full batch; told by the next `flush`.
    failure: Option<LinkError>,
}

impl SocketEndpoint {
    /// Binds `address`; port 0 lets the kernel choose, and [`address`](Endpoint::address) tells.
    pub fn bind(address: HostAddress, settings: &SocketSettings) -> Result<Self, LinkError> {
        let socket = bind_udp(SocketAddr::from((address.ip, address.port)))?;
        set_up(&socket, address, settings)?;
        let port = socket
            .local_addr()
            .map_err(|source| LinkError::io("read a socket's own address", source))?
            .port();
        Ok(Self {
            socket,
            address: HostAddress {
                ip: address.ip,
                port,
            },
            mtu: settings.mtu,
            outgoing: Outgoing::new(settings.mtu.payload_limit()),
            incoming: Incoming::new(),
            counters: LinkCounters::default(),
            failure: None,
        })
    }
}

impl Endpoint for SocketEndpoint {
    fn address(&self) -> HostAddress {
        self.address
    }

    fn payload_limit(&self) -> usize {
        self.mtu.payload_limit()
    }

    fn send(&mut self, to: HostAddress, payload: &[u8]) {
        if payload.len() > self.mtu.payload_limit() {
            self.counters.drops.count(DropReason::Oversize);
            return;
        }
        if self.outgoing.is_full() {
            let result = self
                .outgoing
                .send_all(self.socket.as_fd(), &mut self.counters);
            self.failure = self.failure.take().or(result.err());
        }
        let to = SocketAddrV4::new(Ipv4Addr::from(to.ip), to.port);
        self.outgoing.push(Some(SocketAddrAny::from(to)), payload);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let result = self
            .outgoing
            .send_all(self.socket.as_fd(), &mut self.counters);
        self.failure.take().map_or(result, Err)
    }

    fn receive(
        &mut self,
        limit: usize,
        each: &mut dyn FnMut(HostAddress, &[u8]),
    ) -> Result<usize, LinkError> {
        let mut delivered = 0;
        let Self {
            socket,
            incoming,
            counters,
            ..
        } = self;
        incoming.receive::<SockaddrIn>(socket.as_fd(), limit, &mut |source, payload| {
            let Some(source) = source.map(SocketAddrV4::from) else {
                counters.drops.count(DropReason::ForeignSource);
                return;
            };
            if payload.len() > Mtu::MAXIMUM.into() {
                counters.drops.count(DropReason::Oversize);
                return;
            }
            counters.received.count(payload.len());
            delivered += 1;
            each(
                HostAddress {
                    ip: source.ip().octets(),
                    port: source.port(),
                },
                payload,
            );
        })?;
        Ok(delivered)
    }

    fn prepare_to_wait(&mut self) -> bool {
        // The kernel's readiness is a level, not an event: there is nothing to arm.
        false
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn advance(&mut self, _now: Tick) -> Option<Tick> {
        None
    }

    fn counters(&self) -> LinkCounters {
        self.counters
    }
}

fn set_up(
    socket: &UdpSocket,
    address: HostAddress,
    settings: &SocketSettings,
) -> Result<(), LinkError> {
    let options = SockRef::from(socket);
    options
        .set_multicast_ttl_v4(TIME_TO_LIVE.into())
        .map_err(|source| LinkError::io("set a socket's multicast TTL", source))?;
    // The root sends every member its own stamped copy; a looped one would come unstamped.
    options
        .set_multicast_loop_v4(false)
        .map_err(|source| LinkError::io("turn a socket's multicast loop off", source))?;
    if let Some(name) = &settings.interface {
        options
            .bind_device(Some(name.as_bytes()))
            .map_err(|source| LinkError::Interface {
                name: name.clone(),
                source,
            })?;
    }
    let from = Ipv4Addr::from(settings.multicast_from.unwrap_or(address.ip));
    if !from.is_unspecified() {
        options
            .set_multicast_if_v4(&from)
            .map_err(|source| LinkError::io("choose a socket's multicast interface", source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
