//! Rust types as values of keys and parameters.

use std::net::Ipv4Addr;

use crate::p4info::MatchKind;

/// A Rust type that stands for a `bit<W>`: a parameter, or a value inside a match.
///
/// Implement it for your own newtypes, so that a group id cannot be written where a port belongs.
pub trait FieldValue: Copy {
    /// The widest `bit<W>` of which every value has a place in the type.
    const BITS: u32;
    /// The value as a number below 2^`BITS`.
    fn to_bits(self) -> u128;
    /// The value of a number, if the type has it.
    fn from_bits(bits: u128) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl FieldValue for $integer {
            const BITS: u32 = <$integer>::BITS;
            fn to_bits(self) -> u128 {
                u128::from(self)
            }
            fn from_bits(bits: u128) -> Option<Self> {
                Self::try_from(bits).ok()
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, u128);

impl FieldValue for bool {
    const BITS: u32 = 1;
    fn to_bits(self) -> u128 {
        u128::from(self)
    }
    fn from_bits(bits: u128) -> Option<Self> {
        match bits {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl FieldValue for Ipv4Addr {
    const BITS: u32 = 32;
    fn to_bits(self) -> u128 {
        u128::from(u32::from(self))
    }
    fn from_bits(bits: u128) -> Option<Self> {
        u32::try_from(bits).ok().map(Self::from)
    }
}

/// A MAC address, in the order of the wire.
impl FieldValue for [u8; 6] {
    const BITS: u32 = 48;
    fn to_bits(self) -> u128 {
        self.iter()
            .fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
    }
    fn from_bits(bits: u128) -> Option<Self> {
        let bytes = bits.to_be_bytes();
        let (zeros, address) = bytes.split_at(10);
        if zeros.iter().any(|byte| *byte != 0) {
            return None;
        }
        address.try_into().ok()
    }
}

/// The greatest value of `bit<bits>`.
pub(super) fn maximum(bits: u32) -> u128 {
    u128::MAX
        .checked_shr(u128::BITS.saturating_sub(bits))
        .unwrap_or(0)
}

/// What a field of a key must be, without types: what [`MatchValue`]s become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Anything.
    Any,
    /// One value.
    Exact(u128),
    /// The upper `length` bits of the field.
    Prefix {
        /// Bits behind the prefix are 0.
        value: u128,
        /// In bits, at least 1.
        length: u32,
    },
    /// The bits under the mask.
    Masked {
        /// Bits outside the mask are 0.
        value: u128,
        /// Not 0.
        mask: u128,
    },
    /// Two bounds, both inside.
    Range {
        /// The lower one.
        low: u128,
        /// The upper one, not below.
        high: u128,
    },
}

/// A Rust type that says how a field is matched: a [`FieldValue`] for exact, [`Prefix`] for lpm,
/// [`Ternary`], [`Range`], and `Option` of a value for optional.
pub trait MatchValue: Sized {
    /// How the field is matched.
    const KIND: MatchKind;
    /// The widest field.
    const BITS: u32;
    /// The pattern for a field of `bits` bits.
    fn to_pattern(&self, bits: u32) -> Pattern;
    /// The value of a pattern for a field of `bits` bits, if the type has it.
    fn from_pattern(pattern: Pattern, bits: u32) -> Option<Self>;
}

impl<T: FieldValue> MatchValue for T {
    const KIND: MatchKind = MatchKind::Exact;
    const BITS: u32 = T::BITS;
    fn to_pattern(&self, _: u32) -> Pattern {
        Pattern::Exact(self.to_bits())
    }
    fn from_pattern(pattern: Pattern, _: u32) -> Option<Self> {
        match pattern {
            Pattern::Exact(bits) => T::from_bits(bits),
            _ => None,
        }
    }
}

/// A prefix, for a field with match kind `lpm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix<T> {
    /// Bits behind the prefix are 0.
    pub value: T,
    /// In bits; 0 matches everything.
    pub length: u32,
}

impl<T: FieldValue> Prefix<T> {
    /// The prefix of this length that `value` has: the bits behind it become 0.
    ///
    /// The field is taken to be `T::BITS` wide; none if `length` is more than that.
    pub fn of(value: T, length: u32) -> Option<Self> {
        let behind = T::BITS.checked_sub(length)?;
        let mask = maximum(T::BITS) & !maximum(behind);
        Some(Self {
            value: T::from_bits(value.to_bits() & mask)?,
            length,
        })
    }
}

impl<T: FieldValue> MatchValue for Prefix<T> {
    const KIND: MatchKind = MatchKind::Lpm;
    const BITS: u32 = T::BITS;
    fn to_pattern(&self, _: u32) -> Pattern {
        if self.length == 0 && self.value.to_bits() == 0 {
            return Pattern::Any;
        }
        Pattern::Prefix {
            value: self.value.to_bits(),
            length: self.length,
        }
    }
    fn from_pattern(pattern: Pattern, _: u32) -> Option<Self> {
        match pattern {
            Pattern::Any => Some(Self {
                value: T::from_bits(0)?,
                length: 0,
            }),
            Pattern::Prefix { value, length } => Some(Self {
                value: T::from_bits(value)?,
                length,
            }),
            _ => None,
        }
    }
}

/// A value under a mask, for a field with match kind `ternary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ternary<T> {
    /// Bits outside the mask are 0.
    pub value: T,
    /// Which bits matter; 0 matches everything.
    pub mask: T,
}

impl<T: FieldValue> MatchValue for Ternary<T> {
    const KIND: MatchKind = MatchKind::Ternary;
    const BITS: u32 = T::BITS;
    fn to_pattern(&self, _: u32) -> Pattern {
        match (self.value.to_bits(), self.mask.to_bits()) {
            (0, 0) => Pattern::Any,
            (value, mask) => Pattern::Masked { value, mask },
        }
    }
    fn from_pattern(pattern: Pattern, _: u32) -> Option<Self> {
        let (value, mask) = match pattern {
            Pattern::Any => (0, 0),
            Pattern::Masked { value, mask } => (value, mask),
            _ => return None,
        };
        Some(Self {
            value: T::from_bits(value)?,
            mask: T::from_bits(mask)?,
        })
    }
}

/// Two bounds, both inside, for a field with match kind `range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range<T> {
    /// The lower one.
    pub low: T,
    /// The upper one.
    pub high: T,
}

impl<T: FieldValue> MatchValue for Range<T> {
    const KIND: MatchKind = MatchKind::Range;
    const BITS: u32 = T::BITS;
    fn to_pattern(&self, bits: u32) -> Pattern {
        match (self.low.to_bits(), self.high.to_bits()) {
            (0, high) if high == maximum(bits) => Pattern::Any,
            (low, high) => Pattern::Range { low, high },
        }
    }
    fn from_pattern(pattern: Pattern, bits: u32) -> Option<Self> {
        let (low, high) = match pattern {
            Pattern::Any => (0, maximum(bits)),
            Pattern::Range { low, high } => (low, high),
            _ => return None,
        };
        Some(Self {
            low: T::from_bits(low)?,
            high: T::from_bits(high)?,
        })
    }
}

/// One value or any, for a field with match kind `optional`.
impl<T: FieldValue> MatchValue for Option<T> {
    const KIND: MatchKind = MatchKind::Optional;
    const BITS: u32 = T::BITS;
    fn to_pattern(&self, _: u32) -> Pattern {
        self.map_or(Pattern::Any, |value| Pattern::Exact(value.to_bits()))
    }
    fn from_pattern(pattern: Pattern, _: u32) -> Option<Self> {
        match pattern {
            Pattern::Any => Some(None),
            Pattern::Exact(bits) => T::from_bits(bits).map(Some),
            _ => None,
        }
    }
}
