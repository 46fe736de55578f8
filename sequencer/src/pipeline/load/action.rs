//! Actions and the primitives in them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::info::ParameterInfo;
use super::super::instruction::{Instruction, Operand, Place, Word};
use super::super::machine::DROP_PORT;
use super::expression::{Free, Tree, store};
use super::json::Node;
use super::{FIRST_PARAMETER, Loader, PARAMETERS, Parameters, index};

/// Indices into registers and counters are at most this wide, as in v1model.
const INDEX_BITS: u32 = 32;

/// An action of the JSON. Its code is emitted wherever it is called.
pub(super) struct Action<'a> {
    pub(super) name: String,
    pub(super) parameters: Vec<ParameterInfo>,
    /// Words of all parameters.
    pub(super) words: usize,
    places: Parameters,
    primitives: Vec<Node<'a>>,
}

impl Action<'_> {
    /// It does nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.primitives.is_empty()
    }
}

impl Loader<'_> {
    pub(super) fn load_actions(&mut self) -> Result<(), LoadError> {
        for node in self.root.list("actions")? {
            node.only(&["runtime_data", "primitives"])?;
            let id = node.get("id")?.unsigned()?;
            let mut parameters = Vec::new();
            let mut places = Parameters::default();
            let mut words = 0;
            for parameter in node.list("runtime_data")? {
                parameter.only(&["bitwidth"])?;
                let width_node = parameter.get("bitwidth")?;
                let width = u8::try_from(width_node.unsigned()?).ok();
                let width = width
                    .filter(|width| (1..=128).contains(width))
                    .ok_or_else(|| {
                        width_node.unsupported("a parameter of 0 or more than 128 bits")
                    })?;
                places.0.push((Word(FIRST_PARAMETER + words), width));
                words += if width > 64 { 2 } else { 1 };
                let limit = PARAMETERS.into();
                parameter.at_most("the words of an action's parameters", words.into(), limit)?;
                parameters.push(ParameterInfo {
                    name: parameter.name()?,
                    width: width.into(),
                });
            }
            let primitives = node.list("primitives")?;
            let name = node.name()?;
            let words = usize::from(words);
            let action = Rc::new(Action {
                name,
                parameters,
                words,
                places,
                primitives,
            });
            // Also what no table calls must be implemented; its code is dropped again.
            let start = self.code.len();
            self.emit_action(&node, &action)?;
            self.code.truncate(start);
            self.exits.clear();
            if self.actions.insert(id, action).is_some() {
                return Err(node.invalid(format!("action id {id} stands twice")));
            }
        }
        Ok(())
    }

    /// Emits an action's primitives. Whoever calls it says what comes after.
    pub(super) fn emit_action(
        &mut self,
        node: &Node<'_>,
        action: &Action<'_>,
    ) -> Result<(), LoadError> {
        // Where each primitive begins; jumps go to primitives.
        let mut begins = Vec::new();
        let mut jumps = Vec::new();
        let count = action.primitives.len();
        let mut exits = false;
        for (number, node) in action.primitives.iter().enumerate() {
            begins.push(self.here(node)?);
            node.only(&["op", "parameters"])?;
            let name = node.get("op")?;
            let given = node.list("parameters")?;
            match name.string()? {
                "_jump" => {
                    let [target] = exactly_these(node, &given)?;
                    jumps.push((self.code.len(), jump_target(target, number, count)?));
                    self.code.push(Instruction::Jump { target: 0 });
                }
                "_jump_if_zero" => {
                    let [condition, target] = exactly_these(node, &given)?;
                    let tree = self.number(condition, &action.places)?;
                    let mut branches = Vec::new();
                    self.branch(condition, &tree, false, &mut branches)?;
                    let target = jump_target(target, number, count)?;
                    jumps.extend(branches.into_iter().map(|at| (at, target)));
                }
                "exit" => {
                    let [] = exactly_these(node, &given)?;
                    exits = true;
                    self.mark_exit(node)?;
                }
                _ => self.primitive(node, &name, &given, &action.places)?,
            }
        }
        begins.push(self.here(node)?);
        for (at, to) in jumps {
            self.code[at].aim(begins[to]);
        }
        if exits {
            self.leave_if_marked(node)?;
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
                let index = self.exactly(cell, &tree, INDEX_BITS, Free::default())?;
                self.code.push(Instruction::Count { counter, index });
            }
            "modify_field_with_hash_based_offset" => self.hash(node, given, parameters)?,
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
            let (register, width) = self.register_parameter(second)?;
            let tree = self.number(third, parameters)?;
            let index = self.exactly(third, &tree, INDEX_BITS, Free::default())?;
            return self.register_read(first, to, (register, width), index);
        }
        let (register, width) = self.register_parameter(first)?;
        let tree = self.number(second, parameters)?;
        let index = self.exactly(second, &tree, INDEX_BITS, Free::default())?;
        let free = Free::default().after(Operand::Word(index));
        let tree = self.number(third, parameters)?;
        let value = self.low_bits(third, &tree, width, free)?;
        self.code.push(match value {
            Operand::Word(value) if width <= 64 => Instruction::RegisterWrite {
                register,
                index,
                value,
            },
            _ => Instruction::WideRegisterWrite {
                register,
                index,
                value,
            },
        });
        Ok(())
    }

    fn register_read(
        &mut self,
        node: &Node<'_>,
        to: Place,
        (register, register_width): (u16, u8),
        index: Word,
    ) -> Result<(), LoadError> {
        let free = Free::default().after(Operand::Word(index));
        match to {
            Place::Word { word: to, width } if register_width <= 64 => {
                self.code.push(Instruction::RegisterRead {
                    to,
                    width,
                    register,
                    index,
                });
            }
            Place::Word { word, width } => {
                let to = Operand::Word(word);
                self.code.push(Instruction::WideRegisterRead {
                    to,
                    width,
                    register,
                    index,
                });
            }
            Place::Pair { word, width } => {
                let to = Operand::Pair(word);
                self.code.push(Instruction::WideRegisterRead {
                    to,
                    width,
                    register,
                    index,
                });
            }
            Place::Header(field) => {
                // Through a temporary that starts as the field is: an index beyond the register
                // leaves the field alone.
                let to = self.loaded(node, field, free)?;
                let width = field.width;
                self.code.push(Instruction::WideRegisterRead {
                    to,
                    width,
                    register,
                    index,
                });
                self.code.push(match to {
                    Operand::Word(from) => store(field, from),
                    Operand::Pair(_) => Instruction::WideStore { field, from: to },
                });
            }
        }
        Ok(())
    }

    fn hash(
        &mut self,
        node: &Node<'_>,
        given: &[Node<'_>],
        parameters: &Parameters,
    ) -> Result<(), LoadError> {
        let [to, base, calculation, max] = exactly_these(node, given)?;
        let place = self.field_parameter(to)?;
        let width = place.width();
        if width > 64 {
            return Err(to.unsupported("a hash into more than 64 bits"));
        }
        let name = typed(calculation, "calculation")?;
        let calculation = self.calculations.get(name.string()?).copied();
        let calculation = calculation.ok_or_else(|| name.invalid("no such calculation"))?;
        let base_tree = self.number(base, parameters)?;
        let base = self.exactly(base, &base_tree, 64, Free::default())?;
        let free = Free::default().after(Operand::Word(base));
        let max_tree = self.number(max, parameters)?;
        let max_word = self.exactly(max, &max_tree, 64, free)?;
        let free = free.after(Operand::Word(max_word));
        let max = max_word;
        match place {
            Place::Word { word: to, .. } => {
                self.code.push(Instruction::Hash {
                    to,
                    width,
                    calculation,
                    base,
                    max,
                });
            }
            Place::Pair { .. } => return Err(to.unsupported("a hash into more than 64 bits")),
            Place::Header(field) => {
                if let Operand::Word(to) = self.loaded(node, field, free)? {
                    self.code.push(Instruction::Hash {
                        to,
                        width,
                        calculation,
                        base,
                        max,
                    });
                    self.code.push(store(field, to));
                }
            }
        }
        Ok(())
    }

    /// The drop port into `egress_spec`, and no multicast group.
    fn mark_to_drop(&mut self, node: &Node<'_>) -> Result<(), LoadError> {
        let name = typed(node, "header")?;
        let instance = self.layout.instance(&name)?;
        let spec = instance.member("egress_spec");
        let spec = spec.ok_or_else(|| name.invalid("a header without `egress_spec`"))?;
        let group = instance.member("mcast_grp");
        for (place, value) in [(Some(spec), DROP_PORT), (group, 0)] {
            if let Some(place) = place {
                self.assign(node, place, &Tree::number(value))?;
            }
        }
        Ok(())
    }

    /// bmv2 goes on with the action's other primitives after `exit` and leaves the control then.
    fn mark_exit(&mut self, node: &Node<'_>) -> Result<(), LoadError> {
        let to = match self.exit {
            Some(word) => word,
            None => self.layout.take_words(node, 1)?,
        };
        self.exit = Some(to);
        let from = self.constant_word(node, 1)?;
        self.code.push(Instruction::Move { to, from });
        Ok(())
    }

    /// Ends the control if an `exit` was met, and takes the mark away for the next control.
    fn leave_if_marked(&mut self, node: &Node<'_>) -> Result<(), LoadError> {
        let Some(word) = self.exit else { return Ok(()) };
        let mut unmarked = Vec::new();
        let tree = Tree::Field(Place::Word { word, width: 1 });
        self.branch(node, &tree, false, &mut unmarked)?;
        self.assign(node, Place::Word { word, width: 1 }, &Tree::number(0))?;
        self.exits.push(self.code.len());
        self.code.push(Instruction::Jump { target: 0 });
        self.aim_here(node, unmarked)
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

    /// A field that is written to.
    pub(super) fn field_parameter(&self, node: &Node<'_>) -> Result<Place, LoadError> {
        self.layout.written_field(&typed(node, "field")?)
    }

    fn header_parameter(&self, node: &Node<'_>) -> Result<u16, LoadError> {
        let name = typed(node, "header")?;
        self.layout.instance(&name)?.header(&name)
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
pub(super) fn exactly_these<'n, 'a, const N: usize>(
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
