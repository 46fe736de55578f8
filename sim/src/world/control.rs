//! The controller in virtual time: its own logic (`controller::installation`, plan, placement,
//! terms) asked
//! and answered over a session with the switch's server as a value.
//!
//! Every request takes its time, so that a reboot, or the controller's own end, can fall between
//! any two of them. What it has on disk, the terms, survives it.

use super::queue::{Event, Queue};
use super::root::{Blueprint, DEVICE_ID, GROUP, Root};
use crate::event_log::{EventLog, Who};
use crate::mutant::FabricMutant;
use crate::settings::MS;
use controller::controller::Probe;
use controller::installation::{Answer, Ask, Installation, Next};
use controller::placement::{Failover, Move, News, Placement};
use controller::plan::Plan;
use controller::rule::Rule;
use controller::tables::rule_of_multicast;
use controller::terms::TermState;
use controller::{EventKind, Topology};
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
const LOAD_NS: u64 = 1_200_000;
/// Taking a term, which is on disk before it is used.
const TERM_NS: u64 = 2 * MS;
/// Until a lost session is noticed.
const NOTICE_NS: u64 = MS;
/// The first pause after a failure; it doubles up to the longest. As `controller::Pauses`.
const FIRST_PAUSE_NS: u64 = 5 * MS;
const LONGEST_PAUSE_NS: u64 = 1_000 * MS;
/// When the run begins, in Unix microseconds: 2026-01-01.
const BEGIN_UNIX_US: u64 = 1_767_225_600_000_000;

/// Until a switch that says nothing any more is given up, at the longest: as the controller does it.
pub(super) fn silence_ns() -> u64 {
    let Probe { every, patience } = Probe::default();
    u64::try_from((every + patience).as_nanos()).expect("less than a second")
}

/// What it is doing with a switch.
#[derive(Debug)]
enum Doing {
    /// Nothing: it is not running.
    Ended,
    /// Its session has ended, which it notices next; then it tries to connect.
    Noticing,
    /// Waiting until it tries to connect.
    Pausing,
    /// Asking, for this plan.
    Working(Installation, Ask, Plan),
    /// All is well: the switch has these rules.
    Watching(BTreeSet<Rule>),
}

/// A switch as the controller sees it.
#[derive(Debug)]
struct Managed {
    plan: Plan,
    doing: Doing,
    /// Sessions so far: stream number and election id.
    sessions: u64,
    pause_ns: u64,
    /// Of events: older ones mean nothing any more.
    generation: u64,
}

/// The controller.
#[derive(Debug)]
pub(super) struct Control {
    topology: Topology,
    failover: Failover,
    terms: TermState,
    managed: Vec<Managed>,
    /// Items that keep it from running.
    ended_by: Vec<usize>,
    mutant: Option<FabricMutant>,
}

impl Control {
    pub(super) fn new(topology: &Topology, mutant: Option<FabricMutant>) -> Self {
        let placement = Placement::preferred(topology);
        let managed = topology.switches.iter().map(|switch| Managed {
            plan: plan(topology, &switch.name, &placement),
            doing: Doing::Ended,
            sessions: 0,
            pause_ns: FIRST_PAUSE_NS,
            generation: 0,
        });
        Self {
            managed: managed.collect(),
            topology: topology.clone(),
            failover: Failover::new(topology, placement),
            terms: TermState::new(0, BEGIN_UNIX_US).expect("2026 is after 2025"),
            ended_by: Vec::new(),
            mutant,
        }
    }

    /// Whether all switches were as they should be when they were last looked at.
    pub(super) fn is_settled(&self) -> bool {
        let watches = |managed: &Managed| matches!(managed.doing, Doing::Watching(_));
        self.managed.iter().all(watches)
    }

    /// The switch to which packets of the group go.
    pub(super) fn root(&self) -> usize {
        let seat = self.failover.placement().seat(GROUP);
        let root = &seat.expect("there is one group").routed_to;
        self.index_of(root)
    }

    fn index_of(&self, switch: &str) -> usize {
        let is_it = |managed: &Managed| managed.plan.switch() == switch;
        let found = self.managed.iter().position(is_it);
        found.expect("a switch of the topology")
    }

    /// The process starts. Of what it knew, the terms are left, and with them where the group is.
    pub(super) fn start(&mut self, now: Tick, queue: &mut Queue) {
        let placement = Placement::recorded(&self.topology, &self.terms.roots());
        self.failover = Failover::new(&self.topology, placement);
        for switch in 0..self.managed.len() {
            let managed = &mut self.managed[switch];
            let placement = self.failover.placement();
            managed.plan = plan(&self.topology, managed.plan.switch(), placement);
            managed.pause_ns = FIRST_PAUSE_NS;
            managed.doing = Doing::Pausing;
            self.go_on(now, switch, REQUEST_NS, queue);
        }
    }

