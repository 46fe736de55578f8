//! Pipelines: conditions, tables and what comes after them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::info::TableInfo;
use super::super::program::{END, Node as ControlNode, NodeIndex, TableProgram};
use super::super::table::StoredKey;
use super::json::Node;
use super::parser::has_cycle;
use super::{Loader, Parameters, index, position};

/// Tables and conditions of all pipelines.
const MAX_NODES: usize = 16_384;

/// What a table starts with.
pub(super) struct Start {
    pub(super) default: (u16, Vec<u64>),
    pub(super) entries: Vec<(StoredKey, u16, Vec<u64>)>,
}

/// All pipelines, flat.
#[derive(Default)]
pub(super) struct Controls {
    pub(super) nodes: Vec<ControlNode>,
    pub(super) tables: Vec<TableProgram>,
    pub(super) infos: Vec<TableInfo>,
    pub(super) starts: Vec<Start>,
    pub(super) ingress: NodeIndex,
    pub(super) egress: NodeIndex,
}

/// Names of nodes within one pipeline.
pub(super) type Names = BTreeMap<String, NodeIndex>;

impl Loader<'_> {
    pub(super) fn load_pipelines(&mut self) -> Result<Controls, LoadError> {
        let mut controls = Controls {
            ingress: END,
            egress: END,
            ..Controls::default()
        };
        let mut seen = Vec::new();
        for node in self.root.list("pipelines")? {
            let start = self.load_pipeline(&node, &mut controls)?;
            let name = node.get("name")?;
            match name.string()? {
                "ingress" => controls.ingress = start,
                "egress" => controls.egress = start,
                other => return Err(name.unsupported(format!("pipeline `{other}`"))),
            }
            if seen.contains(&name.string()?) {
                return Err(name.invalid("a pipeline of this name stands twice"));
            }
            seen.push(name.string()?);
        }
        if seen.len() != 2 {
            return Err(self
                .root
                .invalid("there must be the pipelines `ingress` and `egress`"));
        }
        let successors = |at: usize| successors(&controls, at);
        if has_cycle(controls.nodes.len(), successors) {
            return Err(self
                .root
                .get("pipelines")?
                .unsupported("a loop of tables or conditions"));
        }
        if let Some(name) = self.directly_counted.iter().find(|name| {
            !controls
                .infos
                .iter()
                .any(|info| info.counts && info.name == **name)
        }) {
            let problem = format!("a direct counter for `{name}`, which is no counting table");
            return Err(self.root.get("counter_arrays")?.invalid(problem));
        }
        Ok(controls)
    }

    fn load_pipeline(
        &mut self,
        node: &Node<'_>,
        controls: &mut Controls,
    ) -> Result<NodeIndex, LoadError> {
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
        let base = controls.nodes.len();
        let count = base + tables.len() + conditions.len();
        node.at_most("the number of tables and conditions", count, MAX_NODES)?;
        // Names first: nodes refer to later ones.
        let mut names = Names::new();
        for (at, named) in tables.iter().chain(&conditions).enumerate() {
            if names
                .insert(named.name()?, index(named, base + at)?)
                .is_some()
            {
                return Err(named.invalid("a table or condition of this name stands twice"));
            }
        }
        for table in &tables {
            let node = self.load_table(table, &names, controls)?;
            controls.nodes.push(node);
        }
        for condition in &conditions {
            condition.only(&["expression", "true_next", "false_next"])?;
            let start = position(condition, self.code.len())?;
            let expression = condition.get("expression")?;
            let tree = self.truth(&expression, &Parameters::default())?;
            let test = self.condition(&expression, &tree)?;
            let code = start..position(condition, self.code.len())?;
            let yes = next_node(&names, condition.optional("true_next")?.as_ref())?;
            let no = next_node(&names, condition.optional("false_next")?.as_ref())?;
            controls.nodes.push(ControlNode::Condition {
                code,
                test,
                yes,
                no,
            });
        }
        next_node(&names, node.optional("init_table")?.as_ref())
    }
}

pub(super) fn next_node(names: &Names, node: Option<&Node<'_>>) -> Result<NodeIndex, LoadError> {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Ok(END);
    };
    let name = node.string()?;
    names
        .get(name)
        .copied()
        .ok_or_else(|| node.invalid(format!("no table or condition `{name}`")))
}

fn successors(controls: &Controls, at: usize) -> Vec<NodeIndex> {
    match &controls.nodes[at] {
        ControlNode::Condition { yes, no, .. } => alloc::vec![*yes, *no],
        ControlNode::Call { next, .. } => alloc::vec![*next],
        ControlNode::Table(table) => controls.tables[usize::from(*table)]
            .actions
            .iter()
            .flat_map(|action| [action.next_on_hit, action.next_on_miss])
            .collect(),
    }
}
