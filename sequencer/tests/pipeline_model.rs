//! The root program against a small model of what a root does with a group packet.
//!
//! The model is written from `docs/wire-format.md` and the design's list of register steps, not from
//! the P4: one struct for each group, plain integers, no tables.
#![allow(
    clippy::unwrap_used,
    reason = "test code, also outside of functions marked as tests"
)]

mod pipeline_common;

use std::collections::BTreeMap;

use pipeline_common::{
    Envelope, GroupEntry, Stamp, frame, install_group, member_ip, member_mac, member_port, root,
};
use proptest::prelude::*;
use sequencer::pipeline::{Copies, EntryKey, Match, PortNumber};

const NOT_A_MEMBER: u8 = 255;
/// The switch's clock has 48 bits.
const CLOCK: u64 = 1 << 48;

/// The registers of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Registers {
    term: u32,
    start_us: u64,
    sequence: u64,
    round: u64,
    heard: u32,
    closed_round: u64,
    closed_members: u32,
}

/// Why a packet must be dropped: the index of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drop {
    WrongGroup = 5,
    WrongMember = 6,
    StaleTerm = 7,
}

impl Registers {
    fn stamp(&mut self, entry: &GroupEntry, now_us: u64, sender: &Stamp) -> Result<Stamp, Drop> {
        if sender.group != entry.group {
            return Err(Drop::WrongGroup);
        }
        if sender.member != NOT_A_MEMBER && sender.member >= entry.members {
            return Err(Drop::WrongMember);
        }
        if entry.term < self.term {
            return Err(Drop::StaleTerm);
        }
        let now_us = now_us % CLOCK;
        if entry.term > self.term {
            let (term, start_us, round) = (entry.term, now_us, entry.base);
            *self = Self {
                term,
                start_us,
                round,
                ..Self::default()
            };
        }
        self.sequence = self.sequence.wrapping_add(1);
        let elapsed_us = (now_us + CLOCK - self.start_us) % CLOCK;
        let rounds = elapsed_us.checked_shr(entry.shift.into()).unwrap_or(0);
        let now_round = entry.base.wrapping_add(rounds);
        if now_round > self.round {
            (self.closed_round, self.closed_members) = (self.round, self.heard);
            self.round = now_round;
            self.heard = 0;
        }
        if sender.member != NOT_A_MEMBER {
            self.heard |= 1_u32.checked_shl(sender.member.into()).unwrap_or(0);
        }
        Ok(Stamp {
            epoch: self.term,
            sequence: self.sequence,
            round: self.round,
            closed_round: self.closed_round,
            closed_members: self.closed_members,
            round_shift: entry.shift,
            ..*sender
        })
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    /// A packet, so many µs after the event before.
    Packet {
        group: u32,
        wait_us: u64,
        stamp: Stamp,
    },
    /// The controller writes a group's entry anew.
    Entry {
        group: u32,
        term: u32,
        shift: u8,
        base: u64,
        members: u8,
    },
}

fn stamps() -> impl Strategy<Value = Stamp> {
    let member = prop_oneof![8 => 0_u8..=31, 3 => Just(NOT_A_MEMBER), 1 => any::<u8>()];
    // Mostly the group the packet is sent to (`None`), now and then another.
    let written = (
        any::<u32>(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        any::<u32>(),
        any::<u8>(),
    );
    (member, any::<u8>(), written).prop_map(
        |(member, kind, (epoch, sequence, round, closed_round, closed_members, round_shift))| {
            let base = Stamp::unstamped(0, member);
            Stamp {
                kind,
                epoch,
                sequence,
                round,
                closed_round,
                closed_members,
                round_shift,
                ..base
            }
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let wait = prop_oneof![
        4 => 0_u64..4,
        4 => 0_u64..3000,
        1 => 0_u64..1 << 40,
        // Back in time by up to as much, modulo the clock.
        1 => (CLOCK - 3000)..CLOCK,
    ];
    let wrong_group = prop_oneof![12 => Just(0_u32), 1 => any::<u32>()];
    let packet =
        (1_u32..=3, wait, stamps(), wrong_group).prop_map(|(group, wait_us, stamp, wrong)| {
            let stamp = Stamp {
                group: group ^ wrong,
                ..stamp
            };
            Event::Packet {
                group,
                wait_us,
                stamp,
            }
        });
    let base = prop_oneof![4 => 0_u64..1 << 50, 1 => (u64::MAX - 50)..=u64::MAX];
    let shift = prop_oneof![4 => 0_u8..14, 1 => any::<u8>()];
    // Few terms, so that they rise, stay and fall; 0 is the registers' own first value.
    let entry = (
        1_u32..=3,
        0_u32..6,
        shift,
        base,
        prop_oneof![Just(3_u8), 1_u8..=32],
    )
        .prop_map(|(group, term, shift, base, members)| Event::Entry {
            group,
            term,
            shift,
            base,
            members,
        });
    prop::collection::vec(prop_oneof![12 => packet, 1 => entry], 1..120)
}

fn first_entry(group: u32) -> GroupEntry {
    GroupEntry {
        register_index: group * 5,
        group,
        term: 1,
        shift: 10,
        base: 1000,
        members: 32,
        copies: u16::try_from(group).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_root_stamps_as_the_model_does(events in events(), start_us in 0_u64..CLOCK) {
        let mut switch = root();
        let mut entries: BTreeMap<u32, GroupEntry> = BTreeMap::new();
        let mut registers: BTreeMap<u32, Registers> = BTreeMap::new();
        for group in 1..=3 {
            install_group(&mut switch, &first_entry(group));
            entries.insert(group, first_entry(group));
        }
        let mut out = Copies::new();
        let mut drops: BTreeMap<usize, u64> = BTreeMap::new();
        let mut now_us = start_us;
        for event in events {
            match event {
                Event::Entry { group, term, shift, base, members } => {
                    let entry =
                        GroupEntry { term, shift, base, members, ..entries[&group] };
                    let spec = entry.spec();
                    let key = EntryKey { matches: spec.matches.clone(), priority: 0 };
                    // Both ways of writing an entry anew.
                    if term % 2 == 0 {
                        switch.modify_entry("RootIngress.stamp.group", &spec).unwrap();
                    } else {
                        switch.delete_entry("RootIngress.stamp.group", &key).unwrap();
                        switch.insert_entry("RootIngress.stamp.group", &spec).unwrap();
                    }
                    prop_assert!(matches!(key.matches[0], Match::Exact(_)));
                    entries.insert(group, entry);
                }
                Event::Packet { group, wait_us, stamp } => {
                    now_us = (now_us + wait_us) % CLOCK;
                    let packet = frame(&Envelope::to_group(group), &stamp, b"payload");
                    out.clear();
                    switch.process(now_us, PortNumber(9), &packet, &mut out);
                    let wanted =
                        registers.entry(group).or_default().stamp(&entries[&group], now_us, &stamp);
                    match wanted {
                        Err(reason) => {
                            prop_assert!(out.is_empty(), "{:?}", reason);
                            prop_assert_eq!(out.losses().in_ingress, 1);
                            *drops.entry(reason as usize).or_default() += 1;
                        }
                        Ok(stamped) => {
                            let copies: Vec<_> = out.iter().collect();
                            prop_assert_eq!(copies.len(), 32, "all replicas of the group");
                            for (index, (port, copy)) in (0_u16..).zip(copies) {
                                let envelope = Envelope {
                                    destination_mac: member_mac(index),
                                    destination_ip: member_ip(index),
                                    destination_port: member_port(index),
                                    ttl: 63,
                                    udp_checksum: 0,
                                    ..Envelope::to_group(group)
                                };
                                prop_assert_eq!(port, PortNumber(index + 1));
                                prop_assert_eq!(Stamp::of_frame(copy), stamped);
                                let wanted = frame(&envelope, &stamped, b"payload");
                                prop_assert_eq!(copy, wanted.as_slice());
                            }
                        }
                    }
                }
            }
        }
        for index in 0..32 {
            let counted = switch.read_counter("RootIngress.drops", index).unwrap().packets;
            let wanted = drops.get(&usize::try_from(index).unwrap()).copied().unwrap_or(0);
            prop_assert_eq!(counted, wanted, "drop reason {}", index);
        }
    }
}
