//! Snares: ambushes that wait for what members say when an epoch ends and another begins.
//!
//! Each makes a schedule likely in which a rule of epochs is all that keeps two parts of a group
//! from deciding two things; what the rules say is not known here. One snare is sprung at a time.
//!
//! | snare | what happens |
//! |---|---|
//! | `LostLock` | a packet with requests reaches f+1; from the first lock that another one tells, only the sender hears anything; then it is cut off, and that one restarts with its disk; who else has the packet is cut off when it reports |
//! | `LostPromise` | the root reboots; the coordinator of the next epoch gets one report of those that go on without it, and no other; when one of them promises a later epoch, it restarts without its disk among those that wait for the first one |
//! | `Newcomers` | who begins the first epoch of other members reaches those that come in, and as few others as are a majority of the new members with them |

use super::queue::Event;
use super::{Wall, World, replica_id};
use crate::schedule::{Between, Fault, HostSet, Snare};
use replica::Quorum;
use wire::message::rounds::{Report, RoundPacket, RoundsMessage, StartEpoch};
use wire::{Members, Message, Position, RoundsEpoch, Tick};

/// Until everything that answers a packet has been heard.
const ANSWERS_NS: u64 = 300_000;
/// Attempts name their coordinators round over so many.
const COORDINATORS: u32 = 16;

/// How far a snare has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// [`Snare::LostLock`]: a packet has reached these; nobody else has told a lock above the
    /// position.
    Voted {
        sender: usize,
        heard: HostSet,
        above: Position,
    },
    /// A witness has told the sender a lock.
    Told {
        sender: usize,
        heard: HostSet,
        witness: usize,
    },
    /// These are cut off, and more of those who have the packet as they report.
    Muted { heard: HostSet, cut_off: HostSet },
    /// [`Snare::LostPromise`]: the coordinator of this epoch lacks a report.
    Lacking { epoch: RoundsEpoch },
    /// The others go on without it.
    Later { epoch: RoundsEpoch },
    /// This one has promised a later epoch to others than those who still wait.
    Promised { who: usize, waiting: HostSet },
    /// There is nothing more to come.
    Over,
}

/// A snare that has sprung.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sprung {
    pub(super) item: usize,
    stage: Stage,
    /// Of the events that let it go on, the newest.
    step: u32,
}

fn hosts(replicas: impl IntoIterator<Item = usize>) -> HostSet {
    let set = |set, replica: usize| set | 1_u16 << replica;
    HostSet {
        replicas: replicas.into_iter().fold(0, set),
        clients: 0,
    }
}

fn with(set: HostSet, replica: usize) -> HostSet {
    HostSet {
        replicas: set.replicas | 1 << replica,
        ..set
    }
}

fn without(set: HostSet, replica: usize) -> HostSet {
    HostSet {
        replicas: set.replicas & !(1 << replica),
        ..set
    }
}

fn coordinator_of(epoch: RoundsEpoch) -> usize {
    usize::try_from(epoch.attempt % COORDINATORS).expect("a small number")
}

