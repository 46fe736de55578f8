//! Reads without a log entry: none may miss what a client was told of before it was asked for.

use crate::group::{Flying, Group};
use replica::rounds::Mutant;

/// The reader of these stories. Its replies are all letters that a member has executed.
const READER: u8 = b'r';

/// What was read, in the order of the answers.
fn read(group: &Group) -> Vec<&str> {
    group.replies.iter().map(String::as_str).collect()
}

/// Tells a story to correct cores, which must read `z` and nothing else, and to broken ones, which
/// must read what was there before.
fn reads_z_but_for(mutants: &[Mutant], story: impl Fn(Option<Mutant>) -> Group) {
    let group = story(None);
    assert_eq!(read(&group), ["z"]);
    for mutant in mutants {
        let broken = story(Some(*mutant));
        assert_eq!(read(&broken).first(), Some(&""), "{mutant:?}");
    }
}

#[test]
fn a_member_that_is_cut_off_and_does_not_know() {
    reads_z_but_for(&[Mutant::ReadWithoutBarrier], |mutant| {
        let mut group = Group::new(3, mutant);
        group.ask(1, b'z');
        group.settle_around(0);
        group.replies.clear();
        assert_eq!((group.executed(0), group.executed(1)), ("", "z"));
        group.ask_to_read(0, READER, 1);
        group.settle_without(&[0]);
        if mutant.is_none() {
            assert_eq!(read(&group), [""; 0], "it has asked nobody");
        }
        group.settle();
        group
    });
}

#[test]
fn a_packet_that_was_under_way_when_the_read_came() {
    let mutants = [Mutant::ReadInFlightPacket, Mutant::ReadWithoutBarrier];
    reads_z_but_for(&mutants, |mutant| {
        let mut group = Group::new(3, mutant);
        // Everybody sends a packet. What comes for member 0 waits, its own packet too.
        group.pass(20_000);
        group.ask(1, b'z');
        for _ in 0..8 {
            group.deliver(|flying| flying.to != 0);
        }
        assert_eq!((group.executed(1), group.executed(2)), ("z", "z"));
        group.replies.clear();
        group.ask_to_read(0, READER, 1);
        group.settle();
        group
    });
}

/// Two roots: member 0 hears the old one, which still numbers what waited there, and the others
/// have gone on under the new one.
fn two_roots(mutant: Option<Mutant>) -> (Group, Vec<Flying>) {
    let mut group = Group::new(3, mutant);
    // Each member's packet of the old epoch waits in front of the old root.
    group.pass(20_000);
    let is_first = |flying: &Flying| flying.is_round() && flying.to == 0;
    let queued: Vec<_> = std::mem::take(&mut group.wire);
    let queued: Vec<_> = queued.into_iter().filter(is_first).collect();
    let last = group.last_number();
    group.begin_term(2);
    // What makes the others notice.
    let came = {
        group.ask(1, b'y');
        group.settle_around(0)
    };
    group.ask(1, b'z');
    let mut later = came;
    later.extend(group.settle_around(0));
    assert_eq!((group.executed(0), group.executed(1)), ("", "yz"));
    group.replies.clear();
    // The read comes; its packet gets the old root's next number, and then those that were sent
    // before the fence get theirs.
    let own = queued.iter().find(|flying| flying.from == 0).cloned();
    group.arrive_stamped(&own.expect("it has sent one"), 0, (1, last - 2));
    group.ask_to_read(0, READER, 1);
    let barrier = group.wire.iter().find(|flying| is_first(flying)).cloned();
    group.drop_all();
    group.arrive_stamped(&barrier.expect("it asks for a barrier"), 0, (1, last - 1));
    for (flying, number) in queued.iter().filter(|flying| flying.from > 0).zip(last..) {
        group.arrive_stamped(flying, 0, (1, number));
    }
    assert_eq!(read(&group), [""; 0], "nobody has acknowledged the packet");
    group.drop_all();
    (group, later)
}

#[test]
fn a_read_with_packets_queued_before_the_fence() {
    let story = |mutant| {
        let (mut group, later) = two_roots(mutant);
        // Then it gets to what the epoch began with, and to all that was said there since.
        for flying in &later {
            group.arrive(flying);
        }
        group.settle();
        group.replies.clone()
    };
    assert_eq!(story(None), ["yz"]);
    let broken = story(Some(Mutant::ReadAfterEpochChange));
    assert_ne!(broken.first().map(String::as_str), Some("yz"));
}

#[test]
fn a_packet_that_the_next_root_numbers() {
    reads_z_but_for(&[Mutant::ReadAfterEpochChange], |mutant| {
        let mut group = Group::new(3, mutant);
        group.begin_term(2);
        group.ask(1, b'z');
        group.settle_around(0);
        group.replies.clear();
        assert_eq!((group.executed(0), group.executed(1)), ("", "z"));
        group.ask_to_read(0, READER, 1);
        let barrier = |flying: &Flying| flying.is_round() && flying.from == 0 && flying.to == 0;
        let barrier = group.wire.iter().find(|flying| barrier(flying)).cloned();
        group.drop_all();
        // A small number, of a term that member 0 does not know.
        group.arrive_stamped(&barrier.expect("it asks for a barrier"), 0, (2, 1));
        group.settle();
        group
    });
}

