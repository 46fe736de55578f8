//! When clients that wait go on, all of them at once: operations of several clients must meet each
//! other, and many faults must meet operations.

use crate::draw::{Draw, Purpose};
use wire::Tick;

/// Beats of a run.
const BEATS: u64 = 16;

/// The beats of the run with this seed, in order, within `span_ns`. They depend on nothing else.
pub fn beats(seed: u64, span_ns: u64) -> Vec<Tick> {
    let mut draw = Draw::new(seed, Purpose::Beats);
    let beat = |_| Tick(draw.below(span_ns.max(1)));
    let mut beats: Vec<Tick> = (0..BEATS).map(beat).collect();
    beats.sort_unstable();
    beats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_in_order_within_their_span() {
        let of = |seed| beats(seed, 1_000_000);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(3).is_sorted() && of(3).iter().all(|beat| beat.0 < 1_000_000));
        assert!(beats(1, 0).iter().all(|beat| beat.0 == 0));
    }
}
