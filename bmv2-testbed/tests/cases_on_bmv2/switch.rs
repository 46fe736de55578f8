//! The steps of a case that go to the switch's control plane, as P4Runtime requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use bmv2_testbed::netns::Bmv2;
use p4runtime::client::{Pipeline, PipelineAction};
use p4runtime::p4info::{MatchKind, Table};
use p4runtime::{
    Client, ConnectOptions, ElectionId, MulticastGroup, P4Info, Replica, bytestring, update_of, v1,
};
use sequencer::cases::Action;
use sequencer::pipeline::{ActionCall, EntrySpec, Match};
use tokio::runtime::Runtime;
use v1::field_match::FieldMatchType;
use v1::update::Type as Kind;

use crate::p4_folder;

/// A session with bmv2 for the programs of `p4/built/`.
pub(crate) struct Switch {
    runtime: Runtime,
    address: String,
    device_id: u64,
    sessions: u128,
    current: Option<(String, Session)>,
}

struct Session {
    client: Client,
    info: Arc<P4Info>,
    device_config: Vec<u8>,
    /// Multicast groups that were made since the program was loaded.
    groups: BTreeMap<u32, MulticastGroup>,
}

impl Switch {
    /// To be called inside the switch's namespace, as are all functions of this type.
    pub(crate) fn connect(bmv2: &Bmv2) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        Self {
            runtime: builder.enable_all().build().unwrap(),
            address: bmv2.address().to_string(),
            device_id: bmv2.device_id(),
            sessions: 0,
            current: None,
        }
    }

    /// Loads the program, also if it is loaded already: entries, groups, counters and registers
    /// are then as at the start. bmv2 alone would keep the copies of the groups, see below.
    pub(crate) fn load(&mut self, program: &str) -> Result<(), String> {
        if self
            .current
            .as_ref()
            .is_none_or(|(name, _)| name != program)
        {
            let session = self.open(program)?;
            self.current = Some((program.to_owned(), session));
        }
        let (_, session) = self.current.as_mut().ok_or("no session")?;
        // Loading a program, bmv2 1.15 forgets the groups for P4Runtime (none are read) but goes
        // on making their copies; the same group inserted again would make each copy twice.
        let groups = std::mem::take(&mut session.groups);
        let deletions = groups.values().map(|group| update_of(Kind::Delete, group));
        let deletions: Vec<v1::Update> = deletions.collect();
        let pipeline = Pipeline {
            info: &session.info,
            device_config: session.device_config.clone(),
            cookie: None,
        };
        let client = &session.client;
        let loaded = async {
            client.write(deletions).await?;
            let action = PipelineAction::VerifyAndCommit;
            client.set_pipeline(action, pipeline).await
        };
        self.runtime
            .block_on(loaded)
            .map_err(|error| error.to_string())
    }

    fn open(&mut self, program: &str) -> Result<Session, String> {
        let built = p4_folder().join("built");
        let info = P4Info::load(&built.join(format!("{program}.p4info.txtpb")));
        let info = Arc::new(info.map_err(|error| error.to_string())?);
        let device_config = std::fs::read(built.join(format!("{program}.json")));
        let options = ConnectOptions::new(&self.address, self.device_id);
        self.sessions += 1;
        let election_id = ElectionId(self.sessions);
        let client = self.runtime.block_on(async {
            let client = Client::connect(options, info.clone()).await?;
            client.become_primary(election_id).await?;
            Ok::<_, p4runtime::ClientError>(client)
        });
        Ok(Session {
            client: client.map_err(|error| error.to_string())?,
            info,
            device_config: device_config.map_err(|error| error.to_string())?,
            groups: BTreeMap::new(),
        })
    }

    /// Makes a request and waits until it is done. Frames are not for the control plane.
    pub(crate) fn control(&mut self, action: &Action) -> Result<(), String> {
        let (_, session) = self.current.as_mut().ok_or("no program is loaded")?;
        let mut made = None;
        let update = match action {
            Action::Insert { table, entry } => {
                update_of(Kind::Insert, inserted(&session.info, table, entry)?)
            }
            Action::Delete { table, key } => {
                let table = session
                    .info
                    .table(table)
                    .map_err(|error| error.to_string())?;
                update_of(Kind::Delete, keyed(table, &key.matches, key.priority)?)
            }
            Action::Default { table, call } => {
                update_of(Kind::Modify, defaulted(&session.info, table, call)?)
            }
            Action::Multicast { id, replicas } => {
                let replicas = replicas.iter().map(|replica| Replica {
                    port: replica.port.0.into(),
                    instance: replica.rid.into(),
                });
                let group = MulticastGroup::new((*id).into(), replicas);
                let old = session.groups.get(&group.id);
                let kind = old.map_or(Kind::Insert, |_| Kind::Modify);
                update_of(kind, made.insert(group) as &MulticastGroup)
            }
            Action::Counter {
                name,
                index,
                packets,
            } => return self.check_counter(name, *index, *packets),
            Action::Now(_) | Action::Register { .. } | Action::Send { .. } | Action::Expect(_) => {
                return Err("no request that bmv2 takes".to_owned());
            }
        };
        self.runtime
            .block_on(session.client.write(vec![update]))
            .map_err(|error| error.to_string())?;
        session.groups.extend(made.map(|group| (group.id, group)));
        Ok(())
    }

    fn check_counter(&self, name: &str, index: u64, packets: u64) -> Result<(), String> {
        let (_, session) = self.current.as_ref().ok_or("no program is loaded")?;
        let cells = self
            .runtime
            .block_on(session.client.read_counter(name, Some(index)))
            .map_err(|error| error.to_string())?;
        let found: Vec<_> = cells
            .iter()
            .map(|(index, data)| (*index, data.packet_count))
            .collect();
        if found == [(index, i64::try_from(packets).unwrap_or(i64::MAX))] {
            return Ok(());
        }
        Err(format!(
            "`{name}`[{index}] reads as {found:?} (index, packets), expected {packets}"
        ))
    }
}

