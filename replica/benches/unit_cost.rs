//! What one request costs a replica on one core, input and output excluded: hash, append,
//! execute, encode the reply; commit, truncation and reuse of memory in proportion.

use std::hint::black_box;

#[path = "../tests/steady/mod.rs"]
mod steady;

use apps::kv::{Kv, encode};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use replica::StateMachine;
use replica::history::chain;
use steady::{Server, Sum, request};
use wire::{AgreedTime, SlotNumber, SummaryHash};

/// Few enough that entries are dropped at every commit.
const RETAINED_BYTES: usize = 256 << 10;

fn measure<S: StateMachine>(criterion: &mut Criterion, name: &str, machine: S, operation: &[u8]) {
    assert_eq!(operation.len(), 64);
    let mut server = Server::new(machine, RETAINED_BYTES);
    let mut benchmark = criterion.benchmark_group("unit_cost");
    benchmark.throughput(Throughput::Elements(1));
    benchmark.bench_function(name, |bencher| {
        bencher.iter(|| {
            server.serve(black_box(operation));
            black_box(&server.effects);
        });
    });
    benchmark.finish();
    assert!(
        server.history.log().base() > SlotNumber::ZERO,
        "nothing was truncated: too few requests to measure what memory costs"
    );
}

fn requests(criterion: &mut Criterion) {
    measure(criterion, "sum_64_bytes", Sum::new(false), &[7; 64]);
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
