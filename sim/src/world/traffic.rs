//! Frames from host to switch to host, and messages of the bulk channel.

use super::node::Input;
use super::queue::Event;
use super::root::{GROUP, LEAF, Layout, Plugged, is_to_group, port_of};
use super::{World, look};
use crate::event_log::Who;
use crate::invariants::{Answered, Sight, Stamped};
use crate::oracle::Then;
use crate::schedule::{Between, Noise};
use link::endpoint::frame::{self, Addresses, FRAME_HEADER};
use sequencer::pipeline::PortNumber;
use wire::message::Message;
use wire::pretty::Payload;
use wire::{GROUP_PREFIX, HostAddress, Kind, STAMP_LEN, Sender, StampHeader, Tick, group_address};

/// Where the source address begins in a frame that we build.
const SOURCE_IP: usize = 26;
/// Where the destination address begins.
const DESTINATION_IP: usize = 30;

impl World<'_> {
    pub(super) fn who(&self, host: usize) -> Who {
        if host < self.nodes.len() {
            Who::Replica(host)
        } else {
            Who::Client(host - self.nodes.len())
        }
    }

    /// Whether frames of a host do not reach another one.
    pub(super) fn is_blocked(&self, from: usize, to: usize) -> bool {
        let replicas = self.nodes.len();
        self.walls.iter().any(|wall| {
            let inside = |host: usize| {
                if host < replicas {
                    wall.hosts.has_replica(host)
                } else {
                    wall.hosts.has_client(host - replicas)
                }
            };
            let (here, there) = (inside(from), inside(to));
            let both_are_replicas = from < replicas && to < replicas;
            match wall.between {
                Between::ClientsAndReplicas => here && there && from >= replicas && to < replicas,
                Between::Replicas | Between::Hush if !both_are_replicas => false,
                Between::Hush => !there,
                Between::Everybody | Between::Replicas => here != there && (there || !wall.one_way),
            }
        })
    }

    /// A client sends its request to the group, or to the member whose turn it is.
    pub(super) fn send_request(&mut self, client: usize) {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let header = StampHeader::unstamped(Kind::Request, Sender::Outsider, GROUP);
        payload.extend_from_slice(&header.to_bytes());
        if self.oracle.request(client, &mut payload) {
            let to = match self.oracle.member_to_ask(client) {
                Some(member) => self.layout.hosts[member].address,
                None => group_address(GROUP).expect("a small number"),
            };
            self.send_datagram(self.now, self.nodes.len() + client, to, &payload);
        }
        self.payload = payload;
    }

    /// A host sends a datagram, at once or later.
    pub(super) fn send_datagram(&mut self, at: Tick, host: usize, to: HostAddress, payload: &[u8]) {
        let names = self.layout.hosts[host];
        let destination_mac = if to.ip.starts_with(&GROUP_PREFIX) {
            link::MacAddress::of_group(to.ip)
        } else {
            match self.layout.host_of(to.ip) {
                Some(other) => self.layout.hosts[other].mac,
                None => return self.drop_frame(host, "nobody has the address"),
            }
        };
        let addresses = Addresses {
            source_mac: names.mac,
            destination_mac,
            source: names.address,
            destination: to,
        };
        let mut frame = Vec::with_capacity(FRAME_HEADER + payload.len());
        if frame::build(&mut frame, &addresses, payload).is_err() {
            return self.drop_frame(host, "too long for a datagram");
        }
        self.note_payload(host, "send", payload);
        if at > self.now {
            self.queue.push(at, Event::Leave { host, frame });
        } else {
            self.leave(host, frame);
        }
    }

    pub(super) fn leave(&mut self, host: usize, frame: Vec<u8>) {
        let sent = self.wires.send_up(self.now, host, frame, &mut self.queue);
        if let Err(lost) = sent {
            self.drop_frame(host, lost.word());
        }
    }

    pub(super) fn wire_free(&mut self, wire: usize) {
        if let Err(lost) = self.wires.on_free(self.now, wire, &mut self.queue) {
            let host = wire / 2;
            if host < self.layout.hosts.len() {
                self.drop_frame(host, lost.word());
            } else {
                let why = lost.word();
                self.log
                    .note(self.now, Who::Root, "drop", format_args!("{why}"));
            }
        }
    }

    fn drop_frame(&mut self, host: usize, why: &str) {
        let who = self.who(host);
        self.log.note(self.now, who, "drop", format_args!("{why}"));
    }

    fn note_payload(&mut self, host: usize, event: &str, payload: &[u8]) {
        let who = self.who(host);
        self.log
            .note(self.now, who, event, format_args!("{}", Payload(payload)));
    }

    /// A frame of a host reaches its switch.
    pub(super) fn at_switch(&mut self, host: usize, frame: &[u8]) {
        self.at_port(LEAF, port_of(host), frame);
    }

    /// A frame reaches the end of a wire between switches.
    pub(super) fn at_trunk_end(&mut self, trunk: usize, lower: bool, frame: &[u8]) {
        let (switch, port) = self.layout.end_of(trunk, lower);
        self.at_port(switch, port, frame);
    }

    /// The host that a frame is from.
    fn sender_of(&self, frame: &[u8]) -> Option<usize> {
        let source = frame.get(SOURCE_IP..DESTINATION_IP);
        source.and_then(|ip| self.layout.host_of(ip.try_into().ok()?))
    }

    /// By host: whether it does not get what the frame's sender sends.
    fn blocked_from(&self, source: Option<usize>) -> Vec<bool> {
        let is_blocked = |to: usize| {
            !self.walls.is_empty() && source.is_some_and(|from| self.is_blocked(from, to))
        };
        (0..self.layout.hosts.len()).map(is_blocked).collect()
    }

    /// A frame runs through the program; its copies go to their wires.
    fn at_port(&mut self, switch: usize, port: PortNumber, frame: &[u8]) {
        let replicas = self.nodes.len();
        let source = self.sender_of(frame);
        let blocked = self.blocked_from(source);
        let Self {
            switches,
            layout,
            wires,
            queue,
            log,
            invariants,
            ending,
            now,
            ..
        } = self;
        let now = *now;
        let host = source.unwrap_or(usize::MAX);
        let root = &mut switches[switch];
        if root.process(now, (host, port), frame).is_none() {
            return log.note(
                now,
                Who::Root,
                "drop",
                format_args!("dark, or without a program"),
            );
        }
        let copies = root.copies();
        if copies.is_empty() {
            log.note(now, Who::Root, "drop", format_args!("the program drops it"));
        }
        let is_stamped_here = is_to_group(frame) && !layout.only_passes_on(switch);
        for (index, (port, priority, copy)) in copies.with_priority().enumerate() {
            if is_stamped_here
                && index == 0
                && let Some(payload) = copy.get(FRAME_HEADER..)
                && let Ok((stamp, message)) = StampHeader::parse(payload)
            {
                let text = format_args!("{}", Payload(payload));
                log.note(now, Who::Root, "stamp", text);
                let stamped = Sight::Stamped(stamped(&stamp, message));
                look(invariants, now, &stamped, ending);
            }
            let plugged = layout.plugged(switch, port);
            let receiver = receiver_of(layout, plugged, copy);
            let is_kept = is_stamped_here && receiver.is_some_and(|to| root.withholds_from(to));
            let why = match plugged {
                _ if is_kept => Some("the root keeps it back"),
                Some(Plugged::Host(to)) if blocked[to] => Some("partition"),
                Some(Plugged::Host(to)) => {
                    let sent = wires.send_down(now, to, priority, copy.to_vec(), queue);
                    sent.err().map(super::wires::Lost::word)
                }
                Some(Plugged::Trunk { trunk, lower }) => {
                    let way = (trunk, lower);
                    let sent = wires.send_trunk(now, way, priority, copy.to_vec(), queue);
                    sent.err().map(super::wires::Lost::word)
                }
                None => Some("nothing is plugged in there"),
            };
            if let Some(why) = why {
                let who = match plugged {
                    Some(Plugged::Host(to)) if to < replicas => Who::Replica(to),
                    Some(Plugged::Host(to)) => Who::Client(to - replicas),
                    _ => Who::Root,
                };
                log.note(now, who, "drop", format_args!("{why}"));
            }
        }
    }

    /// A frame reaches a host.
    pub(super) fn at_host(&mut self, host: usize, frame: &[u8]) {
        let datagram = match frame::parse(frame) {
            Ok(datagram) => datagram,
            Err(reason) => return self.drop_frame(host, &format!("{reason:?}")),
        };
        let payload = datagram.payload;
        if host < self.nodes.len() {
            if self.nodes[host].member.is_none() {
                return self.drop_frame(host, "the replica is down");
            }
            return self.deliver(host, Input::Packet(payload.to_vec()));
        }
        self.note_payload(host, "recv", payload);
        let client = host - self.nodes.len();
        let Ok((_, bytes)) = StampHeader::parse(payload) else {
            return;
        };
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        let then = self.oracle.on_message(self.now, client, &message);
        if let (Ok(Then::Answered(_)), Some(told)) = (&then, self.oracle.told(client)) {
            let (id, number, answer) = told;
            let slot = answer.slot;
            let (who, result) = (Who::Client(client), String::from_utf8_lossy(&answer.result));
            let detail = format_args!("#{number} slot {slot} {result:?}");
            self.log.note(self.now, who, "answer", detail);
            let answered = Sight::Answered(Answered {
                client: id,
                number,
                slot,
                hash: answer.hash,
                result: &answer.result,
            });
            look(&mut self.invariants, self.now, &answered, &mut self.ending);
        }
        self.after_client(client, then);
    }

    /// A replica hands a message to the bulk channel.
    pub(super) fn send_bulk(&mut self, at: Tick, from: usize, to: usize, message: Vec<u8>) {
        self.note_message(from, "bulk", &message);
        if to >= self.nodes.len() {
            return;
        }
        if self.bulk_is_blocked(from, to) || self.bulk.holds(from, to) {
            self.bulk.hold(from, to, message);
        } else {
            let noisy = !self.in_force.is_empty() && self.shakes_bulk();
            self.bulk
                .send(at, (from, to), message, noisy, &mut self.queue);
        }
    }

    /// Whether faults that are in force are felt on the bulk channel.
    fn shakes_bulk(&self) -> bool {
        self.settings.profile.shakes_bulk() || self.settings.steady != Noise::default()
    }

    fn bulk_is_blocked(&self, from: usize, to: usize) -> bool {
        // What one side sends is acknowledged by the other, so both ways must be free.
        self.switches[LEAF].is_dark() || self.is_blocked(from, to) || self.is_blocked(to, from)
    }

    /// Sends what waited for a way that may be free now.
    pub(super) fn release_bulk(&mut self) {
        for (from, to, message) in self.bulk.take_waiting() {
            if self.bulk_is_blocked(from, to) {
                self.bulk.hold(from, to, message);
            } else {
                let noisy = self.shakes_bulk();
                self.bulk
                    .send(self.now, (from, to), message, noisy, &mut self.queue);
            }
        }
    }

    pub(super) fn bulk_arrives(
        &mut self,
        from: usize,
        to: usize,
        connection: u64,
        message: Vec<u8>,
    ) {
        if !self.bulk.is_current(from, to, connection) {
            return self.drop_frame(to, "the connection has ended");
        }
        if self.nodes[to].member.is_none() {
            return self.drop_frame(to, "the replica is down");
        }
        if self.bulk_is_blocked(from, to) {
            return self.bulk.hold(from, to, message);
        }
        self.deliver(to, Input::Bulk(message));
    }

    pub(super) fn note_message(&mut self, host: usize, event: &str, message: &[u8]) {
        let who = self.who(host);
        if !self.log.is_kept() {
            return self.log.note(self.now, who, event, format_args!(""));
        }
        match Message::parse(message) {
            Ok(message) => {
                let text = wire::pretty::Text(&message);
                self.log.note(self.now, who, event, format_args!("{text}"));
            }
            Err(error) => self.log.note(self.now, who, event, format_args!("{error}")),
        }
    }

    pub(super) fn note_received(&mut self, replica: usize, payload: &[u8]) {
        self.note_payload(replica, "recv", payload);
        if let Ok((stamp, message)) = StampHeader::parse(payload)
            && stamp.is_stamped()
        {
            let received = Sight::Received(super::replica_id(replica), stamped(&stamp, message));
            self.see(&received);
        }
    }
}

