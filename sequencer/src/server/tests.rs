//! The server's tests: the pure parts one by one, then all of it over loopback with the client.

mod arbitration;
mod entries;
mod loopback;
mod pipeline;
mod random;
mod raw;
mod reads;
mod shell;
mod writes;

use std::path::{Path, PathBuf};

use p4runtime::v1::{self, entity::Entity as Kind, field_match, field_match::FieldMatchType};
use p4runtime::{Code, P4Info, bytestring, update_of};

use super::{Device, Failure, Pipeline};

pub(super) use v1::update::Type::{Delete, Insert, Modify};

/// The compiled `tests/kinds/kinds.p4`: one table of every sort.
pub(super) const KINDS_JSON: &[u8] = include_bytes!("tests/kinds/kinds.json");
pub(super) const KINDS_INFO: &str = include_str!("tests/kinds/kinds.p4info.txtpb");

pub(super) fn kinds_info() -> P4Info {
    P4Info::from_text(KINDS_INFO).unwrap()
}

pub(super) fn kinds() -> Pipeline {
    Pipeline::new(kinds_info(), KINDS_JSON.to_vec(), Some(77)).unwrap()
}

/// A file of `p4/built`, where the programs are compiled to.
pub(super) fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../p4/built")
        .join(name)
}

/// A device that runs `kinds.p4`, and short ways to ask things of it.
pub(super) struct Bench {
    pub(super) device: Device,
    pub(super) info: P4Info,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            device: Device::with_pipeline(kinds()),
            info: kinds_info(),
        }
    }

    /// Makes one update and returns the code it got.
    pub(super) fn code(&mut self, kind: v1::update::Type, entity: impl Into<v1::Entity>) -> Code {
        self.try_write(kind, entity)
            .map_or_else(|failure| failure.code, |()| Code::Ok)
    }

    pub(super) fn write(&mut self, kind: v1::update::Type, entity: impl Into<v1::Entity>) {
        self.try_write(kind, entity).unwrap();
    }

    pub(super) fn try_write(
        &mut self,
        kind: v1::update::Type,
        entity: impl Into<v1::Entity>,
    ) -> Result<(), Failure> {
        let mut results = self.device.write_each(&[update_of(kind, entity)]).unwrap();
        results.remove(0)
    }

    pub(super) fn read(&self, filter: impl Into<v1::Entity>) -> Result<Vec<v1::Entity>, Failure> {
        self.device.read_one(&filter.into())
    }

    pub(super) fn read_table(&self, filter: v1::TableEntry) -> Vec<v1::TableEntry> {
        let entities = self.read(filter).unwrap();
        let entries = entities.into_iter().map(|entity| match entity.entity {
            Some(Kind::TableEntry(entry)) => entry,
            other => panic!("not a table entry: {other:?}"),
        });
        entries.collect()
    }

    pub(super) fn table(&self, name: &str) -> u32 {
        self.info.table(name).unwrap().id
    }

    /// An entry by the name of its table.
    pub(super) fn entry(
        &self,
        table: &str,
        matches: Vec<v1::FieldMatch>,
        action: v1::TableAction,
    ) -> v1::TableEntry {
        v1::TableEntry {
            table_id: self.table(table),
            r#match: matches,
            action: Some(action),
            ..Default::default()
        }
    }

    /// An action by name with its arguments in order.
    pub(super) fn action(&self, name: &str, arguments: &[u128]) -> v1::TableAction {
        let action = self.info.action(name).unwrap();
        let params = action
            .params
            .iter()
            .zip(arguments)
            .map(|(param, value)| v1::action::Param {
                param_id: param.id,
                value: bytestring::encode(*value),
            });
        let action = v1::Action {
            action_id: action.id,
            params: params.collect(),
        };
        v1::TableAction {
            r#type: Some(v1::table_action::Type::Action(action)),
        }
    }

    /// An entry of `by_value`.
    pub(super) fn by_value(&self, address: u128) -> v1::TableEntry {
        self.entry(
            "by_value",
            vec![exact(1, address)],
            self.action("to_port", &[3, 1 << 100]),
        )
    }

    /// An entry of `by_mask` that gives all four fields.
    pub(super) fn by_mask(&self) -> v1::TableEntry {
        let matches = vec![
            ternary(1, 0x0100_0000_0000, 0xff00_0000_0000),
            exact(2, 5),
            range(3, 0x600, 0x800),
            optional(4, 0x0a0b_0c0d_0e0f),
        ];
        let action = self.action("to_port", &[510, 0]);
        v1::TableEntry {
            priority: 10,
            ..self.entry("by_mask", matches, action)
        }
    }
}

fn field(field_id: u32, kind: FieldMatchType) -> v1::FieldMatch {
    v1::FieldMatch {
        field_id,
        field_match_type: Some(kind),
    }
}

pub(super) fn exact(id: u32, value: u128) -> v1::FieldMatch {
    let value = bytestring::encode(value);
    field(id, FieldMatchType::Exact(field_match::Exact { value }))
}

pub(super) fn optional(id: u32, value: u128) -> v1::FieldMatch {
    let value = bytestring::encode(value);
    field(
        id,
        FieldMatchType::Optional(field_match::Optional { value }),
    )
}

pub(super) fn ternary(id: u32, value: u128, mask: u128) -> v1::FieldMatch {
    let (value, mask) = (bytestring::encode(value), bytestring::encode(mask));
    field(
        id,
        FieldMatchType::Ternary(field_match::Ternary { value, mask }),
    )
}

pub(super) fn range(id: u32, low: u128, high: u128) -> v1::FieldMatch {
    let (low, high) = (bytestring::encode(low), bytestring::encode(high));
    field(id, FieldMatchType::Range(field_match::Range { low, high }))
}

pub(super) fn lpm(id: u32, value: u128, prefix_len: i32) -> v1::FieldMatch {
    let value = bytestring::encode(value);
    field(
        id,
        FieldMatchType::Lpm(field_match::Lpm { value, prefix_len }),
    )
}

/// A group whose ports are numbers.
pub(super) fn group(id: u32, replicas: &[(u32, u32)]) -> v1::Entity {
    let replicas = replicas.iter().map(|(port, instance)| v1::Replica {
        port_kind: Some(v1::replica::PortKind::EgressPort(*port)),
        instance: *instance,
        backup_replicas: Vec::new(),
    });
    p4runtime::entity_of_group(v1::MulticastGroupEntry {
        multicast_group_id: id,
        replicas: replicas.collect(),
        metadata: Vec::new(),
    })
}

pub(super) fn register(id: u32, index: Option<i64>, value: &[u8]) -> v1::Entity {
    let data = v1::p4_data::Data::Bitstring(value.to_vec());
    let entry = v1::RegisterEntry {
        register_id: id,
        index: index.map(|index| v1::Index { index }),
        data: Some(v1::P4Data { data: Some(data) }),
    };
    Kind::RegisterEntry(entry).into()
}

pub(super) fn counter(id: u32, index: Option<i64>, data: Option<(i64, i64)>) -> v1::Entity {
    let entry = v1::CounterEntry {
        counter_id: id,
        index: index.map(|index| v1::Index { index }),
        data: data.map(|(packet_count, byte_count)| v1::CounterData {
            byte_count,
            packet_count,
        }),
    };
    Kind::CounterEntry(entry).into()
}
