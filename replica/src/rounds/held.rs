//! Everything that a replica keeps and that has a bound ([`Limits`](super::Limits)), in numbers:
//! for who watches that no bound is passed.

use super::Rounds;
use super::intake::Intake;
use crate::StateMachine;
use crate::held::Held;
use crate::protocol::Mode;
use alloc::vec;
use alloc::vec::Vec;

impl<S: StateMachine> Rounds<S> {
    /// Everything that is kept within a bound. Takes time linear in the log.
    pub fn held(&self) -> Vec<Held> {
        let limits = &self.config.limits;
        let log = self.history.log();
        let retained = self.committed.0 - self.chain.base().0;
        let clients = self.history.clients();
        let mut held = vec![
            Held::new(
                "bytes of committed entries",
                log.committed_weight(),
                self.history.retained_bytes(),
            ),
            Held::new("clients", clients.len(), clients.clients_max()),
            Held::new(
                "packets behind a missing one",
                self.arrivals.len(),
                limits.held,
            ),
            Held::new(
                "requests taken and not executed",
                self.intake.len(),
                limits.requests,
            ),
            Held::new(
                "requests that wait for a packet",
                self.intake.waiting(),
                Intake::waiting_max(limits.requests),
            ),
            Held::new("reads that wait", self.reads.len(), limits.reads),
            Held {
                name: "decided positions kept for others",
                value: retained,
                bound: limits.retained,
            },
        ];
        // What an epoch begins with came from logs that were each within the bound.
        let head = self.chain.head();
        if self.mode == Mode::Normal && head > self.epoch_start {
            held.push(Held {
                name: "positions that wait for a decision",
                value: head.0 - self.committed.0,
                bound: limits.undecided,
            });
        }
        held
    }
}
