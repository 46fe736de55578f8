//! Checked reading of bytes somebody else wrote, and the variable-length integers in them.
//!
//! Integers are little-endian base 128 (seven bits a byte, the high bit says "more follows").
//! Only the shortest form is valid, so that equal values have equal bytes.

use alloc::vec::Vec;

/// Where reading stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: &'static str,
}

/// A position in bytes that never passes their end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[cfg(test)]
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    pub(super) const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) const fn fault(&self, reason: &'static str) -> Fault {
        Fault {
            at: self.at,
            reason,
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self
            .bytes
            .get(self.at)
            .ok_or(self.fault("bytes end too early"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        if count > self.remaining() {
            return Err(self.fault("a length passes the end of the bytes"));
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let start = *self;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(start.fault("an integer is over 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(start.fault("an integer is longer than it need be"));
                }
                return Ok(value);
            }
        }
        Err(start.fault("an integer is over 64 bits"))
    }

    /// A count of things that take at least `least` bytes each: never more than can follow.
    pub(super) fn count(&mut self, least: usize) -> Result<usize, Fault> {
        let start = *self;
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count.saturating_mul(least) > self.remaining() {
            return Err(start.fault("a count is larger than the bytes that follow"));
        }
        Ok(count)
    }

    /// A length and that many bytes.
    pub(super) fn chunk(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.count(1)?;
        self.take(length)
    }

    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.remaining() == 0 {
            Ok(())
        } else {
            Err(self.fault("bytes follow the end"))
        }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

/// How many bytes [`put_varint`] writes for a length.
pub(super) const fn varint_size(value: usize) -> usize {
    let mut rest = value >> 7;
    let mut size = 1;
    while rest != 0 {
        rest >>= 7;
        size += 1;
    }
    size
}

pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_varint(out, length as u64);
}

pub(super) fn put_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

const fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_size(usize::try_from(value).unwrap()));
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.varint(), Ok(value));
            prop_assert_eq!(cursor.finish(), Ok(()));
        }

        #[test]
        fn accepted_bytes_are_shortest(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut cursor = Cursor::new(&bytes);
            if let Ok(value) = cursor.varint() {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..cursor.position()]);
            }
        }
    }

    #[test]
    fn a_count_that_cannot_follow_is_refused() {
        let mut out = Vec::new();
        put_varint(&mut out, u64::MAX);
        assert!(Cursor::new(&out).count(1).is_err());
    }
}
