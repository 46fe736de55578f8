//! Batches of updates.
//!
//! A device is only ever used by one caller at a time, so that every batch that is made in one call
//! is atomic for packets. What differs is what happens to the updates before and after one that
//! fails: they stay, or all of them go.
//!
//! P4Runtime 1.4, section "`Write` RPC".

use p4runtime::Code;
use p4runtime::v1::entity::Entity as Kind;
use p4runtime::v1::update::Type;
use p4runtime::v1::write_request::Atomicity;
use p4runtime::v1::{Update, WriteRequest};

use super::{Device, Running};
use crate::server::Failure;

/// The most updates in one batch.
pub const MAX_UPDATES: usize = 1 << 16;

impl Device {
    /// Makes the updates of a request, the rights of whose sender were checked.
    pub fn write(&mut self, request: &WriteRequest) -> Result<(), Failure> {
        check_len(request.updates.len())?;
        let results = match request.atomicity() {
            Atomicity::ContinueOnError => self.write_each(&request.updates)?,
            Atomicity::RollbackOnError | Atomicity::DataplaneAtomic => {
                self.write_all_or_none(&request.updates)?
            }
        };
        Failure::of_batch("write", results).map_or(Ok(()), Err)
    }

    /// Makes each update that can be made.
    pub(in crate::server) fn write_each(
        &mut self,
        updates: &[Update],
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let running = self.running_mut()?;
        Ok(updates.iter().map(|update| running.write(update)).collect())
    }

    /// Makes all updates or, if one fails, none.
    pub(in crate::server) fn write_all_or_none(
        &mut self,
        updates: &[Update],
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let running = self.running_mut()?;
        let mut next = running.clone();
        let results: Vec<_> = updates.iter().map(|update| next.write(update)).collect();
        if results.iter().all(Result::is_ok) {
            *running = next;
            return Ok(results);
        }
        let undone = || Failure::new(Code::Aborted, "undone, since another update failed");
        Ok(results
            .into_iter()
            .map(|result| result.and_then(|()| Err(undone())))
            .collect())
    }
}

pub(in crate::server) fn check_len(updates: usize) -> Result<(), Failure> {
    if updates <= MAX_UPDATES {
        return Ok(());
    }
    let message = format!("write has {updates} updates, at most {MAX_UPDATES} are taken");
    Err(Failure::new(Code::ResourceExhausted, message))
}

impl Running {
    fn write(&mut self, update: &Update) -> Result<(), Failure> {
        let kind = match Type::try_from(update.r#type) {
            Ok(Type::Unspecified) | Err(_) => {
                return Err(Failure::invalid(
                    "update type is UNSPECIFIED, choose INSERT",
                ));
            }
            Ok(kind) => kind,
        };
        let entity = update
            .entity
            .as_ref()
            .and_then(|entity| entity.entity.as_ref());
        match entity {
            None => Err(Failure::invalid("update has no entity")),
            Some(Kind::TableEntry(entry)) => self.write_table_entry(kind, entry),
            Some(Kind::DirectCounterEntry(counter)) => self.write_direct_counter(kind, counter),
            Some(Kind::PacketReplicationEngineEntry(entry)) => self.write_replication(kind, entry),
            Some(Kind::RegisterEntry(entry)) => self.write_register(kind, entry),
            Some(Kind::CounterEntry(entry)) => self.write_counter(kind, entry),
            Some(other) => Err(Failure::unimplemented(unimplemented_name(other))),
        }
    }
}

/// The name of an entity for a refusal.
pub(super) fn unimplemented_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::ExternEntry(_) => "an extern entry",
        Kind::ActionProfileMember(_) => "an action profile member",
        Kind::ActionProfileGroup(_) => "an action profile group",
        Kind::MeterEntry(_) => "a meter entry",
        Kind::DirectMeterEntry(_) => "a direct meter entry",
        Kind::ValueSetEntry(_) => "a value set entry",
        Kind::DigestEntry(_) => "a digest entry",
        Kind::TableEntry(_)
        | Kind::CounterEntry(_)
        | Kind::DirectCounterEntry(_)
        | Kind::PacketReplicationEngineEntry(_)
        | Kind::RegisterEntry(_) => "this use of the entity",
    }
}
