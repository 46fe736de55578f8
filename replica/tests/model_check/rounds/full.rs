//! Larger configurations, on request: some minutes on two cores.

use super::bounds::{Bounds, epoch};
use super::properties::{BY_LOCKS, BY_VOTES, FILLED, GOES_ON, KEPT, NEW_EPOCH};
use crate::checking::holds;
use crate::firing::{anywhere, at};
use crate::full::is_wanted;
use replica::rounds::Timer;

/// One test, so that there is one line if it is skipped.
#[test]
fn full_model_check_of_rounds() {
    if is_wanted() {
        reused_number_and_another_attempt();
        hole_and_another_attempt();
        anybody_stops();
    }
}

/// A packet is missing while members stop.
fn hole_and_another_attempt() {
    let bounds = Bounds {
        packets: 3,
        held_back: 1,
        timers: const { &[at(0b110, Timer::Stall, 2), anywhere(Timer::Gap, 1)] },
        epoch_max: epoch(1, 2),
        ..Bounds::LEAST
    };
    let seen = [BY_VOTES, BY_LOCKS, FILLED, NEW_EPOCH, KEPT];
    holds("a hole and another attempt", bounds, 1_369_229, &seen);
}

/// Any two members want another attempt at any time.
fn anybody_stops() {
    let bounds = Bounds {
        packets: 4,
        timers: const { &[anywhere(Timer::Stall, 2)] },
        epoch_max: epoch(1, 2),
        ..Bounds::LEAST
    };
    let seen = [BY_VOTES, BY_LOCKS, NEW_EPOCH, KEPT, GOES_ON];
    holds("anybody stops", bounds, 3_335_560, &seen);
}

/// A number for two packets, nobody hears of votes, and members settle which of the two it was.
fn reused_number_and_another_attempt() {
    let bounds = Bounds {
        asks: [0b001, 0b010],
        packets: 2,
        held_back: 1,
        reused: 1,
        timers: const { &[at(0b110, Timer::Stall, 2)] },
        epoch_max: epoch(1, 2),
        ..Bounds::LEAST
    };
    let name = "a reused number and another attempt";
    holds(name, bounds, 1_023_361, &[NEW_EPOCH, KEPT]);
}
