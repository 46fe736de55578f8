//! Loads a small program written here, and the programs that p4c compiled where they are built.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use prost::Message as _;

use super::*;

/// One table of each match kind, an action with parameters, a register, counters, a header.
pub(crate) const PROGRAM: &str = r#"
# a comment
pkg_info { arch: "v1model" name: "small.p4" doc { brief: "a \"small\" program" } }
tables {
  preamble { id: 33554433 name: "Ingress.group" alias: "group" annotations: "@brief(\"x\")" }
  match_fields { id: 1 name: "hdr.ipv4.dst_addr" bitwidth: 32 match_type: EXACT }
  action_refs { id: 16777217 }
  action_refs { id: 16777218 annotations: "@defaultonly" scope: DEFAULT_ONLY }
  const_default_action_id: 16777218
  initial_default_action { action_id: 16777218 }
  direct_resource_ids: 318767105
  size: 4
}
tables {
  preamble { id: 33554434 name: "Ingress.acl" alias: "acl" }
  match_fields { id: 1 name: "port" bitwidth: 9 match_type: TERNARY type_name { name: "port_t" } }
  match_fields { id: 2 name: "length" bitwidth: 16 match_type: RANGE }
  match_fields { id: 3 name: "kind" bitwidth: 8 match_type: OPTIONAL }
  action_refs { id: 16777217 scope: TABLE_ONLY }
  action_refs { id: 16777218 }
  size: 8
}
tables {
  preamble { id: 33554435 name: "Ingress.forward" alias: "forward" }
  match_fields { id: 1 name: "hdr.ipv4.dst_addr" bitwidth: 32 match_type: LPM }
  action_refs { id: 16777218 }
}
actions {
  preamble { id: 16777217 name: "Ingress.stamp" alias: "stamp" }
  params { id: 1 name: "port" bitwidth: 9 }
  params { id: 2 name: "base" bitwidth: 64 }
}
actions { preamble { id: 16777218 name: "NoAction" alias: "NoAction" } }
counters {
  preamble { id: 301989889 name: "Ingress.drops" alias: "drops" }
  spec { unit: PACKETS } size: 32 index_type_name { name: "drop_t" }
}
direct_counters {
  preamble { id: 318767105 name: "Ingress.hits" alias: "hits" }
  spec { unit: BOTH } direct_table_id: 33554433
}
controller_packet_metadata {
  preamble { id: 67108865 name: "packet_out" alias: "packet_out" }
  metadata { id: 1 name: "egress_port" bitwidth: 9 }
}
registers {
  preamble { id: 369098753 name: "Ingress.sequence" alias: "sequence" }
  type_spec { bitstring { bit { bitwidth: 64 } } } size: 16
}
digests { preamble { id: 385875969 name: "seen_t" alias: "seen_t" } type_spec { struct { name: "seen_t" } } }
type_info {
  structs { key: "seen_t" value { members { name: "a" type_spec { bitstring { bit { bitwidth: 8 } } } } } }
  new_types { key: "port_t" value { translated_type { uri: "p" sdn_bitwidth: 32 } } }
}
"#;

pub(crate) fn program() -> P4Info {
    P4Info::from_text(PROGRAM).unwrap()
}

fn built() -> impl Iterator<Item = PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../p4/built");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("p4info.txtpb"))
}

