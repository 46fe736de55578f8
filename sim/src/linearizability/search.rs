//! The search for an order of one part of a history.
//!
//! A *configuration* is the set of operations placed so far and the state of the object after
//! them. The search walks configurations depth first. Four rules leave out configurations that
//! cannot matter; each keeps at least one order whenever there is one:
//!
//! 1. A configuration that was tried is not tried again (Lowe 2017).
//! 2. An operation that only observes, and is possible now, is placed now and stays placed: it was
//!    invoked before every response that is still to come, and it changes nothing for the others.
//! 3. Of two equal operations (same operation, same outcome) the one that was invoked earlier and
//!    returned no later goes first: in any order that has them the other way round, swap them.
//! 4. An operation of unknown outcome is placed last of all choices, and only to some purpose: if
//!    the operations placed after it would all have had their outcomes without it too, and lead to
//!    the same state, then the order without it is as good. For each such operation a *shadow*
//!    state without it runs along until an outcome tells the two apart.
//!
//! Without the last rule, k operations that timed out make 2^k configurations at every point.
//!
//! The rules get on with each other. Say that configuration V *covers* configuration X when both
//! have the same state, and V has placed what X has, less some operations of unknown outcome (or with an equal one instead), plus
//! some that only observe: whatever can follow X can follow V. For every X that the search visits
//! and every operation c that could follow it, the search visits some V that covers X + c: if c is
//! tried in X, that is X + c, now or earlier; if rule 2 goes first, its observers are placed and
//! then c; if rule 4 forbids c because of p, take the path to X without p, and c; it is shorter, so
//! by induction each step of it is covered. So step by step an order of the whole is covered too.

use std::collections::{BTreeMap, HashSet};

use super::counterexample::Counterexample;
use super::events::{COMPLETED, Events, PENDING};
use super::{Model, Part};
use crate::history::Moment;

/// How many equal operations rule 3 looks back over.
const EQUALS_LOOK_BACK: usize = 16;

/// How many operations of unknown outcome may follow on each other in the first searches. In a
/// history that is linearizable there are nearly always few; a search that looks for few is
/// short, and an order that it finds is an order. Only a search without this limit, or one that
/// never met it, can say that there is none.
const CHAIN_LIMITS: [usize; 2] = [1, 3];

/// One search with such a limit may take one part in so many of all steps.
const LIMITED_SHARE: u64 = 8;

/// Bytes that one remembered configuration takes besides its words and its state.
const REMEMBERED_OVERHEAD: u64 = 48;

const NONE: u32 = u32::MAX;

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All operations with an outcome are placed.
    Placed,
    /// There is no order.
    Impossible,
    /// The steps ran out.
    OutOfSteps,
    /// The memory ran out.
    OutOfMemory,
}

/// Which operation to try next in a configuration.
#[derive(Clone, Copy, Debug)]
enum Cursor {
    /// Look for an operation that only observes and is possible.
    Observers,
    /// Try the operations with an outcome, from this node on.
    Completed(u32),
    /// Try those without, from this node on and before this position.
    Pending(u32, u32),
}

/// An operation that was placed, and how to take it back.
#[derive(Debug)]
struct Frame<S> {
    operation: u32,
    before: S,
    highest_before: u32,
    /// The present state less one operation of unknown outcome, for each that made no difference
    /// to an outcome yet.
    shadows: Vec<S>,
    /// Where to go on after taking it back; `None` if it was the only choice.
    resume: Option<Cursor>,
}

struct Choice<S> {
    operation: u32,
    after: S,
    shadows: Vec<S>,
    resume: Option<Cursor>,
}

/// The search for an order of `calls`.
pub(super) struct Search<'a, M: Model> {
    calls: Part<'a, M>,
    events: Events,
    /// The equal operation that goes before (rule 3), or [`NONE`].
    twin: Vec<u32>,
    /// Number among the operations of unknown outcome, or [`NONE`].
    pending_number: Vec<u32>,

    state: M::State,
    frames: Vec<Frame<M::State>>,
    placed: Vec<bool>,
    placed_pending: Vec<u32>,
    /// One more than the highest index of a placed operation with an outcome.
    highest: u32,
    open: usize,

    remembered: HashSet<(Box<[u32]>, M::State)>,
    memory: u64,
    memory_limit: u64,
    steps: u64,
    step_limit: u64,
    chain_limit: usize,
    chain_was_cut: bool,

    /// The order that got furthest; its first `shared` operations are those of `frames`.
    best: Vec<u32>,
    shared: usize,
    best_position: Option<u32>,
}

