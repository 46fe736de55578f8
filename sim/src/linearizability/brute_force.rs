//! The definition of linearizability, word for word, to measure the search against.
//!
//! It tries every order of every sub-set of the operations of unknown outcome. No list, no memory,
//! no rule of the real search is shared with it. It is for a handful of operations.

use super::{Model, Part};

/// Whether some order of `calls` explains every outcome.
pub(super) fn is_linearizable<M: Model>(calls: &Part<'_, M>) -> bool {
    extend::<M>(calls, &mut vec![false; calls.len()], &M::initial())
}

fn extend<M: Model>(calls: &Part<'_, M>, placed: &mut [bool], state: &M::State) -> bool {
    if calls
        .iter()
        .zip(&*placed)
        .all(|(call, placed)| *placed || call.completion.is_none())
    {
        return true;
    }
    for next in 0..calls.len() {
        if placed[next] || must_wait::<M>(calls, placed, next) {
            continue;
        }
        let outcome = calls[next].completion.as_ref().map(|done| &done.outcome);
        if let Some(after) = M::step(state, &calls[next].operation, outcome) {
            placed[next] = true;
            let found = extend::<M>(calls, placed, &after);
            placed[next] = false;
            if found {
                return true;
            }
        }
    }
    false
}

/// Whether an operation that is not placed returned before `next` was invoked.
fn must_wait<M: Model>(calls: &Part<'_, M>, placed: &[bool], next: usize) -> bool {
    (0..calls.len()).any(|other| {
        !placed[other]
            && calls[other]
                .completion
                .as_ref()
                .is_some_and(|done| done.returned < calls[next].invoked)
    })
}
