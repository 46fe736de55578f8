//! The instructions that parsers, actions and controls become: a small register machine.
//!
//! Its registers are 64-bit [`Word`]s: metadata, validity of headers, action parameters, temporaries
//! and constants all stand in one array, so that an instruction finds each operand by one index.
//! Values above 64 bits are pairs of words, the more significant first. Header fields stay as bytes,
//! as on the wire, and are loaded and stored. Jumps go forward only.
//!
//! Arithmetic is modulo 2^64 (narrow) or 2^128 (wide); the loader proves for each expression that
//! this gives the very result of unbounded arithmetic, or refuses it (`load/expression/bound.rs`).

use alloc::boxed::Box;

use super::field::{Field, ones};

/// How many words there are. A power of two: indices are masked instead of checked.
pub(crate) const WORDS: usize = 1024;

/// Index of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word(pub(crate) u16);

impl Word {
    /// The word after it: the less significant one of a pair.
    #[inline]
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    #[inline]
    fn at(self) -> usize {
        usize::from(self.0) & (WORDS - 1)
    }
}

/// All words.
#[derive(Clone, Debug)]
pub(crate) struct Words(Box<[u64; WORDS]>);

impl Words {
    /// All zero, with the constants in their places.
    pub(crate) fn new(constants: &[(Word, u64)]) -> Self {
        let mut words = Self(Box::new([0; WORDS]));
        for &(word, value) in constants {
            words.set(word, value);
        }
        words
    }

    #[inline]
    pub(crate) fn get(&self, word: Word) -> u64 {
        self.0[word.at()]
    }

    #[inline]
    pub(crate) fn set(&mut self, word: Word, value: u64) {
        self.0[word.at()] = value;
    }

    pub(crate) fn wide(&self, operand: Operand) -> u128 {
        match operand {
            Operand::Word(word) => self.get(word).into(),
            Operand::Pair(word) => {
                (u128::from(self.get(word)) << 64) | u128::from(self.get(word.next()))
            }
        }
    }

    pub(crate) fn set_wide(&mut self, to: Operand, value: u128) {
        let (high, low) = split(value);
        match to {
            Operand::Word(word) => self.set(word, low),
            Operand::Pair(word) => {
                self.set(word, high);
                self.set(word.next(), low);
            }
        }
    }

    /// The first `count` words.
    #[inline]
    pub(crate) fn first(&self, count: usize) -> &[u64] {
        &self.0[..count]
    }

    /// The first `count` words.
    #[inline]
    pub(crate) fn first_mut(&mut self, count: usize) -> &mut [u64] {
        &mut self.0[..count]
    }

    /// `count` words from `first` on.
    #[inline]
    pub(crate) fn window_mut(&mut self, first: Word, count: usize) -> &mut [u64] {
        &mut self.0[first.at()..][..count]
    }
}

/// A value of one word or of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Word(Word),
    /// The more significant word; the other one follows.
    Pair(Word),
}

/// Where a field of the program is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Metadata of up to 64 bits, or the validity of a header.
    Word { word: Word, width: u8 },
    /// Metadata of up to 128 bits.
    Pair { word: Word, width: u8 },
    /// A header's field, among its bytes.
    Header(Field),
}

impl Place {
    /// Bits of the field.
    pub(crate) fn width(self) -> u8 {
        match self {
            Self::Word { width, .. } | Self::Pair { width, .. } => width,
            Self::Header(field) => field.width,
        }
    }

    /// The low 64 bits.
    #[inline]
    pub(crate) fn read(self, words: &Words, vector: &[u8]) -> u64 {
        match self {
            Self::Word { word, .. } => words.get(word),
            Self::Pair { word, .. } => words.get(word.next()),
            Self::Header(field) => field.read(vector),
        }
    }

    pub(crate) fn read_wide(self, words: &Words, vector: &[u8]) -> u128 {
        match self {
            Self::Word { word, .. } => words.get(word).into(),
            Self::Pair { word, .. } => words.wide(Operand::Pair(word)),
            Self::Header(field) => field.read_wide(vector),
        }
    }

