//! Pipelines: conditions and tables in the order in which packets may meet them.
//!
//! A pipeline of the JSON is a graph without cycles. It becomes one stretch of code: its nodes stand
//! in topological order, so that jumps go forward only, a node's usual successor right behind it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::info::TableInfo;
use super::super::instruction::{Branch, Instruction};
use super::super::machine::DROP_PORT;
use super::super::program::{Address, Intrinsic, TableProgram};
use super::super::table::StoredKey;
use super::json::Node;
use super::table::Loaded;
use super::{Loader, Parameters};

/// Tables and conditions of one pipeline.
const MAX_NODES: usize = 16_384;

/// What a table starts with.
pub(super) struct Start {
    pub(super) default: (u16, Vec<u64>),
    pub(super) entries: Vec<(StoredKey, u16, Vec<u64>)>,
}

/// All pipelines, flat.
#[derive(Default)]
pub(super) struct Controls {
    pub(super) tables: Vec<TableProgram>,
    pub(super) infos: Vec<TableInfo>,
    pub(super) starts: Vec<Start>,
    pub(super) ingress: Address,
    pub(super) egress: Address,
}

/// What comes after: a node of the pipeline, or its end.
pub(super) type Next = Option<usize>;

/// Names of nodes within one pipeline.
pub(super) type Names = BTreeMap<String, usize>;

/// A table or a condition of the JSON.
pub(super) enum GraphNode<'a> {
    Table(Loaded<'a>),
    Condition {
        expression: Node<'a>,
        yes: Next,
        no: Next,
    },
}

impl GraphNode<'_> {
    fn successors(&self) -> Vec<usize> {
        match self {
            Self::Condition { yes, no, .. } => yes.iter().chain(no).copied().collect(),
            Self::Table(table) => {
                let actions = table.actions.iter();
                actions
                    .flat_map(|action| action.on_hit.into_iter().chain(action.on_miss))
                    .collect()
            }
        }
    }
}

/// An address that is not known yet.
pub(super) enum Pending {
    /// The jump at this place in the code.
    Jump(usize),
    /// The code of an action of a table that has none of its own.
    Action {
        table: usize,
        choice: usize,
        hit: bool,
    },
}

/// A pipeline while its code is emitted.
pub(super) struct Emission {
    pub(super) pending: Vec<(Pending, Next)>,
    /// The node that stands behind the one being emitted.
    pub(super) following: Next,
}

impl<'a> Loader<'a> {
    /// Emits parser and controls.
    pub(super) fn load_pipelines(&mut self, intrinsic: &Intrinsic) -> Result<Controls, LoadError> {
        let mut controls = Controls::default();
        let (ingress, egress) = self.pipelines()?;

        controls.ingress = self.emit_parser(intrinsic.parser_error)?;
        self.emit_verification(intrinsic.checksum_error.word)?;
        self.load_pipeline(&ingress, &mut controls)?;
        self.code.push(Instruction::End);

        controls.egress = self.here(&egress)?;
        self.load_pipeline(&egress, &mut controls)?;
        // Dropped copies need no checksums.
        let left = intrinsic.egress_spec.word;
        let right = self.constant_word(&egress, DROP_PORT)?;
        let dropped = self.code.len();
        self.code.push(Instruction::JumpIfEqual(Branch {
            left,
            right,
            target: 0,
        }));
        self.emit_update()?;
        self.aim_here(&egress, vec![dropped])?;
        self.code.push(Instruction::End);

        let counting = |name: &String| {
            controls
                .infos
                .iter()
                .any(|info| info.counts && info.name == *name)
        };
        if let Some(name) = self.directly_counted.iter().find(|name| !counting(name)) {
            let problem = format!("a direct counter for `{name}`, which is no counting table");
            return Err(self.root.get("counter_arrays")?.invalid(problem));
        }
        Ok(controls)
    }

    /// The pipelines `ingress` and `egress`; there may be no others.
    fn pipelines(&self) -> Result<(Node<'a>, Node<'a>), LoadError> {
        let (mut ingress, mut egress) = (None, None);
        for node in self.root.list("pipelines")? {
            let name = node.get("name")?;
            let seen = match name.string()? {
                "ingress" => ingress.replace(node),
                "egress" => egress.replace(node),
                other => return Err(name.unsupported(format!("pipeline `{other}`"))),
            };
            if seen.is_some() {
                return Err(name.invalid("a pipeline of this name stands twice"));
            }
        }
        let missing = || {
            self.root
                .invalid("there must be the pipelines `ingress` and `egress`")
        };
        Ok((ingress.ok_or_else(missing)?, egress.ok_or_else(missing)?))
    }

