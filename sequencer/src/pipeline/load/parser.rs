//! The parser: its states become code, in topological order, before that of ingress.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::field::wide_ones;
use super::super::instruction::{
    Branch, Instruction, Operand, Operator, Place, Three, Word, split,
};
use super::super::program::{Address, Slot};
use super::action::{exactly_these, typed};
use super::control::{Next, topological_order};
use super::expression::{Free, Size, Tree};
use super::json::Node;
use super::{Loader, Parameters};

/// A state's key, byte-padded and concatenated, must fit this many bytes.
const MAX_KEY_BYTES: u32 = 16;
/// Bits that a lookahead may skip.
const MAX_LOOKAHEAD_BITS: usize = 16 * 1024;
/// States of the parser.
const MAX_STATES: usize = 4096;

/// Names of states.
type Names<'a> = BTreeMap<&'a str, usize>;

/// Where a jump of the parser goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    State(usize),
    /// Parsing is over.
    Accept,
    /// Parsing is over, and the packet was too short.
    TooShort,
}

impl From<Next> for Target {
    fn from(next: Next) -> Self {
        next.map_or(Self::Accept, Self::State)
    }
}

/// One word of a state's key.
struct KeyWord {
    word: Word,
    /// Bits of the byte-padded key to the right of it.
    shift: u32,
    /// Bits of the field that are in it.
    width: u8,
    /// Bits of the key that are its own: the width padded to whole bytes.
    padded: u8,
}

/// A way from one state to another.
struct Transition {
    value: u128,
    mask: u128,
    next: Next,
}

/// The parser while its code is emitted.
struct Emission {
    pending: Vec<(usize, Target)>,
    error: Slot,
    invalid_argument: u64,
}

