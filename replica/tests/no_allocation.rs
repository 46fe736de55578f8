//! From request to encoded reply without an allocation, under an allocator that counts.

use allocation_counter::measure;
use replica::history::{Bounds, History, Origin, RequestRef};
use replica::{Effects, RestoreError, Stamp, StateMachine};
use wire::message::{Message, Reply};
use wire::{
    AgreedTime, ClientId, EpochNumber, HostAddress, ReplicaId, RequestNumber, SequenceNumber,
    SlotNumber, SummaryHash, ViewNumber,
};

const CLIENTS: u64 = 64;
const COMMIT_EVERY: u64 = 64;
const WARM_UP: u64 = 20_000;
const MEASURED: u64 = 10_000;

/// Counts the bytes of all operations and answers with the count and the operation.
struct Count(u64);

impl StateMachine for Count {
    type Undo = u64;

    fn execute(&mut self, _at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> u64 {
        let before = self.0;
        self.0 += operation.len() as u64;
        reply.extend_from_slice(&self.0.to_be_bytes());
        reply.extend_from_slice(operation);
        before
    }
    fn undo(&mut self, undo: u64) {
        self.0 = undo;
    }
    fn commit(&mut self, _slot: SlotNumber) {}
    fn digest(&self) -> SummaryHash {
        SummaryHash::EMPTY
    }
    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let bytes = snapshot.try_into().map_err(|_| RestoreError {
            at: 0,
            reason: "a count is 8 bytes",
        })?;
        self.0 = u64::from_be_bytes(bytes);
        Ok(())
    }
}

fn serve(history: &mut History<Count>, count: u64, effects: &mut Effects) {
    // Lengths vary, so that chunks are never full at the same place.
    let operation = [7; 100];
    let operation = &operation[..usize::try_from(count % 100).expect("below 100")];
    let request = RequestRef {
        origin: Origin {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(count),
            time: AgreedTime(count),
        },
        client: ClientId(count % CLIENTS),
        number: RequestNumber(1 + count / CLIENTS),
        reply_to: HostAddress::default(),
        operation,
    };
    effects.clear();
    let slot = history.append(ViewNumber::ZERO, request);
    let entry = history.log().get(slot).expect("it was just appended");
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
    effects.reply(request.reply_to, &Message::Reply(reply));
    if slot.0.is_multiple_of(COMMIT_EVERY) {
        history.commit(slot);
    }
}

/// `retained_bytes` of 0 drops each entry as soon as it is committed, so that every reply is
/// saved in the client table; with more, entries wait in the log and chunks take turns.
fn assert_no_allocation(retained_bytes: usize) {
    let bounds = Bounds {
        retained_bytes,
        ..Bounds::default()
    };
    let mut history = History::new(Count(0), true, bounds);
    let mut effects = Effects::new();
    for count in 0..WARM_UP {
        serve(&mut history, count, &mut effects);
    }
    let base = history.log().base();
    let info = measure(|| {
        for count in WARM_UP..WARM_UP + MEASURED {
            serve(&mut history, count, &mut effects);
        }
    });
    assert_eq!(
        info.count_total, 0,
        "retaining {retained_bytes} bytes: {info:?}"
    );
    let dropped = history.log().base().0 - base.0;
    assert!(
        dropped > MEASURED - 2 * COMMIT_EVERY,
        "{dropped} entries were dropped"
    );
    history.check_thoroughly();
}

#[test]
fn a_request_allocates_nothing_while_entries_wait_in_the_log() {
    assert_no_allocation(256 << 10);
}

#[test]
fn a_request_allocates_nothing_while_replies_move_to_the_client_table() {
    assert_no_allocation(0);
}