/// The host that a copy is for: the one at the port, or the one that it is addressed to.
fn receiver_of(layout: &Layout, plugged: Option<Plugged>, copy: &[u8]) -> Option<usize> {
    match plugged? {
        Plugged::Host(to) => Some(to),
        Plugged::Trunk { .. } => {
            let address = copy.get(DESTINATION_IP..DESTINATION_IP + 4)?;
            layout.host_of(address.try_into().ok()?)
        }
    }
}

/// A client's message with its header, as one payload.
pub(super) fn datagram_of_client(message: &[u8]) -> Vec<u8> {
    let header = StampHeader::unstamped(Kind::Request, Sender::Outsider, GROUP);
    [header.to_bytes().as_slice(), message].concat()
}

/// A replica's message with its header, as one payload.
pub(super) fn datagram(replica: usize, kind: Kind, message: &[u8]) -> Vec<u8> {
    let sender = Sender::Member(super::replica_id(replica));
    let header = StampHeader::unstamped(kind, sender, GROUP);
    let mut payload = Vec::with_capacity(STAMP_LEN + message.len());
    payload.extend_from_slice(&header.to_bytes());
    payload.extend_from_slice(message);
    payload
}

fn stamped<'a>(stamp: &StampHeader, message: &'a [u8]) -> Stamped<'a> {
    Stamped {
        epoch: stamp.epoch,
        sequence: stamp.sequence,
        message,
    }
}
