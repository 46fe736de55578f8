//! A wire between processes: each Ethernet frame is one UDP datagram. Needs no privileges.
//!
//! A port of a switch or a host is one socket with one peer, named at construction. There is no
//! handshake and no header of its own, so the tunnel is a wire in the strict sense: nobody knows
//! whether the other end exists. A datagram from any other address is dropped and counted.
//!
//! The socket is not connected in the kernel's sense: a connected socket would drop foreign
//! datagrams uncounted, and would report the peer's absence as errors of later calls.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{SockaddrIn, SockaddrIn6};
use rustix::net::SocketAddrAny;
use socket2::{Domain, Protocol, Socket, Type};
use wire::Tick;

use crate::batch::{Incoming, Outgoing};
use crate::link::check_frame_length;
use crate::{DropReason, FRAME_LIMIT, Link, LinkCounters, LinkError};

/// Bytes asked for as the kernel's send and receive buffers; it grants at most its own
/// `net.core.{r,w}mem_max`.
pub const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// A bound socket that does not know its peer yet: for ends that tell each other their ports.
#[derive(Debug)]
pub struct BoundTunnel {
    socket: UdpSocket,
    local: SocketAddr,
}

impl BoundTunnel {
    /// Binds `local`; port 0 lets the kernel choose.
    pub fn bind(local: SocketAddr) -> Result<Self, LinkError> {
        let socket = bind_udp(local)?;
        let local = socket
            .local_addr()
            .map_err(|source| LinkError::io("read a socket's own address", source))?;
        Ok(Self { socket, local })
    }

    /// The address the peer has to send to.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Makes it a wire to `remote`, which must be of the same address family.
    pub fn to_peer(self, remote: SocketAddr) -> Result<TunnelLink, LinkError> {
        if remote.port() == 0 || remote.is_ipv4() != self.local.is_ipv4() {
            return Err(LinkError::Setting {
                what: "the remote address of a tunnel",
                value: remote.to_string(),
                valid: "addresses of the local address' family, with a port other than 0",
            });
        }
        Ok(TunnelLink {
            socket: self.socket,
            local: self.local,
            remote,
            to: SocketAddrAny::from(remote),
            outgoing: Outgoing::new(FRAME_LIMIT),
            incoming: Incoming::new(),
            counters: LinkCounters::default(),
            failure: None,
        })
    }
}

/// One end of a wire over UDP.
pub struct TunnelLink {
    socket: UdpSocket,
    local: SocketAddr,
    remote: SocketAddr,
    to: SocketAddrAny,
    outgoing: Outgoing,
    incoming: Incoming,
    counters: LinkCounters,
    /// What went wrong in a `send` that had to empty a full batch; told by the next `flush`.
    failure: Option<LinkError>,
}

impl TunnelLink {
    /// A wire from `local`, which is bound here, to `remote`.
    pub fn open(local: SocketAddr, remote: SocketAddr) -> Result<Self, LinkError> {
        BoundTunnel::bind(local)?.to_peer(remote)
    }

    /// Both ends of a wire over this host's IPv4 loopback, on ports the kernel chooses.
    pub fn loopback_pair() -> Result<(Self, Self), LinkError> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = BoundTunnel::bind(any_port)?;
        let second = BoundTunnel::bind(any_port)?;
        let (a, b) = (first.local_address(), second.local_address());
        Ok((first.to_peer(b)?, second.to_peer(a)?))
    }

    /// The address this end is bound to.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// The address of the other end.
    pub fn remote_address(&self) -> SocketAddr {
        self.remote
    }
}

impl Link for TunnelLink {
    fn send(&mut self, frame: &[u8]) {
        if let Err(reason) = check_frame_length(frame) {
            self.counters.drops.count(reason);
            return;
        }
        if self.outgoing.is_full() {
            let result = self
                .outgoing
                .send_all(self.socket.as_fd(), &mut self.counters);
            self.failure = self.failure.take().or(result.err());
        }
        self.outgoing.push(Some(self.to.clone()), frame);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let result = self
            .outgoing
            .send_all(self.socket.as_fd(), &mut self.counters);
        self.failure.take().map_or(result, Err)
    }

    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError> {
        let Self {
            socket,
            remote,
            incoming,
            counters,
            ..
        } = self;
        let mut delivered = 0;
        let mut take = |source: Option<SocketAddr>, frame: &[u8]| {
            let verdict = match source {
                Some(source) if is_peer(source, *remote) => check_frame_length(frame),
                _ => Err(DropReason::ForeignSource),
            };
            match verdict {
                Ok(()) => {
                    counters.received.count(frame.len());
                    delivered += 1;
                    each(frame);
                }
                Err(reason) => counters.drops.count(reason),
            }
        };
        let socket = socket.as_fd();
        if remote.is_ipv4() {
            incoming.receive::<SockaddrIn>(socket, limit, &mut |source, frame| {
                take(
                    source.map(|source| SocketAddrV4::from(source).into()),
                    frame,
                );
            })?;
        } else {
            incoming.receive::<SockaddrIn6>(socket, limit, &mut |source, frame| {
                take(
                    source.map(|source| SocketAddrV6::from(source).into()),
                    frame,
                );
            })?;
        }
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

/// Whether a datagram came from the peer; an IPv6 flow label or scope does not matter.
fn is_peer(source: SocketAddr, peer: SocketAddr) -> bool {
    source.ip() == peer.ip() && source.port() == peer.port()
}

/// A non-blocking UDP socket with large buffers, bound to `local`.
pub(crate) fn bind_udp(local: SocketAddr) -> Result<UdpSocket, LinkError> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))
        .map_err(|source| LinkError::io("create a UDP socket", source))?;
    socket
        .set_nonblocking(true)
        .map_err(|source| LinkError::io("make a socket non-blocking", source))?;
    // Smaller buffers than asked for lose frames earlier, as a smaller switch would; they are
    // no reason not to start.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket
        .bind(&local.into())
        .map_err(|source| LinkError::Bind {
            address: local,
            source,
        })?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
