//! The clients of a run and what they were told: the oracle by which the group is judged.
//!
//! Each client is the real core (`client::core`) with one request outstanding, asked again until it
//! is answered; what was asked and answered, and when, becomes the history.

mod workload;

use crate::history::{CallId, History};
use crate::kv::{self, decode, encode};
use crate::linearizability::kv::{KvOperation, KvOutcome};
use crate::schedule::beats;
use crate::settings::Settings;
use client::core::{Agreement, Answer, ClientCore, Path, Rotation, Step};
use std::collections::BTreeSet;
use wire::message::Message;
use wire::{ClientId, HostAddress, RequestNumber, Tick};
use workload::Workload;

/// Operations that each client keeps for the time after the faults, so that the group must show
/// that it works again. Clients that never pause keep none: they are there to be measured.
pub const KEPT_FOR_THE_END: usize = 3;

/// Ids of clients begin here.
const FIRST_ID: u64 = 0x1000;

/// What a run's clients saw, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations answered in one round trip.
    pub fast: u64,
    /// Operations answered otherwise.
    pub slow: u64,
    /// Reads of keys that had been set and had ended by themselves.
    pub expired: u64,
    /// The longest time without any answer while one was waited for.
    pub longest_gap_ns: u64,
    /// From the first question to the last answer.
    pub first: Tick,
    /// See `first`.
    pub last: Tick,
}

impl Tally {
    /// All operations answered.
    pub fn answered(&self) -> u64 {
        self.fast + self.slow
    }
}

#[derive(Debug)]
struct OracleClient {
    core: ClientCore,
    /// Whom it asks, if not the group.
    rotation: Option<Rotation>,
    workload: Workload,
    /// What is open; without an id if the history leaves it out.
    call: Option<(Option<CallId>, KvOperation)>,
    /// What it was told last.
    told: Option<Answer>,
    /// Whether the key that is read had been set before it was asked for.
    was_set: bool,
    generation: u64,
    armed: Option<Tick>,
}

/// What a client does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    /// Waits.
    Nothing,
    /// Sends its request.
    Send,
    /// Was answered, and asks again at this time if it has anything left to ask.
    Answered(Tick),
}

/// All clients.
#[derive(Debug)]
pub struct Oracle {
    clients: Vec<OracleClient>,
    history: History<KvOperation, KvOutcome>,
    tally: Tally,
    operations: usize,
    /// Operations that each client may ask before the faults are over.
    early: usize,
    beats: Vec<Tick>,
    healed: bool,
    open: usize,
    silent_since: Tick,
    began: bool,
    /// Whether some keys end by themselves, and those that were set at some time.
    deadlines: bool,
    were_set: BTreeSet<Vec<u8>>,
}

impl Oracle {
    /// Clients that listen at these addresses.
    pub fn new(
        settings: &Settings,
        seed: u64,
        addresses: impl IntoIterator<Item = HostAddress>,
    ) -> Self {
        let agreement = Agreement::of(settings.protocol, settings.quorum_of(seed));
        let replicas = settings.known_of(seed);
        let asks_one_member = settings.protocol.asks_one_member();
        let client = |(index, address): (usize, HostAddress)| OracleClient {
            rotation: asks_one_member.then(|| Rotation::new(replicas, index)),
            core: ClientCore::new(ClientId(FIRST_ID + index as u64), address, agreement),
            workload: Workload::new(seed, index, settings.keys, settings.think_ns),
            call: None,
            told: None,
            was_set: false,
            generation: 0,
            armed: None,
        };
        let beats = if settings.pauses {
            beats(seed, settings.fault_ns)
        } else {
            Vec::new()
        };
        Self {
            clients: addresses.into_iter().enumerate().map(client).collect(),
            history: History::new(),
            tally: Tally::default(),
            operations: settings.operations,
            early: if settings.pauses {
                settings.operations.saturating_sub(KEPT_FOR_THE_END)
            } else {
                settings.operations
            },
            beats,
            healed: false,
            open: 0,
            silent_since: Tick(0),
            began: false,
            deadlines: settings.sets_deadlines(),
            were_set: BTreeSet::new(),
        }
    }

    /// What clients asked and were told.
    pub fn history(&self) -> &History<KvOperation, KvOutcome> {
        &self.history
    }

    /// The same in numbers.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there is no client.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Whether everything was asked and answered.
    pub fn is_done(&self) -> bool {
        self.tally.answered() == (self.clients.len() * self.operations) as u64
    }

    /// Operations that were not answered yet, those that were not asked included.
    pub fn unanswered(&self) -> u64 {
        (self.clients.len() * self.operations) as u64 - self.tally.answered()
    }

    /// The faults are over: returns the clients that waited for this.
    pub fn heal(&mut self) -> Vec<usize> {
        self.healed = true;
        let waits = |client: &OracleClient| !client.core.is_busy();
        (0..self.clients.len())
            .filter(|index| waits(&self.clients[*index]))
            .collect()
    }

