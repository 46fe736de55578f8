//! Calculations (checksums and hashes over fields) and the checksums that use them.
//!
//! A calculation's input is gathered into a scratch buffer whose size the loader knows, then summed.
//! Adjacent whole-byte fields of one header have become one piece, so that an IPv4 header is two.

use alloc::vec::Vec;

use super::field::Field;
use super::instruction::{Place, Word, Words};

/// The longest input of a calculation, in bytes; the loader refuses longer ones.
pub(crate) const MAX_CALCULATION_BYTES: usize = 512;

/// Where the input is gathered.
pub(crate) type Scratch = [u8; MAX_CALCULATION_BYTES];

/// What is done with the gathered bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// The Internet checksum, RFC 1071.
    Checksum16,
    /// CRC-16/ARC.
    Crc16,
    /// CRC-32/ISO-HDLC, the one of Ethernet.
    Crc32,
    /// The first 8 bytes of the input, or all if it is shorter, as a number.
    Identity,
}

/// A part of a calculation's input. Parts of headers that are not valid are skipped.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Whole bytes of the vector.
    Bytes {
        offset: usize,
        length: usize,
        valid: Word,
    },
    /// A header field that is not whole bytes.
    Bits {
        field: Field,
        valid: Word,
    },
    /// Metadata.
    Metadata(Place),
    Constant {
        value: u128,
        width: u8,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Calculation {
    algorithm: Algorithm,
    pieces: Vec<Piece>,
    /// An Internet checksum over even numbers of whole bytes: summed where they stand.
    summed_in_place: bool,
}

/// A checksum field and what it is computed from.
#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    pub(crate) target: Place,
    pub(crate) calculation: u16,
}

/// A bit string under construction in a fixed buffer. Each byte is written whole, or zeroed before
/// its first bit is set: the buffer may hold anything before.
struct Gather<'a> {
    buffer: &'a mut Scratch,
    bits: usize,
}

impl Gather<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.bits.is_multiple_of(8) {
            let at = self.bits / 8;
            self.buffer[at..at + bytes.len()].copy_from_slice(bytes);
            self.bits += bytes.len() * 8;
        } else {
            for &byte in bytes {
                self.number(byte.into(), 8);
            }
        }
    }

    fn number(&mut self, value: u128, width: u8) {
        for bit in (0..width).rev() {
            let at = self.bits / 8;
            let place = 7 - self.bits % 8;
            if place == 7 {
                self.buffer[at] = 0;
            }
            if (value >> bit) & 1 == 1 {
                self.buffer[at] |= 1 << place;
            }
            self.bits += 1;
        }
    }
}

impl Calculation {
    /// The pieces together are at most [`MAX_CALCULATION_BYTES`] long.
    pub(crate) fn new(algorithm: Algorithm, pieces: Vec<Piece>) -> Self {
        let even = |piece: &Piece| matches!(piece, Piece::Bytes { length, .. } if length % 2 == 0);
        let summed_in_place = algorithm == Algorithm::Checksum16 && pieces.iter().all(even);
        Self {
            algorithm,
            pieces,
            summed_in_place,
        }
    }

    /// The result for the vector as it is now.
    pub(crate) fn run(&self, words: &Words, vector: &[u8], scratch: &mut Scratch) -> u64 {
        if self.summed_in_place {
            return folded(self.pieces.iter().fold(0, |sum, piece| match *piece {
                Piece::Bytes {
                    offset,
                    length,
                    valid,
                } if words.get(valid) != 0 => sum + sum_of(&vector[offset..offset + length]),
                _ => sum,
            }))
            .into();
        }
        let length = self.gather(words, vector, scratch);
        let input = &scratch[..length];
        match self.algorithm {
            Algorithm::Checksum16 => checksum16(input).into(),
            Algorithm::Crc16 => crc16(input).into(),
            Algorithm::Crc32 => crc32(input).into(),
            Algorithm::Identity => input
                .iter()
                .take(8)
                .fold(0, |value, &byte| (value << 8) | u64::from(byte)),
        }
    }

