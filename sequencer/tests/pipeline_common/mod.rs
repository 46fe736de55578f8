//! Packets and set-up shared by the pipeline's tests and its benchmark.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test and the benchmark use a part of this module, and it is test code for both"
)]

use std::path::PathBuf;
use std::sync::OnceLock;

use sequencer::pipeline::{EntrySpec, Match, PortNumber, Replica, Switch};

/// The bytes of `p4/built/root.json`.
pub fn root_json() -> Vec<u8> {
    std::fs::read(p4_folder().join("built/root.json")).expect("p4/built/root.json is committed")
}

/// The folder `p4/` of the project.
pub fn p4_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../p4")
}

/// A switch with the root program and nothing else.
pub fn root() -> Switch {
    static ROOT: OnceLock<Switch> = OnceLock::new();
    ROOT.get_or_init(|| Switch::load(&root_json()).expect("the root program loads"))
        .clone()
}

/// The address of a group.
pub fn group_address(group: u32) -> u32 {
    0xEF4D_0000 | (group & 0xFFFF)
}

/// What a `group` entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEntry {
    pub register_index: u32,
    pub group: u32,
    pub term: u32,
    pub shift: u8,
    pub base: u64,
    pub members: u8,
    pub copies: u16,
}

impl GroupEntry {
    pub fn spec(&self) -> EntrySpec {
        EntrySpec {
            matches: vec![Match::Exact(group_address(self.group).into())],
            priority: 0,
            action: "RootIngress.stamp.stamp_group".to_owned(),
            parameters: vec![
                self.register_index.into(),
                self.group.into(),
                self.term.into(),
                self.shift.into(),
                self.base.into(),
                self.members.into(),
                self.copies.into(),
            ],
        }
    }
}

/// The address of member `index`, counted from 0.
pub fn member_mac(index: u16) -> u64 {
    0x0200_0000_0000 | u64::from(index)
}

pub fn member_ip(index: u16) -> u32 {
    0x0A00_0001 + u32::from(index)
}

pub fn member_port(index: u16) -> u16 {
    20_000 + index
}

/// Installs a group of `members`: entry, copies to ports 1, 2, … and their rewriting.
pub fn install_group(switch: &mut Switch, entry: &GroupEntry) {
    switch
        .insert_entry("RootIngress.stamp.group", &entry.spec())
        .unwrap();
    let replicas: Vec<Replica> = (0..u16::from(entry.members))
        .map(|index| Replica {
            port: PortNumber(index + 1),
            rid: entry.copies * 64 + index,
        })
        .collect();
    switch
        .insert_multicast_group(entry.copies, &replicas)
        .unwrap();
    for (index, replica) in (0..).zip(&replicas) {
        let spec = EntrySpec {
            matches: vec![Match::Exact(replica.rid.into())],
            priority: 0,
            action: "RootEgress.rewrite.to_member".to_owned(),
            parameters: vec![
                member_mac(index).into(),
                member_ip(index).into(),
                member_port(index).into(),
            ],
        };
        switch
            .insert_entry("RootEgress.rewrite.rewrite", &spec)
            .unwrap();
    }
}

/// The Internet checksum, computed as slowly as RFC 1071 describes it.
pub fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// A stamp as it stands in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub magic_version: u16,
    pub kind: u8,
    pub member: u8,
    pub group: u32,
    pub epoch: u32,
    pub sequence: u64,
    pub round: u64,
    pub closed_round: u64,
    pub closed_members: u32,
    pub round_shift: u8,
}

impl Stamp {
    /// As a sender writes it.
    pub fn unstamped(group: u32, member: u8) -> Self {
        Self {
            magic_version: 0xDB01,
            kind: 1,
            member,
            group,
            epoch: 0,
            sequence: 0,
            round: 0,
            closed_round: 0,
            closed_members: 0,
            round_shift: 0,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic_version.to_be_bytes().to_vec();
        bytes.extend([self.kind, self.member]);
        bytes.extend(self.group.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.round.to_be_bytes());
        bytes.extend(self.closed_round.to_be_bytes());
        bytes.extend(self.closed_members.to_be_bytes());
        bytes.extend([self.round_shift, 0, 0, 0]);
        bytes
    }

    /// The stamp of a frame made by [`frame`].
    pub fn of_frame(frame: &[u8]) -> Self {
        let at = |offset: usize| &frame[42 + offset..];
        let u16_at = |offset| u16::from_be_bytes(*at(offset).first_chunk().unwrap());
        let u32_at = |offset| u32::from_be_bytes(*at(offset).first_chunk().unwrap());
        let u64_at = |offset| u64::from_be_bytes(*at(offset).first_chunk().unwrap());
        Self {
            magic_version: u16_at(0),
            kind: at(2)[0],
            member: at(3)[0],
            group: u32_at(4),
            epoch: u32_at(8),
            sequence: u64_at(12),
            round: u64_at(20),
            closed_round: u64_at(28),
            closed_members: u32_at(36),
            round_shift: at(40)[0],
        }
    }
}

/// The headers around a stamp.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    pub destination_mac: u64,
    pub source_mac: u64,
    pub source_ip: u32,
    pub destination_ip: u32,
    pub ttl: u8,
    pub source_port: u16,
    pub destination_port: u16,
    pub udp_checksum: u16,
}

impl Envelope {
    /// From host 9 to a group.
    pub fn to_group(group: u32) -> Self {
        Self {
            destination_mac: 0x0100_5E4D_0000 | u64::from(group & 0xFFFF),
            source_mac: 0x0200_0000_0009,
            source_ip: 0x0A00_0009,
            destination_ip: group_address(group),
            ttl: 64,
            source_port: 30_000,
            destination_port: 9770,
            udp_checksum: 0xBEEF,
        }
    }
}

/// Ethernet, IPv4, UDP, stamp, payload.
pub fn frame(envelope: &Envelope, stamp: &Stamp, payload: &[u8]) -> Vec<u8> {
    let mut datagram = stamp.bytes();
    datagram.extend(payload);
    udp_frame(envelope, &datagram)
}

/// Ethernet, IPv4, UDP and whatever is in it.
pub fn udp_frame(envelope: &Envelope, datagram: &[u8]) -> Vec<u8> {
    let mut bytes = envelope.destination_mac.to_be_bytes()[2..].to_vec();
    bytes.extend(&envelope.source_mac.to_be_bytes()[2..]);
    bytes.extend([0x08, 0x00]);
    let udp_length = u16::try_from(8 + datagram.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_length).to_be_bytes());
    ip.extend([0x12, 0x34, 0x40, 0, envelope.ttl, 17, 0, 0]);
    ip.extend(envelope.source_ip.to_be_bytes());
    ip.extend(envelope.destination_ip.to_be_bytes());
    let checksum = internet_checksum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes.extend(ip);
    bytes.extend(envelope.source_port.to_be_bytes());
    bytes.extend(envelope.destination_port.to_be_bytes());
    bytes.extend(udp_length.to_be_bytes());
    bytes.extend(envelope.udp_checksum.to_be_bytes());
    bytes.extend(datagram);
    bytes
}
