//! From payload to payload without an allocation: the steady state of every path a packet takes
//! in this crate, under an allocator that counts.

#![expect(clippy::unwrap_used, reason = "a failing call fails the test")]

use allocation_counter::measure;
use link::endpoint::{FixedNeighbours, FrameSettings, Neighbours, SocketSettings};
use link::faults::{FaultControl, FaultPlan, Faults};
use link::{Endpoint, FrameEndpoint, Link, MacAddress, Mtu, SocketEndpoint, TunnelLink, ring};
use wire::{HostAddress, Tick};

const ROUNDS: u64 = 1_000;

fn address(number: u8) -> HostAddress {
    HostAddress {
        ip: [10, 0, 0, number],
        port: 9_770,
    }
}

fn host<L: Link>(link: L, number: u8, neighbours: Neighbours) -> FrameEndpoint<L> {
    let mac = MacAddress([2, 0, 0, 0, 0, number]);
    let settings = FrameSettings {
        address: address(number),
        mac,
        mtu: Mtu::default(),
        neighbours,
    };
    FrameEndpoint::new(link, settings).expect("the settings are valid")
}

fn receive(endpoint: &mut impl Endpoint, now: Tick, wanted: u64) {
    // Datagrams over loopback are there when the send returns; the bound is for the faults' time.
    let mut got = 0;
    for step in 0..1_000 {
        endpoint.advance(now.plus_us(step));
        got += endpoint
            .receive(64, &mut |_, payload| assert_eq!(payload.len(), 200))
            .unwrap();
        if got as u64 >= wanted {
            return;
        }
        endpoint.prepare_to_wait();
    }
    panic!("{got} of {wanted} datagrams arrived");
}

fn ping_pong(a: &mut impl Endpoint, b: &mut impl Endpoint, now: Tick) {
    let (to_a, to_b) = (a.address(), b.address());
    a.advance(now);
    for _ in 0..3 {
        a.send(to_b, &[7; 200]);
    }
    a.flush().unwrap();
    receive(b, now, 3);
    b.advance(now);
    b.send(to_a, &[7; 200]);
    b.flush().unwrap();
    receive(a, now, 1);
}

fn assert_no_allocation(name: &str, a: &mut impl Endpoint, b: &mut impl Endpoint) {
    let at = |round: u64| Tick(round * 10_000_000);
    for round in 0..ROUNDS {
        ping_pong(a, b, at(round));
    }
    let info = measure(|| {
        for round in ROUNDS..2 * ROUNDS {
            ping_pong(a, b, at(round));
        }
    });
    assert_eq!(info.count_total, 0, "{name}: {info:?}");
}

fn fixed() -> Neighbours {
    let table = [1, 2].map(|n| (address(n).ip, MacAddress([2, 0, 0, 0, 0, n])));
    Neighbours::Fixed(FixedNeighbours {
        table: table.to_vec(),
        otherwise: None,
    })
}

#[test]
fn frames_over_a_ring() {
    for neighbours in [fixed(), Neighbours::Arp] {
        let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let (mut a, mut b) = (host(a, 1, neighbours.clone()), host(b, 2, neighbours));
        if a.advance(Tick::default()).is_none() {
            // Questions and answers cross before the rounds.
            a.send(address(2), &[7; 200]);
            a.flush().unwrap();
            b.receive(64, &mut |_, _| {}).unwrap();
            a.receive(64, &mut |_, _| {}).unwrap();
            b.receive(64, &mut |_, _| {}).unwrap();
        }
        assert_no_allocation("ring", &mut a, &mut b);
    }
}

#[test]
fn frames_over_a_tunnel() {
    let (a, b) = TunnelLink::loopback_pair().unwrap();
    assert_no_allocation("tunnel", &mut host(a, 1, fixed()), &mut host(b, 2, fixed()));
}

#[test]
fn datagrams_over_kernel_sockets() {
    let loopback = HostAddress {
        ip: [127, 0, 0, 1],
        port: 0,
    };
    let bind = || SocketEndpoint::bind(loopback, &SocketSettings::default()).unwrap();
    assert_no_allocation("sockets", &mut bind(), &mut bind());
}

#[test]
fn frames_through_faults() {
    let plan = FaultPlan {
        reordering: "10%".parse().unwrap(),
        delay_us: 20,
        jitter_us: 10,
        ..FaultPlan::default()
    };
    let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
    // Both directions at one end; the other end's receive only has to wait for its clock.
    let b = Faults::new(b, 7, FaultControl::new(plan));
    let (mut a, mut b) = (host(a, 1, fixed()), host(b, 2, fixed()));
    for round in 0..4 * ROUNDS {
        one_way(&mut a, &mut b, round);
    }
    let info = measure(|| {
        for round in 4 * ROUNDS..8 * ROUNDS {
            one_way(&mut a, &mut b, round);
        }
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}

fn one_way(a: &mut impl Endpoint, b: &mut impl Endpoint, round: u64) {
    let now = Tick(round * 10_000_000);
    for _ in 0..3 {
        a.send(address(2), &[7; 200]);
    }
    a.flush().unwrap();
    b.advance(now);
    let mut got = b.receive(64, &mut |_, _| {}).unwrap();
    b.advance(now.plus_us(2_000));
    got += b.receive(64, &mut |_, _| {}).unwrap();
    b.advance(now.plus_us(4_000));
    got += b.receive(64, &mut |_, _| {}).unwrap();
    assert_eq!(got, 3);
}
