//! The target for switches with P4Runtime: ours, `simple_switch_grpc`, hardware through Stratum.
//!
//! Written against the specification 1.4.1, and against what `simple_switch_grpc` 1.15 does:
//!
//! - It may answer OK for a program that it could not load, so a canary entry is written, read
//!   back and deleted after each load.
//! - A controller that leaves may hand the lead to the next one, or, as the specification has it,
//!   to nobody until one with a higher election id asks; both are handled.
//! - Updates of one batch may be made in any order, so each stage of rules is a batch of its own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p4runtime::client::{Client, ConnectOptions, Pipeline, PipelineAction, SessionWatch};
use p4runtime::client::{ClientError, Session as Role};
use p4runtime::{ElectionId, Entry, P4Info, describe, update_of, v1};

use crate::rule::{Place, Rule};
use crate::tables::rule_of_multicast;
use crate::tables::{NeighbourAction, NeighbourKey, NeighbourTable, Tables};
use crate::target::{Change, FailedWrite, Lead, Session, Target, TargetError};

/// As many updates go in one batch.
const MAX_BATCH: usize = 1024;

/// So often the lead is asked for in a row when others take it at the same time.
const MAX_ELECTION_ROUNDS: usize = 8;

/// An election id has the number of the controller in its low bits, so that two never ask with
/// the same one.
const CONTROLLER_BITS: u32 = 8;

/// The program for a switch.
#[derive(Clone, Debug)]
pub struct Program {
    /// For the controller.
    pub info: Arc<P4Info>,
    /// For the switch.
    pub device_config: Arc<Vec<u8>>,
    /// The mark by which it is known again.
    pub cookie: u64,
}

/// A switch with P4Runtime.
#[derive(Clone, Debug)]
pub struct P4RuntimeTarget {
    options: ConnectOptions,
    program: Program,
    tables: Arc<Tables>,
    controller: u8,
}

/// A session with it.
pub struct P4RuntimeSession {
    client: Client,
    program: Program,
    tables: Arc<Tables>,
    controller: u8,
    /// What to ask for the lead with.
    election_id: Mutex<ElectionId>,
    /// Up to here the changes of the session are known.
    seen: Mutex<u64>,
}

impl P4RuntimeTarget {
    /// The switch at `options`, for the controller of this number.
    pub fn new(
        options: ConnectOptions,
        program: Program,
        tables: Arc<Tables>,
        controller: u8,
    ) -> Self {
        Self {
            options,
            program,
            tables,
            controller,
        }
    }
}

impl Target for P4RuntimeTarget {
    type Session = P4RuntimeSession;

    async fn connect(&self) -> Result<P4RuntimeSession, TargetError> {
        let client = Client::connect(self.options.clone(), Arc::clone(&self.program.info)).await;
        Ok(P4RuntimeSession {
            client: client.map_err(|error| TargetError::Unreachable(error.to_string()))?,
            program: self.program.clone(),
            tables: Arc::clone(&self.tables),
            controller: self.controller,
            election_id: Mutex::new(election_id_above(ElectionId(0), self.controller)),
            seen: Mutex::new(0),
        })
    }

    fn cookie(&self) -> u64 {
        self.program.cookie
    }
}

impl Session for P4RuntimeSession {
    async fn lead(&self) -> Result<Lead, TargetError> {
        for _ in 0..MAX_ELECTION_ROUNDS {
            let id = *lock(&self.election_id);
            self.client
                .arbitrate(id)
                .await
                .map_err(|error| failed(&error))?;
            // Read once more, together with its number: all later changes are then seen.
            let state = self.client.session().current();
            match state.session {
                Role::Primary => {
                    *lock(&self.seen) = state.changes;
                    return Ok(Lead::Primary);
                }
                Role::Backup {
                    highest,
                    has_primary: true,
                } => {
                    return Ok(Lead::Backup {
                        highest: highest.map(|id| id.0),
                    });
                }
                Role::Backup {
                    highest,
                    has_primary: false,
                } => {
                    *lock(&self.election_id) =
                        election_id_above(highest.unwrap_or(id), self.controller);
                }
                Role::Lost { code, reason } => {
                    return Err(TargetError::Failed(format!("{code}: {reason}")));
                }
                Role::Opening | Role::Closed => {}
            }
        }
        Err(TargetError::Failed(format!(
            "no primary after {MAX_ELECTION_ROUNDS} elections"
        )))
    }

