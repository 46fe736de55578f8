//! What must always hold, and what must happen somewhere.
//!
//! Some of the first kind are seen in the step that breaks them (`State::violation`): committed
//! prefixes that differ, a view that begins with two logs, a recovering replica that votes, equal
//! hashes with different results, and every assertion of the core.

use crate::asker::Completion;
use crate::model::{Group, State};
use crate::seat::Seat;
use replica::Mode;
use replica::spec_paxos::Timer;
use stateright::Property;
use wire::{SlotNumber, SummaryHash, ViewNumber};

/// The properties of every configuration. What must be reachable is asked for by each test.
pub(crate) fn all() -> Vec<Property<Group>> {
    vec![
        Property::always(SOUND, |_, state: &State| state.violation.is_none()),
        Property::always(COMPLETED_STAYS, |_, state| completed_stays(state)),
        Property::always(COMPLETED_IS_CARRIED_OVER, |_, state| carried_over(state)),
        Property::always(ONCE, |_, state| !seats(state).any(Seat::committed_twice)),
        Property::sometimes(FAST_PATH, |_, state| fast_path(state)),
        Property::sometimes(SYNCHRONIZED, |_, state| synchronized(state)),
        Property::sometimes(RECONCILED, |_, state| reconciled(state)),
        Property::sometimes(COMMITTED_BY_IN_VIEW, |_, state| committed_by_in_view(state)),
        Property::sometimes(DEGRADED, |_, state| degraded(state)),
        Property::sometimes(DEGRADED_COMMITS, |_, state| degraded_commits(state)),
        Property::sometimes(REJOINED, |_, state| rejoined(state)),
    ]
}

pub(crate) const SOUND: &str = "no step breaks a rule";
pub(crate) const COMPLETED_STAYS: &str = "what a client takes for done stays";
pub(crate) const COMPLETED_IS_CARRIED_OVER: &str = "later views begin with what is done";
pub(crate) const ONCE: &str = "no request is committed twice";
pub(crate) const FAST_PATH: &str = "a superquorum of speculative replies completes a request";
pub(crate) const SYNCHRONIZED: &str = "a superquorum of hashes commits";
pub(crate) const RECONCILED: &str = "a reconciliation completes";
pub(crate) const COMMITTED_BY_IN_VIEW: &str = "a view's beginning is committed by f+1 in it";
pub(crate) const DEGRADED: &str = "a degraded view is entered";
pub(crate) const DEGRADED_COMMITS: &str = "the leader of a degraded view orders and commits";
pub(crate) const REJOINED: &str = "a restarted replica is normal again";

/// Seen wherever a view changes.
pub(crate) const WITH_A_VIEW_CHANGE: &[&str] =
    &[FAST_PATH, RECONCILED, COMMITTED_BY_IN_VIEW, DEGRADED];
/// Seen where the leader of a degraded view has something to do.
pub(crate) const WITH_A_DEGRADED_COMMIT: &[&str] = &[
    FAST_PATH,
    RECONCILED,
    COMMITTED_BY_IN_VIEW,
    DEGRADED,
    DEGRADED_COMMITS,
];
/// Seen where a replica restarts.
pub(crate) const WITH_A_RESTART: &[&str] = &[
    FAST_PATH,
    RECONCILED,
    COMMITTED_BY_IN_VIEW,
    DEGRADED,
    DEGRADED_COMMITS,
    REJOINED,
];
/// Seen where hashes are asked for and differ.
pub(crate) const WITH_A_MISMATCH: &[&str] = &[FAST_PATH, SYNCHRONIZED, RECONCILED];

fn seats(state: &State) -> impl Iterator<Item = &Seat> {
    state.seats.iter().flatten().map(AsRef::as_ref)
}

fn completions(state: &State) -> impl Iterator<Item = &Completion> {
    state.askers.iter().flat_map(|asker| asker.completions())
}

fn hash_at(log: &[SummaryHash], slot: SlotNumber) -> Option<SummaryHash> {
    let index = usize::try_from(slot.0).ok()?.checked_sub(1)?;
    log.get(index).copied()
}

/// Every committed log that reaches the slot has the hash there; no client has two outcomes, and
/// no slot belongs to two clients.
fn completed_stays(state: &State) -> bool {
    let decided = |done: &Completion| {
        let there = hash_at(&state.decided, done.slot);
        there.is_none_or(|hash| hash == done.hash)
    };
    let one_outcome = state.askers.iter().all(|a| a.completions().count() <= 1);
    let agree =
        |one: &Completion, other: &Completion| (one.slot == other.slot) == (one.hash == other.hash);
    one_outcome
        && completions(state).all(decided)
        && completions(state).all(|one| completions(state).all(|other| agree(one, other)))
}

/// A view that began after a request was done has it, even if nothing is committed yet.
fn carried_over(state: &State) -> bool {
    completions(state).all(|done| {
        let mut later = state.starts.iter().filter(|start| start.view > done.view);
        later.all(|start| hash_at(&start.log, done.slot) == Some(done.hash))
    })
}

/// Nothing is committed anywhere, and yet a client is done.
fn fast_path(state: &State) -> bool {
    state.decided.is_empty() && completions(state).next().is_some()
}

/// Committed, although no later view has begun.
fn synchronized(state: &State) -> bool {
    !state.decided.is_empty() && state.starts.is_empty()
}

/// f+1 replicas are normal in one later view that began with something.
fn reconciled(state: &State) -> bool {
    state.starts.iter().any(|start| {
        let in_it = seats(state).filter(|seat| is_normal_in(seat, start.view));
        in_it.count() >= 2 && !start.log.is_empty()
    })
}

fn is_normal_in(seat: &Seat, view: ViewNumber) -> bool {
    seat.mode == Mode::Normal && seat.view == view
}

/// Something is committed although nobody was ever asked for hashes (no timer has made a leader
/// ask, no client has) and no leader has ordered.
fn committed_by_in_view(state: &State) -> bool {
    let asked = state.has_fired(Timer::Ask);
    let insisted = state.askers.iter().any(|asker| asker.insisted);
    let speculative = state.starts.iter().all(|start| !start.degraded);
    !asked && !insisted && speculative && !state.decided.is_empty()
}

fn degraded(state: &State) -> bool {
    seats(state).any(|seat| seat.degraded && seat.mode == Mode::Normal)
}

/// More is committed than any view began with, and the newest view is degraded.
fn degraded_commits(state: &State) -> bool {
    let newest = state.starts.last().map_or(0, |start| start.log.len());
    degraded(state) && state.decided.len() > newest
}

fn rejoined(state: &State) -> bool {
    seats(state).any(|seat| seat.has_restarted() && seat.mode == Mode::Normal)
}
