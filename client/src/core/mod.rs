//! One logical client as a pure core: at most one request outstanding, retried until answered.
//!
//! Packets and times go in, requests to send and outcomes come out. A request is done when
//! a superquorum of replicas agrees on (view, slot, hash, result) in one view, or when one of
//! them says that it is committed (NSDI'15, section 4.2). Other protocols, other [`Agreement`]s.

mod backoff;
mod led;
mod rotation;
mod votes;

pub use rotation::Rotation;

use backoff::Backoff;
use led::LedVotes;
use replica::{ProtocolName, Quorum};

use votes::{Verdict, Votes};
use wire::message::nopaxos::{self, NoPaxosMessage};
use wire::message::{Message, Reply, Request, Wants};
use wire::{ClientId, HostAddress, ReplicaId, RequestNumber, SlotNumber, SummaryHash, Tick};

/// How replies make a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// One committed reply: protocols that answer only what is committed, unreplicated servers.
    Committed,
    /// A superquorum of equal speculative replies, or one committed reply.
    Speculative(Quorum),
    /// A majority that names one position, with the view's leader, who alone has executed
    /// (OSDI'16, section 5.2); or a committed answer.
    WithLeader(Quorum),
}

impl Agreement {
    /// That of a protocol.
    pub fn of(protocol: ProtocolName, quorum: Quorum) -> Self {
        match protocol {
            ProtocolName::NoPaxos => Self::WithLeader(quorum),
            _ if protocol.answers_before_commit() => Self::Speculative(quorum),
            _ => Self::Committed,
        }
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// In one round trip: the first replies agreed.
    Fast,
    /// After a retransmission, or by a committed reply.
    Slow,
}

/// A finished request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the state machine returned.
    pub result: Box<[u8]>,
    /// How it came about.
    pub path: Path,
    /// Where the request stands in the log, as those said who executed it.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
}

/// Two replicas with equal logs returned different results: the state machine is not
/// deterministic, or one of them is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replicas with equal logs returned different results for request {number}")]
pub struct Divergence {
    /// The request.
    pub number: RequestNumber,
}

/// What a call of the core wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Wait,
    /// Send the request again; see [`ClientCore::request`].
    Send,
    /// The request is done.
    Done(Answer),
    /// The replicas contradict each other.
    Failed(Divergence),
}

/// One logical client.
#[derive(Clone, Debug)]
pub struct ClientCore {
    id: ClientId,
    reply_to: HostAddress,
    agreement: Agreement,
    number: RequestNumber,
    outstanding: Option<Outstanding>,
    backoff: Backoff,
}

#[derive(Clone, Debug)]
struct Outstanding {
    operation: Box<[u8]>,
    wants: Wants,
    votes: Votes,
    led: LedVotes,
    begun: Tick,
    tries: u32,
    resend_at: Tick,
}

impl ClientCore {
    /// A client that has asked nothing yet. `id` must never have been used before with this
    /// group: request numbers start at 1.
    pub fn new(id: ClientId, reply_to: HostAddress, agreement: Agreement) -> Self {
        Self {
            id,
            reply_to,
            agreement,
            number: RequestNumber::ZERO,
            outstanding: None,
            backoff: Backoff::default(),
        }
    }

    /// This client's id.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// The number of the newest request; 0 before the first.
    pub fn number(&self) -> RequestNumber {
        self.number
    }

    /// Whether a request is outstanding.
    pub fn is_busy(&self) -> bool {
        self.outstanding.is_some()
    }

    /// How often the outstanding request has been begun or timed out, from 1; 0 if there is none.
    pub fn tries(&self) -> u32 {
        self.outstanding
            .as_ref()
            .map_or(0, |outstanding| outstanding.tries)
    }

    /// Begins a request; the caller then sends [`request`](Self::request). Panics if one is
    /// outstanding.
    pub fn begin(&mut self, now: Tick, operation: Box<[u8]>) -> RequestNumber {
        assert!(
            self.outstanding.is_none(),
            "a client has at most one request outstanding"
        );
        self.number = self.number.next();
        self.outstanding = Some(Outstanding {
            operation,
            wants: Wants::Reply,
            votes: Votes::new(self.agreement),
            led: LedVotes::default(),
            begun: now,
            tries: 1,
            resend_at: self.backoff.deadline(now, 0),
        });
        self.number
    }

