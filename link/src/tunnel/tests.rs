//! Tunnels over loopback: batches, lengths, strangers.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::batch::BATCH;

/// Receives until `count` frames are there; a minute without any is a failure.
fn receive_all(link: &mut TunnelLink, count: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while frames.len() < count {
        wait(link);
        link.receive(64, &mut |frame| frames.push(frame.to_vec()))
            .unwrap();
    }
    frames
}

fn wait(link: &mut TunnelLink) {
    assert!(!link.prepare_to_wait());
    let mut fds = [PollFd::from_borrowed_fd(
        link.readiness().unwrap(),
        PollFlags::IN,
    )];
    let ready = poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 60,
            tv_nsec: 0,
        }),
    )
    .unwrap();
    assert_eq!(ready, 1, "nothing arrives on {}", link.local_address());
}

fn send_in_batches(a: &mut TunnelLink, b: &mut TunnelLink) {
    // More than one system call takes, of all lengths, with a partial batch at the end.
    let frames: Vec<Vec<u8>> = (0..3 * BATCH + 5)
        .map(|n| vec![n.to_le_bytes()[0]; 14 + n * 90])
        .collect();
    for frame in &frames {
        a.send(frame);
    }
    a.flush().unwrap();
    assert_eq!(receive_all(b, frames.len()), frames);
    assert_eq!(a.counters().sent, b.counters().received);
    assert_eq!(a.counters().drops.total(), 0);
}

#[test]
fn batches_cross_both_ways_over_ipv4() {
    let (mut a, mut b) = TunnelLink::loopback_pair().unwrap();
    send_in_batches(&mut a, &mut b);
    send_in_batches(&mut b, &mut a);
}

#[test]
fn batches_cross_over_ipv6() {
    let any_port: SocketAddr = "[::1]:0".parse().unwrap();
    let Ok(first) = BoundTunnel::bind(any_port) else {
        crate::testing::skip("tunnels over IPv6", "enable IPv6 on the loopback interface");
        return;
    };
    let second = BoundTunnel::bind(any_port).unwrap();
    let (a, b) = (first.local_address(), second.local_address());
    let mut a_end = first.to_peer(b).unwrap();
    let mut b_end = second.to_peer(a).unwrap();
    send_in_batches(&mut a_end, &mut b_end);
}

#[test]
fn a_limit_leaves_the_rest_for_later() {
    let (mut a, mut b) = TunnelLink::loopback_pair().unwrap();
    for _ in 0..40 {
        a.send(&[1; 60]);
    }
    a.flush().unwrap();
    wait(&mut b);
    let mut count = 0;
    assert_eq!(b.receive(3, &mut |_| count += 1).unwrap(), 3);
    assert_eq!(count, 3);
    assert_eq!(receive_all(&mut b, 37).len(), 37);
}

#[test]
fn strangers_and_wrong_lengths_are_dropped_and_counted() {
    let (mut a, mut b) = TunnelLink::loopback_pair().unwrap();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut stranger = TunnelLink::open(any_port, b.local_address()).unwrap();
    stranger.send(&[9; 60]);
    stranger.flush().unwrap();
    let plain = UdpSocket::bind(any_port).unwrap();
    plain.send_to(&[9; 60], b.local_address()).unwrap();
    a.socket.send_to(&[1; 13], b.local_address()).unwrap();
    a.socket.send_to(&[1; 9_217], b.local_address()).unwrap();
    a.send(&[2; FRAME_LIMIT]);
    a.flush().unwrap();
    assert_eq!(receive_all(&mut b, 1), [vec![2; FRAME_LIMIT]]);
    let drops = b.counters().drops;
    assert_eq!(
        drops.to_string(),
        "oversize 1, undersize 1, foreign-source 2"
    );
    assert_eq!(b.counters().received.frames, 1);
}

#[test]
fn a_peer_that_is_not_there_is_a_wire_without_an_end() {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let gone = BoundTunnel::bind(any_port).unwrap().local_address();
    let mut link = TunnelLink::open(any_port, gone).unwrap();
    for _ in 0..10 {
        link.send(&[1; 60]);
        link.flush().unwrap();
        assert_eq!(
            link.receive(10, &mut |_| panic!("a frame from nobody"))
                .unwrap(),
            0
        );
    }
}

#[test]
fn errors_name_the_address() {
    let taken = BoundTunnel::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = taken.local_address();
    let error = BoundTunnel::bind(address).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot bind a UDP socket to {address}: ")),
        "{error}"
    );
    let error = taken
        .to_peer("[::1]:5".parse().unwrap())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with("the remote address of a tunnel is [::1]:5, valid are "),
        "{error}"
    );
}
