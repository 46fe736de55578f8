//! From the message to checked objects.

use std::collections::BTreeMap;

use super::{
    Action, ActionRef, ActionScope, Counter, CounterUnit, DirectCounter, MAX_BITWIDTH, MatchField,
    MatchKind, P4Info, P4InfoError, PacketHeader, Param, Register, Table,
};
use crate::config::{self, Preamble};

pub(super) fn build(message: config::P4Info) -> Result<P4Info, P4InfoError> {
    check_ids(&message)?;
    let actions = message
        .actions
        .iter()
        .map(action)
        .collect::<Result<Vec<_>, _>>()?;
    let tables = message
        .tables
        .iter()
        .map(|raw| table(raw, &message))
        .collect::<Result<Vec<_>, _>>()?;
    for table in &tables {
        let ids = table
            .actions
            .iter()
            .map(|action| action.id)
            .chain(table.const_default_action);
        for id in ids {
            if !actions.iter().any(|action: &Action| action.id == id) {
                return Err(P4InfoError::DanglingAction {
                    table: table.name.clone(),
                    id,
                });
            }
        }
    }
    let registers = message
        .registers
        .iter()
        .map(register)
        .collect::<Result<Vec<_>, _>>()?;
    let counters = message
        .counters
        .iter()
        .map(counter)
        .collect::<Result<Vec<_>, _>>()?;
    let direct_counters = message.direct_counters.iter().map(direct_counter).collect();
    let packet_headers = message
        .controller_packet_metadata
        .iter()
        .map(packet_header)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(P4Info {
        message,
        tables,
        actions,
        registers,
        counters,
        direct_counters,
        packet_headers,
    })
}

/// Every preamble of the message with the kind of its object.
pub(super) fn preambles(
    message: &config::P4Info,
) -> impl Iterator<Item = (&'static str, &Preamble)> {
    macro_rules! of {
        ($field:ident, $kind:literal) => {
            message
                .$field
                .iter()
                .filter_map(|object| object.preamble.as_ref())
                .map(|preamble| ($kind, preamble))
        };
    }
    of!(tables, "table")
        .chain(of!(actions, "action"))
        .chain(of!(action_profiles, "action profile"))
        .chain(of!(counters, "counter"))
        .chain(of!(direct_counters, "direct counter"))
        .chain(of!(meters, "meter"))
        .chain(of!(direct_meters, "direct meter"))
        .chain(of!(controller_packet_metadata, "controller header"))
        .chain(of!(value_sets, "value set"))
        .chain(of!(registers, "register"))
        .chain(of!(digests, "digest"))
}

fn check_ids(message: &config::P4Info) -> Result<(), P4InfoError> {
    let mut seen: BTreeMap<u32, String> = BTreeMap::new();
    for (kind, preamble) in preambles(message) {
        let fail = |other: String| P4InfoError::Id {
            kind,
            name: preamble.name.clone(),
            id: preamble.id,
            other,
        };
        if preamble.id == 0 {
            return Err(fail("no object".to_owned()));
        }
        if let Some(other) = seen.insert(preamble.id, format!("{kind} {}", preamble.name)) {
            return Err(fail(other));
        }
    }
    Ok(())
}

fn preamble(preamble: Option<&Preamble>) -> (u32, String, String) {
    let preamble = preamble.cloned().unwrap_or_default();
    let alias = if preamble.alias.is_empty() {
        preamble.name.clone()
    } else {
        preamble.alias
    };
    (preamble.id, preamble.name, alias)
}

fn bitwidth(bits: i32, what: impl FnOnce() -> String) -> Result<u32, P4InfoError> {
    u32::try_from(bits)
        .ok()
        .filter(|bits| (1..=MAX_BITWIDTH).contains(bits))
        .ok_or_else(|| P4InfoError::Number {
            what: what(),
            quantity: "bitwidth",
            value: bits.into(),
            valid: "1 to 65536",
        })
}

fn size(size: i64, what: impl FnOnce() -> String) -> Result<u64, P4InfoError> {
    u64::try_from(size).map_err(|_| P4InfoError::Number {
        what: what(),
        quantity: "size",
        value: size,
        valid: "0 or more",
    })
}

fn unique(ids: impl Iterator<Item = u32>, what: &str) -> Result<(), P4InfoError> {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if id == 0 || !seen.insert(id) {
            let other = if id == 0 {
                "nothing"
            } else {
                "another of its parts"
            };
            return Err(P4InfoError::Id {
                kind: "part of",
                name: what.to_owned(),
                id,
                other: other.to_owned(),
            });
        }
    }
    Ok(())
}

fn table(raw: &config::Table, message: &config::P4Info) -> Result<Table, P4InfoError> {
    let (id, name, alias) = preamble(raw.preamble.as_ref());
    let match_fields = raw
        .match_fields
        .iter()
        .map(|field| match_field(field, &name))
        .collect::<Result<Vec<_>, _>>()?;
    unique(
        match_fields.iter().map(|field| field.id),
        &format!("table {name}"),
    )?;
    let actions = raw.action_refs.iter().map(action_ref).collect();
    let is_direct = |id: &u32| raw.direct_resource_ids.contains(id);
    let id_of = |preamble: &Option<Preamble>| preamble.as_ref().map_or(0, |preamble| preamble.id);
    let mut counters = message
        .direct_counters
        .iter()
        .map(|counter| id_of(&counter.preamble));
    let mut meters = message
        .direct_meters
        .iter()
        .map(|meter| id_of(&meter.preamble));
    let (direct_counter, direct_meter) = (counters.find(is_direct), meters.find(is_direct));
    Ok(Table {
        id,
        match_fields,
        actions,
        const_default_action: some_id(raw.const_default_action_id),
        initial_default_action: raw.initial_default_action.clone(),
        size: size(raw.size, || format!("table {name}"))?,
        implementation: some_id(raw.implementation_id),
        direct_counter,
        direct_meter,
        is_const: raw.is_const_table,
        has_idle_timeout: raw.idle_timeout_behavior
            == i32::from(config::table::IdleTimeoutBehavior::NotifyControl),
        name,
        alias,
    })
}

