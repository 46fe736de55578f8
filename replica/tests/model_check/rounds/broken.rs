//! The model can fail: deliberate breaks of the protocol, each found within bounds.
//!
//! Not found here, for other tests: `merge-one-vote` harms no group of three, whose superquorum is
//! all of it; `digest-of-last`, `vote-twice`, `merge-stale-reports`, `old-start-epoch` and `state-forgets-votes`
//! need longer runs than are looked at (`replica/tests/rounds`, the simulator).

use super::bounds::{Bounds, epoch};
use crate::checking::breaks;
use crate::firing::at;
use replica::rounds::{Mutant, Timer};

/// No mutant needs more; shortest runs come first, so memory grows with it.
const STEPS_MAX: usize = 3_000_000;

/// One request around another attempt.
const ATTEMPT: Bounds = Bounds {
    packets: 4,
    timers: &[at(0b110, Timer::Stall, 2)],
    epoch_max: epoch(1, 2),
    ..Bounds::LEAST
};

fn broken(mutant: Mutant, bounds: Bounds) {
    let mutant = Some(mutant);
    breaks(Bounds { mutant, ..bounds }, STEPS_MAX);
}

#[test]
fn commit_by_majority() {
    broken(Mutant::CommitByMajority, ATTEMPT);
}

#[test]
fn commit_own_lock() {
    broken(Mutant::CommitOwnLock, ATTEMPT);
}

#[test]
fn merge_forgets_lock() {
    broken(Mutant::MergeForgetsLock, ATTEMPT);
}

#[test]
fn no_fence() {
    broken(Mutant::NoFence, ATTEMPT);
}

#[test]
fn start_twice() {
    broken(Mutant::StartTwice, ATTEMPT);
}

#[test]
fn rejoin_at_once() {
    let bounds = Bounds {
        packets: 3,
        restarts: 1,
        faulty: 0b010,
        ..ATTEMPT
    };
    broken(Mutant::RejoinAtOnce, bounds);
}

#[test]
fn execute_twice() {
    let bounds = Bounds {
        asks: [0b011, 0],
        ..Bounds::LEAST
    };
    broken(Mutant::ExecuteTwice, bounds);
}

/// One number for two packets, and members that get either.
const REUSED: Bounds = Bounds {
    asks: [0b001, 0b010],
    packets: 6,
    held_back: 1,
    reused: 1,
    ..Bounds::LEAST
};

#[test]
fn count_any_digest() {
    broken(Mutant::CountAnyDigest, REUSED);
}
