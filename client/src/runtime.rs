//! Many logical clients behind one endpoint, as an event-loop node.
//!
//! Each operation of its [callers](Callers) takes an idle logical client, so that any number of
//! them share a bounded number of entries in the replicas' client tables.

use crate::callers::{Call, Callers, Handles};
use crate::core::{Agreement, Answer, ClientCore, Path, Step};
use crate::handle::{CallError, Client};
use crate::routes::{Route, Routes, Target};
use link::{Descriptors, Endpoint, LinkError, Node, NodeError, Poll, Waker};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wire::message::Request;
use wire::{
    ClientId, GroupId, Kind, Message, ReplicaId, RequestNumber, STAMP_LEN, Sender, StampHeader,
    Tick,
};

/// Datagrams and submissions handled before looking at timers.
const BATCH: usize = 128;
/// Logical clients: requests that may be on their way at once.
const LOGICAL_CLIENTS: usize = 1_024;
/// Operations of other threads that may wait for an idle logical client.
const WAITING: usize = 16_384;

/// How a client finds its group.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group.
    pub group: GroupId,
    /// Where its requests go.
    pub target: Target,
    /// How replies make a result.
    pub agreement: Agreement,
    /// Bytes of a packet that an operation must leave free, beside stamp and request: members may
    /// have to pass it on in a packet that holds more than it.
    pub reserved: usize,
    /// A number that no other client of the group has, or ever had: ids of logical clients are
    /// made from its 48 low bits.
    pub unique: u64,
    /// A caller is told that the outcome is unknown after this time.
    pub give_up: Duration,
}

/// What happened so far; shared with [`Client`].
#[derive(Debug, Default)]
pub struct Statistics {
    /// Answered in one round trip.
    pub fast: AtomicU64,
    /// Answered otherwise.
    pub slow: AtomicU64,
    /// Requests sent again.
    pub sent_again: AtomicU64,
    /// Reconciliations asked for.
    pub reconciliations: AtomicU64,
    /// Given up.
    pub abandoned: AtomicU64,
    /// Datagrams that were no replies of the group.
    pub foreign: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

struct Logical<T> {
    core: ClientCore,
    /// Who asked, and when the operation is given up.
    caller: Option<(T, Tick)>,
    /// The way of the request under way, or of the last one.
    route: Route,
    look: Option<Look>,
}

/// A request that went to the member that its caller prefers as well, though another one is asked.
struct Look {
    home: ReplicaId,
    number: RequestNumber,
    /// An answer that takes longer than one waits for is none.
    until: Tick,
}

/// The node.
pub struct ClientNode<C: Callers = Handles> {
    settings: Settings,
    endpoint: Box<dyn Endpoint>,
    callers: C,
    logical: Vec<Logical<C::Token>>,
    idle: Vec<usize>,
    routes: Routes,
    /// When which logical client wants the time; entries may be out of date.
    timers: BinaryHeap<Reverse<(Tick, usize)>>,
    statistics: Arc<Statistics>,
    header: [u8; STAMP_LEN],
    payload: Vec<u8>,
    steps: Vec<(usize, Step)>,
}

/// Bytes of the longest operation that fits a packet of `endpoint`.
pub fn operation_limit(settings: &Settings, endpoint: &dyn Endpoint) -> usize {
    let overhead = STAMP_LEN + Request::OVERHEAD + settings.reserved;
    endpoint.payload_limit().saturating_sub(overhead)
}

impl ClientNode {
    /// A node and the handle that other threads submit to.
    pub fn new(
        settings: Settings,
        endpoint: Box<dyn Endpoint>,
    ) -> Result<(Self, Client), LinkError> {
        let (sender, inbox) = link::inbox::inbox(WAITING, Waker::new()?);
        let limit = operation_limit(&settings, &*endpoint);
        let node = Self::with_callers(settings, endpoint, Handles { inbox })?;
        let (statistics, first) = (node.statistics(), node.routes.first());
        let client = Client::new(sender, limit, statistics, first);
        Ok((node, client))
    }
}

impl<C: Callers> ClientNode<C> {
    /// A node that is called by `callers`.
    pub fn with_callers(
        settings: Settings,
        endpoint: Box<dyn Endpoint>,
        callers: C,
    ) -> Result<Self, LinkError> {
        let sender = Sender::Outsider;
        let header = StampHeader::unstamped(Kind::Request, sender, settings.group).to_bytes();
        Ok(Self {
            routes: Routes::new(&settings.target)?,
            settings,
            endpoint,
            callers,
            logical: Vec::new(),
            idle: Vec::new(),
            timers: BinaryHeap::new(),
            statistics: Arc::new(Statistics::default()),
            header,
            payload: Vec::new(),
            steps: Vec::new(),
        })
    }

