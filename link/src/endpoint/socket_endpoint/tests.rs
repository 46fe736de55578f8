//! Kernel sockets on loopback.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

fn loopback() -> SocketEndpoint {
    let address = HostAddress {
        ip: [127, 0, 0, 1],
        port: 0,
    };
    SocketEndpoint::bind(address, &SocketSettings::default()).unwrap()
}

fn receive_all(endpoint: &mut SocketEndpoint, count: usize) -> Vec<(HostAddress, Vec<u8>)> {
    let mut all = Vec::new();
    while all.len() < count {
        assert!(!endpoint.prepare_to_wait());
        let mut fds = [PollFd::from_borrowed_fd(
            endpoint.readiness().unwrap(),
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
        assert_eq!(ready, 1, "{} of {count} datagrams arrived", all.len());
        endpoint
            .receive(50, &mut |from, bytes| all.push((from, bytes.to_vec())))
            .unwrap();
    }
    all
}

#[test]
fn datagrams_cross_to_several_hosts_in_one_batch() {
    let (mut a, mut b, mut c) = (loopback(), loopback(), loopback());
    for number in 0..50_u8 {
        a.send(b.address(), &[number; 100]);
        a.send(c.address(), &[number; 10]);
    }
    a.flush().unwrap();
    let from = a.address();
    let expected: Vec<_> = (0..50).map(|number| (from, vec![number; 100])).collect();
    assert_eq!(receive_all(&mut b, 50), expected);
    assert_eq!(receive_all(&mut c, 50).len(), 50);
    assert_eq!(a.counters().sent.frames, 100);
    assert_eq!(a.counters().sent.bytes, 5_500);
}

#[test]
fn oversize_and_unroutable_payloads_are_dropped_and_counted() {
    let (mut a, mut b) = (loopback(), loopback());
    a.send(b.address(), &[1; 1_473]);
    // Port 0 is no destination; the kernel says so and the rest of the batch still goes.
    a.send(
        HostAddress {
            ip: [127, 0, 0, 1],
            port: 0,
        },
        b"nowhere",
    );
    a.send(b.address(), &[1; 1_472]);
    a.flush().unwrap();
    assert_eq!(receive_all(&mut b, 1), [(a.address(), vec![1; 1_472])]);
    assert_eq!(a.counters().drops.to_string(), "oversize 1, refused 1");
}

#[test]
fn multicast_options_are_as_the_fabric_needs_them() {
    let endpoint = loopback();
    let options = SockRef::from(&endpoint.socket);
    assert_eq!(options.multicast_ttl_v4().unwrap(), 64);
    assert!(!options.multicast_loop_v4().unwrap());
    assert_eq!(options.multicast_if_v4().unwrap(), Ipv4Addr::LOCALHOST);
}

#[test]
fn an_unknown_interface_is_named() {
    let settings = SocketSettings {
        interface: Some("nosuch0".to_owned()),
        ..Default::default()
    };
    let address = HostAddress {
        ip: [127, 0, 0, 1],
        port: 0,
    };
    let error = SocketEndpoint::bind(address, &settings)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with("cannot use interface nosuch0: "),
        "{error}"
    );
}
