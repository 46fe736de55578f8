//! An endpoint that speaks Ethernet, ARP, IPv4 and UDP itself, over any link.

use std::os::fd::BorrowedFd;

use wire::{HostAddress, Tick};

use super::arp::{ARP_FRAME, Arp, Operation};
use super::frame::{self, Addresses, ETHERTYPE_ARP, FRAME_HEADER};
use super::neighbours::{FixedNeighbours, Lookup, NeighbourCache, Neighbours};
use super::{Endpoint, MacAddress, Mtu};
use crate::run::earliest;
use crate::{DropReason, Link, LinkCounters, LinkError};

/// What a [`FrameEndpoint`] needs to know of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSettings {
    /// IPv4 address and UDP port of this host.
    pub address: HostAddress,
    /// Its Ethernet address.
    pub mac: MacAddress,
    /// The longest IPv4 packet it sends.
    pub mtu: Mtu,
    /// How it finds others.
    pub neighbours: Neighbours,
}

/// A host on a link.
///
/// Takes datagrams to its own Ethernet address (or broadcast), IPv4 address and port; everything
/// else is dropped and counted. Answers ARP requests for its address. Counters: payloads in
/// `received` and `sent` (one held for an unknown neighbour counts once it leaves); drops are its
/// own and those of the link below, whose frames are in `link().counters()`.
pub struct FrameEndpoint<L> {
    link: L,
    address: HostAddress,
    mac: MacAddress,
    mtu: Mtu,
    resolver: Resolver,
    /// The frame being built.
    frame: Vec<u8>,
    /// ARP answers that wait until the link is free again; at most [`ANSWER_LIMIT`].
    answers: Vec<[u8; ARP_FRAME]>,
    now: Tick,
    counters: LinkCounters,
}

/// Most ARP requests answered in one `receive`; who asks again is answered then.
const ANSWER_LIMIT: usize = 32;

enum Resolver {
    Arp(NeighbourCache),
    /// Ordered by address.
    Fixed(FixedNeighbours),
}

impl<L: Link> FrameEndpoint<L> {
    /// Puts a host on `link`. The address must be a unicast one, with a port other than 0.
    pub fn new(link: L, settings: FrameSettings) -> Result<Self, LinkError> {
        let FrameSettings {
            address,
            mac,
            mtu,
            neighbours,
        } = settings;
        if !is_unicast(address.ip) || address.port == 0 {
            return Err(LinkError::Setting {
                what: "the address of a host",
                value: address.to_string(),
                valid: "unicast IPv4 addresses with a port from 1 to 65535",
            });
        }
        if mac.0[0] & 1 != 0 || mac == MacAddress::default() {
            return Err(LinkError::Setting {
                what: "the Ethernet address of a host",
                value: mac.to_string(),
                valid: "unicast addresses such as 02:00:00:00:00:01",
            });
        }
        let resolver = match neighbours {
            Neighbours::Arp => Resolver::Arp(NeighbourCache::default()),
            Neighbours::Fixed(mut fixed) => {
                fixed.table.sort_by_key(|&(ip, _)| ip);
                Resolver::Fixed(fixed)
            }
        };
        Ok(Self {
            link,
            address,
            mac,
            mtu,
            resolver,
            frame: Vec::with_capacity(FRAME_HEADER + mtu.payload_limit()),
            answers: Vec::with_capacity(ANSWER_LIMIT),
            now: Tick::default(),
            counters: LinkCounters::default(),
        })
    }

    /// The link below.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// The link below, to change its settings.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    fn resolve(&mut self, ip: [u8; 4]) -> Lookup {
        if ip == [255; 4] {
            return Lookup::Known(MacAddress::BROADCAST);
        }
        if is_multicast(ip) {
            return Lookup::Known(MacAddress::of_group(ip));
        }
        if ip == self.address.ip {
            return Lookup::Known(self.mac);
        }
        match &mut self.resolver {
            Resolver::Arp(cache) => cache.lookup(ip, self.now),
            Resolver::Fixed(fixed) => {
                let found = fixed.table.binary_search_by_key(&ip, |&(ip, _)| ip);
                let found = found
                    .ok()
                    .map(|index| fixed.table[index].1)
                    .or(fixed.otherwise);
                found.map_or(Lookup::Full, Lookup::Known)
            }
        }
    }

    fn try_send(&mut self, to: HostAddress, payload: &[u8]) -> Result<(), DropReason> {
        if payload.len() > self.mtu.payload_limit() {
            return Err(DropReason::Oversize);
        }
        let destination = self.resolve(to.ip);
        let mut addresses = Addresses {
            source_mac: self.mac,
            destination_mac: MacAddress::default(),
            source: self.address,
            destination: to,
        };
        match destination {
            Lookup::Known(mac) => {
                addresses.destination_mac = mac;
                frame::build(&mut self.frame, &addresses, payload)?;
                self.counters.sent.count(payload.len());
                self.link.send(&self.frame);
                Ok(())
            }
            Lookup::Asking => {
                frame::build(&mut self.frame, &addresses, payload)?;
                let held = match &mut self.resolver {
                    Resolver::Arp(cache) => cache.hold(to.ip, &self.frame),
                    Resolver::Fixed(_) => false,
                };
                if held {
                    Ok(())
                } else {
                    Err(DropReason::Unresolved)
                }
            }
            Lookup::Full => Err(DropReason::Unresolved),
        }
    }

    /// Sends the ARP requests that are due.
    fn ask(&mut self) {
        let Resolver::Arp(cache) = &mut self.resolver else {
            return;
        };
        let (link, mac, address) = (&mut self.link, self.mac, self.address);
        let dropped = cache.ask(self.now, &mut |target_ip| {
            let request = Arp {
                operation: Operation::Request,
                sender_mac: mac,
                sender_ip: address.ip,
                target_mac: MacAddress::default(),
                target_ip,
            };
            link.send(&request.frame(MacAddress::BROADCAST));
        });
        self.counters.drops.add(DropReason::Unresolved, dropped);
    }

    /// Sends what a `receive` led to: answers to others, and frames that others' answers freed.
    fn answer(&mut self) -> Result<(), LinkError> {
        let mut sent = !self.answers.is_empty();
        for answer in self.answers.drain(..) {
            self.link.send(&answer);
        }
        if let Resolver::Arp(cache) = &mut self.resolver {
            let (link, counters) = (&mut self.link, &mut self.counters);
            cache.release(&mut |mac, frame| {
                frame[..6].copy_from_slice(&mac.0);
                counters.sent.count(frame.len() - FRAME_HEADER);
                link.send(frame);
                sent = true;
            });
        }
        if sent { self.link.flush() } else { Ok(()) }
    }
}

