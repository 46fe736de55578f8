//! Tables: keys, actions, default actions, constant entries.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::entry::{Match, stored_action, stored_key};
use super::super::error::{ControlError, LoadError};
use super::super::field::wide_ones;
use super::super::info::{ActionCall, ActionInfo, KeyFieldInfo, MatchKind, TableInfo};
use super::super::instruction::{Instruction, Operand, Operator, Place, Word, split};
use super::super::program::{KeyField, Lookup, TableAction, TableProgram};
use super::super::table::{MAX_KEY_WORDS, StoredKey};
use super::action::Action;
use super::control::{Controls, Emission, Names, Next, Pending, Start, next_node};
use super::expression::{Free, Tree};
use super::json::Node;
use super::{FIRST_PARAMETER, Loader, index, unique};

/// Entries of one table.
const MAX_TABLE_SIZE: usize = 1 << 20;

/// A table's default action as the JSON has it.
struct DefaultEntry {
    choice: usize,
    parameters: Vec<u128>,
    constant: bool,
}

/// A table of the JSON as the pipeline's graph has it.
pub(super) struct Loaded<'a> {
    node: Node<'a>,
    kind: Kind,
    pub(super) actions: Vec<LoadedAction<'a>>,
}

/// What applying a table means.
enum Kind {
    /// The one action, with these parameters: no entry can ever be hit, and no control plane can
    /// change what a miss does. This is what p4c makes of plain statements.
    Call { parameters: Vec<u64> },
    /// A look-up in the table of this index, with these fields as its key.
    Lookup { table: u16, key: Vec<(Place, u128)> },
}

/// An action of a table, and what comes after it.
pub(super) struct LoadedAction<'a> {
    action: Rc<Action<'a>>,
    pub(super) on_hit: Next,
    pub(super) on_miss: Next,
}

/// A key field as the JSON has it.
struct KeyPart {
    place: Place,
    mask: u128,
    info: KeyFieldInfo,
}

