//! The parser's states.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::program::{END, KeyPart, NodeIndex, Parser, ParserCase, ParserState, ParserStep};
use super::action::typed;
use super::json::Node;
use super::{Loader, Parameters, index, position};

/// A state's key, byte-padded and concatenated, must fit this many bytes.
const MAX_KEY_BYTES: u32 = 16;
/// Bits that a lookahead may skip.
const MAX_LOOKAHEAD_BITS: usize = 16 * 1024;
/// States of the parser.
const MAX_STATES: usize = 4096;

impl Loader<'_> {
    pub(super) fn load_parser(&mut self) -> Result<Parser, LoadError> {
        let parsers = self.root.list("parsers")?;
        let node = match parsers.as_slice() {
            [node] => node,
            [] => return Err(self.root.invalid("there is no parser")),
            [_, second, ..] => return Err(second.unsupported("a second parser")),
        };
        node.only(&["init_state", "parse_states"])?;
        let list = node.get("parse_states")?;
        let nodes = list.items()?;
        list.at_most("the states of the parser", nodes.len(), MAX_STATES)?;
        let mut names = BTreeMap::new();
        for (at, state) in nodes.iter().enumerate() {
            if names
                .insert(state.get("name")?.string()?, index(state, at)?)
                .is_some()
            {
                return Err(state.invalid("a state of this name stands twice"));
            }
        }
        let start = state_index(&names, &node.get("init_state")?)?;
        let mut states = Vec::new();
        for state in &nodes {
            states.push(self.load_state(state, &names)?);
        }
        refuse_cycles(&list, &states)?;
        let (packet_too_short, invalid_argument, no_error) = self.core_errors()?;
        Ok(Parser {
            start,
            states,
            packet_too_short,
            invalid_argument,
            no_error,
        })
    }

    fn load_state(
        &mut self,
        node: &Node<'_>,
        names: &BTreeMap<&str, NodeIndex>,
    ) -> Result<ParserState, LoadError> {
        node.only(&["parser_ops", "transitions", "transition_key"])?;
        let mut steps = Vec::new();
        for operation in node.list("parser_ops")? {
            steps.push(self.load_step(&operation)?);
        }
        let mut key = Vec::new();
        for part in node.list("transition_key")? {
            key.push(self.load_key_part(&part)?);
        }
        let bytes: u32 = key.iter().map(KeyPart::bytes).sum();
        if bytes > MAX_KEY_BYTES {
            let construct = format!("a parser key of {bytes} bytes, over {MAX_KEY_BYTES}");
            return Err(node.unsupported(construct));
        }
        let mut cases = Vec::new();
        let mut otherwise = END;
        for transition in node.list("transitions")? {
            transition.only(&["type", "value", "mask", "next_state"])?;
            let next = state_index(names, &transition.get("next_state")?)?;
            let kind = transition.get("type")?;
            match kind.string()? {
                "default" => otherwise = next,
                "hexstr" if key.is_empty() => {
                    return Err(transition.invalid("a value without a key to compare it with"));
                }
                "hexstr" => {
                    let width = u8::try_from(bytes * 8).unwrap_or(128);
                    let value = transition.get("value")?.hex_of_width(width)?;
                    let mask = transition.optional("mask")?;
                    let mask = mask.map_or(Ok(u128::MAX), |mask| mask.hex_of_width(width))?;
                    cases.push(ParserCase {
                        value: value & mask,
                        mask,
                        next,
                    });
                }
                other => return Err(kind.unsupported(format!("a transition of type `{other}`"))),
            }
        }
        Ok(ParserState {
            steps,
            key,
            cases,
            otherwise,
        })
    }

    fn load_step(&mut self, node: &Node<'_>) -> Result<ParserStep, LoadError> {
        node.only(&["op", "parameters"])?;
        let operation = node.get("op")?;
        let given = node.list("parameters")?;
        let start = position(node, self.code.len())?;
        let none = Parameters::default();
        match (operation.string()?, given.as_slice()) {
            ("extract", [what]) => {
                let name = typed(what, "regular")?;
                let instance = self.layout.instance(&name)?;
                if instance.metadata {
                    return Err(name.invalid("metadata cannot be extracted"));
                }
                return Ok(ParserStep::Extract {
                    header: instance.index,
                });
            }
            ("set", [to, from]) => {
                let to = self.layout.field(&typed(to, "field")?)?;
                let kind = from.get("type")?;
                if kind.string()? == "lookahead" {
                    let (bit, width) = lookahead(&from.get("value")?)?;
                    return Ok(ParserStep::Lookahead { to, bit, width });
                }
                let tree = self.number(from, &none)?;
                self.assign(from, to, &tree)?;
            }
            ("verify", _) => self.verify(node, &given)?,
            ("advance", [bits]) => {
                let tree = self.number(bits, &none)?;
                let bits = self.exactly(bits, &tree, 64, 0)?;
                let code = start..position(node, self.code.len())?;
                return Ok(ParserStep::Advance { code, bits });
            }
            ("primitive", [call]) => {
                call.only(&["op", "parameters"])?;
                self.primitive(call, &call.get("op")?, &call.list("parameters")?, &none)?;
            }
            ("extract" | "set" | "advance" | "primitive", _) => {
                return Err(node.invalid(format!("{} parameters", given.len())));
            }
            (other, _) => {
                return Err(operation.unsupported(format!("parser operation `{other}`")));
            }
        }
        Ok(ParserStep::Run(start..position(node, self.code.len())?))
    }

    fn load_key_part(&self, node: &Node<'_>) -> Result<KeyPart, LoadError> {
        node.only(&["type", "value"])?;
        let kind = node.get("type")?;
        let value = node.get("value")?;
        match kind.string()? {
            "field" => Ok(KeyPart::Field(self.layout.field(&value)?)),
            "lookahead" => {
                let (bit, width) = lookahead(&value)?;
                Ok(KeyPart::Lookahead { bit, width })
            }
            other => Err(kind.unsupported(format!("a parser key of type `{other}`"))),
        }
    }

    /// The numbers of the errors that this switch raises itself. Those that the JSON does not list
    /// get numbers after the greatest that it lists, in the order of the core library.
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

