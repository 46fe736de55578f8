//! The internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit
//! words.

/// A running sum of 16-bit words, not folded.
///
/// It is kept in the processor's byte order and turned round once at the end, which RFC 1071
/// (section 2, "byte order independence") allows; and it sums 32-bit words, since 2^16 is 1
/// modulo 2^16 - 1. Both let the compiler use wide registers. Sums cannot wrap for less than 16
/// GiB of data, so `wrapping_add` only spares the check that would keep it from doing so.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds `bytes`; an odd last byte counts as the high half of a word, so only the last piece
    /// may have an odd length.
    pub(crate) fn add(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        let words = words.iter().chain([&last]);
        Self(words.fold(self.0, |sum, &word| {
            sum.wrapping_add(u32::from_ne_bytes(word).into())
        }))
    }

    /// Adds one number as a word.
    pub(crate) fn add_word(self, word: u16) -> Self {
        self.add(&word.to_be_bytes())
    }

    /// Folds the sum to 16 bits: 0xffff over data that includes its right checksum.
    pub(crate) fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let sum = u16::try_from(sum).expect("the loop ends below 2^16");
        u16::from_be_bytes(sum.to_ne_bytes())
    }

    /// The checksum to write.
    pub(crate) fn checksum(self) -> u16 {
        !self.fold()
    }
}

/// The internet checksum of `bytes`, whose own checksum field must be 0; over data that includes
/// the right checksum the result is 0.
pub fn internet_checksum(bytes: &[u8]) -> u16 {
    Sum::default().add(bytes).checksum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word by word.
    fn by_definition(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(internet_checksum(&bytes), !0xddf2);
    }

    proptest! {
        #[test]
        fn wide_words_sum_like_narrow_ones(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // 0 and 0xffff are the same sum; only all-zero data yields the former.
            prop_assert_eq!(internet_checksum(&bytes), by_definition(&bytes));
        }
    }
}
