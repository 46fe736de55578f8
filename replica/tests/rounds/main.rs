//! Schedules in which shorter rules than those of synchronous rounds lose a command.
//!
//! Each is one story, told by hand to real cores. Where a [`Mutant`] leaves the rule out, the
//! same story must go wrong with it: a test that cannot fail is no test.

mod bounds;
mod group;
#[path = "../scenario_runner/machine.rs"]
mod machine;
mod membership;
mod reads;
mod rules;

use group::{Group, id};
use replica::rounds::{Limits, Mutant};
use wire::Position;
use wire::message::Message;
use wire::message::rounds::{FetchPositions, RoundsMessage};

/// Tells a story to correct cores, which must agree, and to broken ones, which must not.
fn agrees_but_for(mutant: Mutant, story: impl Fn(Option<Mutant>) -> Group) {
    assert!(story(None).agree());
    let broken = story(Some(mutant));
    assert!(!broken.agree(), "{mutant:?}: {:?}", broken.replies);
}

/// Member 0 is gone, the root is another one, and the others go on with `z`.
fn go_on_without_0(group: &mut Group, term: u32) {
    group.drop_all();
    group.begin_term(term);
    group.settle_without(&[0]);
    group.ask(1, b'z');
    group.settle_without(&[0]);
}

/// A packet is voted for by f+1 and, as far as f+1 reports can tell, a no-op is too.
fn packet_of_a_majority(mutant: Option<Mutant>) -> Group {
    let mut group = Group::new(3, mutant);
    group.ask(0, b'x');
    group.deliver(|flying| flying.proposes() && flying.to < 2);
    // Both have voted. Member 1 says so to member 0 only.
    group.deliver(|flying| flying.is_round() && flying.from == 1 && flying.to == 0);
    go_on_without_0(&mut group, 2);
    group
}

#[test]
fn packet_and_no_op_both_decided_by_a_majority() {
    agrees_but_for(Mutant::CommitByMajority, packet_of_a_majority);
    agrees_but_for(Mutant::CommitOwnLock, packet_of_a_majority);
}

#[test]
fn a_lock_that_one_reporter_alone_has_seen() {
    agrees_but_for(Mutant::MergeForgetsLock, |mutant| {
        let mut group = Group::new(3, mutant);
        group.ask(0, b'x');
        group.deliver(|flying| flying.proposes() && flying.to < 2);
        // Each hears that the other has voted, and member 0 hears that member 1 has seen it.
        let both = |flying: &group::Flying| flying.is_round() && flying.from < 2 && flying.to < 2;
        group.deliver(both);
        group.deliver(|flying| both(flying) && flying.to == 0);
        group.deliver(|flying| both(flying) && flying.to == 0);
        assert_eq!(group.executed(0), "x");
        go_on_without_0(&mut group, 2);
        group
    });
}

/// Four of five have voted for a no-op where the fifth has voted for a packet.
#[test]
fn one_vote_against_a_superquorum() {
    agrees_but_for(Mutant::MergeOneVote, |mutant| {
        let mut group = Group::new(5, mutant);
        group.ask(0, b'x');
        group.deliver(|flying| flying.proposes() && flying.to == 4);
        group.drop_all();
        group.ask(0, b'y');
        // Member 0 takes its packet for lost and sends another one; nobody but member 4 has the
        // first, and nobody hears member 4.
        for _ in 0..400 {
            group.pass(50);
            group.wire.retain(|flying| {
                flying.from != 4
                    && flying.to != 4
                    && (!flying.is_round() || flying.from == 0 || flying.to == 0)
            });
            group
                .wire
                .retain(|flying| !flying.is_round() || flying.proposes() || flying.to == 0);
            group.deliver(|_| true);
            if !group.executed(0).is_empty() {
                break;
            }
        }
        assert_eq!(group.executed(0), "xy");
        // Member 4 coordinates term 4.
        go_on_without_0(&mut group, 4);
        group
    });
}

/// The superquorum's votes are one member's to know; another voter restarts.
#[test]
fn a_restart_with_fence_but_without_votes() {
    agrees_but_for(Mutant::RejoinAtOnce, |mutant| {
        let mut group = Group::new(3, mutant);
        group.ask(0, b'x');
        group.deliver(group::Flying::proposes);
        group.deliver(|flying| flying.is_round() && flying.to == 0);
        assert_eq!(group.executed(0), "x");
        group.restart(1);
        go_on_without_0(&mut group, 2);
        group
    });
}

