//! Updates of table entries and direct counters: what each does, with which code it fails.

use p4runtime::Code;
use p4runtime::v1::{self, entity::Entity as Kind};

use super::*;
use crate::pipeline::PortNumber;
use crate::server::MAX_METADATA_BYTES;

fn change(entry: &v1::TableEntry, change: impl FnOnce(&mut v1::TableEntry)) -> v1::TableEntry {
    let mut entry = entry.clone();
    change(&mut entry);
    entry
}

fn action_of(entry: &mut v1::TableEntry) -> &mut v1::Action {
    match entry.action.as_mut().unwrap().r#type.as_mut().unwrap() {
        v1::table_action::Type::Action(action) => action,
        other => panic!("not an action: {other:?}"),
    }
}

#[test]
fn entries_are_inserted_modified_and_deleted() {
    let mut bench = Bench::new();
    for entry in [bench.by_value(1), bench.by_mask()] {
        assert_eq!(bench.code(Modify, entry.clone()), Code::NotFound);
        assert_eq!(bench.code(Delete, entry.clone()), Code::NotFound);
        bench.write(Insert, entry.clone());
        assert_eq!(bench.code(Insert, entry.clone()), Code::AlreadyExists);
        let filter = v1::TableEntry {
            table_id: entry.table_id,
            ..Default::default()
        };
        assert_eq!(
            bench.read_table(filter.clone()),
            std::slice::from_ref(&entry)
        );
        let drop = bench.action("drop", &[]);
        let modified = change(&entry, |entry| entry.action = Some(drop));
        bench.write(Modify, modified.clone());
        assert_eq!(
            bench.read_table(filter.clone()),
            std::slice::from_ref(&modified)
        );
        let unchanged = change(&entry, |entry| entry.action = None);
        bench.write(Modify, unchanged);
        assert_eq!(bench.read_table(filter.clone()), [modified]);
        // Only the key counts when deleting; the rest may be nonsense.
        let nonsense = change(&entry, |entry| {
            action_of(entry).action_id = 5;
            entry.idle_timeout_ns = -1;
            entry.metadata = vec![0; MAX_METADATA_BYTES + 1];
        });
        bench.write(Delete, nonsense);
        assert_eq!(bench.read_table(filter), []);
    }
}

#[test]
fn entries_do_what_they_say() {
    let mut bench = Bench::new();
    bench.write(Insert, bench.by_value(0x0a));
    let mut copies = crate::pipeline::Copies::new();
    let mut frame = vec![0; 60];
    frame[5] = 0x0a;
    bench
        .device
        .switch_mut()
        .unwrap()
        .process(0, PortNumber(1), &frame, &mut copies);
    assert_eq!(
        copies.iter().map(|(port, _)| port).collect::<Vec<_>>(),
        [PortNumber(3)]
    );
}

fn refuses<const N: usize>(
    bench: &mut Bench,
    kinds: &[v1::update::Type],
    code: Code,
    cases: [(&str, v1::TableEntry); N],
) {
    for (what, entry) in cases {
        for kind in kinds {
            let result = bench.try_write(*kind, entry.clone());
            let found = result.map_err(|failure| failure.code);
            assert_eq!(found, Err(code), "{what}, {kind:?}");
        }
    }
}

