//! A whole deployment in virtual time: clients, wires, the root switch running the compiled P4
//! program, replicas, the bulk channel between them, disks and the controller.
//!
//! One seed is the whole identity of a run: no thread, no clock, no socket and no hash map order
//! is in it. Faults happen for `fault_ns`; then all stop, every replica that ended starts again if
//! it can, and the group must heal: answer everything and converge, within `heal_ns`.
//!
//! | file | what |
//! |---|---|
//! | `queue` | events in the order of their time |
//! | `traffic` | frames from host to switch to host, messages of the bulk channel |
//! | `wires`, `bulk`, `root`, `control` | the fabric's parts |
//! | `lies` | a root that says what is not so |
//! | `node`, `clock`, `member` | what is around a replica's core |
//! | `members` | who the members are, and an operator who wants others |
//! | `replicas` | handing inputs to cores and carrying out their effects |
//! | `faults` | faults begin and end |
//! | `traps` | ambushes under synchronous rounds: for who proposes |
//! | `snares` | the same for what members say when an epoch ends and another begins |

mod bulk;
mod clock;
mod control;
mod faults;
mod lies;
mod member;
mod members;
mod node;
mod queue;
mod replicas;
mod root;
mod snares;
mod traffic;
mod traps;
mod wires;

pub use member::{Bounded, Member, Observed, SeenEntry, can_restart};
pub use root::Blueprint;

use crate::event_log::{EventLog, Who};
use crate::invariants::{self, End, Invariant, Sight, Violation};
use crate::mutant::Mutant;
use crate::oracle::{Oracle, Tally, Then};
use crate::schedule::{Between, HostSet, Item, generate};
use crate::settings::Settings;
use bulk::Bulk;
use clock::Clock;
use control::Control;
use member::Birth;
use node::Node;
use queue::{Event, Queue};
use replica::{Counters, Effects, Mode};
use root::{Layout, Root};
use snares::Sprung;
use traps::Trap;
use wire::{ReplicaId, Tick};
use wires::Wires;

/// Events of one time: more means that time stands still.
const MAX_EVENTS_OF_A_TIME: u64 = 100_000;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was answered, the group healed, no invariant broke.
    Passed,
    /// An invariant broke.
    Unsafe(Violation),
    /// Nothing false was seen, but the group did not heal in time.
    Stuck(String),
}

impl Ending {
    /// The name of what went wrong, by which two failures are told apart.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Unsafe(violation) => violation.invariant,
            Self::Stuck(_) => "liveness",
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its identity.
    pub seed: u64,
    /// Replicas in its group.
    pub replicas: usize,
    /// Faults in its schedule.
    pub faults: usize,
    /// How it ended.
    pub ending: Ending,
    /// Events in its log.
    pub events: u64,
    /// A number that stands for the times, nodes and kinds of all events.
    pub trace: u64,
    /// When it ended.
    pub end: Tick,
    /// What clients saw.
    pub tally: Tally,
    /// What each operation took, in nanoseconds, of clients that never pause; else empty.
    pub latencies_ns: Vec<u64>,
    /// Counters of all replicas that were up in the end, added.
    pub counters: Counters,
    /// Processes of replicas that ended.
    pub crashes: u64,
}

/// A partition that is in force.
#[derive(Clone, Copy, Debug)]
struct Wall {
    item: usize,
    hosts: HostSet,
    between: Between,
    one_way: bool,
}

/// A run.
pub struct World<'b> {
    blueprint: &'b Blueprint,
    settings: Settings,
    seed: u64,
    now: Tick,
    events_now: u64,
    queue: Queue,
    layout: Layout,
    wires: Wires,
    walls: Vec<Wall>,
    /// What an ambush does that has sprung.
    trap: Option<Trap>,
    /// How far a snare has got that has sprung.
    snare: Option<Sprung>,
    switches: Vec<Root>,
    control: Control,
    bulk: Bulk,
    nodes: Vec<Node>,
    oracle: Oracle,
    schedule: Vec<Item>,
    /// Items that have begun and not ended.
    in_force: Vec<usize>,
    invariants: Vec<Box<dyn Invariant>>,
    log: EventLog,
    effects: Effects,
    payload: Vec<u8>,
    clients_began: bool,
    healed: bool,
    crashes: u64,
    ending: Option<Ending>,
}

