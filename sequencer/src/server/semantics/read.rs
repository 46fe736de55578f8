//! Filters: what a device has.
//!
//! P4Runtime 1.4, sections "`Read` RPC" and "Wildcard Reads".

use p4runtime::Code;
use p4runtime::entity_of_group;
use p4runtime::p4info::Table;
use p4runtime::v1::entity::Entity as Kind;
use p4runtime::v1::packet_replication_engine_entry::Type as Replication;
use p4runtime::v1::{self, Entity, ReadRequest, TableEntry};

use super::convert::{action_to, key_from, key_to};
use super::table::{check_counts, table_of};
use super::write::unimplemented_name;
use super::{Device, EntryExtras, Running, cells};
use crate::pipeline::{EntrySpec, Match};
use crate::server::Failure;
use crate::server::arbitration::check_role;

/// The most filters in one read.
pub const MAX_READ_FILTERS: usize = 1024;

/// The most entities that one read gives.
pub const MAX_READ_ENTITIES: usize = 1 << 19;

impl Device {
    /// Answers the filters of a request. One that fails does not keep the others from being
    /// answered.
    pub fn read(&self, request: &ReadRequest) -> (Vec<Entity>, Result<(), Failure>) {
        if let Err(failure) = check_read(request).and_then(|()| self.running().map(drop)) {
            return (Vec::new(), Err(failure));
        }
        let mut answer = ReadAnswer::default();
        for filter in &request.entities {
            answer.add(self.read_one(filter));
        }
        answer.finish()
    }

    /// Answers one filter.
    pub(in crate::server) fn read_one(&self, filter: &Entity) -> Result<Vec<Entity>, Failure> {
        self.running()?.read(filter)
    }
}

/// What can be said of a request before its filters are looked at.
pub(in crate::server) fn check_read(request: &ReadRequest) -> Result<(), Failure> {
    check_role(&request.role, 0)?;
    let filters = request.entities.len();
    if filters <= MAX_READ_FILTERS {
        return Ok(());
    }
    let message = format!("read has {filters} filters, at most {MAX_READ_FILTERS} are taken");
    Err(Failure::new(Code::ResourceExhausted, message))
}

/// Collects the answers of the filters.
#[derive(Debug, Default)]
pub(in crate::server) struct ReadAnswer {
    entities: Vec<Entity>,
    results: Vec<Result<(), Failure>>,
}

impl ReadAnswer {
    pub(in crate::server) fn add(&mut self, found: Result<Vec<Entity>, Failure>) {
        let result = found.and_then(|found| {
            if self.entities.len() + found.len() > MAX_READ_ENTITIES {
                let message = format!("more than {MAX_READ_ENTITIES} entities in one read");
                return Err(Failure::new(Code::ResourceExhausted, message));
            }
            self.entities.extend(found);
            Ok(())
        });
        self.results.push(result);
    }

    pub(in crate::server) fn finish(self) -> (Vec<Entity>, Result<(), Failure>) {
        (
            self.entities,
            Failure::of_batch("read", self.results).map_or(Ok(()), Err),
        )
    }
}

