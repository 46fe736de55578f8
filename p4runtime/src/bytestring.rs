//! Integers as byte strings: P4Runtime 1.4, section "Bytestrings".
//!
//! Big-endian and unsigned (no key, parameter or packet field is signed). The canonical form is
//! the shortest: no leading zero byte, and one zero byte for zero. A receiver takes longer forms
//! of the same value, but never the empty string.

use thiserror::Error;

/// Why a byte string is not a value of the type at hand.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BytestringError {
    /// The string has no byte.
    #[error("value is the empty string, but zero is written as one zero byte")]
    Empty,
    /// The value needs more bits than the type has.
    #[error("value 0x{hex} needs {needed_bits} bits, but the type is bit<{bitwidth}>")]
    TooWide {
        /// The value, without leading zero digits, cut after 32 bytes.
        hex: String,
        /// How many bits it takes.
        needed_bits: usize,
        /// How many there are.
        bitwidth: u32,
    },
}

/// The canonical form of `value`.
pub fn encode(value: u128) -> Vec<u8> {
    canonical(&value.to_be_bytes()).to_vec()
}

/// The canonical part of `bytes`: what is left without leading zero bytes, but at least one byte
/// of a string that has any.
pub fn canonical(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros.min(bytes.len().saturating_sub(1))..]
}

/// How many bits the value takes; 0 for zero.
pub fn significant_bits(bytes: &[u8]) -> usize {
    let bytes = canonical(bytes);
    match bytes.first() {
        None => 0,
        Some(first) => {
            let of_first = 8 - usize::try_from(first.leading_zeros()).unwrap_or(8);
            (bytes.len() - 1) * 8 + of_first
        }
    }
}

/// Checks that `bytes` is a value of `bit<bitwidth>` and returns its canonical form.
pub fn check(bytes: &[u8], bitwidth: u32) -> Result<&[u8], BytestringError> {
    if bytes.is_empty() {
        return Err(BytestringError::Empty);
    }
    let bytes = canonical(bytes);
    let needed_bits = significant_bits(bytes);
    if needed_bits > usize::try_from(bitwidth).unwrap_or(usize::MAX) {
        return Err(BytestringError::TooWide {
            hex: hex(bytes),
            needed_bits,
            bitwidth,
        });
    }
    Ok(bytes)
}

/// The value of `bytes` as a number. A type wider than 128 bits is taken as one of 128 bits.
pub fn decode(bytes: &[u8], bitwidth: u32) -> Result<u128, BytestringError> {
    let bytes = check(bytes, bitwidth.min(u128::BITS))?;
    Ok(bytes
        .iter()
        .fold(0, |value, byte| (value << 8) | u128::from(*byte)))
}

/// The value of `bytes` with all leading zeros: ⌈bitwidth / 8⌉ bytes.
pub fn to_fixed(bytes: &[u8], bitwidth: u32) -> Result<Vec<u8>, BytestringError> {
    let bytes = check(bytes, bitwidth)?;
    let width = usize::try_from(bitwidth.div_ceil(8)).unwrap_or(bytes.len());
    let mut fixed = vec![0; width.saturating_sub(bytes.len())];
    // A value of bit<0> is the one zero byte, for which there is no place and no need.
    fixed.extend_from_slice(&bytes[bytes.len().saturating_sub(width)..]);
    Ok(fixed)
}

/// Hexadecimal digits of `bytes`, two a byte, cut after 32 bytes.
pub fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let mut digits = String::with_capacity(2 * bytes.len().min(SHOWN) + 3);
    for byte in bytes.iter().take(SHOWN) {
        for nibble in [byte >> 4, byte & 15] {
            digits.extend(char::from_digit(u32::from(nibble), 16));
        }
    }
    if bytes.len() > SHOWN {
        digits.push('…');
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples_of_the_specification() {
        let valid: [(u32, &[u8], u128); 7] = [
            (8, b"\x63", 0x63),
            (16, b"\x00\x63", 0x63),
            (16, b"\x63", 0x63),
            (16, b"\x00\x30\x64", 0x3064),
            (12, b"\x00\x63", 0x63),
            (12, b"\x00\x00\x63", 0x63),
            (16, b"\x00\x00", 0),
        ];
        for (bitwidth, bytes, value) in valid {
            assert_eq!(decode(bytes, bitwidth), Ok(value));
        }
        let invalid: [(u32, &[u8]); 6] = [
            (8, b"\x01\x63"),
            (8, b""),
            (16, b"\x01\x00\x63"),
            (12, b"\x10\x63"),
            (12, b"\x01\x00\x63"),
            (12, b"\x00\x40\x63"),
        ];
        for (bitwidth, bytes) in invalid {
            assert!(
                decode(bytes, bitwidth).is_err(),
                "bit<{bitwidth}> {bytes:?}"
            );
        }
    }

    #[test]
    fn zero_is_one_byte() {
        assert_eq!(encode(0), [0]);
        assert_eq!(canonical(&[0, 0, 0]), [0]);
        assert_eq!(canonical(&[]), [0; 0]);
        assert_eq!(significant_bits(&[0]), 0);
        assert_eq!(to_fixed(&[0], 9), Ok(vec![0, 0]));
    }

    #[test]
    fn error_says_value_and_width() {
        let error = check(&[0, 2, 0], 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "value 0x0200 needs 10 bits, but the type is bit<9>"
        );
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(value: u128, zeros in 0_usize..4) {
            let encoded = encode(value);
            prop_assert!(encoded.len() == 1 || encoded[0] != 0);
            let mut padded = vec![0; zeros];
            padded.extend_from_slice(&encoded);
            prop_assert_eq!(decode(&padded, 128), Ok(value));
            prop_assert_eq!(canonical(&padded), &encoded[..]);
            prop_assert_eq!(significant_bits(&padded), (128 - value.leading_zeros()) as usize);
        }

        #[test]
        fn width_is_the_bound(value: u128, bitwidth in 1_u32..=128) {
            let fits = bitwidth == 128 || value >> bitwidth == 0;
            prop_assert_eq!(decode(&encode(value), bitwidth).is_ok(), fits);
            if let Ok(fixed) = to_fixed(&encode(value), bitwidth) {
                prop_assert_eq!(fixed.len(), bitwidth.div_ceil(8) as usize);
                prop_assert_eq!(decode(&fixed, bitwidth), Ok(value));
            }
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>, bitwidth: u32) {
            let bitwidth = bitwidth % 4096;
            let _ = decode(&bytes, bitwidth);
            let _ = to_fixed(&bytes, bitwidth);
        }
    }
}