    /// The message to send, to the group or to the member whose turn it is, if a request is
    /// outstanding.
    pub fn request(&self) -> Option<Request<'_>> {
        let outstanding = self.outstanding.as_ref()?;
        Some(Request {
            client: self.id,
            number: self.number,
            reply_to: self.reply_to,
            wants: outstanding.wants,
            operation: &outstanding.operation,
        })
    }

    /// Gives up the outstanding request; whether it takes effect is then unknown.
    pub fn abandon(&mut self) {
        self.outstanding = None;
    }

    /// When to call [`on_deadline`](Self::on_deadline).
    pub fn deadline(&self) -> Option<Tick> {
        self.outstanding
            .as_ref()
            .map(|outstanding| outstanding.resend_at)
    }

    /// Time to ask again: the first time as before, for a packet may have been lost; then for a
    /// committed answer.
    pub fn on_deadline(&mut self, now: Tick) -> Step {
        let Some(outstanding) = &mut self.outstanding else {
            return Step::Wait;
        };
        if now < outstanding.resend_at {
            return Step::Wait;
        }
        if outstanding.tries > 1 {
            outstanding.wants = outstanding.wants.max(Wants::Commit);
        }
        outstanding.resend_at = self.backoff.deadline(now, outstanding.tries);
        outstanding.tries = outstanding.tries.saturating_add(1);
        Step::Send
    }

    /// What a replica answers, whatever the protocol: the client that it is for, which of its
    /// requests, and who answers; `None` for any other message.
    pub fn addressee(message: &Message<'_>) -> Option<(ClientId, RequestNumber, ReplicaId)> {
        match message {
            Message::Reply(reply) => Some((reply.client, reply.number, reply.replica)),
            Message::NoPaxos(NoPaxosMessage::Answer(answer)) => {
                Some((answer.client, answer.number, answer.replica))
            }
            _ => None,
        }
    }

    /// A replica answered; anything but an answer is nothing.
    pub fn on_message(&mut self, now: Tick, message: &Message<'_>) -> Step {
        match message {
            Message::Reply(reply) => self.on_reply(now, reply),
            Message::NoPaxos(NoPaxosMessage::Answer(answer)) => self.on_answer(now, answer),
            _ => Step::Wait,
        }
    }

    /// A replica of NOPaxos answered.
    fn on_answer(&mut self, now: Tick, answer: &nopaxos::Answer<'_>) -> Step {
        let (Agreement::WithLeader(quorum), Some(outstanding)) =
            (self.agreement, &mut self.outstanding)
        else {
            return Step::Wait;
        };
        if answer.client != self.id || answer.number != self.number {
            return Step::Wait;
        }
        match outstanding.led.add(quorum, answer) {
            Some(executed) => {
                let done = Finished {
                    result: executed.result,
                    slot: executed.slot,
                    hash: executed.hash,
                    committed: executed.committed,
                };
                Step::Done(self.finish(now, done))
            }
            None => Step::Wait,
        }
    }

    /// A replica answered.
    pub fn on_reply(&mut self, now: Tick, reply: &Reply<'_>) -> Step {
        let Some(outstanding) = &mut self.outstanding else {
            return Step::Wait;
        };
        if reply.client != self.id || reply.number != self.number {
            return Step::Wait;
        }
        match outstanding.votes.add(reply) {
            Verdict::Open => Step::Wait,
            Verdict::Hopeless if outstanding.wants == Wants::Reconciliation => Step::Wait,
            Verdict::Hopeless => {
                // Do not wait for a timeout: these replies will never match.
                outstanding.wants = Wants::Reconciliation;
                outstanding.resend_at = self.backoff.deadline(now, outstanding.tries);
                Step::Send
            }
            Verdict::Contradiction => {
                let number = self.number;
                self.outstanding = None;
                Step::Failed(Divergence { number })
            }
            Verdict::Agreed => {
                let done = Finished {
                    result: reply.result.into(),
                    slot: reply.slot,
                    hash: reply.hash,
                    committed: reply.committed,
                };
                Step::Done(self.finish(now, done))
            }
        }
    }

    fn finish(&mut self, now: Tick, done: Finished) -> Answer {
        let outstanding = self.outstanding.take().expect("its answer is here");
        let first_try = outstanding.tries == 1 && outstanding.wants == Wants::Reply;
        match outstanding.tries - 1 {
            0 => self.backoff.answered(now.since(outstanding.begun)),
            again => self.backoff.answered_late(again),
        }
        let fast = first_try && (!done.committed || self.agreement == Agreement::Committed);
        Answer {
            result: done.result,
            path: if fast { Path::Fast } else { Path::Slow },
            slot: done.slot,
            hash: done.hash,
        }
    }
}

/// What completed a request.
#[derive(Debug)]
struct Finished {
    result: Box<[u8]>,
    slot: SlotNumber,
    hash: SummaryHash,
    committed: bool,
}

#[cfg(test)]
mod tests;
