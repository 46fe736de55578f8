//! Configurations that are checked with every run of the tests.

use super::bounds::{Bounds, epoch};
use super::properties::{BY_LOCKS, BY_VOTES, FILLED, GOES_ON, KEPT, LET_IN, NEW_EPOCH, NO_OP};
use crate::checking::holds;
use crate::firing::{anywhere, at};
use replica::rounds::Timer;

#[test]
fn one_request() {
    holds("one request", Bounds::LEAST, 4_460, &[BY_VOTES, BY_LOCKS]);
}

/// Two clients ask two members at the same time.
#[test]
fn two_requests() {
    let bounds = Bounds {
        asks: [0b001, 0b010],
        packets: 6,
        ..Bounds::LEAST
    };
    holds("two requests", bounds, 65_763, &[BY_VOTES, BY_LOCKS]);
}

/// A client asks two members.
#[test]
fn retry_at_another_member() {
    let bounds = Bounds {
        asks: [0b011, 0],
        packets: 6,
        ..Bounds::LEAST
    };
    holds("retry", bounds, 67_275, &[BY_VOTES, BY_LOCKS]);
}

/// A packet is overtaken or lost, and asked for.
#[test]
fn a_hole() {
    let bounds = Bounds {
        packets: 4,
        held_back: 1,
        timers: const { &[anywhere(Timer::Gap, 1)] },
        ..Bounds::LEAST
    };
    holds("a hole", bounds, 37_742, &[BY_VOTES, BY_LOCKS, FILLED]);
}

/// A packet that a majority lacks: it is voted down, or locked all the same.
#[test]
fn a_hole_of_a_majority() {
    let bounds = Bounds {
        asks: [0b001, 0b010],
        packets: 3,
        held_back: 2,
        timers: const { &[at(0b100, Timer::Gap, 1)] },
        ..Bounds::LEAST
    };
    let seen = [BY_VOTES, BY_LOCKS, FILLED, NO_OP];
    holds("a hole of a majority", bounds, 132_231, &seen);
}

/// Members stop and settle among themselves.
#[test]
fn another_attempt() {
    let bounds = Bounds {
        packets: 3,
        timers: const { &[at(0b011, Timer::Stall, 2)] },
        epoch_max: epoch(1, 2),
        ..Bounds::LEAST
    };
    let seen = [BY_VOTES, BY_LOCKS, NEW_EPOCH, KEPT, GOES_ON];
    holds("another attempt", bounds, 184_300, &seen);
}

/// Another root begins.
#[test]
fn another_term() {
    let bounds = Bounds {
        packets: 4,
        terms: 1,
        epoch_max: epoch(2, 2),
        ..Bounds::LEAST
    };
    let seen = [BY_VOTES, BY_LOCKS, NEW_EPOCH, KEPT, GOES_ON];
    holds("another term", bounds, 1_244_217, &seen);
}

/// The root gives a number to two packets, of which members get either first.
#[test]
fn a_reused_number() {
    let bounds = Bounds {
        asks: [0b001, 0b010],
        packets: 4,
        held_back: 1,
        reused: 1,
        ..Bounds::LEAST
    };
    holds("a reused number", bounds, 357_736, &[BY_VOTES, BY_LOCKS]);
}

/// A member forgets its votes at any time and asks to be let in.
#[test]
fn restart() {
    let bounds = Bounds {
        packets: 3,
        timers: const { &[at(0b010, Timer::Recover, 1)] },
        restarts: 1,
        faulty: 0b010,
        epoch_max: epoch(1, 2),
        ..Bounds::LEAST
    };
    let seen = [BY_VOTES, BY_LOCKS, NEW_EPOCH, KEPT, GOES_ON, LET_IN];
    holds("restart", bounds, 61_214, &seen);
}
