//! Larger configurations, on request: ten minutes on two cores at most.

use crate::bounds::{ALL, Bounds, anywhere};
use crate::checking::{holds, say};
use crate::properties::{
    COMMITTED_BY_IN_VIEW, DEGRADED, DEGRADED_COMMITS, FAST_PATH, RECONCILED, REJOINED, SYNCHRONIZED,
};
use replica::spec_paxos::Timer;

const VARIABLE: &str = "DOWNBEAT_MODEL";

/// Whether the larger configurations are wanted; says how to want them if not.
fn is_wanted() -> bool {
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
    let bounds = Bounds {
        late_requests: false,
        timers: const { &[anywhere(Timer::LeaderSilent, 2)] },
        ..Bounds::LEAST
    };
    let seen = [
        FAST_PATH,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
    ];
    holds("two view changes, all", bounds, 3_879_286, &seen);
}

/// The leader of the second view or that of the third forgets its log at any time.
const RESTART: Bounds = Bounds {
    late_requests: false,
    timers: &[
        anywhere(Timer::Recover, 1),
        anywhere(Timer::LeaderSilent, 1),
    ],
    restarts: 1,
    faulty: 0b110,
    ..Bounds::LEAST
};
const SEEN_WITH_RESTART: [&str; 6] = [
    FAST_PATH,
    RECONCILED,
    COMMITTED_BY_IN_VIEW,
    DEGRADED,
    DEGRADED_COMMITS,
    REJOINED,
];

fn restart_around_a_view_change() {
    let name = "restart around a view change, all";
    holds(name, RESTART, 1_217_667, &SEEN_WITH_RESTART);
}

/// The same, and the view that it had promised is forgotten too.
fn restart_without_disk_around_a_view_change() {
    let bounds = Bounds {
        persists: false,
        ..RESTART
    };
    let name = "restart without disk around a view change";
    holds(name, bounds, 1_279_223, &SEEN_WITH_RESTART);
}

/// Both clients ask again.
fn retransmissions() {
    let bounds = Bounds {
        reach: [0b010, ALL],
        late_requests: false,
        retransmissions: 2,
        ..Bounds::LEAST
    };
    let seen = [FAST_PATH, SYNCHRONIZED, RECONCILED];
    holds("two retransmissions", bounds, 993_433, &seen);
}

/// A leader asks for hashes, and a follower takes a leader for crashed.
fn synchronization_and_view_change() {
    let bounds = Bounds {
        late_requests: false,
        timers: const { &[anywhere(Timer::Ask, 1), anywhere(Timer::LeaderSilent, 1)] },
        ..Bounds::LEAST
    };
    let seen = [
        FAST_PATH,
        SYNCHRONIZED,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
    ];
    let name = "synchronization and a view change";
    holds(name, bounds, 2_041_482, &seen);
}

/// Packets are put back in order and fetched from peers while a view changes.
fn gaps_and_view_change() {
    let bounds = Bounds {
        gap_awareness: true,
        late_requests: false,
        timers: const { &[anywhere(Timer::Gap, 2), anywhere(Timer::LeaderSilent, 1)] },
        ..Bounds::LEAST
    };
    let seen = [
        FAST_PATH,
        RECONCILED,
        COMMITTED_BY_IN_VIEW,
        DEGRADED,
        DEGRADED_COMMITS,
    ];
    holds("gap awareness and a view change", bounds, 518_698, &seen);
}