impl<'b> World<'b> {
    /// The run of this seed. Settings must have been checked. `keep_log`: lines are kept.
    pub fn new(settings: &Settings, seed: u64, blueprint: &'b Blueprint, keep_log: bool) -> Self {
        let replicas = settings.known_of(seed);
        let clients = settings.clients;
        let layout = Layout::new(settings.topology, replicas, clients);
        let (trunks, switches) = (layout.topology.links.len(), layout.switches());
        let addresses = layout.hosts[replicas..].iter().map(|host| host.address);
        let schedule = generate(settings, seed);
        let mutant = settings.mutant.and_then(Mutant::of_fabric);
        let mut world = Self {
            oracle: Oracle::new(settings, seed, addresses),
            control: Control::new(&layout.topology, mutant),
            wires: Wires::new(seed, replicas, replicas + clients, trunks),
            bulk: Bulk::new(seed, replicas),
            nodes: Vec::new(),
            blueprint,
            settings: Settings {
                gap_awareness: Some(settings.gap_awareness_of(seed)),
                ..settings.clone()
            },
            seed,
            now: Tick(0),
            events_now: 0,
            queue: Queue::default(),
            layout,
            walls: Vec::new(),
            trap: None,
            snare: None,
            switches: (0..switches).map(|_| Root::new(mutant)).collect(),
            schedule,
            in_force: Vec::new(),
            invariants: invariants::wanted(settings),
            log: EventLog::new(keep_log),
            effects: Effects::new(),
            payload: Vec::new(),
            clients_began: false,
            healed: false,
            crashes: 0,
            ending: None,
        };
        world.begin(replicas);
        world
    }

    fn begin(&mut self, replicas: usize) {
        for index in 0..replicas {
            let clock = self.clock_of(index);
            let birth = self.birth(index, clock);
            let member = member::first_boot(&self.settings, birth);
            self.nodes.push(Node::new(member, clock));
            self.arm_replica(index);
        }
        self.control.start(self.now, &mut self.queue);
        for (item, fault) in self.schedule.iter().enumerate() {
            self.queue.push(fault.from, Event::Begin { item });
            self.queue.push(fault.until, Event::End { item });
        }
        self.queue.push(Tick(self.settings.fault_ns), Event::Heal);
    }

    fn birth(&self, index: usize, clock: Clock) -> Birth {
        Birth {
            me: replica_id(index),
            quorum: self.settings.quorum_of(self.seed),
            known: self.settings.known_of(self.seed),
            now: clock.local(self.now),
        }
    }

    /// Handles the next event. False: the run is over.
    pub fn step(&mut self) -> bool {
        if self.ending.is_some() {
            return false;
        }
        let Some((at, event)) = self.queue.pop() else {
            self.ending = Some(Ending::Stuck("nothing will ever happen again".to_owned()));
            return false;
        };
        self.advance_to(at);
        if self.ending.is_none() {
            self.handle(event);
            self.look_for_the_end();
        }
        self.ending.is_none()
    }

    fn advance_to(&mut self, at: Tick) {
        assert!(at >= self.now, "time runs forward");
        self.events_now = if at == self.now {
            self.events_now + 1
        } else {
            0
        };
        self.now = at;
        if self.events_now > MAX_EVENTS_OF_A_TIME {
            self.get_stuck("time stands still");
        } else if at.0 > self.settings.fault_ns + self.settings.heal_ns {
            self.get_stuck("the group did not heal in time");
        }
    }

