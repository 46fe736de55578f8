//! Everything that a server keeps and that has a bound ([`Limits`](super::Limits)), in numbers:
//! for who watches that no bound is passed.

use super::Mencius;
use super::lane::LaneState;
use crate::StateMachine;
use crate::held::Held;
use alloc::vec;
use alloc::vec::Vec;

impl<S: StateMachine> Mencius<S> {
    /// Everything that is kept within a bound. Takes time linear in the log.
    pub fn held(&self) -> Vec<Held> {
        let limits = &self.config.limits;
        let clients = self.history.clients();
        let kept = self.lanes.iter().map(LaneState::held);
        let (cells, runs) = kept.fold((0, 0), |all, lane| (all.0 + lane.0, all.1 + lane.1));
        let (batches, batch_bytes) = self.settled.held();
        let (requests, request_bytes) = self.own.requests();
        let span = usize::try_from(self.config.span()).unwrap_or(usize::MAX);
        let one = self.config.payload_limit;
        vec![
            Held::new(
                "bytes of committed entries",
                self.history.log().committed_weight(),
                self.history.retained_bytes(),
            ),
            Held::new("clients", clients.len(), clients.clients_max()),
            Held::new("instances that are not executed", cells, span + 1),
            Held::new(
                "runs of skipped instances",
                runs,
                self.n() * self.runs_max(),
            ),
            Held::new("batches kept for others", batches, limits.retained_batches),
            Held::new(
                "bytes of batches kept for others",
                batch_bytes,
                limits.retained_bytes,
            ),
            Held::new("requests taken", requests, limits.requests),
            Held::new(
                "bytes of requests taken",
                request_bytes,
                limits.request_bytes + one,
            ),
        ]
    }
}
