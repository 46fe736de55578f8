//! Everything that a replica keeps and that has a bound ([`Limits`](super::Limits)), in numbers:
//! for who watches that no bound is passed.

use super::{NoPaxos, no_ops};
use crate::StateMachine;
use crate::held::Held;
use crate::protocol::Mode;
use alloc::vec;
use alloc::vec::Vec;

impl<S: StateMachine> NoPaxos<S> {
    /// Everything that is kept within a bound. Takes time linear in the log.
    pub fn held(&self) -> Vec<Held> {
        let limits = &self.config.limits;
        let clients = self.history().clients();
        let (waiting, waiting_bytes) = self.arrivals.held();
        let (links, bytes) = self.ledger.held();
        // The last one was let in while there was room.
        let newest = self.ledger.links().next_back();
        let newest = newest.map_or(0, |request| request.operation.len());
        let runs = self.ledger.no_ops().len();
        let mut held = vec![
            Held::new(
                "bytes of committed entries",
                self.history().log().committed_weight(),
                self.history().retained_bytes(),
            ),
            Held::new("clients", clients.len(), clients.clients_max()),
            Held::new(
                "packets that wait for one before",
                waiting,
                limits.waiting_packets,
            ),
            Held::new(
                "bytes of packets that wait for one before",
                waiting_bytes,
                limits.waiting_bytes,
            ),
            // Between two runs that are not committed there is a request that is not.
            Held::new(
                "runs of no-ops",
                runs,
                no_ops::COMMITTED_MAX + limits.uncommitted_requests + 2,
            ),
        ];
        // A view begins with what one replica had, which kept to the bound.
        if self.mode == Mode::Normal {
            held.push(Held::new(
                "requests that wait for a synchronization",
                links,
                limits.uncommitted_requests,
            ));
            held.push(Held::new(
                "bytes before the newest request that waits for a synchronization",
                bytes - newest,
                limits.uncommitted_bytes,
            ));
        }
        held
    }
}
