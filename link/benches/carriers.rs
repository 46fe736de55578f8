//! What a frame costs on each carrier: `cargo bench -p link`.
//!
//! Each round is one round trip of a batch within one thread, so the figures hold no wake-ups.
//! Compare carriers within one run; absolute times of test machines say little.

#![expect(clippy::unwrap_used, reason = "a failing call fails the benchmark")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use link::endpoint::frame::{Addresses, build, parse};
use link::endpoint::{FixedNeighbours, FrameSettings, Neighbours, SocketSettings};
use link::{Endpoint, FrameEndpoint, Link, MacAddress, Mtu, SocketEndpoint, TunnelLink, ring};
use wire::HostAddress;

const BATCH: u64 = 32;
const PAYLOAD: [u8; 100] = [7; 100];

fn address(number: u8) -> HostAddress {
    HostAddress {
        ip: [10, 0, 0, number],
        port: 9_770,
    }
}

fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

fn host<L: Link>(link: L, number: u8) -> FrameEndpoint<L> {
    let table = [1, 2].map(|n| (address(n).ip, mac(n))).to_vec();
    let neighbours = Neighbours::Fixed(FixedNeighbours {
        table,
        otherwise: None,
    });
    let settings = FrameSettings {
        address: address(number),
        mac: mac(number),
        mtu: Mtu::default(),
        neighbours,
    };
    FrameEndpoint::new(link, settings).unwrap()
}

fn one_way(from: &mut impl Endpoint, to: &mut impl Endpoint, count: u64) {
    let address = to.address();
    for _ in 0..count {
        from.send(address, black_box(&PAYLOAD));
    }
    from.flush().unwrap();
    let mut left = count;
    while left > 0 {
        let got = to
            .receive(64, &mut |_, payload| _ = black_box(payload.len()))
            .unwrap();
        left -= got as u64;
    }
}

fn endpoints(c: &mut Criterion) {
    let mut group = c.benchmark_group("datagram of 100 bytes");
    for count in [1, BATCH] {
        group.throughput(Throughput::Elements(2 * count));
        let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let (mut a, mut b) = (host(a, 1), host(b, 2));
        group.bench_function(BenchmarkId::new("ring, batch", count), |bencher| {
            bencher.iter(|| {
                one_way(&mut a, &mut b, count);
                one_way(&mut b, &mut a, count);
            });
        });
        let (a, b) = TunnelLink::loopback_pair().unwrap();
        let (mut a, mut b) = (host(a, 1), host(b, 2));
        group.bench_function(BenchmarkId::new("tunnel, batch", count), |bencher| {
            bencher.iter(|| {
                one_way(&mut a, &mut b, count);
                one_way(&mut b, &mut a, count);
            });
        });
        let loopback = HostAddress {
            ip: [127, 0, 0, 1],
            port: 0,
        };
        let bind = || SocketEndpoint::bind(loopback, &SocketSettings::default()).unwrap();
        let (mut a, mut b) = (bind(), bind());
        group.bench_function(BenchmarkId::new("socket, batch", count), |bencher| {
            bencher.iter(|| {
                one_way(&mut a, &mut b, count);
                one_way(&mut b, &mut a, count);
            });
        });
    }
    group.finish();
}

fn frames(c: &mut Criterion) {
    let addresses = Addresses {
        source_mac: mac(1),
        destination_mac: mac(2),
        source: address(1),
        destination: address(2),
    };
    let mut group = c.benchmark_group("frame");
    for length in [100, 1_400] {
        let payload = vec![7; length];
        let mut frame = Vec::with_capacity(2_000);
        group.bench_function(BenchmarkId::new("build", length), |bencher| {
            bencher.iter(|| build(&mut frame, black_box(&addresses), black_box(&payload)));
        });
        build(&mut frame, &addresses, &payload).unwrap();
        group.bench_function(BenchmarkId::new("parse", length), |bencher| {
            bencher.iter(|| parse(black_box(&frame)).map(|datagram| datagram.payload.len()));
        });
    }
    group.finish();
}

criterion_group!(benches, endpoints, frames);
criterion_main!(benches);
