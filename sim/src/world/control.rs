//! The controller in virtual time: its own logic (`controller::installation`, plan, terms) asked
//! and answered over a session with the switch's server as a value.
//!
//! Every request takes its time, so that a reboot, or the controller's own end, can fall between
//! any two of them. What it has on disk, the terms, survives it.

use super::queue::{Event, Queue};
use super::root::{Blueprint, DEVICE_ID, Root};
use crate::event_log::{EventLog, Who};
use crate::mutant::FabricMutant;
use crate::settings::MS;
use controller::EventKind;
use controller::installation::{Answer, Ask, Installation, Next};
use controller::plan::Plan;
use controller::rule::Rule;
use controller::tables::rule_of_multicast;
use controller::terms::TermState;
use p4runtime::v1::entity::Entity as Kind;
use p4runtime::v1::get_forwarding_pipeline_config_request::ResponseType;
use p4runtime::v1::packet_replication_engine_entry::Type as Replication;
use p4runtime::v1::{self, stream_message_request};
use p4runtime::{ElectionId, MulticastGroup, entity_of_group, update_of};
use sequencer::server::StreamId;
use std::collections::BTreeSet;
use wire::Tick;

/// A request and its answer.
const REQUEST_NS: u64 = 200_000;
/// Loading the program.
const LOAD_NS: u64 = 3 * MS;
/// Until a lost session is noticed.
const NOTICE_NS: u64 = MS;
/// The first pause after a failure; it doubles up to the longest. As `controller::Pauses`.
const FIRST_PAUSE_NS: u64 = 5 * MS;
const LONGEST_PAUSE_NS: u64 = 1_000 * MS;
/// When the run begins, in Unix microseconds: 2026-01-01.
const BEGIN_UNIX_US: u64 = 1_767_225_600_000_000;

/// What it is doing.
#[derive(Debug)]
enum Doing {
    /// Nothing: it is not running.
    Ended,
    /// Waiting until it tries to connect.
    Pausing,
    /// Asking.
    Working(Installation, Ask),
    /// All is well.
    Watching,
}

/// The controller.
#[derive(Debug)]
pub(super) struct Control {
    plan: Plan,
    terms: TermState,
    doing: Doing,
    /// Sessions so far: stream number and election id.
    sessions: u64,
    pause_ns: u64,
    /// Of events: older ones mean nothing any more.
    generation: u64,
    /// Items that keep it from running.
    ended_by: Vec<usize>,
    mutant: Option<FabricMutant>,
}

impl Control {
    pub(super) fn new(plan: Plan, mutant: Option<FabricMutant>) -> Self {
        Self {
            plan,
            terms: TermState::new(0, BEGIN_UNIX_US).expect("2026 is after 2025"),
            doing: Doing::Ended,
            sessions: 0,
            pause_ns: FIRST_PAUSE_NS,
            generation: 0,
            ended_by: Vec::new(),
            mutant,
        }
    }