    /// The process ends because of a fault.
    pub(super) fn end(&mut self, item: usize, switches: &mut [Root]) {
        self.ended_by.push(item);
        for (managed, switch) in self.managed.iter_mut().zip(switches) {
            managed.generation += 1;
            managed.doing = Doing::Ended;
            switch.core.close(StreamId(managed.sessions));
        }
    }

    /// A fault that kept it from running is over.
    pub(super) fn release(&mut self, item: usize, now: Tick, queue: &mut Queue) {
        let before = self.ended_by.len();
        self.ended_by.retain(|other| *other != item);
        if before > 0 && self.ended_by.is_empty() {
            self.start(now, queue);
        }
    }

    /// A switch lost its state, or says nothing, and with it the session is lost.
    pub(super) fn on_session_lost(&mut self, now: Tick, switch: usize, queue: &mut Queue) {
        let managed = &mut self.managed[switch];
        if matches!(managed.doing, Doing::Ended) {
            return;
        }
        managed.pause_ns = FIRST_PAUSE_NS;
        managed.doing = Doing::Noticing;
        self.go_on(now, switch, NOTICE_NS, queue);
    }

    fn go_on(&mut self, now: Tick, switch: usize, after_ns: u64, queue: &mut Queue) {
        let managed = &mut self.managed[switch];
        managed.generation += 1;
        let generation = managed.generation;
        queue.push(
            Tick(now.0 + after_ns),
            Event::Control { switch, generation },
        );
    }

    /// Takes one step with a switch.
    pub(super) fn on_event(
        &mut self,
        now: Tick,
        (switch, generation): (usize, u64),
        root: &mut Root,
        blueprint: &Blueprint,
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        let managed = &mut self.managed[switch];
        if generation != managed.generation {
            return;
        }
        match std::mem::replace(&mut managed.doing, Doing::Pausing) {
            Doing::Ended => managed.doing = Doing::Ended,
            Doing::Watching(rules) => self.follow(now, switch, rules, queue, log),
            Doing::Noticing => {
                self.on_news(now, switch, &News::Lost, queue, log);
                self.try_connect(now, switch, root, queue, log);
            }
            Doing::Pausing => self.try_connect(now, switch, root, queue, log),
            Doing::Working(mut installation, ask, plan) => {
                let answer = match self.carry_out(now, switch, &ask, root, blueprint) {
                    Ok(answer) => answer,
                    Err(reason) => return self.try_later(now, switch, &reason, queue, log),
                };
                let mut tell = |kind: EventKind| tell(now, &kind, log);
                let next = installation.answer(&plan, answer, &mut tell);
                self.take(now, switch, (installation, next, plan), queue, log);
            }
        }
    }

    fn try_connect(
        &mut self,
        now: Tick,
        switch: usize,
        root: &mut Root,
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        if let Err(reason) = self.connect(switch, root) {
            return self.try_later(now, switch, &reason, queue, log);
        }
        let (installation, ask) = Installation::begin();
        let managed = &mut self.managed[switch];
        managed.doing = Doing::Working(installation, ask, managed.plan.clone());
        self.go_on(now, switch, REQUEST_NS, queue);
    }

    /// Takes in what an installation says next.
    fn take(
        &mut self,
        now: Tick,
        switch: usize,
        (installation, next, plan): (Installation, Next, Plan),
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        match next {
            Next::Ask(next) => {
                if next == Ask::ReadBack {
                    let groups = installation.groups().iter().map(|it| it.group).collect();
                    self.on_news(now, switch, &News::Written(groups), queue, log);
                }
                let after = match next {
                    Ask::Load => LOAD_NS,
                    Ask::Term { .. } => TERM_NS,
                    _ => REQUEST_NS,
                };
                self.managed[switch].doing = Doing::Working(installation, next, plan);
                self.go_on(now, switch, after, queue);
            }
            Next::Done(Ok(settled)) => {
                let groups = settled.groups.iter().map(|it| it.group).collect();
                let installed = settled.installed;
                let kind = EventKind::Verified {
                    groups: settled.groups,
                    installed,
                };
                tell(now, &kind, log);
                let managed = &mut self.managed[switch];
                managed.pause_ns = FIRST_PAUSE_NS;
                managed.doing = Doing::Watching(installation.rules().clone());
                if managed.plan != plan {
                    self.go_on(now, switch, 0, queue);
                }
                self.on_news(now, switch, &News::Ready(groups), queue, log);
            }
            Next::Done(Err(differences)) => {
                let reason = format!("{} rules differ", differences.len());
                self.try_later(now, switch, &reason, queue, log);
            }
        }
    }

