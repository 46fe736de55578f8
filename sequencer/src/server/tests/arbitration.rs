//! The election, rule by rule of the specification's section "Rules for Handling
//! `MasterArbitrationUpdate` Messages".

use p4runtime::{Code, ElectionId, v1};

use crate::server::{Arbitration, MAX_STREAMS, Notice, StreamId};

const DEVICE: u64 = 3;

fn update(id: Option<u128>) -> v1::MasterArbitrationUpdate {
    v1::MasterArbitrationUpdate {
        device_id: DEVICE,
        election_id: id.map(|id| ElectionId(id).into()),
        ..Default::default()
    }
}

/// Stream, code, highest id.
fn heard(notices: &[Notice]) -> Vec<(u64, Code, Option<u128>)> {
    let heard = notices.iter().map(|notice| {
        assert_eq!(notice.update.device_id, DEVICE);
        let code = Code::from(notice.update.status.as_ref().unwrap().code);
        let highest = notice.update.election_id.map(|id| ElectionId::from(id).0);
        (notice.to.0, code, highest)
    });
    heard.collect()
}

struct Election(Arbitration);

impl Election {
    fn new() -> Self {
        Self(Arbitration::new(DEVICE))
    }

    fn ask(&mut self, stream: u64, id: Option<u128>) -> Vec<(u64, Code, Option<u128>)> {
        heard(&self.0.update(StreamId(stream), &update(id)).unwrap())
    }

    fn refused(&mut self, stream: u64, update: &v1::MasterArbitrationUpdate) -> Code {
        self.0.update(StreamId(stream), update).unwrap_err().code
    }

    fn admits(&self, id: Option<u128>) -> Code {
        let id = id.map(|id| ElectionId(id).into());
        self.0
            .admit(DEVICE, "", 0, id)
            .map_or_else(|failure| failure.code, |()| Code::Ok)
    }
}

#[test]
fn the_highest_is_primary_and_all_are_told() {
    let mut election = Election::new();
    assert_eq!(election.ask(1, Some(5)), [(1, Code::Ok, Some(5))]);
    assert_eq!(
        election.ask(2, Some(4)),
        [(2, Code::AlreadyExists, Some(5))]
    );
    assert_eq!(election.admits(Some(5)), Code::Ok);
    assert_eq!(election.admits(Some(4)), Code::PermissionDenied);
    assert_eq!(
        election.ask(3, Some(1 << 100)),
        [
            (1, Code::AlreadyExists, Some(1 << 100)),
            (2, Code::AlreadyExists, Some(1 << 100)),
            (3, Code::Ok, Some(1 << 100)),
        ]
    );
    assert_eq!(election.admits(Some(5)), Code::PermissionDenied);
    assert_eq!(election.admits(None), Code::PermissionDenied);
    assert_eq!(election.0.primary(), Some(StreamId(3)));
}

#[test]
fn the_primary_may_repeat_raise_and_lower_its_id() {
    let mut election = Election::new();
    election.ask(1, Some(5));
    election.ask(2, Some(3));
    assert_eq!(
        election.ask(1, Some(5)),
        [(1, Code::Ok, Some(5))],
        "only the one who asked"
    );
    assert_eq!(
        election.ask(1, Some(6)),
        [(1, Code::Ok, Some(6)), (2, Code::AlreadyExists, Some(6))]
    );
    assert_eq!(
        election.ask(1, Some(4)),
        [(1, Code::NotFound, Some(6)), (2, Code::NotFound, Some(6))],
        "it is a backup now, and there is no primary"
    );
    assert_eq!(election.admits(Some(4)), Code::PermissionDenied);
    assert_eq!(
        election.ask(2, Some(5)),
        [(2, Code::NotFound, Some(6))],
        "5 was exceeded before"
    );
    assert_eq!(
        election.ask(2, Some(6))[1],
        (2, Code::Ok, Some(6)),
        "the highest comes back"
    );
}

