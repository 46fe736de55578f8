//! Instructions for expression trees.

use alloc::format;
use alloc::vec::Vec;

use super::super::super::error::LoadError;
use super::super::super::field::{Container, Field, wide_ones};
use super::super::super::instruction::{
    Access, Branch, Instruction, Operand, Operator, Place, Three, Word, split,
};
use super::super::json::Node;
use super::super::{FIRST_TEMPORARY, Loader, TEMPORARIES};
use super::bound::{Bound, Inexact, Size, Tree};

/// The next temporary that is free.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pipeline::load) struct Free(u16);

impl Free {
    /// What is free while `operand` is still needed.
    pub(in crate::pipeline::load) fn after(self, operand: Operand) -> Self {
        let end = match operand {
            Operand::Word(word) => word.0 + 1,
            Operand::Pair(word) => word.0 + 2,
        };
        // Metadata, parameters and constants stand elsewhere and need no temporary.
        let temporaries = FIRST_TEMPORARY + 1..=FIRST_TEMPORARY + TEMPORARIES;
        if temporaries.contains(&end) {
            Self(self.0.max(end - FIRST_TEMPORARY))
        } else {
            self
        }
    }

    /// A temporary of one word or two.
    pub(in crate::pipeline::load) fn take(
        self,
        node: &Node<'_>,
        size: Size,
    ) -> Result<Operand, LoadError> {
        let words = if size == Size::Wide { 2 } else { 1 };
        if self.0 + words > TEMPORARIES {
            let construct = format!("an expression of more than {TEMPORARIES} pending parts");
            return Err(node.unsupported(construct));
        }
        let word = Word(FIRST_TEMPORARY + self.0);
        Ok(if size == Size::Wide {
            Operand::Pair(word)
        } else {
            Operand::Word(word)
        })
    }
}

