//! Which keys are asked for, and how often.
//!
//! Zipf's law is drawn from a table of cumulative weights in integers: one random number and one
//! binary search a draw, no floating point, any exponent (rejection sampling, as in `rand_distr`,
//! takes a number of draws that depends on the platform's logarithm, so one rounding would shift
//! all that follows). The table is made with `libm`, which gives the same bits everywhere, and is
//! shared by all clients. It costs 8 bytes a key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Most keys of one workload; bounds the table to 128 MiB.
pub const MAX_KEYS: u32 = 1 << 24;

/// Largest exponent of Zipf's law, in thousandths.
pub const MAX_EXPONENT_THOUSANDTHS: u32 = 5_000;

/// How draws are spread over the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Every key equally often.
    Uniform,
    /// The key with index i in proportion to 1/(i + 1)^exponent: key 0 is the hottest.
    Zipf {
        /// The exponent in thousandths; 990 is the 0.99 of YCSB, 0 is uniform.
        exponent_thousandths: u32,
    },
    /// What was written last is read most: the key with age a, 0 for the newest, in proportion to
    /// 1/(a + 1)^exponent, over as many ages as there are keys. Writes are of new keys.
    Latest {
        /// The exponent in thousandths.
        exponent_thousandths: u32,
    },
}

impl Distribution {
    /// The exponent of its law, in thousandths.
    pub(crate) const fn exponent_thousandths(self) -> Option<u32> {
        match self {
            Self::Uniform => None,
            Self::Zipf {
                exponent_thousandths,
            }
            | Self::Latest {
                exponent_thousandths,
            } => Some(exponent_thousandths),
        }
    }
}

/// Draws indices of keys, or their ages.
#[derive(Clone, Debug)]
pub(crate) struct KeyChooser {
    keys: u32,
    /// For Zipf: at index i the weight of the keys 0 to i.
    cumulative: Option<Arc<[u64]>>,
}

impl KeyChooser {
    /// A chooser among `keys` keys, of which there is at least one and at most [`MAX_KEYS`].
    pub(crate) fn new(keys: u32, distribution: Distribution) -> Self {
        assert!(
            (1..=MAX_KEYS).contains(&keys),
            "the workload checks its number of keys"
        );
        let exponent = distribution.exponent_thousandths();
        let cumulative = exponent.map(|exponent| cumulative_weights(keys, exponent));
        Self { keys, cumulative }
    }

    /// The index of a key, in `0..keys`.
    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let Some(cumulative) = &self.cumulative else {
            return u32::try_from(random.below(self.keys.into())).expect("below a u32");
        };
        let point = random.below(cumulative[cumulative.len() - 1]);
        let index = cumulative.partition_point(|weight| *weight <= point);
        u32::try_from(index).expect("there are at most u32::MAX keys")
    }
}

/// Sums of 2^32 / rank^exponent, each weight at least 1 so that no key is out of reach.
fn cumulative_weights(keys: u32, exponent_thousandths: u32) -> Arc<[u64]> {
    let exponent = f64::from(exponent_thousandths) / 1000.0;
    let mut sum = 0_u64;
    (1..=keys)
        .map(|rank| {
            let weight = libm::pow(f64::from(rank), -exponent) * f64::from(u32::MAX);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 2^32, and the fraction is to go"
            )]
            let weight = libm::round(weight) as u64;
            // At most 2^24 weights of 2^32: no overflow.
            sum += weight.max(1);
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    fn counts(keys: u32, distribution: Distribution, draws: u32) -> Vec<u32> {
        let chooser = KeyChooser::new(keys, distribution);
        let mut random = Random::new(11, 0, Purpose::Operations);
        let mut counts = vec![0; keys as usize];
        for _ in 0..draws {
            counts[chooser.draw(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_keys_are_all_alike() {
        let counts = counts(10, Distribution::Uniform, 100_000);
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 900),
            "{counts:?}"
        );
    }

    #[test]
    fn zipf_follows_its_law() {
        let draws = 1_000_000;
        let counts = counts(
            1000,
            Distribution::Zipf {
                exponent_thousandths: 1000,
            },
            draws,
        );
        let harmonic: f64 = (1..=1000).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [1_u32, 2, 3, 10, 100] {
            let expected = f64::from(draws) / harmonic / f64::from(rank);
            let found = f64::from(counts[rank as usize - 1]);
            // Six standard deviations of a count.
            assert!(
                (found - expected).abs() < 6.0 * expected.sqrt(),
                "{rank}: {found} {expected}"
            );
        }
    }

    #[test]
    fn every_key_can_be_drawn() {
        let steep = Distribution::Zipf {
            exponent_thousandths: MAX_EXPONENT_THOUSANDTHS,
        };
        let table = KeyChooser::new(MAX_KEYS, steep).cumulative.unwrap();
        assert!(table.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(counts(1, steep, 10), [10]);
        let flat = counts(
            4,
            Distribution::Zipf {
                exponent_thousandths: 0,
            },
            40_000,
        );
        assert!(
            flat.iter().all(|count| count.abs_diff(10_000) < 900),
            "{flat:?}"
        );
    }
}
