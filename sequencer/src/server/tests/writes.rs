//! Updates of groups, registers and counters, what is not implemented, and batches.

use p4runtime::Code;
use p4runtime::v1::{self, entity::Entity as Kind, write_request::Atomicity};

use super::*;
use crate::server::MAX_UPDATES;

#[test]
fn groups_are_checked() {
    let mut bench = Bench::new();
    let good = group(7, &[(1, 1), (2, 2)]);
    assert_eq!(bench.code(Modify, good.clone()), Code::NotFound);
    assert_eq!(bench.code(Delete, good.clone()), Code::NotFound);
    bench.write(Insert, good.clone());
    assert_eq!(bench.code(Insert, good.clone()), Code::AlreadyExists);
    bench.write(Modify, group(7, &[]));
    bench.write(Delete, group(7, &[]));
    let many: Vec<_> = (0..=1024).map(|instance| (1, instance)).collect();
    let cases = [
        (group(0, &[(1, 1)]), Code::InvalidArgument),
        (group(0x1_0000, &[(1, 1)]), Code::InvalidArgument),
        (group(1, &[(511, 1)]), Code::InvalidArgument),
        (group(1, &[(0x1_0000, 1)]), Code::InvalidArgument),
        (group(1, &[(1, 0x1_0000)]), Code::InvalidArgument),
        (group(1, &[(1, 1), (1, 1)]), Code::InvalidArgument),
        (group(1, &many), Code::ResourceExhausted),
    ];
    for (entity, code) in cases {
        assert_eq!(bench.code(Insert, entity.clone()), code, "{entity:?}");
    }
    let one = |replica| {
        p4runtime::entity_of_group(v1::MulticastGroupEntry {
            multicast_group_id: 1,
            replicas: vec![replica],
            metadata: Vec::new(),
        })
    };
    let backup = v1::Replica {
        port_kind: Some(v1::replica::PortKind::EgressPort(1)),
        instance: 1,
        backup_replicas: vec![v1::BackupReplica {
            port: vec![2],
            instance: 1,
        }],
    };
    assert_eq!(bench.code(Insert, one(backup)), Code::Unimplemented);
    assert_eq!(
        bench.code(Insert, one(v1::Replica::default())),
        Code::InvalidArgument
    );
    let session = v1::packet_replication_engine_entry::Type::CloneSessionEntry(
        v1::CloneSessionEntry::default(),
    );
    let session = v1::PacketReplicationEngineEntry {
        r#type: Some(session),
    };
    let session = v1::Entity::from(Kind::PacketReplicationEngineEntry(session));
    assert_eq!(bench.code(Insert, session), Code::Unimplemented);
}

#[test]
fn registers_and_counters_are_only_modified() {
    let mut bench = Bench::new();
    let narrow = bench.info.register("narrow").unwrap().id;
    let seen = bench.info.counter("seen").unwrap().id;
    let cases = [
        (register(narrow, Some(7), &[0xf, 0xff]), Code::Ok),
        (register(narrow, None, &[0]), Code::Ok),
        (register(narrow, Some(8), &[1]), Code::OutOfRange),
        (register(narrow, Some(-1), &[1]), Code::InvalidArgument),
        (register(narrow, Some(0), &[0x10, 0]), Code::OutOfRange),
        (register(narrow, Some(0), &[]), Code::OutOfRange),
        (register(0, Some(0), &[1]), Code::InvalidArgument),
        (register(seen, Some(0), &[1]), Code::InvalidArgument),
        (counter(seen, Some(3), Some((1, 2))), Code::Ok),
        (counter(seen, Some(3), None), Code::Ok),
        (counter(seen, None, Some((0, 0))), Code::Ok),
        (counter(seen, Some(4), Some((1, 2))), Code::OutOfRange),
        (counter(seen, Some(-1), Some((1, 2))), Code::InvalidArgument),
        (counter(seen, Some(0), Some((-1, 2))), Code::InvalidArgument),
        (
            counter(narrow, Some(0), Some((1, 2))),
            Code::InvalidArgument,
        ),
    ];
    for (entity, code) in cases {
        assert_eq!(bench.code(Modify, entity.clone()), code, "{entity:?}");
        assert_eq!(bench.code(Insert, entity.clone()), Code::InvalidArgument);
        assert_eq!(bench.code(Delete, entity), Code::InvalidArgument);
    }
    let no_number = v1::RegisterEntry {
        register_id: narrow,
        index: None,
        data: Some(v1::P4Data {
            data: Some(v1::p4_data::Data::Bool(true)),
        }),
    };
    assert_eq!(
        bench.code(Modify, Kind::RegisterEntry(no_number)),
        Code::InvalidArgument
    );
}

