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
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use self::action::Action;
use self::json::Node;
use self::layout::Layout;
use super::error::LoadError;
use super::info::{CounterInfo, ProgramInfo, RegisterInfo};
use super::instruction::Instruction;
use super::program::Program;
use super::state::{CounterValue, Externs, Groups, Live, Register, State};
use super::table::Table;

/// Cells of all registers together, and of all counters together.
const MAX_CELLS: usize = 1 << 22;

/// Words and widths of an action's parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(u16, u8)>);

impl Parameters {
    fn get(&self, number: usize) -> Option<(u16, u8)> {
        self.0.get(number).copied()
    }
}

/// What is known so far.
pub(super) struct Loader<'a> {
    root: Node<'a>,
    layout: Layout,
    code: Vec<Instruction>,
    wide_constants: Vec<u128>,
    registers: Vec<RegisterInfo>,
    counters: Vec<CounterInfo>,
    /// Tables that direct counters count for.
    directly_counted: Vec<String>,
    calculations: BTreeMap<String, u16>,
    /// By the `id` of the JSON.
    actions: BTreeMap<u64, Action>,
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
        wide_constants: Vec::new(),
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
        let parser = self.load_parser()?;
        let (verified, updated) = self.load_checksums()?;
        let deparser = self.load_deparser()?;
        self.load_actions()?;
        let controls = self.load_pipelines()?;

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
            fresh_vector: self.layout.fresh_vector,
            code: self.code,
            wide_constants: self.wide_constants,
            headers: self.layout.headers,
            intrinsic,
            parser,
            ingress: controls.ingress,
            egress: controls.egress,
            nodes: controls.nodes,
            tables: controls.tables,
            calculations,
            verified,
            updated,
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

/// An index of 16 bits; the lists it points into are bounded.
fn index(node: &Node<'_>, at: usize) -> Result<u16, LoadError> {
    u16::try_from(at)
        .ok()
        .filter(|at| *at != u16::MAX)
        .ok_or_else(|| node.unsupported("a list of more than 65534 elements"))
}

/// A position in the code.
fn position(node: &Node<'_>, at: usize) -> Result<u32, LoadError> {
    u32::try_from(at).map_err(|_| node.unsupported("a program of more than 2^32 instructions"))
}
