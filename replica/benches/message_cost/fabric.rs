//! What is between the replicas and the one who plays root and clients: UDP sockets, or wires
//! with frames on them. Its own cost is not measured.

use link::endpoint::frame::{Addresses, build, destination_mac};
use link::endpoint::{FixedNeighbours, FrameSettings, Neighbours, SocketSettings};
use link::{Endpoint, FrameEndpoint, Link, LinkError, MacAddress, Mtu, SocketEndpoint};
use link::{TunnelLink, ring};
use wire::HostAddress;

use super::REPLICAS;

/// Most datagrams looked at in one call.
const BATCH: usize = 64;
/// The client's number among the hosts.
const CLIENT: usize = REPLICAS;

/// Carries requests to replicas, what replicas say to each other, and counts replies.
pub(crate) trait Fabric {
    /// Where each replica listens.
    fn members(&self) -> [HostAddress; REPLICAS];

    /// Where replies go.
    fn client(&self) -> HostAddress;

    /// Queues one member's copy of a request.
    fn inject(&mut self, member: usize, payload: &[u8]);

    /// Hands over what is queued.
    fn flush(&mut self);

    /// Passes on what waits between replicas; how many replies have come since the last call.
    fn carry(&mut self) -> u64;
}

/// A fabric with an endpoint for each replica.
pub(crate) type Built = (Box<dyn Fabric>, Vec<Box<dyn Endpoint>>);

/// Makes a fabric.
pub(crate) type Builder = fn() -> Result<Built, LinkError>;

/// Every fabric by its name.
pub(crate) const FABRICS: [(&str, Builder); 3] =
    [("socket", sockets), ("tunnel", tunnels), ("ring", rings)];

/// Sockets on this host's loopback: the kernel carries everything.
struct Sockets {
    members: [HostAddress; REPLICAS],
    client: SocketEndpoint,
}

fn sockets() -> Result<Built, LinkError> {
    let loopback = HostAddress {
        ip: [127, 0, 0, 1],
        port: 0,
    };
    let bind = || SocketEndpoint::bind(loopback, &SocketSettings::default());
    let mut members = [loopback; REPLICAS];
    let mut endpoints: Vec<Box<dyn Endpoint>> = Vec::new();
    for member in &mut members {
        let endpoint = bind()?;
        *member = endpoint.address();
        endpoints.push(Box::new(endpoint));
    }
    let client = bind()?;
    Ok((Box::new(Sockets { members, client }), endpoints))
}

impl Fabric for Sockets {
    fn members(&self) -> [HostAddress; REPLICAS] {
        self.members
    }

    fn client(&self) -> HostAddress {
        self.client.address()
    }

    fn inject(&mut self, member: usize, payload: &[u8]) {
        self.client.send(self.members[member], payload);
    }

    fn flush(&mut self) {
        self.client.flush().expect("the client's socket sends");
    }

    fn carry(&mut self) -> u64 {
        drain(|each| self.client.receive(BATCH, &mut |_, _| each()))
    }
}

/// Calls `receive` until it finds nothing; how often it called back.
fn drain(mut receive: impl FnMut(&mut dyn FnMut()) -> Result<usize, LinkError>) -> u64 {
    let mut count = 0;
    while receive(&mut || count += 1).expect("the carrier receives") > 0 {}
    count
}

/// A wire to each replica, and the other ends of all.
struct Wires<L> {
    ends: Vec<L>,
    frame: Vec<u8>,
    /// Frames on their way from one replica to another.
    between: Vec<(usize, Vec<u8>)>,
}

fn tunnels() -> Result<Built, LinkError> {
    wires(TunnelLink::loopback_pair)
}

fn rings() -> Result<Built, LinkError> {
    wires(|| ring::pair(ring::DEFAULT_CAPACITY))
}

fn wires<L: Link + 'static>(
    pair: impl Fn() -> Result<(L, L), LinkError>,
) -> Result<Built, LinkError> {
    let mut ends = Vec::new();
    let mut endpoints: Vec<Box<dyn Endpoint>> = Vec::new();
    for member in 0..REPLICAS {
        let (host, end) = pair()?;
        let fixed = FixedNeighbours {
            table: (0..=CLIENT).map(|n| (address(n).ip, mac(n))).collect(),
            otherwise: None,
        };
        let settings = FrameSettings {
            address: address(member),
            mac: mac(member),
            mtu: Mtu::default(),
            neighbours: Neighbours::Fixed(fixed),
        };
        endpoints.push(Box::new(FrameEndpoint::new(host, settings)?));
        ends.push(end);
    }
    let wires = Wires {
        ends,
        frame: Vec::new(),
        between: Vec::new(),
    };
    Ok((Box::new(wires), endpoints))
}

fn address(host: usize) -> HostAddress {
    let last = u8::try_from(host + 1).expect("there are few hosts");
    HostAddress {
        ip: [10, 0, 0, last],
        port: 9_770,
    }
}

fn mac(host: usize) -> MacAddress {
    let last = u8::try_from(host + 1).expect("there are few hosts");
    MacAddress([2, 0, 0, 0, 0, last])
}

impl<L: Link> Fabric for Wires<L> {
    fn members(&self) -> [HostAddress; REPLICAS] {
        std::array::from_fn(address)
    }

    fn client(&self) -> HostAddress {
        address(CLIENT)
    }

    fn inject(&mut self, member: usize, payload: &[u8]) {
        let addresses = Addresses {
            source_mac: mac(CLIENT),
            destination_mac: mac(member),
            source: address(CLIENT),
            destination: address(member),
        };
        build(&mut self.frame, &addresses, payload).expect("a request fits a frame");
        self.ends[member].send(&self.frame);
    }

    fn flush(&mut self) {
        for end in &mut self.ends {
            end.flush().expect("a wire sends");
        }
    }

    fn carry(&mut self) -> u64 {
        let Self { ends, between, .. } = self;
        let mut replies = 0;
        for end in &mut *ends {
            let mut sort = |frame: &[u8]| {
                let to = (0..=CLIENT).find(|host| destination_mac(frame) == Some(mac(*host)));
                match to.expect("frames go to known hosts") {
                    CLIENT => replies += 1,
                    member => between.push((member, frame.to_vec())),
                }
            };
            while end.receive(BATCH, &mut sort).expect("a wire receives") > 0 {}
        }
        for (member, frame) in between.drain(..) {
            ends[member].send(&frame);
        }
        self.flush();
        replies
    }
}