#[test]
fn what_is_not_implemented_is_refused_by_name() {
    let mut bench = Bench::new();
    let cases = [
        Kind::MeterEntry(v1::MeterEntry::default()),
        Kind::DirectMeterEntry(v1::DirectMeterEntry::default()),
        Kind::DigestEntry(v1::DigestEntry::default()),
        Kind::ActionProfileMember(v1::ActionProfileMember::default()),
        Kind::ActionProfileGroup(v1::ActionProfileGroup::default()),
        Kind::ValueSetEntry(v1::ValueSetEntry::default()),
        Kind::ExternEntry(v1::ExternEntry::default()),
    ];
    for entity in cases {
        let failure = bench.try_write(Insert, entity).unwrap_err();
        assert_eq!(failure.code, Code::Unimplemented);
        assert!(
            failure
                .message
                .ends_with("is not implemented by this switch"),
            "{failure}"
        );
    }
    let unspecified = v1::update::Type::Unspecified;
    assert_eq!(
        bench.code(unspecified, bench.by_value(1)),
        Code::InvalidArgument
    );
    assert_eq!(
        bench.code(Insert, v1::Entity::default()),
        Code::InvalidArgument
    );
    let message = Bench::new().try_write(Insert, Kind::DigestEntry(v1::DigestEntry::default()));
    assert_eq!(
        message.unwrap_err().to_string(),
        "UNIMPLEMENTED: a digest entry is not implemented by this switch"
    );
}

fn batch(bench: &Bench, atomicity: Atomicity) -> v1::WriteRequest {
    let updates = [1, 2, 1, 3].map(|address| update_of(Insert, bench.by_value(address)));
    v1::WriteRequest {
        updates: updates.to_vec(),
        atomicity: atomicity.into(),
        ..Default::default()
    }
}

fn codes(failure: &Failure) -> Vec<Code> {
    failure
        .errors
        .iter()
        .map(|error| Code::from(error.canonical_code))
        .collect()
}

#[test]
fn a_batch_goes_on_after_errors() {
    let mut bench = Bench::new();
    let failure = bench
        .device
        .write(&batch(&bench, Atomicity::ContinueOnError))
        .unwrap_err();
    assert_eq!(failure.code, Code::Unknown);
    assert_eq!(
        codes(&failure),
        [
            Code::Ok,
            Code::Ok,
            Code::AlreadyExists,
            Code::ResourceExhausted
        ]
    );
    assert_eq!(
        failure.errors[0],
        v1::Error::default(),
        "OK says nothing else"
    );
    assert_eq!(failure.message, "2 of 4 parts of the write failed");
    let filter = v1::TableEntry {
        table_id: bench.table("by_value"),
        ..Default::default()
    };
    assert_eq!(bench.read_table(filter).len(), 2);
}

#[test]
fn a_batch_is_all_or_none_when_asked() {
    for atomicity in [Atomicity::RollbackOnError, Atomicity::DataplaneAtomic] {
        let mut bench = Bench::new();
        let mut request = batch(&bench, atomicity);
        let failure = bench.device.write(&request).unwrap_err();
        assert_eq!(
            codes(&failure),
            [
                Code::Aborted,
                Code::Aborted,
                Code::AlreadyExists,
                Code::ResourceExhausted
            ]
        );
        let filter = v1::TableEntry {
            table_id: bench.table("by_value"),
            ..Default::default()
        };
        assert_eq!(bench.read_table(filter.clone()), []);
        request.updates.truncate(2);
        bench.device.write(&request).unwrap();
        assert_eq!(bench.read_table(filter).len(), 2);
    }
}

#[test]
fn a_batch_is_bounded() {
    let mut bench = Bench::new();
    let request = v1::WriteRequest {
        updates: vec![v1::Update::default(); MAX_UPDATES + 1],
        ..Default::default()
    };
    assert_eq!(
        bench.device.write(&request).unwrap_err().code,
        Code::ResourceExhausted
    );
}

#[test]
fn without_a_program_nothing_is_written() {
    let mut device = Device::new();
    let request = batch(&Bench::new(), Atomicity::ContinueOnError);
    assert_eq!(
        device.write(&request).unwrap_err().code,
        Code::FailedPrecondition
    );
}