fn some_id(id: u32) -> Option<u32> {
    (id != 0).then_some(id)
}

fn match_field(raw: &config::MatchField, table: &str) -> Result<MatchField, P4InfoError> {
    use config::match_field::{Match, MatchType};
    let what = || format!("field {} of table {table}", raw.name);
    let kind = match &raw.r#match {
        Some(Match::MatchType(number)) => match MatchType::try_from(*number) {
            Ok(MatchType::Exact) => Ok(MatchKind::Exact),
            Ok(MatchType::Lpm) => Ok(MatchKind::Lpm),
            Ok(MatchType::Ternary) => Ok(MatchKind::Ternary),
            Ok(MatchType::Range) => Ok(MatchKind::Range),
            Ok(MatchType::Optional) => Ok(MatchKind::Optional),
            Ok(MatchType::Unspecified) | Err(_) => Err(format!("kind number {number}")),
        },
        Some(Match::OtherMatchType(name)) => Err(name.clone()),
        None => Err("nothing".to_owned()),
    };
    Ok(MatchField {
        id: raw.id,
        name: raw.name.clone(),
        bitwidth: bitwidth(raw.bitwidth, what)?,
        kind: kind.map_err(|kind| P4InfoError::Kind { what: what(), kind })?,
    })
}

fn action_ref(raw: &config::ActionRef) -> ActionRef {
    use config::action_ref::Scope;
    let scope = match Scope::try_from(raw.scope) {
        Ok(Scope::DefaultOnly) => ActionScope::DefaultOnly,
        Ok(Scope::TableOnly) => ActionScope::TableOnly,
        // The group action of a selector matters only to action profiles, which are refused.
        Ok(Scope::TableAndDefault | Scope::GroupAction) | Err(_) => ActionScope::TableAndDefault,
    };
    ActionRef { id: raw.id, scope }
}

fn action(raw: &config::Action) -> Result<Action, P4InfoError> {
    let (id, name, alias) = preamble(raw.preamble.as_ref());
    let params = raw
        .params
        .iter()
        .map(|param| {
            let what = || format!("parameter {} of action {name}", param.name);
            let bitwidth = bitwidth(param.bitwidth, what)?;
            Ok(Param {
                id: param.id,
                name: param.name.clone(),
                bitwidth,
            })
        })
        .collect::<Result<Vec<_>, P4InfoError>>()?;
    unique(
        params.iter().map(|param| param.id),
        &format!("action {name}"),
    )?;
    Ok(Action {
        id,
        name,
        alias,
        params,
    })
}

fn register(raw: &config::Register) -> Result<Register, P4InfoError> {
    use config::p4_bitstring_like_type_spec::TypeSpec as Bits;
    use config::p4_data_type_spec::TypeSpec;
    let (id, name, alias) = preamble(raw.preamble.as_ref());
    let spec = raw
        .type_spec
        .as_ref()
        .and_then(|spec| spec.type_spec.as_ref());
    let bits = match spec {
        Some(TypeSpec::Bitstring(bits)) => match &bits.type_spec {
            Some(Bits::Bit(bit)) => Some(bit.bitwidth),
            _ => None,
        },
        _ => None,
    };
    let what = || format!("register {name}");
    let bitwidth = bits.map(|bits| bitwidth(bits, what)).transpose()?;
    let size = size(raw.size.into(), what)?;
    Ok(Register {
        id,
        name,
        alias,
        bitwidth,
        size,
    })
}

fn unit(spec: Option<&config::CounterSpec>) -> CounterUnit {
    use config::counter_spec::Unit;
    match spec.map(|spec| Unit::try_from(spec.unit)) {
        Some(Ok(Unit::Bytes)) => CounterUnit::Bytes,
        Some(Ok(Unit::Packets)) => CounterUnit::Packets,
        _ => CounterUnit::Both,
    }
}

fn counter(raw: &config::Counter) -> Result<Counter, P4InfoError> {
    let (id, name, alias) = preamble(raw.preamble.as_ref());
    let size = size(raw.size, || format!("counter {name}"))?;
    Ok(Counter {
        id,
        name,
        alias,
        unit: unit(raw.spec.as_ref()),
        size,
    })
}

fn direct_counter(raw: &config::DirectCounter) -> DirectCounter {
    let (id, name, alias) = preamble(raw.preamble.as_ref());
    let unit = unit(raw.spec.as_ref());
    DirectCounter {
        id,
        name,
        alias,
        unit,
        table: raw.direct_table_id,
    }
}

fn packet_header(raw: &config::ControllerPacketMetadata) -> Result<PacketHeader, P4InfoError> {
    let (id, name, _) = preamble(raw.preamble.as_ref());
    let fields = raw
        .metadata
        .iter()
        .map(|field| {
            let what = || format!("field {} of controller header {name}", field.name);
            let bitwidth = bitwidth(field.bitwidth, what)?;
            Ok(Param {
                id: field.id,
                name: field.name.clone(),
                bitwidth,
            })
        })
        .collect::<Result<Vec<_>, P4InfoError>>()?;
    unique(
        fields.iter().map(|field| field.id),
        &format!("controller header {name}"),
    )?;
    Ok(PacketHeader { id, name, fields })
}
