//! Table entries, default actions and direct counters.
//!
//! P4Runtime 1.4, sections "`TableEntry`" and "`DirectCounterEntry`".

use p4runtime::p4info::{P4Info, Table};
use p4runtime::v1::{self, update::Type};
use p4runtime::{Code, v1::TableEntry};

use super::convert::{Place, action_from, key_from};
use super::{Config, EntryExtras, Running, cells, check_metadata};
use crate::pipeline::{EntryKey, EntrySpec, TableInfo};
use crate::server::Failure;

/// The table of this id.
pub(super) fn table_of(info: &P4Info, id: u32) -> Result<&Table, Failure> {
    info.table_by_id(id).ok_or_else(|| {
        let tables = info.tables().iter();
        let valid: Vec<String> = tables.map(|t| format!("{} {}", t.id, t.alias)).collect();
        let valid = valid.join(", ");
        Failure::invalid(format!(
            "the program has no table with id {id}, valid: {valid}"
        ))
    })
}

impl Running {
    pub(super) fn compiled(&self, table: &Table) -> Result<&TableInfo, Failure> {
        // Loading checked that the program has every table of the P4Info.
        self.switch.program().table(&table.name).ok_or_else(|| {
            Failure::new(
                Code::Internal,
                format!("the program lost table {}", table.name),
            )
        })
    }

    pub(super) fn write_table_entry(
        &mut self,
        kind: Type,
        entry: &TableEntry,
    ) -> Result<(), Failure> {
        let config = self.config();
        let table = table_of(&config.info, entry.table_id)?;
        if entry.is_const {
            return Err(Failure::invalid("is_const is for reading, leave it out"));
        }
        if entry.is_default_action {
            return self.write_default(kind, table, entry, &config);
        }
        if kind != Type::Delete {
            check_unsupported(table, entry)?;
            check_metadata(&entry.metadata)?;
        }
        if table.is_const {
            return self.write_const(kind, table, entry);
        }
        let key = self.key(table, entry)?;
        match kind {
            Type::Insert => self.insert(table, entry, key, &config.info),
            Type::Modify => self.modify(table, entry, key, &config.info),
            Type::Delete | Type::Unspecified => {
                self.switch.delete_entry(&table.name, &key)?;
                self.extras.entries.remove(&(table.id, key));
                Ok(())
            }
        }
    }

    /// The key of an entry, with its priority checked.
    fn key(&self, table: &Table, entry: &TableEntry) -> Result<EntryKey, Failure> {
        let name = &table.name;
        if table.match_fields.is_empty() {
            let message = format!("table {name} has no key and takes no entries");
            return Err(Failure::invalid(message));
        }
        let priority = match (table.needs_priority(), entry.priority) {
            (true, 1..) => Some(entry.priority.unsigned_abs()),
            (false, 0) => Some(0),
            _ => None,
        };
        let Some(priority) = priority else {
            let valid = if table.needs_priority() {
                "1 or more"
            } else {
                "0"
            };
            let given = entry.priority;
            let message = format!("table {name}: priority is {given}, valid is {valid}");
            return Err(Failure::invalid(message));
        };
        let matches = key_from(table, self.compiled(table)?, &entry.r#match)?;
        Ok(EntryKey { matches, priority })
    }

    fn insert(
        &mut self,
        table: &Table,
        entry: &TableEntry,
        key: EntryKey,
        info: &P4Info,
    ) -> Result<(), Failure> {
        let Some(action) = &entry.action else {
            return Err(Failure::invalid(format!(
                "table {}: action is missing",
                table.name
            )));
        };
        let call = action_from(info, table, action, Place::Entry)?;
        let counter = entry
            .counter_data
            .as_ref()
            .map(cells::counter_from)
            .transpose()?;
        let EntryKey { matches, priority } = key.clone();
        let spec = EntrySpec {
            matches,
            priority,
            action: call.action,
            parameters: call.parameters,
        };
        self.switch.insert_entry(&table.name, &spec)?;
        if let Some(value) = counter {
            self.switch.write_direct_counter(&table.name, &key, value)?;
        }
        self.set_extras(table, key, entry);
        Ok(())
    }

    fn modify(
        &mut self,
        table: &Table,
        entry: &TableEntry,
        key: EntryKey,
        info: &P4Info,
    ) -> Result<(), Failure> {
        let counter = entry
            .counter_data
            .as_ref()
            .map(cells::counter_from)
            .transpose()?;
        match &entry.action {
            Some(action) => {
                let call = action_from(info, table, action, Place::Entry)?;
                let EntryKey { matches, priority } = key.clone();
                let spec = EntrySpec {
                    matches,
                    priority,
                    action: call.action,
                    parameters: call.parameters,
                };
                self.switch.modify_entry(&table.name, &spec)?;
            }
            // Without an action the entry keeps the one it has, but it must be there.
            None => drop(self.switch.entry(&table.name, &key)?),
        }
        if let Some(value) = counter {
            self.switch.write_direct_counter(&table.name, &key, value)?;
        }
        self.set_extras(table, key, entry);
        Ok(())
    }

    fn set_extras(&mut self, table: &Table, key: EntryKey, entry: &TableEntry) {
        let extras = extras_of(entry);
        if extras == EntryExtras::default() {
            self.extras.entries.remove(&(table.id, key));
        } else {
            self.extras.entries.insert((table.id, key), extras);
        }
    }

    /// An entry that the program fixed: only its direct counter can be set.
    fn write_const(
        &mut self,
        kind: Type,
        table: &Table,
        entry: &TableEntry,
    ) -> Result<(), Failure> {
        if kind != Type::Modify || entry.action.is_some() {
            let message = format!("the entries of table {} are constant", table.name);
            return Err(Failure::new(Code::PermissionDenied, message));
        }
        let key = self.key(table, entry)?;
        self.switch.entry(&table.name, &key)?;
        if let Some(counter) = &entry.counter_data {
            let value = cells::counter_from(counter)?;
            self.switch.write_direct_counter(&table.name, &key, value)?;
        }
        Ok(())
    }

    fn write_default(
        &mut self,
        kind: Type,
        table: &Table,
        entry: &TableEntry,
        config: &Config,
    ) -> Result<(), Failure> {
        let name = &table.name;
        if kind != Type::Modify {
            let message = format!("table {name}: the default action can only be modified");
            return Err(Failure::invalid(message));
        }
        if !entry.r#match.is_empty() || entry.priority != 0 {
            let message = format!("table {name}: the default action has no key and no priority");
            return Err(Failure::invalid(message));
        }
        check_unsupported(table, entry)?;
        check_metadata(&entry.metadata)?;
        if entry.counter_data.is_some() {
            return Err(Failure::unimplemented(
                "a direct counter of a default action",
            ));
        }
        if table.const_default_action.is_some() {
            let message = format!("the default action of table {name} is constant");
            return Err(Failure::new(Code::PermissionDenied, message));
        }
        let Some(action) = &entry.action else {
            self.switch.reset_default_action(name)?;
            self.extras.defaults.remove(&table.id);
            return Ok(());
        };
        let call = action_from(&config.info, table, action, Place::Default)?;
        self.switch.set_default_action(name, &call)?;
        self.extras.defaults.insert(table.id, extras_of(entry));
        Ok(())
    }