    async fn vacant(&self) -> Result<(), TargetError> {
        let mut states = self.client.session();
        loop {
            let state = states.current();
            match state.session {
                Role::Primary => return Ok(()),
                Role::Backup {
                    highest,
                    has_primary: false,
                } => {
                    let highest = highest.unwrap_or(*lock(&self.election_id));
                    *lock(&self.election_id) = election_id_above(highest, self.controller);
                    return Ok(());
                }
                Role::Lost { code, reason } => {
                    return Err(TargetError::Failed(format!("{code}: {reason}")));
                }
                Role::Backup {
                    has_primary: true, ..
                }
                | Role::Opening
                | Role::Closed => {}
            }
            if states.changed().await.is_none() {
                return Err(TargetError::Failed("the session is closed".to_owned()));
            }
        }
    }

    async fn changed(&self) -> Change {
        let mut states = self.client.session();
        loop {
            if let Some(change) = self.change(&mut states) {
                return change;
            }
            if states.changed().await.is_none() {
                return Change::Lost {
                    reason: "the session is closed".to_owned(),
                };
            }
        }
    }

    async fn has_program(&self) -> Result<bool, TargetError> {
        let cookie = self.client.cookie().await.map_err(|error| failed(&error))?;
        Ok(cookie == Some(self.program.cookie))
    }

    async fn load_program(&self) -> Result<(), TargetError> {
        self.delete_multicast_groups().await?;
        let pipeline = Pipeline {
            info: &self.program.info,
            device_config: self.program.device_config.to_vec(),
            cookie: Some(self.program.cookie),
        };
        let loaded = self
            .client
            .set_pipeline(PipelineAction::VerifyAndCommit, pipeline)
            .await;
        loaded.map_err(|error| TargetError::Program(error.to_string()))?;
        self.canary().await
    }

    async fn read(&self) -> Result<BTreeSet<Rule>, TargetError> {
        let mut rules = BTreeSet::new();
        for id in self.tables.ids() {
            let entries = self.client.read_table_entries(id).await;
            for entry in entries.map_err(|error| failed(&error))? {
                rules.insert(self.rule_of(entry));
            }
        }
        let groups = self.client.read_multicast_groups().await;
        for group in groups.map_err(|error| failed(&error))? {
            rules.insert(rule_of_multicast(&group).unwrap_or_else(|| Rule::Foreign {
                table: "multicast group".to_owned(),
                key: group.id.to_string(),
                what: format!("{:?}", group.replicas()),
            }));
        }
        Ok(rules)
    }

    async fn insert(&self, rules: &[Rule]) -> Result<(), TargetError> {
        self.write(v1::update::Type::Insert, rules).await
    }

    async fn modify(&self, rules: &[Rule]) -> Result<(), TargetError> {
        self.write(v1::update::Type::Modify, rules).await
    }

    async fn close(&self) {
        self.client.close().await;
    }
}

impl P4RuntimeSession {
    /// What happened since it was last asked.
    fn change(&self, states: &mut SessionWatch) -> Option<Change> {
        let state = states.current();
        let mut seen = lock(&self.seen);
        if state.changes == *seen {
            return None;
        }
        *seen = state.changes;
        match state.session {
            Role::Primary => Some(Change::StillPrimary),
            Role::Backup { .. } => Some(Change::Superseded),
            Role::Lost { code, reason } => Some(Change::Lost {
                reason: format!("{code}: {reason}"),
            }),
            Role::Closed => Some(Change::Lost {
                reason: "we closed it".to_owned(),
            }),
            Role::Opening => None,
        }
    }

