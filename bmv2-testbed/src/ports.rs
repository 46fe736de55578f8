//! Free loopback ports for the roles of a deployment.
//!
//! They are taken from below the range from which the kernel serves connections that ask for none.
//! A role that listens there can be restarted at any time: (1) a switch is killed, (2) its
//! controller tries to connect to the port again and again, (3) the kernel gives one of these tries
//! that very port to connect *from*, so it connects to itself, (4) the restarted switch finds its
//! port taken. Outside of the range, (3) cannot happen.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// The first port and how many there are; Linux's own range begins at 32,768.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Hands out ports that nobody listens on, each once.
pub(crate) struct FreePorts {
    next: u16,
    left: u16,
}

impl FreePorts {
    /// Begins somewhere that depends on `unique`, so that deployments which come up at the same
    /// time look in different places.
    pub(crate) fn new(unique: u64) -> Self {
        let start = u16::try_from(unique % u64::from(COUNT)).expect("smaller than the count");
        Self {
            next: start,
            left: COUNT,
        }
    }

    /// A port that a TCP listener can have.
    pub(crate) fn tcp(&mut self) -> io::Result<SocketAddr> {
        self.find(|address| TcpListener::bind(address).map(drop))
    }

    /// A port that a UDP socket can have.
    pub(crate) fn udp(&mut self) -> io::Result<SocketAddr> {
        self.find(|address| UdpSocket::bind(address).map(drop))
    }

    fn find(&mut self, bind: impl Fn(SocketAddr) -> io::Result<()>) -> io::Result<SocketAddr> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        while self.left > 0 {
            self.left -= 1;
            self.next = (self.next + 1) % COUNT;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + self.next));
            match bind(address) {
                Ok(()) => return Ok(address),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_are_free_and_not_the_kernels() {
        let mut ports = FreePorts::new(11_990);
        let mut seen: Vec<u16> = (0..40).map(|_| ports.tcp().unwrap().port()).collect();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!seen.contains(&taken.local_addr().unwrap().port()));
        assert!(
            seen.iter()
                .all(|port| (FIRST..FIRST + COUNT).contains(port))
        );
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 40);
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let address = FreePorts::new(77).tcp().unwrap();
        let _taken = TcpListener::bind(address).unwrap();
        assert_ne!(FreePorts::new(77).tcp().unwrap(), address);
    }
}