impl<'a, M: Model> Search<'a, M> {
    /// Prepares a search; `None` if there are too many operations to number.
    pub(super) fn new(calls: &Part<'a, M>, steps: u64, memory: u64) -> Option<Self> {
        // An operation that only observes and whose outcome nobody knows says nothing.
        let mut calls: Part<'a, M> = calls
            .iter()
            .copied()
            .filter(|call| call.completion.is_some() || !M::only_observes(&call.operation, None))
            .collect();
        calls.sort_by_key(|call| call.invoked);
        let returned = |done: &crate::history::Completion<M::Outcome>| done.returned;
        let times: Vec<(Moment, Option<Moment>)> = calls
            .iter()
            .map(|call| (call.invoked, call.completion.as_ref().map(returned)))
            .collect();
        let events = Events::new(&times)?;
        let mut pending_number = vec![NONE; calls.len()];
        let mut pending = 0_u32;
        for (number, call) in pending_number.iter_mut().zip(&calls) {
            if call.completion.is_none() {
                *number = pending;
                pending += 1;
            }
        }
        Some(Self {
            events,
            twin: twins::<M>(&calls),
            pending_number,
            state: M::initial(),
            frames: Vec::new(),
            placed: vec![false; calls.len()],
            placed_pending: vec![0; pending.div_ceil(u32::BITS) as usize],
            highest: 0,
            open: calls.len() - pending as usize,
            remembered: HashSet::new(),
            memory: 0,
            memory_limit: memory,
            steps: 0,
            step_limit: steps,
            chain_limit: usize::MAX,
            chain_was_cut: false,
            best: Vec::new(),
            shared: 0,
            best_position: None,
            calls,
        })
    }

    /// Calls of [`Model::step`] so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Searches until an order is found, there is none, or a bound is reached.
    pub(super) fn run(&mut self) -> Ending {
        let whole = self.step_limit;
        // Without operations of unknown outcome there is nothing to limit.
        let limits = if self.placed_pending.is_empty() {
            &[][..]
        } else {
            &CHAIN_LIMITS
        };
        for &limit in limits {
            self.chain_limit = limit;
            self.chain_was_cut = false;
            self.step_limit = self.steps.saturating_add(whole / LIMITED_SHARE).min(whole);
            let ending = self.pass();
            if ending == Ending::Placed || (ending == Ending::Impossible && !self.chain_was_cut) {
                return ending;
            }
            self.start_again();
        }
        self.chain_limit = usize::MAX;
        self.step_limit = whole;
        self.pass()
    }

    /// One search within the present limits.
    fn pass(&mut self) -> Ending {
        let mut cursor = Cursor::Observers;
        while self.open > 0 {
            // One look at a configuration may go past the bound by the operations open at once.
            if self.steps >= self.step_limit {
                return Ending::OutOfSteps;
            }
            if let Some(choice) = self.choose(&mut cursor) {
                if self.place(choice) {
                    cursor = Cursor::Observers;
                }
                if self.memory > self.memory_limit {
                    return Ending::OutOfMemory;
                }
            } else {
                self.note_dead_end();
                match self.back_up() {
                    Some(resume) => cursor = resume,
                    None => return Ending::Impossible,
                }
            }
        }
        Ending::Placed
    }

    /// Takes everything back and forgets what was tried.
    fn start_again(&mut self) {
        while !self.frames.is_empty() {
            self.take_back();
        }
        self.remembered = HashSet::new();
        self.memory = 0;
    }

