//! The root's count as seen through a network that loses and overtakes.

use super::*;

const EPOCH: EpochNumber = EpochNumber(3);

fn arrivals_at(next: u64) -> Arrivals {
    let mut arrivals = Arrivals::default();
    arrivals.begin(EPOCH, SequenceNumber(1));
    for number in 1..next {
        arrivals.pass(request(number));
    }
    arrivals
}

fn request(number: u64) -> Passed {
    Passed::Request {
        client: ClientId(7),
        number: RequestNumber(number),
        time: AgreedTime(number),
    }
}

fn place(arrivals: &Arrivals, sequence: u64) -> Place {
    let request = Some((ClientId(7), RequestNumber(sequence)));
    arrivals.place(EPOCH, SequenceNumber(sequence), request)
}

#[test]
fn packets_have_a_place() {
    let mut arrivals = arrivals_at(4);
    assert_eq!(place(&arrivals, 4), Place::Now);
    assert_eq!(place(&arrivals, 6), Place::Ahead);
    assert_eq!(place(&arrivals, 2), Place::Copy);
    arrivals.hold(SequenceNumber(6), Waiting::Other);
    let copy = arrivals.place(EPOCH, SequenceNumber(6), None);
    assert_eq!((copy, place(&arrivals, 6)), (Place::Copy, Place::Late));
    assert_eq!(arrivals.hole(), Some((SequenceNumber(4), 2)));
    let newer = arrivals.place(EpochNumber(4), SequenceNumber(1), None);
    assert_eq!(newer, Place::NewEpoch);
}

#[test]
fn what_was_skipped_is_late_and_can_be_told_once_found() {
    let mut arrivals = arrivals_at(2);
    arrivals.hold(SequenceNumber(4), Waiting::Other);
    arrivals.skip_to(SequenceNumber(4));
    assert_eq!(arrivals.ready(), Some(Waiting::Other));
    arrivals.pass(Passed::Other);
    assert_eq!(place(&arrivals, 3), Place::Late);
    let tell = |arrivals: &Arrivals| match arrivals.tell(EPOCH, SequenceNumber(3)) {
        Known::Passed(passed) => passed,
        other => panic!("{other:?}"),
    };
    assert_eq!(tell(&arrivals), Passed::Absent);
    arrivals.found(SequenceNumber(3), request(3));
    assert_eq!(tell(&arrivals), request(3));
    assert_eq!(place(&arrivals, 3), Place::Copy);
}

#[test]
fn one_number_for_two_requests_makes_no_copy() {
    let arrivals = arrivals_at(4);
    let other = Some((ClientId(8), RequestNumber(2)));
    let place = arrivals.place(EPOCH, SequenceNumber(2), other);
    assert_eq!(place, Place::Late);
}

#[test]
fn the_ring_forgets_the_oldest_and_long_jumps_forget_everything() {
    let mut arrivals = arrivals_at(RING as u64 + 10);
    let told = arrivals.tell(EPOCH, SequenceNumber(1));
    assert_eq!(told, Known::Passed(Passed::Absent));
    let told = arrivals.tell(EPOCH, SequenceNumber(20));
    assert_eq!(told, Known::Passed(request(20)));
    arrivals.skip_to(SequenceNumber(10_000));
    arrivals.check();
    assert_eq!(place(&arrivals, 10_000), Place::Now);
    assert_eq!(arrivals.tell(EPOCH, SequenceNumber(10_000)), Known::NotYet);
}

#[test]
fn a_replica_that_comes_late_does_not_ask_for_the_past() {
    let mut arrivals = Arrivals::default();
    arrivals.begin(EPOCH, SequenceNumber(LATE_MAX + 1));
    assert_eq!(place(&arrivals, LATE_MAX + 1), Place::Now);
    arrivals.begin(EpochNumber(4), SequenceNumber(2));
    let second = arrivals.place(EpochNumber(4), SequenceNumber(2), None);
    assert_eq!(second, Place::Ahead);
}
