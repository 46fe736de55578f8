//! From the BMv2 JSON to the flat program.
//!
//! Follows the format description of bmv2 ("BMv2 JSON input format", version 2.x), in the order of
//! its sections: header types and headers (`layout`), parsers (`parser`), deparsers and checksums
//! (`checksum`), actions (`action`), pipelines (`control`). Every object may have only members that
//! are known here; whatever is not implemented is refused with its name and place.
//!
//! Sizes in the JSON are checked against limits before anything is allocated by them.

mod action;
mod checksum;
mod control;
mod expression;
mod json;
mod layout;
mod parser;
mod table;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use self::action::Action;
use self::control::Controls;
use self::json::Node;
use self::layout::Layout;
use super::error::LoadError;
use super::info::{CounterInfo, ProgramInfo, RegisterInfo};
use super::instruction::{Instruction, WORDS, Word};
use super::program::Program;
use super::state::{CounterValue, Externs, Groups, Live, Register, State};
use super::table::Table;

/// Cells of all registers together, and of all counters together.
const MAX_CELLS: usize = 1 << 22;

/// Instructions of the whole program.
const MAX_INSTRUCTIONS: usize = 1 << 20;

/// Words from here on hold the parameters of the running action; before them stands the packet's
/// metadata.
const FIRST_PARAMETER: u16 = 512;
/// Words that an action's parameters may have.
const PARAMETERS: u16 = 64;
/// Words from here on hold what an expression has computed so far.
const FIRST_TEMPORARY: u16 = FIRST_PARAMETER + PARAMETERS;
/// How many of them there are.
const TEMPORARIES: u16 = 32;
/// Words from here on hold constants.
const FIRST_CONSTANT: u16 = FIRST_TEMPORARY + TEMPORARIES;

/// First words and widths of an action's parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(Word, u8)>);

impl Parameters {
    fn get(&self, number: usize) -> Option<(Word, u8)> {
        self.0.get(number).copied()
    }
}

/// What is known so far.
pub(super) struct Loader<'a> {
    root: Node<'a>,
    layout: Layout,
    code: Vec<Instruction>,
    /// Constants, from [`FIRST_CONSTANT`] on.
    constants: Vec<u64>,
    /// A word that is 1 once `exit` was met, if any action has it.
    exit: Option<Word>,
    /// Jumps to the end of the pipeline whose code is being emitted.
    exits: Vec<usize>,
    registers: Vec<RegisterInfo>,
    counters: Vec<CounterInfo>,
    /// Tables that direct counters count for.
    directly_counted: Vec<String>,
    calculations: BTreeMap<String, u16>,
    /// By the `id` of the JSON.
    actions: BTreeMap<u64, Rc<Action<'a>>>,
}

/// Loads a program and the state it starts from.
pub(super) fn load(json: &[u8]) -> Result<(Program, State), LoadError> {
    let value: Value =
        serde_json::from_slice(json).map_err(|error| LoadError::NotJson(error.to_string()))?;
    let root = Node::root(&value);
    check_members(&root)?;
    let mut loader = Loader {
        layout: Layout::load(&root)?,
        root: root.clone(),
        code: Vec::new(),
        constants: Vec::new(),
        exit: None,
        exits: Vec::new(),
        registers: load_registers(&root)?,
        counters: Vec::new(),
        directly_counted: Vec::new(),
        calculations: BTreeMap::new(),
        actions: BTreeMap::new(),
    };
    loader.load_counters()?;
    loader.finish()
}

