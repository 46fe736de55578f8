//! A tee that tells of each frame in one line of text.
//!
//! For people: `downbeat trace`, tests that fail, first steps. It formats every frame, so it is
//! not for measuring. The payload is printed in the words of the papers by `wire`.

use std::fmt::Write;
use std::os::fd::BorrowedFd;

use wire::Tick;
use wire::pretty::Payload;

use crate::endpoint::arp::{Arp, Operation};
use crate::endpoint::frame;
use crate::faults::Direction;
use crate::{Link, LinkCounters, LinkError};

/// A link whose frames are told to `tell`, one line each, without a line end.
pub struct Tracer<L, F> {
    link: L,
    name: String,
    tell: F,
    now: Tick,
    line: String,
}

impl<L: Link, F: FnMut(&str) + Send> Tracer<L, F> {
    /// Tells of everything that crosses `link` from now on. `name` opens each line after the
    /// time, which is in seconds and is that of the last `advance`.
    pub fn new(link: L, name: impl Into<String>, tell: F) -> Self {
        Self {
            link,
            name: name.into(),
            tell,
            now: Tick::default(),
            line: String::new(),
        }
    }

    /// The link below.
    pub fn link(&self) -> &L {
        &self.link
    }
}

/// Writes the line about one frame.
fn describe(line: &mut String, name: &str, now: Tick, direction: Direction, frame: &[u8]) {
    let arrow = match direction {
        Direction::Outgoing => "->",
        Direction::Incoming => "<-",
    };
    let (seconds, us) = (now.0 / 1_000_000_000, now.0 / 1_000 % 1_000_000);
    line.clear();
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{seconds}.{us:06} {name} {arrow} {} bytes ",
        frame.len()
    );
    let _ = match (frame::parse(frame), Arp::parse(frame)) {
        (Ok(datagram), _) => {
            let (from, to) = (datagram.addresses.source, datagram.addresses.destination);
            write!(line, "{from} > {to} {}", Payload(datagram.payload))
        }
        (
            Err(_),
            Some(Arp {
                operation: Operation::Request,
                target_ip,
                sender_ip,
                ..
            }),
        ) => {
            let [target, sender] = [target_ip, sender_ip].map(std::net::Ipv4Addr::from);
            write!(line, "ARP who has {target}? tell {sender}")
        }
        (
            Err(_),
            Some(Arp {
                operation: Operation::Reply,
                sender_ip,
                sender_mac,
                ..
            }),
        ) => {
            write!(
                line,
                "ARP {} is at {sender_mac}",
                std::net::Ipv4Addr::from(sender_ip)
            )
        }
        (Err(reason), None) => write!(line, "not a datagram: {}", reason.name()),
    };
}

impl<L: Link, F: FnMut(&str) + Send> Link for Tracer<L, F> {
    fn send(&mut self, frame: &[u8]) {
        describe(
            &mut self.line,
            &self.name,
            self.now,
            Direction::Outgoing,
            frame,
        );
        (self.tell)(&self.line);
        self.link.send(frame);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        self.link.flush()
    }

    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError> {
        let Self {
            link,
            name,
            tell,
            now,
            line,
        } = self;
        link.receive(limit, &mut |frame| {
            describe(line, name, *now, Direction::Incoming, frame);
            tell(line);
            each(frame);
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.link.prepare_to_wait()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.link.readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        self.now = now;
        self.link.advance(now)
    }

    fn counters(&self) -> LinkCounters {
        self.link.counters()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use wire::HostAddress;

    use super::*;
    use crate::endpoint::{FrameSettings, Neighbours};
    use crate::{Endpoint, FrameEndpoint, MacAddress, Mtu, ring};

    #[test]
    fn each_frame_is_one_line() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let (a, mut b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let tracer = Tracer::new(a, "host 1", move |line: &str| {
            sink.lock().unwrap().push(line.to_owned());
        });
        let settings = FrameSettings {
            address: HostAddress {
                ip: [10, 0, 0, 1],
                port: 9_770,
            },
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            mtu: Mtu::default(),
            neighbours: Neighbours::Arp,
        };
        let mut host = FrameEndpoint::new(tracer, settings).unwrap();
        host.advance(Tick(12_000_345_678));
        host.send(
            HostAddress {
                ip: [239, 77, 0, 1],
                port: 9_770,
            },
            b"no stamp",
        );
        host.send(
            HostAddress {
                ip: [10, 0, 0, 2],
                port: 9_770,
            },
            b"",
        );
        host.flush().unwrap();
        let answer = Arp {
            operation: Operation::Reply,
            sender_mac: MacAddress([2, 0, 0, 0, 0, 2]),
            sender_ip: [10, 0, 0, 2],
            target_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            target_ip: [10, 0, 0, 1],
        };
        b.send(&answer.frame(answer.target_mac));
        b.send(&[0; 60]);
        host.receive(10, &mut |_, _| {}).unwrap();
        let lines = lines.lock().unwrap();
        let group = "12.000345 host 1 -> 50 bytes 10.0.0.1:9770 > 239.77.0.1:9770 not a stamp: ";
        assert!(lines[0].starts_with(group), "{lines:?}");
        assert_eq!(
            lines[1],
            "12.000345 host 1 -> 42 bytes ARP who has 10.0.0.2? tell 10.0.0.1"
        );
        assert_eq!(
            lines[2],
            "12.000345 host 1 <- 42 bytes ARP 10.0.0.2 is at 02:00:00:00:00:02"
        );
        assert_eq!(
            lines[3],
            "12.000345 host 1 <- 60 bytes not a datagram: not-ipv4"
        );
        assert!(lines[4].starts_with("12.000345 host 1 -> 42 bytes 10.0.0.1:9770 > 10.0.0.2:9770"));
        assert_eq!(lines.len(), 5);
    }
}
