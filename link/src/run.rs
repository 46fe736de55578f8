//! The event loop: one thread runs one or several nodes to completion and sleeps when none has
//! anything to do.
//!
//! A node is polled with the time; it does bounded work and says whether it did any and when it
//! next needs the time. Round robin goes on while anyone worked. Then every node arms its
//! wake-ups, and the thread sleeps in `ppoll` until a descriptor is readable, the earliest
//! deadline comes or the [`StopFlag`] is raised.

use std::error::Error;
use std::hint::spin_loop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, write};
use wire::Tick;

use crate::{Clock, LinkError};

/// What a node's `poll` ends with when the node cannot go on.
pub type NodeError = Box<dyn Error + Send + Sync>;

/// What a node did and wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// Something was handled: poll again before sleeping.
    pub worked: bool,
    /// When to poll again at the latest, even if nothing arrives.
    pub deadline: Option<Tick>,
}

/// Something that owns links and is driven by [`run`]: a switch, a replica, a client.
pub trait Node: Send {
    /// A name for errors and reports.
    fn name(&self) -> &str;

    /// Handles what is ready, bounded work. A deadline that has passed means: poll me at once.
    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError>;

    /// Arms the wake-ups. True: something is already here, do not sleep; the rest may then stay
    /// unarmed. False: all are armed. Must not receive from anything.
    fn prepare_to_wait(&mut self) -> bool;

    /// Adds every descriptor that becomes readable when there is something to do.
    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>);
}

impl<N: Node + ?Sized> Node for Box<N> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        (**self).poll(now)
    }

    fn prepare_to_wait(&mut self) -> bool {
        (**self).prepare_to_wait()
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        (**self).readiness(descriptors);
    }
}

/// The descriptors a thread sleeps on.
#[derive(Debug, Default)]
pub struct Descriptors<'a>(Vec<PollFd<'a>>);

impl<'a> Descriptors<'a> {
    /// Adds one, or nothing for `None`; the same descriptor several times in a row counts once.
    pub fn add(&mut self, descriptor: impl Into<Option<BorrowedFd<'a>>>) {
        let Some(descriptor) = descriptor.into() else {
            return;
        };
        let last = self.0.last().map(|last| last.as_fd().as_raw_fd());
        if last != Some(descriptor.as_raw_fd()) {
            self.0
                .push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        }
    }

    /// An empty list in the same allocation, for descriptors of another lifetime.
    fn emptied<'b>(mut self) -> Descriptors<'b> {
        self.0.clear();
        // The list is empty, so nothing is mapped; the standard library keeps the allocation
        // when source and target have the same layout.
        Descriptors(self.0.into_iter().map_while(|_| None).collect())
    }
}

/// How a thread waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitPolicy {
    /// Sleeps at once when there is nothing to do.
    #[default]
    Block,
    /// Keeps polling for up to this long before it sleeps: answers in a few µs instead of the
    /// tens that a wake-up on another core takes, and burns the core meanwhile.
    Spin {
        /// Microseconds to go on polling without result.
        at_most_us: u32,
    },
}

/// Microseconds worth spinning, about a third of what a wake-up takes on a virtual machine.
const SPIN_US: u32 = 20;

impl WaitPolicy {
    /// Spins only when this process may use more cores than it has busy threads: a spinning
    /// thread that holds the core another one needs makes everything slower.
    pub fn for_threads(busy_threads: usize) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        if cores > busy_threads {
            Self::Spin {
                at_most_us: SPIN_US,
            }
        } else {
            Self::Block
        }
    }
}

/// Tells running loops to stop; clones are the same flag.
#[derive(Clone, Debug)]
pub struct StopFlag(Arc<StopShared>);

#[derive(Debug)]
struct StopShared {
    raised: AtomicBool,
    /// Written once and never drained, so it is readable for every loop that sleeps on it.
    event: OwnedFd,
}

