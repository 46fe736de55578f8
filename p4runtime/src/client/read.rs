//! Reading what a switch has.

use super::{Client, ClientError};
use crate::bytestring;
use crate::table::{BoundTable, Entry, Table};
use crate::v1::{self, entity::Entity as Kind, packet_replication_engine_entry as replication};
use crate::{MulticastGroup, entity_of_group};

/// A switch that sends more entities than this in one read is not believed.
pub const MAX_READ_ENTITIES: usize = 1 << 20;

impl Client {
    /// Reads all that the filters let through.
    pub async fn read(&self, filters: Vec<v1::Entity>) -> Result<Vec<v1::Entity>, ClientError> {
        let request = v1::ReadRequest {
            device_id: self.device_id(),
            role: String::new(),
            entities: filters,
        };
        self.timed("Read", self.options().request_timeout, async {
            let fail = |status: tonic::Status| ClientError::rpc("Read", &status);
            let mut answers = self.rpc().read(request).await.map_err(fail)?.into_inner();
            let mut entities = Vec::new();
            while let Some(answer) = answers.message().await.map_err(fail)? {
                entities.extend(answer.entities);
                if entities.len() > MAX_READ_ENTITIES {
                    let many = format!("more than {MAX_READ_ENTITIES} entities in one read");
                    return Err(ClientError::Answer(many));
                }
            }
            Ok(entities)
        })
        .await
    }

    /// All entries of the table with this id, or of all tables for 0; no default actions.
    pub async fn read_table_entries(
        &self,
        table_id: u32,
    ) -> Result<Vec<v1::TableEntry>, ClientError> {
        let filter = v1::TableEntry {
            table_id,
            ..Default::default()
        };
        let entities = self.read(vec![filter.into()]).await?;
        Ok(entities
            .into_iter()
            .filter_map(|entity| match entity.entity {
                Some(Kind::TableEntry(entry)) => Some(entry),
                _ => None,
            })
            .collect())
    }

    /// All entries of a declared table.
    pub async fn read_entries<T: Table>(
        &self,
        table: &BoundTable<T>,
    ) -> Result<Vec<Entry<T>>, ClientError> {
        let entries = self.read_table_entries(table.id()).await?;
        Ok(entries
            .iter()
            .map(|entry| table.decode(entry))
            .collect::<Result<_, _>>()?)
    }

    /// All multicast groups, sorted by id.
    pub async fn read_multicast_groups(&self) -> Result<Vec<MulticastGroup>, ClientError> {
        let all = entity_of_group(v1::MulticastGroupEntry::default());
        let entities = self.read(vec![all]).await?;
        let groups = entities.iter().filter_map(|entity| match &entity.entity {
            Some(Kind::PacketReplicationEngineEntry(entry)) => match &entry.r#type {
                Some(replication::Type::MulticastGroupEntry(group)) => {
                    Some(MulticastGroup::from_message(group))
                }
                _ => None,
            },
            _ => None,
        });
        let mut groups: Vec<MulticastGroup> = groups.collect();
        groups.sort_by_key(|group| group.id);
        Ok(groups)
    }

    /// One cell of a register of at most 128 bits, or all cells; each with its index.
    pub async fn read_register(
        &self,
        name: &str,
        index: Option<u64>,
    ) -> Result<Vec<(u64, u128)>, ClientError> {
        let register = self.info().register(name)?;
        let filter = v1::RegisterEntry {
            register_id: register.id,
            index: index.map(to_index),
            data: None,
        };
        let entities = self.read(vec![Kind::RegisterEntry(filter).into()]).await?;
        let mut cells = Vec::with_capacity(entities.len());
        for entity in entities {
            let Some(Kind::RegisterEntry(cell)) = entity.entity else {
                continue;
            };
            let Some(v1::p4_data::Data::Bitstring(bytes)) = cell.data.and_then(|data| data.data)
            else {
                let what = format!("a cell of register {name} that is no number");
                return Err(ClientError::Answer(what));
            };
            let value = bytestring::decode(&bytes, register.bitwidth.unwrap_or(u128::BITS))
                .map_err(|error| ClientError::Answer(format!("register {name}: {error}")))?;
            cells.push((from_index(cell.index), value));
        }
        Ok(cells)
    }

    /// One cell of a counter, or all cells; each with its index.
    pub async fn read_counter(
        &self,
        name: &str,
        index: Option<u64>,
    ) -> Result<Vec<(u64, v1::CounterData)>, ClientError> {
        let counter = self.info().counter(name)?;
        let filter = v1::CounterEntry {
            counter_id: counter.id,
            index: index.map(to_index),
            data: None,
        };
        let entities = self.read(vec![Kind::CounterEntry(filter).into()]).await?;
        let cells = entities
            .into_iter()
            .filter_map(|entity| match entity.entity {
                Some(Kind::CounterEntry(cell)) => {
                    Some((from_index(cell.index), cell.data.unwrap_or_default()))
                }
                _ => None,
            });
        Ok(cells.collect())
    }

    /// The direct counters of all entries of the table of this name; each with its entry.
    pub async fn read_direct_counters(
        &self,
        table: &str,
    ) -> Result<Vec<(v1::TableEntry, v1::CounterData)>, ClientError> {
        let table_id = self.info().table(table)?.id;
        let entry = v1::TableEntry {
            table_id,
            ..Default::default()
        };
        let filter = v1::DirectCounterEntry {
            table_entry: Some(entry),
            data: None,
        };
        let entities = self
            .read(vec![Kind::DirectCounterEntry(filter).into()])
            .await?;
        let counters = entities
            .into_iter()
            .filter_map(|entity| match entity.entity {
                Some(Kind::DirectCounterEntry(counter)) => {
                    Some((counter.table_entry?, counter.data.unwrap_or_default()))
                }
                _ => None,
            });
        Ok(counters.collect())
    }
}

fn to_index(index: u64) -> v1::Index {
    // An index beyond i64 is beyond every array, as is the greatest i64.
    v1::Index {
        index: i64::try_from(index).unwrap_or(i64::MAX),
    }
}

fn from_index(index: Option<v1::Index>) -> u64 {
    index.map_or(0, |index| u64::try_from(index.index).unwrap_or(0))
}
