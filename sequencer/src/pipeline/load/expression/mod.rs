//! Expressions: from the JSON's tree to three-address code.
//!
//! The JSON means unbounded integers, truncated when they are assigned. This switch computes modulo
//! 2^64, or modulo 2^128 where that is not enough. `+ - * & | ^ ~ <<` on low bits give the right
//! low bits whatever the high bits were, so they need no care. `>>`, comparisons and everything else
//! that looks at a whole value need it exactly: for those the loader computes, from the widths of
//! the fields below, a bound on the value (`bound`). If it cannot be negative and fits the size, what
//! is computed is the value. If it fits neither size the expression is refused.

mod bound;
mod emit;

use alloc::boxed::Box;
use alloc::format;

use self::bound::Bound;
use super::super::error::LoadError;
use super::super::field::wide_ones;
use super::super::instruction::Operator;
use super::json::Node;
use super::layout::VALID;
use super::{Loader, Parameters};

pub(super) use self::bound::{Size, Tree};
pub(super) use self::emit::{Free, store};

/// Deeper trees are refused; the JSON reader has a limit of its own that is lower.
const MAX_DEPTH: usize = 128;

/// Whether a tree is a truth value or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Truth,
    Number,
}

impl Loader<'_> {
    /// An expression that is a number.
    pub(super) fn number(
        &self,
        node: &Node<'_>,
        parameters: &Parameters,
    ) -> Result<Tree, LoadError> {
        match self.tree(node, parameters, 0)? {
            (Kind::Number, tree) => Ok(tree),
            (Kind::Truth, _) => Err(node.invalid("a truth value where a number must be")),
        }
    }

    /// An expression that is a truth value: its tree is 0 or 1.
    pub(super) fn truth(
        &self,
        node: &Node<'_>,
        parameters: &Parameters,
    ) -> Result<Tree, LoadError> {
        match self.tree(node, parameters, 0)? {
            (Kind::Truth, tree) => Ok(tree),
            (Kind::Number, _) => Err(node.invalid("a number where a truth value must be")),
        }
    }

    fn tree(
        &self,
        node: &Node<'_>,
        parameters: &Parameters,
        depth: usize,
    ) -> Result<(Kind, Tree), LoadError> {
        node.at_most("the depth of an expression", depth, MAX_DEPTH)?;
        node.only(&["type", "value"])?;
        let value = node.get("value")?;
        let kind = node.get("type")?;
        match kind.string()? {
            "hexstr" => {
                let (negative, magnitude) = value.hex()?;
                Ok((
                    Kind::Number,
                    Tree::Constant {
                        negative,
                        magnitude,
                    },
                ))
            }
            "bool" => Ok((Kind::Truth, Tree::Truth(value.boolean()?))),
            "field" => Ok((Kind::Number, Tree::Field(self.layout.field(&value)?))),
            "local" | "runtime_data" => {
                let number = value.count("the index of a parameter", usize::MAX)?;
                let (word, width) = parameters.get(number).ok_or_else(|| {
                    value.invalid(format!("the action has no parameter number {number}"))
                })?;
                Ok((Kind::Number, Tree::Parameter { word, width }))
            }
            "expression" if value.is_object() && value.optional("op")?.is_none() => {
                self.tree(&value, parameters, depth + 1)
            }
            "expression" => self.operation(&value, parameters, depth + 1),
            other => Err(kind.unsupported(format!("a value of type `{other}`"))),
        }
    }

    fn operation(
        &self,
        node: &Node<'_>,
        parameters: &Parameters,
        depth: usize,
    ) -> Result<(Kind, Tree), LoadError> {
        node.only(&["op", "left", "right", "cond"])?;
        let operator = node.get("op")?;
        let name = operator.string()?;
        let right = |wanted| {
            let node = node.get("right")?;
            let (kind, tree) = self.tree(&node, parameters, depth)?;
            of_kind(&node, wanted, kind)?;
            Ok::<_, LoadError>(tree)
        };
        // Unary operators stand on the right side.
        match name {
            "not" => return Ok((Kind::Truth, equal_to_zero(right(Kind::Truth)?))),
            "d2b" => return Ok((Kind::Truth, not_zero(right(Kind::Number)?))),
            "b2d" => return Ok((Kind::Number, right(Kind::Truth)?)),
            "~" => {
                return Ok((
                    Kind::Number,
                    Tree::Complement(Box::new(right(Kind::Number)?)),
                ));
            }
            "valid" => return self.valid(node),
            _ => {}
        }
        let left_node = node.get("left")?;
        let (left_kind, left) = self.tree(&left_node, parameters, depth)?;
        let right = right(if name == "usat_cast" {
            Kind::Number
        } else {
            left_kind
        })?;
        if name == "?" {
            let condition = node.get("cond")?;
            let (kind, tree) = self.tree(&condition, parameters, depth)?;
            of_kind(&condition, Kind::Truth, kind)?;
            let (condition, yes, no) = (Box::new(tree), Box::new(left), Box::new(right));
            return Ok((left_kind, Tree::Select { condition, yes, no }));
        }
        let (wanted, result, swap, operator) = match name {
            "+" => (Kind::Number, Kind::Number, false, Operator::Add),
            "-" => (Kind::Number, Kind::Number, false, Operator::Subtract),
            "*" => (Kind::Number, Kind::Number, false, Operator::Multiply),
            "<<" => (Kind::Number, Kind::Number, false, Operator::ShiftLeft),
            ">>" => (Kind::Number, Kind::Number, false, Operator::ShiftRight),
            "&" => (Kind::Number, Kind::Number, false, Operator::And),
            "|" => (Kind::Number, Kind::Number, false, Operator::Or),
            "^" => (Kind::Number, Kind::Number, false, Operator::ExclusiveOr),
            "and" => (Kind::Truth, Kind::Truth, false, Operator::And),
            "or" => (Kind::Truth, Kind::Truth, false, Operator::Or),
            "==" => (left_kind, Kind::Truth, false, Operator::Equal),
            "!=" => (left_kind, Kind::Truth, false, Operator::NotEqual),
            "<" => (Kind::Number, Kind::Truth, false, Operator::Less),
            "<=" => (Kind::Number, Kind::Truth, false, Operator::LessOrEqual),
            ">" => (Kind::Number, Kind::Truth, true, Operator::Less),
            ">=" => (Kind::Number, Kind::Truth, true, Operator::LessOrEqual),
            "usat_cast" => return saturated(node, left, &right).map(|tree| (Kind::Number, tree)),
            other => return Err(operator.unsupported(format!("operator `{other}`"))),
        };
        of_kind(&left_node, wanted, left_kind)?;
        let (left, right) = if swap { (right, left) } else { (left, right) };
        let (left, right) = (Box::new(left), Box::new(right));
        Ok((
            result,
            Tree::Binary {
                operator,
                left,
                right,
            },
        ))
    }

    /// `valid(header)`.
    fn valid(&self, node: &Node<'_>) -> Result<(Kind, Tree), LoadError> {
        let header = node.get("right")?;
        header.only(&["type", "value"])?;
        if header.get("type")?.string()? != "header" {
            return Err(header.invalid("`valid` takes a header"));
        }
        let instance = self.layout.instance(&header.get("value")?)?;
        let field = instance.member(VALID);
        let field = field.ok_or_else(|| header.invalid("a header without validity"))?;
        Ok((Kind::Truth, Tree::Field(field)))
    }
}

