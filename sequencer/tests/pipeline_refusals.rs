//! What the loader says of a program: what it offers, or why it is refused.
#![allow(
    clippy::unwrap_used,
    reason = "test code, also outside of functions marked as tests"
)]

use sequencer::pipeline::{LoadError, MatchKind, Switch};
use serde_json::Value;

const JSON: &[u8] = include_bytes!("pipeline_programs/constructs.json");

#[test]
fn the_program_tells_what_it_offers() {
    let switch = Switch::load(JSON).unwrap();
    let info = switch.program();
    let tables: Vec<_> = info
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .collect();
    assert_eq!(
        tables,
        [
            "In.by_prefix",
            "In.by_priority",
            "In.by_wide",
            "In.by_constant"
        ]
    );
    let kinds = |table: usize| -> Vec<_> {
        info.tables[table]
            .key
            .iter()
            .map(|field| (field.width, field.kind))
            .collect()
    };
    assert_eq!(kinds(0), [(16, MatchKind::Exact), (32, MatchKind::Lpm)]);
    assert_eq!(
        kinds(1),
        [
            (16, MatchKind::Range),
            (8, MatchKind::Ternary),
            (8, MatchKind::Ternary)
        ]
    );
    assert!(
        info.tables[0].counts && !info.tables[0].needs_priority && info.tables[1].needs_priority
    );
    assert_eq!(info.registers[0].width, 128);
}

/// What is not implemented is refused by name and place, each in a program that is fine otherwise.
#[test]
fn refusals_name_construct_and_place() {
    let said = |change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_slice(JSON).unwrap();
        change(&mut document);
        Switch::load(&serde_json::to_vec(&document).unwrap())
            .unwrap_err()
            .to_string()
    };
    let not = "is not implemented by this switch";
    assert_eq!(
        said(&|program| program["header_stacks"] = serde_json::json!([{"name": "vlan"}])),
        format!(".header_stacks[0]: a header stack {not}")
    );
    assert_eq!(
        said(&|program| program["learn_lists"] = serde_json::json!([{"name": "learn"}])),
        format!(".learn_lists[0]: a digest {not}")
    );
    assert_eq!(
        said(&|program| program["actions"][5]["primitives"][0]["op"] = "log_msg".into()),
        format!(".actions[5].primitives[0].op: primitive `log_msg` {not}")
    );
    assert_eq!(
        said(&|program| program["pipelines"][0]["tables"][10]["type"] = "indirect".into()),
        format!(".pipelines[0].tables[10].type: a table of type `indirect` {not}")
    );
    assert_eq!(
        said(&|program| program["pipelines"][0]["tables"][10]["support_timeout"] = true.into()),
        format!(".pipelines[0].tables[10].support_timeout: an idle timeout {not}")
    );
    assert_eq!(
        said(&|program| program["header_types"][2]["fields"][0][1] = "*".into()),
        format!(".header_types[2].fields[0][1]: field `kind` of variable length (varbit) {not}")
    );
    assert_eq!(
        said(&|program| program["header_types"][2]["fields"][0][2] = true.into()),
        format!(".header_types[2].fields[0]: a signed field {not}")
    );
    assert_eq!(
        said(&|program| program["novelty"] = 1.into()),
        format!(".novelty: member `novelty` {not}")
    );
    assert_eq!(
        said(&|program| program["register_arrays"][0]["size"] = 1_000_000_000.into()),
        ".register_arrays[0].size: the size of a register is 1000000000, at most 4194304 is allowed"
    );
    assert_eq!(
        said(&|program| program["parsers"][0]["init_state"] = "nowhere".into()),
        ".parsers[0].init_state: no parser state `nowhere`"
    );
    assert_eq!(
        said(&|program| {
            program["parsers"][0]["parse_states"][4]["transitions"][0]["next_state"] =
                "kind".into();
        }),
        format!(".parsers[0].parse_states: a loop of parser states {not}")
    );
    assert!(matches!(Switch::load(b"{"), Err(LoadError::NotJson(_))));
}
