//! Members that leave, come in and come back.

use crate::agrees_but_for;
use crate::group::{Flying, Group};
use replica::protocol::Mode;
use replica::rounds::Mutant;

/// Three members and two replicas that are none.
fn group(mutant: Option<Mutant>) -> Group {
    let mut group = Group::with_others(3, 5, mutant);
    group.ask(0, b'a');
    group.settle();
    group
}

fn members(group: &Group, at: usize) -> String {
    let rounds = group.status(at).rounds.expect("rounds");
    rounds.members.to_string()
}

#[test]
fn a_replica_takes_the_place_of_a_member() {
    let mut group = group(None);
    assert_eq!(group.status(3).mode, Mode::Recovering);
    group.change(1, 1, &[0, 1, 3]);
    group.settle();
    assert_eq!(group.replies.last().unwrap(), "1: r0 r1 r3");
    for member in [0, 1, 3] {
        assert_eq!(members(&group, member), "r0 r1 r3", "r{member}");
        assert_eq!(group.status(member).mode, Mode::Normal);
    }
    assert_eq!(group.executed(3), "a");
    assert_eq!(group.status(2).mode, Mode::Outside);
    // The new member counts where an old one is gone, and the one that left does not.
    group.ask(1, b'b');
    group.settle_without(&[0]);
    assert_eq!((group.executed(1), group.executed(3)), ("ab", "ab"));
    group.ask(1, b'c');
    group.settle_without(&[0, 3]);
    assert_eq!((group.executed(1), group.executed(2)), ("ab", "a"));
    assert!(group.agree());
}

#[test]
fn who_left_comes_back_with_what_it_missed() {
    let mut group = group(None);
    for (version, set) in [(1, &[0, 1][..]), (2, &[0, 1, 2]), (3, &[0, 2, 3, 4, 1])] {
        group.change(1, version, set);
        group.settle();
        group.ask(1, b'a' + u8::try_from(version).unwrap());
        group.settle();
    }
    for member in 0..5 {
        assert_eq!(group.executed(member), "abcd", "r{member}");
        assert_eq!(members(&group, member), "r0 r1 r2 r3 r4");
    }
    group.change(4, 4, &[0, 2, 4]);
    group.settle();
    group.ask(4, b'e');
    group.settle();
    assert_eq!((group.executed(4), group.executed(3)), ("abcde", "abcd"));
}

#[test]
fn a_change_that_cannot_be_is_refused_and_one_made_is_told_again() {
    let mut group = group(None);
    for bad in [&[][..], &[0, 3, 4], &[0, 1, 2]] {
        group.change(0, 1, bad);
        group.settle();
        assert_eq!(group.replies.last().unwrap(), "0: r0 r1 r2", "{bad:?}");
    }
    group.change(0, 1, &[0, 1, 2, 4]);
    group.settle();
    for asked in [&[0, 1, 2, 4][..], &[0, 1]] {
        group.change(2, 1, asked);
        assert_eq!(group.replies.last().unwrap(), "1: r0 r1 r2 r4", "{asked:?}");
    }
}

#[test]
fn two_changes_of_one_number_make_one() {
    let mut group = group(None);
    group.change(0, 1, &[0, 1, 3]);
    group.change(1, 1, &[1, 2, 4]);
    group.settle();
    let (one, other) = (
        members(&group, 1),
        &group.replies[group.replies.len() - 2..],
    );
    assert!(
        other.iter().all(|reply| *reply == format!("1: {one}")),
        "{other:?}"
    );
}

/// Two members wanted another epoch because they heard only themselves. Nobody has heard of it, and
/// then everything went well; now there is another reason.
#[test]
fn a_wish_that_has_passed_does_not_stand_in_the_way_of_a_change() {
    let mut group = group(None);
    let (epoch, wishes) = (group.epoch(0), group.wishes);
    group.ask(0, b'x');
    group.ask(1, b'y');
    // A wish is told to the four others.
    group.pass_until(
        |flying| flying.is_round() && flying.from == flying.to,
        |group| group.wishes >= wishes + 8,
    );
    group.settle_if(|flying| !flying.is_wish());
    assert_eq!(group.executed(2).len(), 3);
    group.settle();
    assert_eq!(group.epoch(2), epoch, "nothing is wanted any more");
    group.change(2, 1, &[0, 1, 3]);
    group.settle();
    for member in [0, 1, 3] {
        assert_eq!(members(&group, member), "r0 r1 r3", "r{member}");
    }
}

