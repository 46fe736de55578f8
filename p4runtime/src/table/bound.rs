//! A declared table with the ids of one program: from Rust values to messages and back.

use std::marker::PhantomData;

use thiserror::Error;

use super::value::maximum;
use super::{Action, Disagreements, Entry, Key, Pattern, Table, TableShape, shape, verify};
use crate::bytestring::{self, BytestringError};
use crate::p4info::{MatchField, MatchKind, P4Info, Param};
use crate::update_of;
use crate::v1::{self, field_match, field_match::FieldMatchType, update};

/// Why a Rust value is no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A value needs more bits than the field or parameter has.
    #[error("{what} is 0x{value:x}, which does not fit into {bits} bits")]
    TooWide {
        /// Table and field, or action and parameter.
        what: String,
        /// The value.
        value: u128,
        /// The width.
        bits: u32,
    },
    /// A prefix is longer than its field.
    #[error("{what} has a prefix of {length} bits, but the field has {bits}")]
    PrefixTooLong {
        /// Table and field.
        what: String,
        /// The length.
        length: u32,
        /// The width.
        bits: u32,
    },
    /// A value has bits that its prefix or mask leaves out.
    #[error("{what} is 0x{value:x}, which has bits outside of 0x{mask:x}; clear them first")]
    BitsOutside {
        /// Table and field.
        what: String,
        /// The value.
        value: u128,
        /// The prefix or mask.
        mask: u128,
    },
    /// The bounds of a range are the wrong way round.
    #[error("{what} is a range from 0x{low:x} down to 0x{high:x}; swap the bounds")]
    EmptyRange {
        /// Table and field.
        what: String,
        /// The lower bound.
        low: u128,
        /// The upper bound.
        high: u128,
    },
    /// The priority is missing, or given where there is none.
    #[error("table {table} has an entry with priority {priority}, valid is {valid}")]
    Priority {
        /// The table.
        table: String,
        /// The priority.
        priority: i32,
        /// What is valid.
        valid: &'static str,
    },
}

/// Why a message is no entry of the declared table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The message is of another table.
    #[error("entry is of table {found}, not of table {expected}")]
    OtherTable {
        /// The id found.
        found: u32,
        /// The id expected.
        expected: u32,
    },
    /// A field is not in the form that the program gives it, or comes twice, or is not known.
    #[error("table {table}: match of field {field} is not valid for the program")]
    Match {
        /// The table.
        table: String,
        /// The id of the field.
        field: u32,
    },
    /// A value does not fit.
    #[error("{what}: {error}")]
    Value {
        /// Table and field, or action and parameter.
        what: String,
        /// Why.
        error: BytestringError,
    },
    /// The action is missing, indirect, or not one of the declared ones.
    #[error("table {table}: entry has no action that is declared")]
    Action {
        /// The table.
        table: String,
    },
    /// The arguments are not those of the action.
    #[error("action {action}: arguments differ from the parameters of the program")]
    Arguments {
        /// The action.
        action: String,
    },
    /// A value has no place in the Rust type.
    #[error("table {table}: a value has no place in the declared type")]
    NoPlace {
        /// The table.
        table: String,
    },
}

#[derive(Clone, Debug)]
struct BoundAction {
    declared_name: &'static str,
    id: u32,
    /// In the order of the declaration.
    params: Vec<Param>,
}

