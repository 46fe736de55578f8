//! The model can fail: deliberate breaks of the protocol, each found within bounds.

use crate::bounds::{Bounds, Firing, anywhere};
use crate::checking::breaks;
use replica::Mutant;
use replica::spec_paxos::Timer;

/// No mutant needs more; shortest runs come first, so memory grows with it.
const STEPS_MAX: usize = 1_500_000;

fn broken(mutant: Mutant, timers: &'static [Firing]) -> Bounds {
    Bounds {
        mutant: Some(mutant),
        ..Bounds::firing(timers).without_late_requests()
    }
}

const SYNCHRONIZATION: &[Firing] = &[anywhere(Timer::Ask, 1), anywhere(Timer::LeaderSilent, 1)];
const TWO_VIEW_CHANGES: &[Firing] = &[anywhere(Timer::LeaderSilent, 2)];

#[test]
fn commit_by_majority() {
    breaks(broken(Mutant::CommitByMajority, SYNCHRONIZATION), STEPS_MAX);
}

#[test]
fn commit_on_mismatch() {
    breaks(broken(Mutant::CommitOnMismatch, SYNCHRONIZATION), STEPS_MAX);
}

#[test]
fn no_freeze() {
    let bounds = Bounds {
        late_requests: true,
        ..broken(
            Mutant::NoFreeze,
            const { &[anywhere(Timer::LeaderSilent, 1)] },
        )
    };
    breaks(bounds, STEPS_MAX);
}

#[test]
fn last_normal_from_log() {
    breaks(
        broken(Mutant::LastNormalFromLog, TWO_VIEW_CHANGES),
        STEPS_MAX,
    );
}

#[test]
fn merge_stale_reports() {
    breaks(
        broken(Mutant::MergeStaleReports, TWO_VIEW_CHANGES),
        STEPS_MAX,
    );
}

#[test]
fn in_view_alone() {
    let timers = const { &[anywhere(Timer::LeaderSilent, 1), anywhere(Timer::GiveUp, 1)] };
    breaks(broken(Mutant::InViewAlone, timers), STEPS_MAX);
}

#[test]
fn rejoin_at_once() {
    let bounds = Bounds {
        restarts: 1,
        ..broken(
            Mutant::RejoinAtOnce,
            const { &[anywhere(Timer::LeaderSilent, 1)] },
        )
    };
    breaks(bounds, STEPS_MAX);
}
