//! Control flow: nodes, and tables with their keys.

use super::super::program::{END, Node, NodeIndex, Program};
use super::super::state::Live;
use super::super::table::{MAX_KEY_WORDS, split};
use super::Machine;

impl Machine {
    /// Runs a pipeline from its first node to its end or to an `exit`.
    pub(super) fn control(&mut self, program: &Program, live: &mut Live, start: NodeIndex) {
        self.exit = false;
        let mut at = start;
        while let Some(node) = program.nodes.get(usize::from(at)) {
            at = match node {
                Node::Condition {
                    code,
                    test,
                    yes,
                    no,
                } => {
                    self.run_whole(program, &mut live.externs, code, &[]);
                    if self.test(*test, &[]) { *yes } else { *no }
                }
                Node::Call {
                    code,
                    parameters,
                    next,
                } => {
                    self.run_whole(program, &mut live.externs, code, parameters);
                    *next
                }
                Node::Table(table) => self.apply(program, live, usize::from(*table)),
            };
            if self.exit {
                return;
            }
        }
        debug_assert!(at == END, "the loader resolves every next node");
    }

    fn apply(&mut self, program: &Program, live: &mut Live, table: usize) -> NodeIndex {
        let table_program = &program.tables[table];
        let entries = &mut live.tables[table];
        let mut words = [0; MAX_KEY_WORDS];
        for field in &table_program.key {
            if field.wide {
                let value = field.field.read_wide(&self.vector) & field.mask;
                (words[field.word], words[field.word + 1]) = split(value);
            } else {
                words[field.word] = field.field.read(&self.vector) & split(field.mask).1;
            }
        }
        let key = &words[..table_program.key_words];
        let found = entries.find(key, &table_program.key);
        if let Some(found) = found
            && table_program.direct_counter
        {
            entries.counter_mut(found.slot).count(self.ingress_length);
        }
        let (choice, parameters) = match found {
            Some(found) => (found.choice, entries.parameters(found.slot)),
            None => entries.default(),
        };
        let action = &table_program.actions[usize::from(choice)];
        self.run_whole(program, &mut live.externs, &action.code, parameters);
        if found.is_some() {
            action.next_on_hit
        } else {
            action.next_on_miss
        }
    }
}
