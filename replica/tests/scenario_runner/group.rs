//! A group of real cores, carried from command to command.

use super::command::{Command, Receivers, Settings};
use super::grammar::timer_name;
use super::machine::Letters;
use super::names::Names;
use super::network::{Network, Parcel};
use super::promises::Promises;
use super::replies::Replies;
use super::root::Root;
use super::show::armed;
use replica::spec_paxos::{Boot, Config, SpecPaxos, Timer};
use replica::{Effect, Effects, Mutant, Persistent, Protocol, Quorum};
use wire::message::{InView, Incarnations, Message, StartViewChange, Sync, SyncReply};
use wire::{ReplicaId, SlotNumber, StampHeader, SummaryHash, Tick, ViewNumber};

/// Messages that one `deliver all` may deliver: more are a loop.
const DELIVERIES_MAX: usize = 5_000;

/// One replica: its process, and what outlives it.
pub(super) struct Member {
    config: Config,
    pub(super) core: Option<SpecPaxos<Letters>>,
    /// What is on its disk.
    pub(super) persisted: Persistent,
    starts: u64,
}

/// The group and everything around it.
pub(crate) struct Group {
    pub(super) now: Tick,
    pub(super) quorum: Quorum,
    pub(super) members: Vec<Member>,
    pub(super) root: Root,
    pub(super) network: Network,
    pub(super) names: Names,
    pub(super) replies: Replies,
    pub(super) promises: Promises,
    pub(super) effects: Effects,
}

impl Group {
    pub(crate) fn new(settings: Settings, mutant: Option<Mutant>) -> Result<Self, String> {
        let quorum = Quorum::of(settings.n).map_err(|error| error.to_string())?;
        let now = Tick(0);
        let members = (0..settings.n).map(|index| {
            let me = ReplicaId(u8::try_from(index).expect("a group is small"));
            let config = config_of(settings, mutant, Config::new(me, quorum));
            Member {
                config,
                core: Some(SpecPaxos::format(config, Letters::default(), now)),
                persisted: Persistent::default(),
                starts: 0,
            }
        });
        Ok(Self {
            now,
            quorum,
            members: members.collect(),
            root: Root::default(),
            network: Network::default(),
            names: Names::default(),
            replies: Replies::default(),
            promises: Promises::new(mutant.is_some()),
            effects: Effects::new(),
        })
    }

    /// Carries out one command; what it prints goes to `lines`.
    pub(crate) fn carry_out(
        &mut self,
        command: &Command,
        lines: &mut Vec<String>,
    ) -> Result<(), String> {
        match command {
            Command::Group(_) | Command::Unlike(_) => unreachable!("dealt with before"),
            Command::Request(send) => {
                self.root.number(send, &mut self.names)?;
                self.deliver_packet(send.letter, &send.to)
            }
            Command::DeliverPacket(letter, to) => self.deliver_packet(*letter, to),
            Command::Other(to) => self.deliver_other(to),
            Command::Epoch(epoch) => self.root.begin_epoch(*epoch),
            Command::Round(round) => {
                self.root.round = *round;
                Ok(())
            }
            Command::DeliverAll => self.deliver_all(),
            Command::Messages(handling, pattern) => {
                let taken = self.network.handle(*handling, pattern, &self.names)?;
                taken.iter().try_for_each(|parcel| self.deliver(parcel))
            }
            Command::Fire(timer, replicas) => replicas
                .iter()
                .try_for_each(|replica| self.fire(*timer, *replica)),
            Command::Wait(us) => {
                self.now = self.now.plus_us(*us);
                Ok(())
            }
            Command::Crash(replica) => {
                self.core(*replica)?;
                self.members[usize::from(replica.0)].core = None;
                Ok(())
            }
            Command::Restart {
                replica,
                disk,
                life,
            } => self.restart(*replica, *disk, *life),
            Command::Forge {
                kind,
                from,
                to,
                view,
            } => self.forge(kind, *from, *to, *view),
            Command::Say(text) => {
                if !lines.is_empty() {
                    lines.push(String::new());
                }
                lines.push(format!("{text}:"));
                Ok(())
            }
            show => {
                let shown = self.show(show)?;
                lines.extend(shown.into_iter().map(|line| format!("  {line}")));
                Ok(())
            }
        }
    }

    pub(super) fn member(&self, replica: ReplicaId) -> Result<&Member, String> {
        let last = self.members.len() - 1;
        self.members
            .get(usize::from(replica.0))
            .ok_or_else(|| format!("replica {replica} is not in this group; there are 0 to {last}"))
    }

    pub(super) fn core(&self, replica: ReplicaId) -> Result<&SpecPaxos<Letters>, String> {
        let core = self.member(replica)?.core.as_ref();
        core.ok_or_else(|| format!("replica {replica} has crashed"))
    }

    fn is_up(&self, replica: ReplicaId) -> bool {
        self.core(replica).is_ok()
    }