    pub(super) fn write_direct_counter(
        &mut self,
        kind: Type,
        counter: &v1::DirectCounterEntry,
    ) -> Result<(), Failure> {
        if kind != Type::Modify {
            return Err(Failure::invalid("a direct counter can only be modified"));
        }
        let config = self.config();
        let (table, key) = self.counted(&config.info, counter)?;
        match &counter.data {
            Some(data) => {
                let value = cells::counter_from(data)?;
                self.switch.write_direct_counter(&table.name, &key, value)?;
            }
            None => drop(self.switch.entry(&table.name, &key)?),
        }
        Ok(())
    }

    /// The table and key of the entry that a direct counter belongs to.
    pub(super) fn counted<'a>(
        &self,
        info: &'a P4Info,
        counter: &v1::DirectCounterEntry,
    ) -> Result<(&'a Table, EntryKey), Failure> {
        let Some(entry) = &counter.table_entry else {
            return Err(Failure::invalid("a direct counter needs its table_entry"));
        };
        let table = table_of(info, entry.table_id)?;
        check_counts(table)?;
        if entry.is_default_action {
            return Err(Failure::unimplemented(
                "a direct counter of a default action",
            ));
        }
        Ok((table, self.key(table, entry)?))
    }
}

pub(super) fn check_counts(table: &Table) -> Result<(), Failure> {
    if table.direct_counter.is_some() {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "table {} has no direct counter",
        table.name
    )))
}

fn extras_of(entry: &TableEntry) -> EntryExtras {
    EntryExtras {
        metadata: entry.metadata.clone(),
        controller_metadata: entry.controller_metadata,
    }
}

/// Parts of an entry that the table does not have.
fn check_unsupported(table: &Table, entry: &TableEntry) -> Result<(), Failure> {
    let name = &table.name;
    if entry.idle_timeout_ns != 0 {
        if table.has_idle_timeout && entry.idle_timeout_ns > 0 {
            return Err(Failure::unimplemented("an idle timeout"));
        }
        let given = entry.idle_timeout_ns;
        let message = format!("table {name}: idle_timeout_ns is {given}, valid is 0");
        return Err(Failure::invalid(message));
    }
    if entry.meter_config.is_some() || entry.meter_counter_data.is_some() {
        return Err(Failure::invalid(format!(
            "table {name} has no direct meter"
        )));
    }
    if entry.counter_data.is_some() {
        check_counts(table)?;
    }
    Ok(())
}