    /// A client asks for its next operation, if it has one and waits for no other. Returns the
    /// operation for the log.
    pub fn ask(&mut self, now: Tick, index: usize) -> Option<KvOperation> {
        let client = &mut self.clients[index];
        let may = if self.healed {
            self.operations
        } else {
            self.early
        };
        if client.core.is_busy() || client.workload.issued() >= may {
            return None;
        }
        let operation = if self.deadlines {
            client.workload.next_with_deadlines()
        } else {
            client.workload.next_operation()
        };
        let invoke = || self.history.invoke(index as u64, operation.clone(), now.0);
        let id = (!kv::ends(&operation)).then(invoke);
        if let (None, KvOperation::Get { key }) = (id, &operation) {
            client.was_set = self.were_set.contains(key);
        }
        client.core.begin(now, encode(&operation).into());
        client.call = Some((id, operation.clone()));
        if self.open == 0 {
            self.silent_since = now;
        }
        if !self.began {
            (self.began, self.tally.first) = (true, now);
        }
        self.open += 1;
        Some(operation)
    }

    /// The message that a client sends.
    pub fn request(&self, index: usize, out: &mut Vec<u8>) -> bool {
        let Some(request) = self.clients[index].core.request() else {
            return false;
        };
        Message::Request(request).emit(out);
        true
    }

    /// The member that a client sends its request to; `None`: to the group.
    pub fn member_to_ask(&self, index: usize) -> Option<usize> {
        let client = &self.clients[index];
        Some(client.rotation?.member(client.core.tries()))
    }

    /// When a client next wants the time, if that has changed since it was last asked; with the
    /// number by which the event is known.
    pub fn arm(&mut self, index: usize) -> Option<(Tick, u64)> {
        let client = &mut self.clients[index];
        let deadline = client.core.deadline();
        if deadline == client.armed {
            return None;
        }
        client.generation += 1;
        client.armed = deadline;
        deadline.map(|at| (at, client.generation))
    }

    /// A client's timer.
    pub fn on_timer(&mut self, now: Tick, index: usize, generation: u64) -> Result<Then, String> {
        let client = &mut self.clients[index];
        if generation != client.generation {
            return Ok(Then::Nothing);
        }
        client.armed = None;
        let step = client.core.on_deadline(now);
        self.after(now, index, step)
    }

    /// A client gets a message.
    pub fn on_message(
        &mut self,
        now: Tick,
        index: usize,
        message: &Message<'_>,
    ) -> Result<Then, String> {
        let client = &mut self.clients[index];
        let step = client.core.on_message(now, message);
        let from = ClientCore::addressee(message);
        if let (Some(rotation), Step::Done(_), Some((_, _, replica))) =
            (&mut client.rotation, &step, from)
        {
            rotation.answered(replica);
        }
        self.after(now, index, step)
    }

    /// What a client was told last, and of which of its requests.
    pub fn told(&self, index: usize) -> Option<(ClientId, RequestNumber, &Answer)> {
        let client = &self.clients[index];
        let told = client.told.as_ref()?;
        Some((client.core.id(), client.core.number(), told))
    }

    fn after(&mut self, now: Tick, index: usize, step: Step) -> Result<Then, String> {
        match step {
            Step::Wait => Ok(Then::Nothing),
            Step::Send => Ok(Then::Send),
            Step::Failed(error) => Err(error.to_string()),
            Step::Done(answer) => {
                let then = self.on_answer(now, index, &answer);
                self.clients[index].told = Some(answer);
                then
            }
        }
    }

    fn on_answer(&mut self, now: Tick, index: usize, answer: &Answer) -> Result<Then, String> {
        let client = &mut self.clients[index];
        let (id, operation) = client.call.take().expect("a call is open");
        let outcome = decode(&operation, &answer.result)
            .map_err(|error| format!("the reply to {operation:?} is not one: {error}"))?;
        match (id, &operation) {
            (Some(id), _) => {
                let completed = self.history.complete(id, now.0, outcome);
                completed.map_err(|error| error.to_string())?;
            }
            (None, KvOperation::Get { .. }) => {
                // Nobody deletes such keys.
                let ended = client.was_set && outcome == KvOutcome::Value(None);
                self.tally.expired += u64::from(ended);
            }
            (None, operation) => drop(self.were_set.insert(operation.key().to_vec())),
        }
        match answer.path {
            Path::Fast => self.tally.fast += 1,
            Path::Slow => self.tally.slow += 1,
        }
        let gap = now.since(self.silent_since);
        self.tally.longest_gap_ns = self.tally.longest_gap_ns.max(gap);
        self.tally.last = now;
        self.silent_since = now;
        self.open -= 1;
        let again = if self.healed {
            now
        } else {
            client.workload.next_at(now, &self.beats)
        };
        Ok(Then::Answered(again))
    }
}

#[cfg(test)]
mod tests;
