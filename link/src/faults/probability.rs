//! Probabilities in parts per million: exact to write down, exact to compare, no floats.

use std::fmt;
use std::str::FromStr;

/// A probability from 0 to 1 in steps of a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u32);

const MILLION: u32 = 1_000_000;

impl Probability {
    /// Never happens.
    pub const NEVER: Self = Self(0);
    /// Always happens.
    pub const ALWAYS: Self = Self(MILLION);

    /// `ppm` parts per million, `None` if they are more than a million.
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if ppm <= MILLION {
            Some(Self(ppm))
        } else {
            None
        }
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Whether it happens, given a uniformly random number.
    pub(crate) fn happens(self, random: u32) -> bool {
        // Scaling the random number to 0..1_000_000 favours no value by more than 1 in 4,294.
        (u64::from(random) * u64::from(MILLION)) >> 32 < u64::from(self.0)
    }
}

/// A text that is no probability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a probability; write 1%, 0.1% or 0.001, from 0 to 100%, in steps of 0.0001%"
)]
pub struct ProbabilityError {
    /// The text.
    pub text: String,
}

impl FromStr for Probability {
    type Err = ProbabilityError;

    fn from_str(text: &str) -> Result<Self, ProbabilityError> {
        let error = || ProbabilityError {
            text: text.to_owned(),
        };
        let (number, decimals) = match text.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 4),
            None => (text, 6),
        };
        let ppm = scaled(number, decimals).ok_or_else(error)?;
        Self::from_ppm(ppm).ok_or_else(error)
    }
}

impl fmt::Display for Probability {
    /// As a percentage without needless zeros: `0.1%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, self.0 % 10_000);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        let fraction = format!("{fraction:04}");
        write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
    }
}

/// The decimal number in `text` times ten to the power of `decimals`, if that is a whole number.
fn scaled(text: &str, decimals: usize) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > decimals {
        return None;
    }
    let digits = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(decimals);
    whole.bytes().chain(digits).try_fold(0_u32, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_read_exactly() {
        let read = |text: &str| text.parse().map(Probability::ppm);
        assert_eq!(read("1%"), Ok(10_000));
        assert_eq!(read("0.1%"), Ok(1_000));
        assert_eq!(read("0.1 %"), Ok(1_000));
        assert_eq!(read("0.001"), Ok(1_000));
        assert_eq!(read("0.0001%"), Ok(1));
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("1"), Ok(1_000_000));
        assert_eq!(read("100%"), Ok(1_000_000));
    }

    #[test]
    fn other_texts_are_refused_with_what_is_valid() {
        let wrong = [
            "", "%", ".", "1.", ".5", "-1%", "+1%", "1e-3", "101%", "1.1", "0.00001%",
        ];
        for text in wrong
            .into_iter()
            .chain(["0.0000001", "99999999999", "1%%", "NaN"])
        {
            assert!(text.parse::<Probability>().is_err(), "{text:?}");
        }
        assert_eq!(
            "2%x".parse::<Probability>().unwrap_err().to_string(),
            "\"2%x\" is not a probability; write 1%, 0.1% or 0.001, from 0 to 100%, in steps of \
             0.0001%"
        );
    }

    #[test]
    fn the_ends_are_certain() {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            assert!(!Probability::NEVER.happens(random));
            assert!(Probability::ALWAYS.happens(random));
        }
    }

    proptest! {
        #[test]
        fn parse_is_the_inverse_of_print(ppm in 0..=MILLION) {
            let probability = Probability(ppm);
            prop_assert_eq!(probability.to_string().parse(), Ok(probability));
        }

        #[test]
        fn arbitrary_texts_do_not_panic(text in ".{0,20}") {
            let _ = text.parse::<Probability>();
        }
    }
}
