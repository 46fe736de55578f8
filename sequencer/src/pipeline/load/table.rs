//! Tables: keys, actions, default actions, constant entries.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::entry::{Match, stored_action, stored_key};
use super::super::error::{ControlError, LoadError};
use super::super::field::wide_ones;
use super::super::info::{ActionCall, ActionInfo, KeyFieldInfo, MatchKind, TableInfo};
use super::super::program::{KeyField, Lookup, Node as ControlNode, TableAction, TableProgram};
use super::super::table::{MAX_KEY_WORDS, StoredKey, split};
use super::action::Action;
use super::control::{Controls, Names, Start, next_node};
use super::json::Node;
use super::{Loader, index};

/// Entries of one table.
const MAX_TABLE_SIZE: usize = 1 << 20;

/// A table's default action as the JSON has it.
struct DefaultEntry {
    choice: usize,
    parameters: Vec<u128>,
    constant: bool,
}

impl Loader<'_> {
    /// Loads a table; gives the node that applies it.
    pub(super) fn load_table(
        &mut self,
        node: &Node<'_>,
        names: &Names,
        controls: &mut Controls,
    ) -> Result<ControlNode, LoadError> {
        check_table(node)?;
        let key = self.load_key(node)?;
        let (actions, action_infos) = self.load_table_actions(node, names)?;
        let default = self.load_default(node, &action_infos)?;
        let chosen = &actions[default.choice];
        if key.is_empty() && default.constant {
            // No entry can ever be hit and no control plane can change what a miss does.
            let info = ActionCall {
                action: action_infos[default.choice].name.clone(),
                parameters: default.parameters,
            };
            let words = words_of(&action_infos, &info);
            return Ok(ControlNode::Call {
                code: chosen.code.clone(),
                parameters: words.into_boxed_slice(),
                next: chosen.next_on_miss,
            });
        }
        let (fields, kinds): (Vec<_>, Vec<_>) = key.into_iter().unzip();
        let program = TableProgram {
            lookup: lookup_of(&kinds),
            key_words: fields
                .iter()
                .map(|field: &KeyField| if field.wide { 2 } else { 1 })
                .sum(),
            key: fields,
            parameter_words: action_infos.iter().map(words_needed).max().unwrap_or(0),
            actions,
            direct_counter: node.flag("with_counters", false)?,
        };
        node.at_most("the words of a key", program.key_words, MAX_KEY_WORDS)?;
        let entries = node.optional_list("entries")?;
        let constant = node.optional("entries")?.is_some();
        let size = match node.optional("max_size")? {
            Some(size) if !constant => size.count("the size of a table", MAX_TABLE_SIZE)?,
            _ => node.at_most("the size of a table", entries.len(), MAX_TABLE_SIZE)?,
        };
        let default_action = ActionCall {
            action: action_infos[default.choice].name.clone(),
            parameters: default.parameters,
        };
        let info = TableInfo {
            name: node.name()?,
            key: kinds,
            actions: action_infos,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            default_is_constant: default.constant,
            entries_are_constant: constant,
            needs_priority: program.lookup == Lookup::Ordered,
            counts: program.direct_counter,
            default_action,
        };
        let default = (
            u16::try_from(default.choice).unwrap_or(0),
            words_of(&info.actions, &info.default_action),
        );
        let entries = self.load_entries(&entries, &info, &program)?;
        let at = index(node, controls.tables.len())?;
        controls.tables.push(program);
        controls.infos.push(info);
        controls.starts.push(Start { default, entries });
        Ok(ControlNode::Table(at))
    }

    fn load_key(&self, node: &Node<'_>) -> Result<Vec<(KeyField, KeyFieldInfo)>, LoadError> {
        let mut key = Vec::new();
        let mut word = 0;
        let mut prefixes = 0;
        for part in node.list("key")? {
            part.only(&["match_type", "target", "mask"])?;
            let target = part.get("target")?;
            let kind_node = part.get("match_type")?;
            let kind = match kind_node.string()? {
                "exact" => MatchKind::Exact,
                "lpm" => MatchKind::Lpm,
                "ternary" => MatchKind::Ternary,
                "range" => MatchKind::Range,
                "optional" => MatchKind::Optional,
                other => return Err(kind_node.unsupported(format!("match type `{other}`"))),
            };
            prefixes += usize::from(kind == MatchKind::Lpm);
            if prefixes > 1 {
                return Err(part.invalid("a second longest-prefix field in one key"));
            }
            let field = self.layout.field(&target)?;
            let mask = part.optional("mask")?;
            let mask = mask.map_or(Ok(u128::MAX), |mask| mask.hex_of_width(field.width))?;
            let wide = field.width > 64;
            let [header, member] = target.tuple()?;
            let name = match part.optional("name")? {
                Some(name) => name.string()?.to_owned(),
                None => format!("{}.{}", header.string()?, member.string()?),
            };
            let info = KeyFieldInfo {
                name,
                width: field.width.into(),
                kind,
            };
            key.push((
                KeyField {
                    field,
                    mask: mask & wide_ones(field.width),
                    word,
                    wide,
                },
                info,
            ));
            word += if wide { 2 } else { 1 };
        }
        Ok(key)
    }

    /// The table's actions, and what they offer.
    fn load_table_actions(
        &self,
        node: &Node<'_>,
        names: &Names,
    ) -> Result<(Vec<TableAction>, Vec<ActionInfo>), LoadError> {
        let next = node.get("next_tables")?;
        let hit = next
            .members()?
            .into_iter()
            .find(|(key, _)| *key == "__HIT__");
        let miss = next
            .members()?
            .into_iter()
            .find(|(key, _)| *key == "__MISS__");
        let by_hit = match (hit, miss) {
            (Some((_, hit)), Some((_, miss))) => Some((
                next_node(names, Some(&hit))?,
                next_node(names, Some(&miss))?,
            )),
            (None, None) => None,
            _ => return Err(next.invalid("one of `__HIT__` and `__MISS__` without the other")),
        };
        let (mut actions, mut infos): (Vec<TableAction>, Vec<ActionInfo>) = Default::default();
        for id in node.list("action_ids")? {
            let action = self.action(&id)?;
            let (next_on_hit, next_on_miss) = if let Some(both) = by_hit {
                both
            } else {
                let after = next.get(&action.name)?;
                let after = next_node(names, Some(&after))?;
                (after, after)
            };
            if infos.iter().any(|other| other.name == action.name) {
                return Err(id.invalid(format!("action `{}` stands twice", action.name)));
            }
            let (name, parameters) = (action.name.clone(), action.parameters.clone());
            infos.push(ActionInfo { name, parameters });
            actions.push(TableAction {
                code: action.code.clone(),
                next_on_hit,
                next_on_miss,
            });
        }
        index(node, actions.len())?;
        Ok((actions, infos))
    }

    fn action(&self, id: &Node<'_>) -> Result<&Action, LoadError> {
        let number = id.unsigned()?;
        self.actions
            .get(&number)
            .ok_or_else(|| id.invalid(format!("no action with id {number}")))
    }

    fn load_default(
        &self,
        node: &Node<'_>,
        infos: &[ActionInfo],
    ) -> Result<DefaultEntry, LoadError> {
        let entry = node.get("default_entry")?;
        entry.only(&[
            "action_id",
            "action_const",
            "action_data",
            "action_entry_const",
        ])?;
        let (choice, parameters) = self.load_call(&entry, infos)?;
        let constant = entry.flag("action_const", false)?;
        if constant != entry.flag("action_entry_const", false)? {
            return Err(entry.unsupported("a default action that is constant only in part"));
        }
        Ok(DefaultEntry {
            choice,
            parameters,
            constant,
        })
    }

    /// `action_id` and `action_data`, checked against what the table offers.
    fn load_call(
        &self,
        node: &Node<'_>,
        infos: &[ActionInfo],
    ) -> Result<(usize, Vec<u128>), LoadError> {
        let id = node.get("action_id")?;
        let action = self.action(&id)?;
        let choice = infos.iter().position(|info| info.name == action.name);
        let choice = choice.ok_or_else(|| id.invalid("an action that the table does not offer"))?;
        let data = node.list("action_data")?;
        if data.len() != action.parameters.len() {
            let expected = action.parameters.len();
            return Err(node.invalid(format!("{} arguments instead of {expected}", data.len())));
        }
        let mut parameters = Vec::new();
        for (value, parameter) in data.iter().zip(&action.parameters) {
            let width = u8::try_from(parameter.width).unwrap_or(128);
            parameters.push(value.hex_of_width(width)?);
        }
        debug_assert_eq!(
            action.words,
            words_needed(&infos[choice]),
            "one action, one layout"
        );
        Ok((choice, parameters))
    }

    /// The constant entries. Low numbers win here, high ones inside: as P4Runtime shows them,
    /// a priority is 2^31 - 1 less the number.
    fn load_entries(
        &self,
        nodes: &[Node<'_>],
        info: &TableInfo,
        program: &TableProgram,
    ) -> Result<Vec<(StoredKey, u16, Vec<u64>)>, LoadError> {
        let mut entries: Vec<(StoredKey, u16, Vec<u64>)> = Vec::new();
        for node in nodes {
            node.only(&["match_key", "action_entry", "priority"])?;
            let priority = match node.optional("priority")? {
                Some(number) if info.needs_priority => {
                    let value = number.signed()?;
                    let in_range = u32::try_from(value).ok().filter(|v| *v < 0x7FFF_FFFF);
                    let number = in_range.ok_or_else(|| number.invalid("a priority too large"))?;
                    0x7FFF_FFFF - number
                }
                None if info.needs_priority => {
                    return Err(node.invalid("an entry that needs a priority has none"));
                }
                _ => 0,
            };
            let matches = load_matches(node, info)?;
            let problem = |error: ControlError| node.invalid(error.to_string());
            let key = stored_key(info, program, &matches, priority).map_err(problem)?;
            if entries.iter().any(|(other, ..)| *other == key) {
                return Err(node.invalid("an entry that stands twice"));
            }
            let call = node.get("action_entry")?;
            call.only(&["action_id", "action_data"])?;
            let (choice, parameters) = self.load_call(&call, &info.actions)?;
            let name = &info.actions[choice].name;
            let (choice, words) = stored_action(info, name, &parameters).map_err(problem)?;
            entries.push((key, choice, words));
        }
        Ok(entries)
    }
}