    /// Shows `event` to a replica and carries out what it wants done.
    fn step(
        &mut self,
        replica: ReplicaId,
        event: impl FnOnce(&mut SpecPaxos<Letters>, Tick, &mut Effects),
    ) -> Result<(), String> {
        self.core(replica)?;
        let member = &mut self.members[usize::from(replica.0)];
        let core = member.core.as_mut().expect("it has not crashed");
        self.effects.clear();
        event(core, self.now, &mut self.effects);
        self.promises.check(replica, core, &mut self.names)?;
        for effect in self.effects.iter() {
            match effect {
                Effect::Persist(state) => member.persisted = *state,
                Effect::Send { to, message } => {
                    let bytes = self.effects.bytes(message);
                    self.network.send(replica, *to, bytes, false);
                }
                Effect::SendBulk { to, message } => {
                    let bytes = self.effects.bytes(message);
                    self.network.send(replica, *to, bytes, true);
                }
                Effect::Multicast { .. } => {
                    return Err(format!("replica {replica} multicasts: no replica may"));
                }
                Effect::Reply { message, .. } => {
                    let parsed = Message::parse(self.effects.bytes(message));
                    let Ok(Message::Reply(reply)) = parsed else {
                        return Err(format!("a client was sent {parsed:?}"));
                    };
                    let superquorum = self.quorum.superquorum();
                    if self.replies.note(&reply, &self.names, superquorum)? {
                        self.promises.complete(&reply, &self.names)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn receivers(&self, to: &Receivers) -> Vec<ReplicaId> {
        match to {
            Receivers::Some(replicas) => replicas.clone(),
            Receivers::All => {
                let all = self.members.iter().map(|member| member.config.me);
                all.filter(|replica| self.is_up(*replica)).collect()
            }
        }
    }

    fn deliver_packet(&mut self, letter: char, to: &Receivers) -> Result<(), String> {
        let packet = self.root.packet(letter)?.clone();
        self.receivers(to).into_iter().try_for_each(|replica| {
            self.step(replica, |core, now, out| {
                core.on_message(now, Some(&packet.stamp), packet.message(), out);
            })
        })
    }

    /// A packet that only counts. (Replicas have no use for a reply, and say so.)
    fn deliver_other(&mut self, to: &Receivers) -> Result<(), String> {
        let stamp = self.root.next_stamp(None);
        let message = Message::Reply(wire::message::Reply {
            client: wire::ClientId::ZERO,
            number: wire::RequestNumber::ZERO,
            replica: ReplicaId::ZERO,
            view: ViewNumber::ZERO,
            slot: SlotNumber::ZERO,
            hash: SummaryHash::EMPTY,
            committed: false,
            result: &[],
        });
        self.receivers(to).into_iter().try_for_each(|replica| {
            self.step(replica, |core, now, out| {
                core.on_message(now, Some(&stamp), message, out);
            })
        })
    }

    /// What reaches a crashed replica is lost.
    fn deliver(&mut self, parcel: &Parcel) -> Result<(), String> {
        if !self.is_up(parcel.to) {
            return Ok(());
        }
        let header = Root::unstamped(parcel.from);
        let header: Option<&StampHeader> = (!parcel.bulk).then_some(&header);
        self.step(parcel.to, |core, now, out| {
            core.on_message(now, header, parcel.message(), out);
        })
    }

    fn deliver_all(&mut self) -> Result<(), String> {
        for _ in 0..DELIVERIES_MAX {
            let Some(parcel) = self.network.next() else {
                return Ok(());
            };
            self.deliver(&parcel)?;
        }
        Err(format!(
            "replicas still talk after {DELIVERIES_MAX} messages"
        ))
    }

    fn fire(&mut self, timer: Timer, replica: ReplicaId) -> Result<(), String> {
        let core = self.core(replica)?;
        if !core.armed().any(|armed| armed == timer) {
            return Err(format!(
                "timer {} of replica {replica} is not armed; armed are: {}",
                timer_name(timer),
                armed(core)
            ));
        }
        self.step(replica, |core, now, out| core.fire(now, timer, out))
    }

    fn restart(&mut self, replica: ReplicaId, disk: bool, life: Option<u64>) -> Result<(), String> {
        if self.is_up(self.member(replica)?.config.me) {
            return Err(format!("replica {replica} has not crashed"));
        }
        let now = self.now;
        let member = &mut self.members[usize::from(replica.0)];
        member.starts += 1;
        if !disk {
            member.persisted = Persistent::default();
        }
        let boot = Boot {
            persisted: disk.then_some(member.persisted),
            incarnation: life.unwrap_or(member.starts),
        };
        let core = SpecPaxos::restart(member.config, Letters::default(), now, boot);
        member.core = Some(core);
        Ok(())
    }

    fn forge(
        &mut self,
        kind: &str,
        replica: ReplicaId,
        to: ReplicaId,
        view: ViewNumber,
    ) -> Result<(), String> {
        let message = match kind {
            "in-view" => Message::InView(InView { view, replica }),
            "sync" => Message::Sync(Sync {
                view,
                slot: SlotNumber::ZERO,
                committed: SlotNumber::ZERO,
                committed_hash: SummaryHash::EMPTY,
            }),
            "sync-reply" => Message::SyncReply(SyncReply {
                view,
                replica,
                slot: SlotNumber::ZERO,
                reached: SlotNumber::ZERO,
                hash: SummaryHash::EMPTY,
            }),
            _ => Message::StartViewChange(StartViewChange {
                view,
                replica,
                committed: SlotNumber::ZERO,
                degraded: false,
                incarnations: Incarnations::unknown(self.members.len()),
            }),
        };
        let header = Root::unstamped(replica);
        self.step(to, |core, now, out| {
            core.on_message(now, Some(&header), message, out);
        })
    }
}

fn config_of(settings: Settings, mutant: Option<Mutant>, mut config: Config) -> Config {
    config.mutant = mutant;
    config.gap_awareness = !settings.no_gap_awareness;
    config.stamps = !settings.unstamped;
    let limits = &mut config.limits;
    if let Some(bytes) = settings.retained {
        limits.history.retained_bytes = bytes;
    }
    if let Some(entries) = settings.speculative {
        limits.speculative_entries = entries;
    }
    if let Some(requests) = settings.deferred {
        limits.deferred.requests = requests;
    }
    config
}