fn with_match(entry: &v1::TableEntry, at: usize, with: v1::FieldMatch) -> v1::TableEntry {
    change(entry, |entry| entry.r#match[at] = with)
}

#[test]
fn keys_that_are_no_key_are_refused() {
    let mut bench = Bench::new();
    let (value, mask) = (bench.by_value(1), bench.by_mask());
    let without_kind = change(&value, |e| e.r#match[0].field_match_type = None);
    let cases = [
        ("no table", change(&value, |e| e.table_id = 0)),
        ("unknown table", change(&value, |e| e.table_id = 9)),
        ("no exact field", change(&value, |e| e.r#match.clear())),
        ("unknown field", with_match(&value, 0, exact(9, 1))),
        ("twice", change(&value, |e| e.r#match.push(exact(1, 1)))),
        ("other kind", with_match(&value, 0, optional(1, 1))),
        ("no kind", without_kind),
        ("priority", change(&value, |e| e.priority = 1)),
        ("no priority", change(&mask, |e| e.priority = 0)),
        ("negative priority", change(&mask, |e| e.priority = -1)),
        ("mask 0", with_match(&mask, 0, ternary(1, 0, 0))),
        ("outside of mask", with_match(&mask, 0, ternary(1, 3, 1))),
        ("range down", with_match(&mask, 2, range(3, 2, 1))),
        ("whole range", with_match(&mask, 2, range(3, 0, 0xffff))),
    ];
    let kinds = [Insert, Modify, Delete];
    refuses(&mut bench, &kinds, Code::InvalidArgument, cases);
    let drop = bench.action("drop", &[]);
    let prefix = bench.entry("by_prefix", vec![lpm(1, 0x0a00_0000_0000, 8)], drop);
    let cases = [
        ("length 0", with_match(&prefix, 0, lpm(1, 0, 0))),
        ("length 49", with_match(&prefix, 0, lpm(1, 0, 49))),
        ("length -1", with_match(&prefix, 0, lpm(1, 0, -1))),
        ("behind prefix", with_match(&prefix, 0, lpm(1, 1, 8))),
    ];
    refuses(&mut bench, &kinds, Code::InvalidArgument, cases);
    let nothing = FieldMatchType::Exact(field_match::Exact { value: Vec::new() });
    let cases = [
        ("too wide", with_match(&value, 0, exact(1, 1 << 48))),
        ("much wider", with_match(&value, 0, exact(1, u128::MAX))),
        ("mask", with_match(&mask, 0, ternary(1, 0, 1 << 48))),
        ("range", with_match(&mask, 2, range(3, 0, 0x1_0000))),
        ("optional", with_match(&mask, 3, optional(4, 1 << 48))),
        ("empty", with_match(&value, 0, field(1, nothing))),
    ];
    refuses(&mut bench, &kinds, Code::OutOfRange, cases);
    let left = bench.read_table(v1::TableEntry::default());
    assert!(
        left.iter().all(|entry| entry.is_const),
        "nothing was inserted"
    );
}

#[test]
fn values_with_leading_zeros_are_taken_and_come_back_canonical() {
    let mut bench = Bench::new();
    let entry = bench.by_value(1);
    let long = change(&entry, |entry| {
        let mut value = vec![0; 20];
        value.push(1);
        entry.r#match[0] = field(1, FieldMatchType::Exact(field_match::Exact { value }));
        action_of(entry).params[0].value = vec![0, 0, 0, 3];
    });
    bench.write(Insert, long);
    assert_eq!(bench.code(Insert, entry.clone()), Code::AlreadyExists);
    let filter = v1::TableEntry {
        table_id: entry.table_id,
        ..Default::default()
    };
    assert_eq!(bench.read_table(filter), [entry]);
}

#[test]
fn actions_that_do_not_fit_are_refused() {
    let mut bench = Bench::new();
    let value = bench.by_value(1);
    let multicast = bench.info.action("multicast").unwrap().id;
    let mark = bench.info.action("mark").unwrap().id;
    let action = |with: &dyn Fn(&mut v1::Action)| change(&value, |e| with(action_of(e)));
    let member = v1::TableAction {
        r#type: Some(v1::table_action::Type::ActionProfileMemberId(1)),
    };
    let empty = Some(v1::TableAction::default());
    let twice = |a: &mut v1::Action| a.params[1] = a.params[0].clone();
    let cases = [
        ("none", change(&value, |e| e.action = None)),
        ("empty", change(&value, |e| e.action = empty)),
        ("member", change(&value, |e| e.action = Some(member))),
        ("unknown", action(&|a| a.action_id = 1)),
        ("another table's", action(&|a| a.action_id = mark)),
        ("unknown parameter", action(&|a| a.params[0].param_id = 3)),
        ("missing parameter", action(&|a| drop(a.params.pop()))),
        ("parameter twice", action(&twice)),
        ("another's", action(&|a| a.action_id = multicast)),
    ];
    refuses(&mut bench, &[Insert], Code::InvalidArgument, cases);
    let cases = [
        ("too wide", action(&|a| a.params[0].value = vec![2, 0])),
        ("empty value", action(&|a| a.params[0].value.clear())),
        ("129 bits", action(&|a| a.params[1].value = vec![1; 17])),
    ];
    refuses(&mut bench, &[Insert], Code::OutOfRange, cases);
}

#[test]
fn parts_that_the_table_lacks_are_refused() {
    let mut bench = Bench::new();
    let value = bench.by_value(1);
    let negative = v1::CounterData {
        byte_count: -1,
        packet_count: 0,
    };
    let zero = v1::CounterData::default();
    let meter = v1::MeterConfig::default();
    let cases = [
        ("const", change(&value, |e| e.is_const = true)),
        ("idle", change(&value, |e| e.idle_timeout_ns = 1)),
        ("meter", change(&value, |e| e.meter_config = Some(meter))),
        (
            "negative",
            change(&value, |e| e.counter_data = Some(negative)),
        ),
        (
            "uncounted",
            change(&bench.by_mask(), |e| e.counter_data = Some(zero)),
        ),
    ];
    refuses(&mut bench, &[Insert], Code::InvalidArgument, cases);
    let long = vec![0; MAX_METADATA_BYTES + 1];
    let cases = [("metadata", change(&value, |e| e.metadata = long))];
    refuses(&mut bench, &[Insert], Code::ResourceExhausted, cases);
}

#[test]
fn scopes_of_actions_are_kept() {
    let mut bench = Bench::new();
    let with = |bench: &Bench, action, arguments: &[u128]| {
        let action = bench.action(action, arguments);
        change(&bench.by_mask(), |entry| entry.action = Some(action))
    };
    let default = |bench: &Bench, action, arguments: &[u128]| v1::TableEntry {
        is_default_action: true,
        ..bench.entry("by_mask", Vec::new(), bench.action(action, arguments))
    };
    assert_eq!(
        bench.code(Insert, with(&bench, "NoAction", &[])),
        Code::PermissionDenied
    );
    assert_eq!(bench.code(Insert, with(&bench, "mark", &[1])), Code::Ok);
    assert_eq!(
        bench.code(Modify, default(&bench, "mark", &[1])),
        Code::PermissionDenied
    );
    assert_eq!(bench.code(Modify, default(&bench, "drop", &[])), Code::Ok);
    assert_eq!(
        bench.code(Modify, default(&bench, "NoAction", &[])),
        Code::Ok
    );
}

#[test]
fn default_actions_are_only_modified() {
    let mut bench = Bench::new();
    let filter = v1::TableEntry {
        table_id: bench.table("by_prefix"),
        is_default_action: true,
        ..Default::default()
    };
    let initial = bench.read_table(filter.clone());
    assert_eq!(initial[0].action, Some(bench.action("to_port", &[1, 2])));
    let entry = v1::TableEntry {
        action: Some(bench.action("drop", &[])),
        metadata: b"mine".to_vec(),
        ..filter.clone()
    };
    assert_eq!(bench.code(Insert, entry.clone()), Code::InvalidArgument);
    assert_eq!(bench.code(Delete, entry.clone()), Code::InvalidArgument);
    let with_key = change(&entry, |e| e.r#match.push(lpm(1, 0x0a00_0000_0000, 8)));
    assert_eq!(bench.code(Modify, with_key), Code::InvalidArgument);
    assert_eq!(
        bench.code(Modify, change(&entry, |e| e.priority = 1)),
        Code::InvalidArgument
    );
    bench.write(Modify, entry.clone());
    assert_eq!(bench.read_table(filter.clone()), [entry]);
    bench.write(Modify, filter.clone());
    assert_eq!(
        bench.read_table(filter),
        initial,
        "without an action it goes back"
    );
    let constant = v1::TableEntry {
        is_default_action: true,
        ..bench.entry("by_value", Vec::new(), bench.action("drop", &[]))
    };
    assert_eq!(bench.code(Modify, constant), Code::PermissionDenied);
}

#[test]
fn constant_and_keyless_tables_take_no_entries() {
    let mut bench = Bench::new();
    let fixed = bench.entry("fixed", vec![exact(1, 0x0800)], bench.action("mark", &[9]));
    for kind in [Insert, Modify, Delete] {
        assert_eq!(
            bench.code(kind, fixed.clone()),
            Code::PermissionDenied,
            "{kind:?}"
        );
    }
    assert_eq!(
        bench.code(Modify, change(&fixed, |e| e.action = None)),
        Code::Ok,
        "no change"
    );
    let missing = change(&fixed, |e| {
        e.action = None;
        e.r#match = vec![exact(1, 1)];
    });
    assert_eq!(bench.code(Modify, missing), Code::NotFound);
    let keyless = bench.entry("without_key", Vec::new(), bench.action("mark", &[9]));
    assert_eq!(bench.code(Insert, keyless.clone()), Code::InvalidArgument);
    assert_eq!(
        bench.code(Modify, change(&keyless, |e| e.is_default_action = true)),
        Code::Ok
    );
}

#[test]
fn tables_are_full_some_time() {
    let mut bench = Bench::new();
    bench.write(Insert, bench.by_value(1));
    bench.write(Insert, bench.by_value(2));
    assert_eq!(
        bench.code(Insert, bench.by_value(3)),
        Code::ResourceExhausted
    );
    bench.write(Delete, bench.by_value(1));
    bench.write(Insert, bench.by_value(3));
}

#[test]
fn direct_counters_are_set_and_kept() {
    let mut bench = Bench::new();
    let data = |packet_count, byte_count| v1::CounterData {
        byte_count,
        packet_count,
    };
    let filter = v1::TableEntry {
        table_id: bench.table("by_value"),
        counter_data: Some(v1::CounterData::default()),
        ..Default::default()
    };
    let entry = change(&bench.by_value(1), |e| e.counter_data = Some(data(5, 6)));
    bench.write(Insert, entry.clone());
    assert_eq!(
        bench.read_table(filter.clone()),
        std::slice::from_ref(&entry)
    );
    bench.write(Modify, bench.by_value(1));
    assert_eq!(
        bench.read_table(filter.clone()),
        [entry],
        "not given, not changed"
    );
    let direct = |key: v1::TableEntry, data| {
        v1::Entity::from(Kind::DirectCounterEntry(v1::DirectCounterEntry {
            table_entry: Some(key),
            data,
        }))
    };
    let set = direct(bench.by_value(1), Some(data(7, 8)));
    assert_eq!(bench.code(Insert, set.clone()), Code::InvalidArgument);
    assert_eq!(bench.code(Delete, set.clone()), Code::InvalidArgument);
    bench.write(Modify, set);
    assert_eq!(bench.read_table(filter)[0].counter_data, Some(data(7, 8)));
    let missing = direct(bench.by_value(2), Some(data(7, 8)));
    assert_eq!(bench.code(Modify, missing), Code::NotFound);
    assert_eq!(
        bench.code(Modify, direct(bench.by_mask(), None)),
        Code::InvalidArgument
    );
}