    /// Writes the input to the buffer and gives its length in bytes.
    fn gather(&self, words: &Words, vector: &[u8], buffer: &mut Scratch) -> usize {
        let mut gather = Gather { buffer, bits: 0 };
        for piece in &self.pieces {
            match *piece {
                Piece::Bytes {
                    offset,
                    length,
                    valid,
                } => {
                    if words.get(valid) != 0 {
                        gather.bytes(&vector[offset..offset + length]);
                    }
                }
                Piece::Bits { field, valid } => {
                    if words.get(valid) != 0 {
                        gather.number(field.read_wide(vector), field.width);
                    }
                }
                Piece::Metadata(place) => {
                    gather.number(place.read_wide(words, vector), place.width());
                }
                Piece::Constant { value, width } => gather.number(value, width),
            }
        }
        gather.bits.div_ceil(8)
    }
}

/// The sum of the input as 16-bit words, to be folded; an odd last byte is the upper half of a word.
#[inline]
fn sum_of(input: &[u8]) -> u64 {
    let (fours, rest) = input.as_chunks::<4>();
    let (twos, last) = rest.as_chunks::<2>();
    // 2^16 is 1 modulo 2^16 - 1, so that words of 32 bits add up to the same; 64 bits cannot
    // overflow with fewer than 2^32 of them.
    let sum: u64 = fours
        .iter()
        .map(|four| u64::from(u32::from_be_bytes(*four)))
        .sum();
    let sum = twos
        .iter()
        .fold(sum, |sum, two| sum + u64::from(u16::from_be_bytes(*two)));
    last.iter()
        .fold(sum, |sum, byte| sum + (u64::from(*byte) << 8))
}

/// The complement of the one's complement sum.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits before")]
fn folded(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// The Internet checksum.
fn checksum16(input: &[u8]) -> u16 {
    folded(sum_of(input))
}

/// Polynomial 0x8005, reflected, starting from 0.
fn crc16(input: &[u8]) -> u16 {
    input.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xA001
            } else {
                crc >> 1
            }
        })
    })
}

/// Polynomial 0x04C11DB7, reflected, starting from and finally inverted by all ones.
fn crc32(input: &[u8]) -> u32 {
    !input.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values that the catalogues of CRCs give for the digits 1 to 9.
    #[test]
    fn known_values() {
        assert_eq!(crc16(b"123456789"), 0xBB3D);
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xC0, 0xA8, 0x00, 0x01,
            0xC0, 0xA8, 0x00, 0xC7,
        ];
        assert_eq!(checksum16(&header), 0xB861);
        assert_eq!(checksum16(&[0x01]), 0xFEFF);
        assert_eq!(checksum16(&[]), 0xFFFF);
    }

    #[test]
    fn odd_bits_are_packed() {
        let pieces = alloc::vec![
            Piece::Constant {
                value: 0b101,
                width: 3
            },
            Piece::Bytes {
                offset: 0,
                length: 2,
                valid: Word(3)
            },
            Piece::Constant {
                value: 0x1F,
                width: 5
            },
        ];
        let calculation = Calculation::new(Algorithm::Identity, pieces);
        let valid = Words::new(&[(Word(3), 1)]);
        let mut scratch = [0xEE; MAX_CALCULATION_BYTES];
        assert_eq!(
            calculation.run(&valid, &[0xAB, 0xCD], &mut scratch),
            0b1011_0101_0111_1001_1011_1111
        );
        assert_eq!(
            calculation.run(&Words::new(&[]), &[0xAB, 0xCD], &mut scratch),
            0b1011_1111
        );
    }

    #[test]
    fn summing_in_place_is_the_same_sum() {
        let vector: Vec<u8> = (1..=40).collect();
        let halves = alloc::vec![
            Piece::Bytes {
                offset: 3,
                length: 10,
                valid: Word(3)
            },
            Piece::Bytes {
                offset: 20,
                length: 8,
                valid: Word(3)
            },
        ];
        let in_place = Calculation::new(Algorithm::Checksum16, halves.clone());
        assert!(in_place.summed_in_place);
        let gathered = Calculation {
            summed_in_place: false,
            ..in_place.clone()
        };
        let valid = Words::new(&[(Word(3), 1)]);
        let mut scratch = [0; MAX_CALCULATION_BYTES];
        assert_eq!(
            in_place.run(&valid, &vector, &mut scratch),
            gathered.run(&valid, &vector, &mut scratch)
        );
    }
}
