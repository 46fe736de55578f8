//! Actions and the primitives in them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::field::Field;
use super::super::info::ParameterInfo;
use super::super::instruction::{Destination, Instruction, Operand, Operator, Test};
use super::super::machine::DROP_PORT;
use super::super::program::Code;
use super::expression::{Tree, after};
use super::json::Node;
use super::{Loader, Parameters, index, position};

/// Parameters of one action.
const MAX_PARAMETERS: usize = 256;

/// Indices into registers and counters are at most this wide, as in v1model.
const INDEX_BITS: u32 = 32;

/// An action of the JSON.
#[derive(Clone, Debug)]
pub(super) struct Action {
    pub(super) name: String,
    pub(super) parameters: Vec<ParameterInfo>,
    pub(super) words: usize,
    pub(super) code: Code,
}

impl Loader<'_> {
    pub(super) fn load_actions(&mut self) -> Result<(), LoadError> {
        for node in self.root.list("actions")? {
            node.only(&["runtime_data", "primitives"])?;
            let id = node.get("id")?.unsigned()?;
            let mut infos = Vec::new();
            let mut places = Parameters::default();
            let mut words = 0;
            let list = node.get("runtime_data")?;
            for parameter in list.items()? {
                parameter.only(&["bitwidth"])?;
                let width_node = parameter.get("bitwidth")?;
                let width = u8::try_from(width_node.unsigned()?).ok();
                let width = width
                    .filter(|width| (1..=128).contains(width))
                    .ok_or_else(|| {
                        width_node.unsupported("a parameter of 0 or more than 128 bits")
                    })?;
                places.0.push((index(&parameter, words)?, width));
                words += if width > 64 { 2 } else { 1 };
                infos.push(ParameterInfo {
                    name: parameter.name()?,
                    width: width.into(),
                });
                list.at_most("the parameters of an action", infos.len(), MAX_PARAMETERS)?;
            }
            let start = position(&node, self.code.len())?;
            self.load_primitives(&node.list("primitives")?, &places)?;
            let code = start..position(&node, self.code.len())?;
            let action = Action {
                name: node.name()?,
                parameters: infos,
                words,
                code,
            };
            if self.actions.insert(id, action).is_some() {
                return Err(node.invalid(format!("action id {id} stands twice")));
            }
        }
        Ok(())
    }

    fn load_primitives(
        &mut self,
        primitives: &[Node<'_>],
        parameters: &Parameters,
    ) -> Result<(), LoadError> {
        // Where each primitive begins; jumps go to primitives.
        let mut begins = Vec::new();
        let mut jumps = Vec::new();
        for (number, node) in primitives.iter().enumerate() {
            begins.push(self.code.len());
            node.only(&["op", "parameters"])?;
            let name = node.get("op")?;
            let given = node.list("parameters")?;
            match name.string()? {
                "_jump" => {
                    let [target] = exactly_these(node, &given)?;
                    jumps.push((
                        self.code.len(),
                        jump_target(target, number, primitives.len())?,
                    ));
                    self.code.push(Instruction::Jump { target: 0 });
                }
                "_jump_if_zero" => {
                    let [condition, target] = exactly_these(node, &given)?;
                    let tree = self.number(condition, parameters)?;
                    let test = self.condition(condition, &tree)?;
                    jumps.push((
                        self.code.len(),
                        jump_target(target, number, primitives.len())?,
                    ));
                    self.code.push(Instruction::JumpUnless { test, target: 0 });
                }
                _ => self.primitive(node, &name, &given, parameters)?,
            }
        }
        begins.push(self.code.len());
        for (at, to) in jumps {
            let to = u32::try_from(begins[to]).unwrap_or(u32::MAX);
            match &mut self.code[at] {
                Instruction::Jump { target } | Instruction::JumpUnless { target, .. } => {
                    *target = to;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A primitive that is not a jump.
    pub(super) fn primitive(
        &mut self,
        node: &Node<'_>,
        name: &Node<'_>,
        given: &[Node<'_>],
        parameters: &Parameters,
    ) -> Result<(), LoadError> {
        match name.string()? {
            "assign" => {
                let [to, from] = exactly_these(node, given)?;
                let to_field = self.field_parameter(to)?;
                let tree = self.number(from, parameters)?;
                self.assign(from, to_field, &tree)?;
            }
            "assign_header" => {
                let [to, from] = exactly_these(node, given)?;
                let (to, from) = (self.header_parameter(to)?, self.header_parameter(from)?);
                self.code.push(Instruction::CopyHeader { to, from });
                self.check_same_type(node, given)?;
            }
            "add_header" => {
                let [header] = exactly_these(node, given)?;
                let header = self.header_parameter(header)?;
                self.code.push(Instruction::SetValid { header });
            }
            "remove_header" => {
                let [header] = exactly_these(node, given)?;
                let header = self.header_parameter(header)?;
                self.code.push(Instruction::SetInvalid { header });
            }
            "mark_to_drop" => {
                let [metadata] = exactly_these(node, given)?;
                self.mark_to_drop(metadata)?;
            }
            "register_read" | "register_write" => {
                self.register_access(node, name.string()? == "register_write", given, parameters)?;
            }
            "count" => {
                let [counter, cell] = exactly_these(node, given)?;
                let counter = self.counter_parameter(counter)?;
                let tree = self.number(cell, parameters)?;
                let index = self.exactly(cell, &tree, INDEX_BITS, 0)?;
                self.code.push(Instruction::Count { counter, index });
            }
            "modify_field_with_hash_based_offset" => self.hash(node, given, parameters)?,
            "exit" => {
                let [] = exactly_these(node, given)?;
                self.code.push(Instruction::Exit);
            }
            "no_op" => {
                let [] = exactly_these(node, given)?;
            }
            other => return Err(name.unsupported(format!("primitive `{other}`"))),
        }
        Ok(())
    }

    fn register_access(
        &mut self,
        node: &Node<'_>,
        write: bool,
        given: &[Node<'_>],
        parameters: &Parameters,
    ) -> Result<(), LoadError> {
        let [first, second, third] = exactly_these(node, given)?;
        if !write {
            let to = self.field_parameter(first)?;
            let (register, _) = self.register_parameter(second)?;
            let tree = self.number(third, parameters)?;
            let index = self.exactly(third, &tree, INDEX_BITS, 0)?;
            self.code.push(Instruction::RegisterRead {
                to,
                register,
                index,
            });
            return Ok(());
        }
        let (register, width) = self.register_parameter(first)?;
        let tree = self.number(second, parameters)?;
        let index = self.exactly(second, &tree, INDEX_BITS, 0)?;
        let free = after(second, index, 0)?;
        let tree = self.number(third, parameters)?;
        let value = self.low_bits(third, &tree, width, free)?;
        self.code.push(Instruction::RegisterWrite {
            register,
            index,
            value,
        });
        Ok(())
    }

    fn hash(
        &mut self,
        node: &Node<'_>,
        given: &[Node<'_>],
        parameters: &Parameters,
    ) -> Result<(), LoadError> {
        let [to, base, calculation, max] = exactly_these(node, given)?;
        let to = self.field_parameter(to)?;
        if to.width > 64 {
            return Err(node.unsupported("a hash into more than 64 bits"));
        }
        let name = typed(calculation, "calculation")?;
        let calculation = self.calculations.get(name.string()?).copied();
        let calculation = calculation.ok_or_else(|| name.invalid("no such calculation"))?;
        let base_tree = self.number(base, parameters)?;
        let base_value = self.exactly(base, &base_tree, 64, 0)?;
        let free = after(base, base_value, 0)?;
        let max_tree = self.number(max, parameters)?;
        let max = self.exactly(max, &max_tree, 64, free)?;
        self.code.push(Instruction::Hash {
            to,
            calculation,
            base: base_value,
            max,
        });
        Ok(())
    }

    /// The drop port into `egress_spec`, and no multicast group.
    fn mark_to_drop(&mut self, node: &Node<'_>) -> Result<(), LoadError> {
        let name = typed(node, "header")?;
        let instance = self.layout.instance(&name)?;
        let spec = instance.member("egress_spec");
        let spec = spec.ok_or_else(|| name.invalid("a header without `egress_spec`"))?;
        let group = instance.member("mcast_grp");
        for (field, value) in [(Some(spec), DROP_PORT), (group, 0)] {
            if let Some(field) = field {
                let (to, from) = (Destination::Field(field), Operand::Constant(value));
                self.code.push(Instruction::Copy { to, from });
            }
        }
        Ok(())
    }

    fn check_same_type(&self, node: &Node<'_>, given: &[Node<'_>]) -> Result<(), LoadError> {
        let [to, from] = exactly_these(node, given)?;
        let left = self.layout.instance(&to.get("value")?)?;
        let right = self.layout.instance(&from.get("value")?)?;
        if left.same_type(right) {
            return Ok(());
        }
        Err(node.invalid("a header is assigned to one of another type"))
    }

    fn field_parameter(&self, node: &Node<'_>) -> Result<Field, LoadError> {
        self.layout.field(&typed(node, "field")?)
    }

    fn header_parameter(&self, node: &Node<'_>) -> Result<u16, LoadError> {
        let name = typed(node, "header")?;
        let instance = self.layout.instance(&name)?;
        if instance.metadata {
            return Err(name.unsupported("metadata used as a header"));
        }
        Ok(instance.index)
    }

    fn register_parameter(&self, node: &Node<'_>) -> Result<(u16, u8), LoadError> {
        let name = typed(node, "register_array")?;
        let wanted = name.string()?;
        let at = self
            .registers
            .iter()
            .position(|register| register.name == wanted);
        let at = at.ok_or_else(|| name.invalid(format!("no register `{wanted}`")))?;
        let width = u8::try_from(self.registers[at].width).unwrap_or(128);
        Ok((index(node, at)?, width))
    }

    fn counter_parameter(&self, node: &Node<'_>) -> Result<u16, LoadError> {
        let name = typed(node, "counter_array")?;
        let wanted = name.string()?;
        let at = self
            .counters
            .iter()
            .position(|counter| counter.name == wanted);
        index(
            node,
            at.ok_or_else(|| name.invalid(format!("no counter `{wanted}`")))?,
        )
    }

    /// A `verify` of the parser.
    pub(super) fn verify(&mut self, node: &Node<'_>, given: &[Node<'_>]) -> Result<(), LoadError> {
        let [condition, error] = exactly_these(node, given)?;
        let none = Parameters::default();
        let tree = self.truth(condition, &none)?;
        // The error is a constant; as an operand it needs no temporary of its own.
        let error_tree = self.number(error, &none)?;
        if !matches!(error_tree, Tree::Constant { .. } | Tree::Field(_)) {
            return Err(error.unsupported("an error code that is computed"));
        }
        let error = self.exactly(error, &error_tree, 64, 0)?;
        let test = if let Tree::Truth(truth) = tree {
            let left = Operand::Constant(truth.into());
            Test {
                operator: Operator::NotEqual,
                left,
                right: Operand::Constant(0),
            }
        } else {
            self.condition(condition, &tree)?
        };
        self.code.push(Instruction::Verify { test, error });
        Ok(())
    }
}

/// The value of `{"type": kind, "value": …}`.
pub(super) fn typed<'a>(node: &Node<'a>, kind: &str) -> Result<Node<'a>, LoadError> {
    node.only(&["type", "value"])?;
    let found = node.get("type")?;
    let name = found.string()?;
    if name != kind {
        return Err(found.unsupported(format!("`{name}` where a `{kind}` is expected")));
    }
    node.get("value")
}

/// Just `N` parameters.
fn exactly_these<'n, 'a, const N: usize>(
    node: &Node<'_>,
    given: &'n [Node<'a>],
) -> Result<&'n [Node<'a>; N], LoadError> {
    let problem = || node.invalid(format!("{} parameters instead of {N}", given.len()));
    given.try_into().map_err(|_| problem())
}

/// The number of the primitive a jump goes to: a later one, or the end.
fn jump_target(node: &Node<'_>, from: usize, count: usize) -> Result<usize, LoadError> {
    let (negative, target) = typed(node, "hexstr")?.hex()?;
    let target = usize::try_from(target)
        .ok()
        .filter(|target| !negative && *target <= count);
    let target = target.ok_or_else(|| node.invalid("a jump out of its action".to_owned()))?;
    if target <= from {
        return Err(node.unsupported("a jump backwards (a loop)"));
    }
    Ok(target)
}
