//! Filters: by table, by key, all; and that what was written comes back as it was.

use p4runtime::Code;
use p4runtime::v1::{self, entity::Entity as Kind};

use super::*;
use crate::server::MAX_READ_FILTERS;

fn refused(bench: &Bench, filter: impl Into<v1::Entity>) -> Code {
    bench.read(filter).unwrap_err().code
}

fn filled() -> Bench {
    let mut bench = Bench::new();
    let mut value = bench.by_value(1);
    value.metadata = b"first".to_vec();
    value.controller_metadata = 11;
    bench.write(Insert, value);
    let mut value = bench.by_value(2);
    value.action = Some(bench.action("drop", &[]));
    bench.write(Insert, value);
    bench.write(Insert, bench.by_mask());
    let wild = v1::TableEntry {
        r#match: vec![exact(2, 5)],
        priority: 20,
        ..bench.by_mask()
    };
    bench.write(Insert, wild);
    let everywhere = bench.entry("by_prefix", Vec::new(), bench.action("drop", &[]));
    bench.write(Insert, everywhere);
    bench
}

#[test]
fn everything_comes_back_as_it_was_written() {
    let bench = filled();
    let all = bench.read_table(v1::TableEntry::default());
    assert_eq!(all.len(), 2 + 2 + 1 + 2, "with the two constant entries");
    let mut copy = Bench::new();
    for entry in all.iter().filter(|entry| !entry.is_const) {
        copy.write(Insert, entry.clone());
    }
    let mut again = copy.read_table(v1::TableEntry::default());
    let mut all = all;
    let order = |entry: &v1::TableEntry| format!("{entry:?}");
    all.sort_by_key(order);
    again.sort_by_key(order);
    assert_eq!(all, again);
}

fn of(bench: &Bench, table: &str) -> v1::TableEntry {
    v1::TableEntry {
        table_id: bench.table(table),
        ..Default::default()
    }
}

#[test]
fn filters_by_key() {
    let bench = filled();
    let count = |filter| bench.read_table(filter).len();
    assert_eq!(count(of(&bench, "by_value")), 2);
    assert_eq!(count(of(&bench, "fixed")), 2);
    let fixed = bench.read_table(of(&bench, "fixed"));
    assert!(fixed.iter().all(|entry| entry.is_const));
    let by_key = |field| v1::TableEntry {
        r#match: vec![field],
        ..of(&bench, "by_value")
    };
    assert_eq!(count(by_key(exact(1, 2))), 1);
    assert_eq!(count(by_key(exact(1, 3))), 0, "not there is no error");
    assert_eq!(refused(&bench, by_key(exact(1, 1 << 48))), Code::OutOfRange);
    assert_eq!(refused(&bench, by_key(exact(2, 1))), Code::InvalidArgument);
    let key = bench.by_mask().r#match;
    let any_priority = v1::TableEntry {
        r#match: key,
        ..of(&bench, "by_mask")
    };
    assert_eq!(count(any_priority), 1);
    let unknown = v1::TableEntry {
        table_id: 5,
        ..Default::default()
    };
    assert_eq!(refused(&bench, unknown), Code::InvalidArgument);
}

#[test]
fn filters_by_other_parts() {
    let bench = filled();
    let (value, mask) = (of(&bench, "by_value"), of(&bench, "by_mask"));
    let counter_data = Some(v1::CounterData::default());
    let drops = Some(bench.action("drop", &[]));
    let with = |base: &v1::TableEntry, change: &dyn Fn(&mut v1::TableEntry)| {
        let mut filter = base.clone();
        change(&mut filter);
        filter
    };
    let cases = [
        (1, with(&value, &|f| f.action.clone_from(&drops))),
        (1, with(&value, &|f| f.metadata = b"first".to_vec())),
        (1, with(&value, &|f| f.controller_metadata = 11)),
        (0, with(&value, &|f| f.controller_metadata = 12)),
        (1, with(&value, &|f| f.is_default_action = true)),
        (1, with(&mask, &|f| f.priority = 20)),
        (0, with(&mask, &|f| f.priority = 21)),
    ];
    for (count, filter) in cases {
        assert_eq!(bench.read_table(filter.clone()).len(), count, "{filter:?}");
    }
    let all = v1::TableEntry::default();
    let with_priority = with(&all, &|f| f.priority = 1);
    assert_eq!(refused(&bench, with_priority), Code::InvalidArgument);
    let uncounted = with(&mask, &|f| f.counter_data = counter_data);
    assert_eq!(refused(&bench, uncounted), Code::InvalidArgument);
    let all = bench.read_table(with(&all, &|f| f.counter_data = counter_data));
    let counted = all.iter().filter(|entry| entry.counter_data.is_some());
    assert_eq!(counted.count(), 2);
}

fn direct(table_entry: Option<v1::TableEntry>) -> v1::Entity {
    Kind::DirectCounterEntry(v1::DirectCounterEntry {
        table_entry,
        data: None,
    })
    .into()
}

#[test]
fn direct_counters_by_key_table_and_all() {
    let bench = filled();
    let of = |name: &str| v1::TableEntry {
        table_id: bench.table(name),
        ..Default::default()
    };
    assert_eq!(bench.read(direct(None)).unwrap().len(), 2);
    assert_eq!(bench.read(direct(Some(of("by_value")))).unwrap().len(), 2);
    assert_eq!(
        bench.read(direct(Some(bench.by_value(1)))).unwrap().len(),
        1
    );
    assert_eq!(
        refused(&bench, direct(Some(bench.by_value(9)))),
        Code::NotFound
    );
    assert_eq!(
        refused(&bench, direct(Some(of("by_mask")))),
        Code::InvalidArgument
    );
}