    /// The operations placed, in order.
    #[cfg(test)]
    pub(super) fn order(&self) -> Part<'a, M> {
        self.frames
            .iter()
            .map(|frame| self.calls[frame.operation as usize])
            .collect()
    }

    /// What went wrong, after [`Ending::Impossible`].
    pub(super) fn counterexample(
        &self,
        key: Option<&[u8]>,
    ) -> Counterexample<M::Operation, M::Outcome> {
        let mut state = M::initial();
        let mut placed = vec![false; self.calls.len()];
        let mut prefix = Vec::with_capacity(self.best.len());
        for &operation in &self.best {
            let call = self.calls[operation as usize];
            placed[operation as usize] = true;
            let outcome = call.completion.as_ref().map(|done| &done.outcome);
            state = M::step(&state, &call.operation, outcome)
                .expect("the search placed this operation in this state");
            prefix.push(call.clone());
        }
        let left = |call: usize| !placed[call];
        let deadline = (0..self.calls.len())
            .filter(|&call| left(call))
            .filter_map(|call| Some(self.calls[call].completion.as_ref()?.returned))
            .min()
            .expect("an order that places everything is no counterexample");
        let before_deadline = |call: &usize| left(*call) && self.calls[*call].invoked <= deadline;
        let (unplaced, pending): (Vec<usize>, Vec<usize>) = (0..self.calls.len())
            .filter(before_deadline)
            .partition(|&call| self.calls[call].completion.is_some());
        Counterexample {
            key: key.map(<[u8]>::to_vec),
            operations: self.calls.len(),
            prefix,
            state: format!("{state:?}"),
            deadline,
            unplaced: unplaced
                .into_iter()
                .map(|call| self.calls[call].clone())
                .collect(),
            unknown: pending
                .into_iter()
                .map(|call| self.calls[call].clone())
                .collect(),
        }
    }

    /// The next operation to try here, and what to try after it. `None`: nothing is left to try.
    fn choose(&mut self, cursor: &mut Cursor) -> Option<Choice<M::State>> {
        if matches!(cursor, Cursor::Observers) {
            if let Some(choice) = self.choose_observer() {
                return Some(choice);
            }
            *cursor = Cursor::Completed(self.events.first(COMPLETED));
        }
        if let Cursor::Completed(from) = *cursor {
            let mut at = from;
            while !self.events.node(at).is_return {
                let (operation, next) = (self.events.node(at).operation, self.events.node(at).next);
                let resume = Cursor::Completed(next);
                if let Some(choice) = self.try_completed(operation, resume) {
                    *cursor = resume;
                    return Some(choice);
                }
                at = next;
            }
            *cursor = Cursor::Pending(self.events.first(PENDING), self.events.node(at).position);
        }
        if let Cursor::Pending(from, frontier) = *cursor {
            let mut at = from;
            while at != PENDING && self.events.node(at).position < frontier {
                let (operation, next) = (self.events.node(at).operation, self.events.node(at).next);
                let resume = Cursor::Pending(next, frontier);
                if let Some(choice) = self.try_pending(operation, resume) {
                    *cursor = resume;
                    return Some(choice);
                }
                at = next;
            }
            *cursor = Cursor::Pending(PENDING, frontier);
        }
        None
    }

    /// Rule 2.
    fn choose_observer(&mut self) -> Option<Choice<M::State>> {
        let mut at = self.events.first(COMPLETED);
        while !self.events.node(at).is_return {
            let operation = self.events.node(at).operation;
            if self.only_observes(operation)
                && let Some(after) = self.step(operation)
            {
                let shadows = self
                    .shadows_after(operation, &after)
                    .expect("what only observes brings no two states together");
                return Some(Choice {
                    operation,
                    after,
                    shadows,
                    resume: None,
                });
            }
            at = self.events.node(at).next;
        }
        None
    }

    fn try_completed(&mut self, operation: u32, resume: Cursor) -> Option<Choice<M::State>> {
        if self.only_observes(operation) || self.twin_waits(operation) {
            return None;
        }
        let after = self.step(operation)?;
        let shadows = self.shadows_after(operation, &after)?;
        Some(Choice {
            operation,
            after,
            shadows,
            resume: Some(resume),
        })
    }

    fn try_pending(&mut self, operation: u32, resume: Cursor) -> Option<Choice<M::State>> {
        if self.twin_waits(operation) {
            return None;
        }
        let after = self.step(operation)?;
        if after == self.state {
            return None;
        }
        let mut shadows = self.shadows_after(operation, &after)?;
        let unknown =
            |frame: &&Frame<M::State>| self.pending_number[frame.operation as usize] != NONE;
        let recent = self.frames.iter().rev().take(self.chain_limit);
        if recent.take_while(unknown).count() == self.chain_limit {
            self.chain_was_cut = true;
            return None;
        }
        shadows.push(self.state.clone());
        Some(Choice {
            operation,
            after,
            shadows,
            resume: Some(resume),
        })
    }

    /// Rule 4: the shadows after `operation`, which leads to `after`; `None` if one of them leads
    /// there too.
    fn shadows_after(&mut self, operation: u32, after: &M::State) -> Option<Vec<M::State>> {
        let Some(frame) = self.frames.last() else {
            return Some(Vec::new());
        };
        let call = self.calls[operation as usize];
        let outcome = call.completion.as_ref().map(|done| &done.outcome);
        let mut shadows = Vec::new();
        for shadow in &frame.shadows {
            self.steps += 1;
            match M::step(shadow, &call.operation, outcome) {
                Some(shadow) if shadow == *after => return None,
                Some(shadow) => shadows.push(shadow),
                None => {}
            }
        }
        Some(shadows)
    }

    fn step(&mut self, operation: u32) -> Option<M::State> {
        self.steps += 1;
        let call = self.calls[operation as usize];
        let outcome = call.completion.as_ref().map(|done| &done.outcome);
        M::step(&self.state, &call.operation, outcome)
    }

    fn only_observes(&self, operation: u32) -> bool {
        let call = self.calls[operation as usize];
        M::only_observes(
            &call.operation,
            call.completion.as_ref().map(|done| &done.outcome),
        )
    }

    fn twin_waits(&self, operation: u32) -> bool {
        let twin = self.twin[operation as usize];
        twin != NONE && !self.placed[twin as usize]
    }

    /// Places an operation, unless the configuration that this makes was tried before.
    fn place(&mut self, choice: Choice<M::State>) -> bool {
        let Choice {
            operation,
            after,
            shadows,
            resume,
        } = choice;
        let index = operation as usize;
        let highest_before = self.highest;
        self.events.lift(operation);
        self.placed[index] = true;
        match self.pending_number[index] {
            NONE => {
                self.highest = self.highest.max(operation + 1);
                self.open -= 1;
            }
            number => self.flip_pending(number),
        }
        let before = std::mem::replace(&mut self.state, after);
        let forced = resume.is_none();
        self.frames.push(Frame {
            operation,
            before,
            highest_before,
            shadows,
            resume,
        });
        if !forced && !self.remember() {
            self.take_back();
            return false;
        }
        true
    }

    /// Rule 1: notes the present configuration; `false` if it was noted before.
    fn remember(&mut self) -> bool {
        // The set of placed operations, exactly and shortly: all that have an outcome and an index
        // below `highest`, less those listed, and the bits of those without.
        let mut words = self.placed_pending.clone();
        words.push(self.highest);
        let mut at = self.events.first(COMPLETED);
        while at != COMPLETED && self.events.node(at).operation < self.highest {
            if !self.events.node(at).is_return {
                words.push(self.events.node(at).operation);
            }
            at = self.events.node(at).next;
        }
        let bytes = 4 * words.len() + M::state_bytes(&self.state);
        let fresh = self
            .remembered
            .insert((words.into_boxed_slice(), self.state.clone()));
        if fresh {
            self.memory += u64::try_from(bytes).unwrap_or(u64::MAX / 2) + REMEMBERED_OVERHEAD;
        }
        fresh
    }

    /// Takes back operations up to one that leaves another choice.
    fn back_up(&mut self) -> Option<Cursor> {
        while !self.frames.is_empty() {
            if let Some(resume) = self.take_back() {
                return Some(resume);
            }
        }
        None
    }

    /// Takes the last operation back.
    fn take_back(&mut self) -> Option<Cursor> {
        let frame = self.frames.pop()?;
        let index = frame.operation as usize;
        self.events.put_back(frame.operation);
        self.placed[index] = false;
        match self.pending_number[index] {
            NONE => self.open += 1,
            number => self.flip_pending(number),
        }
        self.highest = frame.highest_before;
        self.state = frame.before;
        self.shared = self.shared.min(self.frames.len());
        frame.resume
    }

    fn flip_pending(&mut self, number: u32) {
        self.placed_pending[(number / u32::BITS) as usize] ^= 1 << (number % u32::BITS);
    }

    /// Keeps the present order if it got further in time than any before, or as far with more.
    fn note_dead_end(&mut self) {
        let mut at = self.events.first(COMPLETED);
        while !self.events.node(at).is_return {
            at = self.events.node(at).next;
        }
        let position = self.events.node(at).position;
        // Operations of unknown outcome at the end explain nothing.
        let known = |frame: &Frame<M::State>| self.pending_number[frame.operation as usize] == NONE;
        let length = self
            .frames
            .iter()
            .rposition(known)
            .map_or(0, |last| last + 1);
        if (Some(position), length) > (self.best_position, self.best.len()) {
            self.best_position = Some(position);
            // Only what changed since the last best order is copied, so all copies together cost
            // no more than the search itself.
            self.shared = self.shared.min(length);
            self.best.truncate(self.shared);
            self.best.extend(
                self.frames[self.shared..length]
                    .iter()
                    .map(|frame| frame.operation),
            );
            self.shared = length;
        }
    }
}

/// What operations must share to be equal.
type Kind<'a, M> = (
    &'a <M as Model>::Operation,
    Option<&'a <M as Model>::Outcome>,
);

/// For each operation the nearest equal one that goes before it by rule 3, or [`NONE`].
fn twins<M: Model>(calls: &Part<'_, M>) -> Vec<u32> {
    let mut equals: BTreeMap<Kind<'_, M>, Vec<u32>> = BTreeMap::new();
    let mut twins = vec![NONE; calls.len()];
    for (index, call) in (0_u32..).zip(calls) {
        let completion = call.completion.as_ref();
        let earlier = equals
            .entry((&call.operation, completion.map(|done| &done.outcome)))
            .or_default();
        let returned_no_later = |other: &&u32| {
            let other = calls[**other as usize].completion.as_ref();
            match (other, completion) {
                (Some(other), Some(own)) => other.returned <= own.returned,
                _ => true,
            }
        };
        if let Some(twin) = earlier
            .iter()
            .rev()
            .take(EQUALS_LOOK_BACK)
            .find(|other| returned_no_later(other))
        {
            twins[index as usize] = *twin;
        }
        earlier.push(index);
    }
    twins
}
