//! Larger configurations, on request: ten minutes on two cores at most.

use crate::bounds::{ALL, Bounds, SECOND_LEADER, THIRD_LEADER, anywhere};
use crate::checking::{holds, say};
use crate::properties::{
    COMMITTED_BY_IN_VIEW, DEGRADED, DEGRADED_COMMITS, FAST_PATH, RECONCILED, SYNCHRONIZED,
    WITH_A_DEGRADED_COMMIT, WITH_A_MISMATCH, WITH_A_RESTART,
};
use replica::spec_paxos::Timer;

const VARIABLE: &str = "DOWNBEAT_MODEL";

/// Whether the larger configurations are wanted; says how to want them if not.
pub(crate) fn is_wanted() -> bool {
    let wanted = match std::env::var(VARIABLE) {
        Ok(value) if value == "full" => true,
        Ok(value) => panic!("{VARIABLE}={value} is not known: valid is {VARIABLE}=full"),
        Err(_) => false,
    };
    if !wanted {
        say("skip: full model check: set DOWNBEAT_MODEL=full");
    }
    wanted
}

/// One test, so that there is one line if it is skipped.
#[test]
fn full_model_check() {
    if is_wanted() {
        two_view_changes();
        restart_around_a_view_change();
        restart_without_disk_around_a_view_change();
        retransmissions();
        synchronization_and_view_change();
        gaps_and_view_change();
    }
}

/// Any followers take any leaders for crashed twice.
fn two_view_changes() {
    let timers = const { &[anywhere(Timer::LeaderSilent, 2)] };
    let bounds = Bounds::firing(timers).without_late_requests();
    let name = "two view changes, all";
    holds(name, bounds, 4_171_052, WITH_A_DEGRADED_COMMIT);
}

/// The leader of the second view or that of the third forgets its log at any time.
const RESTART: Bounds = Bounds {
    restarts: 1,
    faulty: SECOND_LEADER | THIRD_LEADER,
    ..Bounds::firing(&[
        anywhere(Timer::Recover, 1),
        anywhere(Timer::LeaderSilent, 1),
    ])
    .without_late_requests()
};

fn restart_around_a_view_change() {
    let name = "restart around a view change, all";
    holds(name, RESTART, 1_351_155, WITH_A_RESTART);
}

/// The same, and the view that it had promised is forgotten too.
fn restart_without_disk_around_a_view_change() {
    let bounds = Bounds {
        persists: false,
        ..RESTART
    };
    let name = "restart without disk around a view change";
    holds(name, bounds, 1_412_711, WITH_A_RESTART);
}

/// Both clients ask again.
fn retransmissions() {
    let bounds = Bounds {
        reach: [SECOND_LEADER, ALL],
        retransmissions: 2,
        ..Bounds::LEAST.without_late_requests()
    };
    holds("two retransmissions", bounds, 993_433, WITH_A_MISMATCH);
}

/// A leader asks for hashes, and a follower takes a leader for crashed.
fn synchronization_and_view_change() {
    let timers = const { &[anywhere(Timer::Ask, 1), anywhere(Timer::LeaderSilent, 1)] };
    let bounds = Bounds::firing(timers).without_late_requests();
    let seen = [
        FAST_PATH,
        SYNCHRONIZED,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
    ];
    let name = "synchronization and a view change";
    holds(name, bounds, 2_052_810, &seen);
}

/// Packets are put back in order and fetched from peers while a view changes.
fn gaps_and_view_change() {
    let timers = const { &[anywhere(Timer::Gap, 2), anywhere(Timer::LeaderSilent, 1)] };
    let bounds = Bounds {
        gap_awareness: true,
        ..Bounds::firing(timers).without_late_requests()
    };
    let name = "gap awareness and a view change";
    holds(name, bounds, 550_122, WITH_A_DEGRADED_COMMIT);
}
