//! Free loopback ports for the roles of a deployment.
//!
//! They are taken from below the range from which the kernel serves connections that ask for none.
//! A role that listens there can be restarted at any time: (1) a switch is killed, (2) its
//! controller tries to connect to the port again and again, (3) the kernel gives one of these tries
//! that very port to connect *from*, so it connects to itself, (4) the restarted switch finds its
//! port taken. Outside of the range, (3) cannot happen.
//!
//! That a port is free when a deployment is planned does not tell that it will be when its role
//! binds it, or binds it again after a restart: another deployment may be planned in between. So
//! each deployment has its roles talk at a loopback address of its own. The front doors are where
//! people look for them, at 127.0.0.1; their ports are reserved by the process that plans, which
//! lives at least until they are bound.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::sync::{Mutex, PoisonError};

/// The first port and how many there are; Linux's own range begins at 32,768.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// What this process has reserved: a name in the kernel for each port, until the process ends.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// Hands out ports that nobody listens on, each once.
pub(crate) struct FreePorts {
    address: Ipv4Addr,
    next: u16,
    left: u16,
}

impl FreePorts {
    /// At 127.0.0.1, for front doors. Begins somewhere that depends on `unique`, so that
    /// deployments which come up at the same time look in different places.
    pub(crate) fn of_doors(unique: u64) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, unique)
    }

    /// At an address that is this deployment's alone: one of 16 million.
    pub(crate) fn of_roles(unique: u64) -> Self {
        let octet = |shift: u32, first: u8| {
            let bits = u8::try_from(unique >> shift & 0xff).expect("eight bits");
            bits.clamp(first, 254)
        };
        Self::at(
            Ipv4Addr::new(127, octet(16, 1), octet(8, 0), octet(0, 1)),
            unique,
        )
    }

    fn at(address: Ipv4Addr, unique: u64) -> Self {
        let start = u16::try_from(unique % u64::from(COUNT)).expect("smaller than the count");
        Self {
            address,
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
            let address = SocketAddr::from((self.address, FIRST + self.next));
            match reserve(address).and_then(|()| bind(address)) {
                Ok(()) => return Ok(address),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// No other process that plans a deployment gets this port until this one ends. A name in the
/// kernel's own space of sockets: gone with the process, however it ends, and as wide as the
/// ports are, one network namespace.
fn reserve(port: SocketAddr) -> io::Result<()> {
    let name = UnixAddress::from_abstract_name(format!("downbeat {port}"))?;
    let listener = UnixListener::bind_addr(&name)?;
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    reserved.push(listener);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_are_free_and_not_the_kernels() {
        let mut ports = FreePorts::of_doors(11_990);
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
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + 78)).unwrap();
        let address = FreePorts::of_doors(77).tcp().unwrap();
        assert_ne!(address, taken.local_addr().unwrap());
    }

    /// It is not bound yet when the next deployment is planned.
    #[test]
    fn a_port_that_was_handed_out_is_handed_out_to_nobody_else() {
        let of = |mut ports: FreePorts| ports.tcp().unwrap();
        assert_ne!(of(FreePorts::of_doors(500)), of(FreePorts::of_doors(500)));
        assert_ne!(of(FreePorts::of_roles(500)), of(FreePorts::of_roles(500)));
    }

    #[test]
    fn each_deployment_has_a_loopback_address_of_its_own() {
        let address = |unique| FreePorts::of_roles(unique).udp().unwrap().ip();
        assert_eq!(address(0x00_0201), Ipv4Addr::new(127, 1, 2, 1));
        assert_eq!(address(0x9_fe_ff_ff), Ipv4Addr::new(127, 254, 254, 254));
        assert!(address(0).is_loopback());
    }
}