    /// Writes the low bits of `value`.
    #[inline]
    pub(crate) fn write(self, words: &mut Words, vector: &mut [u8], value: u64) {
        match self {
            Self::Word { word, width } => words.set(word, value & ones(width)),
            Self::Pair { word, .. } => words.set_wide(Operand::Pair(word), value.into()),
            Self::Header(field) => field.write(vector, value),
        }
    }
}

/// What is done with two values. Comparisons give 0 or 1.
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
            // A shift by more than there are bits leaves nothing.
            Self::ShiftLeft => amount(right.into())
                .and_then(|by| left.checked_shl(by))
                .unwrap_or(0),
            Self::ShiftRight => amount(right.into())
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
            Self::ShiftLeft => amount(right)
                .and_then(|by| left.checked_shl(by))
                .unwrap_or(0),
            Self::ShiftRight => amount(right)
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

#[inline]
fn amount(by: u128) -> Option<u32> {
    u32::try_from(by).ok()
}

/// The more and the less significant half.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves together are the value"
)]
pub(crate) fn split(value: u128) -> (u64, u64) {
    ((value >> 64) as u64, value as u64)
}

/// Two operands, and a result that keeps `width` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Three {
    pub(crate) to: Word,
    pub(crate) width: u8,
    pub(crate) left: Word,
    pub(crate) right: Word,
}

/// A part of a container of the vector, and the word it is loaded to or stored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) word: Word,
    /// First byte of the container.
    pub(crate) offset: u16,
    /// Bits of the container to the right of the part.
    pub(crate) shift: u8,
    pub(crate) width: u8,
}

/// A jump that depends on two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) left: Word,
    pub(crate) right: Word,
    pub(crate) target: u32,
}

/// One step. Indices are into the tables of [`super::program::Program`]; the loader checked them.
///
/// 16 bytes, the tag first: with less regular layouts finding the code for a tag takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Instruction {
    // The operators on words: one variant each, so that one jump finds the code.
    Add(Three),
    Subtract(Three),
    Multiply(Three),
    ShiftLeft(Three),
    ShiftRight(Three),
    And(Three),
    Or(Three),
    ExclusiveOr(Three),
    Minimum(Three),
    Equal(Three),
    NotEqual(Three),
    Less(Three),
    LessOrEqual(Three),
    /// `to = from`.
    Move {
        to: Word,
        from: Word,
    },
    /// `to = from`, `width` bits of it.
    Copy {
        to: Word,
        width: u8,
        from: Word,
    },
    /// `to = if condition != 0 { yes } else { no }`, `width` bits of it.
    Select {
        to: Word,
        width: u8,
        condition: Word,
        yes: Word,
        no: Word,
    },
    // A header field into a word, by the size of its container.
    LoadOne(Access),
    LoadTwo(Access),
    LoadFour(Access),
    LoadEight(Access),
    // A word into a header field that is all of its container.
    StoreOne(Access),
    StoreTwo(Access),
    StoreFour(Access),
    StoreEight(Access),
    /// A word into any header field of up to 64 bits.
    Store {
        field: Field,
        from: Word,
    },
    /// An operator on values of up to 128 bits.
    Wide {
        operator: Operator,
        to: Operand,
        left: Operand,
        right: Operand,
    },
    WideCopy {
        to: Operand,
        width: u8,
        from: Operand,
    },
    WideSelect {
        to: Operand,
        condition: Word,
        yes: Operand,
        no: Operand,
    },
    WideLoad {
        to: Operand,
        field: Field,
    },
    WideStore {
        field: Field,
        from: Operand,
    },
    /// Reads a register cell; an index beyond the array leaves `to` as it was.
    RegisterRead {
        to: Word,
        width: u8,
        register: u16,
        index: Word,
    },
    /// The same for registers or destinations above 64 bits.
    WideRegisterRead {
        to: Operand,
        width: u8,
        register: u16,
        index: Word,
    },
    /// Writes a register cell; an index beyond the array writes nothing.
    RegisterWrite {
        register: u16,
        index: Word,
        value: Word,
    },
    /// The same for registers above 64 bits.
    WideRegisterWrite {
        register: u16,
        index: Word,
        value: Operand,
    },
    /// Counts the packet; an index beyond the array counts nothing.
    Count {
        counter: u16,
        index: Word,
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
    /// `to = base + calculation % max`, `width` bits of it.
    Hash {
        to: Word,
        width: u8,
        calculation: u16,
        base: Word,
        max: Word,
    },
    /// Looks the key up and goes on where the found action's code begins.
    Apply {
        table: u16,
    },
    /// The same for a key of one exact word.
    ApplyOne {
        table: u16,
        key: Word,
    },
    Jump {
        target: u32,
    },
    JumpIfEqual(Branch),
    JumpIfNotEqual(Branch),
    JumpIfLess(Branch),
    JumpIfLessOrEqual(Branch),
    /// Parser only: copies the next bytes into a header and makes it valid, or jumps if the packet is
    /// too short for it.
    Extract {
        header: u16,
        short: u32,
    },
    /// Parser only: `width` bits that begin `bit` bits after the cursor.
    Lookahead {
        to: Operand,
        width: u8,
        bit: u16,
        short: u32,
    },
    /// Parser only: skips as many bytes as the word says.
    Advance {
        bytes: Word,
        short: u32,
    },
    /// Notes in the word if the checksum does not hold.
    Verify {
        checksum: u16,
        wrong: Word,
    },
    /// Computes the checksum anew.
    Update {
        checksum: u16,
    },
    /// What ran is over.
    End,
}