/// A declared table with the ids of one program.
#[derive(Clone, Debug)]
pub struct BoundTable<T> {
    id: u32,
    name: String,
    /// In the order of the declaration.
    fields: Vec<MatchField>,
    actions: Vec<BoundAction>,
    needs_priority: bool,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> BoundTable<T> {
    /// Compares the declaration with the program and resolves its names.
    pub fn new(info: &P4Info) -> Result<Self, Disagreements> {
        verify(info, &[TableShape::of::<T>()])?;
        let unknown = |error| Disagreements(vec![shape::Disagreement::NoTable(error)]);
        let table = info.table(T::NAME).map_err(unknown)?;
        let fields = T::Key::FIELDS.iter().filter_map(|shape| {
            table
                .match_fields
                .iter()
                .find(|field| field.name == shape.name)
                .cloned()
        });
        let actions = T::Action::ACTIONS.iter().filter_map(|shape| {
            let action = shape::action_of(info, table, shape.name).ok()?;
            let params = shape.params.iter().filter_map(|declared| {
                action
                    .params
                    .iter()
                    .find(|param| param.name == declared.name)
                    .cloned()
            });
            let params = params.collect();
            Some(BoundAction {
                declared_name: shape.name,
                id: action.id,
                params,
            })
        });
        Ok(Self {
            id: table.id,
            name: table.name.clone(),
            fields: fields.collect(),
            actions: actions.collect(),
            needs_priority: table.needs_priority(),
            table: PhantomData,
        })
    }

    /// The id of the table.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The full name of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole entry.
    pub fn encode(&self, entry: &Entry<T>) -> Result<v1::TableEntry, EncodeError> {
        let mut message = self.encode_key(&entry.key, entry.priority)?;
        message.action = Some(self.encode_action(&entry.action)?);
        Ok(message)
    }

    /// Only the key: what a deletion needs.
    pub fn encode_key(&self, key: &T::Key, priority: i32) -> Result<v1::TableEntry, EncodeError> {
        let valid = match (self.needs_priority, priority) {
            (true, 1..) | (false, 0) => None,
            (true, _) => Some("1 or more"),
            (false, _) => Some("0, since no field is ternary, range or optional"),
        };
        if let Some(valid) = valid {
            return Err(EncodeError::Priority {
                table: self.name.clone(),
                priority,
                valid,
            });
        }
        let mut matches = Vec::with_capacity(self.fields.len());
        for (field, pattern) in self.fields.iter().zip(key.to_patterns()) {
            if let Some(kind) = self.encode_field(field, pattern)? {
                matches.push(v1::FieldMatch {
                    field_id: field.id,
                    field_match_type: Some(kind),
                });
            }
        }
        Ok(v1::TableEntry {
            table_id: self.id,
            r#match: matches,
            priority,
            ..Default::default()
        })
    }

    /// A new entry.
    pub fn insert(&self, entry: &Entry<T>) -> Result<v1::Update, EncodeError> {
        Ok(update_of(update::Type::Insert, self.encode(entry)?))
    }

    /// A new action for an entry that is there.
    pub fn modify(&self, entry: &Entry<T>) -> Result<v1::Update, EncodeError> {
        Ok(update_of(update::Type::Modify, self.encode(entry)?))
    }

    /// No entry any more.
    pub fn delete(&self, key: &T::Key, priority: i32) -> Result<v1::Update, EncodeError> {
        Ok(update_of(
            update::Type::Delete,
            self.encode_key(key, priority)?,
        ))
    }

    /// Another default action; none sets it back to what the program says.
    pub fn set_default(&self, action: Option<&T::Action>) -> Result<v1::Update, EncodeError> {
        let action = action
            .map(|action| self.encode_action(action))
            .transpose()?;
        let message = v1::TableEntry {
            table_id: self.id,
            action,
            is_default_action: true,
            ..Default::default()
        };
        Ok(update_of(update::Type::Modify, message))
    }

    /// What to read for all entries of the table.
    pub fn wildcard(&self) -> v1::Entity {
        v1::TableEntry {
            table_id: self.id,
            ..Default::default()
        }
        .into()
    }

    /// The entry of a message.
    pub fn decode(&self, message: &v1::TableEntry) -> Result<Entry<T>, DecodeError> {
        if message.table_id != self.id {
            return Err(DecodeError::OtherTable {
                found: message.table_id,
                expected: self.id,
            });
        }
        let mut patterns = vec![Pattern::Any; self.fields.len()];
        let mut seen = vec![false; self.fields.len()];
        for found in &message.r#match {
            let bad = || DecodeError::Match {
                table: self.name.clone(),
                field: found.field_id,
            };
            let at = self
                .fields
                .iter()
                .position(|field| field.id == found.field_id)
                .filter(|at| !seen[*at])
                .ok_or_else(bad)?;
            seen[at] = true;
            let kind = found.field_match_type.as_ref().ok_or_else(bad)?;
            patterns[at] = self.decode_field(&self.fields[at], kind)?.ok_or_else(bad)?;
        }
        let no_place = || DecodeError::NoPlace {
            table: self.name.clone(),
        };
        let key = T::Key::from_patterns(&patterns).ok_or_else(no_place)?;
        let action = self.decode_action(message.action.as_ref())?;
        Ok(Entry {
            key,
            action,
            priority: message.priority,
        })
    }

    fn what(&self, field: &MatchField) -> String {
        format!("table {}: field {}", self.name, field.name)
    }

