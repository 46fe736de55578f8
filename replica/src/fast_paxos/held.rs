//! Everything that a replica keeps and that has a bound ([`Limits`](super::Limits)), in numbers:
//! for who watches that no bound is passed.

use super::FastPaxos;
use crate::StateMachine;
use crate::held::Held;
use crate::protocol::Mode;
use alloc::vec;
use alloc::vec::Vec;

impl<S: StateMachine> FastPaxos<S> {
    /// Everything that is kept within a bound. Takes time linear in the log.
    pub fn held(&self) -> Vec<Held> {
        let limits = &self.config.limits;
        let clients = self.history.clients();
        let (deferred, deferred_bytes) = self.deferred.held();
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
            Held::new(
                "votes of one replica for slots ahead",
                self.leading.tally.early(),
                limits.early_votes,
            ),
        ];
        // A replica learns of commits later than its coordinator takes new requests, and what
        // lost its slot comes on top.
        if self.mode == Mode::Normal {
            held.push(Held::new(
                "entries that wait for a commit",
                self.history.speculative_len(),
                3 * limits.uncommitted_entries,
            ));
        }
        held
    }
}