    async fn write(&self, kind: v1::update::Type, rules: &[Rule]) -> Result<(), TargetError> {
        let mut updates = Vec::with_capacity(rules.len());
        for rule in rules {
            match self.tables.encode(rule) {
                Ok(Some(entity)) => updates.push(update_of(kind, entity)),
                Ok(None) => {}
                Err(error) => {
                    let refused = FailedWrite {
                        place: rule.place(),
                        reason: error.to_string(),
                    };
                    return Err(TargetError::Refused(vec![refused]));
                }
            }
        }
        for batch in updates.chunks(MAX_BATCH) {
            self.client
                .write(batch.to_vec())
                .await
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Deletes the groups that the switch has. A load should clear them, but bmv2 1.15 forgets them
    /// and keeps their copies: a group inserted again then makes every copy twice, and nobody can
    /// read that back.
    async fn delete_multicast_groups(&self) -> Result<(), TargetError> {
        // A switch without a program has none to read; one that is gone refuses the load next.
        let Ok(groups) = self.client.read_multicast_groups().await else {
            return Ok(());
        };
        if groups.is_empty() {
            return Ok(());
        }
        let delete = |group| update_of(v1::update::Type::Delete, group);
        let updates = groups.iter().map(delete).collect();
        self.client
            .write(updates)
            .await
            .map_err(|error| failed(&error))
    }

    /// Makes sure that the switch takes entries and gives them back. The entry is one that changes
    /// nothing: no host has address 0.0.0.0, and nobody would be answered.
    async fn canary(&self) -> Result<(), TargetError> {
        let table = &self.tables.neighbour;
        let key = NeighbourKey {
            ip: Ipv4Addr::UNSPECIFIED,
        };
        let canary = Entry::<NeighbourTable>::new(key, NeighbourAction::Unknown {});
        let dead = |what: &str| TargetError::Program(format!("{what} after it was loaded"));
        let call = |error: ClientError| dead(&format!("canary entry failed ({error})"));
        let encode = |error: p4runtime::table::EncodeError| dead(&error.to_string());
        let insert = table.insert(&canary).map_err(encode)?;
        self.client.write(vec![insert]).await.map_err(call)?;
        if self.client.read_entries(table).await.map_err(call)? != [canary] {
            return Err(dead("canary entry is not the only entry"));
        }
        let delete = table.delete(&key, 0).map_err(encode)?;
        self.client.write(vec![delete]).await.map_err(call)?;
        if !self
            .client
            .read_entries(table)
            .await
            .map_err(call)?
            .is_empty()
        {
            return Err(dead("canary entry cannot be deleted"));
        }
        Ok(())
    }

    fn rule_of(&self, entry: v1::TableEntry) -> Rule {
        let reason = match self.tables.decode(&entry) {
            Ok(Some(rule)) => return rule,
            Ok(None) => "an action that is the default".to_owned(),
            Err(error) => error.to_string(),
        };
        let described = describe(&entry.into(), &self.program.info);
        Rule::Foreign {
            table: described.object,
            key: described.key,
            what: reason,
        }
    }
}

/// The next election id of this controller that is greater than `highest`.
fn election_id_above(highest: ElectionId, controller: u8) -> ElectionId {
    let turn = (highest.0 >> CONTROLLER_BITS).saturating_add(1);
    let most = u128::MAX >> CONTROLLER_BITS;
    ElectionId((turn.min(most) << CONTROLLER_BITS) | u128::from(controller))
}

fn failed(error: &ClientError) -> TargetError {
    let ClientError::Write(failure) = error else {
        return TargetError::Failed(error.to_string());
    };
    let failures = failure.failed.iter().map(|update| FailedWrite {
        place: Place {
            table: update.description.object.clone(),
            key: update.description.key.clone(),
        },
        reason: format!("{}: {}", update.code, update.message),
    });
    TargetError::Refused(failures.collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn election_ids_grow_and_never_meet() {
        let first = election_id_above(ElectionId(0), 0);
        let other = election_id_above(ElectionId(0), 3);
        assert!(first > ElectionId(0) && first != other);
        for highest in [first, other, ElectionId(u128::from(u64::MAX))] {
            let zero = election_id_above(highest, 0);
            let three = election_id_above(highest, 3);
            assert!(zero > highest && three > highest && zero != three);
        }
    }
}