/// The members of the whole document; those that would mean more than is implemented must be empty.
fn check_members(root: &Node<'_>) -> Result<(), LoadError> {
    root.only(&[
        "program",
        "__meta__",
        "header_types",
        "headers",
        "header_stacks",
        "header_union_types",
        "header_unions",
        "header_union_stacks",
        "field_lists",
        "errors",
        "enums",
        "parsers",
        "parse_vsets",
        "deparsers",
        "meter_arrays",
        "counter_arrays",
        "register_arrays",
        "calculations",
        "learn_lists",
        "actions",
        "pipelines",
        "checksums",
        "force_arith",
        "extern_instances",
        "field_aliases",
    ])?;
    let version = root.get("__meta__")?.get("version")?;
    let [major, _] = version.tuple()?;
    if major.unsigned()? != 2 {
        return Err(version.unsupported(format!("version {} of the format", major.unsigned()?)));
    }
    root.empty("field_lists", "a field list (clone, resubmit, recirculate)")?;
    root.empty("parse_vsets", "a parser value set")?;
    root.empty("meter_arrays", "a meter")?;
    root.empty("learn_lists", "a digest")?;
    root.empty("extern_instances", "an extern instance")
    // `enums` and `force_arith` say nothing that changes what a packet sees.
}

impl Loader<'_> {
    fn finish(mut self) -> Result<(Program, State), LoadError> {
        let root = self.root.clone();
        let intrinsic = self.layout.intrinsics(&root)?;
        let calculations = self.load_calculations()?;
        let checksums = self.load_checksums()?;
        let deparser = self.load_deparser()?;
        self.load_actions()?;
        let mut controls = self.load_pipelines(&intrinsic)?;
        self.shorten_jumps(&mut controls);

        let registers = self.registers.iter();
        let externs = Externs {
            registers: registers
                .map(|info| {
                    let width = u8::try_from(info.width).unwrap_or(128);
                    Register::new(width, info.size as usize)
                })
                .collect(),
            counters: self
                .counters
                .iter()
                .map(|info| alloc::vec![CounterValue::default(); info.size as usize])
                .collect(),
        };
        let mut tables = Vec::new();
        for (program, start) in controls.tables.iter().zip(controls.starts) {
            let mut table = Table::new(program, start.default);
            for (key, choice, parameters) in start.entries {
                table.insert(&key, choice, &parameters);
            }
            tables.push(table);
        }
        let program = root
            .optional("program")?
            .map_or(Ok(""), |node| node.string())?
            .to_owned();
        let info = ProgramInfo {
            name: program,
            tables: controls.infos,
            registers: self.registers,
            counters: self.counters,
        };
        let program = Program {
            info,
            vector_bytes: self.layout.vector_bytes,
            packet_words: self.layout.packet_words,
            parameters: Word(FIRST_PARAMETER),
            constants: (FIRST_CONSTANT..).map(Word).zip(self.constants).collect(),
            code: self.code,
            headers: self.layout.headers,
            intrinsic,
            ingress: controls.ingress,
            egress: controls.egress,
            tables: controls.tables,
            calculations,
            checksums,
            deparser,
        };
        let live = Live { tables, externs };
        Ok((
            program,
            State {
                live,
                groups: Groups::default(),
            },
        ))
    }

    /// The address of the next instruction.
    fn here(&self, node: &Node<'_>) -> Result<u32, LoadError> {
        let at = node.at_most(
            "the instructions of the program",
            self.code.len(),
            MAX_INSTRUCTIONS,
        )?;
        u32::try_from(at).map_err(|_| node.invalid("more than 2^32 instructions"))
    }

    /// Lets jumps to jumps go where those go.
    fn shorten_jumps(&mut self, controls: &mut Controls) {
        // From the end: jumps go forward, so that all later ones are done already.
        for at in (0..self.code.len()).rev() {
            let mut instruction = self.code[at];
            if let Some(target) = instruction.target() {
                *target = self.final_target(*target);
                let stop = self.code.get(*target as usize) == Some(&Instruction::End);
                if stop && matches!(instruction, Instruction::Jump { .. }) {
                    instruction = Instruction::End;
                }
            }
            self.code[at] = instruction;
        }
        for action in controls
            .tables
            .iter_mut()
            .flat_map(|table| &mut table.actions)
        {
            action.on_hit = self.final_target(action.on_hit);
            action.on_miss = self.final_target(action.on_miss);
        }
    }

    fn final_target(&self, target: u32) -> u32 {
        match self.code.get(target as usize) {
            Some(Instruction::Jump { target }) => *target,
            _ => target,
        }
    }

    /// Aims jumps at the next instruction.
    fn aim_here(&mut self, node: &Node<'_>, jumps: Vec<usize>) -> Result<(), LoadError> {
        let here = self.here(node)?;
        for at in jumps {
            self.code[at].aim(here);
        }
        Ok(())
    }

    /// A word that holds a constant.
    fn constant_word(&mut self, node: &Node<'_>, value: u64) -> Result<Word, LoadError> {
        let known = self.constants.iter().position(|other| *other == value);
        let at = known.unwrap_or(self.constants.len());
        if at == self.constants.len() {
            self.constants.push(value);
        }
        constant_at(node, at)
    }

    /// The first of two words that hold a constant above 64 bits.
    fn constant_pair(&mut self, node: &Node<'_>, high: u64, low: u64) -> Result<Word, LoadError> {
        let known = self
            .constants
            .windows(2)
            .position(|pair| pair == [high, low]);
        let at = known.unwrap_or(self.constants.len());
        if at == self.constants.len() {
            self.constants.extend([high, low]);
        }
        constant_at(node, at + 1)?;
        constant_at(node, at)
    }

    /// The value of a word that holds a constant.
    fn constant_at(&self, word: Word) -> Option<u64> {
        let at = word.0.checked_sub(FIRST_CONSTANT)?;
        self.constants.get(usize::from(at)).copied()
    }

    fn load_counters(&mut self) -> Result<(), LoadError> {
        let mut cells = 0;
        for node in self.root.optional_list("counter_arrays")? {
            node.only(&["size", "is_direct", "binding"])?;
            let name = node.name()?;
            if node.flag("is_direct", false)? {
                self.directly_counted
                    .push(node.get("binding")?.string()?.to_owned());
                continue;
            }
            let size_node = node.get("size")?;
            let size = size_node.count("the size of a counter", MAX_CELLS)?;
            cells += size;
            size_node.at_most("the cells of all counters", cells, MAX_CELLS)?;
            unique(&node, &name, self.counters.iter().map(|other| &other.name))?;
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            self.counters.push(CounterInfo { name, size });
        }
        Ok(())
    }
}