impl Instruction {
    /// The instruction for an operator on words.
    pub(crate) fn narrow(operator: Operator, three: Three) -> Self {
        match operator {
            Operator::Add => Self::Add(three),
            Operator::Subtract => Self::Subtract(three),
            Operator::Multiply => Self::Multiply(three),
            Operator::ShiftLeft => Self::ShiftLeft(three),
            Operator::ShiftRight => Self::ShiftRight(three),
            Operator::And => Self::And(three),
            Operator::Or => Self::Or(three),
            Operator::ExclusiveOr => Self::ExclusiveOr(three),
            Operator::Minimum => Self::Minimum(three),
            Operator::Equal => Self::Equal(three),
            Operator::NotEqual => Self::NotEqual(three),
            Operator::Less => Self::Less(three),
            Operator::LessOrEqual => Self::LessOrEqual(three),
        }
    }

    /// Sets the target of a jump; other instructions stay as they are.
    pub(crate) fn aim(&mut self, to: u32) {
        if let Some(target) = self.target() {
            *target = to;
        }
    }

    /// Where it may jump to.
    pub(crate) fn target(&mut self) -> Option<&mut u32> {
        match self {
            Self::Jump { target }
            | Self::JumpIfEqual(Branch { target, .. })
            | Self::JumpIfNotEqual(Branch { target, .. })
            | Self::JumpIfLess(Branch { target, .. })
            | Self::JumpIfLessOrEqual(Branch { target, .. })
            | Self::Extract { short: target, .. }
            | Self::Lookahead { short: target, .. }
            | Self::Advance { short: target, .. } => Some(target),
            _ => None,
        }
    }

    /// Where an instruction on words puts its result, and how many bits of it.
    pub(crate) fn result(&mut self) -> Option<(&mut Word, &mut u8)> {
        match self {
            Self::Add(three)
            | Self::Subtract(three)
            | Self::Multiply(three)
            | Self::ShiftLeft(three)
            | Self::ShiftRight(three)
            | Self::And(three)
            | Self::Or(three)
            | Self::ExclusiveOr(three)
            | Self::Minimum(three)
            | Self::Equal(three)
            | Self::NotEqual(three)
            | Self::Less(three)
            | Self::LessOrEqual(three) => Some((&mut three.to, &mut three.width)),
            Self::Select { to, width, .. } => Some((to, width)),
            _ => None,
        }
    }
}

const _: () = assert!(size_of::<Instruction>() == 16, "instructions are small");