/// The old members that are left cannot know that the change is decided, and have both voted for
/// `z` after it. The new ones have begun.
fn change_that_few_know(mutant: Option<Mutant>) -> Group {
    let mut group = group(mutant);
    group.come_to_rest();
    let before = group.member(0).head();
    group.change(0, 1, &[0, 1, 3]);
    group.ask(2, b'z');
    let is_z = |flying: &Flying| flying.from == 2 && flying.proposes() && flying.to < 3;
    let late: Vec<Flying> = group.wire.iter().filter(|one| is_z(one)).cloned().collect();
    group.pass_until(
        |flying| {
            let between_two = flying.is_round() && flying.from < 2 && flying.to < 2;
            // Member 0 has seen the change locked, or decided, and only votes for it are heard.
            let tells = flying.to > 0 && flying.locks().is_some_and(|locked| locked > before);
            (between_two && !tells) || (flying.proposes_change() && flying.to == 2)
        },
        |group| group.replies.len() > 1,
    );
    for flying in late.iter().filter(|flying| flying.to > 0) {
        group.arrive(flying);
    }
    group.drop_all();
    // Member 0 coordinates the first epoch of term 3. Its beginning does not reach member 1.
    group.begin_term(3);
    group.ask(0, b'x');
    let cut_off = |index: usize| index == 2 || index == 4;
    group.pass_until(
        |flying| {
            let tells = flying.is_start() || flying.is_round();
            let is_late = tells && flying.from != 1 && flying.to == 1;
            !(cut_off(flying.from) || cut_off(flying.to) || is_late)
        },
        |group| group.executed(0) == "ax" && group.executed(3) == "ax",
    );
    assert_eq!((group.executed(0), group.executed(3)), ("ax", "ax"));
    group.drop_all();
    group.begin_term(4);
    group.settle_without(&[0, 3]);
    group
}

#[test]
fn an_epoch_of_new_members_is_seen_by_those_who_do_not_know_of_it() {
    agrees_but_for(Mutant::ChangeWithoutNew, change_that_few_know);
}

/// Of five members three stay. Those alone decide `x`, as far as the only one knows that has heard
/// of the change; the others settle without its votes.
#[test]
fn new_members_vote_from_the_next_epoch_on() {
    agrees_but_for(Mutant::ChangeAtOnce, |mutant| {
        let mut group = Group::new(5, mutant);
        group.come_to_rest();
        let stay = |flying: &Flying| flying.is_round() && flying.from < 3 && flying.to < 3;
        group.change(0, 1, &[0, 1, 2]);
        group.ask(0, b'x');
        // The change, then the votes for it and `x`, then the votes for `x`, to member 0 alone.
        group.deliver(stay);
        group.deliver(stay);
        group.deliver(|flying| stay(flying) && flying.to == 0);
        // Member 3 gets the change late, and member 0 alone hears its vote: the change is decided.
        group.deliver(|flying| flying.proposes_change() && flying.to == 3);
        group.deliver(|flying| flying.is_round() && (flying.from, flying.to) == (3, 0));
        assert_eq!(group.replies[0], "1: r0 r1 r2");
        group.drop_all();
        // Member 3 coordinates, and hears of member 2 last.
        group.begin_term(3);
        // What member 3 has voted for it says to the coordinator only, itself.
        let is_kept = |flying: &Flying| {
            let cut_off = |index: usize| index == 0 || index == 2;
            let votes_of_3 = flying.is_round() && flying.from == 3;
            !(cut_off(flying.from) || cut_off(flying.to) || votes_of_3)
        };
        group.pass_until(is_kept, |group| {
            let stops = |member: &usize| group.status(*member).mode == Mode::Reconciling;
            [1, 3, 4].iter().all(stops)
        });
        // Their reports.
        group.wire.retain(is_kept);
        group.deliver(|_| true);
        group.ask(1, b'z');
        group.settle_without(&[0]);
        assert!(group.executed(1).ends_with('z'));
        group
    });
}