impl Loader<'_> {
    /// Emits code that assigns a tree to a field.
    pub(in crate::pipeline::load) fn assign(
        &mut self,
        node: &Node<'_>,
        to: Place,
        tree: &Tree,
    ) -> Result<(), LoadError> {
        // Only the low bits are asked for. Fields above 64 bits need the wide size.
        let width = to.width();
        let size = low_bits_size(node, tree, width)?;
        let start = self.code.len();
        let value = self.emit(node, tree, size, width.into(), Free::default())?;
        // Not so for operations: of those only the low bits are as they must be.
        let leaf = matches!(
            tree,
            Tree::Constant { .. } | Tree::Truth(_) | Tree::Field(_) | Tree::Parameter { .. }
        );
        let bound = tree.bound(size);
        let fits = leaf && matches!(bound, Ok(Bound::Bits(bits)) if bits <= u32::from(width));
        self.move_to(start, to, value, fits);
        Ok(())
    }

    /// Moves a value, computed by the code from `start` on, to its place. `fits` if it is known not to
    /// be wider than that.
    pub(in crate::pipeline::load) fn move_to(
        &mut self,
        start: usize,
        to: Place,
        value: Operand,
        fits: bool,
    ) {
        let instruction = match (to, value) {
            (Place::Word { word: to, width }, Operand::Word(from)) => {
                // The last operation may as well put its result there itself.
                if let Some(last) = self.code[start..].last_mut()
                    && let Some((result, kept)) = last.result()
                    && *result == from
                {
                    (*result, *kept) = (to, width);
                    return;
                }
                if fits {
                    Instruction::Move { to, from }
                } else {
                    Instruction::Copy { to, width, from }
                }
            }
            (Place::Word { word, width }, Operand::Pair(_)) => Instruction::WideCopy {
                to: Operand::Word(word),
                width,
                from: value,
            },
            (Place::Pair { word, width }, _) => Instruction::WideCopy {
                to: Operand::Pair(word),
                width,
                from: value,
            },
            (Place::Header(field), Operand::Word(from)) if field.width <= 64 => store(field, from),
            (Place::Header(field), _) => Instruction::WideStore { field, from: value },
        };
        self.code.push(instruction);
    }

    /// Emits code for a value that is needed exactly, in at most 64 bits.
    pub(in crate::pipeline::load) fn exactly(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        most_bits: u32,
        free: Free,
    ) -> Result<Word, LoadError> {
        let size = smallest_size(node, |size| {
            match tree.exact(size, "an index or argument") {
                Ok(bits) if bits <= most_bits.min(64) => Ok(()),
                Ok(_) => Err(Inexact("an index or argument")),
                Err(inexact) => Err(inexact),
            }
        })?;
        Ok(match self.emit(node, tree, size, size.bits(), free)? {
            Operand::Word(word) => word,
            Operand::Pair(word) => word.next(),
        })
    }

    /// Emits code for the low bits of a value.
    pub(in crate::pipeline::load) fn low_bits(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        width: u8,
        free: Free,
    ) -> Result<Operand, LoadError> {
        let size = low_bits_size(node, tree, width)?;
        self.emit(node, tree, size, width.into(), free)
    }

    /// Emits code that jumps if the truth value of the tree is `jump_if`, else goes on. The jumps
    /// are added to `jumps`, to be aimed later.
    pub(in crate::pipeline::load) fn branch(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        jump_if: bool,
        jumps: &mut Vec<usize>,
    ) -> Result<(), LoadError> {
        if let Tree::Binary {
            operator,
            left,
            right,
        } = tree
        {
            let truths = left.is_truth() && right.is_truth();
            match operator {
                // `not x` is `x == 0`.
                Operator::Equal if left.is_truth() && right.constant() == Some(0) => {
                    return self.branch(node, left, !jump_if, jumps);
                }
                Operator::And | Operator::Or if truths => {
                    if (*operator == Operator::Or) == jump_if {
                        // Either side is enough to jump.
                        self.branch(node, left, jump_if, jumps)?;
                        return self.branch(node, right, jump_if, jumps);
                    }
                    // The left side alone may be enough not to jump.
                    let mut past = Vec::new();
                    self.branch(node, left, !jump_if, &mut past)?;
                    self.branch(node, right, jump_if, jumps)?;
                    return self.aim_here(node, past);
                }
                Operator::Equal | Operator::NotEqual | Operator::Less | Operator::LessOrEqual => {
                    return self.compare(node, (*operator, left, right), jump_if, jumps);
                }
                _ => {}
            }
        }
        let zero = Tree::number(0);
        self.compare(node, (Operator::NotEqual, tree, &zero), jump_if, jumps)
    }

    /// A jump on a comparison.
    fn compare(
        &mut self,
        node: &Node<'_>,
        (operator, left, right): (Operator, &Tree, &Tree),
        jump_if: bool,
        jumps: &mut Vec<usize>,
    ) -> Result<(), LoadError> {
        let size = smallest_size(node, |size| {
            left.exact(size, "a comparison")?;
            right.exact(size, "a comparison").map(|_| ())
        })?;
        let free = Free::default();
        let left = self.emit(node, left, size, size.bits(), free)?;
        let free = free.after(left);
        let right = self.emit(node, right, size, size.bits(), free)?;
        let (operator, left, right) =
            if let (Operand::Word(left), Operand::Word(right)) = (left, right) {
                (operator, left, right)
            } else {
                // Compare wide values first, then jump on the outcome.
                let to = free.after(right).take(node, Size::Narrow)?;
                self.code.push(Instruction::Wide {
                    operator,
                    to,
                    left,
                    right,
                });
                let Operand::Word(outcome) = to else {
                    return Ok(());
                };
                (Operator::NotEqual, outcome, self.constant_word(node, 0)?)
            };
        let branch = Branch {
            left,
            right,
            target: 0,
        };
        let swapped = Branch {
            left: right,
            right: left,
            target: 0,
        };
        jumps.push(self.code.len());
        self.code.push(match (operator, jump_if) {
            (Operator::Equal, true) | (Operator::NotEqual, false) => {
                Instruction::JumpIfEqual(branch)
            }
            (Operator::Less, true) => Instruction::JumpIfLess(branch),
            (Operator::LessOrEqual, true) => Instruction::JumpIfLessOrEqual(branch),
            // Not less is the other way round less or equal.
            (Operator::Less, false) => Instruction::JumpIfLessOrEqual(swapped),
            (Operator::LessOrEqual, false) => Instruction::JumpIfLess(swapped),
            _ => Instruction::JumpIfNotEqual(branch),
        });
        Ok(())
    }

    /// Emits code for the low `need` bits of a tree.
    fn emit(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        size: Size,
        need: u32,
        free: Free,
    ) -> Result<Operand, LoadError> {
        Ok(match tree {
            Tree::Constant {
                negative,
                magnitude,
            } => {
                let value = if *negative {
                    magnitude.wrapping_neg()
                } else {
                    *magnitude
                };
                self.constant(node, value & size.ones())?
            }
            Tree::Truth(truth) => Operand::Word(self.constant_word(node, (*truth).into())?),
            Tree::Field(place) => self.emit_field(node, *place, size, free)?,
            Tree::Parameter { word, width } => parameter(*word, *width, size),
            Tree::Complement(inner) => {
                let left = self.emit(node, inner, size, need, free)?;
                let right = self.constant(node, size.ones())?;
                self.operate(node, size, (Operator::ExclusiveOr, left, right), free)?
            }
            Tree::Select { condition, yes, no } => {
                let condition = self.exactly(node, condition, 1, free)?;
                let after = free.after(Operand::Word(condition));
                let yes = self.emit(node, yes, size, need, after)?;
                let after = after.after(yes);
                let no = self.emit(node, no, size, need, after)?;
                let to = free.take(node, size)?;
                self.code.push(match (to, yes, no) {
                    (Operand::Word(to), Operand::Word(yes), Operand::Word(no)) => {
                        Instruction::Select {
                            to,
                            width: 64,
                            condition,
                            yes,
                            no,
                        }
                    }
                    _ => Instruction::WideSelect {
                        to,
                        condition,
                        yes,
                        no,
                    },
                });
                to
            }
            Tree::Binary {
                operator,
                left,
                right,
            } => self.emit_binary(node, (*operator, left, right), size, need, free)?,
        })
    }

    /// Loads a header field into temporaries, all of it.
    pub(in crate::pipeline::load) fn loaded(
        &mut self,
        node: &Node<'_>,
        field: Field,
        free: Free,
    ) -> Result<Operand, LoadError> {
        let size = if field.width > 64 {
            Size::Wide
        } else {
            Size::Narrow
        };
        self.emit_field(node, Place::Header(field), size, free)
    }

    fn emit_field(
        &mut self,
        node: &Node<'_>,
        place: Place,
        size: Size,
        free: Free,
    ) -> Result<Operand, LoadError> {
        Ok(match place {
            Place::Word { word, .. } => Operand::Word(word),
            Place::Pair { word, width } => narrowed(word, width, size),
            Place::Header(field) => {
                let wide = field.container == Container::Sixteen;
                let size_here = if wide { Size::Wide } else { Size::Narrow };
                let to = free.take(node, size_here)?;
                match to {
                    Operand::Word(word) => self.code.push(load(field, word)),
                    Operand::Pair(word) => {
                        self.code.push(Instruction::WideLoad { to, field });
                        return Ok(narrowed(word, field.width, size));
                    }
                }
                to
            }
        })
    }

    fn emit_binary(
        &mut self,
        node: &Node<'_>,
        (operator, left, right): (Operator, &Tree, &Tree),
        size: Size,
        need: u32,
        free: Free,
    ) -> Result<Operand, LoadError> {
        if operator == Operator::And {
            // A mask that keeps all bits that are asked for, or all that can be set, does nothing.
            for (value, mask) in [(left, right), (right, left)] {
                if let Some(mask) = mask.constant() {
                    let asked = wide_ones(u8::try_from(need.min(size.bits())).unwrap_or(128));
                    let set = match value.bound(size) {
                        Ok(Bound::Bits(bits)) => wide_ones(u8::try_from(bits).unwrap_or(128)),
                        _ => u128::MAX,
                    };
                    if asked & set & !mask == 0 {
                        return self.emit(node, value, size, need, free);
                    }
                }
            }
        }
        let low_bits_do = matches!(
            operator,
            Operator::Add
                | Operator::Subtract
                | Operator::Multiply
                | Operator::And
                | Operator::Or
                | Operator::ExclusiveOr
        );
        let all = size.bits();
        let left_need = if low_bits_do || operator == Operator::ShiftLeft {
            need
        } else {
            all
        };
        let right_need = if low_bits_do { need } else { all };
        let left = self.emit(node, left, size, left_need, free)?;
        let right = self.emit(node, right, size, right_need, free.after(left))?;
        self.operate(node, size, (operator, left, right), free)
    }

    /// One operation, done now if both sides are constants.
    fn operate(
        &mut self,
        node: &Node<'_>,
        size: Size,
        (operator, left, right): (Operator, Operand, Operand),
        free: Free,
    ) -> Result<Operand, LoadError> {
        if let (Some(left), Some(right)) = (self.known(left), self.known(right)) {
            let value = match size {
                Size::Narrow => operator.narrow(split(left).1, split(right).1).into(),
                Size::Wide => operator.wide(left, right),
            };
            return self.constant(node, value);
        }
        let to = free.take(node, size)?;
        self.code.push(match (to, left, right) {
            (Operand::Word(to), Operand::Word(left), Operand::Word(right)) => Instruction::narrow(
                operator,
                Three {
                    to,
                    width: 64,
                    left,
                    right,
                },
            ),
            _ => Instruction::Wide {
                operator,
                to,
                left,
                right,
            },
        });
        Ok(to)
    }

    fn constant(&mut self, node: &Node<'_>, value: u128) -> Result<Operand, LoadError> {
        match split(value) {
            (0, low) => Ok(Operand::Word(self.constant_word(node, low)?)),
            (high, low) => Ok(Operand::Pair(self.constant_pair(node, high, low)?)),
        }
    }

    /// The value of an operand that is a constant.
    fn known(&self, operand: Operand) -> Option<u128> {
        match operand {
            Operand::Word(word) => self.constant_at(word).map(u128::from),
            Operand::Pair(word) => {
                let (high, low) = (self.constant_at(word)?, self.constant_at(word.next())?);
                Some((u128::from(high) << 64) | u128::from(low))
            }
        }
    }
}

