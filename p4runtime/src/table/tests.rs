//! Declared tables against a small program: encode, decode, every kind of disagreement.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::P4Info;
use crate::p4info::MatchKind;
use crate::p4info::tests::{PROGRAM, program};
use crate::v1::{self, field_match::FieldMatchType};

crate::p4_table! {
    /// Groups.
    table Groups = "group";
    /// The group.
    key GroupKey {
        /// Its address.
        address: Ipv4Addr = "hdr.ipv4.dst_addr": 32,
    }
    /// What is done.
    action GroupAction {
        /// Stamps.
        Stamp = "stamp" {
            /// Declared before the other, though the program has it behind.
            base: u64 = "base": 64,
            /// A port.
            port: u16 = "port": 9,
        },
    }
}

crate::p4_table! {
    /// Access.
    table Access = "Ingress.acl";
    /// A key of every kind with a priority.
    key AccessKey {
        /// Ternary.
        port: Ternary<u16> = "port": 9,
        /// Range.
        length: Range<u16> = "length": 16,
        /// Optional.
        kind: Option<u8> = "kind": 8,
    }
    /// What is done.
    action AccessAction {
        /// Stamps.
        Stamp = "stamp" { port: u16 = "port": 9, base: u64 = "base": 64 },
        /// Nothing.
        Nothing = "NoAction" {},
    }
}

crate::p4_table! {
    /// Routes.
    table Routes = "forward";
    /// A prefix.
    key RouteKey { to: Prefix<Ipv4Addr> = "hdr.ipv4.dst_addr": 32 }
    /// What is done.
    action RouteAction { Nothing = "NoAction" {} }
}

fn group_entry() -> Entry<Groups> {
    let key = GroupKey {
        address: Ipv4Addr::new(239, 77, 0, 1),
    };
    Entry::new(
        key,
        GroupAction::Stamp {
            base: 0x1_0000,
            port: 511,
        },
    )
}

