//! One member of the model: the real core, what outlives its process, and what comes of an event.

use super::bounds::Bounds;
use super::root::Packet;
use super::voted::Voted;
use crate::common::{self, NOW, equal_by_digest};
use crate::firing::REPLICAS;
use crate::machine::Word;
use crate::network::Envelope;
use replica::effects::Effect;
use replica::rounds::{Config, Rounds, Timer};
use replica::{Boot, Effects, Mode, Persistent, Protocol, Quorum};
use std::fmt;
use std::sync::Arc;
use wire::message::Message;
use wire::message::rounds::{RoundsMessage, StartEpoch, Value};
use wire::{Position, ReplicaId, RoundsEpoch, SummaryHash};

/// A member that is up.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    core: Rounds<Word>,
    pub(crate) persisted: Persistent,
    /// Starts so far.
    lives: u64,
    voted: Voted,
    /// Of everything above.
    digest: u64,
    pub(crate) mode: Mode,
    pub(crate) epoch: RoundsEpoch,
    /// The digests of its log, position by position.
    pub(crate) log: Vec<SummaryHash>,
    /// Positions that hold a no-op.
    pub(crate) no_ops: usize,
    /// How much of the log is decided.
    pub(crate) committed: usize,
    /// The summary hashes of what it has executed.
    pub(crate) executed: Vec<SummaryHash>,
}

equal_by_digest!(Seat);

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mode, epoch, log, ..
        } = self;
        write!(f, "{mode:?} {epoch} {} of {log:?}", self.committed)
    }
}

/// An event at a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    Message(&'a Envelope),
    Packet(&'a Packet),
    Timer(Timer),
}

impl Event<'_> {
    /// Equal numbers, equal events.
    pub(crate) fn digest(&self) -> u64 {
        match self {
            Self::Message(envelope) => envelope.digest(),
            Self::Packet(packet) => packet.digest(),
            Self::Timer(timer) => *timer as u64,
        }
    }
}

/// A reply: the client, the slot and the summary hash there.
pub(crate) type Answer = (u64, u64, SummaryHash);

/// What a coordinator says that an epoch begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Beginning {
    pub(crate) epoch: RoundsEpoch,
    /// The last position that it fixes.
    pub(crate) end: usize,
    pub(crate) has_work: bool,
    /// Of the whole message.
    digest: u64,
}

impl Beginning {
    fn of(start: &StartEpoch<'_>, bytes: &[u8]) -> Self {
        let end = start.below.frontier.position.0 + start.values.len() as u64;
        Self {
            epoch: start.epoch,
            end: usize::try_from(end).expect("logs are short"),
            has_work: start.values.iter().any(|value| is_work(&value)),
            digest: common::digest_of(bytes),
        }
    }
}

fn is_work(value: &Value<'_>) -> bool {
    matches!(value, Value::Packet(proposal) if !proposal.batch.is_empty())
}

/// The member afterwards and what it has sent.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seat: Arc<Seat>,
    pub(crate) sent: Vec<Envelope>,
    pub(crate) packets: Vec<Box<[u8]>>,
    pub(crate) answers: Vec<Answer>,
    /// What it said as a coordinator; not what it tells others of an epoch that it is in.
    pub(crate) beginnings: Vec<Beginning>,
}

/// The outcome, or which rule the member has broken.
pub(crate) type Handled = Result<Outcome, String>;

fn config(me: ReplicaId, bounds: &Bounds) -> Config {
    let quorum = Quorum::of(REPLICAS).expect("a possible size");
    Config {
        mutant: bounds.mutant,
        ..Config::new(me, quorum)
    }
}

impl Seat {
    /// A member on its first boot.
    pub(crate) fn format(me: ReplicaId, bounds: &Bounds) -> Self {
        let core = Rounds::format(config(me, bounds), Word::default(), NOW);
        Self::new(core, Persistent::default(), 1, Voted::default())
    }

    /// The same member after a crash that took its log.
    pub(crate) fn restarted(&self, me: ReplicaId, bounds: &Bounds) -> Self {
        let boot = Boot {
            persisted: Some(self.persisted),
            incarnation: self.lives + 1,
        };
        let core = Rounds::restart(config(me, bounds), Word::default(), NOW, boot);
        Self::new(core, self.persisted, self.lives + 1, Voted::default())
    }