#[test]
fn every_built_program_loads_from_text_and_bytes() {
    for path in built() {
        let info = P4Info::load(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(!info.tables().is_empty(), "{path:?} has tables");
        let bytes = info.message().encode_to_vec();
        assert_eq!(P4Info::from_bytes(&bytes).unwrap(), info);
    }
}

#[test]
fn objects_have_their_shape() {
    let info = program();
    let group = info.table("group").unwrap();
    assert_eq!(group.name, "Ingress.group");
    assert_eq!(info.table("Ingress.group").unwrap(), group);
    assert_eq!(group.match_fields[0].kind, MatchKind::Exact);
    assert_eq!(group.match_fields[0].bitwidth, 32);
    assert_eq!(group.const_default_action, Some(16_777_218));
    assert_eq!(group.direct_counter, Some(318_767_105));
    assert_eq!(group.direct_meter, None);
    assert_eq!(group.size, 4);
    assert!(!group.needs_priority());
    assert_eq!(
        group.action_ref(16_777_218).unwrap().scope,
        ActionScope::DefaultOnly
    );
    let acl = info.table("acl").unwrap();
    assert!(acl.needs_priority());
    assert_eq!(acl.direct_counter, None);
    let kinds: Vec<_> = acl.match_fields.iter().map(|field| field.kind).collect();
    assert_eq!(
        kinds,
        [MatchKind::Ternary, MatchKind::Range, MatchKind::Optional]
    );
    let stamp = info.action("stamp").unwrap();
    assert_eq!(
        stamp.params[1],
        Param {
            id: 2,
            name: "base".to_owned(),
            bitwidth: 64
        }
    );
    let register = info.register("sequence").unwrap();
    assert_eq!((register.bitwidth, register.size), (Some(64), 16));
    let counter = info.counter("drops").unwrap();
    assert_eq!((counter.unit, counter.size), (CounterUnit::Packets, 32));
    assert_eq!(info.direct_counters()[0].table, group.id);
    assert_eq!(
        info.packet_header("packet_out").unwrap().fields[0].bitwidth,
        9
    );
    assert_eq!(info.name_of(385_875_969), Some("seen_t"));
}

#[test]
fn unknown_name_lists_valid_ones_and_the_nearest() {
    let info = program();
    assert_eq!(
        info.table("gruop").unwrap_err().to_string(),
        "the program has no table \"gruop\", did you mean \"group\"? (valid: group, acl, forward)"
    );
    assert_eq!(
        info.register("zzz").unwrap_err().to_string(),
        "the program has no register \"zzz\" (valid: sequence)"
    );
    assert_eq!(
        info.packet_header("packet_in")
            .unwrap_err()
            .nearest
            .as_deref(),
        Some("packet_out"),
    );
}

fn refused(from: &str, to: &str) -> String {
    assert!(PROGRAM.contains(from));
    P4Info::from_text(&PROGRAM.replacen(from, to, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn text_is_parsed_strictly() {
    let message = refused("pkg_info {", "pkg_info { colour: 3");
    assert!(message.contains("colour"), "{message}");
}

#[test]
fn wrong_programs_are_refused() {
    assert_eq!(
        refused("id: 33554434", "id: 33554433"),
        "table Ingress.acl has id 33554433, which table Ingress.group has; ids are unique and not 0"
    );
    assert_eq!(
        refused("name: \"port\" bitwidth: 9", "name: \"port\" bitwidth: -9"),
        "field port of table Ingress.acl has bitwidth -9, valid is 1 to 65536"
    );
    assert_eq!(
        refused("match_type: LPM", "other_match_type: \"fuzzy\""),
        "field hdr.ipv4.dst_addr of table Ingress.forward is matched by fuzzy, known are exact, \
         lpm, ternary, range and optional"
    );
    assert_eq!(
        refused("action_refs { id: 16777217 }", "action_refs { id: 5 }"),
        "table Ingress.group uses action 5, which the p4info does not have"
    );
    assert_eq!(
        refused("params { id: 2", "params { id: 1"),
        "part of action Ingress.stamp has id 1, which another of its parts has; ids are unique \
         and not 0"
    );
}

#[test]
fn missing_file_is_named() {
    let error = P4Info::load(Path::new("/nowhere/x.p4info.txtpb")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read p4info /nowhere/x.p4info.txtpb"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
        let _ = P4Info::from_bytes(&bytes);
    }

    #[test]
    fn damaged_bytes_are_taken_or_refused(at: prop::sample::Index, byte: u8) {
        let mut bytes = program().message().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = P4Info::from_bytes(&bytes);
    }

    #[test]
    fn damaged_text_is_taken_or_refused(at: prop::sample::Index, byte in 0_u8..128) {
        let mut text = PROGRAM.as_bytes().to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        let _ = P4Info::from_text(std::str::from_utf8(&text).unwrap());
    }
}