#[test]
fn encodes_ids_and_canonical_values() {
    let table = BoundTable::<Groups>::new(&program()).unwrap();
    let message = table.encode(&group_entry()).unwrap();
    assert_eq!(message.table_id, 33_554_433);
    assert_eq!(message.priority, 0);
    let expected = v1::FieldMatch {
        field_id: 1,
        field_match_type: Some(FieldMatchType::Exact(v1::field_match::Exact {
            value: vec![239, 77, 0, 1],
        })),
    };
    assert_eq!(message.r#match, [expected]);
    let Some(v1::table_action::Type::Action(action)) = message.action.clone().unwrap().r#type
    else {
        panic!("direct action");
    };
    assert_eq!(action.action_id, 16_777_217);
    let params: Vec<_> = action
        .params
        .iter()
        .map(|p| (p.param_id, p.value.as_slice()))
        .collect();
    assert_eq!(params, [(2, &[1, 0, 0][..]), (1, &[1, 255][..])]);
    assert_eq!(table.decode(&message), Ok(group_entry()));
}

#[test]
fn wildcards_are_left_out_and_come_back() {
    let info = program();
    let table = BoundTable::<Access>::new(&info).unwrap();
    let key = AccessKey {
        port: Ternary { value: 0, mask: 0 },
        length: Range {
            low: 0,
            high: u16::MAX,
        },
        kind: None,
    };
    let entry = Entry {
        key,
        action: AccessAction::Nothing {},
        priority: 5,
    };
    let message = table.encode(&entry).unwrap();
    assert_eq!(message.r#match, []);
    assert_eq!(table.decode(&message), Ok(entry));
    let routes = BoundTable::<Routes>::new(&info).unwrap();
    let everywhere = Prefix {
        value: Ipv4Addr::UNSPECIFIED,
        length: 0,
    };
    let entry = Entry::new(RouteKey { to: everywhere }, RouteAction::Nothing {});
    let message = routes.encode(&entry).unwrap();
    assert_eq!(message.r#match, []);
    assert_eq!(routes.decode(&message), Ok(entry));
}

#[test]
fn values_that_are_no_entry_are_refused() {
    let info = program();
    let groups = BoundTable::<Groups>::new(&info).unwrap();
    let mut entry = group_entry();
    entry.action = GroupAction::Stamp { base: 0, port: 512 };
    assert_eq!(
        groups.encode(&entry).unwrap_err().to_string(),
        "action stamp: parameter port is 0x200, which does not fit into 9 bits"
    );
    entry = group_entry();
    entry.priority = 1;
    assert!(matches!(
        groups.encode(&entry),
        Err(EncodeError::Priority { .. })
    ));
}

#[test]
fn matches_that_are_no_match_are_refused() {
    let info = program();
    let access = BoundTable::<Access>::new(&info).unwrap();
    let wild = AccessKey {
        port: Ternary { value: 0, mask: 0 },
        length: Range {
            low: 0,
            high: u16::MAX,
        },
        kind: None,
    };
    let encode = |key, priority| {
        access
            .encode(&Entry {
                key,
                action: AccessAction::Nothing {},
                priority,
            })
            .unwrap_err()
    };
    assert!(matches!(encode(wild, 0), EncodeError::Priority { .. }));
    let outside = AccessKey {
        port: Ternary { value: 3, mask: 1 },
        ..wild
    };
    assert!(matches!(
        encode(outside, 1),
        EncodeError::BitsOutside {
            value: 3,
            mask: 1,
            ..
        }
    ));
    let reversed = AccessKey {
        length: Range { low: 2, high: 1 },
        ..wild
    };
    assert!(matches!(
        encode(reversed, 1),
        EncodeError::EmptyRange {
            low: 2,
            high: 1,
            ..
        }
    ));

    let routes = BoundTable::<Routes>::new(&info).unwrap();
    let encode = |value: [u8; 4], length| {
        let key = RouteKey {
            to: Prefix {
                value: value.into(),
                length,
            },
        };
        routes
            .encode(&Entry::new(key, RouteAction::Nothing {}))
            .unwrap_err()
    };
    assert!(matches!(
        encode([10, 0, 0, 1], 8),
        EncodeError::BitsOutside { .. }
    ));
    assert!(matches!(
        encode([10, 0, 0, 0], 33),
        EncodeError::PrefixTooLong { length: 33, .. }
    ));
}

#[test]
fn messages_that_are_no_entry_are_refused() {
    let groups = BoundTable::<Groups>::new(&program()).unwrap();
    let good = groups.encode(&group_entry()).unwrap();
    let decode = |change: &dyn Fn(&mut v1::TableEntry)| {
        let mut message = good.clone();
        change(&mut message);
        groups.decode(&message)
    };
    assert!(matches!(
        decode(&|m| m.table_id = 1),
        Err(DecodeError::OtherTable { .. })
    ));
    assert!(matches!(
        decode(&|m| m.action = None),
        Err(DecodeError::Action { .. })
    ));
    assert!(matches!(
        decode(&|m| m.r#match[0].field_id = 2),
        Err(DecodeError::Match { .. })
    ));
    let twice = |m: &mut v1::TableEntry| m.r#match.push(m.r#match[0].clone());
    assert!(matches!(decode(&twice), Err(DecodeError::Match { .. })));
    assert!(matches!(
        decode(&|m| m.r#match.clear()),
        Err(DecodeError::NoPlace { .. })
    ));
    let action = |change: &dyn Fn(&mut v1::Action)| {
        decode(&|m| {
            let kind = m.action.as_mut().unwrap().r#type.as_mut().unwrap();
            let v1::table_action::Type::Action(action) = kind else {
                panic!("direct action")
            };
            change(action);
        })
    };
    assert!(matches!(
        action(&|a| a.action_id = 16_777_218),
        Err(DecodeError::Action { .. })
    ));
    assert!(matches!(
        action(&|a| a.params.clear()),
        Err(DecodeError::Arguments { .. })
    ));
    assert!(matches!(
        action(&|a| a.params[0].param_id = 9),
        Err(DecodeError::Arguments { .. })
    ));
    assert!(matches!(
        action(&|a| a.params[1].value = vec![]),
        Err(DecodeError::Value { .. })
    ));
}

#[test]
fn prefix_of_clears_what_is_behind() {
    let address = Ipv4Addr::new(10, 1, 2, 3);
    let prefix = |value: [u8; 4], length| {
        Some(Prefix {
            value: Ipv4Addr::from(value),
            length,
        })
    };
    assert_eq!(Prefix::of(address, 8), prefix([10, 0, 0, 0], 8));
    assert_eq!(Prefix::of(address, 32), prefix([10, 1, 2, 3], 32));
    assert_eq!(Prefix::of(address, 0), prefix([0, 0, 0, 0], 0));
    assert_eq!(Prefix::of(address, 33), None);
}

#[test]
fn the_declared_tables_agree_with_the_program() {
    let shapes = [
        TableShape::of::<Groups>(),
        TableShape::of::<Access>(),
        TableShape::of::<Routes>(),
    ];
    assert_eq!(verify(&program(), &shapes), Ok(()));
}

fn disagreement(from: &str, to: &str) -> String {
    assert!(PROGRAM.contains(from));
    let info = P4Info::from_text(&PROGRAM.replacen(from, to, 1)).unwrap();
    let shapes = [
        TableShape::of::<Groups>(),
        TableShape::of::<Access>(),
        TableShape::of::<Routes>(),
    ];
    verify(&info, &shapes).unwrap_err().to_string()
}

#[test]
fn every_disagreement_is_listed() {
    let text = disagreement(
        "\"Ingress.group\" alias: \"group\"",
        "\"Ingress.g\" alias: \"g\"",
    );
    assert!(
        text.contains("in 1 thing\n  the program has no table \"group\""),
        "{text}"
    );
    let text = disagreement(
        "name: \"length\" bitwidth: 16",
        "name: \"size\" bitwidth: 16",
    );
    assert!(text.contains("in 2 things"), "{text}");
    assert!(text.contains("no field \"length\""), "{text}");
    assert!(
        text.contains("field size of the program is not declared"),
        "{text}"
    );
    let text = disagreement("match_type: LPM", "match_type: EXACT");
    assert!(
        text.contains("is exact in the program, but declared lpm"),
        "{text}"
    );
    let text = disagreement("bitwidth: 8 match", "bitwidth: 7 match");
    assert!(text.contains("field kind has 7 bits in the program, but is declared with 8"));
    let text = disagreement(
        "name: \"Ingress.stamp\" alias: \"stamp\"",
        "name: \"Ingress.stomp\"",
    );
    assert!(
        text.contains("no action \"stamp\", did you mean \"Ingress.stomp\"?"),
        "{text}"
    );
    assert!(
        text.contains("action Ingress.stomp of the program is not declared"),
        "{text}"
    );
    let text = disagreement("name: \"base\" bitwidth: 64", "name: \"bass\" bitwidth: 64");
    assert!(
        text.contains("action Ingress.stamp: the program has no parameter \"base\""),
        "{text}"
    );
    assert!(
        text.contains("parameter bass of the program is not declared"),
        "{text}"
    );
    let text = disagreement("name: \"base\" bitwidth: 64", "name: \"base\" bitwidth: 63");
    assert!(
        text.contains("parameter base has 63 bits in the program"),
        "{text}"
    );
    let text = disagreement("scope: DEFAULT_ONLY", "");
    assert!(text.contains("table Ingress.group: action NoAction of the program is not declared"));
}

#[test]
fn shapes_are_constants() {
    const SHAPE: TableShape = TableShape::of::<Access>();
    assert_eq!(SHAPE.fields[1].kind, MatchKind::Range);
    assert_eq!(
        SHAPE.actions[0].params[0],
        ParamShape {
            name: "port",
            bits: 9
        }
    );
}

proptest! {
    #[test]
    fn decode_undoes_encode(
        (value, mask, low, high) in (0_u16..512, 0_u16..512, any::<u16>(), any::<u16>()),
        kind: Option<u8>,
        stamp: Option<(u16, u64)>,
        priority in 1..i32::MAX,
    ) {
        let key = AccessKey {
            port: Ternary { value: value & mask, mask },
            length: Range { low: low.min(high), high: low.max(high) },
            kind,
        };
        let action = match stamp {
            Some((port, base)) => AccessAction::Stamp { port: port % 512, base },
            None => AccessAction::Nothing {},
        };
        let entry = Entry::<Access> { key, action, priority };
        let table = BoundTable::<Access>::new(&program()).unwrap();
        prop_assert_eq!(table.decode(&table.encode(&entry).unwrap()), Ok(entry));
    }

    #[test]
    fn addresses_are_values(mac: [u8; 6], ip: u32, flag: bool) {
        prop_assert_eq!(<[u8; 6]>::from_bits(mac.to_bits()), Some(mac));
        let ip = Ipv4Addr::from(ip);
        prop_assert_eq!(<Ipv4Addr as FieldValue>::from_bits(FieldValue::to_bits(ip)), Some(ip));
        prop_assert_eq!(bool::from_bits(flag.to_bits()), Some(flag));
        prop_assert_eq!(<[u8; 6]>::from_bits(1 << 48), None);
    }
}
