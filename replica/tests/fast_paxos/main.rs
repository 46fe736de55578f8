//! Fast Paxos by hand: what is chosen and when, and what may not be counted.

mod group;

use group::Group;
use replica::{Mode, Protocol};

const ALL: &[usize] = &[0, 1, 2];
/// Longer than a choice may take, shorter than anybody may be silent.
const A_WHILE_US: u64 = 5_000;
/// Longer than a coordinator may be silent and a view change takes.
const LONG_US: u64 = 60_000;

#[test]
fn a_lone_request_is_answered_when_the_votes_are_there_and_costs_one_packet_a_replica() {
    let mut group = Group::new(3);
    group.request((7, 1), ALL);
    assert_eq!(group.told, [], "the votes are on their way");
    assert_eq!(group.sent, 2);
    group.deliver();
    assert_eq!(
        group.told,
        [(0, 7, 1)],
        "the coordinator answers, and nobody else"
    );
    assert_eq!((group.committed(0), group.committed(1)), (1, 0));
    group.wait_us(A_WHILE_US);
    assert_eq!((group.committed(1), group.committed(2)), (1, 1));
}

#[test]
fn a_majority_of_votes_is_not_enough_in_a_fast_ballot() {
    let mut group = Group::new(3);
    group.request((7, 1), &[0, 1]);
    group.deliver();
    assert_eq!(group.told, []);
    // A classic round is.
    group.wait_us(A_WHILE_US);
    assert_eq!(group.told, [(0, 7, 1)]);
    for index in 0..3 {
        assert_eq!(
            (group.log(index), group.committed(index)),
            (vec![(7, 1)], 1)
        );
    }
}

#[test]
fn a_collision_is_settled_as_the_coordinator_has_it_without_waiting() {
    let mut group = Group::new(3);
    group.request((7, 1), &[0, 1]);
    group.request((8, 1), ALL);
    group.request((7, 1), &[2]);
    assert_eq!(group.log(2), [(8, 1), (7, 1)]);
    group.deliver();
    assert_eq!(group.told, [(0, 7, 1), (0, 8, 1)]);
    assert_eq!(group.log(2), [(7, 1), (8, 1)]);
    // The next ballot is fast again.
    group.request((9, 1), ALL);
    group.deliver();
    assert_eq!(group.told.last(), Some(&(0, 9, 1)));
}

#[test]
fn what_the_coordinator_alone_has_not_got_is_passed_on_and_executed_once() {
    let mut group = Group::new(3);
    group.request((7, 1), &[1, 2]);
    group.request((8, 1), ALL);
    group.deliver();
    assert_eq!(group.told, [(0, 8, 1), (0, 7, 1)]);
    // The client asks again, and not all that it sends arrives.
    group.request((7, 1), &[0, 2]);
    group.wait_us(A_WHILE_US);
    for index in 0..3 {
        assert_eq!(group.log(index), [(8, 1), (7, 1)]);
        assert_eq!(group.committed(index), 2);
    }
    assert_eq!(group.told.last(), Some(&(0, 7, 1)), "answered again");
}

#[test]
fn the_coordinator_asks_for_what_only_others_have() {
    let mut group = Group::new(3);
    group.request((7, 1), &[1, 2]);
    group.deliver();
    assert_eq!(group.told, []);
    group.wait_us(A_WHILE_US);
    assert_eq!(group.told, [(0, 7, 1)]);
}

/// Replica 2 votes for a log of two in the first ballot; the vote is late. The coordinator, which
/// has got the first of them only, settles that in a second ballot, of which replica 2 does not
/// hear. Then the other request comes. In the second ballot, two of three have voted for it.
#[test]
fn a_vote_of_an_attempt_that_is_over_does_not_count() {
    let mut group = Group::new(3);
    group.hold(2, 0);
    group.request((7, 1), ALL);
    group.request((8, 1), &[2]);
    group.deliver();
    group.cut_off.insert(2);
    group.wait_us(1_500);
    assert_eq!(group.told, [(0, 7, 1)]);
    group.cut_off.clear();
    group.request((8, 1), &[0, 1]);
    group.deliver();
    assert_eq!(group.log(0), group.log(2));
    assert_eq!(group.let_go(), 2, "votes for one and for both");
    assert_eq!(group.told, [(0, 7, 1)]);
    group.wait_us(A_WHILE_US);
    assert_eq!(group.told, [(0, 7, 1), (0, 8, 1)]);
}

/// (1) Replicas 1 and 2 vote for a request that the coordinator has not got; the vote of replica 2
/// is late. (2) Replica 2 restarts, is let in and knows nothing of the request. (3) The vote
/// arrives. (4) The request arrives at the coordinator. Counted, that vote would choose what the
/// coordinator and one replica have.
fn old_vote_arrives(before_it_is_let_in: bool) {
    let mut group = Group::new(3);
    group.hold(2, 0);
    group.request((7, 1), &[1, 2]);
    group.deliver();
    group.restart(2);
    assert_eq!(group.members[2].status().mode, Mode::Recovering);
    if before_it_is_let_in {
        assert_eq!(group.let_go(), 1);
        group.wait_us(1);
    } else {
        group.keep_held();
        group.wait_us(1);
        assert_eq!(group.let_go(), 1);
    }
    assert_eq!(group.members[2].status().mode, Mode::Normal);
    assert_eq!((group.log(1), group.log(2)), (vec![(7, 1)], vec![]));
    group.request((7, 1), &[0]);
    group.deliver();
    assert_eq!(group.told, [], "replica 2 has not got it");
    group.wait_us(A_WHILE_US);
    assert_eq!(group.told, [(0, 7, 1)]);
    assert_eq!(group.log(2), [(7, 1)]);
}

#[test]
fn a_vote_of_an_ended_life_does_not_count() {
    old_vote_arrives(false);
    old_vote_arrives(true);
}

#[test]
fn what_was_chosen_outlives_the_coordinator() {
    let mut group = Group::new(5);
    let all: Vec<_> = (0..5).collect();
    group.request((7, 1), &[0, 1, 2, 3]);
    group.request((8, 1), &all);
    group.deliver();
    assert_eq!(
        group.told,
        [(0, 7, 1), (0, 8, 1)],
        "four of five are enough"
    );
    assert_eq!(group.committed(1), 0, "nobody else knows yet");
    group.cut_off.insert(0);
    group.cut_off.insert(1);
    group.wait_us(LONG_US);
    for index in 2..5 {
        assert_eq!(group.log(index), [(7, 1), (8, 1)], "replica {index}");
        assert_eq!(group.committed(index), 2);
    }
}

#[test]
fn with_too_few_for_a_fast_quorum_the_coordinator_orders() {
    let mut group = Group::new(3);
    group.cut_off.insert(2);
    group.wait_us(2 * A_WHILE_US);
    group.request((7, 1), &[0, 1]);
    group.wait_us(A_WHILE_US);
    assert!(group.members[0].status().degraded);
    assert_eq!(group.log(1), [(7, 1)]);
    // One round trip from the coordinator to replica 1, who takes nothing from clients.
    group.request((8, 1), &[0]);
    group.deliver();
    assert_eq!(group.told, [(0, 7, 1), (0, 8, 1)]);
    group.cut_off.clear();
    group.wait_us(LONG_US);
    assert!(!group.members[0].status().degraded, "all are there again");
    assert_eq!(group.log(2), [(7, 1), (8, 1)]);
}
