//! What each rule is there for: one story a rule.

use crate::group::{Flying, Group};
use replica::Protocol;
use wire::Position;
use wire::message::rounds::Value;

/// What a member holds at the position after those that a group at rest has.
fn holds_no_op(group: &Group, member: usize, position: Position) -> bool {
    let voted = group.member(member).voted_at(position);
    voted.is_some_and(|(value, _)| value == Value::NoOp)
}

fn next_position(group: &Group) -> Position {
    Position(group.member(0).head().0 + 1)
}

/// Nobody has said that anything is locked when the last vote comes.
#[test]
fn a_superquorum_of_votes_decides() {
    let mut group = Group::new(3, None);
    group.ask(0, b'x');
    group.deliver(Flying::proposes);
    group.deliver(|flying| flying.is_round() && flying.from == 1 && flying.to == 0);
    assert_eq!(group.executed(0), "", "two votes of three decide nothing");
    group.deliver(|flying| flying.is_round() && flying.from == 2 && flying.to == 0);
    assert_eq!(group.executed(0), "x");
    assert_eq!(group.replies, ["x"], "who was asked answers, alone");
}

#[test]
fn two_of_three_decide_by_their_locks_while_one_is_down() {
    let mut group = Group::new(3, None);
    group.ask(0, b'x');
    group.settle_without(&[2]);
    assert_eq!((group.executed(0), group.executed(1)), ("x", "x"));
    assert_eq!(group.executed(2), "");
}

/// A member that lacks a packet stops voting, asks, and goes on with it.
#[test]
fn a_missing_packet_is_asked_for() {
    let mut group = Group::new(3, None);
    let position = next_position(&group);
    group.ask(0, b'x');
    group.wire.retain(|flying| flying.to != 2);
    group.deliver(Flying::proposes);
    group.ask(1, b'y');
    group.deliver(Flying::is_round);
    assert!(
        group.member(2).head() < position,
        "it votes for nothing behind a hole"
    );
    group.settle();
    assert_eq!(group.member(2).status().counters.gaps_given_up, 0);
    assert!(!holds_no_op(&group, 2, position));
    assert_eq!([0, 1, 2].map(|member| group.executed(member).len()), [2; 3]);
    assert!(group.agree());
}

/// Nobody has a packet, its own sender included: a majority says so, and then it is a no-op.
#[test]
fn a_packet_that_a_majority_lacks_becomes_a_no_op() {
    let mut group = Group::new(3, None);
    let position = next_position(&group);
    group.ask(0, b'x');
    group.wire.retain(|flying| !flying.proposes());
    group.ask(1, b'y');
    group.deliver(Flying::proposes);
    assert!(
        group.member(1).head() < position,
        "nobody takes it for a no-op at once"
    );
    group.settle();
    for member in 0..3 {
        assert!(holds_no_op(&group, member, position), "member {member}");
        assert_eq!(group.executed(member).len(), 2, "x is proposed again");
    }
    assert!(group.agree());
}

/// One number, two packets: who has voted for the one adopts the other once that is locked.
#[test]
fn a_lock_is_adopted_over_the_own_vote() {
    let mut group = Group::new(3, None);
    let (last, position) = (group.last_number(), next_position(&group));
    group.ask(0, b'x');
    group.set_last_number(last);
    group.ask(1, b'y');
    group.deliver(|flying| flying.proposes() && (flying.from == 0) == (flying.to == 0));
    group.wire.retain(|flying| !flying.proposes());
    let digest = |group: &Group, member: usize| group.member(member).voted_at(position).unwrap().1;
    let own = digest(&group, 0);
    assert_ne!(own, digest(&group, 1));
    group.settle();
    assert_ne!(digest(&group, 0), own, "its own vote is gone");
    assert_eq!(digest(&group, 0), digest(&group, 2));
    assert_eq!([0, 1, 2].map(|member| group.executed(member).len()), [2; 3]);
    assert!(group.agree());
}

/// What was decided under one root stays under the next, and what only one member has voted for
/// is void: its request is proposed again.
#[test]
fn a_new_term_voids_what_was_not_locked() {
    let mut group = Group::new(3, None);
    group.ask(0, b'a');
    group.settle();
    let position = next_position(&group);
    group.ask(0, b'x');
    group.deliver(|flying| flying.proposes() && flying.to == 0);
    group.drop_all();
    group.begin_term(2);
    group.settle_without(&[0]);
    group.ask(1, b'z');
    group.settle_without(&[0]);
    assert_eq!(group.executed(1), "az");
    assert_eq!(group.member(0).head(), position);
    group.settle();
    assert!(group.agree());
    assert_eq!(group.executed(0), "azx");
}

/// A coordinator that has decided less than the longest lock gets that log before it begins.
#[test]
fn a_coordinator_fetches_the_log_that_it_lacks() {
    let mut group = Group::new(3, None);
    for letter in [b'a', b'b'] {
        group.ask(0, letter);
        group.settle_without(&[2]);
    }
    assert_eq!((group.executed(1), group.executed(2)), ("ab", ""));
    // Member 2 coordinates term 2, and member 0 is gone.
    group.begin_term(2);
    group.settle_without(&[0]);
    assert_eq!(group.executed(2), "ab");
    group.ask(1, b'c');
    group.settle_without(&[0]);
    assert_eq!((group.executed(1), group.executed(2)), ("abc", "abc"));
}

/// Idle members send seldom; a request is answered long before they would.
#[test]
fn an_idle_group_wakes_by_one_request() {
    let mut group = Group::new(3, None);
    // The last packets of before are back.
    group.settle();
    group.ask(1, b'x');
    for _ in 0..6 {
        // No time passes.
        group.deliver(|_| true);
    }
    assert_eq!([0, 1, 2].map(|member| group.executed(member)), ["x"; 3]);
}
