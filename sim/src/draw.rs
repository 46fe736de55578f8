//! The random numbers of a run: one ChaCha generator a purpose, so that what one part draws does
//! not depend on how often another one does. A seed means the same for ever: ranges are made here.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Parts per million that are certain.
pub const ALWAYS_PPM: u32 = 1_000_000;

/// What a generator is for; each has a stream of its own.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Which faults there are, and when.
    Schedule,
    /// When clients that wait go on.
    Beats,
    /// What one client asks, and when.
    Client(u16),
    /// What one wire does to frames.
    Wire(u16),
    /// Delays of the bulk channel.
    Bulk,
}

impl Purpose {
    fn stream(self) -> u64 {
        match self {
            Self::Schedule => 1,
            Self::Beats => 2,
            Self::Bulk => 3,
            Self::Client(index) => 0x1_0000 + u64::from(index),
            Self::Wire(index) => 0x2_0000 + u64::from(index),
        }
    }
}

/// A generator of integers.
#[derive(Clone, Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The generator of a run for one purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose.stream());
        Self(generator)
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An integer in `0..bound`; `bound` must not be 0. The bias is below `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a range must have a number in it");
        let high = (u128::from(self.bits()) * u128::from(bound)) >> 64;
        u64::try_from(high).expect("smaller than the bound")
    }

    /// An integer from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "{low} to {high} is no range");
        low + self.below(high - low + 1)
    }

    /// One of these. There must be one.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.below(from.len() as u64)).expect("an index");
        from[index]
    }

    /// True with this probability. Draws nothing for 0.
    pub fn happens(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(ALWAYS_PPM.into()) < u64::from(ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_promise() {
        let mut draw = Draw::new(1, Purpose::Schedule);
        let drawn: Vec<u64> = (0..6).map(|_| draw.below(1_000)).collect();
        let mut again = Draw::new(1, Purpose::Schedule);
        assert_eq!(
            drawn,
            (0..6).map(|_| again.below(1_000)).collect::<Vec<_>>()
        );
        let other = Draw::new(1, Purpose::Client(0)).below(u64::MAX);
        assert_ne!(Draw::new(1, Purpose::Client(1)).below(u64::MAX), other);
        assert_ne!(Draw::new(2, Purpose::Client(0)).below(u64::MAX), other);
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut draw = Draw::new(3, Purpose::Beats);
        let mut seen = [0_u32; 5];
        for _ in 0..10_000 {
            seen[usize::try_from(draw.between(2, 6) - 2).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| *count > 1_800), "{seen:?}");
        assert!(!draw.happens(0) && draw.happens(ALWAYS_PPM));
    }
}
