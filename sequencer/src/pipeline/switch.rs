//! The switch as others see it: load, process, and the control plane's requests.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::copies::Copies;
use super::entry::{
    EntryKey, EntrySpec, given_matches, given_parameters, names, stored_action, stored_key,
};
use super::error::{ControlError, LoadError};
use super::info::{ActionCall, ProgramInfo};
use super::load;
use super::machine::Machine;
use super::program::Program;
use super::state::{CounterValue, Replica, State};
use super::table::Table;
use super::{LAST_PORT, MAX_REPLICAS, PortNumber};

/// A software switch: a program, and what packets and the control plane have written.
///
/// A value without clock, thread or socket: the same object serves the live switch and the
/// simulator. A clone shares the program and has its own state.
#[derive(Clone, Debug)]
pub struct Switch {
    program: Arc<Program>,
    /// As right after loading.
    initial: Arc<State>,
    state: State,
    machine: Machine,
}

impl Switch {
    /// Loads the BMv2 JSON of a v1model program. See [`LoadError`] for what is refused.
    pub fn load(json: &[u8]) -> Result<Self, LoadError> {
        let (program, state) = load::load(json)?;
        let machine = Machine::new(&program);
        Ok(Self {
            program: Arc::new(program),
            initial: Arc::new(state.clone()),
            state,
            machine,
        })
    }

    /// What the program offers to a control plane.
    pub fn program(&self) -> &ProgramInfo {
        &self.program.info
    }

    /// Takes a frame in and appends what leaves for it to `out`.
    ///
    /// `now_us` becomes the program's ingress timestamp, modulo 2^48 µs; it may stand still or go
    /// back. Never panics, whatever the frame; frames over [`MAX_FRAME_BYTES`] bytes are dropped
    /// and counted. Copies for one port are appended in the order of the packets that caused them,
    /// and within a packet in the order of the group's replicas.
    ///
    /// [`MAX_FRAME_BYTES`]: super::MAX_FRAME_BYTES
    pub fn process(
        &mut self,
        now_us: u64,
        ingress_port: PortNumber,
        frame: &[u8],
        out: &mut Copies,
    ) {
        let arrival = (now_us, ingress_port);
        self.machine
            .process(&self.program, &mut self.state, arrival, frame, out);
    }

    /// Adds an entry.
    pub fn insert_entry(&mut self, table: &str, entry: &EntrySpec) -> Result<(), ControlError> {
        let at = self.table_to_change(table)?;
        let info = &self.program.info.tables[at];
        let program = &self.program.tables[at];
        let key = stored_key(info, program, &entry.matches, entry.priority)?;
        let (choice, parameters) = stored_action(info, &entry.action, &entry.parameters)?;
        let entries = &mut self.state.live.tables[at];
        if entries.slot_of(&key).is_some() {
            return Err(ControlError::EntryExists {
                table: table.to_owned(),
            });
        }
        if entries.len() >= info.size as usize {
            return Err(ControlError::TableFull {
                table: table.to_owned(),
                size: info.size,
            });
        }
        entries.insert(&key, choice, &parameters);
        Ok(())
    }

    /// Gives an entry another action or other parameters. Its direct counter goes on.
    pub fn modify_entry(&mut self, table: &str, entry: &EntrySpec) -> Result<(), ControlError> {
        let at = self.table_to_change(table)?;
        let slot = self.slot(at, &entry.key())?;
        let info = &self.program.info.tables[at];
        let (choice, parameters) = stored_action(info, &entry.action, &entry.parameters)?;
        self.state.live.tables[at].modify(slot, choice, &parameters);
        Ok(())
    }

    /// Removes an entry.
    pub fn delete_entry(&mut self, table: &str, key: &EntryKey) -> Result<(), ControlError> {
        let at = self.table_to_change(table)?;
        let slot = self.slot(at, key)?;
        self.state.live.tables[at].remove(slot);
        Ok(())
    }

    /// The entry with this key.
    pub fn entry(&self, table: &str, key: &EntryKey) -> Result<EntrySpec, ControlError> {
        let at = self.table(table)?;
        let slot = self.slot(at, key)?;
        let (action, parameters) = self.call(at, self.entries_of(at), slot);
        let EntryKey { matches, priority } = key.clone();
        Ok(EntrySpec {
            matches,
            priority,
            action,
            parameters,
        })
    }

    /// All entries: highest priority first where there is one, else in no promised order.
    pub fn entries(&self, table: &str) -> Result<Vec<EntrySpec>, ControlError> {
        let at = self.table(table)?;
        let entries = self.entries_of(at);
        let info = &self.program.info.tables[at];
        let program = &self.program.tables[at];
        let specs = entries.entries().map(|(slot, key)| {
            let (action, parameters) = self.call(at, entries, slot);
            let matches = given_matches(info, program, key);
            EntrySpec {
                matches,
                priority: key.priority,
                action,
                parameters,
            }
        });
        Ok(specs.collect())
    }

