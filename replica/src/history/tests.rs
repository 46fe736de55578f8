//! Forward and back: whatever is appended and rolled back leaves no trace.

use super::*;
use crate::state_machine::RestoreError;
use wire::{EpochNumber, HostAddress, SequenceNumber};

/// Appends the operation's bytes to a string; undo cuts them off.
#[derive(Clone, Debug, Default)]
struct Tape(Vec<u8>);

impl StateMachine for Tape {
    type Undo = usize;

    fn execute(&mut self, at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> usize {
        let before = self.0.len();
        self.0.extend_from_slice(operation);
        reply.extend_from_slice(&at.slot.0.to_be_bytes());
        before
    }
    fn undo(&mut self, undo: usize) {
        self.0.truncate(undo);
    }
    fn commit(&mut self, _slot: SlotNumber) {}
    fn digest(&self) -> SummaryHash {
        SummaryHash(*blake3::hash(&self.0).as_bytes())
    }
    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.0 = snapshot.to_vec();
        Ok(())
    }
}

fn request(client: u64, number: u64, time: u64) -> StoredRequest {
    StoredRequest {
        origin: Origin {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(number),
            time: AgreedTime(time),
        },
        client: ClientId(client),
        number: RequestNumber(number),
        reply_to: HostAddress::default(),
        operation: alloc::vec![u8::try_from(client * 16 + number).unwrap()].into(),
    }
}

fn history() -> History<Tape> {
    History::new(Tape::default(), true, DEFAULT_RETAINED_BYTES)
}

#[test]
fn a_rollback_leaves_log_clients_and_state_as_they_were() {
    let mut history = history();
    history.append(ViewNumber(0), request(1, 1, 10));
    history.commit(SlotNumber(1));
    let (hash, digest) = (history.log().last_hash(), history.machine().digest());
    history.append(ViewNumber(0), request(1, 2, 11));
    history.append(ViewNumber(0), request(2, 1, 12));
    assert_ne!(digest, history.machine().digest());
    let mut removed = Vec::new();
    history.rollback(SlotNumber(1), |request| removed.push(request.client.0));
    assert_eq!(removed, [2, 1], "newest first");
    assert_eq!(
        (history.log().last_hash(), history.machine().digest()),
        (hash, digest)
    );
    assert_eq!(
        history.freshness(ClientId(1), RequestNumber(2)),
        Freshness::New
    );
    assert_eq!(
        history.freshness(ClientId(2), RequestNumber(1)),
        Freshness::New
    );
    history.check();
}

#[test]
fn agreed_time_never_runs_back() {
    let mut history = history();
    history.append(ViewNumber(0), request(1, 1, 100));
    history.append(ViewNumber(0), request(2, 1, 40));
    let times: Vec<u64> = history
        .log()
        .above(SlotNumber(0))
        .map(|(_, e)| e.time.0)
        .collect();
    assert_eq!(times, [100, 100]);
    history.check();
}

#[test]
fn the_hash_covers_everything_that_decides_the_state() {
    let base = request(1, 1, 5);
    let hash = |time, request: &StoredRequest| chain(SummaryHash::EMPTY, AgreedTime(time), request);
    let reference = hash(5, &base);
    assert_ne!(reference, hash(6, &base), "time");
    let other = |change: fn(&mut StoredRequest)| {
        let mut request = base.clone();
        change(&mut request);
        hash(5, &request)
    };
    assert_ne!(reference, other(|r| r.client = ClientId(2)), "client");
    assert_ne!(reference, other(|r| r.number = RequestNumber(2)), "number");
    assert_ne!(
        reference,
        other(|r| r.operation = [1, 2].into()),
        "operation"
    );
    assert_eq!(
        reference,
        other(|r| r.reply_to.port = 9),
        "the reply address decides nothing"
    );
    assert_ne!(
        reference,
        chain(SummaryHash([1; 32]), AgreedTime(5), &base),
        "the prefix"
    );
}

#[test]
fn memory_is_bounded_and_only_committed_entries_go() {
    let mut history = History::new(Tape::default(), true, 1_000);
    for number in 1..=15 {
        history.append(ViewNumber(0), request(1, number, number));
    }
    assert_eq!(
        history.log().base(),
        SlotNumber(0),
        "speculative entries stay"
    );
    history.commit(SlotNumber(10));
    let base = history.log().base();
    assert!(base > SlotNumber(0) && base <= SlotNumber(10));
    assert!(history.log().hash_at(base).is_some() && history.log().get(base).is_none());
    history.check();
}

#[test]
#[should_panic(expected = "cannot roll back")]
fn what_is_committed_stays() {
    let mut history = history();
    history.append(ViewNumber(0), request(1, 1, 10));
    history.commit(SlotNumber(1));
    history.rollback(SlotNumber(0), |_| {});
}