fn inserted(info: &P4Info, table: &str, entry: &EntrySpec) -> Result<v1::TableEntry, String> {
    let table = info.table(table).map_err(|error| error.to_string())?;
    let action = called(info, &entry.action, &entry.parameters)?;
    Ok(v1::TableEntry {
        action: Some(action),
        ..keyed(table, &entry.matches, entry.priority)?
    })
}

fn defaulted(info: &P4Info, table: &str, call: &ActionCall) -> Result<v1::TableEntry, String> {
    let table = info.table(table).map_err(|error| error.to_string())?;
    Ok(v1::TableEntry {
        table_id: table.id,
        action: Some(called(info, &call.action, &call.parameters)?),
        is_default_action: true,
        ..Default::default()
    })
}

fn called(info: &P4Info, name: &str, arguments: &[u128]) -> Result<v1::TableAction, String> {
    let action = info.action(name).map_err(|error| error.to_string())?;
    if action.params.len() != arguments.len() {
        let (takes, given) = (action.params.len(), arguments.len());
        return Err(format!(
            "action `{name}` takes {takes} arguments, not {given}"
        ));
    }
    let params = action.params.iter().zip(arguments);
    let params = params.map(|(param, argument)| v1::action::Param {
        param_id: param.id,
        value: bytestring::encode(*argument),
    });
    let action = v1::Action {
        action_id: action.id,
        params: params.collect(),
    };
    Ok(v1::TableAction {
        r#type: Some(v1::table_action::Type::Action(action)),
    })
}

fn keyed(table: &Table, matches: &[Match], priority: u32) -> Result<v1::TableEntry, String> {
    if table.match_fields.len() != matches.len() {
        let (has, given) = (table.match_fields.len(), matches.len());
        return Err(format!(
            "the key of `{}` has {has} fields, not {given}",
            table.name
        ));
    }
    let mut fields = Vec::new();
    for (field, given) in table.match_fields.iter().zip(matches) {
        let found = matched(field.kind, *given);
        let found = found.map_err(|problem| format!("field `{}`: {problem}", field.name))?;
        fields.extend(found.map(|found| v1::FieldMatch {
            field_id: field.id,
            field_match_type: Some(found),
        }));
    }
    Ok(v1::TableEntry {
        table_id: table.id,
        r#match: fields,
        priority: i32::try_from(priority).map_err(|error| error.to_string())?,
        ..Default::default()
    })
}

/// A field that may be anything is left out (P4Runtime 1.4, section "Match Format").
fn matched(kind: MatchKind, given: Match) -> Result<Option<FieldMatchType>, String> {
    use v1::field_match::{Exact, Lpm, Optional, Range, Ternary};
    let value = bytestring::encode;
    Ok(Some(match (kind, given) {
        (MatchKind::Exact, Match::Exact(number)) => {
            let value = value(number);
            FieldMatchType::Exact(Exact { value })
        }
        (MatchKind::Optional, Match::Exact(number)) => {
            let value = value(number);
            FieldMatchType::Optional(Optional { value })
        }
        (
            MatchKind::Lpm,
            Match::Lpm {
                prefix_length: 0, ..
            },
        )
        | (MatchKind::Ternary, Match::Ternary { mask: 0, .. })
        | (
            MatchKind::Lpm | MatchKind::Ternary | MatchKind::Range | MatchKind::Optional,
            Match::Any,
        ) => return Ok(None),
        (
            MatchKind::Lpm,
            Match::Lpm {
                value: number,
                prefix_length,
            },
        ) => FieldMatchType::Lpm(Lpm {
            value: value(number),
            prefix_len: prefix_length.into(),
        }),
        (
            MatchKind::Ternary,
            Match::Ternary {
                value: number,
                mask,
            },
        ) => FieldMatchType::Ternary(Ternary {
            value: value(number),
            mask: value(mask),
        }),
        (MatchKind::Range, Match::Range { low, high }) => FieldMatchType::Range(Range {
            low: value(low),
            high: value(high),
        }),
        (kind, given) => return Err(format!("{given:?} does not fit a key of kind {kind}")),
    }))
}
