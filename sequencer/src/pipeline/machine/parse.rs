//! What the parser's instructions do with the frame.

use super::super::field::wide_ones;
use super::super::instruction::Operand;
use super::super::program::Program;
use super::{Machine, Passage};

impl Machine {
    /// Copies the next bytes into a header; `None` if there are not as many.
    #[inline]
    pub(super) fn extract(
        &mut self,
        program: &Program,
        passage: &mut Passage<'_>,
        header: u16,
    ) -> Option<()> {
        let header = &program.headers[usize::from(header)];
        let bytes = passage.rest().get(..header.length)?;
        self.vector[header.offset..header.offset + header.length].copy_from_slice(bytes);
        self.words.set(header.valid, 1);
        passage.cursor += header.length;
        Some(())
    }

    /// Reads bits to come; `None` if there are not as many.
    #[inline(never)]
    pub(super) fn look_ahead(
        &mut self,
        passage: &Passage<'_>,
        (bit, width): (u16, u8),
        to: Operand,
    ) -> Option<()> {
        let value = peek(passage.rest(), bit, width)?;
        self.words.set_wide(to, value);
        Some(())
    }
}

impl Passage<'_> {
    /// Skips bytes; `None` if there are not as many.
    pub(super) fn advance(&mut self, bytes: u64) -> Option<()> {
        let bytes = usize::try_from(bytes).ok()?;
        self.cursor += self.rest().get(..bytes)?.len();
        Some(())
    }
}

/// `width` bits that begin `bit` bits into `bytes`; `None` if there are not as many.
fn peek(bytes: &[u8], bit: u16, width: u8) -> Option<u128> {
    let first = usize::from(bit);
    let end = first + usize::from(width);
    let bytes = bytes.get(first / 8..end.div_ceil(8))?;
    // At most 17 bytes: the first and the last may be shared with neighbours.
    let (last, before) = bytes.split_last()?;
    let high = before
        .iter()
        .fold(0_u128, |value, &byte| (value << 8) | u128::from(byte));
    let spare = bytes.len() * 8 - (end - first / 8 * 8);
    let value = (high << (8 - spare)) | u128::from(last >> spare);
    Some(value & wide_ones(width))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn peeks_bit_by_bit(
            bytes in prop::collection::vec(any::<u8>(), 0..24),
            bit in 0_u16..64,
            width in 1_u8..=128,
        ) {
            let bits: Vec<u8> =
                bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1)).collect();
            let wanted = bits.get(usize::from(bit)..usize::from(bit) + usize::from(width));
            let wanted = wanted.map(|bits| bits.iter().fold(0, |v, bit| (v << 1) | u128::from(*bit)));
            prop_assert_eq!(peek(&bytes, bit, width), wanted);
        }
    }
}
