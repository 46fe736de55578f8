//! Faults begin and end.
//!
//! At most f replicas are down or recovering at once; a replica that has started again counts as
//! down until it is normal. A fault that would be one too many does not happen, and says so.

use super::clock::Clock;
use super::member;
use super::queue::Event;
use super::root::LEAF;
use super::{Wall, World, replica_id};
use crate::event_log::Who;
use crate::invariants::Sight;
use crate::schedule::{Between, Fault, HostSet, Snare};
use replica::spec_paxos::Boot;
use wire::message::fast_paxos::FastPaxosMessage;
use wire::message::nopaxos::NoPaxosMessage;
use wire::message::rounds::RoundsMessage;
use wire::{Message, Tick};

impl World<'_> {
    /// The clock of a replica, as the schedule has it.
    pub(super) fn clock_of(&self, index: usize) -> Clock {
        let mut clocks = self.schedule.iter().filter_map(|item| match item.fault {
            Fault::Clock {
                replica,
                offset_ns,
                drift_ppm,
            } if replica == index => Some(Clock {
                offset_ns,
                drift_ppm,
            }),
            _ => None,
        });
        clocks.next_back().unwrap_or_default()
    }

    fn may_fail(&self, replica: usize) -> bool {
        let node = &self.nodes[replica];
        node.is_whole && !node.disk.is_full() && self.may_one_more_fail(replica)
    }

    pub(super) fn note_fault(&mut self, item: usize, what: &str) {
        let fault = self.schedule[item];
        self.log
            .note(self.now, Who::Sim, "fault", format_args!("{what} {fault}"));
    }

    pub(super) fn begin_fault(&mut self, item: usize) {
        let fault = self.schedule[item].fault;
        let (Fault::Crash { replica, .. } | Fault::Stop { replica } | Fault::FullDisk { replica }) =
            fault
        else {
            return self.begin_harmless(item, fault);
        };
        if !self.may_fail(replica) {
            return self.note_fault(item, "not now, enough replicas fail:");
        }
        self.in_force.push(item);
        self.note_fault(item, "begins:");
        match fault {
            Fault::Crash { keeps_disk, .. } => self.crash(replica, Some((item, keeps_disk))),
            Fault::FullDisk { .. } => self.nodes[replica].disk.fill(item),
            _ => self.crash(replica, None),
        }
    }

    /// Faults that no replica's life depends on.
    fn begin_harmless(&mut self, item: usize, fault: Fault) {
        self.in_force.push(item);
        self.note_fault(item, "begins:");
        match fault {
            Fault::Noise { hosts, way, noise } => self.wires.add_noise(item, hosts, way, noise),
            Fault::SlowLink {
                hosts,
                divisor,
                delay_ns,
            } => self.wires.add_slowness(item, hosts, divisor, delay_ns),
            Fault::Partition {
                hosts,
                between,
                one_way,
                resets,
            } => {
                self.walls.push(Wall {
                    item,
                    hosts,
                    between,
                    one_way,
                });
                if resets && between != Between::ClientsAndReplicas {
                    self.bulk
                        .reset(|a, b| hosts.has_replica(a) != hosts.has_replica(b));
                }
            }
            Fault::SlowDisk {
                replica,
                latency_ns,
            } => self.nodes[replica].disk.slow_down(item, latency_ns),
            Fault::RootReboot => {
                let root = self.reboot_root();
                self.switches[root].darken(item);
            }
            Fault::ChangeMembers { turnover } => self.ask_for_change(turnover),
            Fault::RootVanishes => self.root_vanishes(item),
            Fault::RootLies { lie, .. } => {
                let root = self.root();
                self.switches[root].begin_lie(item, lie);
            }
            Fault::RootDies => self.root_dies(item),
            Fault::ControllerRestart => self.control.end(item, &mut self.switches),
            Fault::Detour { hosts, delay_ns } => self.wires.add_detour(item, hosts, delay_ns),
            Fault::Snare {
                snare: Snare::LostPromise,
            } if self.snare.is_none() => drop(self.reboot_root()),
            Fault::Snare { .. }
            | Fault::Ambush { .. }
            | Fault::Clock { .. }
            | Fault::Crash { .. }
            | Fault::Stop { .. }
            | Fault::FullDisk { .. } => {}
        }
    }

    /// Nobody tells the controller: with a root to go to, it finds out because nobody answers.
    fn root_vanishes(&mut self, item: usize) {
        let switch = self.root();
        self.switches[switch].darken(item);
        if self.switches.len() > 1 {
            let at = Tick(self.now.0 + super::control::silence_ns());
            self.queue.push(at, Event::Silent { item, switch });
        }
    }

    /// The root ends for good and its session with it, unless no other one is left.
    fn root_dies(&mut self, item: usize) {
        let root = self.root();
        if self
            .switches
            .iter()
            .skip(1)
            .filter(|it| !it.is_dead())
            .count()
            < 2
        {
            return self.note_fault(item, "not now, no other root is left:");
        }
        self.switches[root].die();
        self.control
            .on_session_lost(self.now, root, &mut self.queue);
    }

    /// The controller has waited for an answer for as long as it does.
    pub(super) fn silent(&mut self, item: usize, switch: usize) {
        if self.in_force.contains(&item) && self.switches[switch].is_dark() {
            self.control
                .on_session_lost(self.now, switch, &mut self.queue);
        }
    }

    /// A replica is about to send this: an ambush may be waiting for it.
    pub(super) fn spring(&mut self, replica: usize, message: &[u8]) {
        let item = self.in_force.iter().copied().find_map(|item| {
            let fault = self.schedule[item].fault;
            match fault {
                Fault::Ambush { skip, at_commit } => Some((item, skip, at_commit)),
                _ => None,
            }
        });
        let Some((item, skip, at_commit)) = item else {
            return;
        };
        if let Ok(Message::Rounds(RoundsMessage::Round(packet))) = Message::parse(message) {
            return self.spring_at_round(item, (skip, at_commit), replica, &packet);
        }
        let wall = self.walls.iter().find(|wall| wall.item == item);
        let mut hosts = HostSet {
            replicas: 1 << replica,
            clients: 0,
        };
        let caught = match (Message::parse(message), wall) {
            (Ok(message), None) if tells_commit(&message) => at_commit,
            (Ok(message), None) if !at_commit && begins_view(&message) => {
                let n = self.nodes.len();
                for step in skip + 1..=skip + n / 2 {
                    hosts.replicas |= 1 << ((replica + step) % n);
                }
                true
            }
            (Ok(message), Some(wall)) if tells_commit(&message) => {
                wall.hosts.has_replica(replica) && wall.hosts != hosts
            }
            _ => false,
        };
        if caught {
            self.walls.retain(|wall| wall.item != item);
            self.walls.push(Wall {
                item,
                hosts,
                between: Between::Replicas,
                one_way: false,
            });
            self.note_fault(item, "springs:");
        }
    }

    pub(super) fn end_fault(&mut self, item: usize) {
        let Some(position) = self.in_force.iter().position(|other| *other == item) else {
            return;
        };
        self.in_force.remove(position);
        self.note_fault(item, "ends:");
        match self.schedule[item].fault {
            Fault::Noise { .. } | Fault::SlowLink { .. } | Fault::Detour { .. } => {
                self.wires.remove(item);
            }
            Fault::Ambush { .. } | Fault::Snare { .. } | Fault::Partition { .. } => {
                self.trap = self.trap.filter(|trap| trap.item != item);
                self.snare = self.snare.filter(|sprung| sprung.item != item);
                self.walls.retain(|wall| wall.item != item);
                self.release_bulk();
            }
            Fault::FullDisk { replica } => {
                self.nodes[replica].disk.remove(item);
                self.start_again(replica, item);
            }
            Fault::SlowDisk { replica, .. } => self.nodes[replica].disk.remove(item),
            Fault::Crash { replica, .. } => self.start_again(replica, item),
            Fault::RootReboot | Fault::RootVanishes => {
                for switch in &mut self.switches {
                    switch.brighten(item);
                }
                if !self.switches[LEAF].is_dark() {
                    self.release_bulk();
                }
            }
            Fault::RootLies { noticed, .. } => {
                for switch in &mut self.switches {
                    switch.end_lie(item);
                }
                if noticed {
                    self.reboot_root();
                }
            }
            Fault::ChangeMembers { turnover } => self.ask_for_change(turnover),
            Fault::ControllerRestart => self.control.release(item, self.now, &mut self.queue),
            Fault::Clock { .. } | Fault::Stop { .. } | Fault::RootDies => {}
        }
    }

    /// All faults are over.
    pub(super) fn heal(&mut self) {
        for item in self.in_force.clone() {
            self.end_fault(item);
        }
        self.healed = true;
        self.log.note(
            self.now,
            Who::Sim,
            "heal",
            format_args!("all faults are over"),
        );
        for client in self.oracle.heal() {
            self.queue.push(self.now, Event::ClientAsks { client });
        }
    }

    /// A replica's disk takes nothing more: the process ends, as the driver's does.
    pub(super) fn disk_refuses(&mut self, replica: usize) {
        let filled = self.in_force.iter().copied().find(|item| {
            let fault = self.schedule[*item].fault;
            fault == Fault::FullDisk { replica }
        });
        let detail = format_args!("cannot save: disk full");
        self.log
            .note(self.now, Who::Replica(replica), "persist", detail);
        self.crash(replica, filled.map(|item| (item, true)));
    }

    /// A replica's process ends. `again`: the item at whose end it starts again, and whether its
    /// disk survives.
    fn crash(&mut self, replica: usize, again: Option<(usize, bool)>) {
        self.crashes += 1;
        // What it has sent may still arrive, also after it has started again.
        self.bulk.reset(|_, to| to == replica);
        let node = &mut self.nodes[replica];
        node.end();
        node.ended_by = again;
        let detail = format_args!("incarnation {}", node.incarnation);
        self.log
            .note(self.now, Who::Replica(replica), "crash", detail);
    }

    /// A replica's process ends and starts again at once.
    pub(super) fn restart_at_once(&mut self, replica: usize, item: usize, keeps_disk: bool) {
        if self.may_fail(replica) {
            self.crash(replica, Some((item, keeps_disk)));
            self.start_again(replica, item);
        }
    }

    /// The item that ended a replica is over.
    fn start_again(&mut self, replica: usize, item: usize) {
        let node = &mut self.nodes[replica];
        let Some((by, keeps_disk)) = node.ended_by.filter(|(by, _)| *by == item) else {
            return;
        };
        assert_eq!(by, item);
        node.incarnation += 1;
        if !keeps_disk {
            node.disk.saved = None;
        }
        let boot = Boot {
            persisted: node.disk.saved,
            incarnation: node.incarnation,
        };
        let clock = node.clock;
        let birth = self.birth(replica, clock);
        let Some(member) = member::restart(&self.settings, birth, boot) else {
            return;
        };
        self.nodes[replica].start(member);
        let detail = format_args!("{boot:?}");
        self.log
            .note(self.now, Who::Replica(replica), "start", detail);
        let member = self.nodes[replica]
            .member
            .as_deref()
            .expect("it has just started");
        let started = Sight::Started(replica_id(replica), member);
        super::look(&mut self.invariants, self.now, &started, &mut self.ending);
        self.arm_replica(replica);
    }
}

/// Whether a message says what is committed.
fn tells_commit(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::Commit(_) | Message::FastPaxos(FastPaxosMessage::Chosen(_))
    )
}

/// Whether a message says what a view, or a ballot, begins with.
fn begins_view(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::StartView(_)
            | Message::NoPaxos(NoPaxosMessage::Start(_))
            | Message::FastPaxos(FastPaxosMessage::Accept(_))
    )
}