impl Loader<'_> {
    /// Emits the parser. What is emitted next runs when it is over.
    pub(super) fn emit_parser(&mut self, error: Slot) -> Result<Address, LoadError> {
        let root = self.root.clone();
        let parsers = root.list("parsers")?;
        let node = match parsers.as_slice() {
            [node] => node,
            [] => return Err(root.invalid("there is no parser")),
            [_, second, ..] => return Err(second.unsupported("a second parser")),
        };
        node.only(&["init_state", "parse_states"])?;
        let list = node.get("parse_states")?;
        let nodes = list.items()?;
        list.at_most("the states of the parser", nodes.len(), MAX_STATES)?;
        let mut names = Names::new();
        for (at, state) in nodes.iter().enumerate() {
            if names.insert(state.get("name")?.string()?, at).is_some() {
                return Err(state.invalid("a state of this name stands twice"));
            }
        }
        let mut successors = Vec::new();
        for state in &nodes {
            let (transitions, otherwise) = load_transitions(state, &names)?;
            let next = transitions.iter().filter_map(|transition| transition.next);
            successors.push(next.chain(otherwise).collect());
        }
        let start = state_index(&names, &node.get("init_state")?)?;
        // Without header stacks a loop can only be a mistake, or never end.
        let order = topological_order(&successors, start)
            .ok_or_else(|| list.unsupported("a loop of parser states"))?;

        let (too_short, invalid_argument, no_error) = self.core_errors()?;
        let mut emission = Emission {
            pending: Vec::new(),
            error,
            invalid_argument,
        };
        let begin = self.here(node)?;
        self.assign(node, place_of(error), &Tree::number(no_error))?;
        self.jump(start.into(), &mut emission);
        let mut addresses = vec![0; nodes.len()];
        for at in order {
            addresses[at] = self.here(node)?;
            self.emit_state(&nodes[at], &names, &mut emission)?;
        }
        let short = self.here(node)?;
        self.assign(node, place_of(error), &Tree::number(too_short))?;
        let accept = self.here(node)?;
        for (at, target) in emission.pending {
            self.code[at].aim(match target {
                Target::State(state) => addresses[state],
                Target::Accept => accept,
                Target::TooShort => short,
            });
        }
        Ok(begin)
    }

    fn jump(&mut self, target: Target, emission: &mut Emission) {
        emission.pending.push((self.code.len(), target));
        self.code.push(Instruction::Jump { target: 0 });
    }

    fn emit_state(
        &mut self,
        node: &Node<'_>,
        names: &Names<'_>,
        emission: &mut Emission,
    ) -> Result<(), LoadError> {
        node.only(&["parser_ops", "transitions", "transition_key"])?;
        for operation in node.list("parser_ops")? {
            self.emit_operation(&operation, emission)?;
        }
        let key = self.emit_key_words(node, emission)?;
        let (transitions, otherwise) = load_transitions(node, names)?;
        for transition in transitions {
            self.emit_transition(node, &key, &transition, emission)?;
        }
        self.jump(otherwise.into(), emission);
        Ok(())
    }

    fn emit_operation(
        &mut self,
        node: &Node<'_>,
        emission: &mut Emission,
    ) -> Result<(), LoadError> {
        node.only(&["op", "parameters"])?;
        let operation = node.get("op")?;
        let given = node.list("parameters")?;
        let none = Parameters::default();
        match operation.string()? {
            "extract" => {
                let [what] = exactly_these(node, &given)?;
                let name = typed(what, "regular")?;
                let header = self.layout.instance(&name)?.header(&name)?;
                emission.pending.push((self.code.len(), Target::TooShort));
                self.code.push(Instruction::Extract { header, short: 0 });
            }
            "set" => {
                let [to, from] = exactly_these(node, &given)?;
                let to = self.field_parameter(to)?;
                if from.get("type")?.string()? == "lookahead" {
                    let value = from.get("value")?;
                    let found = self.emit_lookahead(&value, Free::default(), emission)?;
                    let fits = found.1 <= to.width();
                    self.move_to(self.code.len(), to, found.0, fits);
                } else {
                    let tree = self.number(from, &none)?;
                    self.assign(from, to, &tree)?;
                }
            }
            "verify" => {
                let [condition, error] = exactly_these(node, &given)?;
                let tree = self.truth(condition, &none)?;
                let mut holds = Vec::new();
                self.branch(condition, &tree, true, &mut holds)?;
                let error_tree = self.number(error, &none)?;
                self.assign(error, place_of(emission.error), &error_tree)?;
                self.jump(Target::Accept, emission);
                self.aim_here(node, holds)?;
            }
            "advance" => {
                let [bits] = exactly_these(node, &given)?;
                self.emit_advance(bits, emission)?;
            }
            "primitive" => {
                let [call] = exactly_these(node, &given)?;
                call.only(&["op", "parameters"])?;
                self.primitive(call, &call.get("op")?, &call.list("parameters")?, &none)?;
            }
            other => return Err(operation.unsupported(format!("parser operation `{other}`"))),
        }
        Ok(())
    }

    /// Skips bits: whole bytes, or the packet is refused with an error.
    fn emit_advance(&mut self, node: &Node<'_>, emission: &mut Emission) -> Result<(), LoadError> {
        let tree = self.number(node, &Parameters::default())?;
        let bits = self.exactly(node, &tree, 64, Free::default())?;
        let free = Free::default().after(Operand::Word(bits));
        let Operand::Word(to) = free.take(node, Size::Narrow)? else {
            return Ok(());
        };
        let (seven, three, zero) = (
            self.constant_word(node, 7)?,
            self.constant_word(node, 3)?,
            self.constant_word(node, 0)?,
        );
        self.code.push(Instruction::And(Three {
            to,
            width: 64,
            left: bits,
            right: seven,
        }));
        let whole = self.code.len();
        self.code.push(Instruction::JumpIfEqual(Branch {
            left: to,
            right: zero,
            target: 0,
        }));
        let error = Tree::number(emission.invalid_argument);
        self.assign(node, place_of(emission.error), &error)?;
        self.jump(Target::Accept, emission);
        self.aim_here(node, vec![whole])?;
        self.code.push(Instruction::ShiftRight(Three {
            to,
            width: 64,
            left: bits,
            right: three,
        }));
        emission.pending.push((self.code.len(), Target::TooShort));
        self.code.push(Instruction::Advance {
            bytes: to,
            short: 0,
        });
        Ok(())
    }

    /// Bits to come, into temporaries; gives them and their width.
    fn emit_lookahead(
        &mut self,
        node: &Node<'_>,
        free: Free,
        emission: &mut Emission,
    ) -> Result<(Operand, u8), LoadError> {
        let [bit_node, width_node] = node.tuple()?;
        let bit = bit_node.count("the bits that a lookahead skips", MAX_LOOKAHEAD_BITS)?;
        let bit = u16::try_from(bit).map_err(|_| bit_node.invalid("more than 65535 bits"))?;
        let width = u8::try_from(width_node.unsigned()?).ok();
        let width = width
            .filter(|width| (1..=128).contains(width))
            .ok_or_else(|| width_node.unsupported("a lookahead of 0 or more than 128 bits"))?;
        let to = free.take(node, if width > 64 { Size::Wide } else { Size::Narrow })?;
        emission.pending.push((self.code.len(), Target::TooShort));
        self.code.push(Instruction::Lookahead {
            to,
            width,
            bit,
            short: 0,
        });
        Ok((to, width))
    }

    /// Emits the loads of a state's key; gives its words, the first the most significant.
    fn emit_key_words(
        &mut self,
        node: &Node<'_>,
        emission: &mut Emission,
    ) -> Result<Vec<KeyWord>, LoadError> {
        let mut words: Vec<KeyWord> = Vec::new();
        let mut free = Free::default();
        for part in node.list("transition_key")? {
            part.only(&["type", "value"])?;
            let kind = part.get("type")?;
            let value = part.get("value")?;
            let (operand, width) = match kind.string()? {
                "field" => {
                    let place = self.layout.field(&value)?;
                    let tree = Tree::Field(place);
                    (
                        self.low_bits(&part, &tree, place.width(), free)?,
                        place.width(),
                    )
                }
                "lookahead" => self.emit_lookahead(&value, free, emission)?,
                other => {
                    return Err(kind.unsupported(format!("a parser key of type `{other}`")));
                }
            };
            free = free.after(operand);
            let padded = width.next_multiple_of(8);
            for word in &mut words {
                word.shift += u32::from(padded);
            }
            match operand {
                Operand::Word(word) => words.push(KeyWord {
                    word,
                    shift: 0,
                    width,
                    padded,
                }),
                Operand::Pair(word) => words.extend([
                    KeyWord {
                        word,
                        shift: 64,
                        width: width - 64,
                        padded: padded - 64,
                    },
                    KeyWord {
                        word: word.next(),
                        shift: 0,
                        width: 64,
                        padded: 64,
                    },
                ]),
            }
        }
        let bits = words
            .first()
            .map_or(0, |first| first.shift + u32::from(first.padded));
        if bits > MAX_KEY_BYTES * 8 {
            let construct = format!("a parser key of {} bytes, over {MAX_KEY_BYTES}", bits / 8);
            return Err(node.unsupported(construct));
        }
        Ok(words)
    }

    /// Goes to a state if the key has a value; else goes on behind.
    fn emit_transition(
        &mut self,
        node: &Node<'_>,
        key: &[KeyWord],
        transition: &Transition,
        emission: &mut Emission,
    ) -> Result<(), LoadError> {
        if key.is_empty() {
            return Err(node.invalid("a transition on a value without a key"));
        }
        let bits = key
            .first()
            .map_or(0, |first| first.shift + u32::from(first.padded));
        let beyond = !wide_ones(u8::try_from(bits).unwrap_or(128));
        if transition.value & beyond != 0 {
            return Err(node.invalid(format!("a transition's value is wider than {bits} bits")));
        }
        // (word, mask or everything, value): what must be equal.
        let mut tests = Vec::new();
        for part in key {
            let own = |bits: u128| split((bits >> part.shift) & wide_ones(part.padded)).1;
            let (value, mask) = (
                own(transition.value & transition.mask),
                own(transition.mask),
            );
            let field = split(wide_ones(part.width)).1;
            if value & !field != 0 {
                // Padding is always 0: this value never comes.
                return Ok(());
            }
            match mask & field {
                0 => {}
                kept if kept == field => tests.push((part.word, None, value)),
                kept => tests.push((part.word, Some(kept), value)),
            }
        }
        let next = transition.next.into();
        if let [(left, None, value)] = tests.as_slice() {
            let branch = Branch {
                left: *left,
                right: self.constant_word(node, *value)?,
                target: 0,
            };
            emission.pending.push((self.code.len(), next));
            self.code.push(Instruction::JumpIfEqual(branch));
            return Ok(());
        }
        let mut past = Vec::new();
        for (word, mask, value) in tests {
            let left = match mask {
                None => word,
                Some(mask) => self.masked(node, word, mask, key)?,
            };
            let right = self.constant_word(node, value)?;
            past.push(self.code.len());
            self.code.push(Instruction::JumpIfNotEqual(Branch {
                left,
                right,
                target: 0,
            }));
        }
        self.jump(next, emission);
        self.aim_here(node, past)
    }

    /// A key word with only some of its bits, in a temporary behind the key's own.
    fn masked(
        &mut self,
        node: &Node<'_>,
        left: Word,
        mask: u64,
        key: &[KeyWord],
    ) -> Result<Word, LoadError> {
        let free = key.iter().fold(Free::default(), |free, part| {
            free.after(Operand::Word(part.word))
        });
        let Operand::Word(to) = free.take(node, Size::Narrow)? else {
            return Err(node.invalid("a key word of two words"));
        };
        let right = self.constant_word(node, mask)?;
        self.code.push(Instruction::narrow(
            Operator::And,
            Three {
                to,
                width: 64,
                left,
                right,
            },
        ));
        Ok(to)
    }

    /// The numbers of `PacketTooShort`, `ParserInvalidArgument` and `NoError`. Errors that the JSON
    /// does not list get numbers after the greatest that it lists, in the order of the core library.
    fn core_errors(&self) -> Result<(u64, u64, u64), LoadError> {
        const CORE: [&str; 7] = [
            "NoError",
            "PacketTooShort",
            "NoMatch",
            "StackOutOfBounds",
            "HeaderTooShort",
            "ParserTimeout",
            "ParserInvalidArgument",
        ];
        let mut numbers = BTreeMap::new();
        let mut next = 0;
        for error in self.root.optional_list("errors")? {
            let [name, number] = error.tuple()?;
            let number = number.count("an error code", 0x7FFF_FFFE)? as u64;
            numbers.insert(name.string()?, number);
            next = next.max(number + 1);
        }
        for name in CORE {
            if !numbers.contains_key(name) {
                numbers.insert(name, next);
                next += 1;
            }
        }
        Ok((
            numbers["PacketTooShort"],
            numbers["ParserInvalidArgument"],
            numbers["NoError"],
        ))
    }
}