    /// Emits one pipeline. What is emitted next runs when it is over.
    fn load_pipeline(&mut self, node: &Node<'a>, controls: &mut Controls) -> Result<(), LoadError> {
        node.only(&[
            "init_table",
            "tables",
            "action_profiles",
            "conditionals",
            "action_calls",
        ])?;
        node.empty("action_profiles", "an action profile")?;
        node.empty("action_calls", "an action call")?;
        let tables = node.list("tables")?;
        let conditions = node.list("conditionals")?;
        let count = tables.len() + conditions.len();
        node.at_most("the number of tables and conditions", count, MAX_NODES)?;
        // Names first: nodes refer to later ones.
        let mut names = Names::new();
        for (at, named) in tables.iter().chain(&conditions).enumerate() {
            if names.insert(named.name()?, at).is_some() {
                return Err(named.invalid("a table or condition of this name stands twice"));
            }
        }
        let mut graph = Vec::new();
        for table in &tables {
            graph.push(GraphNode::Table(self.load_table(table, &names, controls)?));
        }
        for condition in &conditions {
            condition.only(&["expression", "true_next", "false_next"])?;
            let expression = condition.get("expression")?;
            let yes = next_node(&names, condition.optional("true_next")?.as_ref())?;
            let no = next_node(&names, condition.optional("false_next")?.as_ref())?;
            graph.push(GraphNode::Condition {
                expression,
                yes,
                no,
            });
        }
        let start = next_node(&names, node.optional("init_table")?.as_ref())?;
        self.emit_pipeline(node, &graph, start, controls)
    }

    fn emit_pipeline(
        &mut self,
        node: &Node<'_>,
        graph: &[GraphNode<'_>],
        start: Next,
        controls: &mut Controls,
    ) -> Result<(), LoadError> {
        let successors: Vec<_> = graph.iter().map(GraphNode::successors).collect();
        let order = topological_order(&successors, start)
            .ok_or_else(|| node.unsupported("a loop of tables or conditions"))?;
        let mut emission = Emission {
            pending: Vec::new(),
            following: None,
        };
        let mut addresses = vec![0; graph.len()];
        emission.following = order.first().copied();
        self.go_on(start, &mut emission);
        for (place, &at) in order.iter().enumerate() {
            addresses[at] = self.here(node)?;
            emission.following = order.get(place + 1).copied();
            match &graph[at] {
                GraphNode::Condition {
                    expression,
                    yes,
                    no,
                } => {
                    self.emit_condition(expression, (*yes, *no), &mut emission)?;
                }
                GraphNode::Table(table) => self.emit_table(table, controls, &mut emission)?,
            }
        }
        let end = self.here(node)?;
        for exit in core::mem::take(&mut self.exits) {
            self.code[exit].aim(end);
        }
        for (pending, next) in emission.pending {
            let address = next.map_or(end, |at| addresses[at]);
            match pending {
                Pending::Jump(at) => self.code[at].aim(address),
                Pending::Action { table, choice, hit } => {
                    let action = &mut controls.tables[table].actions[choice];
                    *(if hit {
                        &mut action.on_hit
                    } else {
                        &mut action.on_miss
                    }) = address;
                }
            }
        }
        Ok(())
    }

    fn emit_condition(
        &mut self,
        expression: &Node<'_>,
        (yes, no): (Next, Next),
        emission: &mut Emission,
    ) -> Result<(), LoadError> {
        let tree = self.truth(expression, &Parameters::default())?;
        // Jump to the one, go on with the other: that which stands behind, if one does.
        let jump_if = emission.following.is_some() && emission.following == no;
        let (jumped_to, other) = if jump_if { (yes, no) } else { (no, yes) };
        let mut jumps = Vec::new();
        self.branch(expression, &tree, jump_if, &mut jumps)?;
        let jumps = jumps.into_iter().map(|at| (Pending::Jump(at), jumped_to));
        emission.pending.extend(jumps);
        self.go_on(other, emission);
        Ok(())
    }

    /// Goes on with a node: by a jump, unless it stands right behind.
    pub(super) fn go_on(&mut self, next: Next, emission: &mut Emission) {
        if next.is_none() || next != emission.following {
            self.jump_to(next, emission);
        }
    }

    /// Jumps to a node.
    pub(super) fn jump_to(&mut self, next: Next, emission: &mut Emission) {
        emission
            .pending
            .push((Pending::Jump(self.code.len()), next));
        self.code.push(Instruction::Jump { target: 0 });
    }
}

pub(super) fn next_node(names: &Names, node: Option<&Node<'_>>) -> Result<Next, LoadError> {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Ok(None);
    };
    let name = node.string()?;
    let at = names.get(name).copied();
    Ok(Some(at.ok_or_else(|| {
        node.invalid(format!("no table or condition `{name}`"))
    })?))
}

/// All nodes, each before its successors, if possible beginning with `start`; `None` if there is a
/// cycle.
/// Keeps its own stack: graphs can be deep.
pub(super) fn topological_order(successors: &[Vec<usize>], start: Next) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; successors.len()];
    let mut finished = Vec::new();
    // Nodes that nothing leads to come last in the result: they are finished first.
    let roots = (0..successors.len())
        .filter(|at| Some(*at) != start)
        .chain(start);
    for root in roots {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        let mut stack = vec![(root, 0)];
        while let Some((at, tried)) = stack.last_mut() {
            let Some(&next) = successors[*at].get(*tried) else {
                marks[*at] = Mark::Done;
                finished.push(*at);
                stack.pop();
                continue;
            };
            *tried += 1;
            match marks[next] {
                Mark::New => {
                    marks[next] = Mark::Open;
                    stack.push((next, 0));
                }
                Mark::Open => return None,
                Mark::Done => {}
            }
        }
    }
    finished.reverse();
    Some(finished)
}
