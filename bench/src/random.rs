//! The random numbers of a run: one ChaCha generator for each client and purpose.
//!
//! ChaCha's stream number keeps the generators of one seed apart without overlap, so what a client
//! does depends on the seed and its own index, not on how many clients there are. Drawing from a
//! range is done here, in integers, so that a seed means the same in every version of a library.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// What a generator is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Operations,
    Arrivals,
}

/// A generator of random integers.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The generator of the client with index `client` for one purpose.
    pub(crate) fn new(seed: u64, client: u32, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let purpose = match purpose {
            Purpose::Operations => 0,
            Purpose::Arrivals => 1,
        };
        generator.set_stream(u64::from(client) << 1 | purpose);
        Self(generator)
    }

    /// Any 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An integer in `0..bound`, each equally likely. `bound` must not be zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a range must have a number in it");
        // The high half of bits × bound is uniform once the low halves that would favour some
        // results are drawn again; there are 2^64 mod bound of them.
        let unfair = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.bits()) * u128::from(bound);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the two halves are what is meant"
            )]
            let (high, low) = ((wide >> 64) as u64, wide as u64);
            if low >= unfair {
                return high;
            }
        }
    }

    /// A number above 0 and at most 1, in steps of 2^-53.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_promise() {
        let mut random = Random::new(1, 0, Purpose::Operations);
        let drawn: Vec<u64> = (0..6).map(|_| random.below(1000)).collect();
        assert_eq!(drawn, PROMISED);
    }

    const PROMISED: [u64; 6] = [402, 80, 596, 219, 283, 710];

    #[test]
    fn streams_differ_by_seed_client_and_purpose() {
        let first = |seed, client, purpose| Random::new(seed, client, purpose).bits();
        let all = [
            first(1, 0, Purpose::Operations),
            first(1, 0, Purpose::Arrivals),
            first(1, 1, Purpose::Operations),
            first(1, 1, Purpose::Arrivals),
            first(2, 0, Purpose::Operations),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one));
        }
    }

    #[test]
    fn ranges_are_even_and_kept() {
        let mut random = Random::new(3, 0, Purpose::Operations);
        let mut seen = [0_u32; 7];
        for _ in 0..70_000 {
            seen[usize::try_from(random.below(7)).unwrap()] += 1;
        }
        // Nine standard deviations about the mean of 10,000.
        assert!(
            seen.iter().all(|count| count.abs_diff(10_000) < 840),
            "{seen:?}"
        );
        assert_eq!(random.below(1), 0);
        let huge = (1 << 63) + 1;
        assert!((0..100).all(|_| random.below(huge) < huge));
        assert!(
            (0..1000)
                .map(|_| random.unit())
                .all(|unit| unit > 0.0 && unit <= 1.0)
        );
    }
}
