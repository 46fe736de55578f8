//! What the root program does not use: wide arithmetic, every kind of match, hashes, direct
//! counters, lookahead, advance, verify, exit. The program is `pipeline_programs/constructs.p4`.
#![allow(
    clippy::unwrap_used,
    reason = "test code, also outside of functions marked as tests"
)]

use proptest::prelude::*;
use sequencer::pipeline::{
    ActionCall, ControlError, Copies, CounterValue, EntryKey, EntrySpec, Match, PortNumber,
    Replica, Switch,
};

const JSON: &[u8] = include_bytes!("pipeline_programs/constructs.json");

fn switch() -> Switch {
    static SWITCH: std::sync::OnceLock<Switch> = std::sync::OnceLock::new();
    SWITCH.get_or_init(|| Switch::load(JSON).unwrap()).clone()
}

/// The one frame that leaves, with its port.
fn out_of(switch: &mut Switch, frame: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut out = Copies::new();
    switch.process(0, PortNumber(4), frame, &mut out);
    assert!(out.len() <= 1);
    out.iter()
        .next()
        .map(|(port, frame)| (port.0, frame.to_vec()))
}

/// Big-endian bits of any width.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u128, width: usize) -> &mut Self {
        for bit in (0..width).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= u8::try_from((value >> bit) & 1).unwrap() << (7 - self.count % 8);
            self.count += 1;
        }
        self
    }
}

#[derive(Clone, Copy, Debug)]
struct Numbers {
    a: u128,
    b: u128,
    c: u64,
    d: u64,
    e: u16,
    f: u8,
    amount: u8,
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let edgy = || prop_oneof![any::<u128>(), 0..4_u128, (u128::MAX - 3)..=u128::MAX];
    let edgy_small = || prop_oneof![any::<u64>(), 0..4_u64, (u64::MAX - 3)..=u64::MAX];
    (
        edgy(),
        edgy(),
        edgy_small(),
        edgy_small(),
        0_u16..8192,
        0_u8..8,
        any::<u8>(),
        any::<bool>(),
    )
        .prop_map(|(a, b, c, d, e, f, amount, equal)| Numbers {
            a,
            b: if equal { a } else { b },
            c: c >> 4,
            d,
            e,
            f,
            amount,
        })
}

const SIXTY: u64 = (1 << 60) - 1;

