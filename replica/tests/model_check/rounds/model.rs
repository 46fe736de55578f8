//! The state of the whole group and its steps.

use super::bounds::{Bounds, CLIENTS, FIRST_EPOCH};
use super::properties;
use super::root::Root;
use super::seat::{Answer, Beginning, Event, Handled, Outcome, Seat};
use crate::common::{Memory, replica_at};
use crate::firing::{REPLICAS, may_fire};
use crate::network::{Envelope, Network};
use replica::Mode;
use replica::rounds::{Mutant, Timer};
use stateright::{Model, Property};
use std::sync::Arc;
use wire::message::rounds::RoundsMessage;
use wire::message::{Message, Request, Wants};
use wire::{ClientId, HostAddress, ReplicaId, RequestNumber, RoundsEpoch, SummaryHash};

/// The checked model: the bounds decide everything.
#[derive(Debug)]
pub(crate) struct Group {
    bounds: Bounds,
    memory: Memory<Handled>,
}

/// What an epoch began with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Start {
    pub(crate) said: Beginning,
    /// What the first member to install it held up to its end; empty if nobody has.
    pub(crate) log: Vec<SummaryHash>,
    /// Whether anybody had executed anything before.
    pub(crate) has_executed: bool,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) seats: [Arc<Seat>; REPLICAS],
    network: Network,
    pub(crate) root: Root,
    held_back: u8,
    reused: u8,
    terms: u8,
    restarts: u8,
    fired: [u8; Timer::ALL.len()],
    /// What nobody in the group knows: the longest prefix that any member has ever decided, with
    /// the epoch in which it did.
    pub(crate) decided: Vec<(SummaryHash, RoundsEpoch)>,
    /// The same of what was executed.
    pub(crate) executed: Vec<SummaryHash>,
    /// Where the log stood, and how many no-ops were in it, when the clients came.
    pub(crate) base: (usize, usize),
    /// Beginnings since, in ascending order.
    pub(crate) starts: Vec<Start>,
    answers: Vec<Answer>,
    /// What went wrong in a step.
    pub(crate) violation: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message that no root numbers arrives.
    Deliver(Envelope),
    /// A member gets its next packet.
    Next(ReplicaId),
    /// A member's next packet is held back.
    HoldBack(ReplicaId),
    /// It arrives after all.
    Late(ReplicaId, usize),
    /// A member's timer fires.
    Fire(ReplicaId, Timer),
    /// The root gives its last number again.
    Reuse,
    /// Another root begins.
    NewTerm,
    /// A member crashes and starts again without its log.
    Restart(ReplicaId),
}

/// A client, named by its letter, asks to append it.
fn request(client: usize) -> Vec<u8> {
    let letter = [b'a' + u8::try_from(client).expect("few clients")];
    let request = Request {
        client: ClientId(client as u64 + 1),
        number: RequestNumber(1),
        reply_to: HostAddress::default(),
        wants: Wants::Reply,
        operation: &letter,
    };
    let mut bytes = Vec::new();
    Message::Request(request).emit(&mut bytes);
    bytes
}