/// What a table may not be.
fn check_table(node: &Node<'_>) -> Result<(), LoadError> {
    node.only(&[
        "key",
        "match_type",
        "type",
        "max_size",
        "with_counters",
        "support_timeout",
        "direct_meters",
        "action_ids",
        "actions",
        "base_default_next",
        "next_tables",
        "default_entry",
        "entries",
    ])?;
    let kind = node.get("type")?;
    if kind.string()? != "simple" {
        return Err(kind.unsupported(format!("a table of type `{}`", kind.string()?)));
    }
    if node.flag("support_timeout", false)? {
        return Err(node.get("support_timeout")?.unsupported("an idle timeout"));
    }
    if let Some(meter) = node.optional("direct_meters")? {
        return Err(meter.unsupported("a direct meter"));
    }
    Ok(())
}

fn load_matches(node: &Node<'_>, info: &TableInfo) -> Result<Vec<Match>, LoadError> {
    let parts = node.list("match_key")?;
    if parts.len() != info.key.len() {
        return Err(node.invalid(format!(
            "{} fields instead of {}",
            parts.len(),
            info.key.len()
        )));
    }
    let mut matches = Vec::new();
    for (part, field) in parts.iter().zip(&info.key) {
        part.only(&["match_type", "key", "mask", "prefix_length", "start", "end"])?;
        let width = u8::try_from(field.width).unwrap_or(128);
        let value = |name: &str| part.get(name)?.hex_of_width(width);
        matches.push(match field.kind {
            MatchKind::Lpm => {
                let length = part
                    .get("prefix_length")?
                    .count("a prefix length", width.into())?;
                let host_bits = width - u8::try_from(length).unwrap_or(width);
                let kept = wide_ones(width) & !wide_ones(host_bits);
                let prefix_length = width - host_bits;
                Match::Lpm {
                    value: value("key")? & kept,
                    prefix_length,
                }
            }
            MatchKind::Ternary => {
                let mask = value("mask")?;
                Match::Ternary {
                    value: value("key")? & mask,
                    mask,
                }
            }
            MatchKind::Optional if value("mask")? == 0 => Match::Any,
            MatchKind::Exact | MatchKind::Optional => Match::Exact(value("key")?),
            MatchKind::Range => Match::Range {
                low: value("start")?,
                high: value("end")?,
            },
        });
    }
    Ok(matches)
}

fn lookup_of(key: &[KeyFieldInfo]) -> Lookup {
    if key.is_empty() {
        Lookup::None
    } else if key
        .iter()
        .all(|field| matches!(field.kind, MatchKind::Exact | MatchKind::Lpm))
    {
        Lookup::Hashed
    } else {
        Lookup::Ordered
    }
}

fn words_needed(action: &ActionInfo) -> usize {
    action
        .parameters
        .iter()
        .map(|parameter| if parameter.width > 64 { 2 } else { 1 })
        .sum()
}

fn words_of(actions: &[ActionInfo], call: &ActionCall) -> Vec<u64> {
    let action = actions.iter().find(|action| action.name == call.action);
    let widths = action.into_iter().flat_map(|action| &action.parameters);
    let mut words = Vec::new();
    for (parameter, &value) in widths.zip(&call.parameters) {
        let (high, low) = split(value);
        if parameter.width > 64 {
            words.push(high);
        }
        words.push(low);
    }
    words
}