/// Four of five have decided `x`, one of them restarts, and of another no report arrives.
#[test]
fn a_report_without_votes_counts_as_none() {
    agrees_but_for(Mutant::CountForgetful, |mutant| {
        let mut group = Group::new(5, mutant);
        group.come_to_rest();
        group.ask(0, b'x');
        group.deliver(|flying| flying.proposes() && flying.to < 4);
        group.deliver(|flying| flying.is_round() && flying.to == 0);
        assert_eq!(group.executed(0), "x");
        group.drop_all();
        group.restart(1);
        // Member 4 coordinates.
        group.begin_term(4);
        let keep = |flying: &group::Flying| {
            let is_lost = flying.from == 3 && flying.reports_for().is_some();
            !(is_lost || flying.from == 0 || flying.to == 0)
        };
        group.settle_if(keep);
        group.ask(2, b'z');
        group.settle_if(keep);
        assert!(group.executed(2).ends_with('z'));
        group
    });
}

/// The root gives one number to two packets, and the next to one that both halves get.
#[test]
fn a_digest_that_covers_only_the_last_packet() {
    agrees_but_for(Mutant::DigestOfLast, |mutant| {
        let mut group = Group::new(3, mutant);
        let last = group.last_number();
        group.ask(0, b'x');
        group.set_last_number(last);
        group.ask(1, b'y');
        // Member 0 gets its packet under the number, the others get theirs.
        group.deliver(|flying| flying.proposes() && (flying.from == 0) == (flying.to == 0));
        group.wire.retain(|flying| !flying.proposes());
        for _ in 0..20 {
            group.deliver(group::Flying::is_round);
        }
        group.settle();
        group
    });
}

/// The same, and one of the voters is gone when it must be settled.
#[test]
fn a_reused_number_with_the_tie_breaking_voter_crashed() {
    for gone in 0..3 {
        let mut group = Group::new(3, None);
        let last = group.last_number();
        group.ask(0, b'x');
        group.set_last_number(last);
        group.ask(1, b'y');
        group.deliver(|flying| flying.proposes() && (flying.from == 0) == (flying.to == 0));
        group.drop_all();
        group.settle_without(&[gone]);
        assert!(group.agree());
        group.ask((gone + 1) % 3, b'z');
        group.settle_without(&[gone]);
        assert!(group.agree());
        assert!(group.executed((gone + 1) % 3).contains('z'), "it goes on");
    }
}

#[test]
fn a_root_that_goes_backwards_in_a_term() {
    let mut group = Group::new(3, None);
    for letter in [b'a', b'b', b'c'] {
        group.ask(0, letter);
        group.settle();
    }
    assert_eq!(group.executed(2), "abc");
    group.set_last_number(group.last_number() - 2);
    for (member, letter) in [(0, b'd'), (1, b'e'), (2, b'f')] {
        group.ask(member, letter);
        group.settle();
        assert!(group.agree());
    }
    for member in 0..3 {
        assert_eq!(group.executed(member), "abcdef");
    }
}

/// What a member has voted for stays when the beginning of an older epoch comes again.
#[test]
fn a_beginning_that_comes_again_over_newer_votes() {
    let takes_back = |mutant| {
        let mut group = Group::new(3, mutant);
        group.begin_term(2);
        let mut beginning = None;
        for _ in 0..4_000 {
            group.pass(50);
            let to_1 = |flying: &&group::Flying| flying.is_start() && flying.to == 1;
            let found = group.wire.iter().find(to_1).cloned();
            beginning = beginning.or(found);
            group.deliver(|_| true);
        }
        group.begin_term(3);
        group.settle();
        group.ask(0, b'x');
        group.deliver(group::Flying::proposes);
        let voted = group.acknowledged(1);
        group.drop_all();
        group.arrive(&beginning.expect("an epoch has begun"));
        group.pass(30_000);
        group.acknowledged(1) < voted
    };
    assert!(!takes_back(None));
    assert!(takes_back(Some(Mutant::OldStartEpoch)));
}

/// A member that gets the state at a position keeps its votes above.
#[test]
fn a_state_that_is_installed_below_newer_votes() {
    let takes_back = |mutant| {
        let limits = Limits {
            retained: 1,
            ..Limits::default()
        };
        let mut group = Group::with_limits(3, 3, mutant, limits);
        group.ask(0, b'x');
        group.ask(2, b'y');
        group.deliver(group::Flying::proposes);
        group.deliver(|flying| flying.is_round() && flying.to == 0);
        assert_eq!((group.executed(0), group.executed(1)), ("x", ""));
        // Member 1 says again what it has voted for: for both.
        group.pass(2_000);
        let voted = group.acknowledged(1);
        group.drop_all();
        let fetch = FetchPositions {
            replica: id(1),
            above: Position(0),
        };
        let fetch = Message::Rounds(RoundsMessage::FetchPositions(fetch));
        group.hand(0, None, fetch);
        group.deliver(|flying| flying.to == 1);
        assert_eq!(group.executed(1), "x");
        group.drop_all();
        group.pass(30_000);
        group.acknowledged(1) < voted
    };
    assert!(!takes_back(None));
    assert!(takes_back(Some(Mutant::StateForgetsVotes)));
}

