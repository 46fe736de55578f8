//! The declared tables against the compiled program, and rules there and back.

use std::sync::LazyLock;

use super::*;
use crate::rule::Stage;
use p4runtime::v1::entity::Entity as Kind;
use p4runtime::v1::packet_replication_engine_entry::Type as Replication;
use proptest::prelude::*;

const INFO: &str = include_str!("../../../p4/built/root.p4info.txtpb");

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| {
        let info = P4Info::from_text(INFO).expect("P4Info");
        Tables::bind(&info).expect("the declarations fit")
    });
    &TABLES
}

#[test]
fn every_disagreement_with_the_program_is_listed() {
    let changes = [
        ("name: \"member_count\"", "name: \"members\""),
        (
            "name: \"standard_metadata.egress_rid\"\n    bitwidth: 16",
            "name: \"standard_metadata.egress_rid\"\n    bitwidth: 12",
        ),
        ("match_type: LPM", "match_type: TERNARY"),
        (
            "name: \"RootIngress.neighbour.neighbour\"",
            "name: \"RootIngress.neighbour.neighbor\"",
        ),
        (
            "name: \"RootIngress.admit.fabric\"",
            "name: \"RootIngress.admit.switch\"",
        ),
    ];
    let mut text = INFO.replace("alias: \"neighbour\"", "alias: \"neighbor\"");
    text = text.replace("alias: \"fabric\"", "alias: \"switch\"");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let info = P4Info::from_text(&text).expect("P4Info");
    let error = Tables::bind(&info)
        .expect_err("five things changed")
        .to_string();
    for part in [
        "member_count",
        "parameter members of the program is not declared",
        "field standard_metadata.egress_rid has 12 bits in the program, but is declared with 16",
        "field hdr.ipv4.dst_addr is ternary in the program, but declared lpm",
        "RootIngress.neighbour.neighbour",
        "RootIngress.admit.fabric",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

fn any_mac() -> impl Strategy<Value = MacAddress> {
    any::<[u8; 6]>().prop_map(MacAddress)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let role = prop_oneof![Just(PortRole::Host), Just(PortRole::Fabric)];
    let port = 0_u16..512;
    let copy = (any::<u16>(), any::<u16>()).prop_map(|(port, replication_id)| MemberCopy {
        port,
        replication_id,
    });
    let group = (
        any::<Ipv4Addr>(),
        any::<(u32, u32, u32, u8, u64, u8, u16)>(),
    );
    prop_oneof![
        (port.clone(), role).prop_map(|(port, role)| Rule::Port { port, role }),
        (any::<Ipv4Addr>(), any_mac()).prop_map(|(ip, mac)| Rule::Neighbour { ip, mac }),
        (any::<Ipv4Addr>(), 0_u8..=32, port, any_mac()).prop_map(|(ip, length, port, next_hop)| {
            let prefix = Prefix::of(ip, u32::from(length)).expect("at most 32 bits");
            Rule::Route {
                network: prefix.value,
                length,
                port,
                next_hop,
            }
        }),
        (any::<(u16, Ipv4Addr, u16)>(), any_mac()).prop_map(|((replication_id, ip, port), mac)| {
            Rule::Member {
                replication_id,
                mac,
                ip,
                udp_port: port,
            }
        }),
        (any::<u16>(), proptest::collection::btree_set(copy, 0..5)).prop_map(
            |(multicast_group, copies)| Rule::Copies {
                multicast_group,
                copies
            }
        ),
        group.prop_map(
            |(address, (index, id, term, shift, base, members, copies))| {
                Rule::Group(GroupRule {
                    address,
                    register_index: index,
                    group: GroupId(id),
                    term: EpochNumber(term),
                    round_shift: shift,
                    round_base: RoundNumber(base),
                    member_count: members,
                    multicast_group: copies,
                })
            }
        ),
    ]
}

proptest! {
    #[test]
    fn rules_survive_the_switch(rule in any_rule()) {
        let tables = tables();
        let entity = tables.encode(&rule).expect("fits").and_then(|entity| entity.entity);
        let back = match entity.expect("is written") {
            Kind::TableEntry(entry) => {
                prop_assert!(rule.stage() != Stage::Copies);
                tables.decode(&entry).expect("own entry")
            }
            Kind::PacketReplicationEngineEntry(entry) => match entry.r#type {
                Some(Replication::MulticastGroupEntry(group)) => {
                    rule_of_multicast(&MulticastGroup::from_message(&group))
                }
                _ => None,
            },
            _ => None,
        };
        prop_assert_eq!(back, Some(rule));
    }
}

#[test]
fn a_port_that_no_switch_has_is_refused() {
    let rule = Rule::Port {
        port: 512,
        role: PortRole::Host,
    };
    let error = tables().encode(&rule).expect_err("nine bits").to_string();
    assert!(error.contains("does not fit into 9 bits"), "{error}");
}

#[test]
fn entries_that_are_never_written_are_no_rules() {
    let tables = tables();
    let key = NeighbourKey {
        ip: Ipv4Addr::LOCALHOST,
    };
    let entry = Entry::<NeighbourTable>::new(key, NeighbourAction::Unknown {});
    let message = tables.neighbour.encode(&entry).expect("entry");
    assert_eq!(tables.decode(&message), Ok(None));
    let other = v1::TableEntry {
        table_id: 1,
        ..Default::default()
    };
    tables
        .decode(&other)
        .expect_err("a table that the program does not have");
}
