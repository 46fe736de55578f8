//! Where a header's field lies in the packet header vector, and how it is read and written there.
//!
//! The vector holds the bytes of all headers exactly as on the wire, so that extracting and emitting
//! a header is one copy. A field is read by loading the smallest big-endian container of 1, 2, 4, 8
//! or 16 bytes that covers it, shifting and masking. The loader has checked that every container,
//! also one that reaches beyond its field, lies inside the vector.

/// How many bytes are loaded to reach a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    One,
    Two,
    Four,
    Eight,
    Sixteen,
}

impl Container {
    /// The smallest container of at least `bytes` bytes, if there is one.
    pub(crate) fn covering(bytes: usize) -> Option<Self> {
        Some(match bytes {
            1 => Self::One,
            2 => Self::Two,
            3..=4 => Self::Four,
            5..=8 => Self::Eight,
            9..=16 => Self::Sixteen,
            _ => return None,
        })
    }

    /// Its size in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }
}

/// A field, resolved to its place. Values are unsigned, at most 128 bits wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// First byte of the container in the vector.
    pub(crate) offset: u16,
    pub(crate) container: Container,
    /// Bits of the container to the right of the field.
    pub(crate) shift: u8,
    /// Bits of the field, 1 to 128.
    pub(crate) width: u8,
}

/// All ones in the low `width` bits, 1 to 64.
#[inline]
pub(crate) fn ones(width: u8) -> u64 {
    u64::MAX >> (64_u8.wrapping_sub(width) & 63)
}

/// All ones in the low `width` bits, 0 to 128.
#[inline]
pub(crate) fn wide_ones(width: u8) -> u128 {
    if width >= 128 {
        u128::MAX
    } else {
        (1 << width) - 1
    }
}

#[inline]
pub(crate) fn load<const N: usize>(vector: &[u8], offset: u16) -> [u8; N] {
    *vector[usize::from(offset)..]
        .first_chunk::<N>()
        .expect("the loader keeps every container inside the vector")
}

#[inline]
pub(crate) fn store<const N: usize>(vector: &mut [u8], offset: u16, bytes: [u8; N]) {
    *vector[usize::from(offset)..]
        .first_chunk_mut::<N>()
        .expect("the loader keeps every container inside the vector") = bytes;
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "values are truncated to the field's width on purpose, as the JSON's semantics ask"
)]
impl Field {
    /// Places a field of `width` bits that begins `bit` bits after byte `base`.
    /// `None` when it needs more than 16 bytes, is empty, or lies too far out.
    pub(crate) fn packed(base: usize, bit: usize, width: usize) -> Option<Self> {
        let width_byte = u8::try_from(width).ok().filter(|w| (1..=128).contains(w))?;
        let lead = bit % 8;
        let container = Container::covering((lead + width).div_ceil(8))?;
        Some(Self {
            offset: u16::try_from(base + bit / 8).ok()?,
            container,
            shift: u8::try_from(container.bytes() * 8 - lead - width).ok()?,
            width: width_byte,
        })
    }

    /// The low 64 bits of the field.
    #[inline]
    pub(crate) fn read(self, vector: &[u8]) -> u64 {
        let raw = match self.container {
            Container::One => u64::from(load::<1>(vector, self.offset)[0]),
            Container::Two => u64::from(u16::from_be_bytes(load(vector, self.offset))),
            Container::Four => u64::from(u32::from_be_bytes(load(vector, self.offset))),
            Container::Eight => u64::from_be_bytes(load(vector, self.offset)),
            Container::Sixteen => return self.read_wide(vector) as u64,
        };
        (raw >> self.shift) & ones(self.width)
    }

    /// The whole field.
    pub(crate) fn read_wide(self, vector: &[u8]) -> u128 {
        match self.container {
            Container::Sixteen => {
                let raw = u128::from_be_bytes(load(vector, self.offset));
                (raw >> self.shift) & wide_ones(self.width)
            }
            _ => u128::from(self.read(vector)),
        }
    }

    /// Writes the low bits of `value`.
    #[inline]
    pub(crate) fn write(self, vector: &mut [u8], value: u64) {
        let offset = self.offset;
        match self.container {
            Container::One => {
                let old = u64::from(load::<1>(vector, offset)[0]);
                store(vector, offset, [self.merge(old, value) as u8]);
            }
            Container::Two if self.width == 16 => {
                store(vector, offset, (value as u16).to_be_bytes());
            }
            Container::Two => {
                let old = u64::from(u16::from_be_bytes(load(vector, offset)));
                store(
                    vector,
                    offset,
                    (self.merge(old, value) as u16).to_be_bytes(),
                );
            }
            Container::Four if self.width == 32 => {
                store(vector, offset, (value as u32).to_be_bytes());
            }
            Container::Four => {
                let old = u64::from(u32::from_be_bytes(load(vector, offset)));
                store(
                    vector,
                    offset,
                    (self.merge(old, value) as u32).to_be_bytes(),
                );
            }
            Container::Eight if self.width == 64 => store(vector, offset, value.to_be_bytes()),
            Container::Eight => {
                let old = u64::from_be_bytes(load(vector, offset));
                store(vector, offset, self.merge(old, value).to_be_bytes());
            }
            Container::Sixteen => self.write_wide(vector, u128::from(value)),
        }
    }

    /// Writes the low bits of `value`.
    pub(crate) fn write_wide(self, vector: &mut [u8], value: u128) {
        match self.container {
            Container::Sixteen => {
                let mask = wide_ones(self.width) << self.shift;
                let old = u128::from_be_bytes(load(vector, self.offset));
                let new = (old & !mask) | ((value << self.shift) & mask);
                store(vector, self.offset, new.to_be_bytes());
            }
            _ => self.write(vector, value as u64),
        }
    }

    #[inline]
    fn merge(self, old: u64, value: u64) -> u64 {
        let mask = ones(self.width) << self.shift;
        (old & !mask) | ((value << self.shift) & mask)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads bit by bit: slow and obviously right.
    fn bits(vector: &[u8], first: usize, width: usize) -> u128 {
        (first..first + width).fold(0, |value, bit| {
            (value << 1) | u128::from((vector[bit / 8] >> (7 - bit % 8)) & 1)
        })
    }

    proptest! {
        #[test]
        fn a_write_changes_its_own_bits_and_no_others(
            mut vector in prop::collection::vec(any::<u8>(), 64),
            bit in 0_usize..128,
            width in 1_usize..=128,
            value in any::<u128>(),
        ) {
            let Some(field) = Field::packed(3, bit, width) else {
                prop_assert!((bit % 8 + width).div_ceil(8) > 16);
                return Ok(());
            };
            let first = 24 + bit;
            prop_assert_eq!(field.read_wide(&vector), bits(&vector, first, width));
            let before = vector.clone();
            field.write_wide(&mut vector, value);
            let width_byte = u8::try_from(width).unwrap();
            prop_assert_eq!(bits(&vector, first, width), value & wide_ones(width_byte));
            prop_assert_eq!(u128::from(field.read(&vector)), field.read_wide(&vector) & u128::from(u64::MAX));
            for other in (0..first).chain(first + width..64 * 8) {
                prop_assert_eq!(bits(&vector, other, 1), bits(&before, other, 1));
            }
        }
    }
}
