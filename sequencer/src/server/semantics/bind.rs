//! Whether a P4Info and a compiled program are the same program.
//!
//! Objects are found by their full names. Fields and parameters go by their place, since `@name`
//! may give them one name here and another there; kinds and widths must agree.

use p4runtime::P4Info;
use p4runtime::p4info::{MatchKind as InfoKind, Table};

use crate::pipeline::{ActionInfo, MatchKind, ProgramInfo, TableInfo};

/// Says what differs first; none if nothing does. Objects of the program that the P4Info leaves
/// out are fine: nobody can name them.
pub(super) fn disagreement(info: &P4Info, program: &ProgramInfo) -> Option<String> {
    let message = info.message();
    let refused = [
        ("action profile", message.action_profiles.len()),
        ("meter", message.meters.len() + message.direct_meters.len()),
        ("digest", message.digests.len()),
        ("value set", message.value_sets.len()),
        ("extern", message.externs.len()),
    ];
    if let Some((kind, count)) = refused.into_iter().find(|(_, count)| *count > 0) {
        return Some(format!(
            "p4info has {count} {kind}s, which this switch does not implement"
        ));
    }
    info.tables()
        .iter()
        .find_map(|table| match program.table(&table.name) {
            Some(compiled) => table_disagreement(info, table, compiled),
            None => Some(format!(
                "p4info has table {}, the program does not",
                table.name
            )),
        })
        .or_else(|| cells_disagreement(info, program))
}

fn table_disagreement(info: &P4Info, table: &Table, compiled: &TableInfo) -> Option<String> {
    let name = &table.name;
    if table.match_fields.len() != compiled.key.len() {
        let (here, there) = (table.match_fields.len(), compiled.key.len());
        return Some(format!(
            "table {name} has {here} fields in p4info, {there} in the program"
        ));
    }
    for (field, compiled) in table.match_fields.iter().zip(&compiled.key) {
        let what = || format!("field {} of table {name}", field.name);
        if field.bitwidth != u32::from(compiled.width) {
            let (here, there) = (field.bitwidth, compiled.width);
            return Some(format!(
                "{} has {here} bits in p4info, {there} in the program",
                what()
            ));
        }
        if !kinds_agree(field.kind, compiled.kind) {
            let (here, there) = (field.kind, compiled.kind);
            return Some(format!(
                "{} is {here} in p4info, {there} in the program",
                what()
            ));
        }
    }
    if table.needs_priority() != compiled.needs_priority {
        return Some(format!(
            "p4info and program differ on whether {name} has priorities"
        ));
    }
    if table.direct_counter.is_some() != compiled.counts {
        return Some(format!(
            "p4info and program differ on whether {name} has a direct counter"
        ));
    }
    table
        .actions
        .iter()
        .filter_map(|action| info.action_by_id(action.id))
        .find_map(|action| {
            let found = compiled
                .actions
                .iter()
                .find(|compiled| compiled.name == action.name);
            match found {
                Some(compiled) => action_disagreement(action, compiled),
                None => Some(format!(
                    "table {name} has action {} only in p4info",
                    action.name
                )),
            }
        })
}

fn action_disagreement(
    action: &p4runtime::p4info::Action,
    compiled: &ActionInfo,
) -> Option<String> {
    let here: Vec<u32> = action.params.iter().map(|param| param.bitwidth).collect();
    let there: Vec<u32> = compiled
        .parameters
        .iter()
        .map(|param| param.width.into())
        .collect();
    (here != there).then(|| {
        let name = &action.name;
        format!("action {name} has parameters of {here:?} bits in p4info, {there:?} in the program")
    })
}

fn cells_disagreement(info: &P4Info, program: &ProgramInfo) -> Option<String> {
    let of_register = |register: &p4runtime::p4info::Register| {
        let name = &register.name;
        let Some(compiled) = program
            .registers
            .iter()
            .find(|compiled| compiled.name == *name)
        else {
            return Some(format!("p4info has register {name}, the program does not"));
        };
        let here = (
            register.bitwidth.unwrap_or(compiled.width.into()),
            register.size,
        );
        let there = (compiled.width.into(), compiled.size.into());
        (here != there).then(|| {
            format!("register {name} is {here:?} in p4info, {there:?} (bits, cells) in the program")
        })
    };
    let of_counter = |counter: &p4runtime::p4info::Counter| {
        let name = &counter.name;
        let Some(compiled) = program
            .counters
            .iter()
            .find(|compiled| compiled.name == *name)
        else {
            return Some(format!("p4info has counter {name}, the program does not"));
        };
        let (here, there) = (counter.size, u64::from(compiled.size));
        (here != there)
            .then(|| format!("counter {name} has {here} cells in p4info, {there} in the program"))
    };
    info.registers()
        .iter()
        .find_map(of_register)
        .or_else(|| info.counters().iter().find_map(of_counter))
}

fn kinds_agree(here: InfoKind, there: MatchKind) -> bool {
    matches!(
        (here, there),
        (InfoKind::Exact, MatchKind::Exact)
            | (InfoKind::Lpm, MatchKind::Lpm)
            | (InfoKind::Ternary, MatchKind::Ternary)
            | (InfoKind::Range, MatchKind::Range)
            // p4c compiles an optional field as a ternary one whose mask is all or nothing.
            | (InfoKind::Optional, MatchKind::Optional | MatchKind::Ternary)
    )
}
