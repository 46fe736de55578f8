//! Which replies complete a request, which do not, and what is asked for instead.

use super::*;
use wire::{ReplicaId, SlotNumber, SummaryHash, ViewNumber};

fn client(n: usize) -> ClientCore {
    let quorum = Quorum::of(n).unwrap();
    let agreement = Agreement::Speculative(quorum);
    let mut client = ClientCore::new(ClientId(7), HostAddress::default(), agreement);
    client.begin(Tick(0), b"op".as_slice().into());
    client
}

fn reply(replica: u8, view: u64, slot: u64, hash: u8) -> Reply<'static> {
    Reply {
        client: ClientId(7),
        number: RequestNumber(1),
        replica: ReplicaId(replica),
        view: ViewNumber(view),
        slot: SlotNumber(slot),
        hash: SummaryHash([hash; 32]),
        committed: false,
        result: b"ok",
    }
}

fn done(step: &Step) -> Option<Path> {
    match step {
        Step::Done(answer) => Some(answer.path),
        _ => None,
    }
}

#[test]
fn a_superquorum_of_equal_replies_is_the_fast_path() {
    let mut client = client(5);
    for replica in [0, 1, 3] {
        assert_eq!(
            client.on_reply(Tick(1), &reply(replica, 0, 1, 1)),
            Step::Wait
        );
    }
    assert_eq!(
        client.on_reply(Tick(1), &reply(3, 0, 1, 1)),
        Step::Wait,
        "nobody votes twice"
    );
    assert_eq!(
        done(&client.on_reply(Tick(1), &reply(4, 0, 1, 1))),
        Some(Path::Fast)
    );
    assert!(!client.is_busy());
}

#[test]
fn replies_of_two_views_do_not_add_up() {
    let mut client = client(3);
    client.on_reply(Tick(1), &reply(0, 0, 1, 1));
    client.on_reply(Tick(1), &reply(1, 0, 1, 1));
    assert_eq!(client.on_reply(Tick(1), &reply(2, 1, 1, 1)), Step::Wait);
    assert_eq!(
        client.on_reply(Tick(1), &reply(0, 0, 1, 1)),
        Step::Wait,
        "an old view is no vote"
    );
    client.on_reply(Tick(1), &reply(0, 1, 1, 1));
    assert!(done(&client.on_reply(Tick(1), &reply(1, 1, 1, 1))).is_some());
}

#[test]
fn one_committed_reply_is_enough_but_not_from_an_older_view() {
    let mut client = client(3);
    client.on_reply(Tick(1), &reply(0, 2, 1, 1));
    let old = Reply {
        committed: true,
        ..reply(1, 1, 1, 9)
    };
    assert_eq!(client.on_reply(Tick(1), &old), Step::Wait);
    let current = Reply {
        committed: true,
        ..reply(1, 2, 1, 1)
    };
    assert_eq!(done(&client.on_reply(Tick(1), &current)), Some(Path::Slow));
}

#[test]
fn reconciliation_is_asked_for_once_as_soon_as_no_match_is_possible() {
    let mut client = client(5);
    assert_eq!(client.on_reply(Tick(1), &reply(0, 0, 1, 1)), Step::Wait);
    assert_eq!(
        client.on_reply(Tick(1), &reply(1, 0, 2, 2)),
        Step::Wait,
        "3 more could match"
    );
    assert_eq!(client.on_reply(Tick(1), &reply(2, 0, 3, 3)), Step::Send);
    assert_eq!(client.request().unwrap().wants, Wants::Reconciliation);
    assert_eq!(
        client.on_reply(Tick(1), &reply(3, 0, 4, 4)),
        Step::Wait,
        "asked already"
    );
}

#[test]
fn a_timeout_asks_again_the_next_for_a_commit_and_each_waits_longer() {
    let mut client = client(3);
    assert_eq!(client.tries(), 1);
    let first = client.deadline().unwrap();
    assert_eq!(client.on_deadline(Tick(first.0 - 1)), Step::Wait);
    assert_eq!(client.on_deadline(first), Step::Send);
    assert_eq!(client.request().unwrap().wants, Wants::Reply);
    assert_eq!(client.tries(), 2);
    let second = client.deadline().unwrap();
    assert!(second.since(first) > first.0);
    assert_eq!(client.on_deadline(second), Step::Send);
    assert_eq!(client.request().unwrap().wants, Wants::Commit);
    client.abandon();
    assert_eq!(client.tries(), 0);
}

#[test]
fn equal_logs_with_different_results_are_reported() {
    let mut client = client(3);
    client.on_reply(Tick(1), &reply(0, 0, 1, 1));
    let other = Reply {
        result: b"no",
        ..reply(1, 0, 1, 1)
    };
    assert_eq!(
        client.on_reply(Tick(1), &other),
        Step::Failed(Divergence {
            number: RequestNumber(1)
        })
    );
}

#[test]
fn replies_to_others_and_to_older_requests_are_ignored() {
    let mut client = client(3);
    let foreign = Reply {
        client: ClientId(8),
        committed: true,
        ..reply(0, 0, 1, 1)
    };
    assert_eq!(client.on_reply(Tick(1), &foreign), Step::Wait);
    let old = Reply {
        number: RequestNumber(0),
        committed: true,
        ..reply(0, 0, 1, 1)
    };
    assert_eq!(client.on_reply(Tick(1), &old), Step::Wait);
    let outside = Reply {
        committed: true,
        ..reply(9, 0, 1, 1)
    };
    assert_eq!(
        client.on_reply(Tick(1), &outside),
        Step::Wait,
        "not a member"
    );
}
