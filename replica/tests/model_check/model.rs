//! The state of the whole group and its steps.

use crate::asker::Asker;
use crate::bounds::{ALL, Bounds, CLIENTS, REPLICAS, VIEW_MAX};
use crate::common::replica_at;
use crate::network::{Envelope, Network};
use crate::outcome::{self, Event, Memory, Outcome, Start};
use crate::properties;
use crate::seat::Seat;
use replica::Mutant;
use replica::spec_paxos::Timer;
use stateright::{Model, Property};
use std::sync::Arc;
use wire::message::{Message, Wants};
use wire::{ClientId, ReplicaId, SequenceNumber, SummaryHash, ViewNumber};

/// The checked model: the bounds decide everything.
#[derive(Debug)]
pub(crate) struct Group {
    bounds: Bounds,
    memory: Memory,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// `None` for a replica that has crashed for good.
    pub(crate) seats: [Option<Arc<Seat>>; REPLICAS],
    network: Network,
    pub(crate) askers: [Arc<Asker>; CLIENTS],
    next_sequence: SequenceNumber,
    retransmissions: u8,
    crashes: u8,
    restarts: u8,
    fired: [u8; Timer::ALL.len()],
    /// What nobody in the group knows: each view's beginning, in ascending order.
    pub(crate) starts: Vec<Arc<Start>>,
    /// The same: the longest prefix that any replica has ever committed.
    pub(crate) decided: Vec<SummaryHash>,
    /// What went wrong in a step.
    pub(crate) violation: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message arrives.
    Deliver(Envelope),
    /// A replica's timer fires.
    Fire(ReplicaId, Timer),
    /// A replica crashes for good.
    Crash(ReplicaId),
    /// A replica crashes and starts again without its log.
    Restart(ReplicaId),
    /// A client asks again.
    Insist(ClientId, Wants),
}

fn index_of(client: ClientId) -> usize {
    usize::try_from(client.0).expect("few clients") - 1
}