impl<'a> Loader<'a> {
    pub(super) fn load_table(
        &mut self,
        node: &Node<'a>,
        names: &Names,
        controls: &mut Controls,
    ) -> Result<Loaded<'a>, LoadError> {
        check_table(node)?;
        let key = self.load_key(node)?;
        let (mut actions, infos) = self.load_table_actions(node, names)?;
        let default = self.load_default(node, &infos)?;
        let default_action = ActionCall {
            action: infos[default.choice].name.clone(),
            parameters: default.parameters,
        };
        let default_words = words_of(&infos, &default_action);
        let node = node.clone();
        if key.is_empty() && default.constant {
            let chosen = actions.swap_remove(default.choice);
            let kind = Kind::Call {
                parameters: default_words,
            };
            return Ok(Loaded {
                node,
                kind,
                actions: alloc::vec![chosen],
            });
        }
        let (places, program) = load_program(&node, &key, &actions)?;
        let entries = node.optional_list("entries")?;
        let info = TableInfo {
            name: node.name()?,
            key: key.into_iter().map(|part| part.info).collect(),
            actions: infos,
            size: load_size(&node, entries.len())?,
            default_is_constant: default.constant,
            entries_are_constant: node.optional("entries")?.is_some(),
            needs_priority: program.lookup == Lookup::Ordered,
            counts: program.direct_counter,
            default_action,
        };
        unique(
            &node,
            &info.name,
            controls.infos.iter().map(|other| &other.name),
        )?;
        let default = (u16::try_from(default.choice).unwrap_or(0), default_words);
        let entries = self.load_entries(&entries, &info, &program)?;
        let table = index(&node, controls.tables.len())?;
        controls.tables.push(program);
        controls.infos.push(info);
        controls.starts.push(Start { default, entries });
        Ok(Loaded {
            node,
            kind: Kind::Lookup { table, key: places },
            actions,
        })
    }

    /// Emits the code of a table: its key, the look-up, each of its actions.
    pub(super) fn emit_table(
        &mut self,
        loaded: &Loaded<'_>,
        controls: &mut Controls,
        emission: &mut Emission,
    ) -> Result<(), LoadError> {
        let node = &loaded.node;
        let (table, key) = match &loaded.kind {
            Kind::Lookup { table, key } => (*table, key),
            Kind::Call { parameters } => {
                for (to, value) in (FIRST_PARAMETER..).map(Word).zip(parameters) {
                    let from = self.constant_word(node, *value)?;
                    self.code.push(Instruction::Move { to, from });
                }
                for called in &loaded.actions {
                    self.emit_action(node, &called.action)?;
                    self.go_on(called.on_miss, emission);
                }
                return Ok(());
            }
        };
        let table_at = usize::from(table);
        controls.tables[table_at].key = self.emit_key(node, key)?;
        let lookup = controls.tables[table_at].lookup;
        self.code
            .push(match controls.tables[table_at].key.as_slice() {
                [key] if lookup == Lookup::One => Instruction::ApplyOne { table, key: *key },
                _ => Instruction::Apply { table },
            });
        // Copies of code to emit: for a hit, for a miss, or for both.
        let mut pieces = Vec::new();
        for (choice, action) in loaded.actions.iter().enumerate() {
            let both = action.on_hit == action.on_miss;
            if action.action.is_empty() {
                for (hit, next) in [(true, action.on_hit), (false, action.on_miss)] {
                    let pending = Pending::Action {
                        table: table_at,
                        choice,
                        hit,
                    };
                    emission.pending.push((pending, next));
                }
            } else if both {
                pieces.push((choice, [true, true], action.on_hit));
            } else {
                pieces.push((choice, [true, false], action.on_hit));
                pieces.push((choice, [false, true], action.on_miss));
            }
        }
        let last = pieces.len().saturating_sub(1);
        for (number, (choice, [hit, miss], next)) in pieces.into_iter().enumerate() {
            let here = self.here(node)?;
            let places = &mut controls.tables[table_at].actions[choice];
            if hit {
                places.on_hit = here;
            }
            if miss {
                places.on_miss = here;
            }
            self.emit_action(node, &loaded.actions[choice].action)?;
            if number == last {
                self.go_on(next, emission);
            } else {
                self.jump_to(next, emission);
            }
        }
        Ok(())
    }

    /// Emits the loads of a key; gives the words it is made of.
    fn emit_key(&mut self, node: &Node<'_>, key: &[(Place, u128)]) -> Result<Vec<Word>, LoadError> {
        let mut words = Vec::new();
        let mut free = Free::default();
        for (place, mask) in key {
            let width = place.width();
            let (left, right) = (Tree::Field(*place), Tree::constant_of(*mask));
            let (left, right) = (Box::new(left), Box::new(right));
            let tree = Tree::Binary {
                operator: Operator::And,
                left,
                right,
            };
            let value = self.low_bits(node, &tree, width, free)?;
            free = free.after(value);
            match value {
                Operand::Pair(word) if width > 64 => words.extend([word, word.next()]),
                Operand::Word(word) if width > 64 => {
                    words.extend([self.constant_word(node, 0)?, word]);
                }
                Operand::Word(word) => words.push(word),
                Operand::Pair(word) => words.push(word.next()),
            }
        }
        Ok(words)
    }

    fn load_key(&self, node: &Node<'_>) -> Result<Vec<KeyPart>, LoadError> {
        let mut key = Vec::new();
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
            let place = self.layout.field(&target)?;
            let width = place.width();
            let mask = part.optional("mask")?;
            let mask = mask.map_or(Ok(wide_ones(width)), |mask| mask.hex_of_width(width))?;
            let [header, member] = target.tuple()?;
            let name = match part.optional("name")? {
                Some(name) => name.string()?.to_owned(),
                None => format!("{}.{}", header.string()?, member.string()?),
            };
            let info = KeyFieldInfo {
                name,
                width: width.into(),
                kind,
            };
            key.push(KeyPart { place, mask, info });
        }
        Ok(key)
    }

    /// The table's actions, and what they offer.
    fn load_table_actions(
        &self,
        node: &Node<'_>,
        names: &Names,
    ) -> Result<(Vec<LoadedAction<'a>>, Vec<ActionInfo>), LoadError> {
        let next = node.get("next_tables")?;
        let members = next.members()?;
        let member = |name: &str| members.iter().find(|(key, _)| *key == name);
        let by_hit = match (member("__HIT__"), member("__MISS__")) {
            (Some((_, hit)), Some((_, miss))) => {
                Some((next_node(names, Some(hit))?, next_node(names, Some(miss))?))
            }
            (None, None) => None,
            _ => return Err(next.invalid("one of `__HIT__` and `__MISS__` without the other")),
        };
        let mut actions: Vec<LoadedAction<'a>> = Vec::new();
        let mut infos = Vec::new();
        for id in node.list("action_ids")? {
            let action = Rc::clone(self.action(&id)?);
            let (on_hit, on_miss) = if let Some(both) = by_hit {
                both
            } else {
                let after = next_node(names, Some(&next.get(&action.name)?))?;
                (after, after)
            };
            if actions.iter().any(|other| other.action.name == action.name) {
                return Err(id.invalid(format!("action `{}` stands twice", action.name)));
            }
            let (name, parameters) = (action.name.clone(), action.parameters.clone());
            infos.push(ActionInfo { name, parameters });
            actions.push(LoadedAction {
                action,
                on_hit,
                on_miss,
            });
        }
        index(node, actions.len())?;
        Ok((actions, infos))
    }

    fn action(&self, id: &Node<'_>) -> Result<&Rc<Action<'a>>, LoadError> {
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

/// The side of a table that packets see, and the fields of its key with their masks.
fn load_program(
    node: &Node<'_>,
    key: &[KeyPart],
    actions: &[LoadedAction<'_>],
) -> Result<(Vec<(Place, u128)>, TableProgram), LoadError> {
    let mut fields = Vec::new();
    let mut words = 0;
    for part in key {
        let wide = part.place.width() > 64;
        fields.push(KeyField { word: words, wide });
        words += if wide { 2 } else { 1 };
        node.at_most("the words of a key", words, MAX_KEY_WORDS)?;
    }
    let kinds: Vec<_> = key
        .iter()
        .map(|part| (part.info.kind, part.place.width()))
        .collect();
    let actions = actions.iter();
    let actions: Vec<_> = actions
        .map(|action| TableAction {
            words: action.action.words,
            ..Default::default()
        })
        .collect();
    let program = TableProgram {
        lookup: lookup_of(&kinds),
        // The words themselves are known when the code that loads them is emitted.
        key: alloc::vec![Word(0); words],
        fields,
        parameter_words: actions.iter().map(|action| action.words).max().unwrap_or(0),
        actions,
        direct_counter: node.flag("with_counters", false)?,
    };
    Ok((
        key.iter().map(|part| (part.place, part.mask)).collect(),
        program,
    ))
}

/// How many entries a table holds: those that the program itself sets, if it does.
fn load_size(node: &Node<'_>, entries: usize) -> Result<u32, LoadError> {
    let size = match (node.optional("entries")?, node.optional("max_size")?) {
        (None, Some(size)) => size.count("the size of a table", MAX_TABLE_SIZE)?,
        _ => node.at_most("the size of a table", entries, MAX_TABLE_SIZE)?,
    };
    u32::try_from(size).map_err(|_| node.invalid("a table of more than 2^32 entries"))
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

fn lookup_of(key: &[(MatchKind, u8)]) -> Lookup {
    match key {
        [] => Lookup::None,
        [(MatchKind::Exact, ..=64)] => Lookup::One,
        _ if key
            .iter()
            .all(|(kind, _)| matches!(kind, MatchKind::Exact | MatchKind::Lpm)) =>
        {
            Lookup::Hashed
        }
        _ => Lookup::Ordered,
    }
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
