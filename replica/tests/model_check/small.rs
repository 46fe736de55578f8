//! Configurations that are checked with every run of the tests.

use crate::bounds::{ALL, Bounds, FIRST_LEADER, SECOND_LEADER, THIRD_LEADER, anywhere, at};
use crate::checking::holds;
use crate::properties::{
    FAST_PATH, SYNCHRONIZED, WITH_A_DEGRADED_COMMIT, WITH_A_MISMATCH, WITH_A_RESTART,
    WITH_A_VIEW_CHANGE,
};
use replica::spec_paxos::Timer;

#[test]
fn requests_alone() {
    holds("requests alone", Bounds::LEAST, 125, &[FAST_PATH]);
}

/// A synchronization at any time, which may fail, with every order of the requests.
#[test]
fn synchronization() {
    let timers = const { &[anywhere(Timer::Ask, 1), anywhere(Timer::SyncOverdue, 1)] };
    let bounds = Bounds::firing(timers);
    holds("synchronization", bounds, 282_763, WITH_A_MISMATCH);
}

/// The same with packets that are put back in order and fetched from peers.
#[test]
fn synchronization_with_gap_awareness() {
    let bounds = Bounds {
        gap_awareness: true,
        ..Bounds::firing(const { &[anywhere(Timer::Ask, 1), anywhere(Timer::Gap, 2)] })
    };
    holds("gap awareness", bounds, 33_899, &[FAST_PATH, SYNCHRONIZED]);
}

/// A follower takes the leader for crashed at any time.
#[test]
fn silent_leader() {
    let bounds = Bounds::firing(const { &[anywhere(Timer::LeaderSilent, 1)] });
    holds("silent leader", bounds, 741_321, WITH_A_DEGRADED_COMMIT);
}

/// The same, and any replica crashes.
#[test]
fn crash() {
    let bounds = Bounds {
        crashes: 1,
        ..Bounds::firing(const { &[anywhere(Timer::LeaderSilent, 1)] }).without_late_requests()
    };
    holds("crash", bounds, 168_415, WITH_A_VIEW_CHANGE);
}

/// Any replica forgets its log at any time and asks to be let in.
#[test]
fn restart() {
    let bounds = Bounds {
        restarts: 1,
        ..Bounds::firing(const { &[anywhere(Timer::Recover, 1)] })
    };
    holds("restart", bounds, 130_599, WITH_A_RESTART);
}

/// Two view changes in a row: the old leader may hold a request that nobody else has, with which
/// it must not come through the second time.
#[test]
fn two_view_changes() {
    let timers = const { &[at(THIRD_LEADER, Timer::LeaderSilent, 2)] };
    let bounds = Bounds {
        reach: [FIRST_LEADER, ALL],
        ..Bounds::firing(timers).without_late_requests()
    };
    holds("two view changes", bounds, 211_600, WITH_A_DEGRADED_COMMIT);
}

/// The leader of the second view forgets its log before, in or after that view.
#[test]
fn restart_around_a_view_change() {
    let timers = const {
        &[
            anywhere(Timer::Recover, 1),
            at(THIRD_LEADER, Timer::LeaderSilent, 1),
        ]
    };
    let bounds = Bounds {
        reach: [FIRST_LEADER, ALL],
        restarts: 1,
        faulty: SECOND_LEADER,
        ..Bounds::firing(timers).without_late_requests()
    };
    let name = "restart around a view change";
    holds(name, bounds, 57_139, WITH_A_RESTART);
}

/// A client asks again, for a commit or because its replies cannot match.
#[test]
fn retransmission() {
    let bounds = Bounds {
        reach: [SECOND_LEADER, ALL],
        retransmissions: 1,
        ..Bounds::LEAST.without_late_requests()
    };
    holds("retransmission", bounds, 16_357, WITH_A_MISMATCH);
}