fn lookahead(node: &Node<'_>) -> Result<(u32, u8), LoadError> {
    let [bit, width] = node.tuple()?;
    let bit = bit.count("the bits that a lookahead skips", MAX_LOOKAHEAD_BITS)?;
    let bits = u8::try_from(width.unsigned()?)
        .ok()
        .filter(|bits| (1..=128).contains(bits));
    let bits = bits.ok_or_else(|| width.unsupported("a lookahead of 0 or more than 128 bits"))?;
    Ok((u32::try_from(bit).unwrap_or(u32::MAX), bits))
}

fn state_index(names: &BTreeMap<&str, NodeIndex>, node: &Node<'_>) -> Result<NodeIndex, LoadError> {
    if node.is_null() {
        return Ok(END);
    }
    let name = node.string()?;
    names
        .get(name)
        .copied()
        .ok_or_else(|| node.invalid(format!("no parser state `{name}`")))
}

/// Without header stacks a state that comes back to itself can only be a mistake or never end.
fn refuse_cycles(node: &Node<'_>, states: &[ParserState]) -> Result<(), LoadError> {
    let successors = |at: usize| -> Vec<NodeIndex> {
        let cases = states[at].cases.iter().map(|case| case.next);
        cases.chain([states[at].otherwise]).collect()
    };
    if has_cycle(states.len(), successors) {
        return Err(node.unsupported("a loop of parser states"));
    }
    Ok(())
}

/// Whether a graph has a cycle. Counts predecessors instead of recursing: graphs can be long.
pub(super) fn has_cycle(count: usize, successors: impl Fn(usize) -> Vec<NodeIndex>) -> bool {
    let mut predecessors = vec![0_usize; count];
    let existing = |at: NodeIndex| Some(usize::from(at)).filter(|at| *at < count);
    for at in 0..count {
        for next in successors(at).into_iter().filter_map(existing) {
            predecessors[next] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..count).filter(|at| predecessors[*at] == 0).collect();
    let mut ordered = 0;
    while let Some(at) = ready.pop() {
        ordered += 1;
        for next in successors(at).into_iter().filter_map(existing) {
            predecessors[next] -= 1;
            if predecessors[next] == 0 {
                ready.push(next);
            }
        }
    }
    ordered < count
}