fn load_registers(root: &Node<'_>) -> Result<Vec<RegisterInfo>, LoadError> {
    let mut registers: Vec<RegisterInfo> = Vec::new();
    let mut cells = 0;
    for node in root.optional_list("register_arrays")? {
        node.only(&["size", "bitwidth"])?;
        let name = node.name()?;
        let width_node = node.get("bitwidth")?;
        let width = width_node.unsigned()?;
        if !(1..=128).contains(&width) {
            return Err(width_node.unsupported(format!("a register of {width} bits")));
        }
        let size_node = node.get("size")?;
        let size = size_node.count("the size of a register", MAX_CELLS)?;
        cells += size;
        size_node.at_most("the cells of all registers", cells, MAX_CELLS)?;
        unique(&node, &name, registers.iter().map(|other| &other.name))?;
        let width = u16::try_from(width).unwrap_or(128);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        registers.push(RegisterInfo { name, width, size });
    }
    Ok(registers)
}

fn unique<'a>(
    node: &Node<'_>,
    name: &str,
    mut others: impl Iterator<Item = &'a String>,
) -> Result<(), LoadError> {
    if others.any(|other| other == name) {
        return Err(node.invalid(format!("`{name}` stands twice")));
    }
    Ok(())
}

fn constant_at(node: &Node<'_>, at: usize) -> Result<Word, LoadError> {
    let limit = WORDS - usize::from(FIRST_CONSTANT) - 1;
    let at = node.at_most("the number of constants", at, limit)?;
    let word = u16::try_from(at)
        .ok()
        .and_then(|at| FIRST_CONSTANT.checked_add(at));
    word.map(Word)
        .ok_or_else(|| node.invalid("more than 65535 constants"))
}

/// An index of 16 bits; the lists it points into are bounded.
fn index(node: &Node<'_>, at: usize) -> Result<u16, LoadError> {
    u16::try_from(at)
        .ok()
        .filter(|at| *at != u16::MAX)
        .ok_or_else(|| node.unsupported("a list of more than 65534 elements"))
}