    /// What happened so far, also for who watches from another thread.
    pub fn statistics(&self) -> Arc<Statistics> {
        self.statistics.clone()
    }

    /// Who calls.
    pub fn callers(&self) -> &C {
        &self.callers
    }

    /// Who called, when nobody does any more.
    pub fn into_callers(self) -> C {
        self.callers
    }

    fn take_calls(&mut self, now: Tick) -> bool {
        let mut worked = false;
        for _ in 0..BATCH {
            let Some(index) = self.idle_client() else {
                break;
            };
            let Some(call) = self.callers.next(now) else {
                self.idle.push(index);
                break;
            };
            worked = true;
            self.begin(now, index, call);
        }
        worked
    }

    fn begin(&mut self, now: Tick, index: usize, call: Call<C::Token>) {
        let give_up = u64::try_from(self.settings.give_up.as_micros()).unwrap_or(u64::MAX);
        let logical = &mut self.logical[index];
        logical.core.begin(now, call.operation);
        logical.route = self.routes.route(call.prefers);
        logical.caller = Some((call.token, now.plus_us(give_up)));
        self.send(index);
        self.look_home(now, index);
    }

    /// Whether another operation may begin.
    fn has_idle_client(&self) -> bool {
        !self.idle.is_empty() || self.logical.len() < LOGICAL_CLIENTS
    }

    /// An idle logical client, a new one if there may be more.
    fn idle_client(&mut self) -> Option<usize> {
        if let Some(index) = self.idle.pop() {
            return Some(index);
        }
        let index = self.logical.len();
        if index == LOGICAL_CLIENTS {
            return None;
        }
        let id = ClientId((self.settings.unique << 16) | index as u64);
        let core = ClientCore::new(id, self.endpoint.address(), self.settings.agreement);
        self.logical.push(Logical {
            core,
            caller: None,
            route: self.routes.route(0),
            look: None,
        });
        Some(index)
    }

    /// Sends the client's request and arms its timer.
    fn send(&mut self, index: usize) {
        let Logical { core, route, .. } = &self.logical[index];
        let (Some(request), Some(deadline)) = (core.request(), core.deadline()) else {
            return;
        };
        self.payload.clear();
        self.payload.extend_from_slice(&self.header);
        Message::Request(request).emit(&mut self.payload);
        let to = self.routes.address(*route, core.tries());
        self.endpoint.send(to, &self.payload);
        self.timers.push(Reverse((deadline, index)));
    }

    /// Now and then sends the request that was just sent to the preferred member too. It is
    /// executed once, whoever proposes it.
    fn look_home(&mut self, now: Tick, index: usize) {
        let logical = &mut self.logical[index];
        if let Some((home, address)) = self.routes.look_home(logical.route, now)
            && let (Some(request), Some(until)) = (logical.core.request(), logical.core.deadline())
        {
            let number = request.number;
            logical.look = Some(Look {
                home,
                number,
                until,
            });
            self.endpoint.send(address, &self.payload);
        }
    }