    fn encode_field(
        &self,
        field: &MatchField,
        pattern: Pattern,
    ) -> Result<Option<FieldMatchType>, EncodeError> {
        let bits = field.bitwidth;
        let what = || self.what(field);
        let encode = |value: u128| encode(value, bits, what);
        let outside = |value: u128, mask: u128| {
            if value & !mask == 0 {
                return Ok(());
            }
            Err(EncodeError::BitsOutside {
                what: what(),
                value,
                mask,
            })
        };
        Ok(Some(match pattern {
            Pattern::Any => return Ok(None),
            Pattern::Exact(value) => {
                let value = encode(value)?;
                if field.kind == MatchKind::Optional {
                    FieldMatchType::Optional(field_match::Optional { value })
                } else {
                    FieldMatchType::Exact(field_match::Exact { value })
                }
            }
            Pattern::Prefix { value, length } => {
                let too_long = || EncodeError::PrefixTooLong {
                    what: what(),
                    length,
                    bits,
                };
                let behind = bits.checked_sub(length).ok_or_else(too_long)?;
                let encoded = encode(value)?;
                outside(value, maximum(bits) & !maximum(behind))?;
                if length == 0 {
                    return Ok(None);
                }
                let prefix_len = i32::try_from(length).map_err(|_| too_long())?;
                FieldMatchType::Lpm(field_match::Lpm {
                    value: encoded,
                    prefix_len,
                })
            }
            Pattern::Masked { value, mask } => {
                outside(value, mask)?;
                let (value, mask) = (encode(value)?, encode(mask)?);
                FieldMatchType::Ternary(field_match::Ternary { value, mask })
            }
            Pattern::Range { low, high } => {
                if low > high {
                    return Err(EncodeError::EmptyRange {
                        what: what(),
                        low,
                        high,
                    });
                }
                let (low, high) = (encode(low)?, encode(high)?);
                FieldMatchType::Range(field_match::Range { low, high })
            }
        }))
    }

    fn encode_action(&self, action: &T::Action) -> Result<v1::TableAction, EncodeError> {
        let name = action.name();
        let mut message = v1::Action::default();
        // `new` bound every declared action, so that there always is one.
        if let Some(bound) = self
            .actions
            .iter()
            .find(|bound| bound.declared_name == name)
        {
            message.action_id = bound.id;
            for (param, value) in bound.params.iter().zip(action.to_arguments()) {
                let what = || format!("action {name}: parameter {}", param.name);
                let value = encode(value, param.bitwidth, what)?;
                message.params.push(v1::action::Param {
                    param_id: param.id,
                    value,
                });
            }
        }
        Ok(v1::TableAction {
            r#type: Some(v1::table_action::Type::Action(message)),
        })
    }

    fn decode_field(
        &self,
        field: &MatchField,
        kind: &FieldMatchType,
    ) -> Result<Option<Pattern>, DecodeError> {
        let value = |bytes: &[u8]| {
            bytestring::decode(bytes, field.bitwidth).map_err(|error| DecodeError::Value {
                what: self.what(field),
                error,
            })
        };
        Ok(Some(match (field.kind, kind) {
            (MatchKind::Exact, FieldMatchType::Exact(exact)) => {
                Pattern::Exact(value(&exact.value)?)
            }
            (MatchKind::Optional, FieldMatchType::Optional(optional)) => {
                Pattern::Exact(value(&optional.value)?)
            }
            (MatchKind::Lpm, FieldMatchType::Lpm(lpm)) => {
                let length = u32::try_from(lpm.prefix_len).unwrap_or(u32::MAX);
                if length == 0 || length > field.bitwidth {
                    return Ok(None);
                }
                Pattern::Prefix {
                    value: value(&lpm.value)?,
                    length,
                }
            }
            (MatchKind::Ternary, FieldMatchType::Ternary(ternary)) => Pattern::Masked {
                value: value(&ternary.value)?,
                mask: value(&ternary.mask)?,
            },
            (MatchKind::Range, FieldMatchType::Range(range)) => Pattern::Range {
                low: value(&range.low)?,
                high: value(&range.high)?,
            },
            _ => return Ok(None),
        }))
    }

    fn decode_action(&self, action: Option<&v1::TableAction>) -> Result<T::Action, DecodeError> {
        let no_action = || DecodeError::Action {
            table: self.name.clone(),
        };
        let Some(v1::table_action::Type::Action(message)) =
            action.and_then(|action| action.r#type.as_ref())
        else {
            return Err(no_action());
        };
        let bound = self
            .actions
            .iter()
            .find(|bound| bound.id == message.action_id)
            .ok_or_else(no_action)?;
        let name = bound.declared_name;
        let bad = || DecodeError::Arguments {
            action: name.to_owned(),
        };
        if message.params.len() != bound.params.len() {
            return Err(bad());
        }
        let mut arguments = Vec::with_capacity(bound.params.len());
        for param in &bound.params {
            let found = message
                .params
                .iter()
                .find(|found| found.param_id == param.id)
                .ok_or_else(bad)?;
            let what = || format!("action {name}: parameter {}", param.name);
            let value = bytestring::decode(&found.value, param.bitwidth).map_err(|error| {
                DecodeError::Value {
                    what: what(),
                    error,
                }
            })?;
            arguments.push(value);
        }
        let no_place = || DecodeError::NoPlace {
            table: self.name.clone(),
        };
        T::Action::from_arguments(name, &arguments).ok_or_else(no_place)
    }
}

fn encode(value: u128, bits: u32, what: impl FnOnce() -> String) -> Result<Vec<u8>, EncodeError> {
    if value > maximum(bits) {
        return Err(EncodeError::TooWide {
            what: what(),
            value,
            bits,
        });
    }
    Ok(bytestring::encode(value))
}