    fn call(&self, at: usize, entries: &Table, slot: u32) -> (String, Vec<u128>) {
        let action = &self.program.info.tables[at].actions[usize::from(entries.choice(slot))];
        (
            action.name.clone(),
            given_parameters(action, entries.parameters(slot)),
        )
    }

    /// What a miss does.
    pub fn default_action(&self, table: &str) -> Result<ActionCall, ControlError> {
        let at = self.table(table)?;
        let (choice, words) = self.entries_of(at).default();
        let action = &self.program.info.tables[at].actions[usize::from(choice)];
        let parameters = given_parameters(action, words);
        Ok(ActionCall {
            action: action.name.clone(),
            parameters,
        })
    }

    /// Sets what a miss does.
    pub fn set_default_action(
        &mut self,
        table: &str,
        call: &ActionCall,
    ) -> Result<(), ControlError> {
        let at = self.table(table)?;
        let info = &self.program.info.tables[at];
        if info.default_is_constant {
            return Err(ControlError::DefaultConstant {
                table: table.to_owned(),
            });
        }
        let (choice, parameters) = stored_action(info, &call.action, &call.parameters)?;
        self.state.live.tables[at].set_default(choice, parameters);
        Ok(())
    }

    /// Makes a miss do again what the program says.
    pub fn reset_default_action(&mut self, table: &str) -> Result<(), ControlError> {
        let at = self.table(table)?;
        let (choice, parameters) = self.initial.live.tables[at].default();
        self.state.live.tables[at].set_default(choice, parameters.to_vec());
        Ok(())
    }

    /// What an entry has counted.
    pub fn read_direct_counter(
        &self,
        table: &str,
        key: &EntryKey,
    ) -> Result<CounterValue, ControlError> {
        let at = self.counting_table(table)?;
        let slot = self.slot(at, key)?;
        Ok(self.entries_of(at).counter(slot))
    }

    /// Sets what an entry has counted.
    pub fn write_direct_counter(
        &mut self,
        table: &str,
        key: &EntryKey,
        value: CounterValue,
    ) -> Result<(), ControlError> {
        let at = self.counting_table(table)?;
        let slot = self.slot(at, key)?;
        *self.state.live.tables[at].counter_mut(slot) = value;
        Ok(())
    }

    /// Adds a multicast group. A packet's copies are made in the order of the replicas.
    pub fn insert_multicast_group(
        &mut self,
        id: u16,
        replicas: &[Replica],
    ) -> Result<(), ControlError> {
        check_group(id, replicas)?;
        if self.state.groups.get(id).is_some() {
            return Err(ControlError::GroupExists { id });
        }
        self.state.groups.set(id, replicas.to_vec());
        Ok(())
    }

    /// Replaces the replicas of a multicast group.
    pub fn modify_multicast_group(
        &mut self,
        id: u16,
        replicas: &[Replica],
    ) -> Result<(), ControlError> {
        check_group(id, replicas)?;
        if self.state.groups.get(id).is_none() {
            return Err(ControlError::NoSuchGroup { id });
        }
        self.state.groups.set(id, replicas.to_vec());
        Ok(())
    }

    /// Adds a multicast group or replaces its replicas.
    pub fn set_multicast_group(
        &mut self,
        id: u16,
        replicas: &[Replica],
    ) -> Result<(), ControlError> {
        check_group(id, replicas)?;
        self.state.groups.set(id, replicas.to_vec());
        Ok(())
    }

    /// Removes a multicast group.
    pub fn delete_multicast_group(&mut self, id: u16) -> Result<(), ControlError> {
        if self.state.groups.get(id).is_none() {
            return Err(ControlError::NoSuchGroup { id });
        }
        self.state.groups.remove(id);
        Ok(())
    }

    /// The replicas of a multicast group.
    pub fn multicast_group(&self, id: u16) -> Option<&[Replica]> {
        self.state.groups.get(id)
    }

    /// All multicast groups, by ascending number.
    pub fn multicast_groups(&self) -> impl Iterator<Item = (u16, &[Replica])> {
        self.state.groups.iter()
    }

    /// How many cells a register array has.
    pub fn register_len(&self, name: &str) -> Result<u64, ControlError> {
        let at = self.register(name)?;
        Ok(self.state.live.externs.registers[at].len() as u64)
    }

    /// A cell of a register array.
    pub fn read_register(&self, name: &str, index: u64) -> Result<u128, ControlError> {
        let at = self.register(name)?;
        let register = &self.state.live.externs.registers[at];
        let cell = cell(name, index, register.len())?;
        Ok(register.read(cell).unwrap_or_default())
    }

