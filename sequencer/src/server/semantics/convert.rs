//! Keys and actions: from messages to what the pipeline takes, and back.
//!
//! Wildcards take one form each, so that equal keys are equal values: length 0, mask 0, the whole
//! range, and for optional fields [`Match::Any`] or, where p4c made it a ternary one, mask 0.

use p4runtime::p4info::{ActionScope, MatchField, MatchKind as InfoKind, P4Info, Table};
use p4runtime::v1::{self, field_match::FieldMatchType, table_action};
use p4runtime::{Code, bytestring};

use crate::pipeline::{ActionCall, Match, MatchKind, TableInfo};
use crate::server::Failure;

/// Where an action is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Entry,
    Default,
}

/// The greatest value of `bit<bits>`, for up to 128 bits.
fn maximum(bits: u32) -> u128 {
    u128::MAX
        .checked_shr(128_u32.saturating_sub(bits))
        .unwrap_or(0)
}

/// The key of an entry: one match a field, in the order of the program.
pub(super) fn key_from(
    table: &Table,
    program: &TableInfo,
    given: &[v1::FieldMatch],
) -> Result<Vec<Match>, Failure> {
    for (at, field) in given.iter().enumerate() {
        if table.match_field(field.field_id).is_none() {
            let valid: Vec<String> = table
                .match_fields
                .iter()
                .map(|f| format!("{} {}", f.id, f.name))
                .collect();
            return Err(Failure::invalid(format!(
                "table {} has no field with id {}, valid: {}",
                table.name,
                field.field_id,
                valid.join(", "),
            )));
        }
        if given[..at]
            .iter()
            .any(|other| other.field_id == field.field_id)
        {
            let (name, id) = (&table.name, field.field_id);
            return Err(Failure::invalid(format!(
                "table {name}: field {id} is given twice"
            )));
        }
    }
    let fields = table.match_fields.iter().zip(&program.key);
    fields
        .map(|(field, compiled)| {
            let found = given.iter().find(|found| found.field_id == field.id);
            let what = format!("table {}: field {}", table.name, field.name);
            match found {
                None => wildcard(field, compiled.kind)
                    .ok_or_else(|| Failure::invalid(format!("{what} is exact and must be given"))),
                Some(found) => {
                    let kind = found.field_match_type.as_ref().ok_or_else(|| {
                        Failure::invalid(format!("{what} has no match, leave it out instead"))
                    })?;
                    match_from(field, compiled.kind, kind, &what)
                }
            }
        })
        .collect()
}

fn wildcard(field: &MatchField, compiled: MatchKind) -> Option<Match> {
    match (field.kind, compiled) {
        (InfoKind::Exact, _) => None,
        (InfoKind::Lpm, _) => Some(Match::Lpm {
            value: 0,
            prefix_length: 0,
        }),
        (InfoKind::Range, _) => Some(Match::Range {
            low: 0,
            high: maximum(field.bitwidth),
        }),
        (InfoKind::Optional, MatchKind::Optional) => Some(Match::Any),
        (InfoKind::Ternary | InfoKind::Optional, _) => Some(Match::Ternary { value: 0, mask: 0 }),
    }
}

fn match_from(
    field: &MatchField,
    compiled: MatchKind,
    kind: &FieldMatchType,
    what: &str,
) -> Result<Match, Failure> {
    let bits = field.bitwidth;
    let value = |bytes: &[u8]| {
        bytestring::decode(bytes, bits).map_err(|error| Failure::value(what, &error))
    };
    let dont_care = || {
        Err(Failure::invalid(format!(
            "{what} matches anything, leave it out"
        )))
    };
    match (field.kind, kind) {
        (InfoKind::Exact, FieldMatchType::Exact(exact)) => Ok(Match::Exact(value(&exact.value)?)),
        (InfoKind::Optional, FieldMatchType::Optional(optional)) => {
            let value = value(&optional.value)?;
            Ok(match compiled {
                MatchKind::Optional => Match::Exact(value),
                _ => Match::Ternary {
                    value,
                    mask: maximum(bits),
                },
            })
        }
        (InfoKind::Lpm, FieldMatchType::Lpm(lpm)) => {
            let value = value(&lpm.value)?;
            let length = u32::try_from(lpm.prefix_len)
                .ok()
                .filter(|length| *length <= bits);
            let prefix_length = length.and_then(|length| u8::try_from(length).ok());
            let (Some(length), Some(prefix_length)) = (length, prefix_length) else {
                let length = lpm.prefix_len;
                let message = format!("{what} has prefix length {length}, valid is 1 to {bits}");
                return Err(Failure::invalid(message));
            };
            if length == 0 {
                return dont_care();
            }
            if value & maximum(bits - length) != 0 {
                let message = format!("{what} is {value:#x}, which has bits behind its prefix");
                return Err(Failure::invalid(message));
            }
            Ok(Match::Lpm {
                value,
                prefix_length,
            })
        }
        (InfoKind::Ternary, FieldMatchType::Ternary(ternary)) => {
            let (value, mask) = (value(&ternary.value)?, value(&ternary.mask)?);
            if mask == 0 {
                return dont_care();
            }
            if value & !mask != 0 {
                let message = format!("{what} is {value:#x}, which has bits outside of {mask:#x}");
                return Err(Failure::invalid(message));
            }
            Ok(Match::Ternary { value, mask })
        }
        (InfoKind::Range, FieldMatchType::Range(range)) => {
            let (low, high) = (value(&range.low)?, value(&range.high)?);
            if low > high {
                let message = format!("{what} is a range from {low:#x} down to {high:#x}");
                return Err(Failure::invalid(message));
            }
            if low == 0 && high == maximum(bits) {
                return dont_care();
            }
            Ok(Match::Range { low, high })
        }
        (expected, _) => Err(Failure::invalid(format!(
            "{what} is matched {expected}, not as it was given"
        ))),
    }
}

