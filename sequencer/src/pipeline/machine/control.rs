//! Looking a table's key up.

use super::super::instruction::Word;
use super::super::program::{Address, Program};
use super::super::state::Live;
use super::super::table::{Found, MAX_KEY_WORDS};
use super::Machine;

impl Machine {
    /// Finds the packet's entry, puts the parameters of its action in place, and gives the address
    /// of the action's code.
    #[inline(never)]
    pub(super) fn apply(&mut self, program: &Program, live: &mut Live, table: u16) -> Address {
        let table_program = &program.tables[usize::from(table)];
        let mut key = [0; MAX_KEY_WORDS];
        for (to, word) in key.iter_mut().zip(&table_program.key) {
            *to = self.words.get(*word);
        }
        let key = &key[..table_program.key.len().min(MAX_KEY_WORDS)];
        let found = live.tables[usize::from(table)].find(key, &table_program.fields);
        self.act(program, live, table, found)
    }

    /// The same for a key of one exact word.
    #[inline]
    pub(super) fn apply_one(
        &mut self,
        program: &Program,
        live: &mut Live,
        (table, key): (u16, Word),
    ) -> Address {
        let found = live.tables[usize::from(table)].find_one(self.words.get(key));
        self.act(program, live, table, found)
    }

    #[inline]
    fn act(
        &mut self,
        program: &Program,
        live: &mut Live,
        table: u16,
        found: Option<Found>,
    ) -> Address {
        let table = usize::from(table);
        let (table, entries) = (&program.tables[table], &mut live.tables[table]);
        if table.direct_counter
            && let Some(found) = found
        {
            entries.counter_mut(found.slot).count(self.ingress_length);
        }
        let (choice, parameters) = match found {
            Some(found) => (found.choice, entries.parameters(found.slot)),
            None => entries.default(),
        };
        let action = &table.actions[usize::from(choice)];
        let window = self.words.window_mut(program.parameters, action.words);
        for (to, from) in window.iter_mut().zip(parameters) {
            *to = *from;
        }
        if found.is_some() {
            action.on_hit
        } else {
            action.on_miss
        }
    }
}