    /// Whether the switch was as it should be when it was last looked at.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.doing, Doing::Watching)
    }

    /// The process starts.
    pub(super) fn start(&mut self, now: Tick, queue: &mut Queue) {
        self.pause_ns = FIRST_PAUSE_NS;
        self.doing = Doing::Pausing;
        self.go_on(now, REQUEST_NS, queue);
    }

    /// The process ends because of a fault.
    pub(super) fn end(&mut self, item: usize, root: &mut Root) {
        self.ended_by.push(item);
        self.generation += 1;
        self.doing = Doing::Ended;
        root.core.close(StreamId(self.sessions));
    }

    /// A fault that kept it from running is over.
    pub(super) fn release(&mut self, item: usize, now: Tick, queue: &mut Queue) {
        let before = self.ended_by.len();
        self.ended_by.retain(|other| *other != item);
        if before > 0 && self.ended_by.is_empty() {
            self.start(now, queue);
        }
    }

    /// The switch lost its state, and with it the session.
    pub(super) fn on_session_lost(&mut self, now: Tick, queue: &mut Queue) {
        if !matches!(self.doing, Doing::Ended) {
            self.pause_ns = FIRST_PAUSE_NS;
            self.doing = Doing::Pausing;
            self.go_on(now, NOTICE_NS, queue);
        }
    }

    fn go_on(&mut self, now: Tick, after_ns: u64, queue: &mut Queue) {
        self.generation += 1;
        let generation = self.generation;
        queue.push(Tick(now.0 + after_ns), Event::Control { generation });
    }

    /// Takes one step.
    pub(super) fn on_event(
        &mut self,
        now: Tick,
        generation: u64,
        root: &mut Root,
        blueprint: &Blueprint,
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        if generation != self.generation {
            return;
        }
        match std::mem::replace(&mut self.doing, Doing::Pausing) {
            Doing::Ended => self.doing = Doing::Ended,
            Doing::Watching => self.doing = Doing::Watching,
            Doing::Pausing => match self.connect(root) {
                Ok(()) => {
                    let (installation, ask) = Installation::begin();
                    self.doing = Doing::Working(installation, ask);
                    self.go_on(now, REQUEST_NS, queue);
                }
                Err(reason) => self.try_later(now, &reason, queue, log),
            },
            Doing::Working(mut installation, ask) => {
                let answer = match self.carry_out(now, &ask, root, blueprint) {
                    Ok(answer) => answer,
                    Err(reason) => return self.try_later(now, &reason, queue, log),
                };
                let mut tell = |kind: EventKind| tell(now, &kind, log);
                match installation.answer(&self.plan, answer, &mut tell) {
                    Next::Ask(next) => {
                        let after = if next == Ask::Load {
                            LOAD_NS
                        } else {
                            REQUEST_NS
                        };
                        self.doing = Doing::Working(installation, next);
                        self.go_on(now, after, queue);
                    }
                    Next::Done(Ok(settled)) => {
                        let installed = settled.installed;
                        tell(EventKind::Verified {
                            groups: settled.groups,
                            installed,
                        });
                        self.pause_ns = FIRST_PAUSE_NS;
                        self.doing = Doing::Watching;
                    }
                    Next::Done(Err(differences)) => {
                        let reason = format!("{} rules differ", differences.len());
                        self.try_later(now, &reason, queue, log);
                    }
                }
            }
        }
    }

    fn try_later(&mut self, now: Tick, reason: &str, queue: &mut Queue, log: &mut EventLog) {
        let pause_ns = self.pause_ns;
        log.note(
            now,
            Who::Controller,
            "install",
            format_args!("tries again in {} ms: {reason}", pause_ns / MS),
        );
        self.doing = Doing::Pausing;
        self.go_on(now, pause_ns, queue);
        self.pause_ns = (pause_ns * 2).min(LONGEST_PAUSE_NS);
    }

    fn election_id(&self) -> v1::Uint128 {
        ElectionId(self.sessions.into()).into()
    }

    /// Opens a session and asks for the lead.
    fn connect(&mut self, root: &mut Root) -> Result<(), String> {
        if root.is_dark() {
            return Err("nobody answers".to_owned());
        }
        root.core.close(StreamId(self.sessions));
        self.sessions += 1;
        let update = v1::MasterArbitrationUpdate {
            device_id: DEVICE_ID,
            election_id: Some(self.election_id()),
            ..Default::default()
        };
        let message = v1::StreamMessageRequest {
            update: Some(stream_message_request::Update::Arbitration(update)),
        };
        let stream = StreamId(self.sessions);
        let told = root.core.on_stream(stream, message);
        told.map_err(|failure| failure.to_string())?;
        if root.core.arbitration().primary() == Some(stream) {
            Ok(())
        } else {
            Err("another controller leads".to_owned())
        }
    }

    fn carry_out(
        &mut self,
        now: Tick,
        ask: &Ask,
        root: &mut Root,
        blueprint: &Blueprint,
    ) -> Result<Answer, String> {
        if root.is_dark() {
            return Err("nobody answers".to_owned());
        }
        match ask {
            Ask::Program => {
                let cookie = |root: &Root| {
                    let request = v1::GetForwardingPipelineConfigRequest {
                        device_id: DEVICE_ID,
                        response_type: ResponseType::CookieOnly.into(),
                    };
                    let config = root.core.get_pipeline(request).ok()?.config?;
                    config.cookie
                };
                Ok(Answer::Program(cookie(root).is_some()))
            }
            Ask::Rules => Ok(Answer::Rules {
                recorded: self.terms.recorded(self.plan.switch()),
                found: read(root, blueprint)?,
            }),
            Ask::Load => {
                let id = Some(self.election_id());
                let admitted = root.core.arbitration().admit(DEVICE_ID, "", 0, id);
                admitted.map_err(|failure| failure.to_string())?;
                // What `set_pipeline` does, without parsing the same program again in every run.
                *root.core.device_mut() = blueprint.loaded.clone();
                Ok(Answer::Loaded)
            }
            Ask::Term { groups, observed } => {
                let recorded = self.terms.recorded(self.plan.switch());
                if self.mutant == Some(FabricMutant::KeepTerm)
                    && let Some(taken) = recorded.into_values().next()
                {
                    return Ok(Answer::Term(taken));
                }
                let now_us = BEGIN_UNIX_US + now.0 / 1_000;
                let taken = self
                    .terms
                    .take(self.plan.switch(), groups, *observed, now_us);
                Ok(Answer::Term(taken.map_err(|error| error.to_string())?))
            }
            Ask::Insert(rules) | Ask::Modify(rules) => {
                let kind = match ask {
                    Ask::Modify(_) => v1::update::Type::Modify,
                    _ => v1::update::Type::Insert,
                };
                let request = self.write_request(kind, rules, blueprint)?;
                let written = root.core.write(&request);
                written.map_err(|failure| failure.to_string())?;
                Ok(Answer::Inserted)
            }
            Ask::ReadBack => Ok(Answer::ReadBack(read(root, blueprint)?)),
        }
    }

    fn write_request(
        &self,
        kind: v1::update::Type,
        rules: &[Rule],
        blueprint: &Blueprint,
    ) -> Result<v1::WriteRequest, String> {
        let mut updates = Vec::with_capacity(rules.len());
        for rule in rules {
            let entity = blueprint.tables.encode(rule);
            if let Some(entity) = entity.map_err(|error| error.to_string())? {
                updates.push(update_of(kind, entity));
            }
        }
        Ok(v1::WriteRequest {
            device_id: DEVICE_ID,
            election_id: Some(self.election_id()),
            updates,
            ..Default::default()
        })
    }
}

