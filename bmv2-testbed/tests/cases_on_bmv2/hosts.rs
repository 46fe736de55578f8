//! The far ends of the switch's ports, where frames go in and come out.
//!
//! They have no addresses, so that the kernel neither answers what arrives nor sends anything of
//! its own: all that the switch sees is what a case sends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use bmv2_testbed::netns::{HostSpec, Lab, inside};
use link::Link;
use link::packet::PacketLink;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How many frames are taken from a port before the next one is looked at.
const BATCH: usize = 32;

/// What came out, by port and in order.
pub(crate) type Arrived = BTreeMap<u16, Vec<Vec<u8>>>;

/// One host behind each port.
pub(crate) fn specs(ports: &BTreeSet<u16>) -> Vec<HostSpec> {
    let spec = |&port: &u16| {
        let [high, low] = port.to_be_bytes();
        HostSpec {
            name: format!("h{port}"),
            ip: [198, 19, high, low],
            prefix_length: 16,
            mac: [2, 0, 0, 99, high, low],
            switch_port: port,
        }
    };
    ports.iter().map(spec).collect()
}

/// The hosts' interfaces, by the port of the switch that they are plugged into.
pub(crate) struct Hosts {
    links: BTreeMap<u16, PacketLink>,
}

impl Hosts {
    /// Takes the addresses off all hosts and opens their interfaces.
    pub(crate) fn open(lab: &Lab) -> Self {
        let hosts = lab.hosts().iter().enumerate();
        let links = hosts.map(|(number, host)| {
            let (namespace, interface) = (lab.host_namespace(number), lab.host_interface(number));
            let mut flush = lab.command_in(namespace, Path::new("ip")).unwrap();
            let flushed = flush.args(["address", "flush", "dev", interface]).output();
            let flushed = flushed.unwrap();
            assert!(flushed.status.success(), "{flush:?}: {flushed:?}");
            let opened = inside(namespace, || PacketLink::open(interface));
            (host.switch_port, opened.unwrap().unwrap())
        });
        Self {
            links: links.collect(),
        }
    }

    /// All ports.
    pub(crate) fn ports(&self) -> BTreeSet<u16> {
        self.links.keys().copied().collect()
    }

    /// Sends frames into a port of the switch, in this order.
    pub(crate) fn send(&mut self, port: u16, frames: &[&[u8]]) -> Result<(), String> {
        let link = self.links.get_mut(&port);
        let link = link.ok_or_else(|| format!("no host is plugged into port {port}"))?;
        for frame in frames {
            link.send(frame);
        }
        link.flush().map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Hands over what arrives until `each` says that it was the last or the time is over, which
    /// gives false.
    pub(crate) fn receive(
        &mut self,
        patience: Duration,
        mut each: impl FnMut(u16, &[u8]) -> bool,
    ) -> Result<bool, String> {
        let deadline = Instant::now() + patience;
        let mut done = false;
        while !done {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left = Timespec::try_from(left).map_err(|error| error.to_string())?;
            let sockets = self.links.values().filter_map(Link::readiness);
            let mut polled: Vec<PollFd<'_>> = sockets
                .map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN))
                .collect();
            poll(&mut polled, Some(&left)).map_err(|error| error.to_string())?;
            for (port, link) in &mut self.links {
                link.receive(BATCH, &mut |frame| done |= each(*port, frame))
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(true)
    }
}