/// A parameter or field that stands in two words if it is wider than 64 bits.
fn parameter(word: Word, width: u8, size: Size) -> Operand {
    if width > 64 {
        narrowed(word, width, size)
    } else {
        Operand::Word(word)
    }
}

/// As much of a pair as is needed.
fn narrowed(word: Word, width: u8, size: Size) -> Operand {
    if width > 64 && size == Size::Wide {
        Operand::Pair(word)
    } else {
        Operand::Word(word.next())
    }
}

/// The load of a field whose container is at most 8 bytes.
fn load(field: Field, word: Word) -> Instruction {
    let Field {
        offset,
        container,
        shift,
        width,
    } = field;
    let access = Access {
        word,
        offset,
        shift,
        width,
    };
    match container {
        Container::One => Instruction::LoadOne(access),
        Container::Two => Instruction::LoadTwo(access),
        Container::Four => Instruction::LoadFour(access),
        Container::Eight => Instruction::LoadEight(access),
        Container::Sixteen => Instruction::WideLoad {
            to: Operand::Word(word),
            field,
        },
    }
}

/// The store of a field of at most 64 bits.
pub(in crate::pipeline::load) fn store(field: Field, from: Word) -> Instruction {
    let Field {
        offset,
        container,
        shift,
        width,
    } = field;
    let access = Access {
        word: from,
        offset,
        shift,
        width,
    };
    match (container, width) {
        (Container::One, 8) => Instruction::StoreOne(access),
        (Container::Two, 16) => Instruction::StoreTwo(access),
        (Container::Four, 32) => Instruction::StoreFour(access),
        (Container::Eight, 64) => Instruction::StoreEight(access),
        _ => Instruction::Store { field, from },
    }
}

/// The size in which the low `width` bits of a tree can be computed.
fn low_bits_size(node: &Node<'_>, tree: &Tree, width: u8) -> Result<Size, LoadError> {
    smallest_size(node, |size| {
        if u32::from(width) > size.bits() {
            return Err(Inexact("the low bits"));
        }
        tree.bound(size).map(|_| ())
    })
}

/// The smaller size that is enough.
fn smallest_size(
    node: &Node<'_>,
    enough: impl Fn(Size) -> Result<(), Inexact>,
) -> Result<Size, LoadError> {
    if enough(Size::Narrow).is_ok() {
        return Ok(Size::Narrow);
    }
    match enough(Size::Wide) {
        Ok(()) => Ok(Size::Wide),
        Err(Inexact(what)) => Err(node.unsupported(format!(
            "{what} of a value that may be negative or wider than it can be here"
        ))),
    }
}
