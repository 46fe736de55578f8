//! What one packet costs on one core, input and output excluded: parse, match, stamp, copy, deparse.

#[path = "../tests/pipeline_common/mod.rs"]
mod pipeline_common;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pipeline_common::{Envelope, GroupEntry, Stamp, frame, install_group, root};
use sequencer::pipeline::{Copies, EntrySpec, Match, PortNumber};

fn group_packets(criterion: &mut Criterion) {
    let mut benchmark = criterion.benchmark_group("pipeline");
    benchmark.throughput(Throughput::Elements(1));
    for members in [3, 5] {
        let mut switch = root();
        let entry = GroupEntry {
            register_index: 7,
            group: 1,
            term: 1,
            shift: 10,
            base: 1_000_000,
            members,
            copies: 1,
        };
        install_group(&mut switch, &entry);
        let packet = frame(&Envelope::to_group(1), &Stamp::unstamped(1, 2), &[0xAB; 14]);
        assert_eq!(packet.len(), 100);
        let mut out = Copies::new();
        let mut now_us = 1_000;
        benchmark.bench_function(format!("stamp_100_bytes_{members}_copies"), |bencher| {
            bencher.iter(|| {
                out.clear();
                now_us += 1;
                switch.process(now_us, PortNumber(9), black_box(&packet), &mut out);
                assert_eq!(out.len(), usize::from(members));
                black_box(&out);
            });
        });
    }
    benchmark.finish();
}

fn unicast(criterion: &mut Criterion) {
    let mut switch = root();
    let spec = EntrySpec {
        matches: vec![Match::Lpm {
            value: 0x0A00_0000,
            prefix_length: 24,
        }],
        priority: 0,
        action: "RootIngress.forward.to_port".to_owned(),
        parameters: vec![3, 0x0200_0000_0001],
    };
    switch
        .insert_entry("RootIngress.forward.forward", &spec)
        .expect("the table takes it");
    let envelope = Envelope {
        destination_ip: 0x0A00_0001,
        ..Envelope::to_group(1)
    };
    let packet = frame(&envelope, &Stamp::unstamped(1, 2), &[0xAB; 14]);
    let mut out = Copies::new();
    let mut benchmark = criterion.benchmark_group("pipeline");
    benchmark.throughput(Throughput::Elements(1));
    benchmark.bench_function("forward_100_bytes", |bencher| {
        bencher.iter(|| {
            out.clear();
            switch.process(1_000, PortNumber(9), black_box(&packet), &mut out);
            assert_eq!(out.len(), 1);
            black_box(&out);
        });
    });
    benchmark.finish();
}

criterion_group!(benches, group_packets, unicast);
criterion_main!(benches);
