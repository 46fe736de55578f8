//! Configurations that are checked with every run of the tests.

use crate::bounds::{ALL, Bounds, anywhere, at};
use crate::checking::holds;
use crate::properties::{
    COMMITTED_BY_IN_VIEW, DEGRADED, DEGRADED_COMMITS, FAST_PATH, RECONCILED, REJOINED, SYNCHRONIZED,
};
use replica::spec_paxos::Timer;

/// The leader of the first view.
const OLD_LEADER: u8 = 0b001;
/// The leader of the second.
const NEW_LEADER: u8 = 0b010;
/// The leader of the third.
const LAST: u8 = 0b100;

#[test]
fn requests_alone() {
    holds("requests alone", Bounds::LEAST, 125, &[FAST_PATH]);
}

/// A synchronization at any time, which may fail, with every order of the requests.
#[test]
fn synchronization() {
    let bounds = Bounds {
        timers: const { &[anywhere(Timer::Ask, 1), anywhere(Timer::SyncOverdue, 1)] },
        ..Bounds::LEAST
    };
    holds(
        "synchronization",
        bounds,
        282_763,
        &[FAST_PATH, SYNCHRONIZED, RECONCILED],
    );
}

/// The same with packets that are put back in order and fetched from peers.
#[test]
fn synchronization_with_gap_awareness() {
    let bounds = Bounds {
        gap_awareness: true,
        timers: const { &[anywhere(Timer::Ask, 1), anywhere(Timer::Gap, 2)] },
        ..Bounds::LEAST
    };
    holds("gap awareness", bounds, 33_899, &[FAST_PATH, SYNCHRONIZED]);
}

/// A follower takes the leader for crashed at any time.
#[test]
fn silent_leader() {
    let bounds = Bounds {
        timers: const { &[anywhere(Timer::LeaderSilent, 1)] },
        ..Bounds::LEAST
    };
    let seen = [
        FAST_PATH,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
    ];
    holds("silent leader", bounds, 699_349, &seen);
}

/// The same, and any replica crashes.
#[test]
fn crash() {
    let bounds = Bounds {
        late_requests: false,
        timers: const { &[anywhere(Timer::LeaderSilent, 1)] },
        crashes: 1,
        ..Bounds::LEAST
    };
    let seen = [FAST_PATH, RECONCILED, COMMITTED_BY_IN_VIEW, DEGRADED];
    holds("crash", bounds, 168_415, &seen);
}

/// Any replica forgets its log at any time and asks to be let in.
#[test]
fn restart() {
    let bounds = Bounds {
        timers: const { &[anywhere(Timer::Recover, 1)] },
        restarts: 1,
        ..Bounds::LEAST
    };
    let seen = [
        FAST_PATH,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
        REJOINED,
    ];
    holds("restart", bounds, 133_259, &seen);
}

/// Two view changes in a row: the old leader may hold a request that nobody else has, with which
/// it must not come through the second time.
#[test]
fn two_view_changes() {
    let bounds = Bounds {
        reach: [OLD_LEADER, ALL],
        late_requests: false,
        timers: const { &[at(LAST, Timer::LeaderSilent, 2)] },
        ..Bounds::LEAST
    };
    let seen = [FAST_PATH, RECONCILED, COMMITTED_BY_IN_VIEW, DEGRADED];
    holds("two view changes", bounds, 201_348, &seen);
}

/// The leader of the second view forgets its log before, in or after that view.
#[test]
fn restart_around_a_view_change() {
    let bounds = Bounds {
        reach: [OLD_LEADER, ALL],
        late_requests: false,
        timers: const {
            &[
                anywhere(Timer::Recover, 1),
                at(LAST, Timer::LeaderSilent, 1),
            ]
        },
        restarts: 1,
        faulty: NEW_LEADER,
        ..Bounds::LEAST
    };
    let seen = [
        FAST_PATH,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
        REJOINED,
    ];
    holds("restart around a view change", bounds, 56_197, &seen);
}

/// A client asks again, for a commit or because its replies cannot match.
#[test]
fn retransmission() {
    let bounds = Bounds {
        reach: [NEW_LEADER, ALL],
        late_requests: false,
        retransmissions: 1,
        ..Bounds::LEAST
    };
    let seen = [FAST_PATH, SYNCHRONIZED, RECONCILED];
    holds("retransmission", bounds, 16_357, &seen);
}