impl Group {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            memory: Memory::default(),
        }
    }

    /// One event at one replica. `None` if nothing comes of it: then the state before stands for
    /// the one after, which differs at most in a message that is gone.
    fn step(&self, before: &State, replica: ReplicaId, event: Event<'_>) -> Option<State> {
        let seat = before.seats[usize::from(replica.0)].as_ref()?;
        let handled = outcome::handled(&self.memory, seat, event);
        let mut after = before.clone();
        let taken = match &*handled {
            Ok(outcome) => after.take(replica, outcome),
            Err(violation) => Err(violation.clone()),
        };
        if let Err(violation) = taken {
            after.violation = Some(format!("replica {replica}: {violation}"));
        }
        (after != *before).then_some(after)
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let bounds = &self.bounds;
        let seat = |me| Some(Arc::new(Seat::format(replica_at(me), bounds)));
        let asker = |client: usize| Arc::new(Asker::new(ClientId(client as u64 + 1)));
        let mut state = State {
            seats: std::array::from_fn(seat),
            network: Network::default(),
            askers: std::array::from_fn(asker),
            next_sequence: SequenceNumber(1),
            retransmissions: bounds.retransmissions,
            crashes: bounds.crashes,
            restarts: bounds.restarts,
            fired: [0; Timer::ALL.len()],
            starts: Vec::new(),
            decided: Vec::new(),
            violation: None,
        };
        for client in 0..CLIENTS {
            state.multicast(client, Wants::Reply, bounds.reach[client]);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.violation.is_some() {
            return;
        }
        actions.extend(state.network.iter().cloned().map(Action::Deliver));
        for (index, seat) in state.seats.iter().enumerate() {
            let (replica, Some(seat)) = (replica_at(index), seat) else {
                continue;
            };
            let may_fire = |timer: &Timer| {
                let fired = state.fired[*timer as usize];
                self.bounds.may_fire(replica, *timer, fired)
            };
            let timers = seat.core().armed().filter(may_fire);
            actions.extend(timers.map(|timer| Action::Fire(replica, timer)));
            let faulty = self.bounds.faulty & (1 << replica.0) != 0;
            if faulty && state.crashes > 0 {
                actions.push(Action::Crash(replica));
            }
            if faulty && state.restarts > 0 {
                actions.push(Action::Restart(replica));
            }
        }
        for (client, asker) in (1..).map(ClientId).zip(&state.askers) {
            if state.retransmissions > 0 && !asker.insisted {
                actions.extend(asker.wishes().map(|wants| Action::Insist(client, wants)));
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut after = match action {
            Action::Deliver(envelope) => {
                let mut after = self.step(before, envelope.to, Event::Message(&envelope))?;
                // The root makes one copy of a request for each replica. Messages between
                // replicas may arrive again.
                if envelope.sequence.is_some() {
                    after.network.take(&envelope);
                }
                after
            }
            Action::Fire(replica, timer) => {
                let mut after = self.step(before, replica, Event::Timer(timer))?;
                after.fired[timer as usize] += 1;
                after
            }
            Action::Crash(replica) => {
                let mut after = before.clone();
                after.crashes -= 1;
                after.seats[usize::from(replica.0)] = None;
                after
            }
            Action::Restart(replica) => {
                let mut after = before.clone();
                after.restarts -= 1;
                let seat = after.seats[usize::from(replica.0)].as_mut()?;
                *seat = Arc::new(seat.restarted(replica, &self.bounds));
                after
            }
            Action::Insist(client, wants) => {
                let mut after = before.clone();
                after.retransmissions -= 1;
                Arc::make_mut(&mut after.askers[index_of(client)]).insist();
                after.multicast(index_of(client), wants, ALL);
                after
            }
        };
        after.make_canonical(&self.bounds);
        Some(after)
    }

    fn within_boundary(&self, state: &State) -> bool {
        let seats = state.seats.iter().flatten();
        seats.map(|seat| seat.view).all(|view| view <= VIEW_MAX)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl State {
    /// The root stamps a client's request and sends each replica that it can reach a copy.
    fn multicast(&mut self, client: usize, wants: Wants, reach: u8) {
        let request = self.askers[client].request(wants);
        let sequence = self.next_sequence;
        self.next_sequence = sequence.next();
        for index in (0..REPLICAS).filter(|index| reach & (1 << index) != 0) {
            let copy = Envelope::new(replica_at(index), Some(sequence), &request);
            self.network.send(&copy);
        }
    }

    /// Whether a kind of timer has ever fired.
    pub(crate) fn has_fired(&self, timer: Timer) -> bool {
        self.fired[timer as usize] > 0
    }

    fn take(&mut self, replica: ReplicaId, outcome: &Outcome) -> Result<(), String> {
        self.seats[usize::from(replica.0)] = Some(Arc::clone(&outcome.seat));
        for envelope in &outcome.sent {
            self.network.send(envelope);
        }
        for start in &outcome.starts {
            self.note_start(start)?;
        }
        for reply in &outcome.replies {
            let Ok(Message::Reply(reply)) = Message::parse(reply) else {
                return Err("a client is sent something else than a reply".to_owned());
            };
            self.askers[index_of(reply.client)].reply(&reply)?;
        }
        self.note_committed(&outcome.seat.committed)
    }

    fn note_start(&mut self, start: &Arc<Start>) -> Result<(), String> {
        match self.starts.iter().find(|known| known.view == start.view) {
            Some(known) if known == start => {}
            Some(known) => return Err(format!("a view begins with {known:?} and {start:?}")),
            None => {
                self.starts.push(Arc::clone(start));
                self.starts.sort_by_key(|start| start.view);
            }
        }
        Ok(())
    }

    fn note_committed(&mut self, committed: &[SummaryHash]) -> Result<(), String> {
        let decided = &self.decided;
        if committed
            .iter()
            .zip(decided)
            .any(|(own, other)| own != other)
        {
            return Err(format!(
                "it has committed {committed:?}, others {decided:?}"
            ));
        }
        if committed.len() > decided.len() {
            self.decided = committed.to_vec();
        }
        Ok(())
    }

    /// Leaves out what can no longer matter, so that fewer states differ.
    fn make_canonical(&mut self, bounds: &Bounds) {
        let views: [Option<ViewNumber>; REPLICAS] =
            std::array::from_fn(|index| self.seats[index].as_ref().map(|seat| seat.view));
        self.network.forget_outdated(&views);
        if !bounds.late_requests {
            let has_left = |to: ReplicaId| views[usize::from(to.0)] > Some(ViewNumber::ZERO);
            self.network.lose_requests(has_left);
        }
        for asker in &mut self.askers {
            // This mutant votes in views that it has left.
            if bounds.mutant != Some(Mutant::NoFreeze) {
                asker.forget_outdated(&views);
            }
            if self.retransmissions == 0 {
                asker.resign();
            }
        }
    }
}
