//! Handing inputs to cores, carrying out what they want, looking at what became of them.
//!
//! A replica handles one input at a time. With costs, or while its disk writes, it is busy and
//! inputs wait; effects after a `Persist` wait for the write, as the contract of a core says.

use super::node::{INBOX_MAX, Input, Unfinished};
use super::queue::Event;
use super::root::GROUP;
use super::traffic::datagram;
use super::{World, look, replica_id};
use crate::event_log::Who;
use crate::invariants::{Sent, Sight, Step};
use replica::{Effect, Effects, Mode};
use wire::{Kind, Message, StampHeader, Tick, group_address};

/// A core's own check is made after every step up to so many entries in its log, beyond that about
/// once in so many steps.
const SHORT_LOG: u64 = 1_024;
const CHECK_EVERY: u64 = 64;

impl World<'_> {
    /// An input comes to a replica: it is handled now or waits.
    pub(super) fn deliver(&mut self, replica: usize, input: Input) {
        let now = self.now;
        let node = &mut self.nodes[replica];
        if node.member.is_none() {
            return;
        }
        if !node.is_busy(now) {
            return self.take(replica, input);
        }
        if node.work.inbox.len() < INBOX_MAX {
            node.work.inbox.push_back(input);
        } else {
            let who = Who::Replica(replica);
            self.log.note(now, who, "drop", format_args!("inbox full"));
        }
    }

    pub(super) fn replica_timer(&mut self, replica: usize, generation: u64) {
        let node = &mut self.nodes[replica];
        if generation != node.generation || node.member.is_none() {
            return;
        }
        if node.is_busy(self.now) {
            node.work.timer_due = true;
        } else {
            node.armed = None;
            self.take(replica, Input::Deadline);
        }
    }

    /// The replica's processor or disk is done.
    pub(super) fn replica_free(&mut self, replica: usize, incarnation: u64) {
        let node = &mut self.nodes[replica];
        if node.incarnation != incarnation || node.member.is_none() {
            return;
        }
        if let Some(Unfinished { effects, at, write }) = node.work.unfinished.take() {
            if node.disk.is_full() {
                return self.disk_refuses(replica);
            }
            node.disk.saved = Some(write);
            let detail = format_args!("view {} installed {}", write.view, write.last_normal_view);
            self.log
                .note(self.now, Who::Replica(replica), "persist", detail);
            self.carry_out(replica, effects, at, self.now);
        }
        while !self.nodes[replica].is_busy(self.now) && self.nodes[replica].member.is_some() {
            let node = &mut self.nodes[replica];
            if std::mem::take(&mut node.work.timer_due) {
                node.armed = None;
                self.take(replica, Input::Deadline);
            } else if let Some(input) = node.work.inbox.pop_front() {
                self.take(replica, input);
            } else {
                break;
            }
        }
    }

    /// Hands an input to the core.
    fn take(&mut self, replica: usize, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        let mut free_at = self.now;
        match input {
            Input::Packet(payload) => {
                self.note_received(replica, &payload);
                self.hand_packet(replica, &payload, &mut effects);
                free_at.0 += self.settings.costs.receive_ns;
            }
            Input::Bulk(message) => {
                self.note_message(replica, "recv", &message);
                let (core, local) = self.core(replica);
                if let Ok(message) = Message::parse(&message)
                    && message.is_bulk()
                {
                    core.on_message(local, None, message, &mut effects);
                }
                free_at.0 += self.settings.costs.receive_ns;
            }
            Input::Deadline => {
                self.log
                    .note(self.now, Who::Replica(replica), "timer", format_args!(""));
                let (core, local) = self.core(replica);
                core.on_deadline(local, &mut effects);
            }
        }
        self.observe(replica);
        self.carry_out(replica, effects, 0, free_at);
    }

    fn hand_packet(&mut self, replica: usize, payload: &[u8], effects: &mut Effects) {
        // What the driver does with a datagram.
        let Ok((stamp, bytes)) = StampHeader::parse(payload) else {
            return;
        };
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        if stamp.group == GROUP && !message.is_bulk() {
            let (core, local) = self.core(replica);
            core.on_message(local, Some(&stamp), message, effects);
        }
    }

    /// A core that is up, and its own time.
    fn core(&mut self, replica: usize) -> (&mut dyn replica::Protocol, Tick) {
        let node = &mut self.nodes[replica];
        let local = node.clock.local(self.now);
        let member = node.member.as_deref_mut().expect("the replica is up");
        (member.protocol(), local)
    }

    /// Carries out effects from the one at `first` on; the processor is free for them at `at`.
    fn carry_out(&mut self, replica: usize, mut effects: Effects, first: usize, mut at: Tick) {
        let mut wait = None;
        for (index, effect) in effects.iter().enumerate().skip(first) {
            at.0 += match effect {
                Effect::Persist(_) => 0,
                _ => self.settings.costs.send_ns,
            };
            match effect {
                Effect::Send { to, message } => {
                    let message = effects.bytes(message);
                    self.spring(replica, message);
                    self.spring_snare(replica, message);
                    let to = self.layout.hosts[usize::from(to.0)].address;
                    self.sends(replica, message);
                    let payload = datagram(replica, Kind::Protocol, message);
                    self.send_datagram(at, replica, to, &payload);
                }
                Effect::Multicast { message } => {
                    let message = effects.bytes(message);
                    self.spring(replica, message);
                    self.spring_snare(replica, message);
                    let to = group_address(GROUP).expect("a small number");
                    self.sends(replica, message);
                    let payload = datagram(replica, Kind::RoundPacket, message);
                    self.send_datagram(at, replica, to, &payload);
                }
                Effect::Reply { to, message } => {
                    let message = effects.bytes(message);
                    self.sends(replica, message);
                    let payload = datagram(replica, Kind::Protocol, message);
                    self.send_datagram(at, replica, *to, &payload);
                }
                Effect::SendBulk { to, message } => {
                    let message = effects.bytes(message);
                    self.spring(replica, message);
                    self.spring_snare(replica, message);
                    self.sends(replica, message);
                    self.send_bulk(at, replica, usize::from(to.0), message.to_vec());
                }
                Effect::Persist(state) => {
                    wait = Some((index + 1, *state));
                    break;
                }
            }
        }
        let node = &mut self.nodes[replica];
        if let Some((next, write)) = wait {
            at.0 += node.disk.latency_ns();
            node.work.unfinished = Some(Unfinished {
                effects,
                at: next,
                write,
            });
        } else {
            effects.clear();
            self.effects = effects;
        }
        node.work.busy_until = at;
        if at > self.now {
            let incarnation = node.incarnation;
            let event = Event::ReplicaFree {
                replica,
                incarnation,
            };
            self.queue.push(at, event);
        }
        self.arm_replica(replica);
    }

    fn sends(&mut self, replica: usize, message: &[u8]) {
        if let Ok(message) = Message::parse(message) {
            let sent = Sight::Sent(Sent {
                replica: replica_id(replica),
                message,
            });
            self.see(&sent);
        }
    }

    /// Arms the replica's timer if its deadline is another one than before.
    pub(super) fn arm_replica(&mut self, replica: usize) {
        let node = &mut self.nodes[replica];
        let Some(member) = node.member.as_deref() else {
            return;
        };
        let deadline = member.core().deadline();
        let at = deadline.map(|local| node.clock.when(local).max(self.now));
        if at == node.armed {
            return;
        }
        node.generation += 1;
        node.armed = at;
        // Another deadline than the one that came while the replica was busy.
        node.work.timer_due = false;
        if let Some(at) = at {
            let generation = node.generation;
            let event = Event::ReplicaTimer {
                replica,
                generation,
            };
            self.queue.push(at, event);
        }
    }

    /// Looks at a replica after it has handled something.
    pub(super) fn observe(&mut self, replica: usize) {
        let now = self.now;
        let node = &mut self.nodes[replica];
        let Some((before, after, kept)) = node.look() else {
            return;
        };
        node.is_whole = match after.mode {
            Mode::Normal => true,
            Mode::Recovering | Mode::Outside => false,
            Mode::Reconciling => node.is_whole,
        };
        let who = Who::Replica(replica);
        if kept < before.last {
            let undone = before.last.0 - kept.0;
            self.log.note(
                now,
                who,
                "undo",
                format_args!("{undone} entries above slot {kept}"),
            );
        }
        let changed = (before.mode, before.view, before.last_committed)
            != (after.mode, after.view, after.last_committed);
        if changed {
            let (mode, view) = (after.mode.word(), after.view);
            let (last, committed) = (after.last, after.last_committed);
            let detail = format_args!("{mode} view {view} slot {last} committed {committed}");
            self.log.note(now, who, "state", detail);
        }
        let member = self.nodes[replica]
            .member
            .as_deref()
            .expect("it was looked at");
        // A core's check walks its log: always while that is short, else now and then.
        let held = after.last.0 - after.base.0;
        let its_turn = held <= SHORT_LOG || self.log.count().is_multiple_of(CHECK_EVERY);
        if its_turn && self.settings.only_invariant.is_none() {
            member.core().check();
        }
        let step = Sight::Step(Step {
            replica: replica_id(replica),
            before,
            after,
            kept,
            member,
        });
        look(&mut self.invariants, now, &step, &mut self.ending);
    }
}