#[test]
fn reads_at_every_member_leave_no_trace_in_the_log() {
    for n in [1, 3, 5] {
        let mut group = Group::new(n, None);
        group.ask(0, b'a');
        group.settle();
        group.replies.clear();
        for member in 0..n {
            group.ask_to_read(member, READER, 1);
        }
        group.settle();
        assert_eq!(read(&group), vec!["a"; n]);
        assert!((0..n).all(|member| group.logged(member) == 1));
    }
}

#[test]
fn a_read_needs_no_more_than_a_majority() {
    let mut group = Group::new(5, None);
    group.ask(0, b'a');
    group.settle_without(&[3, 4]);
    group.ask_to_read(1, READER, 1);
    group.settle_without(&[3, 4]);
    assert_eq!(read(&group), ["a", "a"]);
    group.ask_to_read(1, READER, 2);
    group.settle_without(&[2, 3, 4]);
    assert_eq!(
        read(&group).len(),
        2,
        "two of five know nothing for certain"
    );
}

#[test]
fn a_barrier_that_is_lost_or_late_is_sent_again_and_the_read_answered_once() {
    for comes_late in [false, true] {
        let mut group = Group::new(3, None);
        group.ask_to_read(0, READER, 1);
        let lost = std::mem::take(&mut group.wire);
        assert!(lost.iter().any(Flying::is_round));
        group.pass(1_000);
        assert!(group.wire.iter().any(Flying::is_round), "another packet");
        if comes_late {
            group.wire.extend(lost);
        }
        group.settle();
        assert_eq!(read(&group), [""]);
    }
}

#[test]
fn an_epoch_that_ends_while_a_read_waits() {
    let mut group = Group::new(3, None);
    group.ask_to_read(0, READER, 1);
    // Its packet is back; then the root is another one.
    group.deliver(|flying| flying.to == 0);
    group.drop_all();
    group.begin_term(2);
    group.settle();
    assert_eq!(read(&group), [""]);
}

#[test]
fn a_read_that_is_asked_for_again_waits_once_and_an_older_one_not_at_all() {
    let mut group = Group::new(3, None);
    for _ in 0..3 {
        group.ask_to_read(0, READER, 1);
    }
    group.settle();
    assert_eq!(read(&group), [""]);
    // The reply was lost: it is read again.
    group.ask_to_read(0, READER, 1);
    group.settle();
    assert_eq!(read(&group), ["", ""]);
    // Numbers that were reads are missing in the log, and no client waits for them any more.
    group.ask_numbered(1, (READER, 2), b"w");
    group.settle();
    group.ask_to_read(2, READER, 1);
    group.settle();
    assert_eq!(read(&group), ["", "", "w"]);
    group.ask_to_read(2, READER, 3);
    group.settle();
    assert_eq!(read(&group), ["", "", "w", "w"]);
    assert_eq!(group.logged(0), 1);
}

#[test]
fn no_more_reads_wait_than_may() {
    let mut group = Group::new(3, None);
    for reader in 1..=20 {
        group.ask_to_read(0, reader, 1);
    }
    group.settle();
    assert_eq!(read(&group), [""; 8]);
}

#[test]
fn a_restarted_member_leaves_reads_to_others_until_it_is_in() {
    let mut group = Group::new(3, None);
    group.ask(1, b'z');
    group.settle();
    group.replies.clear();
    group.restart(0);
    group.ask_to_read(0, READER, 1);
    group.settle();
    assert_eq!(read(&group), [""; 0]);
    group.ask_to_read(0, READER, 1);
    group.settle();
    assert_eq!(read(&group), ["z"]);
}

#[test]
fn reads_that_are_answered_are_no_ground_for_another_epoch() {
    const STALLS_US: u64 = 8_000;
    // A read is under way when the wait that the one before it began would end. One member is
    // down, so that nothing is decided after the answer.
    for late_us in (0..1_000).step_by(50) {
        let mut group = Group::new(3, None);
        group.settle_without(&[2]);
        group.wishes = 0;
        for number in 1..20 {
            group.ask_to_read(0, READER, number);
            for step in 0..(STALLS_US + late_us) / 50 {
                // A packet takes its time.
                if step % 4 == 3 {
                    group
                        .wire
                        .retain(|flying| flying.from != 2 && flying.to != 2);
                    group.deliver(|_| true);
                }
                group.pass(50);
            }
        }
        group.settle_without(&[2]);
        assert_eq!((read(&group).len(), group.wishes), (19, 0), "{late_us} µs");
    }
}
