//! A replica's steady state without a network: requests of some clients by turns, each appended,
//! executed and answered, with a commit every now and then. What it allocates and what it costs
//! is measured elsewhere.

use replica::history::{Bounds, History, Origin, RequestRef};
use replica::{Effects, RestoreError, Stamp, StateMachine};
use wire::message::{Message, Reply};
use wire::{
    AgreedTime, ClientId, EpochNumber, HostAddress, ReplicaId, RequestNumber, SequenceNumber,
    SlotNumber, SummaryHash, ViewNumber,
};

const CLIENTS: u64 = 64;
/// A commit comes after so many requests.
pub(crate) const COMMIT_EVERY: u64 = 64;

/// Adds up the first bytes of operations: as little as a state machine can do.
pub(crate) struct Sum {
    sum: u64,
    echoes: bool,
}

impl Sum {
    /// `echoes`: the operation follows the sum in each reply, so that results differ in length.
    pub(crate) fn new(echoes: bool) -> Self {
        Self { sum: 0, echoes }
    }
}

impl StateMachine for Sum {
    type Undo = u64;

    fn execute(&mut self, _at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> u64 {
        let before = self.sum;
        self.sum = before.wrapping_add(operation.first().copied().unwrap_or(0).into());
        reply.extend_from_slice(&self.sum.to_be_bytes());
        if self.echoes {
            reply.extend_from_slice(operation);
        }
        before
    }
    fn undo(&mut self, undo: u64) {
        self.sum = undo;
    }
    fn commit(&mut self, _slot: SlotNumber) {}
    fn digest(&self) -> SummaryHash {
        SummaryHash::EMPTY
    }
    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sum.to_be_bytes());
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let bytes = snapshot.try_into().map_err(|_| RestoreError {
            at: 0,
            reason: "a sum is 8 bytes",
        })?;
        self.sum = u64::from_be_bytes(bytes);
        Ok(())
    }
}

/// The request that comes after `count` others.
pub(crate) fn request(count: u64, operation: &[u8]) -> RequestRef<'_> {
    RequestRef {
        origin: Origin {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(count),
            time: AgreedTime(count),
        },
        client: ClientId(count % CLIENTS),
        number: RequestNumber(1 + count / CLIENTS),
        reply_to: HostAddress::default(),
        operation,
    }
}

/// What a replica does with each request, as far as it is its own work.
pub(crate) struct Server<S: StateMachine> {
    pub(crate) history: History<S>,
    pub(crate) effects: Effects,
    count: u64,
}

impl<S: StateMachine> Server<S> {
    pub(crate) fn new(machine: S, retained_bytes: usize) -> Self {
        let bounds = Bounds {
            retained_bytes,
            ..Bounds::default()
        };
        Self {
            history: History::new(machine, true, bounds),
            effects: Effects::new(),
            count: 0,
        }
    }

    /// Takes the next request, which asks for `operation`.
    pub(crate) fn serve(&mut self, operation: &[u8]) {
        let request = request(self.count, operation);
        self.count += 1;
        self.effects.clear();
        let slot = self.history.append(ViewNumber::ZERO, request);
        let entry = self.history.log().get(slot).expect("it was just appended");
        let reply = Reply {
            client: request.client,
            number: request.number,
            replica: ReplicaId::ZERO,
            view: ViewNumber::ZERO,
            slot,
            hash: entry.hash,
            committed: false,
            result: entry.result,
        };
        self.effects.reply(request.reply_to, &Message::Reply(reply));
        if slot.0.is_multiple_of(COMMIT_EVERY) {
            self.history.commit(slot);
        }
    }
}