#[test]
fn cells_by_index_array_and_all() {
    let mut bench = Bench::new();
    let narrow = bench.info.register("narrow").unwrap().id;
    let broad = bench.info.register("broad").unwrap().id;
    let seen = bench.info.counter("seen").unwrap().id;
    bench.write(Modify, register(narrow, Some(3), &[0, 0x0a, 0xbc]));
    bench.write(Modify, register(broad, None, &[0xff; 16]));
    bench.write(Modify, counter(seen, Some(1), Some((4, 500))));
    let cell = bench.read(register(narrow, Some(3), &[])).unwrap();
    assert_eq!(cell, [register(narrow, Some(3), &[0x0a, 0xbc])]);
    let cell = bench.read(register(broad, Some(1), &[])).unwrap();
    assert_eq!(cell, [register(broad, Some(1), &[0xff; 16])]);
    assert_eq!(bench.read(register(narrow, None, &[])).unwrap().len(), 8);
    assert_eq!(bench.read(register(0, None, &[])).unwrap().len(), 10);
    assert_eq!(
        refused(&bench, register(narrow, Some(8), &[])),
        Code::OutOfRange
    );
    assert_eq!(
        refused(&bench, register(narrow, Some(-1), &[])),
        Code::InvalidArgument
    );
    assert_eq!(
        refused(&bench, register(5, None, &[])),
        Code::InvalidArgument
    );
    let cell = bench.read(counter(seen, Some(1), None)).unwrap();
    assert_eq!(cell, [counter(seen, Some(1), Some((4, 500)))]);
    assert_eq!(bench.read(counter(seen, None, None)).unwrap().len(), 4);
    assert_eq!(bench.read(counter(0, None, None)).unwrap().len(), 4);
    assert_eq!(
        refused(&bench, counter(seen, Some(4), None)),
        Code::OutOfRange
    );
}

#[test]
fn groups_come_back_in_the_form_they_came() {
    let mut bench = Bench::new();
    bench.write(Insert, group(1, &[(2, 1), (1, 1)]));
    let replica = v1::Replica {
        port_kind: Some(v1::replica::PortKind::Port(vec![1, 4])),
        instance: 9,
        backup_replicas: Vec::new(),
    };
    let bytes = p4runtime::entity_of_group(v1::MulticastGroupEntry {
        multicast_group_id: 2,
        replicas: vec![replica],
        metadata: b"tree".to_vec(),
    });
    bench.write(Insert, bytes.clone());
    assert_eq!(
        bench.read(group(2, &[])).unwrap(),
        std::slice::from_ref(&bytes)
    );
    assert_eq!(
        bench.read(group(0, &[])).unwrap(),
        [group(1, &[(2, 1), (1, 1)]), bytes]
    );
    assert_eq!(bench.read(group(3, &[])).unwrap(), []);
}

#[test]
fn sorts_that_the_program_lacks_are_empty_or_refused() {
    let bench = Bench::new();
    assert_eq!(
        bench
            .read(Kind::MeterEntry(v1::MeterEntry::default()))
            .unwrap(),
        []
    );
    assert_eq!(
        bench
            .read(Kind::DigestEntry(v1::DigestEntry::default()))
            .unwrap(),
        []
    );
    let meter = v1::MeterEntry {
        meter_id: 1,
        ..Default::default()
    };
    assert_eq!(
        refused(&bench, Kind::MeterEntry(meter)),
        Code::Unimplemented
    );
    assert_eq!(
        refused(&bench, v1::Entity::default()),
        Code::InvalidArgument
    );
}

#[test]
fn one_bad_filter_does_not_spoil_the_others() {
    let bench = filled();
    let request = v1::ReadRequest {
        entities: vec![
            bench.by_value(1).into(),
            v1::Entity::default(),
            group(0, &[]),
        ],
        ..Default::default()
    };
    let (entities, result) = bench.device.read(&request);
    assert_eq!(entities.len(), 1);
    let failure = result.unwrap_err();
    assert_eq!(failure.code, Code::Unknown);
    let codes: Vec<_> = failure
        .errors
        .iter()
        .map(|e| Code::from(e.canonical_code))
        .collect();
    assert_eq!(codes, [Code::Ok, Code::InvalidArgument, Code::Ok]);
}

#[test]
fn reads_are_bounded_and_need_a_program() {
    let bench = Bench::new();
    let many = v1::ReadRequest {
        entities: vec![v1::Entity::default(); MAX_READ_FILTERS + 1],
        ..Default::default()
    };
    let code = |(_, result): (Vec<_>, Result<(), Failure>)| result.unwrap_err().code;
    assert_eq!(code(bench.device.read(&many)), Code::ResourceExhausted);
    let role = v1::ReadRequest {
        role: "half".to_owned(),
        ..Default::default()
    };
    assert_eq!(code(bench.device.read(&role)), Code::NotFound);
    assert_eq!(
        code(Device::new().read(&v1::ReadRequest::default())),
        Code::FailedPrecondition
    );
}
