//! Many logical clients behind one endpoint, as an event-loop node.
//!
//! Other threads submit operations through a [`Client`]; each takes an idle logical client, so
//! that any number of callers share a bounded number of entries in the replicas' client tables.

use crate::core::{Agreement, Answer, ClientCore, Path, Step};
use crate::handle::{CallError, Client, Submission};
use crate::routes::{Route, Routes, Target};
use link::{Descriptors, Endpoint, Inbox, Node, NodeError, Poll, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wire::message::Request;
use wire::{ClientId, GroupId, Kind, Message, STAMP_LEN, Sender, StampHeader, Tick};

/// Datagrams and submissions handled before looking at timers.
const BATCH: usize = 128;
/// Logical clients: requests that may be on their way at once.
const LOGICAL_CLIENTS: usize = 1_024;
/// Submissions that may wait for an idle logical client.
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

struct Logical {
    core: ClientCore,
    caller: Option<(Submission, Tick)>,
    /// The way of the request under way, or of the last one.
    route: Route,
}

/// The node.
pub struct ClientNode {
    settings: Settings,
    endpoint: Box<dyn Endpoint>,
    inbox: Inbox<Submission>,
    logical: Vec<Logical>,
    idle: Vec<usize>,
    routes: Routes,
    waiting: VecDeque<Submission>,
    /// When which logical client wants the time; entries may be out of date.
    timers: BinaryHeap<Reverse<(Tick, usize)>>,
    statistics: Arc<Statistics>,
    header: [u8; STAMP_LEN],
    payload: Vec<u8>,
    steps: Vec<(usize, Step)>,
}

impl ClientNode {
    /// A node and the handle that other threads submit to.
    pub fn new(
        settings: Settings,
        endpoint: Box<dyn Endpoint>,
    ) -> Result<(Self, Client), link::LinkError> {
        let (sender, inbox) = link::inbox::inbox(WAITING, Waker::new()?);
        let statistics = Arc::new(Statistics::default());
        let overhead = STAMP_LEN + Request::OVERHEAD + settings.reserved;
        let limit = endpoint.payload_limit().saturating_sub(overhead);
        let (routes, first) = Routes::new(&settings.target)?;
        let client = Client::new(sender, limit, statistics.clone(), first);
        let sender = Sender::Outsider;
        let header = StampHeader::unstamped(Kind::Request, sender, settings.group).to_bytes();
        let node = Self {
            settings,
            endpoint,
            inbox,
            logical: Vec::new(),
            idle: Vec::new(),
            routes,
            waiting: VecDeque::new(),
            timers: BinaryHeap::new(),
            statistics,
            header,
            payload: Vec::new(),
            steps: Vec::new(),
        };
        Ok((node, client))
    }

    fn take_submissions(&mut self, now: Tick) -> bool {
        let mut worked = false;
        while self.waiting.len() < WAITING {
            let Some(submission) = self.inbox.receive() else {
                break;
            };
            worked = true;
            self.waiting.push_back(submission);
        }
        while let Some(index) = self.idle_client() {
            let Some(mut submission) = self.waiting.pop_front() else {
                self.idle.push(index);
                break;
            };
            let operation = core::mem::take(&mut submission.operation).into_boxed_slice();
            let logical = &mut self.logical[index];
            logical.core.begin(now, operation);
            logical.route = self.routes.route(submission.prefers);
            let give_up = u64::try_from(self.settings.give_up.as_micros()).unwrap_or(u64::MAX);
            logical.caller = Some((submission, now.plus_us(give_up)));
            self.send(index);
        }
        worked
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
            let (Some(message), Some((client, replica))) = (parsed, addressee) else {
                count(&statistics.foreign);
                return;
            };
            let index = usize::try_from(client.0 & 0xffff).unwrap_or(usize::MAX);
            if let Some(logical) = logical.get_mut(index) {
                let step = logical.core.on_message(now, &message);
                if matches!(step, Step::Done(_)) {
                    routes.answered(logical.route, replica);
                }
                if step != Step::Wait {
                    steps.push((index, step));
                }
            }
        })?;
        self.take_steps();
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
                self.finish(index, Err(CallError::OutcomeUnknown));
                continue;
            }
            let step = self.logical[index].core.on_deadline(now);
            self.steps.push((index, step));
        }
        self.take_steps();
        worked
    }

    fn take_steps(&mut self) {
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
                    self.finish(index, Ok(answer));
                }
                Step::Failed(error) => self.finish(index, Err(CallError::Divergence(error))),
            }
        }
        self.steps = steps;
    }

    fn finish(&mut self, index: usize, outcome: Result<Answer, CallError>) {
        if let Some((submission, _)) = self.logical[index].caller.take() {
            // The caller may be gone; its request is done all the same.
            let _ = submission.answer.send(outcome);
        }
        self.idle.push(index);
    }
}

impl Node for ClientNode {
    fn name(&self) -> &'static str {
        "client"
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        let link_deadline = self.endpoint.advance(now);
        let mut worked = self.take_replies(now)?;
        worked |= self.take_timers(now);
        worked |= self.take_submissions(now);
        self.endpoint.flush()?;
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        Ok(Poll {
            worked,
            deadline: link::run::earliest(link_deadline, timer),
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        // Both are armed, whatever the first one says.
        let replies = self.endpoint.prepare_to_wait();
        let submissions = self.inbox.prepare_to_wait();
        replies || submissions
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.endpoint.readiness());
        descriptors.add(self.inbox.readiness());
    }
}

#[cfg(test)]
mod tests;
