//! What a member does whose work piles up: it proposes nothing more, takes no more requests than
//! its bound, and goes on when the others do.

use crate::group::{Flying, Group};
use replica::rounds::Limits;

/// Positions that may wait for a decision; from half of it on, packets carry no requests.
const UNDECIDED: u64 = 8;
/// Requests that a member may have taken and not executed.
const REQUESTS: usize = 6;

fn group() -> Group {
    let limits = Limits {
        undecided: UNDECIDED,
        requests: REQUESTS,
        ..Limits::default()
    };
    let mut group = Group::with_limits(3, 3, None, limits);
    group.come_to_rest();
    group.drop_all();
    group
}

/// Positions of member 0 that wait for a decision.
fn undecided(group: &Group) -> u64 {
    let member = group.member(0);
    member.head().0 - member.committed().0
}

fn within_bounds(group: &Group) {
    for held in group.member(0).held() {
        assert!(held.value <= held.bound, "{held:?}");
    }
}

/// Member 0's packets come back to it, and nobody else answers. Returns, for each packet that it
/// sends, how much waited for a decision then and whether the packet asked for something.
fn alone_for(group: &mut Group, ms: u64) -> Vec<(u64, bool)> {
    let own = |flying: &&Flying| flying.is_round() && (flying.from, flying.to) == (0, 0);
    let mut sent = Vec::new();
    for _ in 0..ms * 20 {
        sent.extend(
            (group.wire.iter().filter(own)).map(|flying| (undecided(group), flying.proposes())),
        );
        group.deliver(|flying| own(&flying));
        within_bounds(group);
        group.pass_without(&[1, 2], 50);
    }
    sent
}

/// Nothing is decided for a while. What has been proposed waits; what comes waits in the member up
/// to its bound, and beyond it is left to another member; packets that the member sends to go on
/// talking ask for nothing. Then the others hear all of it, and everything taken is executed once.
#[test]
fn a_member_whose_work_piles_up_proposes_nothing_until_it_is_done() {
    let mut group = group();
    let mut sent = Vec::new();
    for letter in b'a'..=b'i' {
        group.ask(0, letter);
        sent.extend(alone_for(&mut group, 1));
    }
    sent.extend(alone_for(&mut group, 30));
    let half = UNDECIDED / 2;
    let (proposing, empty): (Vec<_>, Vec<_>) = sent.iter().partition(|(_, proposes)| *proposes);
    assert!(
        proposing.iter().all(|(waiting, _)| *waiting < half),
        "{sent:?}"
    );
    assert!(
        !proposing.is_empty() && proposing.len() < REQUESTS,
        "{sent:?}"
    );
    assert!(
        empty.iter().any(|(waiting, _)| *waiting >= half),
        "{sent:?}"
    );
    assert_eq!(
        undecided(&group),
        UNDECIDED,
        "it votes for no more than it may"
    );
    let throttled = |group: &Group| group.status(0).counters.throttled;
    assert_eq!(throttled(&group), 3, "nine asked, six were taken");
    assert_eq!(group.executed(0), "");
    group.settle();
    assert_eq!(
        [0, 1, 2].map(|member| group.executed(member).len()),
        [REQUESTS; 3]
    );
    // Who was refused asks again.
    for letter in b'g'..=b'i' {
        group.ask(0, letter);
    }
    group.settle();
    assert_eq!(throttled(&group), 3);
    assert_eq!(group.executed(2).len(), 9);
    assert_eq!(group.replies.len(), 9);
    assert!(group.agree());
}

/// A client that gives up and asks for something else, again and again, takes one place; what it
/// has given up leaves no trace in the member's memory.
#[test]
fn what_clients_have_given_up_does_not_pile_up() {
    let mut group = group();
    for letter in b'a'..b'a' + 4 {
        group.ask(0, letter);
        alone_for(&mut group, 1);
    }
    for number in 1..2_000 {
        group.ask_numbered(0, (b'z', number), b"z");
        within_bounds(&group);
    }
    group.settle();
    assert_eq!(group.executed(1).matches('z').count(), 1);
    assert!(group.agree());
}