impl StopFlag {
    /// A flag that is not raised.
    pub fn new() -> Result<Self, LinkError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| LinkError::io("create an eventfd", errno))?;
        Ok(Self(Arc::new(StopShared {
            raised: AtomicBool::new(false),
            event,
        })))
    }

    /// Raises the flag, for good, and wakes everyone who sleeps on it.
    pub fn stop(&self) {
        if !self.0.raised.swap(true, Ordering::AcqRel) {
            while write(&self.0.event, &1_u64.to_ne_bytes()) == Err(Errno::INTR) {}
        }
    }

    /// Whether the flag is raised.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }
}

impl AsFd for StopFlag {
    /// Readable once the flag is raised.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

/// Why a loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A node cannot go on.
    #[error("{name}: {source}")]
    Node {
        /// The node's name.
        name: String,
        /// What it said.
        source: NodeError,
    },
    /// The kernel refused to let the thread wait.
    #[error("cannot wait for {descriptors} descriptors: {source}")]
    Wait {
        /// How many there were.
        descriptors: usize,
        /// What the kernel said.
        source: std::io::Error,
    },
}

/// Runs boxed nodes on this thread until `stop` is raised or one of them fails.
pub fn run(
    nodes: &mut [Box<dyn Node>],
    stop: &StopFlag,
    policy: WaitPolicy,
) -> Result<(), RunError> {
    run_nodes(nodes, stop, policy)
}

/// Runs nodes of one type on this thread until `stop` is raised or one of them fails; the caller
/// has them back afterwards.
pub fn run_nodes<N: Node>(
    nodes: &mut [N],
    stop: &StopFlag,
    policy: WaitPolicy,
) -> Result<(), RunError> {
    let mut idle_since = None;
    let mut allocation = Descriptors::default();
    while !stop.is_raised() {
        let now = Clock.now();
        let Poll { worked, deadline } = poll_all(nodes, now)?;
        if worked {
            idle_since = None;
            continue;
        }
        if let WaitPolicy::Spin { at_most_us } = policy {
            let since = *idle_since.get_or_insert(now);
            if now < since.plus_us(u64::from(at_most_us)) {
                spin_loop();
                continue;
            }
        }
        idle_since = None;
        // Nodes after the first that found something stay unarmed, which is fine: the thread
        // sleeps only after a pass in which every node was armed and found nothing.
        if nodes.iter_mut().any(Node::prepare_to_wait) {
            continue;
        }
        let mut descriptors = allocation.emptied();
        descriptors.add(stop.as_fd());
        for node in &*nodes {
            node.readiness(&mut descriptors);
        }
        wait(&mut descriptors, deadline)?;
        allocation = descriptors.emptied();
    }
    Ok(())
}

/// Polls each node once: whether any worked and the earliest deadline.
fn poll_all<N: Node>(nodes: &mut [N], now: Tick) -> Result<Poll, RunError> {
    let mut all = Poll::default();
    for node in nodes {
        let one = node.poll(now).map_err(|source| RunError::Node {
            name: node.name().to_owned(),
            source,
        })?;
        all.worked |= one.worked;
        all.deadline = earliest(all.deadline, one.deadline);
    }
    Ok(all)
}

/// The earlier of two deadlines, where `None` is never.
pub fn earliest(a: Option<Tick>, b: Option<Tick>) -> Option<Tick> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (some, None) | (None, some) => some,
    }
}

/// Sleeps until a descriptor is readable or the deadline comes.
fn wait(descriptors: &mut Descriptors<'_>, deadline: Option<Tick>) -> Result<(), RunError> {
    let timeout = deadline.map(|deadline| {
        let left = deadline.since(Clock.now());
        let tv_sec = i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX);
        Timespec {
            tv_sec,
            tv_nsec: (left % 1_000_000_000).cast_signed(),
        }
    });
    match poll(&mut descriptors.0, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(RunError::Wait {
            descriptors: descriptors.0.len(),
            source: errno.into(),
        }),
    }
}

#[cfg(test)]
mod tests;