    /// Writes a cell of a register array.
    pub fn write_register(
        &mut self,
        name: &str,
        index: u64,
        value: u128,
    ) -> Result<(), ControlError> {
        let at = self.register(name)?;
        let width = self.program.info.registers[at].width;
        if width < 128 && value >> width != 0 {
            let what = alloc::format!("value for register `{name}`");
            return Err(ControlError::ValueTooWide { what, value, width });
        }
        let register = &mut self.state.live.externs.registers[at];
        register.write(cell(name, index, register.len())?, value);
        Ok(())
    }

    /// A cell of a counter array.
    pub fn read_counter(&self, name: &str, index: u64) -> Result<CounterValue, ControlError> {
        let at = self.counter(name)?;
        let cells = &self.state.live.externs.counters[at];
        Ok(cells[cell(name, index, cells.len())?])
    }

    /// Writes a cell of a counter array.
    pub fn write_counter(
        &mut self,
        name: &str,
        index: u64,
        value: CounterValue,
    ) -> Result<(), ControlError> {
        let at = self.counter(name)?;
        let cells = &mut self.state.live.externs.counters[at];
        let cell = cell(name, index, cells.len())?;
        cells[cell] = value;
        Ok(())
    }

    /// Forgets all that packets and the control plane have written, as a reboot does: registers and
    /// counters are zero, there are no groups, tables have only the program's own entries.
    pub fn clear_state(&mut self) {
        self.state.live.tables.clone_from(&self.initial.live.tables);
        self.state.groups.clear();
        self.clear_registers_and_counters();
    }

    /// Zeroes registers and counters and keeps entries and groups: what bmv2 does when a pipeline
    /// is reconciled.
    pub fn clear_registers_and_counters(&mut self) {
        let externs = &mut self.state.live.externs;
        externs
            .registers
            .iter_mut()
            .for_each(super::state::Register::clear);
        for cells in &mut externs.counters {
            cells.fill(CounterValue::default());
        }
    }

    fn entries_of(&self, at: usize) -> &Table {
        &self.state.live.tables[at]
    }

    fn table(&self, name: &str) -> Result<usize, ControlError> {
        let tables = &self.program.info.tables;
        tables
            .iter()
            .position(|table| table.name == name)
            .ok_or_else(|| ControlError::NoSuchTable {
                name: name.to_owned(),
                valid: names(tables.iter().map(|table| table.name.as_str())),
            })
    }

    fn table_to_change(&self, name: &str) -> Result<usize, ControlError> {
        let at = self.table(name)?;
        if self.program.info.tables[at].entries_are_constant {
            return Err(ControlError::EntriesConstant {
                table: name.to_owned(),
            });
        }
        Ok(at)
    }

    fn counting_table(&self, name: &str) -> Result<usize, ControlError> {
        let at = self.table(name)?;
        if !self.program.tables[at].direct_counter {
            return Err(ControlError::NoDirectCounter {
                table: name.to_owned(),
            });
        }
        Ok(at)
    }

    fn slot(&self, at: usize, key: &EntryKey) -> Result<u32, ControlError> {
        let info = &self.program.info.tables[at];
        let stored = stored_key(info, &self.program.tables[at], &key.matches, key.priority)?;
        let slot = self.entries_of(at).slot_of(&stored);
        slot.ok_or_else(|| ControlError::NoSuchEntry {
            table: info.name.clone(),
        })
    }

    fn register(&self, name: &str) -> Result<usize, ControlError> {
        let registers = &self.program.info.registers;
        registers
            .iter()
            .position(|register| register.name == name)
            .ok_or_else(|| ControlError::NoSuchRegister {
                name: name.to_owned(),
                valid: names(registers.iter().map(|register| register.name.as_str())),
            })
    }

    fn counter(&self, name: &str) -> Result<usize, ControlError> {
        let counters = &self.program.info.counters;
        counters
            .iter()
            .position(|counter| counter.name == name)
            .ok_or_else(|| ControlError::NoSuchCounter {
                name: name.to_owned(),
                valid: names(counters.iter().map(|counter| counter.name.as_str())),
            })
    }
}

fn cell(name: &str, index: u64, size: usize) -> Result<usize, ControlError> {
    usize::try_from(index)
        .ok()
        .filter(|&at| at < size)
        .ok_or_else(|| ControlError::IndexOutOfRange {
            name: name.to_owned(),
            index,
            size: size as u64,
        })
}

fn check_group(id: u16, replicas: &[Replica]) -> Result<(), ControlError> {
    if id == 0 {
        return Err(ControlError::GroupZero);
    }
    if replicas.len() > MAX_REPLICAS {
        return Err(ControlError::TooManyReplicas {
            found: replicas.len(),
            limit: MAX_REPLICAS,
        });
    }
    if let Some(bad) = replicas.iter().find(|replica| replica.port > LAST_PORT) {
        return Err(ControlError::BadPort {
            port: bad.port.0,
            last: LAST_PORT.0,
        });
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(ControlError::ReplicaTwice {
            id,
            port: pair[0].port.0,
            rid: pair[0].rid,
        });
    }
    Ok(())
}