/// What the program must answer, and the new content of register `f`.
fn model(n: &Numbers, stored: u128) -> Vec<u8> {
    let mut bits = Bits::default();
    let amount = u32::from(n.amount);
    let (kind, skip) = (1, 0);
    let new_amount = (n.a >> 3) & 0xFF;
    bits.put(kind, 8).put(skip, 8);
    bits.put(n.a, 128)
        .put(n.b, 128)
        .put(0xF, 4)
        .put(n.c.into(), 60)
        .put(n.d.into(), 64);
    bits.put(n.e.into(), 13)
        .put(n.f.into(), 3)
        .put(new_amount, 8);
    bits.put(n.a.wrapping_add(n.b), 128)
        .put(n.a.wrapping_sub(n.b), 128);
    bits.put(n.a.wrapping_mul(n.b), 128);
    bits.put(n.a.checked_shl(amount).unwrap_or(0), 128);
    bits.put(n.a.checked_shr(amount).unwrap_or(0), 128);
    bits.put(((n.c + u64::from(n.e)) & SIXTY).into(), 60);
    let flags = [
        (n.a < n.b, 8),
        (n.a == n.b, 4),
        (n.d == 0, 2),
        (n.f & 1 == 1, 1),
    ];
    bits.put(
        flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, flag)| *flag)
            .sum(),
        4,
    );
    bits.put(n.d.saturating_add(n.c).into(), 64)
        .put(n.d.saturating_sub(n.c).into(), 64);
    bits.put((n.a >> 85) & 0xFFFF, 16);
    let between = (n.a >> 90) & 0x3FF;
    bits.put(
        if n.f == 5 || n.e >= 4096 {
            n.d.into()
        } else {
            between
        },
        64,
    );
    bits.put(stored, 128);
    bits.bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn arithmetic_is_unbounded_and_truncated(all in prop::collection::vec(numbers(), 1..4)) {
        let mut switch = switch();
        let mut cells = [0_u128; 4];
        for n in all {
            let mut frame = Bits::default();
            frame.put(1, 8).put(0, 8).put(n.a, 128).put(n.b, 128);
            frame.put(0xF, 4).put(n.c.into(), 60).put(n.d.into(), 64).put(n.e.into(), 13).put(n.f.into(), 3);
            frame.put(n.amount.into(), 8);
            frame.bytes.extend(b"rest");
            // Beyond the register nothing is read: the variable keeps what it had, 0.
            let stored = cells.get(usize::from(n.f)).copied().unwrap_or(0);
            let mut wanted = model(&n, stored);
            wanted.extend(b"rest");
            prop_assert_eq!(out_of(&mut switch, &frame.bytes), Some((1, wanted)));
            if let Some(cell) = cells.get_mut(usize::from(n.f)) {
                *cell = !n.a;
            }
            for (index, cell) in (0..).zip(cells) {
                prop_assert_eq!(switch.read_register("In.wide_cells", index).unwrap(), cell);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Key {
    exact16: u16,
    prefix32: u32,
    wide: u128,
    range16: u16,
    optional8: u8,
    ternary8: u8,
}

/// The four results of a look-up: prefix, priority, wide, constant.
fn look_up(switch: &mut Switch, key: &Key) -> [u8; 4] {
    let mut frame = Bits::default();
    frame
        .put(2, 8)
        .put(0, 8)
        .put(key.exact16.into(), 16)
        .put(key.prefix32.into(), 32);
    frame.put(key.wide, 128).put(key.range16.into(), 16);
    frame
        .put(key.optional8.into(), 8)
        .put(key.ternary8.into(), 8);
    let (port, answer) = out_of(switch, &frame.bytes).unwrap();
    assert_eq!(port, 1);
    *answer.last_chunk().unwrap()
}

fn entry(matches: &[Match], priority: u32, action: &str, parameters: &[u128]) -> EntrySpec {
    EntrySpec {
        matches: matches.to_vec(),
        priority,
        action: action.to_owned(),
        parameters: parameters.to_vec(),
    }
}

fn by_prefix(exact: u128, value: u128, prefix_length: u8, result: u128) -> EntrySpec {
    let lpm = Match::Lpm {
        value,
        prefix_length,
    };
    entry(&[Match::Exact(exact), lpm], 0, "In.prefix", &[result])
}

#[test]
fn the_longest_prefix_wins_and_counts() {
    let mut switch = switch();
    let table = "In.by_prefix";
    let entries = [
        by_prefix(7, 0x0A00_0000, 8, 1),
        by_prefix(7, 0x0A01_0000, 16, 2),
        by_prefix(7, 0x0A01_0203, 32, 3),
        by_prefix(8, 0, 0, 4),
    ];
    for entry in &entries {
        switch.insert_entry(table, entry).unwrap();
    }
    let full = switch.insert_entry(table, &by_prefix(9, 0, 0, 4));
    assert_eq!(
        full,
        Err(ControlError::TableFull {
            table: table.to_owned(),
            size: 4
        })
    );
    let mut found = |exact16, prefix32| {
        look_up(
            &mut switch,
            &Key {
                exact16,
                prefix32,
                ..Key::default()
            },
        )[0]
    };
    assert_eq!(found(7, 0x0A01_0203), 103);
    assert_eq!(found(7, 0x0A01_0204), 102);
    assert_eq!(found(7, 0x0A02_0204), 101);
    assert_eq!(
        found(7, 0x0B02_0204),
        255,
        "a miss takes the default action"
    );
    assert_eq!(
        found(8, 0xFFFF_FFFF),
        104,
        "a prefix of length 0 matches anything"
    );
    assert_eq!(found(9, 0x0A01_0203), 255);
    let counted = switch
        .read_direct_counter(table, &entries[2].key())
        .unwrap();
    assert_eq!(
        counted,
        CounterValue {
            packets: 1,
            bytes: 28
        }
    );
    switch.delete_entry(table, &entries[2].key()).unwrap();
    let key = Key {
        exact16: 7,
        prefix32: 0x0A01_0203,
        ..Key::default()
    };
    assert_eq!(look_up(&mut switch, &key)[0], 102, "the next shorter one");
    let mut left = switch.entries(table).unwrap();
    left.sort();
    let mut wanted = vec![entries[0].clone(), entries[1].clone(), entries[3].clone()];
    wanted.sort();
    assert_eq!(left, wanted);
}

#[test]
fn the_highest_priority_wins_and_low_numbers_among_constant_entries() {
    let mut switch = switch();
    let table = "In.by_priority";
    // p4c compiles optional fields to ternary ones.
    let any = Match::Ternary { value: 0, mask: 0 };
    let ternary = |value, mask| Match::Ternary { value, mask };
    let range = |low, high| Match::Range { low, high };
    let entries = [
        entry(&[range(10, 20), any, any], 5, "In.priority", &[1]),
        entry(
            &[range(15, 30), ternary(9, 0xFF), any],
            7,
            "In.priority",
            &[2],
        ),
        entry(
            &[range(0, 0xFFFF), any, ternary(0x80, 0xC0)],
            6,
            "In.priority",
            &[3],
        ),
    ];
    for entry in &entries {
        switch.insert_entry(table, entry).unwrap();
    }
    let mut found = |range16, optional8, ternary8| {
        look_up(
            &mut switch,
            &Key {
                range16,
                optional8,
                ternary8,
                ..Key::default()
            },
        )
    };
    assert_eq!(found(16, 9, 0x80)[1], 2);
    assert_eq!(found(16, 8, 0x80)[1], 3);
    assert_eq!(found(16, 8, 0)[1], 1);
    assert_eq!(found(20, 0, 0)[1], 1);
    assert_eq!(found(21, 0, 0)[1], 255);
    assert_eq!(found(9, 0, 0)[1], 255);
    assert_eq!(found(0, 0, 0xBF)[1], 3);
    assert_eq!(found(0, 0, 0xC0)[1], 255);
    // Constant entries: 0x0F &&& 0x0F before 0x80 &&& 0x80 before anything.
    assert_eq!(found(0, 0, 0x8F)[3], 1);
    assert_eq!(found(0, 0, 0x8E)[3], 2);
    assert_eq!(found(0, 0, 0x0E)[3], 3);
    let priorities: Vec<u32> = switch
        .entries(table)
        .unwrap()
        .iter()
        .map(|entry| entry.priority)
        .collect();
    assert_eq!(priorities, [7, 6, 5]);
    let constant = switch.entries("In.by_constant").unwrap();
    assert_eq!(constant.len(), 3);
    assert!(
        constant
            .windows(2)
            .all(|pair| pair[0].priority > pair[1].priority)
    );
    let refused = switch.insert_entry("In.by_constant", &entries[0]);
    assert!(matches!(refused, Err(ControlError::EntriesConstant { .. })));
}

#[test]
fn wide_keys_and_parameters() {
    let mut switch = switch();
    let table = "In.by_wide";
    let value = 0xFEDC_BA98_7654_3210_0123_4567_0000_0000_u128;
    let lpm = Match::Lpm {
        value,
        prefix_length: 96,
    };
    let spec = entry(&[lpm], 0, "In.wide", &[0x07 << 92 | 1, 20]);
    switch.insert_entry(table, &spec).unwrap();
    let mut found = |wide| {
        look_up(
            &mut switch,
            &Key {
                wide,
                ..Key::default()
            },
        )[2]
    };
    assert_eq!(found(value | 0xFFFF_FFFF), 27);
    assert_eq!(found(value ^ (1 << 32)), 0);
    assert_eq!(found(value ^ (1 << 127)), 0);
    assert_eq!(switch.entries(table).unwrap(), std::slice::from_ref(&spec));
    assert_eq!(switch.entry(table, &spec.key()).unwrap(), spec);
}

#[test]
fn hashes_are_the_known_ones() {
    let mut switch = switch();
    let (_, answer) = out_of(&mut switch, &[3, 0, 0]).unwrap();
    // Computed with another implementation: CRC-16/ARC and CRC-32 of 03 00 12 34, the Internet
    // checksum of 03 00 A0, the bytes 03 00 12 34 56 78 9A BC as they are, 0 modulo 7 plus 100.
    let mut wanted = vec![3, 0];
    wanted.extend(CRC16_OF_03001234.to_be_bytes());
    wanted.extend(CRC32_OF_03001234.to_be_bytes());
    wanted.extend((!(0x0300_u16 + 0xA000)).to_be_bytes());
    wanted.extend(0x0300_1234_5678_9ABC_u64.to_be_bytes());
    wanted.extend(100_u32.to_be_bytes());
    wanted.push(0);
    assert_eq!(answer, wanted);
}

const CRC16_OF_03001234: u16 = 0x330D;
const CRC32_OF_03001234: u32 = 0x6AB1_F494;

#[test]
fn the_parser_records_its_errors_and_the_packet_goes_on() {
    let mut switch = switch();
    // Too short even for the first lookahead; nothing was extracted: kind and skip are written.
    assert_eq!(out_of(&mut switch, &[]), Some((9, vec![1, 0])));
    // The second lookahead is a byte too long; the first one had its byte.
    assert_eq!(out_of(&mut switch, &[0xAB]), Some((9, vec![1, 0xAB, 0xAB])));
    assert_eq!(
        out_of(&mut switch, &[0xEE, 0xE5, 7]),
        Some((9, vec![3, 0xEE, 0xEE, 0xE5, 7]))
    );
    // `verify` with an error of the program's own, and `exit` after `mark_to_drop`.
    assert_eq!(out_of(&mut switch, &[0, 0, 1, 2]), None);
    // Advance by 12 bits, by more than there is, and by one byte.
    assert_eq!(
        out_of(&mut switch, &[3, 12, 1, 2]),
        Some((9, vec![5, 3, 1, 2]))
    );
    assert_eq!(
        out_of(&mut switch, &[3, 32, 1, 2]),
        Some((9, vec![1, 3, 1, 2]))
    );
    let (port, answer) = out_of(&mut switch, &[3, 8, 1, 2]).unwrap();
    assert_eq!(
        (port, answer.len(), answer.last()),
        (1, 2 + 20 + 1, Some(&2))
    );
    // A masked transition on bits to come: 0x8… after kind 2 is no key.
    assert_eq!(
        out_of(&mut switch, &[2, 0, 0x80]),
        Some((1, vec![2, 0, 0x80]))
    );
}

#[test]
fn egress_drops() {
    let mut switch = switch();
    let mut out = Copies::new();
    switch.process(0, PortNumber(4), &[4, 0, 0], &mut out);
    assert_eq!(
        (out.len(), out.losses().in_egress, out.losses().in_ingress),
        (0, 1, 0)
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of messages")]
fn the_control_plane_is_told_what_is_wrong() {
    let mut switch = switch();
    let said = |result: Result<(), ControlError>| result.unwrap_err().to_string();
    let fine = by_prefix(7, 0x0A00_0000, 8, 1);
    assert_eq!(
        said(switch.insert_entry("In.other", &fine)),
        "no table `In.other`; there are: In.by_prefix, In.by_priority, In.by_wide, In.by_constant"
    );
    let table = "In.by_prefix";
    let wrong = EntrySpec {
        action: "In.wide".to_owned(),
        ..fine.clone()
    };
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "table `In.by_prefix` has no action `In.wide`; it has: In.prefix, NoAction"
    );
    let wrong = EntrySpec {
        matches: vec![Match::Exact(1)],
        ..fine.clone()
    };
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "the key of table `In.by_prefix` has 2 fields, 1 were given"
    );
    let wrong = EntrySpec {
        priority: 3,
        ..fine.clone()
    };
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "entries of table `In.by_prefix` take no priority, 3 was given"
    );
    let wrong = by_prefix(0x1_0000, 0, 0, 1);
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "value of field `hdr.key.exact16` 0x10000 does not fit into 16 bits"
    );
    let wrong = by_prefix(1, 0x0A01_0000, 8, 1);
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "field `hdr.key.prefix32` of table `In.by_prefix`: 0xa010000 has bits outside of its mask \
         0xff000000"
    );
    let wrong = by_prefix(1, 0, 33, 1);
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "field `hdr.key.prefix32` of table `In.by_prefix`: prefix length 33 of 32 bits"
    );
    let wrong = by_prefix(1, 0, 0, 256);
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "parameter `value` of action `In.prefix` 0x100 does not fit into 8 bits"
    );
    let wrong = EntrySpec {
        parameters: vec![],
        ..fine.clone()
    };
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "action `In.prefix` has 1 parameters, 0 were given"
    );
    let wrong = EntrySpec {
        matches: vec![Match::Exact(1), Match::Exact(2)],
        ..fine.clone()
    };
    assert_eq!(
        said(switch.insert_entry(table, &wrong)),
        "field `hdr.key.prefix32` of table `In.by_prefix` is matched lpm, not exact"
    );
    assert_eq!(
        said(switch.modify_entry(table, &fine)),
        "table `In.by_prefix` has no such entry"
    );
    switch.insert_entry(table, &fine).unwrap();
    assert_eq!(
        said(switch.insert_entry(table, &fine)),
        "table `In.by_prefix` has this entry already; modify it instead"
    );
    let read = switch.read_register("In.wide_cells", 4).map(|_| ());
    assert_eq!(
        said(read),
        "`In.wide_cells` has 4 cells, there is no index 4"
    );
    assert_eq!(
        said(switch.insert_multicast_group(0, &[])),
        "multicast group 0 does not exist: it means no multicast"
    );
    let replica = Replica {
        port: PortNumber(511),
        rid: 1,
    };
    assert_eq!(
        said(switch.insert_multicast_group(1, &[replica])),
        "port 511 cannot send; ports go from 0 to 510"
    );
}

