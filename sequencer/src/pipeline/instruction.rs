//! The instructions that actions, conditions, parser statements and checksum conditions become.
//!
//! Three-address code: operands are resolved to fields, constants, action parameters or
//! temporaries, so that running it needs no name, no tree and no allocation. Arithmetic is modulo
//! 2^64 (narrow) or 2^128 (wide); the loader proves for each expression that this gives the very
//! result of unbounded arithmetic, or refuses it (see `load/expression.rs`).

use super::field::Field;

/// How many temporaries of each width an action may need at once.
pub(crate) const MAX_TEMPORARIES: usize = 32;

/// Where an instruction takes a value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Constant(u64),
    /// Index into [`super::program::Program::wide_constants`], and the low half again.
    WideConstant {
        index: u16,
        low: u64,
    },
    Field(Field),
    /// Index of the word among the action's parameter words.
    Parameter(u16),
    /// Index of the more significant of two words.
    WideParameter(u16),
    Temporary(u8),
    WideTemporary(u8),
}

/// Where an instruction puts its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Field(Field),
    Temporary(u8),
    WideTemporary(u8),
}

/// What an instruction does with two values. Comparisons give 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    ExclusiveOr,
    Minimum,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    /// The result modulo 2^64.
    #[inline]
    pub(crate) fn narrow(self, left: u64, right: u64) -> u64 {
        match self {
            Self::Add => left.wrapping_add(right),
            Self::Subtract => left.wrapping_sub(right),
            Self::Multiply => left.wrapping_mul(right),
            Self::ShiftLeft => shift_amount(right.into()).map_or(0, |by| shifted_left(left, by)),
            Self::ShiftRight => shift_amount(right.into())
                .and_then(|by| left.checked_shr(by))
                .unwrap_or(0),
            Self::And => left & right,
            Self::Or => left | right,
            Self::ExclusiveOr => left ^ right,
            Self::Minimum => left.min(right),
            Self::Equal => u64::from(left == right),
            Self::NotEqual => u64::from(left != right),
            Self::Less => u64::from(left < right),
            Self::LessOrEqual => u64::from(left <= right),
        }
    }

    /// The result modulo 2^128.
    pub(crate) fn wide(self, left: u128, right: u128) -> u128 {
        match self {
            Self::Add => left.wrapping_add(right),
            Self::Subtract => left.wrapping_sub(right),
            Self::Multiply => left.wrapping_mul(right),
            Self::ShiftLeft => shift_amount(right)
                .and_then(|by| left.checked_shl(by))
                .unwrap_or(0),
            Self::ShiftRight => shift_amount(right)
                .and_then(|by| left.checked_shr(by))
                .unwrap_or(0),
            Self::And => left & right,
            Self::Or => left | right,
            Self::ExclusiveOr => left ^ right,
            Self::Minimum => left.min(right),
            Self::Equal => u128::from(left == right),
            Self::NotEqual => u128::from(left != right),
            Self::Less => u128::from(left < right),
            Self::LessOrEqual => u128::from(left <= right),
        }
    }
}

/// A shift by more than any register has bits leaves nothing: `None`.
#[inline]
fn shift_amount(by: u128) -> Option<u32> {
    u32::try_from(by).ok()
}

#[inline]
fn shifted_left(value: u64, by: u32) -> u64 {
    value.checked_shl(by).unwrap_or(0)
}

/// A condition on two narrow values, fused into whatever branches on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) operator: Operator,
    pub(crate) left: Operand,
    pub(crate) right: Operand,
}

/// One step. Indices are into the tables of [`super::program::Program`]; the loader checked them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// `to = left operator right` modulo 2^64.
    Narrow {
        operator: Operator,
        to: Destination,
        left: Operand,
        right: Operand,
    },
    /// `to = left operator right` modulo 2^128.
    Wide {
        operator: Operator,
        to: Destination,
        left: Operand,
        right: Operand,
    },
    /// `to = from`, at most 64 bits of it.
    Copy {
        to: Destination,
        from: Operand,
    },
    /// `to = from`, all of it.
    WideCopy {
        to: Destination,
        from: Operand,
    },
    /// `to = if condition != 0 { yes } else { no }`.
    Select {
        wide: bool,
        to: Destination,
        condition: Operand,
        yes: Operand,
        no: Operand,
    },
    /// Reads a register cell; an index beyond the array leaves `to` as it was.
    RegisterRead {
        to: Field,
        register: u16,
        index: Operand,
    },
    /// Writes a register cell; an index beyond the array writes nothing.
    RegisterWrite {
        register: u16,
        index: Operand,
        value: Operand,
    },
    /// Counts the packet; an index beyond the array counts nothing.
    Count {
        counter: u16,
        index: Operand,
    },
    /// Makes a header valid, zeroed if it was not.
    SetValid {
        header: u16,
    },
    SetInvalid {
        header: u16,
    },
    /// Copies validity, and the contents if valid, between headers of one type.
    CopyHeader {
        to: u16,
        from: u16,
    },
    /// `to = base + calculation % max`.
    Hash {
        to: Field,
        calculation: u16,
        base: Operand,
        max: Operand,
    },
    /// Ends the pipeline after this action.
    Exit,
    /// Goes on at an absolute index, always a later one.
    Jump {
        target: u32,
    },
    /// Goes on at `target` if the test does not hold.
    JumpUnless {
        test: Test,
        target: u32,
    },
    /// Parser only: stops parsing with `error` if the test does not hold.
    Verify {
        test: Test,
        error: Operand,
    },
}
