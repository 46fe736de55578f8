//! Frames on a network interface of this host (Linux, AF_PACKET). Needs root or CAP_NET_RAW.
//!
//! `pnet_datalink` finds the interface, binds the socket to it and makes it promiscuous. It does
//! so on a socket that we made and keep: pnet hides the descriptor, receives one frame for two
//! system calls, and does not tell a frame that came in from one that this host sent, which the
//! kernel shows to every packet socket of the interface. So frames are received and sent in
//! batches by `batch`, whose source addresses carry that mark, and pnet's own ends are dropped.
//!
//! Known of Linux: a VLAN tag is taken off before we see the frame; a frame that an offload made
//! longer than [`FRAME_LIMIT`] is dropped as oversize, and one whose checksum
//! was left to the hardware arrives with a wrong one (turn offloads off with `ethtool -K`).

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

use nix::sys::socket::LinkAddr;
use pnet_datalink::{Channel, Config, NetworkInterface};
use rustix::io::dup;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use socket2::SockRef;
use wire::Tick;

use crate::batch::{Incoming, Outgoing};
use crate::link::check_frame_length;
use crate::tunnel::SOCKET_BUFFER;
use crate::{FRAME_LIMIT, Link, LinkCounters, LinkError, MacAddress};

/// The kernel's mark of a frame that this host sent (PACKET_OUTGOING in linux/if_packet.h).
const PACKET_OUTGOING: u8 = 4;

/// A network interface as a link.
pub struct PacketLink {
    socket: OwnedFd,
    interface: NetworkInterface,
    outgoing: Outgoing,
    incoming: Incoming,
    counters: LinkCounters,
    /// What went wrong in a `send` that had to empty a full batch; told by the next `flush`.
    failure: Option<LinkError>,
}

impl PacketLink {
    /// Opens the interface `name` of this thread's network namespace, promiscuously.
    pub fn open(name: &str) -> Result<Self, LinkError> {
        let interface = pnet_datalink::interfaces()
            .into_iter()
            .find(|interface| interface.name == name)
            .ok_or_else(|| LinkError::NoInterface {
                name: name.to_owned(),
            })?;
        let failed = |source| LinkError::Interface {
            name: name.to_owned(),
            source,
        };
        // Without a protocol the socket takes no frames until it is bound, so none of another
        // interface can slip in.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)
            .map_err(|errno| failed(errno.into()))?;
        let options = SockRef::from(&socket);
        // Smaller buffers than asked for lose frames earlier; they are no reason not to start.
        let _ = options.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = options.set_send_buffer_size(SOCKET_BUFFER);
        // pnet closes the descriptor it is given, also when it fails.
        let given = dup(&socket)
            .map_err(|errno| failed(errno.into()))?
            .into_raw_fd();
        let config = Config {
            socket_fd: Some(given),
            promiscuous: true,
            ..Config::default()
        };
        match pnet_datalink::channel(&interface, config).map_err(failed)? {
            Channel::Ethernet(..) => {}
            _ => return Err(failed(std::io::Error::other("not an Ethernet interface"))),
        }
        Ok(Self {
            socket,
            interface,
            outgoing: Outgoing::new(FRAME_LIMIT),
            incoming: Incoming::new(),
            counters: LinkCounters::default(),
            failure: None,
        })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.interface.name
    }

    /// The interface's own Ethernet address, if it has one.
    pub fn mac(&self) -> Option<MacAddress> {
        self.interface.mac.map(|mac| MacAddress(mac.octets()))
    }
}

impl Link for PacketLink {
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
        // The socket is bound to the interface and the frame says to whom it goes.
        self.outgoing.push(None, frame);
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
            incoming,
            counters,
            ..
        } = self;
        let mut delivered = 0;
        incoming.receive::<LinkAddr>(socket.as_fd(), limit, &mut |source, frame| {
            if source.is_some_and(|source| source.pkttype() == PACKET_OUTGOING) {
                return;
            }
            match check_frame_length(frame) {
                Ok(()) => {
                    counters.received.count(frame.len());
                    delivered += 1;
                    each(frame);
                }
                Err(reason) => counters.drops.count(reason),
            }
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

#[cfg(test)]
mod tests;