    fn new(core: Rounds<Word>, persisted: Persistent, lives: u64, voted: Voted) -> Self {
        let status = core.status();
        let committed = usize::try_from(core.committed().0).expect("logs are short");
        let at = |position| {
            core.voted_at(Position(position))
                .expect("nothing is dropped")
        };
        let links: Vec<_> = (1..=core.head().0).map(at).collect();
        Self {
            digest: common::digest_of((&core, persisted, lives, &voted)),
            mode: status.mode,
            epoch: core.epoch(),
            log: links.iter().map(|(_, digest)| *digest).collect(),
            no_ops: links
                .iter()
                .filter(|(value, _)| *value == Value::NoOp)
                .count(),
            committed,
            executed: common::hashes(core.history(), status.last_committed),
            core,
            persisted,
            lives,
            voted,
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn core(&self) -> &Rounds<Word> {
        &self.core
    }

    pub(crate) fn has_restarted(&self) -> bool {
        self.lives > 1
    }

    pub(crate) fn committed_twice(&self) -> bool {
        common::commits_twice(self.core.history())
    }

    /// What comes of an event.
    pub(crate) fn handle(&self, event: Event<'_>) -> Handled {
        let (mut core, mut effects) = (self.core.clone(), Effects::new());
        let out = &mut effects;
        common::guarded(|| {
            match event {
                Event::Timer(timer) => core.fire(NOW, timer, out),
                Event::Message(envelope) => core.on_message(NOW, None, envelope.message(), out),
                Event::Packet(packet) => {
                    core.on_message(NOW, Some(&packet.stamp()), packet.message(), out);
                }
            }
            core.check();
        })?;
        let mut after = (self.persisted, self.voted.clone());
        let (mut sent, mut packets) = (Vec::new(), Vec::new());
        let (mut answers, mut beginnings) = (Vec::new(), Vec::new());
        let mode = core.status().mode;
        for effect in effects.iter() {
            match effect {
                Effect::Persist(state) => after.0 = *state,
                Effect::Send { to, message } | Effect::SendBulk { to, message } => {
                    let envelope = Envelope::new(*to, None, effects.bytes(message));
                    may_say(mode, &envelope.message())?;
                    if let Message::Rounds(RoundsMessage::StartEpoch(start)) = envelope.message()
                        && start.epoch > self.epoch
                    {
                        beginnings.push(Beginning::of(&start, &envelope.bytes));
                    }
                    sent.push(envelope);
                }
                Effect::Multicast { message } => {
                    let bytes = effects.bytes(message);
                    let message = Message::parse(bytes).map_err(|error| error.to_string())?;
                    may_say(mode, &message)?;
                    if let Message::Rounds(RoundsMessage::Round(packet)) = message {
                        after.1.says(&packet)?;
                    }
                    packets.push(bytes.into());
                }
                Effect::Reply { message, .. } => {
                    let message = Message::parse(effects.bytes(message));
                    let Ok(Message::Reply(reply)) = message else {
                        return Err("a client is sent something else than a reply".to_owned());
                    };
                    answers.push((reply.client.0, reply.slot.0, reply.hash));
                }
            }
        }
        Ok(Outcome {
            seat: Arc::new(Self::new(core, after.0, self.lives, after.1)),
            sent,
            packets,
            answers,
            beginnings,
        })
    }
}

/// A member that has forgotten its votes asks, and says nothing that counts; one that has stopped
/// for an epoch sends no packet.
fn may_say(mode: Mode, message: &Message<'_>) -> Result<(), String> {
    let is_vote = matches!(message, Message::Rounds(RoundsMessage::Round(_)));
    let asks = matches!(
        message,
        Message::Recover(_) | Message::Rounds(RoundsMessage::FetchPositions(_))
    );
    let silent = match mode {
        Mode::Recovering => !asks,
        Mode::Reconciling => is_vote,
        Mode::Normal | Mode::Outside => false,
    };
    if silent {
        return Err(format!("while {mode:?}, it says {message:?}"));
    }
    Ok(())
}