impl<L: Link> Endpoint for FrameEndpoint<L> {
    fn address(&self) -> HostAddress {
        self.address
    }

    fn payload_limit(&self) -> usize {
        self.mtu.payload_limit()
    }

    fn send(&mut self, to: HostAddress, payload: &[u8]) {
        if let Err(reason) = self.try_send(to, payload) {
            self.counters.drops.count(reason);
        }
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        self.ask();
        self.link.flush()
    }

    fn receive(
        &mut self,
        limit: usize,
        each: &mut dyn FnMut(HostAddress, &[u8]),
    ) -> Result<usize, LinkError> {
        let Self {
            link,
            address,
            mac,
            resolver,
            answers,
            now,
            counters,
            ..
        } = self;
        let host = Host {
            address: *address,
            mac: *mac,
        };
        let mut delivered = 0;
        let mut resolved = false;
        link.receive(limit, &mut |bytes| {
            let verdict = host.sort(bytes).map(|sorted| match sorted {
                Sorted::Datagram(source, payload) => {
                    counters.received.count(payload.len());
                    delivered += 1;
                    each(source, payload);
                }
                Sorted::Arp(arp) => {
                    let for_us = arp.target_ip == host.address.ip;
                    if let Resolver::Arp(cache) = resolver {
                        cache.learn(arp.sender_ip, arp.sender_mac, for_us, *now);
                        resolved = true;
                    }
                    let asks = for_us && arp.operation == Operation::Request;
                    if asks && answers.len() < ANSWER_LIMIT {
                        answers.push(host.answer_to(&arp));
                    }
                }
            });
            if let Err(reason) = verdict {
                counters.drops.count(reason);
            }
        })?;
        if resolved || !self.answers.is_empty() {
            self.answer()?;
        }
        Ok(delivered)
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.link.prepare_to_wait()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.link.readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        self.now = now;
        let link = self.link.advance(now);
        let Resolver::Arp(cache) = &self.resolver else {
            return link;
        };
        let mut deadline = cache.deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.ask();
            // A link that cannot send says so again at the caller's next flush.
            let _ = self.link.flush();
            let Resolver::Arp(cache) = &self.resolver else {
                return link;
            };
            deadline = cache.deadline();
        }
        earliest(link, deadline)
    }

    fn counters(&self) -> LinkCounters {
        let mut counters = self.counters;
        counters.drops += self.link.counters().drops;
        counters
    }
}

/// Who a received frame has to be for.
#[derive(Clone, Copy)]
struct Host {
    address: HostAddress,
    mac: MacAddress,
}

enum Sorted<'a> {
    Datagram(HostAddress, &'a [u8]),
    Arp(Arp),
}

impl Host {
    fn sort<'a>(&self, bytes: &'a [u8]) -> Result<Sorted<'a>, DropReason> {
        let to = frame::destination_mac(bytes).ok_or(DropReason::Undersize)?;
        if to != self.mac && to != MacAddress::BROADCAST {
            return Err(DropReason::WrongMac);
        }
        if frame::ethertype(bytes) == Some(ETHERTYPE_ARP) {
            let arp = Arp::parse(bytes)
                .filter(is_credible)
                .ok_or(DropReason::NotIpv4)?;
            return Ok(Sorted::Arp(arp));
        }
        let datagram = frame::parse(bytes)?;
        let Addresses {
            source,
            destination,
            ..
        } = datagram.addresses;
        if destination.ip != self.address.ip {
            return Err(DropReason::WrongAddress);
        }
        if destination.port != self.address.port {
            return Err(DropReason::WrongPort);
        }
        Ok(Sorted::Datagram(source, datagram.payload))
    }

    fn answer_to(&self, request: &Arp) -> [u8; ARP_FRAME] {
        let reply = Arp {
            operation: Operation::Reply,
            sender_mac: self.mac,
            sender_ip: self.address.ip,
            target_mac: request.sender_mac,
            target_ip: request.sender_ip,
        };
        reply.frame(request.sender_mac)
    }
}

/// Whether the sender of an ARP packet can be a host: nobody has a group's Ethernet address or a
/// multicast IPv4 address, and remembering one would turn unicast into floods.
fn is_credible(arp: &Arp) -> bool {
    arp.sender_mac.0[0] & 1 == 0 && arp.sender_mac != MacAddress::default()
}

fn is_multicast(ip: [u8; 4]) -> bool {
    ip[0] & 0xf0 == 0xe0
}

fn is_unicast(ip: [u8; 4]) -> bool {
    !is_multicast(ip) && ip != [255; 4] && ip != [0; 4]
}

#[cfg(test)]
mod tests;
