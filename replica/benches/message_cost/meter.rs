//! An endpoint that notes when receiving is over, on the thread's own CPU clock.
//!
//! A replica's driver receives first and carries effects out afterwards, so this one moment
//! divides its turn into what the simulator calls the receive cost and the send cost.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use link::{Endpoint, LinkCounters, LinkError};
use rustix::time::{ClockId, clock_gettime};
use wire::{HostAddress, Tick};

/// Nanoseconds of CPU time that this thread has used. Unlike wall time it does not count while
/// other programs have the core.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("CPU time is not negative");
    let nanoseconds = u64::try_from(time.tv_nsec).expect("CPU time is not negative");
    seconds * 1_000_000_000 + nanoseconds
}

/// What a meter has seen; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Readings(Arc<Shared>);

#[derive(Default)]
struct Shared {
    received_at: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    turns: AtomicU64,
}

impl Readings {
    /// When the last `receive` returned.
    pub(crate) fn received_at(&self) -> u64 {
        self.0.received_at.load(Ordering::Relaxed)
    }

    /// Datagrams received so far.
    pub(crate) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Calls of `receive` that found something.
    pub(crate) fn turns(&self) -> u64 {
        self.0.turns.load(Ordering::Relaxed)
    }

    /// Datagrams handed over to be sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }
}

/// Passes everything on to an endpoint.
pub(crate) struct Metered<E> {
    endpoint: E,
    readings: Readings,
    sent: u64,
}

impl<E> Metered<E> {
    pub(crate) fn new(endpoint: E, readings: Readings) -> Self {
        Self {
            endpoint,
            readings,
            sent: 0,
        }
    }
}

impl<E: Endpoint> Endpoint for Metered<E> {
    fn address(&self) -> HostAddress {
        self.endpoint.address()
    }

    fn payload_limit(&self) -> usize {
        self.endpoint.payload_limit()
    }

    fn send(&mut self, to: HostAddress, payload: &[u8]) {
        self.sent += 1;
        self.endpoint.send(to, payload);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        self.readings.0.sent.store(self.sent, Ordering::Relaxed);
        self.endpoint.flush()
    }

    fn receive(
        &mut self,
        limit: usize,
        each: &mut dyn FnMut(HostAddress, &[u8]),
    ) -> Result<usize, LinkError> {
        let count = self.endpoint.receive(limit, each)?;
        let shared = &self.readings.0;
        shared.received.fetch_add(count as u64, Ordering::Relaxed);
        shared
            .turns
            .fetch_add(u64::from(count > 0), Ordering::Relaxed);
        shared.received_at.store(thread_cpu_ns(), Ordering::Relaxed);
        Ok(count)
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.endpoint.prepare_to_wait()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.endpoint.readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        self.endpoint.advance(now)
    }

    fn counters(&self) -> LinkCounters {
        self.endpoint.counters()
    }
}