fn of_kind(node: &Node<'_>, wanted: Kind, found: Kind) -> Result<(), LoadError> {
    match (wanted, found) {
        (Kind::Truth, Kind::Number) => Err(node.invalid("a number where a truth value must be")),
        (Kind::Number, Kind::Truth) => Err(node.invalid("a truth value where a number must be")),
        _ => Ok(()),
    }
}

fn equal_to_zero(tree: Tree) -> Tree {
    let (left, right) = (Box::new(tree), Box::new(Tree::number(0)));
    Tree::Binary {
        operator: Operator::Equal,
        left,
        right,
    }
}

/// Numbers of one bit are their own truth value.
fn not_zero(tree: Tree) -> Tree {
    if matches!(tree.bound(Size::Narrow), Ok(Bound::Bits(0 | 1))) {
        return tree;
    }
    let (left, right) = (Box::new(tree), Box::new(Tree::number(0)));
    Tree::Binary {
        operator: Operator::NotEqual,
        left,
        right,
    }
}

/// `usat_cast(value, width)`: the value, or the greatest of that width if it is more.
fn saturated(node: &Node<'_>, value: Tree, width: &Tree) -> Result<Tree, LoadError> {
    let width = width.constant().and_then(|width| u8::try_from(width).ok());
    let width = width.filter(|width| (1..=128).contains(width));
    let width = width.ok_or_else(|| {
        node.unsupported("`usat_cast` to a width that is not a constant from 1 to 128")
    })?;
    let greatest = Tree::constant_of(wide_ones(width));
    let value = match value {
        Tree::Binary {
            operator: Operator::Subtract,
            left,
            right,
        } => floored(*left, *right),
        other => other,
    };
    let (left, right) = (Box::new(value), Box::new(greatest));
    Ok(Tree::Binary {
        operator: Operator::Minimum,
        left,
        right,
    })
}

/// `left - right`, or 0 where that would be negative: as it is saturated from below anyway.
fn floored(left: Tree, right: Tree) -> Tree {
    let bits = left.bound(Size::Wide).map_or(128, Bound::bits);
    let binary = |operator, left, right| Tree::Binary {
        operator,
        left: Box::new(left),
        right: Box::new(right),
    };
    let difference = binary(Operator::Subtract, left.clone(), right.clone());
    // Where it is not negative it has no more bits than the left side; the mask says so.
    let mask = Tree::constant_of(wide_ones(u8::try_from(bits).unwrap_or(128)));
    Tree::Select {
        condition: Box::new(binary(Operator::Less, left, right)),
        yes: Box::new(Tree::number(0)),
        no: Box::new(binary(Operator::And, difference, mask)),
    }
}