impl World<'_> {
    /// A replica is about to send this: a snare may be waiting for it.
    pub(super) fn spring_snare(&mut self, replica: usize, message: &[u8]) {
        let lies = self.in_force.iter().find_map(|item| {
            let fault = self.schedule[*item].fault;
            match fault {
                Fault::Snare { snare } => Some((*item, snare)),
                _ => None,
            }
        });
        let Some((item, snare)) = lies else {
            return;
        };
        let Ok(Message::Rounds(message)) = Message::parse(message) else {
            return;
        };
        let stage = self.snare.map(|sprung| sprung.stage);
        match (snare, message) {
            (Snare::LostLock, RoundsMessage::Round(packet)) => {
                self.at_vote(item, stage, replica, &packet);
            }
            (Snare::LostLock, RoundsMessage::Report(_)) => self.mute(item, stage, replica),
            (Snare::LostPromise, RoundsMessage::Report(report)) => {
                self.at_report(item, stage, replica, &report);
            }
            (Snare::Newcomers, RoundsMessage::StartEpoch(start)) if stage.is_none() => {
                self.at_beginning(item, replica, &start);
            }
            _ => {}
        }
    }

    fn at_vote(
        &mut self,
        item: usize,
        stage: Option<Stage>,
        replica: usize,
        packet: &RoundPacket<'_>,
    ) {
        let n = self.nodes.len();
        match stage {
            None if !packet.batch.is_empty() => {
                let heard = hosts((0..=n / 2).map(|step| (replica + step) % n));
                let stage = Stage::Voted {
                    sender: replica,
                    heard,
                    above: packet.acknowledged.position,
                };
                self.go_on_with(item, stage, &[(heard, Between::Replicas)], None);
            }
            Some(Stage::Voted {
                sender,
                heard,
                above,
            }) if packet.locked.position > above && replica != sender => {
                let stage = Stage::Told {
                    sender,
                    heard,
                    witness: replica,
                };
                let only_sender = (hosts([sender]), Between::Hush);
                self.go_on_with(item, stage, &[only_sender], Some(ANSWERS_NS));
            }
            _ => {}
        }
    }

    /// Who has the packet reports: nobody hears it.
    fn mute(&mut self, item: usize, stage: Option<Stage>, replica: usize) {
        let Some(Stage::Muted { heard, cut_off }) = stage else {
            return;
        };
        if heard.has_replica(replica) && !cut_off.has_replica(replica) {
            let cut_off = with(cut_off, replica);
            let stage = Stage::Muted { heard, cut_off };
            self.go_on_with(item, stage, &[(cut_off, Between::Replicas)], None);
        }
    }

    /// Who reports for the epoch that this one coordinates, and goes on without it.
    fn reporter_to(&self, coordinator: usize) -> usize {
        (coordinator + 3) % self.nodes.len()
    }

    /// The members that wait for an epoch which this one coordinates: with one report more than
    /// they are, it begins.
    fn waiting_with(&self, coordinator: usize) -> impl Iterator<Item = usize> + use<> {
        let n = self.nodes.len();
        (0..n / 2).map(move |back| (coordinator + n - back) % n)
    }

    fn at_report(
        &mut self,
        item: usize,
        stage: Option<Stage>,
        replica: usize,
        report: &Report<'_>,
    ) {
        let n = self.nodes.len();
        let coordinator = coordinator_of(report.epoch);
        match stage {
            // In a group of three the one report that is let through is enough.
            None if n >= 5 && coordinator < n => {
                let others = self.waiting_with(coordinator).skip(1);
                let reporter = self.reporter_to(coordinator);
                let epoch = report.epoch;
                let walls = [
                    (hosts([coordinator, reporter]), Between::Replicas),
                    (hosts(others), Between::Replicas),
                ];
                self.go_on_with(item, Stage::Lacking { epoch }, &walls, Some(ANSWERS_NS));
            }
            Some(Stage::Later { epoch }) if report.epoch > epoch => {
                let first = coordinator_of(epoch);
                let waiting = hosts(self.waiting_with(first));
                let needed = [coordinator, self.reporter_to(first)];
                if !waiting.has_replica(replica) && !needed.contains(&replica) {
                    let stage = Stage::Promised {
                        who: replica,
                        waiting,
                    };
                    self.snare_goes_on_later(item, stage, Some(ANSWERS_NS));
                }
            }
            _ => {}
        }
    }

    fn at_beginning(&mut self, item: usize, coordinator: usize, start: &StartEpoch<'_>) {
        let new = start.membership.members;
        let Some(old) = self.voters_before(start.epoch).filter(|old| *old != new) else {
            return;
        };
        let is_new = |index: &usize| new.contains(replica_id(*index));
        let was = |index: &usize| old.contains(replica_id(*index));
        let all = 0..self.nodes.len();
        let come = all.clone().filter(|index| is_new(index) && !was(index));
        let stay = all.filter(|index| is_new(index) && was(index) && *index != coordinator);
        let first = std::iter::once(coordinator);
        let majority = Quorum::of_members(new).majority();
        let reached: Vec<usize> = first.chain(come).chain(stay).take(majority).collect();
        let rest = old
            .iter()
            .filter(|member| !reached.contains(&usize::from(member.0)))
            .count();
        let both =
            reached.iter().any(|index| !was(index)) && rest >= Quorum::of_members(old).majority();
        if both && is_new(&coordinator) {
            let wall = (hosts(reached), Between::Replicas);
            self.go_on_with(item, Stage::Over, &[wall], None);
        }
    }

    /// An event of a snare that has sprung.
    pub(super) fn snare_goes_on(&mut self, item: usize, step: u32) {
        let due = |sprung: &Sprung| sprung.item == item && sprung.step == step;
        let Some(sprung) = self.snare.filter(due) else {
            return;
        };
        match sprung.stage {
            Stage::Told {
                sender,
                heard,
                witness,
            } => {
                let cut_off = hosts([sender]);
                let heard = without(heard, witness);
                let stage = Stage::Muted { heard, cut_off };
                self.go_on_with(item, stage, &[(cut_off, Between::Replicas)], None);
                self.restart_at_once(witness, item, true);
            }
            Stage::Lacking { epoch } => {
                let coordinator = coordinator_of(epoch);
                let walls = [
                    (hosts([coordinator]), Between::Replicas),
                    (
                        hosts(self.waiting_with(coordinator).skip(1)),
                        Between::Replicas,
                    ),
                ];
                self.go_on_with(item, Stage::Later { epoch }, &walls, None);
            }
            Stage::Promised { who, waiting } => {
                let together = with(waiting, who);
                self.go_on_with(item, Stage::Over, &[(together, Between::Replicas)], None);
                self.restart_at_once(who, item, false);
            }
            Stage::Voted { .. } | Stage::Muted { .. } | Stage::Later { .. } | Stage::Over => {}
        }
    }

    /// The next stage, with other walls.
    fn go_on_with(
        &mut self,
        item: usize,
        stage: Stage,
        walls: &[(HostSet, Between)],
        then_ns: Option<u64>,
    ) {
        self.walls.retain(|wall| wall.item != item);
        let wall = |(hosts, between): &(HostSet, Between)| Wall {
            item,
            hosts: *hosts,
            between: *between,
            one_way: false,
        };
        self.walls.extend(walls.iter().map(wall));
        self.release_bulk();
        self.snare_goes_on_later(item, stage, then_ns);
        self.note_fault(item, "goes on:");
    }

    fn snare_goes_on_later(&mut self, item: usize, stage: Stage, then_ns: Option<u64>) {
        let step = self.snare.map_or(1, |sprung| sprung.step + 1);
        self.snare = Some(Sprung { item, stage, step });
        if let Some(ns) = then_ns {
            let at = Tick(self.now.0 + ns);
            self.queue.push(at, Event::Snare { item, step });
        }
    }

    /// Who votes in the newest epoch before this one that any replica has installed.
    fn voters_before(&self, epoch: RoundsEpoch) -> Option<Members> {
        self.rounds_statuses()
            .filter(|rounds| rounds.epoch < epoch)
            .max_by_key(|rounds| rounds.epoch)
            .map(|rounds| rounds.members)
    }
}
