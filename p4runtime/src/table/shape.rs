//! What a controller believes of a table, and where the program disagrees.

use std::fmt;

use thiserror::Error;

use super::{Action as _, Key as _, Table};
use crate::p4info::{self, ActionScope, MatchKind, P4Info, UnknownName};

/// A field of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldShape {
    /// As the P4Info names it.
    pub name: &'static str,
    /// How it is matched.
    pub kind: MatchKind,
    /// Width in bits.
    pub bits: u32,
}

/// A parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamShape {
    /// As the P4Info names it.
    pub name: &'static str,
    /// Width in bits.
    pub bits: u32,
}

/// An action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionShape {
    /// Full name or alias.
    pub name: &'static str,
    /// All parameters, in any order.
    pub params: &'static [ParamShape],
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Full name or alias.
    pub name: &'static str,
    /// All fields of the key, in any order.
    pub fields: &'static [FieldShape],
    /// All actions, in any order; those that can only be the default may be left out.
    pub actions: &'static [ActionShape],
}

impl TableShape {
    /// The shape of a table that was declared with [`crate::p4_table!`].
    pub const fn of<T: Table>() -> Self {
        Self {
            name: T::NAME,
            fields: T::Key::FIELDS,
            actions: T::Action::ACTIONS,
        }
    }
}

/// One thing in which a declaration and the program differ.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Disagreement {
    /// The program has no such table.
    #[error("{0}")]
    NoTable(UnknownName),
    /// The table has no such field.
    #[error("table {table}: {error}")]
    NoField {
        /// The table.
        table: String,
        /// The field.
        error: UnknownName,
    },
    /// The table has a field that the declaration lacks.
    #[error("table {table}: field {field} of the program is not declared")]
    UndeclaredField {
        /// The table.
        table: String,
        /// The field.
        field: String,
    },
    /// A field is matched differently.
    #[error("table {table}: field {field} is {program} in the program, but declared {declared}")]
    Kind {
        /// The table.
        table: String,
        /// The field.
        field: String,
        /// What the program says.
        program: MatchKind,
        /// What the declaration says.
        declared: MatchKind,
    },
    /// A field or parameter has another width.
    #[error("{what} has {program} bits in the program, but is declared with {declared}")]
    Width {
        /// Table and field, or action and parameter.
        what: String,
        /// What the program says.
        program: u32,
        /// What the declaration says.
        declared: u32,
    },
    /// The table has no such action.
    #[error("table {table}: {error}")]
    NoAction {
        /// The table.
        table: String,
        /// The action.
        error: UnknownName,
    },
    /// The table has an action that the declaration lacks.
    #[error("table {table}: action {action} of the program is not declared")]
    UndeclaredAction {
        /// The table.
        table: String,
        /// The action.
        action: String,
    },
    /// The action has no such parameter.
    #[error("action {action}: {error}")]
    NoParam {
        /// The action.
        action: String,
        /// The parameter.
        error: UnknownName,
    },
    /// The action has a parameter that the declaration lacks.
    #[error("action {action}: parameter {param} of the program is not declared")]
    UndeclaredParam {
        /// The action.
        action: String,
        /// The parameter.
        param: String,
    },
}

/// Everything in which declarations and the program differ; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreements(pub Vec<Disagreement>);

impl fmt::Display for Disagreements {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let s = if count == 1 { "" } else { "s" };
        write!(
            formatter,
            "the program differs from the declared tables in {count} thing{s}"
        )?;
        for disagreement in &self.0 {
            write!(formatter, "\n  {disagreement}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Disagreements {}

/// Compares declarations with the program and lists every difference.
pub fn verify(info: &P4Info, shapes: &[TableShape]) -> Result<(), Disagreements> {
    let mut found = Vec::new();
    for shape in shapes {
        match info.table(shape.name) {
            Ok(table) => verify_table(info, table, shape, &mut found),
            Err(error) => found.push(Disagreement::NoTable(error)),
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Disagreements(found))
    }
}

fn verify_table(
    info: &P4Info,
    table: &p4info::Table,
    shape: &TableShape,
    found: &mut Vec<Disagreement>,
) {
    let name = || table.name.clone();
    for declared in shape.fields {
        let Some(field) = table
            .match_fields
            .iter()
            .find(|field| field.name == declared.name)
        else {
            let valid = table.match_fields.iter().map(|field| field.name.as_str());
            let error = UnknownName::new("field", declared.name, valid);
            found.push(Disagreement::NoField {
                table: name(),
                error,
            });
            continue;
        };
        if field.kind != declared.kind {
            found.push(Disagreement::Kind {
                table: name(),
                field: field.name.clone(),
                program: field.kind,
                declared: declared.kind,
            });
        }
        if field.bitwidth != declared.bits {
            found.push(Disagreement::Width {
                what: format!("table {}: field {}", table.name, field.name),
                program: field.bitwidth,
                declared: declared.bits,
            });
        }
    }
    for field in &table.match_fields {
        if !shape
            .fields
            .iter()
            .any(|declared| declared.name == field.name)
        {
            let field = field.name.clone();
            found.push(Disagreement::UndeclaredField {
                table: name(),
                field,
            });
        }
    }
    verify_actions(info, table, shape, found);
}

/// The action of the table that has this name or alias.
pub(super) fn action_of<'a>(
    info: &'a P4Info,
    table: &p4info::Table,
    name: &str,
) -> Result<&'a p4info::Action, UnknownName> {
    let actions = || {
        table
            .actions
            .iter()
            .filter_map(|action| info.action_by_id(action.id))
    };
    actions()
        .find(|action| action.name == name)
        .or_else(|| actions().find(|action| action.alias == name))
        .ok_or_else(|| {
            UnknownName::new(
                "action",
                name,
                actions().map(|action| action.alias.as_str()),
            )
        })
}

fn verify_actions(
    info: &P4Info,
    table: &p4info::Table,
    shape: &TableShape,
    found: &mut Vec<Disagreement>,
) {
    let mut declared_ids = Vec::new();
    for declared in shape.actions {
        match action_of(info, table, declared.name) {
            Ok(action) => {
                declared_ids.push(action.id);
                verify_params(action, declared, found);
            }
            Err(error) => {
                found.push(Disagreement::NoAction {
                    table: table.name.clone(),
                    error,
                });
            }
        }
    }
    for action in &table.actions {
        if action.scope != ActionScope::DefaultOnly && !declared_ids.contains(&action.id) {
            let name = info
                .action_by_id(action.id)
                .map_or("", |action| action.name.as_str());
            found.push(Disagreement::UndeclaredAction {
                table: table.name.clone(),
                action: name.to_owned(),
            });
        }
    }
}

fn verify_params(action: &p4info::Action, shape: &ActionShape, found: &mut Vec<Disagreement>) {
    for declared in shape.params {
        match action
            .params
            .iter()
            .find(|param| param.name == declared.name)
        {
            None => {
                let valid = action.params.iter().map(|param| param.name.as_str());
                let error = UnknownName::new("parameter", declared.name, valid);
                found.push(Disagreement::NoParam {
                    action: action.name.clone(),
                    error,
                });
            }
            Some(param) if param.bitwidth != declared.bits => found.push(Disagreement::Width {
                what: format!("action {}: parameter {}", action.name, param.name),
                program: param.bitwidth,
                declared: declared.bits,
            }),
            Some(_) => {}
        }
    }
    for param in &action.params {
        if !shape
            .params
            .iter()
            .any(|declared| declared.name == param.name)
        {
            let param = param.name.clone();
            found.push(Disagreement::UndeclaredParam {
                action: action.name.clone(),
                param,
            });
        }
    }
}
