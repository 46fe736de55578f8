//! Everything that a replica keeps and that has a bound ([`Limits`](super::Limits)), in numbers:
//! for who watches that no bound is passed.

use super::Vr;
use crate::StateMachine;
use crate::held::Held;
use crate::protocol::Mode;
use alloc::vec;
use alloc::vec::Vec;

impl<S: StateMachine> Vr<S> {
    /// Everything that is kept within a bound. Takes time linear in the log.
    pub fn held(&self) -> Vec<Held> {
        let limits = &self.config.limits;
        let clients = self.history.clients();
        let (deferred, deferred_bytes) = self.deferred.held();
        let (ahead, ahead_bytes) = self.following.ahead.held();
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
            Held::new("requests ahead of the log", ahead, limits.ahead_requests),
            Held::new(
                "bytes of requests ahead of the log",
                ahead_bytes,
                limits.ahead_bytes,
            ),
        ];
        // A follower learns of commits one message later than its leader takes new requests.
        if self.mode == Mode::Normal {
            held.push(Held::new(
                "entries that wait for a commit",
                self.history.speculative_len(),
                2 * limits.uncommitted_entries,
            ));
        }
        held
    }
}