impl Group {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            memory: Memory::default(),
        }
    }

    /// One event at one member. `None` if nothing comes of it.
    fn step(&self, before: &State, replica: ReplicaId, event: Event<'_>) -> Option<State> {
        let seat = &before.seats[usize::from(replica.0)];
        let key = (seat.digest(), event.digest());
        let handled = self.memory.of(key, || seat.handle(event));
        let mut after = before.clone();
        let taken = match &*handled {
            Ok(outcome) => after.take(replica, outcome, &self.bounds),
            Err(violation) => Err(violation.clone()),
        };
        if let Err(violation) = taken {
            after.violation = Some(format!("member {replica}: {violation}"));
        }
        (after != *before).then_some(after)
    }

    /// The group hears of its root and begins the term, undisturbed. A deliberate break may show
    /// already: then that is the first state.
    fn begin_first_term(&self, state: &mut State) {
        let first = Event::Timer(Timer::Beat);
        *state = self.step(state, replica_at(0), first).expect("a beat");
        loop {
            let (mut now, before) = (state.clone(), state.clone());
            for envelope in before.network.iter() {
                let event = Event::Message(envelope);
                now = self.step(&now, envelope.to, event).unwrap_or(now);
                now.network.take(envelope);
            }
            for member in 0..REPLICAS {
                now = self.packet(&now, replica_at(member), None).unwrap_or(now);
            }
            if now == before || state.violation.is_some() {
                break;
            }
            *state = now;
        }
        if state.violation.is_some() {
            return;
        }
        let first = &state.seats[0];
        let rested = |seat: &Arc<Seat>| seat.epoch == FIRST_EPOCH && seat.log == first.log;
        assert!(state.seats.iter().all(rested), "{:?}", state.seats);
        state.base = (first.log.len(), first.no_ops);
        state.starts.clear();
        state.root.rest();
    }

    /// The packet is gone, whatever came of it.
    fn packet(&self, before: &State, replica: ReplicaId, index: Option<usize>) -> Option<State> {
        let member = usize::from(replica.0);
        let packet = match index {
            None => before.root.next_of(member)?,
            Some(index) => &before.root.packets()[index],
        };
        let after = self.step(before, replica, Event::Packet(packet));
        let mut after = after.unwrap_or_else(|| before.clone());
        match index {
            None => after.root.take_next(member),
            Some(index) => after.root.take_late(member, index),
        }
        Some(after)
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let bounds = &self.bounds;
        let mut state = State {
            seats: std::array::from_fn(|me| Arc::new(Seat::format(replica_at(me), bounds))),
            network: Network::default(),
            root: Root::new(),
            held_back: bounds.held_back,
            reused: bounds.reused,
            terms: bounds.terms,
            restarts: bounds.restarts,
            fired: [0; Timer::ALL.len()],
            decided: Vec::new(),
            executed: Vec::new(),
            base: (0, 0),
            starts: Vec::new(),
            answers: Vec::new(),
            violation: None,
        };
        self.begin_first_term(&mut state);
        for client in 0..CLIENTS {
            for member in (0..REPLICAS).filter(|member| bounds.asks[client] & (1 << member) != 0) {
                let request = Envelope::new(replica_at(member), None, &request(client));
                state.network.send(&request);
            }
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.violation.is_some() {
            return;
        }
        actions.extend(state.network.iter().cloned().map(Action::Deliver));
        for (index, seat) in state.seats.iter().enumerate() {
            let replica = replica_at(index);
            if state.root.next_of(index).is_some() {
                actions.push(Action::Next(replica));
                if state.held_back > 0 {
                    actions.push(Action::HoldBack(replica));
                }
            }
            let late = state.root.late_of(index);
            actions.extend(late.map(|packet| Action::Late(replica, packet)));
            let may = |timer: &Timer| {
                let fired = state.fired[*timer as usize];
                may_fire(self.bounds.timers, replica, *timer, fired)
            };
            let timers = seat.core().armed().filter(may);
            actions.extend(timers.map(|timer| Action::Fire(replica, timer)));
            if self.bounds.faulty & (1 << index) != 0 && state.restarts > 0 {
                actions.push(Action::Restart(replica));
            }
        }
        if state.reused > 0 && state.root.can_count_back() {
            actions.push(Action::Reuse);
        }
        if state.terms > 0 {
            actions.push(Action::NewTerm);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut after = match action {
            Action::Deliver(envelope) => {
                let mut after = self.step(before, envelope.to, Event::Message(&envelope))?;
                // A client asks each member once.
                if matches!(envelope.message(), Message::Request(_)) {
                    after.network.take(&envelope);
                }
                after
            }
            Action::Next(replica) => self.packet(before, replica, None)?,
            Action::Late(replica, index) => self.packet(before, replica, Some(index))?,
            Action::HoldBack(replica) => {
                let mut after = before.clone();
                after.held_back -= 1;
                after.root.hold_back(usize::from(replica.0));
                after
            }
            Action::Fire(replica, timer) => {
                let mut after = self.step(before, replica, Event::Timer(timer))?;
                after.fired[timer as usize] += 1;
                after
            }
            Action::Reuse => {
                let mut after = before.clone();
                after.reused -= 1;
                after.root.count_back();
                after
            }
            Action::NewTerm => {
                let mut after = before.clone();
                after.terms -= 1;
                after.root.begin_term();
                after
            }
            Action::Restart(replica) => {
                let mut after = before.clone();
                after.restarts -= 1;
                let seat = &mut after.seats[usize::from(replica.0)];
                *seat = Arc::new(seat.restarted(replica, &self.bounds));
                after
            }
        };
        // These mutants make something of what is outdated.
        let forgets = !matches!(
            self.bounds.mutant,
            Some(Mutant::NoFence | Mutant::OldStartEpoch)
        );
        if forgets {
            after.forget_outdated(&self.bounds);
        }
        Some(after)
    }

    fn within_boundary(&self, state: &State) -> bool {
        let fence = |seat: &Arc<Seat>| RoundsEpoch::from_view(seat.persisted.view);
        let mut fences = state.seats.iter().map(fence);
        fences.all(|fence| fence <= self.bounds.epoch_max)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl State {
    /// Forgets what no receiver makes anything of any more; beginnings are never lost otherwise, so
    /// nobody has to be told again.
    fn forget_outdated(&mut self, bounds: &Bounds) {
        let seats = &self.seats;
        let at = |replica: ReplicaId| &seats[usize::from(replica.0)];
        let fence = |replica| RoundsEpoch::from_view(at(replica).persisted.view);
        self.network.retain(|envelope| {
            let to = envelope.to;
            match envelope.message() {
                Message::Recover(m) => at(m.replica).mode == Mode::Recovering,
                // It also tells of lives.
                Message::Rounds(RoundsMessage::Suspect(m)) if bounds.restarts > 0 => {
                    at(to).epoch < m.wanted
                }
                Message::Rounds(RoundsMessage::Suspect(m)) => fence(to) < m.wanted,
                Message::Rounds(RoundsMessage::Report(m)) => at(to).epoch < m.epoch,
                Message::Rounds(RoundsMessage::StartEpoch(m)) => {
                    at(to).epoch < m.epoch && fence(to) <= m.epoch
                }
                Message::Rounds(RoundsMessage::FetchRound(m)) => fence(m.replica) <= m.epoch,
                Message::Rounds(RoundsMessage::Held(m)) => fence(to) <= m.epoch,
                _ => true,
            }
        });
    }

    /// Whether a kind of timer has ever fired.
    pub(crate) fn has_fired(&self, timer: Timer) -> bool {
        self.fired[timer as usize] > 0
    }

    fn take(
        &mut self,
        replica: ReplicaId,
        outcome: &Outcome,
        bounds: &Bounds,
    ) -> Result<(), String> {
        let seat = &outcome.seat;
        let place = &mut self.seats[usize::from(replica.0)];
        let installs = seat.epoch > place.epoch;
        *place = Arc::clone(seat);
        for envelope in &outcome.sent {
            self.network.send(envelope);
        }
        for packet in &outcome.packets {
            self.root.number(packet, bounds.packets);
        }
        for beginning in &outcome.beginnings {
            self.note_beginning(beginning)?;
        }
        if installs {
            self.note_installed(seat)?;
        }
        self.note_decided(seat)?;
        for answer in &outcome.answers {
            self.note_answer(*answer)?;
        }
        Ok(())
    }

    /// An epoch is begun once.
    fn note_beginning(&mut self, said: &Beginning) -> Result<(), String> {
        let known = self
            .starts
            .iter()
            .find(|known| known.said.epoch == said.epoch);
        match known {
            Some(known) if known.said == *said => {}
            Some(known) => return Err(format!("it begins {:?} and {said:?}", known.said)),
            None => {
                self.starts.push(Start {
                    said: *said,
                    log: Vec::new(),
                    has_executed: !self.executed.is_empty(),
                });
                self.starts.sort_by_key(|start| start.said.epoch);
            }
        }
        Ok(())
    }

    /// Members that are in an epoch began it with the same.
    fn note_installed(&mut self, seat: &Seat) -> Result<(), String> {
        let mut starts = self.starts.iter_mut();
        let Some(start) = starts.find(|start| start.said.epoch == seat.epoch) else {
            return Err(format!("it is in epoch {}, which nobody began", seat.epoch));
        };
        let Some(log) = seat.log.get(..start.said.end) else {
            return Err(format!("it begins {} with {:?} only", seat.epoch, seat.log));
        };
        if start.log.is_empty() {
            start.log = log.to_vec();
        }
        if start.log == log {
            return Ok(());
        }
        Err(format!(
            "epoch {} begins {:?} and {log:?}",
            seat.epoch, start.log
        ))
    }

    fn note_decided(&mut self, seat: &Seat) -> Result<(), String> {
        let own = &seat.log[..seat.committed];
        let differs = |(own, (other, _)): (&SummaryHash, &(SummaryHash, RoundsEpoch))| own != other;
        if own.iter().zip(&self.decided).any(differs) {
            return Err(format!("it decides {own:?}, others {:?}", self.decided));
        }
        for digest in own.iter().skip(self.decided.len()) {
            self.decided.push((*digest, seat.epoch));
        }
        let executed = &seat.executed;
        let differs = |(own, other): (&SummaryHash, &SummaryHash)| own != other;
        if executed.iter().zip(&self.executed).any(differs) {
            return Err(format!(
                "it executes {executed:?}, others {:?}",
                self.executed
            ));
        }
        if executed.len() > self.executed.len() {
            self.executed.clone_from(executed);
        }
        Ok(())
    }

    /// A client is told of a slot that is decided and is its own, always the same one.
    fn note_answer(&mut self, answer: Answer) -> Result<(), String> {
        let (client, slot, hash) = answer;
        let index = usize::try_from(slot).expect("logs are short") - 1;
        if self.executed.get(index) != Some(&hash) {
            return Err(format!("client {client} is told of slot {slot}: {hash}"));
        }
        match self.answers.iter().find(|known| known.0 == client) {
            Some(known) if *known == answer => {}
            Some(known) => return Err(format!("a client is told {known:?} and {answer:?}")),
            None => {
                self.answers.push(answer);
                self.answers.sort_unstable();
            }
        }
        Ok(())
    }
}
