//! Ambushes under synchronous rounds: who proposes next learns what nobody else learns, and then
//! the epoch ends without it.
//!
//! A packet with requests reaches a chosen part of the group. When votes for it come back, only
//! its sender hears them. A little later the root reboots, so that everybody must agree on a new
//! epoch, and the sender is cut off. If the sender has executed what the others cannot know to be
//! decided, it is lost. Then the same may happen to who proposes in the new epoch, while the first
//! one is let back in with what it remembers of the old.
//!
//! | ambush | who gets the packet | what the sender alone hears |
//! |---|---|---|
//! | `at_commit` | f+1 | from the first lock on; if `skip` is odd, who told it forgets everything |
//! | `skip` even | f+1 | from the first vote on |
//! | `skip` odd | one, not even the sender | from the votes after the hole on |

use super::queue::Event;
use super::{Wall, World};
use crate::schedule::{Between, HostSet};
use wire::message::rounds::RoundPacket;
use wire::{Position, RoundsEpoch, Tick};

/// Until a packet that was just sent has passed the switch.
const PASSES_NS: u64 = 10_000;
/// Until everything that answers it has been heard.
const ANSWERS_NS: u64 = 300_000;
/// Until a member that has forgotten everything may have been let in again.
const FORGETS_NS: u64 = 1_000_000;
/// So often one ambush springs.
const TIMES: u32 = 3;

/// From when on only the sender hears others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The next packet of anybody.
    Vote,
    /// The first packet that says a new lock.
    Lock(Position),
    /// The first packet that votes for more than the next position.
    PastHole(Position),
    /// It is so already, or nobody was caught yet in the new epoch.
    Never,
}

/// An ambush that has sprung.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trap {
    pub(super) item: usize,
    sender: usize,
    /// The epoch in which the sender was caught.
    epoch: RoundsEpoch,
    until: Until,
    /// Who alone got the packet.
    alone: Option<usize>,
    /// Whose process ends and starts again without its disk before the root reboots.
    forgets: Option<usize>,
    times: u32,
    /// Of the events that let it go on, the newest.
    step: u32,
    rebooted: bool,
}

fn one(replica: usize) -> HostSet {
    HostSet {
        replicas: 1 << replica,
        clients: 0,
    }
}

impl World<'_> {
    /// A replica is about to send a packet of a round while an ambush lies in wait.
    pub(super) fn spring_at_round(
        &mut self,
        item: usize,
        (skip, at_commit): (usize, bool),
        replica: usize,
        packet: &RoundPacket<'_>,
    ) {
        let Some(trap) = self.trap.filter(|trap| trap.item == item) else {
            return self.catch(item, (skip, at_commit), replica, packet);
        };
        if trap.rebooted {
            if trap.times < TIMES && packet.epoch > trap.epoch && replica != trap.sender {
                self.catch_again(trap, replica, packet);
            }
            return;
        }
        let now = match trap.until {
            Until::Vote => true,
            Until::Lock(before) => packet.locked.position > before,
            Until::PastHole(before) => packet.acknowledged.position.0 > before.0 + 1,
            Until::Never => false,
        };
        if now {
            let forgets = at_commit && skip % 2 == 1 && trap.times == 1 && replica != trap.sender;
            self.hush(Trap {
                forgets: forgets.then_some(replica),
                ..trap
            });
        }
    }

    fn catch(
        &mut self,
        item: usize,
        (skip, at_commit): (usize, bool),
        sender: usize,
        packet: &RoundPacket<'_>,
    ) {
        if packet.batch.is_empty() {
            return;
        }
        let n = self.nodes.len();
        let mut trap = Trap {
            item,
            sender,
            epoch: packet.epoch,
            until: Until::Vote,
            alone: None,
            forgets: None,
            times: 1,
            step: 1,
            rebooted: false,
        };
        if !at_commit && skip % 2 == 1 {
            let alone = (sender + skip) % n;
            trap.until = Until::PastHole(packet.acknowledged.position);
            trap.alone = Some(alone);
            self.wall_in(item, one(alone), Between::Hush);
            self.trap_later(&trap, PASSES_NS);
        } else {
            let mut heard_by = one(sender);
            for step in skip + 1..=skip + n / 2 {
                heard_by.replicas |= 1 << ((sender + step) % n);
            }
            if at_commit {
                trap.until = Until::Lock(packet.acknowledged.position);
            }
            self.wall_in(item, heard_by, Between::Replicas);
        }
        self.trap = Some(trap);
        self.note_fault(item, "springs:");
    }

    /// The next epoch has begun, and somebody proposes in it.
    fn catch_again(&mut self, trap: Trap, sender: usize, packet: &RoundPacket<'_>) {
        if packet.batch.is_empty() {
            return;
        }
        self.trap = Some(Trap {
            sender,
            epoch: packet.epoch,
            until: Until::Vote,
            alone: None,
            forgets: None,
            times: trap.times + 1,
            step: trap.step + 1,
            rebooted: false,
            ..trap
        });
        self.note_fault(trap.item, "springs again:");
    }

    fn hush(&mut self, trap: Trap) {
        let trap = Trap {
            until: Until::Never,
            alone: None,
            step: trap.step + 1,
            ..trap
        };
        self.wall_in(trap.item, one(trap.sender), Between::Hush);
        self.trap_later(&trap, ANSWERS_NS);
        self.trap = Some(trap);
    }

    fn trap_later(&mut self, trap: &Trap, ns: u64) {
        let Trap { item, step, .. } = *trap;
        let at = Tick(self.now.0 + ns);
        self.queue.push(at, Event::Trap { item, step });
    }

    /// The time has come for what follows.
    pub(super) fn trap_goes_on(&mut self, item: usize, step: u32) {
        let due = |trap: &Trap| trap.item == item && trap.step == step;
        let Some(trap) = self.trap.filter(due) else {
            return;
        };
        if let Some(alone) = trap.alone {
            return self.wall_in(item, one(alone), Between::Replicas);
        }
        self.wall_in(item, one(trap.sender), Between::Replicas);
        if let Some(witness) = trap.forgets {
            let trap = Trap {
                forgets: None,
                step: trap.step + 1,
                ..trap
            };
            self.trap_later(&trap, FORGETS_NS);
            self.trap = Some(trap);
            return self.restart_at_once(witness, item, false);
        }
        self.trap = Some(Trap {
            rebooted: true,
            ..trap
        });
        self.reboot_root();
        self.note_fault(item, "reboots the root:");
    }

    /// Replaces the walls of an item.
    fn wall_in(&mut self, item: usize, hosts: HostSet, between: Between) {
        self.walls.retain(|wall| wall.item != item);
        self.walls.push(Wall {
            item,
            hosts,
            between,
            one_way: false,
        });
        self.release_bulk();
    }
}
