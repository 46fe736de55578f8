//! What must always hold, and what must happen somewhere.
//!
//! Some of the first kind are seen in the step that breaks them (`State::violation`): decided
//! prefixes or executed requests that differ, an epoch that begins with two logs, a second vote,
//! a member that speaks when it may not, a false answer, and every assertion of the core.

use super::bounds::FIRST_EPOCH;
use super::model::{Group, State};
use super::seat::Seat;
use replica::Mode;
use replica::rounds::Timer;
use stateright::Property;
use std::collections::BTreeSet;
use wire::{Position, ReplicaId};

/// The properties of every configuration. What must be reachable is asked for by each test.
pub(crate) fn all() -> Vec<Property<Group>> {
    vec![
        Property::always(SOUND, |_, state: &State| state.violation.is_none()),
        Property::always(CARRIED_OVER, |_, state| carried_over(state)),
        Property::always(ONCE, |_, state| !seats(state).any(Seat::committed_twice)),
        Property::sometimes(BY_VOTES, |_, state| by_votes(state)),
        Property::sometimes(BY_LOCKS, |_, state| by_locks(state)),
        Property::sometimes(NO_OP, |_, state| no_op(state)),
        Property::sometimes(FILLED, |_, state| filled(state)),
        Property::sometimes(NEW_EPOCH, |_, state| new_epoch(state)),
        Property::sometimes(KEPT, |_, state| kept(state)),
        Property::sometimes(GOES_ON, |_, state| goes_on(state)),
        Property::sometimes(LET_IN, |_, state| let_in(state)),
    ]
}

const SOUND: &str = "no step breaks a rule";
const CARRIED_OVER: &str = "later epochs hold what was decided";
const ONCE: &str = "no request is executed twice";
pub(crate) const BY_VOTES: &str = "a superquorum of votes decides";
pub(crate) const BY_LOCKS: &str = "two members decide by their locks";
pub(crate) const NO_OP: &str = "a no-op is voted for";
pub(crate) const FILLED: &str = "a member gets a missing packet from another one";
pub(crate) const NEW_EPOCH: &str = "a majority is in a later epoch";
pub(crate) const KEPT: &str = "an epoch begins with a request that nobody had decided";
pub(crate) const GOES_ON: &str = "a later epoch decides";
pub(crate) const LET_IN: &str = "a restarted member is let in";

fn seats(state: &State) -> impl Iterator<Item = &Seat> {
    state.seats.iter().map(AsRef::as_ref)
}

/// Whoever is in a later epoch than the one that decided a position holds it.
fn carried_over(state: &State) -> bool {
    seats(state)
        .filter(|seat| seat.mode == Mode::Normal)
        .all(|seat| {
            let mut decided = state.decided.iter().enumerate();
            decided.all(|(index, (digest, epoch))| {
                *epoch >= seat.epoch || seat.log.get(index) == Some(digest)
            })
        })
}

/// The last position before the clients came.
fn base_of(state: &State) -> Position {
    Position(state.base.0 as u64)
}

/// Decided, and no packet has said that anything was locked.
fn by_votes(state: &State) -> bool {
    let mut packets = state.root.packets().iter();
    let silent = packets.all(|packet| packet.round_packet().locked.position <= base_of(state));
    !state.executed.is_empty() && silent && state.starts.is_empty()
}

/// Decided, and only two members have ever said that they voted for anything.
fn by_locks(state: &State) -> bool {
    let packets = state
        .root
        .packets()
        .iter()
        .map(|packet| packet.round_packet());
    let voters: BTreeSet<ReplicaId> = packets
        .filter(|packet| packet.acknowledged.position > base_of(state))
        .map(|packet| packet.replica)
        .collect();
    !state.executed.is_empty() && voters.len() <= 2 && state.starts.is_empty()
}

fn no_op(state: &State) -> bool {
    state.starts.is_empty() && seats(state).any(|seat| seat.no_ops > state.base.1)
}

/// It was asked for, nobody has voted a no-op, and a member has voted for what was held back.
fn filled(state: &State) -> bool {
    let asked = state.has_fired(Timer::Gap) && state.starts.is_empty();
    asked
        && seats(state).enumerate().any(|(index, seat)| {
            let late = state.root.late_of(index).next();
            seat.no_ops == state.base.1
                && late.is_some_and(|packet| seat.log.len() > state.base.0 + packet)
        })
}

fn new_epoch(state: &State) -> bool {
    let later = seats(state).filter(|seat| seat.mode == Mode::Normal && seat.epoch > FIRST_EPOCH);
    let epochs: Vec<_> = later.map(|seat| seat.epoch).collect();
    epochs
        .iter()
        .any(|one| epochs.iter().filter(|other| *other == one).count() >= 2)
}

fn kept(state: &State) -> bool {
    let mut starts = state.starts.iter();
    starts.any(|start| start.said.has_work && !start.has_executed)
}

fn goes_on(state: &State) -> bool {
    let first = state.starts.first();
    first.is_some_and(|start| {
        state
            .decided
            .iter()
            .any(|(_, epoch)| *epoch >= start.said.epoch)
    })
}

fn let_in(state: &State) -> bool {
    seats(state).any(|seat| seat.has_restarted() && seat.mode == Mode::Normal)
}
