//! Synchronous rounds: the outside only, as a place for the core.
//!
//! What is here only shows that requests, packets to the group and replies find their way: the
//! order of the root's stamps is believed, nothing is voted on, a lost packet is lost for good.

use crate::client_table::Freshness;
use crate::history::{Bounds, History, Origin, RequestRef};
use crate::mutant::Mutant;
use crate::protocol::{Counters, Mode, Protocol, Status};
use crate::quorum::Quorum;
use crate::spec_paxos::Boot;
use crate::{Effects, StateMachine};
use wire::message::Reply;
use wire::{
    DEFAULT_PAYLOAD_LIMIT, Message, ReplicaId, STAMP_LEN, Sender, StampHeader, Tick, ViewNumber,
};

/// Settings of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This replica.
    pub me: ReplicaId,
    /// The group's quorums.
    pub quorum: Quorum,
    /// Bytes of the longest message that goes in one packet, without the stamp.
    pub payload_limit: usize,
    /// A deliberate break of the protocol.
    pub mutant: Option<Mutant>,
}

impl Config {
    /// Default settings.
    pub fn new(me: ReplicaId, quorum: Quorum) -> Self {
        Self {
            me,
            quorum,
            payload_limit: DEFAULT_PAYLOAD_LIMIT - STAMP_LEN,
            mutant: None,
        }
    }
}

/// One replica.
pub struct Rounds<S: StateMachine> {
    config: Config,
    history: History<S>,
}

impl<S: StateMachine> Rounds<S> {
    /// A replica on its first boot.
    pub fn format(config: Config, machine: S, _now: Tick) -> Self {
        let history = History::new(machine, true, Bounds::default());
        Self { config, history }
    }

    /// A replica that has run before.
    pub fn restart(config: Config, machine: S, now: Tick, _boot: Boot) -> Self {
        Self::format(config, machine, now)
    }

    /// The log.
    pub fn history(&self) -> &History<S> {
        &self.history
    }
}

impl<S: StateMachine> Protocol for Rounds<S> {
    fn on_message(
        &mut self,
        _now: Tick,
        stamp: Option<&StampHeader>,
        message: Message<'_>,
        out: &mut Effects,
    ) {
        let (Some(stamp), Message::Request(request)) = (stamp, message) else {
            return;
        };
        if !stamp.is_stamped() {
            return out.multicast(&message);
        }
        let slot = match self.history.freshness(request.client, request.number) {
            Freshness::Stale => return,
            Freshness::Repeated(slot) => slot,
            Freshness::New => {
                let request = RequestRef::new(Origin::of(stamp), &request);
                let slot = self.history.append(ViewNumber::ZERO, request);
                self.history.commit(slot);
                slot
            }
        };
        let Some(entry) = self.history.log().get(slot) else {
            return;
        };
        if stamp.sender == Sender::Member(self.config.me) {
            let reply = Reply {
                client: request.client,
                number: request.number,
                replica: self.config.me,
                view: ViewNumber::ZERO,
                slot,
                hash: entry.hash,
                committed: true,
                result: entry.result,
            };
            out.reply(request.reply_to, &Message::Reply(reply));
        }
    }

    fn on_deadline(&mut self, _now: Tick, _out: &mut Effects) {}

    fn deadline(&self) -> Option<Tick> {
        None
    }

    fn status(&self) -> Status {
        let log = self.history.log();
        Status {
            replica: self.config.me,
            mode: Mode::Normal,
            degraded: false,
            view: ViewNumber::ZERO,
            last_speculative: log.last(),
            last_committed: log.last_committed(),
            hash: log.last_hash(),
            digest: self.history.machine().digest(),
            counters: Counters::default(),
        }
    }

    fn check(&self) {
        self.history.check();
    }
}
