//! NOPaxos by hand: who executes what and when, and what a view change takes back.

mod group;

use group::{Group, Told};
use replica::{Mode, Protocol};

const ALL: &[usize] = &[0, 1, 2];
/// Longer than a synchronization takes, shorter than a leader may be silent.
const A_WHILE_US: u64 = 5_000;
/// Longer than a leader may be silent and a view change takes.
const LONG_US: u64 = 60_000;

#[test]
fn followers_answer_at_once_and_execute_what_is_synchronized() {
    let mut group = Group::new();
    group.stamped((1, 1), (7, 1), ALL);
    group.stamped((1, 2), (8, 1), ALL);
    let mut told = group.told.clone();
    told.sort_by_key(|told| (told.position, told.replica));
    let expected = |position, replica| Told {
        replica,
        position,
        executed: replica == 0,
        committed: false,
    };
    let first = (0..3).map(|replica| expected(1, replica));
    let second = (0..3).map(|replica| expected(2, replica));
    assert_eq!(told, first.chain(second).collect::<Vec<_>>());
    assert_eq!(group.executed(0), [(7, 1), (8, 1)]);
    assert_eq!(group.executed(1), []);
    group.wait_us(A_WHILE_US);
    for index in 0..3 {
        assert_eq!(group.executed(index), [(7, 1), (8, 1)]);
        assert_eq!(group.members[index].status().last_committed.0, 2);
    }
}

/// Followers have the request at 1 and again at 2, where it is nothing new to them; the leader
/// lacks the first one.
#[test]
fn a_request_whose_first_place_becomes_a_no_op_is_executed_at_its_second() {
    let mut group = Group::new();
    group.stamped((1, 1), (9, 1), ALL);
    group.stamped((1, 2), (7, 1), &[1, 2]);
    group.stamped((1, 3), (7, 1), ALL);
    group.stamped((1, 4), (8, 1), ALL);
    assert_eq!(group.executed(0), [(9, 1)], "the leader waits");
    group.wait_us(A_WHILE_US);
    for index in 0..3 {
        assert_eq!(group.executed(index), [(9, 1), (7, 1), (8, 1)]);
    }
    let of_leader = |told: &&Told| told.executed && !told.committed;
    let positions = group.told.iter().filter(of_leader);
    let positions: Vec<_> = positions.map(|told| told.position).collect();
    assert_eq!(positions, [1, 3, 4]);
}

#[test]
fn a_packet_that_only_followers_miss_comes_from_the_leader() {
    let mut group = Group::new();
    group.stamped((1, 1), (7, 1), ALL);
    group.stamped((1, 2), (8, 1), &[0]);
    group.stamped((1, 3), (9, 1), ALL);
    group.wait_us(A_WHILE_US);
    for index in 0..3 {
        assert_eq!(group.executed(index), [(7, 1), (8, 1), (9, 1)]);
    }
    assert_eq!(group.members[1].status().counters.gaps_filled, 1);
}

/// The client of the request at 2 was told nothing that counts: it asks again.
#[test]
fn what_the_leader_alone_has_executed_is_taken_back_when_the_others_go_on() {
    let mut group = Group::new();
    group.stamped((1, 1), (7, 1), ALL);
    group.wait_us(A_WHILE_US);
    group.cut_off = Some(0);
    group.stamped((1, 2), (8, 1), &[0]);
    assert_eq!(group.executed(0), [(7, 1), (8, 1)]);
    group.wait_us(LONG_US);
    group.stamped((1, 3), (9, 1), &[1, 2]);
    group.wait_us(A_WHILE_US);
    assert_eq!(group.executed(1), [(7, 1), (9, 1)]);
    group.cut_off = None;
    group.wait_us(LONG_US);
    group.stamped((1, 4), (8, 1), ALL);
    group.wait_us(A_WHILE_US);
    for index in 0..3 {
        assert_eq!(group.executed(index), [(7, 1), (9, 1), (8, 1)]);
    }
    assert_eq!(group.members[0].status().counters.rolled_back, 1);
}

/// What only a follower got of the old session counts: its client may have been told of it.
#[test]
fn a_session_ends_with_everything_that_any_of_a_majority_has() {
    let mut group = Group::new();
    group.stamped((1, 1), (7, 1), ALL);
    group.stamped((1, 2), (8, 1), &[1, 2]);
    group.stamped((5, 1), (9, 1), ALL);
    group.stamped((5, 2), (7, 2), ALL);
    // What the old root still says is too late.
    group.stamped((1, 3), (6, 1), ALL);
    group.wait_us(LONG_US);
    for index in 0..3 {
        assert_eq!(group.executed(index), [(7, 1), (8, 1), (9, 1), (7, 2)]);
    }
}

/// Replica 2 has answered for a request that the leader lacks. If it came back into the same view
/// without it, the leader could have the others agree on a no-op there, and a client that counts
/// the forgotten answer with a later one would be told of what is not in the log.
#[test]
fn who_has_forgotten_its_answers_comes_back_in_another_view() {
    let mut group = Group::new();
    group.stamped((1, 1), (7, 1), ALL);
    group.wait_us(A_WHILE_US);
    let before = group.members[0].status().view;
    group.stamped((1, 2), (8, 1), &[2]);
    group.restart(2);
    assert_eq!(group.members[2].status().mode, Mode::Recovering);
    group.told.clear();
    group.stamped((1, 3), (9, 1), ALL);
    assert!(group.told.is_empty(), "{:?}", group.told);
    group.wait_us(LONG_US);
    for index in 0..3 {
        let status = group.members[index].status();
        assert_eq!(status.mode, Mode::Normal);
        assert!(status.view > before);
        assert_eq!(group.executed(index), [(7, 1), (9, 1)]);
    }
}