/// All rules of the switch.
fn read(root: &Root, blueprint: &Blueprint) -> Result<BTreeSet<Rule>, String> {
    let tables = blueprint.tables.ids().map(|table_id| {
        v1::Entity::from(v1::TableEntry {
            table_id,
            ..Default::default()
        })
    });
    let groups = entity_of_group(v1::MulticastGroupEntry::default());
    let request = v1::ReadRequest {
        device_id: DEVICE_ID,
        role: String::new(),
        entities: tables.into_iter().chain([groups]).collect(),
    };
    let (entities, outcome) = root.core.read(&request);
    outcome.map_err(|failure| failure.to_string())?;
    let mut rules = BTreeSet::new();
    for entity in entities {
        let rule = match entity.entity {
            Some(Kind::TableEntry(entry)) => {
                let decoded = blueprint.tables.decode(&entry);
                decoded.map_err(|error| error.to_string())?
            }
            Some(Kind::PacketReplicationEngineEntry(entry)) => match entry.r#type {
                Some(Replication::MulticastGroupEntry(group)) => {
                    rule_of_multicast(&MulticastGroup::from_message(&group))
                }
                _ => None,
            },
            _ => None,
        };
        rules.insert(rule.ok_or("the switch has an entry that is nobody's rule")?);
    }
    Ok(rules)
}

fn tell(now: Tick, kind: &EventKind, log: &mut EventLog) {
    if !log.is_kept() {
        return log.note(now, Who::Controller, "install", format_args!(""));
    }
    let text = kind.to_string();
    let first = text.lines().next().unwrap_or_default();
    log.note(now, Who::Controller, "install", format_args!("{first}"));
}
