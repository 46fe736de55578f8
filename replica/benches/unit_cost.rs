//! What one request costs a replica on one core, input and output excluded: hash, append,
//! execute, encode the reply; commit, truncation and reuse of memory in proportion.

use std::hint::black_box;

use apps::kv::{Kv, encode};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use replica::history::{Bounds, History, Origin, RequestRef, chain};
use replica::{Effects, RestoreError, Stamp, StateMachine};
use wire::message::{Message, Reply};
use wire::{
    AgreedTime, ClientId, EpochNumber, HostAddress, ReplicaId, RequestNumber, SequenceNumber,
    SlotNumber, SummaryHash, ViewNumber,
};

const CLIENTS: u64 = 64;
const COMMIT_EVERY: u64 = 64;
/// Few enough that entries are dropped at every commit.
const RETAINED_BYTES: usize = 256 << 10;

/// Adds up the first bytes of operations: as little as a state machine can do.
struct Sum(u64);

impl StateMachine for Sum {
    type Undo = u64;

    fn execute(&mut self, _at: Stamp, operation: &[u8], reply: &mut Vec<u8>) -> u64 {
        let before = self.0;
        self.0 = before.wrapping_add(operation.first().copied().unwrap_or(0).into());
        reply.extend_from_slice(&self.0.to_be_bytes());
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
            reason: "a sum is 8 bytes",
        })?;
        self.0 = u64::from_be_bytes(bytes);
        Ok(())
    }
}

fn request(count: u64, operation: &[u8]) -> RequestRef<'_> {
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

fn serve<S: StateMachine>(
    history: &mut History<S>,
    request: RequestRef<'_>,
    effects: &mut Effects,
) {
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

fn measure<S: StateMachine>(criterion: &mut Criterion, name: &str, machine: S, operation: &[u8]) {
    assert_eq!(operation.len(), 64);
    let bounds = Bounds {
        retained_bytes: RETAINED_BYTES,
        ..Bounds::default()
    };
    let mut history = History::new(machine, true, bounds);
    let mut effects = Effects::new();
    let mut count = 0;
    let mut benchmark = criterion.benchmark_group("unit_cost");
    benchmark.throughput(Throughput::Elements(1));
    benchmark.bench_function(name, |bencher| {
        bencher.iter(|| {
            serve(
                &mut history,
                request(count, black_box(operation)),
                &mut effects,
            );
            count += 1;
            black_box(&effects);
        });
    });
    benchmark.finish();
    assert!(
        history.log().base() > SlotNumber::ZERO,
        "nothing was truncated: too few requests to measure what memory costs"
    );
}

fn requests(criterion: &mut Criterion) {
    measure(criterion, "sum_64_bytes", Sum(0), &[7; 64]);
    let mut value = vec![b'v'; 64];
    while encode::set(b"some-key", &value).len() > 64 {
        value.pop();
    }
    let set = encode::set(b"some-key", &value);
    measure(criterion, "kv_set_64_bytes", Kv::default(), &set);
}

fn summary_hash(criterion: &mut Criterion) {
    let mut benchmark = criterion.benchmark_group("unit_cost");
    benchmark.throughput(Throughput::Elements(1));
    let mut hash = SummaryHash::EMPTY;
    benchmark.bench_function("hash_only_64_bytes", |bencher| {
        bencher.iter(|| {
            hash = chain(hash, AgreedTime(1), request(1, black_box(&[7; 64])));
        });
    });
    benchmark.finish();
}

criterion_group!(benches, requests, summary_hash);
criterion_main!(benches);
