//! Harm by seed: loss, duplication, reordering, delay with jitter, and a link that is down.
//!
//! Wraps one end of any link and treats both directions, each with random numbers and a plan of
//! its own. The same seed, the same frames at the same ticks and the same plans give the same
//! decisions; every frame takes the same number of random numbers, so one more kind of fault
//! does not change what the others hit. Plans can be changed while the link runs, from any
//! thread, through its [`FaultControl`].
//!
//! The order of treatment is: down, loss, duplication, holding back, delay. Delay and jitter
//! keep the order of frames, as a queue does; only reordering breaks it.
//!
//! The link must be given the time with `advance`: held frames leave at the ticks it returns.

use std::os::fd::BorrowedFd;

use wire::Tick;

mod control;
mod impairment;
mod probability;

pub use control::{Direction, FaultControl, FaultPlan};
pub use impairment::FaultCounts;
pub use probability::{Probability, ProbabilityError};

use crate::run::earliest;
use crate::{Link, LinkCounters, LinkError};
use impairment::Impairment;

/// A link with faults.
pub struct Faults<L> {
    link: L,
    control: FaultControl,
    /// The version of the control's plans that the impairments work by.
    version: u64,
    outgoing: Impairment,
    incoming: Impairment,
    now: Tick,
    counters: LinkCounters,
    /// What went wrong outside of `flush`; told by the next one.
    failure: Option<LinkError>,
}

impl<L: Link> Faults<L> {
    /// Wraps `link`. All decisions follow from `seed` and the plans of `control`.
    pub fn new(link: L, seed: u64, control: FaultControl) -> Self {
        let mut faults = Self {
            link,
            version: control.version(),
            outgoing: Impairment::new(seed, Direction::Outgoing),
            incoming: Impairment::new(seed, Direction::Incoming),
            control,
            now: Tick::default(),
            counters: LinkCounters::default(),
            failure: None,
        };
        faults.read_plans();
        faults
    }

    /// The handle that changes the plans.
    pub fn control(&self) -> &FaultControl {
        &self.control
    }

    /// What was done to frames in one direction so far.
    pub fn counts(&self, direction: Direction) -> FaultCounts {
        match direction {
            Direction::Outgoing => self.outgoing.counts(),
            Direction::Incoming => self.incoming.counts(),
        }
    }

    /// The link below.
    pub fn link(&self) -> &L {
        &self.link
    }

    fn read_plans(&mut self) {
        self.version = self.control.version();
        self.outgoing
            .set_plan(self.control.plan(Direction::Outgoing));
        self.incoming
            .set_plan(self.control.plan(Direction::Incoming));
    }

    fn follow_control(&mut self) {
        if self.control.version() != self.version {
            self.read_plans();
        }
    }

    fn send_due(&mut self) -> usize {
        let link = &mut self.link;
        self.outgoing
            .release(self.now, usize::MAX, &mut |frame| link.send(frame))
    }
}

impl<L: Link> Link for Faults<L> {
    fn send(&mut self, frame: &[u8]) {
        self.follow_control();
        if self.outgoing.is_transparent() {
            self.link.send(frame);
            return;
        }
        self.outgoing
            .take(frame, self.now, &mut self.counters.drops);
        self.send_due();
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let result = self.link.flush();
        self.failure.take().map_or(result, Err)
    }

    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError> {
        self.follow_control();
        if self.incoming.is_transparent() {
            let received = &mut self.counters.received;
            return self.link.receive(limit, &mut |frame| {
                received.count(frame.len());
                each(frame);
            });
        }
        let Self {
            link,
            incoming,
            now,
            counters,
            ..
        } = self;
        let LinkCounters {
            received, drops, ..
        } = counters;
        link.receive(limit, &mut |frame| incoming.take(frame, *now, drops))?;
        Ok(incoming.release(*now, limit, &mut |frame| {
            received.count(frame.len());
            each(frame);
        }))
    }

    fn prepare_to_wait(&mut self) -> bool {
        let found = self.link.prepare_to_wait();
        found
            || self
                .incoming
                .deadline()
                .is_some_and(|deadline| deadline <= self.now)
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.link.readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        self.follow_control();
        self.now = now;
        let link = self.link.advance(now);
        if self.send_due() > 0 {
            self.failure = self.failure.take().or(self.link.flush().err());
        }
        earliest(
            link,
            earliest(self.outgoing.deadline(), self.incoming.deadline()),
        )
    }

    /// `received` and `sent` are what passed the faults in either direction.
    fn counters(&self) -> LinkCounters {
        let below = self.link.counters();
        let mut counters = self.counters;
        counters.sent = below.sent;
        counters.drops += below.drops;
        counters
    }
}

#[cfg(test)]
mod tests;
