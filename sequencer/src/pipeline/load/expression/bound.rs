//! Expression trees, and what is known of their values from the widths of the fields below.

use alloc::boxed::Box;

use super::super::super::instruction::{Operator, Place, Word};

/// An expression of the JSON.
#[derive(Clone, Debug)]
pub(in crate::pipeline::load) enum Tree {
    Constant {
        negative: bool,
        magnitude: u128,
    },
    Truth(bool),
    Field(Place),
    /// An action's parameter: its first word.
    Parameter {
        word: Word,
        width: u8,
    },
    Binary {
        operator: Operator,
        left: Box<Self>,
        right: Box<Self>,
    },
    /// All bits turned over.
    Complement(Box<Self>),
    Select {
        condition: Box<Self>,
        yes: Box<Self>,
        no: Box<Self>,
    },
}

/// What is known of a value without running anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// From 0 to 2^n - 1.
    Bits(u32),
    /// May be negative; from -2^n to 2^n.
    Signed(u32),
}

impl Bound {
    pub(super) fn bits(self) -> u32 {
        match self {
            Self::Bits(bits) | Self::Signed(bits) => bits,
        }
    }

    /// Both are from 0: `Bits`, else `Signed`.
    fn with(self, other: Self, bits: u32) -> Self {
        match (self, other) {
            (Self::Bits(_), Self::Bits(_)) => Self::Bits(bits),
            _ => Self::Signed(bits),
        }
    }
}

/// A value that would have to be exact and may not be: the name of what needs it.
pub(super) struct Inexact(pub(super) &'static str);

/// How large the values are that a computation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline::load) enum Size {
    Narrow,
    Wide,
}

impl Size {
    pub(super) fn bits(self) -> u32 {
        match self {
            Self::Narrow => 64,
            Self::Wide => 128,
        }
    }

    pub(super) fn ones(self) -> u128 {
        match self {
            Self::Narrow => u64::MAX.into(),
            Self::Wide => u128::MAX,
        }
    }
}

impl Tree {
    pub(in crate::pipeline::load) fn number(value: u64) -> Self {
        Self::Constant {
            negative: false,
            magnitude: value.into(),
        }
    }

    pub(in crate::pipeline::load) fn constant_of(magnitude: u128) -> Self {
        Self::Constant {
            negative: false,
            magnitude,
        }
    }

    /// The bound of the value, or what cannot be computed exactly with values of this size.
    pub(super) fn bound(&self, size: Size) -> Result<Bound, Inexact> {
        Ok(match self {
            Self::Constant {
                negative,
                magnitude,
            } => {
                let bits = 128 - magnitude.leading_zeros();
                if *negative {
                    Bound::Signed(bits)
                } else {
                    Bound::Bits(bits)
                }
            }
            Self::Truth(_) => Bound::Bits(1),
            Self::Field(place) => Bound::Bits(place.width().into()),
            Self::Parameter { width, .. } => Bound::Bits((*width).into()),
            Self::Complement(inner) => Bound::Signed(inner.bound(size)?.bits() + 1),
            Self::Select { condition, yes, no } => {
                condition.exact(size, "the condition of `?`")?;
                let (yes, no) = (yes.bound(size)?, no.bound(size)?);
                yes.with(no, yes.bits().max(no.bits()))
            }
            Self::Binary {
                operator,
                left,
                right,
            } => bound_of(*operator, left, right, size)?,
        })
    }

    /// The bound, if a value of this size holds the very number.
    pub(super) fn exact(&self, size: Size, needed_by: &'static str) -> Result<u32, Inexact> {
        match self.bound(size)? {
            Bound::Bits(bits) if bits <= size.bits() => Ok(bits),
            _ => Err(Inexact(needed_by)),
        }
    }

    /// Whether it is a truth value, 0 or 1.
    pub(super) fn is_truth(&self) -> bool {
        match self {
            Self::Truth(_) => true,
            Self::Field(place) => place.width() == 1,
            Self::Parameter { width, .. } => *width == 1,
            Self::Constant {
                negative,
                magnitude,
            } => !negative && *magnitude < 2,
            Self::Complement(_) | Self::Select { .. } => false,
            Self::Binary {
                operator,
                left,
                right,
            } => match operator {
                Operator::Equal | Operator::NotEqual | Operator::Less | Operator::LessOrEqual => {
                    true
                }
                Operator::And | Operator::Or => left.is_truth() && right.is_truth(),
                _ => false,
            },
        }
    }

    /// The value, if it is a constant from 0.
    pub(super) fn constant(&self) -> Option<u128> {
        match self {
            Self::Constant {
                negative: false,
                magnitude,
            } => Some(*magnitude),
            Self::Truth(truth) => Some(u128::from(*truth)),
            _ => None,
        }
    }
}

fn bound_of(operator: Operator, left: &Tree, right: &Tree, size: Size) -> Result<Bound, Inexact> {
    Ok(match operator {
        Operator::Add | Operator::Subtract => {
            let (left, right) = (left.bound(size)?, right.bound(size)?);
            let bits = left.bits().max(right.bits()).saturating_add(1);
            if operator == Operator::Add {
                left.with(right, bits)
            } else {
                Bound::Signed(bits)
            }
        }
        Operator::Multiply => {
            let (left, right) = (left.bound(size)?, right.bound(size)?);
            left.with(
                right,
                left.bits().saturating_add(right.bits()).saturating_add(1),
            )
        }
        Operator::ShiftLeft => {
            let bound = left.bound(size)?;
            let most = if let Some(by) = right.constant() {
                u32::try_from(by).unwrap_or(u32::MAX)
            } else {
                let bits = right.exact(size, "the right side of `<<`")?;
                1_u32.checked_shl(bits).map_or(u32::MAX, |most| most - 1)
            };
            bound.with(bound, bound.bits().saturating_add(most))
        }
        Operator::ShiftRight => {
            right.exact(size, "the right side of `>>`")?;
            Bound::Bits(left.exact(size, "the left side of `>>`")?)
        }
        Operator::And => match (left.bound(size)?, right.bound(size)?) {
            (Bound::Bits(left), Bound::Bits(right)) => Bound::Bits(left.min(right)),
            (Bound::Bits(bits), Bound::Signed(_)) | (Bound::Signed(_), Bound::Bits(bits)) => {
                Bound::Bits(bits)
            }
            (Bound::Signed(left), Bound::Signed(right)) => Bound::Signed(left.max(right)),
        },
        Operator::Or | Operator::ExclusiveOr => {
            let (left, right) = (left.bound(size)?, right.bound(size)?);
            left.with(right, left.bits().max(right.bits()))
        }
        Operator::Minimum => {
            let left = left.exact(size, "a saturating cast")?;
            Bound::Bits(left.min(right.exact(size, "a saturating cast")?))
        }
        Operator::Equal | Operator::NotEqual | Operator::Less | Operator::LessOrEqual => {
            left.exact(size, "a comparison")?;
            right.exact(size, "a comparison")?;
            Bound::Bits(1)
        }
    })
}