#[test]
fn default_actions_and_a_cleared_state() {
    let mut switch = switch();
    let table = "In.by_wide";
    let call = ActionCall {
        action: "In.wide".to_owned(),
        parameters: vec![1 << 99, 5],
    };
    switch.set_default_action(table, &call).unwrap();
    assert_eq!(switch.default_action(table).unwrap(), call);
    // The default action runs, but the table was not hit.
    assert_eq!(look_up(&mut switch, &Key::default())[2], 5);
    switch.reset_default_action(table).unwrap();
    assert_eq!(look_up(&mut switch, &Key::default())[2], 0);
    switch.set_default_action(table, &call).unwrap();
    switch
        .insert_entry("In.by_prefix", &by_prefix(0, 0, 0, 9))
        .unwrap();
    switch
        .insert_multicast_group(
            3,
            &[Replica {
                port: PortNumber(1),
                rid: 2,
            }],
        )
        .unwrap();
    switch
        .write_register("In.wide_cells", 2, u128::MAX)
        .unwrap();
    let clone = switch.clone();
    switch.clear_state();
    assert_eq!(switch.default_action(table).unwrap().action, "NoAction");
    assert_eq!(switch.entries("In.by_prefix").unwrap(), []);
    assert_eq!(switch.entries("In.by_constant").unwrap().len(), 3);
    assert_eq!(switch.multicast_groups().count(), 0);
    assert_eq!(switch.read_register("In.wide_cells", 2).unwrap(), 0);
    assert_eq!(
        clone.read_register("In.wide_cells", 2).unwrap(),
        u128::MAX,
        "a clone is its own"
    );
    assert_eq!(clone.entries("In.by_prefix").unwrap().len(), 1);
}

#[test]
fn entries_are_told_apart_by_key() {
    let key = EntryKey {
        matches: vec![Match::Exact(1)],
        priority: 0,
    };
    let error = switch().delete_entry("In.by_wide", &key).unwrap_err();
    assert!(matches!(error, ControlError::WrongMatchKind { .. }));
}
