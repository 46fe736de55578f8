//! Nothing from outside makes the pipeline panic: no JSON, no frame.
#![allow(
    clippy::unwrap_used,
    reason = "test code, also outside of functions marked as tests"
)]

mod pipeline_common;

use pipeline_common::{
    Envelope, GroupEntry, Stamp, frame, install_group, root, root_json, udp_frame,
};
use proptest::prelude::*;
use proptest::sample::Index;
use sequencer::pipeline::{Copies, LoadError, MAX_FRAME_BYTES, PortNumber, Switch};
use serde_json::Value;

/// All places in a document, as JSON pointers.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, places: &mut Vec<String>) {
        places.push(at.to_owned());
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    walk(member, &format!("{at}/{key}"), places);
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    walk(item, &format!("{at}/{number}"), places);
                }
            }
            _ => {}
        }
    }
    let mut places = Vec::new();
    walk(value, "", &mut places);
    places
}

/// The program without the comments that p4c adds, which are most of it.
fn bare_root() -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("source_info");
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(&root_json()).unwrap();
    strip(&mut value);
    value
}

/// A change to one place.
#[derive(Clone, Debug)]
enum Change {
    Put(Value),
    /// Another place's value.
    CopyFrom(Index),
    Remove,
    Double,
}

fn changes() -> impl Strategy<Value = Change> {
    let numbers = prop_oneof![
        Just(0_i64),
        Just(-1),
        Just(1),
        Just(8),
        Just(9),
        Just(64),
        Just(65),
        Just(128),
        Just(129),
        Just(65_535),
        Just(1 << 31),
        Just(1 << 62),
        any::<i64>(),
    ];
    let words = prop_oneof![
        Just("0x0"),
        Just("-0x1"),
        Just("0xffffffffffffffffffffffffffffffff"),
        Just("0x"),
        Just("_jump"),
        Just("exit"),
        Just("lookahead"),
        Just("stack"),
        Just("ternary"),
        Just("lpm"),
        Just("range"),
        Just("field"),
        Just("<<"),
        Just("-"),
        Just("~"),
        Just("valid"),
        Just("usat_cast"),
        Just("register_write"),
        Just("$valid$"),
        Just("start"),
        Just("*"),
        Just("ethernet"),
        Just(""),
    ];
    prop_oneof![
        numbers.prop_map(|number| Change::Put(number.into())),
        words.prop_map(|word| Change::Put(word.into())),
        any::<bool>().prop_map(|truth| Change::Put(truth.into())),
        Just(Change::Put(Value::Null)),
        Just(Change::Put(Value::Array(Vec::new()))),
        any::<Index>().prop_map(Change::CopyFrom),
        Just(Change::Remove),
        Just(Change::Double),
    ]
}

fn apply(document: &mut Value, place: &str, change: Change, all: &[String]) {
    let (parent, last) = place.rsplit_once('/').unwrap_or(("", place));
    let copied = match change {
        Change::CopyFrom(from) => document.pointer(from.get::<String>(all)).cloned(),
        Change::Put(ref value) => Some(value.clone()),
        Change::Remove | Change::Double => None,
    };
    match (copied, change) {
        (Some(value), _) => {
            if let Some(at) = document.pointer_mut(place) {
                *at = value;
            }
        }
        (None, change) => match document.pointer_mut(parent) {
            Some(Value::Object(members)) if matches!(change, Change::Remove) => {
                members.remove(last);
            }
            Some(Value::Array(items)) => {
                let Ok(number) = last.parse::<usize>() else {
                    return;
                };
                if number < items.len() && matches!(change, Change::Remove) {
                    items.remove(number);
                } else if number < items.len() {
                    items.insert(number, items[number].clone());
                }
            }
            _ => {}
        },
    }
}