/// A state's transitions on values, and where it goes otherwise.
fn load_transitions(
    node: &Node<'_>,
    names: &Names<'_>,
) -> Result<(Vec<Transition>, Next), LoadError> {
    let mut transitions = Vec::new();
    let mut otherwise = None;
    for transition in node.list("transitions")? {
        transition.only(&["type", "value", "mask", "next_state"])?;
        let next = state_index(names, &transition.get("next_state")?)?;
        let kind = transition.get("type")?;
        match kind.string()? {
            "default" => otherwise = next,
            "hexstr" => {
                let value = transition.get("value")?.hex_of_width(128)?;
                let mask = transition.optional("mask")?;
                let mask = mask.map_or(Ok(u128::MAX), |mask| mask.hex_of_width(128))?;
                transitions.push(Transition { value, mask, next });
            }
            other => return Err(kind.unsupported(format!("a transition of type `{other}`"))),
        }
    }
    Ok((transitions, otherwise))
}

fn place_of(slot: Slot) -> Place {
    Place::Word {
        word: slot.word,
        width: slot.width,
    }
}

fn state_index(names: &Names<'_>, node: &Node<'_>) -> Result<Next, LoadError> {
    if node.is_null() {
        return Ok(None);
    }
    let name = node.string()?;
    let at = names.get(name).copied();
    Ok(Some(at.ok_or_else(|| {
        node.invalid(format!("no parser state `{name}`"))
    })?))
}
