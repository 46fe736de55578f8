//! Everything that a replica keeps and that has a bound ([`Limits`]), in numbers: for who watches
//! that no bound is passed.

use super::arrivals::{RING, WINDOW};
use super::{Limits, SpecPaxos, ahead};
use crate::StateMachine;
use crate::held::Held;
use crate::protocol::Mode;
use alloc::vec;
use alloc::vec::Vec;

impl<S: StateMachine> SpecPaxos<S> {
    /// Everything that is kept within a bound. Takes time linear in the log.
    pub fn held(&self) -> Vec<Held> {
        let limits = &self.config.limits;
        let clients = self.history.clients();
        let (deferred, deferred_bytes) = self.deferred.held();
        let (ahead, ahead_bytes) = self.ordering.ahead.held();
        let (waiting, remembered) = self.arrivals.held();
        let window = usize::try_from(WINDOW).expect("a small number");
        let mut held = vec![
            Held::new(
                "bytes of committed entries",
                self.history.log().committed_weight(),
                self.history.retained_bytes(),
            ),
            Held::new("clients", clients.len(), clients.clients_max()),
            Held::new("deferred requests", deferred, limits.deferred.requests),
            Held::new(
                "bytes of deferred requests",
                deferred_bytes,
                limits.deferred.bytes,
            ),
            Held::new("entries ahead of the log", ahead, ahead::ENTRIES_MAX),
            Held::new(
                "bytes of entries ahead of the log",
                ahead_bytes,
                ahead::BYTES_MAX,
            ),
            Held::new("packets behind a hole", waiting, window),
            Held::new("packets remembered for peers", remembered, RING),
        ];
        held.extend(self.speculation(limits));
        held
    }

    /// What waits for a commit, beyond what the view began with: that came from f+1 logs, each
    /// within the bound. A degraded view's follower learns of commits one message later.
    fn speculation(&self, limits: &Limits) -> Vec<Held> {
        let log = self.history.log();
        if self.mode != Mode::Normal || log.last() <= self.view_start {
            return Vec::new();
        }
        let times = if self.degraded { 2 } else { 1 };
        // The last one was let in while there was room.
        let newest = log
            .get(log.last())
            .filter(|_| log.last() > log.last_committed())
            .map_or(0, |entry| {
                entry.request.operation.len() + entry.result.len()
            });
        vec![
            Held::new(
                "entries that wait for a commit",
                self.history.speculative_len(),
                times * limits.speculative_entries,
            ),
            Held::new(
                "bytes before the newest entry that waits for a commit",
                self.history.speculative_bytes() - newest,
                times * limits.speculative_bytes,
            ),
        ]
    }
}
