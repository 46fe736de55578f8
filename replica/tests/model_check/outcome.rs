//! What comes of one event at one replica.

use crate::common::{self, NOW};
use crate::network::Envelope;
use crate::seat::Seat;
use replica::effects::Effect;
use replica::spec_paxos::Timer;
use replica::{Effects, Mode, Protocol};
use std::sync::Arc;
use wire::message::{Message, StartView};
use wire::{SlotNumber, SummaryHash, ViewNumber};

/// An event at a replica.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    Message(&'a Envelope),
    Timer(Timer),
}

/// What a view began with: fixed by its START-VIEW.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Start {
    pub(crate) view: ViewNumber,
    pub(crate) degraded: bool,
    pub(crate) log: Vec<SummaryHash>,
}

/// The replica afterwards and what it has sent.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seat: Arc<Seat>,
    pub(crate) sent: Vec<Envelope>,
    pub(crate) replies: Vec<Box<[u8]>>,
    pub(crate) starts: Vec<Arc<Start>>,
}

/// The outcome, or which rule the replica has broken.
pub(crate) type Handled = Result<Outcome, String>;

fn handle(seat: &Seat, event: Event<'_>) -> Handled {
    let mut effects = Effects::new();
    let seat = seat.after(&mut effects, |core, out| match event {
        Event::Timer(timer) => core.fire(NOW, timer, out),
        Event::Message(envelope) => {
            core.on_message(NOW, envelope.stamp().as_ref(), envelope.message(), out);
        }
    })?;
    let (mut sent, mut replies, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for effect in effects.iter() {
        match effect {
            Effect::Persist(_) => {}
            Effect::Send { to, message } | Effect::SendBulk { to, message } => {
                let envelope = Envelope::new(*to, None, effects.bytes(message));
                may_say(&seat, &envelope.message())?;
                if let Message::StartView(start) = envelope.message() {
                    starts.push(Arc::new(start_of(&seat, &start)));
                }
                sent.push(envelope);
            }
            Effect::Multicast { .. } => return Err("a replica multicasts: none may".to_owned()),
            Effect::Reply { message, .. } => {
                let bytes = effects.bytes(message);
                let message = Message::parse(bytes).map_err(|error| error.to_string())?;
                may_say(&seat, &message)?;
                replies.push(bytes.into());
            }
        }
    }
    Ok(Outcome {
        seat: Arc::new(seat),
        sent,
        replies,
        starts,
    })
}

/// A recovering replica asks, and says nothing that counts.
fn may_say(seat: &Seat, message: &Message<'_>) -> Result<(), String> {
    let asks = matches!(message, Message::Recover(_) | Message::FetchLog(_));
    if seat.mode == Mode::Recovering && !asks {
        return Err(format!("recovering, it says {message:?}"));
    }
    Ok(())
}

/// START-VIEW differs from receiver to receiver in how much it leaves out, never in what the view
/// begins with.
fn start_of(seat: &Seat, message: &StartView<'_>) -> Start {
    let last = SlotNumber(message.base.0 + message.entries.len() as u64);
    let log = seat.hashes(last);
    let newest = message.entries.iter().last().map(|entry| entry.hash);
    assert_eq!(
        log.last().copied().unwrap_or(SummaryHash::EMPTY),
        newest.unwrap_or(message.base_hash),
        "a leader sends its own log"
    );
    Start {
        view: message.view,
        degraded: message.degraded,
        log,
    }
}

/// All outcomes so far.
pub(crate) type Memory = common::Memory<Handled>;

/// The outcome of an event, from memory if it is there.
pub(crate) fn handled(memory: &Memory, seat: &Seat, event: Event<'_>) -> Arc<Handled> {
    let name = match event {
        Event::Message(envelope) => envelope.digest(),
        Event::Timer(timer) => timer as u64,
    };
    memory.of((seat.digest(), name), || handle(seat, event))
}
