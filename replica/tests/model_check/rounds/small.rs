//! Configurations that are checked with every run of the tests.

use super::bounds::{Bounds, epoch};
use super::properties::{
    BY_LOCKS, BY_VOTES, FILLED, GOES_ON, KEPT, LET_IN, NEW_EPOCH, NO_OP,
};
use crate::checking::holds;
use crate::firing::anywhere;
use replica::rounds::Timer;

#[test]
fn one_request() {
    holds("one request", Bounds::LEAST, 0, &[BY_VOTES, BY_LOCKS]);
}

/// Two clients ask two members at the same time.
#[test]
fn two_requests() {
    let bounds = Bounds {
        asks: [0b001, 0b010],
        packets: 6,
        ..Bounds::LEAST
    };
    holds("two requests", bounds, 0, &[BY_VOTES, BY_LOCKS]);
}

/// A client asks two members.
#[test]
fn retry_at_another_member() {
    let bounds = Bounds {
        asks: [0b011, 0],
        packets: 6,
        ..Bounds::LEAST
    };
    holds("retry", bounds, 0, &[BY_VOTES, BY_LOCKS]);
}

/// A packet is overtaken or lost, and asked for.
#[test]
fn a_hole() {
    let bounds = Bounds {
        packets: 5,
        held_back: 1,
        timers: const { &[anywhere(Timer::Gap, 2)] },
        ..Bounds::LEAST
    };
    holds("a hole", bounds, 0, &[BY_VOTES, BY_LOCKS, FILLED, NO_OP]);
}

/// Members stop and settle among themselves.
#[test]
fn another_attempt() {
    let bounds = Bounds {
        packets: 4,
        timers: const { &[anywhere(Timer::Stall, 2)] },
        epoch_max: epoch(1, 1),
        ..Bounds::LEAST
    };
    holds("another attempt", bounds, 0, &[BY_VOTES, BY_LOCKS, NEW_EPOCH, KEPT, GOES_ON]);
}

/// Another root begins.
#[test]
fn another_term() {
    let bounds = Bounds {
        packets: 5,
        terms: 1,
        epoch_max: epoch(2, 0),
        ..Bounds::LEAST
    };
    holds("another term", bounds, 0, &[BY_VOTES, BY_LOCKS, NEW_EPOCH, KEPT, GOES_ON]);
}

/// The root gives a number to two packets, of which members get either first.
#[test]
fn a_reused_number() {
    let bounds = Bounds {
        asks: [0b001, 0b010],
        packets: 4,
        held_back: 1,
        reused: 1,
        timers: const { &[anywhere(Timer::Fetch, 1)] },
        ..Bounds::LEAST
    };
    holds("a reused number", bounds, 0, &[BY_VOTES, BY_LOCKS]);
}

/// A member forgets its votes at any time and asks to be let in.
#[test]
fn restart() {
    let bounds = Bounds {
        packets: 3,
        timers: const { &[anywhere(Timer::Recover, 1)] },
        restarts: 1,
        faulty: 0b010,
        epoch_max: epoch(1, 1),
        ..Bounds::LEAST
    };
    holds("restart", bounds, 0, &[BY_VOTES, NEW_EPOCH, KEPT, LET_IN]);
}