/// The way back from [`key_from`]; wildcards are left out.
pub(super) fn key_to(table: &Table, matches: &[Match]) -> Vec<v1::FieldMatch> {
    let fields = table.match_fields.iter().zip(matches);
    fields
        .filter_map(|(field, found)| {
            let field_match_type = Some(match_to(field, found)?);
            Some(v1::FieldMatch {
                field_id: field.id,
                field_match_type,
            })
        })
        .collect()
}

fn match_to(field: &MatchField, found: &Match) -> Option<FieldMatchType> {
    use v1::field_match::{Exact, Lpm, Optional, Range, Ternary};
    let encode = bytestring::encode;
    match *found {
        Match::Any
        | Match::Lpm {
            prefix_length: 0, ..
        }
        | Match::Ternary { mask: 0, .. } => None,
        Match::Exact(value) if field.kind == InfoKind::Optional => {
            Some(FieldMatchType::Optional(Optional {
                value: encode(value),
            }))
        }
        Match::Exact(value) => Some(FieldMatchType::Exact(Exact {
            value: encode(value),
        })),
        Match::Lpm {
            value,
            prefix_length,
        } => Some(FieldMatchType::Lpm(Lpm {
            value: encode(value),
            prefix_len: prefix_length.into(),
        })),
        Match::Ternary { value, .. } if field.kind == InfoKind::Optional => {
            Some(FieldMatchType::Optional(Optional {
                value: encode(value),
            }))
        }
        Match::Ternary { value, mask } => {
            let (value, mask) = (encode(value), encode(mask));
            Some(FieldMatchType::Ternary(Ternary { value, mask }))
        }
        Match::Range { low, high } if low == 0 && high == maximum(field.bitwidth) => None,
        Match::Range { low, high } => {
            let (low, high) = (encode(low), encode(high));
            Some(FieldMatchType::Range(Range { low, high }))
        }
    }
}

/// The action of an entry or default entry.
pub(super) fn action_from(
    info: &P4Info,
    table: &Table,
    given: &v1::TableAction,
    place: Place,
) -> Result<ActionCall, Failure> {
    let Some(table_action::Type::Action(given)) = &given.r#type else {
        let message = format!(
            "table {} takes an action, not a member or group",
            table.name
        );
        return Err(Failure::invalid(message));
    };
    let used = table.action_ref(given.action_id);
    let action = used.and_then(|used| info.action_by_id(used.id));
    let (Some(used), Some(action)) = (used, action) else {
        let offered = table
            .actions
            .iter()
            .filter_map(|used| info.action_by_id(used.id));
        let valid: Vec<String> = offered.map(|a| format!("{} {}", a.id, a.alias)).collect();
        return Err(Failure::invalid(format!(
            "table {} has no action with id {}, valid: {}",
            table.name,
            given.action_id,
            valid.join(", "),
        )));
    };
    let only = match (used.scope, place) {
        (ActionScope::TableOnly, Place::Default) => Some("entries, not as the default"),
        (ActionScope::DefaultOnly, Place::Entry) => Some("the default, not in entries"),
        _ => None,
    };
    if let Some(only) = only {
        let message = format!(
            "table {} has action {} only for {only}",
            table.name, action.name
        );
        return Err(Failure::new(Code::PermissionDenied, message));
    }
    let name = &action.name;
    if let Some(unknown) = given
        .params
        .iter()
        .find(|p| action.param(p.param_id).is_none())
    {
        let message = format!(
            "action {name} has no parameter with id {}",
            unknown.param_id
        );
        return Err(Failure::invalid(message));
    }
    let mut parameters = Vec::with_capacity(action.params.len());
    for param in &action.params {
        let mut found = given
            .params
            .iter()
            .filter(|found| found.param_id == param.id);
        let (Some(found), None) = (found.next(), found.next()) else {
            let message = format!("action {name} takes parameter {} once", param.name);
            return Err(Failure::invalid(message));
        };
        let value = bytestring::decode(&found.value, param.bitwidth).map_err(|error| {
            Failure::value(&format!("action {name}: parameter {}", param.name), &error)
        })?;
        parameters.push(value);
    }
    Ok(ActionCall {
        action: name.clone(),
        parameters,
    })
}

/// The way back from [`action_from`]; none if the P4Info does not have the action.
pub(super) fn action_to(
    info: &P4Info,
    table: &Table,
    call: &str,
    parameters: &[u128],
) -> Option<v1::TableAction> {
    let mut offered = table
        .actions
        .iter()
        .filter_map(|used| info.action_by_id(used.id));
    let action = offered.find(|action| action.name == call)?;
    let params = action
        .params
        .iter()
        .zip(parameters)
        .map(|(param, value)| v1::action::Param {
            param_id: param.id,
            value: bytestring::encode(*value),
        });
    let message = v1::Action {
        action_id: action.id,
        params: params.collect(),
    };
    Some(v1::TableAction {
        r#type: Some(table_action::Type::Action(message)),
    })
}