#[test]
fn without_an_id_nobody_is_primary_but_zero_is_an_id() {
    let mut election = Election::new();
    assert_eq!(election.ask(1, None), [(1, Code::NotFound, None)]);
    assert_eq!(
        election.ask(2, None),
        [(2, Code::NotFound, None)],
        "two without ids are fine"
    );
    assert_eq!(election.admits(None), Code::PermissionDenied);
    let told = election.ask(3, Some(0));
    assert_eq!(told.last(), Some(&(3, Code::Ok, Some(0))));
    assert_eq!(told.len(), 3);
    assert_eq!(election.admits(Some(0)), Code::Ok);
}

#[test]
fn an_id_belongs_to_one_live_stream() {
    let mut election = Election::new();
    election.ask(1, Some(5));
    assert_eq!(election.refused(2, &update(Some(5))), Code::InvalidArgument);
    election.ask(2, Some(4));
    assert_eq!(election.refused(2, &update(Some(5))), Code::InvalidArgument);
    assert_eq!(election.admits(Some(5)), Code::Ok, "nothing changed");
    election.0.close(StreamId(1));
    assert_eq!(
        election.ask(3, Some(5)),
        [(2, Code::AlreadyExists, Some(5)), (3, Code::Ok, Some(5))]
    );
}

#[test]
fn losing_the_primary_is_told() {
    let mut election = Election::new();
    election.ask(1, Some(5));
    election.ask(2, Some(3));
    election.ask(3, None);
    assert_eq!(heard(&election.0.close(StreamId(2))), []);
    assert_eq!(
        heard(&election.0.close(StreamId(1))),
        [(3, Code::NotFound, Some(5))]
    );
    assert_eq!(election.admits(Some(5)), Code::PermissionDenied);
    assert_eq!(
        heard(&election.0.close(StreamId(9))),
        [],
        "a stream that never asked"
    );
}

#[test]
fn device_and_role_are_checked() {
    let mut election = Election::new();
    let other_device = v1::MasterArbitrationUpdate {
        device_id: 4,
        ..update(Some(1))
    };
    let role = v1::Role {
        name: "half".to_owned(),
        ..Default::default()
    };
    let other_role = v1::MasterArbitrationUpdate {
        role: Some(role),
        ..update(Some(1))
    };
    let with_config = v1::MasterArbitrationUpdate {
        role: Some(v1::Role {
            config: Some(p4runtime::Any::default()),
            ..Default::default()
        }),
        ..update(Some(1))
    };
    let default_role = v1::MasterArbitrationUpdate {
        role: Some(v1::Role::default()),
        ..update(Some(1))
    };
    assert_eq!(election.refused(1, &other_device), Code::NotFound);
    assert_eq!(election.refused(1, &other_role), Code::NotFound);
    assert_eq!(election.refused(1, &with_config), Code::InvalidArgument);
    assert!(election.0.update(StreamId(1), &default_role).is_ok());
    assert_eq!(election.refused(1, &other_device), Code::FailedPrecondition);
    assert_eq!(election.refused(1, &other_role), Code::FailedPrecondition);
    let id = || Some(ElectionId(1).into());
    assert_eq!(
        election.0.admit(4, "", 0, id()).unwrap_err().code,
        Code::NotFound
    );
    assert_eq!(
        election.0.admit(DEVICE, "half", 0, id()).unwrap_err().code,
        Code::NotFound
    );
    assert_eq!(
        election.0.admit(DEVICE, "", 1, id()).unwrap_err().code,
        Code::NotFound
    );
    assert!(election.0.admit(DEVICE, "", 0, id()).is_ok());
}

#[test]
fn streams_are_bounded() {
    let mut election = Election::new();
    for stream in 0..MAX_STREAMS as u64 {
        election.ask(stream, Some(stream.into()));
    }
    assert_eq!(
        election.refused(999, &update(None)),
        Code::ResourceExhausted
    );
    election.0.close(StreamId(0));
    assert_eq!(election.ask(999, None).len(), 1);
}
