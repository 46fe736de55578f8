//! Entities in words: which object, which key. For reports of writes that failed.

use std::fmt::{self, Write as _};

use crate::bytestring::{canonical, hex};
use crate::p4info::{P4Info, Table};
use crate::v1::{self, entity::Entity as Kind, field_match::FieldMatchType};

/// What an entity is, with the names of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The object, such as `table RootIngress.group`.
    pub object: String,
    /// The key within it, such as `hdr.ipv4.dst_addr=0xef4d0001`; empty where there is none.
    pub key: String,
}

impl fmt::Display for Description {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.object)?;
        if self.key.is_empty() {
            return Ok(());
        }
        write!(formatter, " [{}]", self.key)
    }
}

/// Says what `entity` is. Ids that the program does not have are shown as numbers.
pub fn describe(entity: &v1::Entity, info: &P4Info) -> Description {
    let named = |kind: &str, id: u32, key: String| Description {
        object: match info.name_of(id) {
            Some(name) => format!("{kind} {name}"),
            None => format!("{kind} with id {id}"),
        },
        key,
    };
    let index = |index: &Option<v1::Index>| match index {
        Some(index) => format!("index={}", index.index),
        None => "all".to_owned(),
    };
    let entry = |entry: &Option<v1::TableEntry>, kind: &str| {
        let entry = entry.clone().unwrap_or_default();
        named(kind, entry.table_id, table_key(&entry, info))
    };
    match &entity.entity {
        None => Description {
            object: "empty entity".to_owned(),
            key: String::new(),
        },
        Some(Kind::TableEntry(entry)) => named("table", entry.table_id, table_key(entry, info)),
        Some(Kind::DirectCounterEntry(direct)) => {
            entry(&direct.table_entry, "direct counter of table")
        }
        Some(Kind::DirectMeterEntry(direct)) => entry(&direct.table_entry, "direct meter of table"),
        Some(Kind::RegisterEntry(cell)) => named("register", cell.register_id, index(&cell.index)),
        Some(Kind::CounterEntry(cell)) => named("counter", cell.counter_id, index(&cell.index)),
        Some(Kind::MeterEntry(cell)) => named("meter", cell.meter_id, index(&cell.index)),
        Some(Kind::DigestEntry(digest)) => named("digest", digest.digest_id, String::new()),
        Some(Kind::ActionProfileMember(member)) => {
            let key = format!("member={}", member.member_id);
            named("action profile", member.action_profile_id, key)
        }
        Some(Kind::ActionProfileGroup(group)) => {
            let key = format!("group={}", group.group_id);
            named("action profile", group.action_profile_id, key)
        }
        Some(Kind::ValueSetEntry(set)) => named("value set", set.value_set_id, String::new()),
        Some(Kind::ExternEntry(instance)) => named("extern", instance.extern_id, String::new()),
        Some(Kind::PacketReplicationEngineEntry(entry)) => replication(entry),
    }
}

fn replication(entry: &v1::PacketReplicationEngineEntry) -> Description {
    use v1::packet_replication_engine_entry::Type;
    let (object, key) = match &entry.r#type {
        Some(Type::MulticastGroupEntry(group)) => (
            "multicast group",
            format!("id={}", group.multicast_group_id),
        ),
        Some(Type::CloneSessionEntry(session)) => {
            ("clone session", format!("id={}", session.session_id))
        }
        None => ("empty packet replication engine entry", String::new()),
    };
    Description {
        object: object.to_owned(),
        key,
    }
}

fn table_key(entry: &v1::TableEntry, info: &P4Info) -> String {
    if entry.is_default_action {
        return "default action".to_owned();
    }
    let table = info.table_by_id(entry.table_id);
    let mut text = String::new();
    for field in &entry.r#match {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let name = table.and_then(|table: &Table| table.match_field(field.field_id));
        // Writing to a string cannot fail.
        let _ = match name {
            Some(name) => write!(text, "{}", name.name),
            None => write!(text, "field {}", field.field_id),
        };
        pattern(field, &mut text);
    }
    if entry.priority != 0 {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}priority={}", entry.priority);
    }
    text
}

fn pattern(field: &v1::FieldMatch, text: &mut String) {
    let number = |bytes: &[u8]| format!("0x{}", hex(canonical(bytes)));
    // Writing to a string cannot fail.
    let _ = match &field.field_match_type {
        Some(FieldMatchType::Exact(exact)) => write!(text, "={}", number(&exact.value)),
        Some(FieldMatchType::Optional(optional)) => write!(text, "={}", number(&optional.value)),
        Some(FieldMatchType::Lpm(lpm)) => {
            write!(text, "={}/{}", number(&lpm.value), lpm.prefix_len)
        }
        Some(FieldMatchType::Ternary(ternary)) => {
            write!(
                text,
                "={} &&& {}",
                number(&ternary.value),
                number(&ternary.mask)
            )
        }
        Some(FieldMatchType::Range(range)) => {
            write!(text, "={}..={}", number(&range.low), number(&range.high))
        }
        Some(FieldMatchType::Other(_)) => write!(text, "=(other)"),
        None => write!(text, "=(nothing)"),
    };
}