    fn get_stuck(&mut self, why: &str) {
        use std::fmt::Write as _;
        let mut text = format!(
            "{why}; {} operations not answered",
            self.oracle.unanswered()
        );
        for (index, node) in self.nodes.iter().enumerate() {
            // Writing to a string cannot fail.
            let seen = node.seen;
            let (word, view) = (seen.mode.word(), seen.view);
            let (last, committed) = (seen.last, seen.last_committed);
            let _ = if node.member.is_none() {
                write!(text, "; r{index} is down")
            } else {
                write!(
                    text,
                    "; r{index} {word} view {view} slot {last} committed {committed}"
                )
            };
        }
        self.ending = Some(Ending::Stuck(text));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::AtSwitch { host, frame } => self.at_switch(host, &frame),
            Event::AtTrunkEnd {
                trunk,
                lower,
                frame,
            } => self.at_trunk_end(trunk, lower, &frame),
            Event::AtHost { host, frame } => self.at_host(host, &frame),
            Event::Leave { host, frame } => self.leave(host, frame),
            Event::WireFree { wire } => self.wire_free(wire),
            Event::Bulk {
                from,
                to,
                connection,
                message,
            } => self.bulk_arrives(from, to, connection, message),
            Event::ReplicaTimer {
                replica,
                generation,
            } => self.replica_timer(replica, generation),
            Event::ReplicaFree {
                replica,
                incarnation,
            } => self.replica_free(replica, incarnation),
            Event::ClientTimer { client, generation } => {
                let then = self.oracle.on_timer(self.now, client, generation);
                self.after_client(client, then);
            }
            Event::ClientAsks { client } => self.client_asks(client),
            Event::Control { switch, generation } => self.control_goes_on(switch, generation),
            Event::Silent { item, switch } => self.silent(item, switch),
            Event::Begin { item } => self.begin_fault(item),
            Event::End { item } => self.end_fault(item),
            Event::Trap { item, step } => self.trap_goes_on(item, step),
            Event::Snare { item, step } => self.snare_goes_on(item, step),
            Event::Heal => self.heal(),
        }
    }

    fn control_goes_on(&mut self, switch: usize, generation: u64) {
        let Self {
            control,
            switches,
            blueprint,
            queue,
            log,
            ..
        } = self;
        let root = &mut switches[switch];
        control.on_event(self.now, (switch, generation), root, blueprint, queue, log);
        if !self.clients_began && self.control.is_settled() {
            // As every deployment: clients come when the controller has verified the switch.
            self.clients_began = true;
            for client in 0..self.oracle.len() {
                self.client_asks(client);
            }
        }
    }

    /// The switch to which packets of the group go.
    fn root(&self) -> usize {
        self.control.root()
    }

    /// The switch to which packets of the group go loses program, tables and registers.
    fn reboot_root(&mut self) -> usize {
        let root = self.root();
        self.switches[root].lose_everything(self.now);
        self.control
            .on_session_lost(self.now, root, &mut self.queue);
        root
    }

    fn client_asks(&mut self, client: usize) {
        let Some(operation) = self.oracle.ask(self.now, client) else {
            return;
        };
        let who = Who::Client(client);
        if self.log.is_kept() {
            self.log
                .note(self.now, who, "ask", format_args!("{operation:?}"));
        } else {
            self.log.note(self.now, who, "ask", format_args!(""));
        }
        self.send_request(client);
        self.arm_client(client);
    }

    fn after_client(&mut self, client: usize, then: Result<Then, String>) {
        match then {
            Ok(Then::Nothing) => {}
            Ok(Then::Send) => self.send_request(client),
            Ok(Then::Answered(again)) => self.queue.push(again, Event::ClientAsks { client }),
            Err(seen) => {
                self.ending = Some(Ending::Unsafe(Violation {
                    invariant: "results_never_change",
                    paper: "NSDI'15 section 4.2: equal logs give equal results",
                    seen: format!("client {client}: {seen}"),
                    at: self.now,
                }));
            }
        }
        self.arm_client(client);
    }

    fn arm_client(&mut self, client: usize) {
        if let Some((at, generation)) = self.oracle.arm(client) {
            let at = at.max(self.now);
            self.queue
                .push(at, Event::ClientTimer { client, generation });
        }
    }

    /// Shows invariants something; the first that is broken ends the run.
    fn see(&mut self, sight: &Sight<'_>) {
        look(&mut self.invariants, self.now, sight, &mut self.ending);
    }

    /// After the faults: everything answered, and all replicas that are up alike and at rest.
    fn look_for_the_end(&mut self) {
        if !self.healed || self.ending.is_some() || !self.oracle.is_done() {
            return;
        }
        let up: Vec<&Node> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(index, node)| node.member.is_some() && self.is_member(*index))
            .map(|(_, node)| node)
            .collect();
        let Some(first) = up.first().map(|node| node.seen) else {
            return;
        };
        let at_rest = |node: &Node| {
            let seen = node.seen;
            seen.mode == Mode::Normal && seen.last == seen.last_committed && seen.hash == first.hash
        };
        if up.into_iter().all(at_rest) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let members: Vec<(ReplicaId, &dyn Member)> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| self.is_member(*index))
            .filter_map(|(index, node)| Some((replica_id(index), node.member.as_deref()?)))
            .collect();
        let end = Sight::End(End {
            members: &members,
            history: self.oracle.history(),
        });
        look(&mut self.invariants, self.now, &end, &mut self.ending);
        if self.ending.is_none() {
            self.ending = Some(Ending::Passed);
        }
    }

    /// Ends the run because of an assertion of a core that did not hold.
    pub(crate) fn fail_assertion(&mut self, text: String) {
        self.ending = Some(Ending::Unsafe(Violation {
            invariant: invariants::CORE_ASSERTION,
            paper: "an assertion of the protocol's core",
            seen: text,
            at: self.now,
        }));
    }

    /// What came of the run; ends it if it has not ended.
    pub fn outcome(&mut self) -> Outcome {
        let ending = self.ending.clone().unwrap_or(Ending::Passed);
        let mut counters = Counters::default();
        for member in self.nodes.iter().filter_map(|node| node.member.as_deref()) {
            add(&mut counters, &member.core().status().counters);
        }
        self.log
            .note(self.now, Who::Sim, "end", format_args!("{}", ending.name()));
        Outcome {
            seed: self.seed,
            replicas: self.nodes.len(),
            faults: self.schedule.len(),
            ending,
            events: self.log.count(),
            trace: self.log.trace(),
            end: self.now,
            tally: self.oracle.tally(),
            latencies_ns: if self.settings.pauses {
                Vec::new()
            } else {
                self.oracle.history().latencies().collect()
            },
            counters,
            crashes: self.crashes,
        }
    }

    /// The faults of the run.
    pub fn schedule(&self) -> &[Item] {
        &self.schedule
    }

    /// Takes the lines of the log since the last call.
    pub fn take_lines(&mut self) -> String {
        self.log.take()
    }

    /// Virtual time.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// A replica's state for people; `None`: there is no such replica.
    pub fn describe(&self, replica: usize) -> Option<String> {
        let node = self.nodes.get(replica)?;
        let Some(member) = &node.member else {
            return Some(format!(
                "r{replica} is down, saved on its disk: {:?}",
                node.disk.saved
            ));
        };
        let status = member.core().status();
        let mut text = format!("{status:#?}\nlog, newest last:\n");
        let from = status.last_speculative.0.saturating_sub(10);
        for slot in from + 1..=status.last_speculative.0 {
            use std::fmt::Write as _;
            if let Some(entry) = member.entry(wire::SlotNumber(slot)) {
                let committed = if entry.slot <= status.last_committed {
                    "committed"
                } else {
                    ""
                };
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "  slot {slot} hash {} client {:x} #{} time {} {committed}",
                    entry.hash, entry.client.0, entry.number, entry.time
                );
            }
        }
        Some(text)
    }
}

/// Shows all invariants something.
fn look(
    invariants: &mut [Box<dyn Invariant>],
    at: Tick,
    sight: &Sight<'_>,
    ending: &mut Option<Ending>,
) {
    for invariant in invariants {
        if let Err(seen) = invariant.see(sight) {
            ending.get_or_insert_with(|| {
                Ending::Unsafe(Violation {
                    invariant: invariant.name(),
                    paper: invariant.paper(),
                    seen,
                    at,
                })
            });
            return;
        }
    }
}

fn add(sum: &mut Counters, more: &Counters) {
    sum.executed += more.executed;
    sum.rolled_back += more.rolled_back;
    sum.view_changes += more.view_changes;
    sum.deferred += more.deferred;
    sum.deferred_dropped += more.deferred_dropped;
    sum.unstamped += more.unstamped;
    sum.stale += more.stale;
    sum.resent += more.resent;
    sum.rejected += more.rejected;
}

fn replica_id(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("a small group"))
}
