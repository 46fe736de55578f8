//! Whatever comes in, the server's meaning of it never panics, and what is in the device can be
//! said again.

use std::sync::LazyLock;

use p4runtime::v1::{self, entity::Entity as Kind};
use p4runtime::{ElectionId, update_of};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::server::{Core, StreamId};

const DEVICE: u64 = 1;

/// A server whose stream 1 is the primary.
fn core() -> Core {
    static READY: LazyLock<Core> = LazyLock::new(|| {
        let mut core = Core::new(DEVICE, Device::with_pipeline(kinds()));
        let update = v1::MasterArbitrationUpdate {
            device_id: DEVICE,
            election_id: Some(ElectionId(1).into()),
            ..Default::default()
        };
        let update = v1::stream_message_request::Update::Arbitration(update);
        let message = v1::StreamMessageRequest {
            update: Some(update),
        };
        assert_eq!(core.on_stream(StreamId(1), message).unwrap().len(), 1);
        core
    });
    READY.clone()
}

/// One valid update of each sort.
fn updates(bench: &Bench) -> Vec<v1::Update> {
    let narrow = bench.info.register("narrow").unwrap().id;
    let seen = bench.info.counter("seen").unwrap().id;
    let mut counted = bench.by_value(2);
    counted.counter_data = Some(v1::CounterData {
        byte_count: 1,
        packet_count: 2,
    });
    let direct = v1::DirectCounterEntry {
        table_entry: Some(counted.clone()),
        data: counted.counter_data,
    };
    let prefix = bench.entry(
        "by_prefix",
        vec![lpm(1, 0x0a00_0000_0000, 8)],
        bench.action("drop", &[]),
    );
    let default = v1::TableEntry {
        is_default_action: true,
        ..bench.entry("by_prefix", Vec::new(), bench.action("drop", &[]))
    };
    vec![
        update_of(Insert, bench.by_value(1)),
        update_of(Insert, counted),
        update_of(Insert, bench.by_mask()),
        update_of(Insert, prefix),
        update_of(Modify, default),
        update_of(Modify, Kind::DirectCounterEntry(direct)),
        update_of(Insert, group(3, &[(1, 1), (2, 2)])),
        update_of(Modify, register(narrow, Some(1), &[7])),
        update_of(Modify, counter(seen, Some(1), Some((1, 2)))),
    ]
}

fn write_request(updates: Vec<v1::Update>) -> v1::WriteRequest {
    v1::WriteRequest {
        device_id: DEVICE,
        election_id: Some(ElectionId(1).into()),
        updates,
        ..Default::default()
    }
}

/// All that can be read.
fn everything() -> v1::ReadRequest {
    let all = [
        v1::TableEntry::default().into(),
        Kind::DirectCounterEntry(v1::DirectCounterEntry::default()).into(),
        group(0, &[]),
        register(0, None, &[]),
        counter(0, None, None),
    ];
    v1::ReadRequest {
        device_id: DEVICE,
        entities: all.to_vec(),
        ..Default::default()
    }
}

/// Everything reads, and every entry and group can be written to an empty device.
fn check(core: &Core) {
    let (entities, result) = core.read(&everything());
    assert_eq!(result, Ok(()));
    let again = entities
        .into_iter()
        .filter_map(|entity| match &entity.entity {
            Some(Kind::TableEntry(entry)) if !entry.is_const => Some(update_of(Insert, entity)),
            Some(Kind::PacketReplicationEngineEntry(_)) => Some(update_of(Insert, entity)),
            _ => None,
        });
    let request = write_request(again.collect());
    let mut fresh = self::core();
    assert_eq!(fresh.write(&request), Ok(()), "{request:?}");
}

/// Damage to an encoded message: bytes overwritten, inserted, cut.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..4)
}

fn damaged(mut bytes: Vec<u8>, damage: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, byte, how) in damage {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => drop(bytes.remove(at)),
            _ => bytes[at] ^= 1 << (byte & 7),
        }
    }
    bytes
}

fn match_field() -> impl Strategy<Value = v1::FieldMatch> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let kind = prop_oneof![
        bytes().prop_map(|value| FieldMatchType::Exact(field_match::Exact { value })),
        bytes().prop_map(|value| FieldMatchType::Optional(field_match::Optional { value })),
        (bytes(), -2..140_i32).prop_map(|(value, prefix_len)| {
            FieldMatchType::Lpm(field_match::Lpm { value, prefix_len })
        }),
        (bytes(), bytes()).prop_map(|(value, mask)| {
            FieldMatchType::Ternary(field_match::Ternary { value, mask })
        }),
        (bytes(), bytes())
            .prop_map(|(low, high)| FieldMatchType::Range(field_match::Range { low, high })),
    ];
    (0_u32..6, prop::option::of(kind)).prop_map(|(field_id, field_match_type)| v1::FieldMatch {
        field_id,
        field_match_type,
    })
}