/// Some packets through a switch, whatever it is.
fn exercise(switch: &mut Switch) {
    let mut out = Copies::new();
    let packet = frame(&Envelope::to_group(1), &Stamp::unstamped(1, 2), b"payload");
    for length in [0, 13, 33, 60, packet.len()] {
        switch.process(u64::MAX, PortNumber(9), &packet[..length], &mut out);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_program_is_loaded_or_refused(
        wanted in prop::collection::vec((any::<Index>(), changes()), 1..4),
    ) {
        thread_local! {
            static ROOT: (Value, Vec<String>) = {
                let value = bare_root();
                let places = places(&value);
                (value, places)
            };
        }
        let mut document = ROOT.with(|(value, _)| value.clone());
        ROOT.with(|(_, all)| {
            for (place, change) in wanted {
                apply(&mut document, place.get::<String>(all), change, all);
            }
        });
        let json = serde_json::to_vec(&document).unwrap();
        match Switch::load(&json) {
            Ok(mut switch) => exercise(&mut switch),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Switch::load(&bytes).is_err());
    }

    #[test]
    fn a_torn_program_is_refused(at in any::<Index>(), byte in any::<u8>()) {
        let mut json = serde_json::to_vec(&bare_root()).unwrap();
        let at = at.index(json.len());
        prop_assert!(matches!(Switch::load(&json[..at]), Err(LoadError::NotJson(_))));
        json[at] = byte;
        let _ = Switch::load(&json).map(|mut switch| exercise(&mut switch));
    }
}

#[test]
fn deep_nesting_is_refused() {
    let nested = "[".repeat(100_000);
    assert!(matches!(
        Switch::load(nested.as_bytes()),
        Err(LoadError::NotJson(_))
    ));
    let mut document = bare_root();
    let mut expression = serde_json::json!({"type": "field", "value": ["ipv4", "ttl"]});
    for _ in 0..40 {
        let value = serde_json::json!({"op": "~", "left": null, "right": expression});
        expression = serde_json::json!({"type": "expression", "value": value});
    }
    let comparison = serde_json::json!({"op": "==", "left": expression, "right": expression});
    document["pipelines"][0]["conditionals"][0]["expression"] =
        serde_json::json!({"type": "expression", "value": comparison});
    let error = Switch::load(&serde_json::to_vec(&document).unwrap()).unwrap_err();
    // An even number of complements is the value again, but the loader does not look so far.
    assert!(error.to_string().contains("may be negative"), "{error}");
}

fn root_with_group() -> Switch {
    let mut switch = root();
    let entry = GroupEntry {
        register_index: 1023,
        group: 1,
        term: 1,
        shift: 3,
        base: u64::MAX,
        members: 5,
        copies: 1,
    };
    install_group(&mut switch, &entry);
    switch
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_is_processed(
        frames in prop::collection::vec(
            (any::<u64>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..200)), 1..8),
    ) {
        let mut switch = root_with_group();
        let mut out = Copies::new();
        for (now_us, port, bytes) in frames {
            switch.process(now_us, PortNumber(port), &bytes, &mut out);
        }
        prop_assert!(out.is_empty(), "noise has no route");
    }

    /// Valid packets with some bytes changed: these get far.
    #[test]
    fn a_changed_packet_is_processed(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<Index>()),
        member in any::<u8>(),
        stamped in any::<bool>(),
    ) {
        let mut switch = root_with_group();
        let mut packet = if stamped {
            frame(&Envelope::to_group(1), &Stamp::unstamped(1, member), b"payload")
        } else {
            udp_frame(&Envelope { destination_port: 53, ..Envelope::to_group(1) }, b"payload")
        };
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len()));
        }
        let mut out = Copies::new();
        switch.process(1, PortNumber(9), &packet, &mut out);
        let losses = out.losses();
        prop_assert!(out.len() == 5 || losses.in_ingress == 1);
        for (_, copy) in out.iter() {
            prop_assert_eq!(copy.len(), packet.len(), "the root adds and removes no header");
        }
    }
}

#[test]
fn an_oversized_frame_is_dropped_and_counted() {
    let mut switch = root_with_group();
    let mut out = Copies::new();
    let envelope = Envelope::to_group(1);
    let mut packet = frame(&envelope, &Stamp::unstamped(1, 1), b"");
    packet.resize(MAX_FRAME_BYTES, 0);
    switch.process(0, PortNumber(1), &packet, &mut out);
    assert_eq!(out.len(), 5);
    packet.push(0);
    out.clear();
    switch.process(0, PortNumber(1), &packet, &mut out);
    assert_eq!((out.len(), out.losses().oversized), (0, 1));
}