    /// A plan that has changed, on a switch that has `rules`.
    fn follow(
        &mut self,
        now: Tick,
        switch: usize,
        rules: BTreeSet<Rule>,
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        let plan = self.managed[switch].plan.clone();
        let mut tell = |kind: EventKind| tell(now, &kind, log);
        let (installation, next) = Installation::change(&plan, rules, &mut tell);
        self.take(now, switch, (installation, next, plan), queue, log);
    }

    /// News of a switch may move groups, and that changes plans.
    fn on_news(
        &mut self,
        now: Tick,
        switch: usize,
        news: &News,
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        let name = self.managed[switch].plan.switch().to_owned();
        let moves = self.failover.on_news(&name, news);
        if moves.is_empty() {
            return;
        }
        for Move { from, to, done, .. } in moves {
            let what = if done { "is at" } else { "goes to" };
            log.note(
                now,
                Who::Controller,
                "move",
                format_args!("the group {what} {to}, from {from}"),
            );
        }
        for switch in 0..self.managed.len() {
            let managed = &mut self.managed[switch];
            let placement = self.failover.placement();
            let new = plan(&self.topology, managed.plan.switch(), placement);
            if managed.plan != new {
                managed.plan = new;
                // Who is busy with it looks at the plan when that is done.
                if matches!(managed.doing, Doing::Watching(_)) {
                    self.go_on(now, switch, 0, queue);
                }
            }
        }
    }

    fn try_later(
        &mut self,
        now: Tick,
        switch: usize,
        reason: &str,
        queue: &mut Queue,
        log: &mut EventLog,
    ) {
        let managed = &mut self.managed[switch];
        let pause_ns = managed.pause_ns;
        log.note(
            now,
            Who::Controller,
            "install",
            format_args!("tries again in {} ms: {reason}", pause_ns / MS),
        );
        managed.doing = Doing::Pausing;
        managed.pause_ns = (pause_ns * 2).min(LONGEST_PAUSE_NS);
        self.go_on(now, switch, pause_ns, queue);
        self.on_news(now, switch, &News::Lost, queue, log);
    }

    fn election_id(&self, switch: usize) -> v1::Uint128 {
        ElectionId(self.managed[switch].sessions.into()).into()
    }

    /// Opens a session and asks for the lead.
    fn connect(&mut self, switch: usize, root: &mut Root) -> Result<(), String> {
        if root.is_dark() {
            return Err("nobody answers".to_owned());
        }
        root.core.close(StreamId(self.managed[switch].sessions));
        self.managed[switch].sessions += 1;
        let update = v1::MasterArbitrationUpdate {
            device_id: DEVICE_ID,
            election_id: Some(self.election_id(switch)),
            ..Default::default()
        };
        let message = v1::StreamMessageRequest {
            update: Some(stream_message_request::Update::Arbitration(update)),
        };
        let stream = StreamId(self.managed[switch].sessions);
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
        switch: usize,
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
                recorded: self.terms.recorded(self.managed[switch].plan.switch()),
                found: read(root, blueprint)?,
            }),
            Ask::Load => {
                let id = Some(self.election_id(switch));
                let admitted = root.core.arbitration().admit(DEVICE_ID, "", 0, id);
                admitted.map_err(|failure| failure.to_string())?;
                // What `set_pipeline` does, without parsing the same program again in every run.
                *root.core.device_mut() = blueprint.loaded.clone();
                Ok(Answer::Loaded)
            }
            Ask::Term { groups, observed } => {
                let recorded = self.terms.recorded(self.managed[switch].plan.switch());
                if self.mutant == Some(FabricMutant::KeepTerm)
                    && let Some(taken) = recorded.into_values().next()
                {
                    return Ok(Answer::Term(taken));
                }
                let now_us = BEGIN_UNIX_US + now.0 / 1_000;
                let name = self.managed[switch].plan.switch();
                let taken = self.terms.take(name, groups, *observed, now_us);
                Ok(Answer::Term(taken.map_err(|error| error.to_string())?))
            }
            Ask::Insert(rules) | Ask::Modify(rules) => {
                let kind = match ask {
                    Ask::Modify(_) => v1::update::Type::Modify,
                    _ => v1::update::Type::Insert,
                };
                let request = self.write_request(switch, kind, rules, blueprint)?;
                let written = root.core.write(&request);
                written.map_err(|failure| failure.to_string())?;
                Ok(Answer::Inserted)
            }
            Ask::ReadBack => Ok(Answer::ReadBack(read(root, blueprint)?)),
        }
    }

    fn write_request(
        &self,
        switch: usize,
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
            election_id: Some(self.election_id(switch)),
            updates,
            ..Default::default()
        })
    }
}

fn plan(topology: &Topology, switch: &str, placement: &Placement) -> Plan {
    Plan::placed(topology, switch, placement).expect("the topology is valid")
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