fn action(ids: Vec<u32>) -> impl Strategy<Value = v1::TableAction> {
    let value = prop::collection::vec(any::<u8>(), 0..20);
    let param =
        (0_u32..4, value).prop_map(|(param_id, value)| v1::action::Param { param_id, value });
    (
        prop::sample::select(ids),
        prop::collection::vec(param, 0..3),
    )
        .prop_map(|(action_id, params)| {
            let action = v1::Action { action_id, params };
            v1::TableAction {
                r#type: Some(v1::table_action::Type::Action(action)),
            }
        })
}

/// Entries with ids of the program and the rest at random.
fn table_entry() -> impl Strategy<Value = v1::TableEntry> {
    let info = kinds_info();
    let tables: Vec<u32> = info
        .tables()
        .iter()
        .map(|table| table.id)
        .chain([0])
        .collect();
    let actions: Vec<u32> = info
        .actions()
        .iter()
        .map(|action| action.id)
        .chain([0])
        .collect();
    (
        prop::sample::select(tables),
        prop::collection::vec(match_field(), 0..5),
        prop::option::of(action(actions)),
        prop_oneof![Just(0), Just(1), any::<i32>()],
        prop::bool::weighted(0.2),
        prop::option::of((any::<i64>(), any::<i64>())),
    )
        .prop_map(
            |(table_id, r#match, action, priority, is_default_action, counter)| {
                let counter_data = counter.map(|(byte_count, packet_count)| v1::CounterData {
                    byte_count,
                    packet_count,
                });
                v1::TableEntry {
                    table_id,
                    r#match,
                    action,
                    priority,
                    is_default_action,
                    counter_data,
                    ..Default::default()
                }
            },
        )
}

proptest! {
    #[test]
    fn any_bytes_as_any_request(bytes: Vec<u8>) {
        let mut core = core();
        if let Ok(request) = v1::WriteRequest::decode(bytes.as_slice()) {
            let _ = core.write(&request);
            let _ = core.device_mut().write(&request);
        }
        if let Ok(request) = v1::ReadRequest::decode(bytes.as_slice()) {
            let _ = core.read(&request);
            let _ = core.device().read(&request);
        }
        if let Ok(request) = v1::SetForwardingPipelineConfigRequest::decode(bytes.as_slice()) {
            let _ = core.set_pipeline(request);
        }
        if let Ok(request) = v1::GetForwardingPipelineConfigRequest::decode(bytes.as_slice()) {
            let _ = core.get_pipeline(request);
        }
        if let Ok(message) = v1::StreamMessageRequest::decode(bytes.as_slice()) {
            let _ = core.on_stream(StreamId(2), message);
        }
        check(&core);
    }

    #[test]
    fn damaged_writes(damage in damage(), kind in 0_i32..4) {
        let mut core = core();
        let mut updates = updates(&Bench::new());
        for update in updates.iter_mut().skip(1) {
            update.r#type = kind.max(1);
        }
        let _ = core.write(&write_request(updates.clone()));
        let bytes = damaged(write_request(updates).encode_to_vec(), &damage);
        if let Ok(request) = v1::WriteRequest::decode(bytes.as_slice()) {
            let _ = core.device_mut().write(&request);
        }
        check(&core);
    }

    #[test]
    fn damaged_reads(damage in damage()) {
        let mut core = core();
        core.write(&write_request(updates(&Bench::new()))).unwrap();
        let mut request = everything();
        let updates = updates(&Bench::new());
        request.entities.extend(updates.into_iter().filter_map(|update| update.entity));
        let bytes = damaged(request.encode_to_vec(), &damage);
        if let Ok(request) = v1::ReadRequest::decode(bytes.as_slice()) {
            let _ = core.device().read(&request);
        }
    }

    #[test]
    fn random_entries_in_any_order(
        entries in prop::collection::vec((table_entry(), 1_i32..4), 1..12),
    ) {
        let mut core = core();
        let updates = entries.into_iter().map(|(entry, kind)| v1::Update {
            r#type: kind,
            entity: Some(entry.into()),
        });
        let request = write_request(updates.collect());
        let _ = core.write(&request);
        check(&core);
        let filters = request.updates.into_iter().filter_map(|update| update.entity);
        let filters = v1::ReadRequest { entities: filters.collect(), ..Default::default() };
        let _ = core.device().read(&filters);
    }
}