/// A coordinator says once what an epoch begins with, whoever reports afterwards.
#[test]
fn two_beginnings_of_one_number() {
    let twice = |mutant| {
        let mut group = Group::new(3, mutant);
        group.ask(0, b'x');
        group.deliver(|flying| flying.proposes() && flying.to < 2);
        group.drop_all();
        group.starts.clear();
        group.begin_term(3);
        // Member 0 coordinates term 3; beginnings are lost, so that all report again.
        for _ in 0..120 {
            group.pass(50);
            group.wire.retain(|flying| !flying.is_start());
            group.deliver(|_| true);
        }
        let epochs: Vec<u64> = group.starts.iter().map(|(epoch, _)| *epoch).collect();
        assert!(!epochs.is_empty());
        epochs.windows(2).any(|pair| pair[0] == pair[1])
    };
    assert!(!twice(None));
    assert!(twice(Some(Mutant::StartTwice)));
}

#[test]
fn a_retry_at_another_member_executed_twice() {
    let executed = |mutant| {
        let mut group = Group::new(3, mutant);
        group.ask(0, b'x');
        group.ask(1, b'x');
        group.settle();
        group.executed(2).to_owned()
    };
    assert_eq!(executed(None), "x");
    // The client table notices that a request comes a second time.
    let twice = std::panic::catch_unwind(|| executed(Some(Mutant::ExecuteTwice)));
    assert!(twice.is_err());
}

/// A member that has promised an epoch and hears nobody from then on gives it up again and again,
/// each time for a later one. The others hear it, are in the epoch, and stay there.
#[test]
fn one_half_deaf_member_cannot_raise_epochs_for_ever() {
    let mut group = Group::new(3, None);
    group.begin_term(2);
    for _ in 0..4_000 {
        if group.is_fenced(0) {
            break;
        }
        group.deliver(|flying| !flying.is_start());
        group.pass(50);
    }
    assert!(group.is_fenced(0));
    group.settle_with_deaf(0);
    let epoch = group.epoch(1);
    assert!(epoch.term.0 == 2 && group.is_fenced(0));
    for letter in *b"abc" {
        group.ask(1, letter);
        group.settle_with_deaf(0);
        assert_eq!((group.epoch(1), group.epoch(2)), (epoch, epoch));
    }
    assert_eq!(group.executed(2), "abc");
    group.settle();
    assert_eq!(group.executed(0), "abc");
}

/// Lets time pass until a report of `from` to `to` for an attempt of the term is on its way. No
/// report arrives, and nothing from or to `cut_off`.
fn report_of(
    group: &mut Group,
    (from, to): (usize, usize),
    attempt: u32,
    cut_off: &[usize],
) -> group::Flying {
    for _ in 0..4_000 {
        let wanted = |flying: &&group::Flying| {
            let is_for = flying
                .reports_for()
                .is_some_and(|epoch| epoch.attempt == attempt);
            (flying.from, flying.to) == (from, to) && is_for
        };
        if let Some(report) = group.wire.iter().find(wanted) {
            return report.clone();
        }
        group.wire.retain(|flying| {
            let cut = cut_off.contains(&flying.from) || cut_off.contains(&flying.to);
            flying.reports_for().is_none() && !cut
        });
        group.deliver(|_| true);
        group.pass(50);
    }
    panic!("member {from} does not report to {to} for attempt {attempt}");
}

/// Member 1 promises an epoch that member 0 coordinates, and forgets it with its disk. Member 2
/// knows of its new life, and coordinates an earlier epoch with a report of member 0 from before.
/// If the new life is let in there, two halves of the group can decide: members 1 and 2 in the
/// earlier epoch, and who was promised the later one.
fn new_life_in_an_epoch_before_the_promised(mutant: Option<Mutant>) -> Group {
    let mut group = Group::new(3, mutant);
    // The two epochs must differ: a vote of member 1 makes the later one begin further up.
    group.ask(1, b'y');
    group.deliver(|flying| flying.proposes() && flying.to == 1);
    group.drop_all();
    group.begin_term(2);
    let earlier = report_of(&mut group, (0, 2), 2, &[]);
    let later = report_of(&mut group, (1, 0), 16, &[2]);
    group.drop_all();
    group.restart_without_disk(1);
    group.pass(1);
    group.deliver(|flying| (flying.from, flying.to) == (1, 2));
    group.drop_all();
    group.arrive(&earlier);
    group.deliver(|flying| flying.is_start() && flying.to == 1);
    group.ask(2, b'x');
    group.settle_without(&[0]);
    group.arrive(&later);
    group.settle();
    group
}

#[test]
fn a_life_that_reporters_had_not_heard_of_is_not_let_in() {
    assert!(new_life_in_an_epoch_before_the_promised(None).agree());
    // What is decided was to be changed: the core stops.
    let broken = std::panic::catch_unwind(|| {
        new_life_in_an_epoch_before_the_promised(Some(Mutant::LetInUnheard)).agree()
    });
    assert!(!broken.unwrap_or(false));
}