impl Running {
    fn read(&self, filter: &Entity) -> Result<Vec<Entity>, Failure> {
        let Some(filter) = &filter.entity else {
            return Err(Failure::invalid(
                "filter has no entity; say which sort is to be read",
            ));
        };
        match filter {
            Kind::TableEntry(entry) => Ok(self
                .read_entries(entry)?
                .into_iter()
                .map(Entity::from)
                .collect()),
            Kind::DirectCounterEntry(counter) => self.read_direct_counters(counter),
            Kind::RegisterEntry(filter) => {
                let cells = self.read_registers(filter)?;
                Ok(cells
                    .into_iter()
                    .map(|cell| Kind::RegisterEntry(cell).into())
                    .collect())
            }
            Kind::CounterEntry(filter) => {
                let cells = self.read_counters(filter)?;
                Ok(cells
                    .into_iter()
                    .map(|cell| Kind::CounterEntry(cell).into())
                    .collect())
            }
            Kind::PacketReplicationEngineEntry(entry) => match &entry.r#type {
                Some(Replication::MulticastGroupEntry(group)) => {
                    let groups = self.read_groups(group.multicast_group_id);
                    Ok(groups.into_iter().map(entity_of_group).collect())
                }
                Some(Replication::CloneSessionEntry(session)) if session.session_id == 0 => {
                    Ok(Vec::new())
                }
                Some(Replication::CloneSessionEntry(_)) => {
                    Err(Failure::unimplemented("a clone session"))
                }
                None => Err(Failure::invalid("packet replication engine entry is empty")),
            },
            other if is_wildcard(other) => Ok(Vec::new()),
            other => Err(Failure::unimplemented(unimplemented_name(other))),
        }
    }

    fn read_entries(&self, filter: &TableEntry) -> Result<Vec<TableEntry>, Failure> {
        let info = &self.config.info;
        if filter.table_id == 0 {
            let counter_data = filter.counter_data;
            let only = TableEntry {
                counter_data,
                ..Default::default()
            };
            if *filter != only {
                return Err(Failure::invalid(
                    "table id is 0 (all tables), no other filter goes",
                ));
            }
            let mut entries = Vec::new();
            for table in info.tables() {
                let counter_data = counter_data.filter(|_| table.direct_counter.is_some());
                let only = TableEntry {
                    counter_data,
                    ..Default::default()
                };
                entries.extend(self.read_table(table, &only)?);
            }
            return Ok(entries);
        }
        self.read_table(table_of(info, filter.table_id)?, filter)
    }

    fn read_table(&self, table: &Table, filter: &TableEntry) -> Result<Vec<TableEntry>, Failure> {
        if filter.is_default_action {
            if !filter.r#match.is_empty() || filter.priority != 0 {
                let message = format!("table {}: the default action has no key", table.name);
                return Err(Failure::invalid(message));
            }
            let entry = self.default_entry(table)?;
            return Ok(if passes(filter, &entry) {
                vec![entry]
            } else {
                Vec::new()
            });
        }
        if filter.counter_data.is_some() {
            check_counts(table)?;
        }
        let wanted = self.wanted_key(table, &filter.r#match)?;
        let mut entries = Vec::new();
        for spec in self.switch.entries(&table.name)? {
            if wanted
                .as_ref()
                .is_some_and(|wanted| *wanted != spec.matches)
            {
                continue;
            }
            let mut entry = self.entry(table, &spec);
            if filter.counter_data.is_some() {
                let value = self.switch.read_direct_counter(&table.name, &spec.key())?;
                entry.counter_data = Some(cells::counter_to(value));
            }
            if passes(filter, &entry) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The key that a filter asks for; none if it asks for all.
    fn wanted_key(
        &self,
        table: &Table,
        matches: &[v1::FieldMatch],
    ) -> Result<Option<Vec<Match>>, Failure> {
        if matches.is_empty() {
            return Ok(None);
        }
        key_from(table, self.compiled(table)?, matches).map(Some)
    }

    fn entry(&self, table: &Table, spec: &EntrySpec) -> TableEntry {
        let extras = self
            .extras
            .entries
            .get(&(table.id, spec.key()))
            .cloned()
            .unwrap_or_default();
        let EntryExtras {
            metadata,
            controller_metadata,
        } = extras;
        TableEntry {
            table_id: table.id,
            r#match: key_to(table, &spec.matches),
            action: action_to(&self.config.info, table, &spec.action, &spec.parameters),
            priority: i32::try_from(spec.priority).unwrap_or(i32::MAX),
            metadata,
            controller_metadata,
            is_const: table.is_const,
            ..Default::default()
        }
    }

    fn default_entry(&self, table: &Table) -> Result<TableEntry, Failure> {
        let call = self.switch.default_action(&table.name)?;
        let extras = self
            .extras
            .defaults
            .get(&table.id)
            .cloned()
            .unwrap_or_default();
        Ok(TableEntry {
            table_id: table.id,
            action: action_to(&self.config.info, table, &call.action, &call.parameters),
            is_default_action: true,
            metadata: extras.metadata,
            controller_metadata: extras.controller_metadata,
            is_const: table.const_default_action.is_some(),
            ..Default::default()
        })
    }

    fn read_direct_counters(
        &self,
        filter: &v1::DirectCounterEntry,
    ) -> Result<Vec<Entity>, Failure> {
        let info = &self.config.info;
        let entry = filter.table_entry.clone().unwrap_or_default();
        if entry.table_id != 0 && !entry.r#match.is_empty() {
            let (table, key) = self.counted(info, filter)?;
            self.switch.entry(&table.name, &key)?;
        }
        let tables: Vec<&Table> = match entry.table_id {
            0 => info
                .tables()
                .iter()
                .filter(|table| table.direct_counter.is_some())
                .collect(),
            id => {
                let table = table_of(info, id)?;
                check_counts(table)?;
                vec![table]
            }
        };
        let mut entities = Vec::new();
        for table in tables {
            let wanted = self.wanted_key(table, &entry.r#match)?;
            for spec in self.switch.entries(&table.name)? {
                if wanted
                    .as_ref()
                    .is_some_and(|wanted| *wanted != spec.matches)
                    || (entry.priority != 0 && Ok(spec.priority) != entry.priority.try_into())
                {
                    continue;
                }
                let value = self.switch.read_direct_counter(&table.name, &spec.key())?;
                let key = TableEntry {
                    table_id: table.id,
                    r#match: key_to(table, &spec.matches),
                    priority: i32::try_from(spec.priority).unwrap_or(i32::MAX),
                    ..Default::default()
                };
                let counter = v1::DirectCounterEntry {
                    table_entry: Some(key),
                    data: Some(cells::counter_to(value)),
                };
                entities.push(Kind::DirectCounterEntry(counter).into());
            }
        }
        Ok(entities)
    }
}

/// Whether an entry passes the filters that are not its key.
fn passes(filter: &TableEntry, entry: &TableEntry) -> bool {
    let action = |entry: &TableEntry| match entry.action.as_ref().and_then(|a| a.r#type.as_ref()) {
        Some(v1::table_action::Type::Action(action)) => Some(action.action_id),
        _ => None,
    };
    (filter.priority == 0 || filter.priority == entry.priority)
        && (filter.metadata.is_empty() || filter.metadata == entry.metadata)
        && (filter.controller_metadata == 0
            || filter.controller_metadata == entry.controller_metadata)
        && (filter.action.is_none() || action(filter) == action(entry))
}

/// Whether a filter asks for everything of a sort of which the program has nothing.
fn is_wildcard(filter: &Kind) -> bool {
    match filter {
        Kind::ExternEntry(entry) => entry.extern_type_id == 0,
        Kind::ActionProfileMember(member) => member.action_profile_id == 0,
        Kind::ActionProfileGroup(group) => group.action_profile_id == 0,
        Kind::MeterEntry(meter) => meter.meter_id == 0,
        Kind::DirectMeterEntry(meter) => meter
            .table_entry
            .as_ref()
            .is_none_or(|entry| entry.table_id == 0),
        Kind::ValueSetEntry(set) => set.value_set_id == 0,
        Kind::DigestEntry(digest) => digest.digest_id == 0,
        _ => false,
    }
}