    fn take_replies(&mut self, now: Tick) -> Result<bool, NodeError> {
        let Self {
            endpoint,
            logical,
            steps,
            statistics,
            settings,
            routes,
            ..
        } = self;
        let count_of = endpoint.receive(BATCH, &mut |_, payload| {
            let parsed = StampHeader::parse(payload)
                .ok()
                .filter(|(stamp, _)| stamp.group == settings.group)
                .and_then(|(_, bytes)| Message::parse(bytes).ok());
            let addressee = parsed.as_ref().and_then(ClientCore::addressee);
            let (Some(message), Some((client, number, replica))) = (parsed, addressee) else {
                count(&statistics.foreign);
                return;
            };
            let index = usize::try_from(client.0 & 0xffff).unwrap_or(usize::MAX);
            if let Some(logical) = logical.get_mut(index) {
                let looked = logical
                    .look
                    .take_if(|look| (look.home, look.number) == (replica, number));
                if let Some(look) = looked.filter(|look| now <= look.until) {
                    routes.is_home(look.home);
                }
                let step = logical.core.on_message(now, &message);
                if matches!(step, Step::Done(_)) {
                    routes.answered(logical.route, replica);
                }
                if step != Step::Wait {
                    steps.push((index, step));
                }
            }
        })?;
        self.take_steps(now);
        Ok(count_of > 0)
    }

    fn take_timers(&mut self, now: Tick) -> bool {
        let mut worked = false;
        while let Some(Reverse((at, index))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            worked = true;
            self.timers.pop();
            if self.logical[index]
                .core
                .deadline()
                .is_none_or(|deadline| deadline > at)
            {
                // Out of date: answered since, or armed anew with an entry of its own.
                continue;
            }
            let overdue = self.logical[index]
                .caller
                .as_ref()
                .is_some_and(|(_, at)| *at <= now);
            if overdue {
                self.logical[index].core.abandon();
                count(&self.statistics.abandoned);
                self.finish(now, index, Err(CallError::OutcomeUnknown));
                continue;
            }
            let step = self.logical[index].core.on_deadline(now);
            self.steps.push((index, step));
        }
        self.take_steps(now);
        worked
    }

    fn take_steps(&mut self, now: Tick) {
        let mut steps = core::mem::take(&mut self.steps);
        for (index, step) in steps.drain(..) {
            match step {
                Step::Wait => {}
                Step::Send => {
                    count(&self.statistics.sent_again);
                    let wants = self.logical[index]
                        .core
                        .request()
                        .map(|request| request.wants);
                    if wants == Some(wire::message::Wants::Reconciliation) {
                        count(&self.statistics.reconciliations);
                    }
                    self.send(index);
                }
                Step::Done(answer) => {
                    let path = match answer.path {
                        Path::Fast => &self.statistics.fast,
                        Path::Slow => &self.statistics.slow,
                    };
                    count(path);
                    self.finish(now, index, Ok(answer));
                }
                Step::Failed(error) => self.finish(now, index, Err(CallError::Divergence(error))),
            }
        }
        self.steps = steps;
    }

    fn finish(&mut self, now: Tick, index: usize, outcome: Result<Answer, CallError>) {
        if let Some((token, _)) = self.logical[index].caller.take() {
            self.callers.finished(now, token, outcome);
        }
        self.idle.push(index);
    }
}

impl<C: Callers> Node for ClientNode<C> {
    fn name(&self) -> &'static str {
        "client"
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        let link_deadline = self.endpoint.advance(now);
        let mut worked = self.take_replies(now)?;
        worked |= self.take_timers(now);
        worked |= self.take_calls(now);
        self.endpoint.flush()?;
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let calls = self.callers.deadline().filter(|_| self.has_idle_client());
        let deadline = link::run::earliest(link_deadline, timer);
        Ok(Poll {
            worked,
            deadline: link::run::earliest(deadline, calls),
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        // Both are armed, whatever the first one says. Callers that would have to wait anyway
        // must not keep the thread awake.
        let replies = self.endpoint.prepare_to_wait();
        let calls = self.has_idle_client() && self.callers.prepare_to_wait();
        replies || calls
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.endpoint.readiness());
        if self.has_idle_client() {
            self.callers.readiness(descriptors);
        }
    }
}

#[cfg(test)]
mod tests;
