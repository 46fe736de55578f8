//! Three-address code for expression trees.

use alloc::format;

use super::super::super::error::LoadError;
use super::super::super::field::{Field, ones, wide_ones};
use super::super::super::instruction::{
    Destination, Instruction, MAX_TEMPORARIES, Operand, Operator, Test,
};
use super::super::Loader;
use super::super::json::Node;
use super::bound::{Bound, Inexact, Tree, Word};

impl Loader<'_> {
    /// Emits code that assigns a tree to a field.
    pub(in crate::pipeline::load) fn assign(
        &mut self,
        node: &Node<'_>,
        to: Field,
        tree: &Tree,
    ) -> Result<(), LoadError> {
        // Only the low bits are asked for. Fields above 64 bits need the wide word.
        let first = if to.width > 64 {
            Word::Wide
        } else {
            Word::Narrow
        };
        let word = self.word(node, tree, first, |tree, word| tree.bound(word).map(|_| ()))?;
        let start = self.code.len();
        let value = self.emit(node, tree, word, to.width.into(), 0)?;
        let result = match value {
            Operand::Temporary(index) => Some(Destination::Temporary(index)),
            Operand::WideTemporary(index) => Some(Destination::WideTemporary(index)),
            _ => None,
        };
        if let (Some(result), Some(last)) = (result, self.code[start..].last_mut())
            && let Instruction::Narrow { to: at, .. }
            | Instruction::Wide { to: at, .. }
            | Instruction::Select { to: at, .. } = last
            && *at == result
        {
            *at = Destination::Field(to);
            return Ok(());
        }
        let to = Destination::Field(to);
        self.code.push(match word {
            Word::Narrow => Instruction::Copy { to, from: value },
            Word::Wide => Instruction::WideCopy { to, from: value },
        });
        Ok(())
    }

    /// Emits code for a value that is needed exactly and in 64 bits.
    pub(in crate::pipeline::load) fn exactly(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        most_bits: u32,
        first_temporary: u8,
    ) -> Result<Operand, LoadError> {
        let fits = |tree: &Tree, word: Word| match tree.exact(word, "an index or argument") {
            Ok(bits) if bits <= most_bits => Ok(()),
            Ok(_) => Err(Inexact("an index or argument")),
            Err(inexact) => Err(inexact),
        };
        let word = self.word(node, tree, Word::Narrow, fits)?;
        self.emit(node, tree, word, word.bits(), first_temporary)
    }

    /// Emits code for the low bits of a value.
    pub(in crate::pipeline::load) fn low_bits(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        width: u8,
        first_temporary: u8,
    ) -> Result<Operand, LoadError> {
        let first = if width > 64 { Word::Wide } else { Word::Narrow };
        let word = self.word(node, tree, first, |tree, word| tree.bound(word).map(|_| ()))?;
        self.emit(node, tree, word, width.into(), first_temporary)
    }

    /// Emits code for a condition; the branching instruction makes the last comparison.
    pub(in crate::pipeline::load) fn condition(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
    ) -> Result<Test, LoadError> {
        let needed = |tree: &Tree, word| tree.exact(word, "a condition").map(|_| ());
        let word = self.word(node, tree, Word::Narrow, needed)?;
        let start = self.code.len();
        let value = self.emit(node, tree, word, word.bits(), 0)?;
        if let Some(Instruction::Narrow {
            operator,
            to,
            left,
            right,
        }) = self.code[start..].last()
            && let (Destination::Temporary(to), Operand::Temporary(value)) = (*to, value)
            && to == value
        {
            let test = Test {
                operator: *operator,
                left: *left,
                right: *right,
            };
            self.code.pop();
            return Ok(test);
        }
        Ok(Test {
            operator: Operator::NotEqual,
            left: value,
            right: Operand::Constant(0),
        })
    }

    /// The smaller word that is enough, from `first` on.
    fn word(
        &self,
        node: &Node<'_>,
        tree: &Tree,
        first: Word,
        enough: impl Fn(&Tree, Word) -> Result<(), Inexact>,
    ) -> Result<Word, LoadError> {
        if first == Word::Narrow && enough(tree, Word::Narrow).is_ok() {
            return Ok(Word::Narrow);
        }
        match enough(tree, Word::Wide) {
            Ok(()) => Ok(Word::Wide),
            Err(Inexact(what)) => Err(node.unsupported(format!(
                "{what} of a value that may be negative or wider than it can be here"
            ))),
        }
    }

    /// Emits code for the low `need` bits of a tree, using temporaries from `free` on.
    fn emit(
        &mut self,
        node: &Node<'_>,
        tree: &Tree,
        word: Word,
        need: u32,
        free: u8,
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
                self.constant(node, value & word.ones())?
            }
            Tree::Truth(truth) => Operand::Constant((*truth).into()),
            Tree::Field(field) => Operand::Field(*field),
            Tree::Parameter { word, width } if *width > 64 => Operand::WideParameter(*word),
            Tree::Parameter { word, .. } => Operand::Parameter(*word),
            Tree::Complement(inner) => {
                let left = self.emit(node, inner, word, need, free)?;
                let right = self.constant(node, word.ones())?;
                self.operate(node, word, (Operator::ExclusiveOr, left, right), free)?
            }
            Tree::Select { condition, yes, no } => {
                let condition = self.emit(node, condition, word, word.bits(), free)?;
                let free_after = after(node, condition, free)?;
                let yes = self.emit(node, yes, word, need, free_after)?;
                let free_after = after(node, yes, free_after)?;
                let no = self.emit(node, no, word, need, free_after)?;
                let (to, result) = temporary(node, word, free)?;
                let wide = word == Word::Wide;
                self.code.push(Instruction::Select {
                    wide,
                    to,
                    condition,
                    yes,
                    no,
                });
                result
            }
            Tree::Binary {
                operator,
                left,
                right,
            } => self.emit_binary(node, (*operator, left, right), word, need, free)?,
        })
    }

    fn emit_binary(
        &mut self,
        node: &Node<'_>,
        (operator, left, right): (Operator, &Tree, &Tree),
        word: Word,
        need: u32,
        free: u8,
    ) -> Result<Operand, LoadError> {
        if operator == Operator::And {
            // A mask that keeps all bits that are asked for, or all that can be set, does nothing.
            for (value, mask) in [(left, right), (right, left)] {
                if let Some(mask) = mask.constant() {
                    let asked = wide_ones(u8::try_from(need.min(word.bits())).unwrap_or(128));
                    let set = match value.bound(word) {
                        Ok(Bound::Bits(bits)) => wide_ones(u8::try_from(bits).unwrap_or(128)),
                        _ => u128::MAX,
                    };
                    if asked & set & !mask == 0 {
                        return self.emit(node, value, word, need, free);
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
        let all = word.bits();
        let left_need = if low_bits_do || operator == Operator::ShiftLeft {
            need
        } else {
            all
        };
        let right_need = if low_bits_do { need } else { all };
        let left = self.emit(node, left, word, left_need, free)?;
        let free_after = after(node, left, free)?;
        let right = self.emit(node, right, word, right_need, free_after)?;
        self.operate(node, word, (operator, left, right), free)
    }

    /// One operation, done now if both sides are constants.
    fn operate(
        &mut self,
        node: &Node<'_>,
        word: Word,
        (operator, left, right): (Operator, Operand, Operand),
        free: u8,
    ) -> Result<Operand, LoadError> {
        if let (Some(left), Some(right)) = (self.value(left), self.value(right)) {
            let value = match word {
                Word::Narrow => {
                    let (left, right) = (low_half(left), low_half(right));
                    operator.narrow(left, right).into()
                }
                Word::Wide => operator.wide(left, right),
            };
            return self.constant(node, value);
        }
        let (to, result) = temporary(node, word, free)?;
        self.code.push(match word {
            Word::Narrow => Instruction::Narrow {
                operator,
                to,
                left,
                right,
            },
            Word::Wide => Instruction::Wide {
                operator,
                to,
                left,
                right,
            },
        });
        Ok(result)
    }

    fn constant(&mut self, node: &Node<'_>, value: u128) -> Result<Operand, LoadError> {
        if let Ok(value) = u64::try_from(value) {
            return Ok(Operand::Constant(value));
        }
        let known = self.wide_constants.iter().position(|other| *other == value);
        let index = known.unwrap_or_else(|| {
            self.wide_constants.push(value);
            self.wide_constants.len() - 1
        });
        let index = u16::try_from(index).map_err(|_| node.invalid("too many wide constants"))?;
        Ok(Operand::WideConstant {
            index,
            low: low_half(value),
        })
    }

    fn value(&self, operand: Operand) -> Option<u128> {
        match operand {
            Operand::Constant(value) => Some(value.into()),
            Operand::WideConstant { index, .. } => Some(self.wide_constants[usize::from(index)]),
            _ => None,
        }
    }
}

/// The first temporary that is free while `operand` is still needed.
pub(in crate::pipeline::load) fn after(
    node: &Node<'_>,
    operand: Operand,
    free: u8,
) -> Result<u8, LoadError> {
    match operand {
        Operand::Temporary(_) | Operand::WideTemporary(_) => free
            .checked_add(1)
            .ok_or_else(|| node.unsupported("an expression of too many parts")),
        _ => Ok(free),
    }
}

fn temporary(node: &Node<'_>, word: Word, index: u8) -> Result<(Destination, Operand), LoadError> {
    if usize::from(index) >= MAX_TEMPORARIES {
        let construct = format!("an expression of more than {MAX_TEMPORARIES} pending parts");
        return Err(node.unsupported(construct));
    }
    Ok(match word {
        Word::Narrow => (Destination::Temporary(index), Operand::Temporary(index)),
        Word::Wide => (
            Destination::WideTemporary(index),
            Operand::WideTemporary(index),
        ),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
fn low_half(value: u128) -> u64 {
    value as u64 & ones(64)
}
