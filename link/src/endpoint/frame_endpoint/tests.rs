//! Two hosts on one wire: resolution, filtering, limits.

use super::*;
use crate::ring::{self, RingLink};

fn host(number: u8) -> HostAddress {
    HostAddress {
        ip: [10, 0, 0, number],
        port: 9_770,
    }
}

fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

fn settings(number: u8, neighbours: Neighbours) -> FrameSettings {
    FrameSettings {
        address: host(number),
        mac: mac(number),
        mtu: Mtu::default(),
        neighbours,
    }
}

fn table() -> Neighbours {
    let table = vec![(host(2).ip, mac(2)), (host(1).ip, mac(1))];
    Neighbours::Fixed(FixedNeighbours {
        table,
        otherwise: None,
    })
}

/// A host at one end and the bare wire at the other.
fn host_and_wire(neighbours: Neighbours) -> (FrameEndpoint<RingLink>, RingLink) {
    let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
    (FrameEndpoint::new(a, settings(1, neighbours)).unwrap(), b)
}

fn two_hosts(neighbours: &Neighbours) -> [FrameEndpoint<RingLink>; 2] {
    let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
    [
        FrameEndpoint::new(a, settings(1, neighbours.clone())).unwrap(),
        FrameEndpoint::new(b, settings(2, neighbours.clone())).unwrap(),
    ]
}

fn received(endpoint: &mut impl Endpoint) -> Vec<(HostAddress, Vec<u8>)> {
    let mut datagrams = Vec::new();
    endpoint
        .receive(64, &mut |from, bytes| {
            datagrams.push((from, bytes.to_vec()));
        })
        .unwrap();
    datagrams
}

fn frames(wire: &mut RingLink) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    wire.receive(64, &mut |frame| frames.push(frame.to_vec()))
        .unwrap();
    frames
}

#[test]
fn datagrams_cross_with_a_fixed_table() {
    let [mut a, mut b] = two_hosts(&table());
    a.send(host(2), b"one");
    a.send(host(2), b"");
    a.flush().unwrap();
    assert_eq!(
        received(&mut b),
        [(host(1), b"one".to_vec()), (host(1), Vec::new())]
    );
    b.send(host(1), b"two");
    b.flush().unwrap();
    assert_eq!(received(&mut a), [(host(2), b"two".to_vec())]);
    assert_eq!(a.counters().sent.bytes, 3);
    assert_eq!(b.counters().drops.total(), 0);
}

#[test]
fn an_address_outside_of_a_fixed_table_is_dropped_or_goes_to_the_gateway() {
    let [mut a, _] = two_hosts(&table());
    a.send(host(9), b"lost");
    assert_eq!(a.counters().drops[DropReason::Unresolved], 1);
    let gateway = FixedNeighbours {
        table: Vec::new(),
        otherwise: Some(mac(77)),
    };
    let (mut a, mut wire) = host_and_wire(Neighbours::Fixed(gateway));
    a.send(host(9), b"routed");
    assert_eq!(frame::destination_mac(&frames(&mut wire)[0]), Some(mac(77)));
}

#[test]
fn an_unknown_neighbour_is_asked_and_nothing_is_lost() {
    let [mut a, mut b] = two_hosts(&Neighbours::Arp);
    a.send(host(2), b"one");
    a.send(host(2), b"two");
    a.flush().unwrap();
    assert_eq!(a.counters().sent.frames, 0, "held until the answer");
    assert_eq!(received(&mut b), [], "b answers the question");
    assert_eq!(received(&mut a), [], "a takes the answer and sends");
    assert_eq!(
        received(&mut b),
        [(host(1), b"one".to_vec()), (host(1), b"two".to_vec())]
    );
    // The question told b who a is: b need not ask.
    b.send(host(1), b"back");
    b.flush().unwrap();
    assert_eq!(received(&mut a), [(host(2), b"back".to_vec())]);
    assert_eq!(a.link().counters().sent.frames, 3);
    assert_eq!(a.counters().sent.frames, 2);
}

#[test]
fn a_lost_question_is_repeated_at_the_time_it_asked_for() {
    let (mut a, mut wire) = host_and_wire(Neighbours::Arp);
    assert_eq!(a.advance(Tick(1_000)), None);
    a.send(host(2), b"one");
    a.flush().unwrap();
    assert_eq!(frames(&mut wire).len(), 1);
    let again = a.advance(Tick(2_000)).unwrap();
    assert_eq!(again, Tick(1_000).plus_us(10_000));
    assert_eq!(frames(&mut wire).len(), 0);
    assert_eq!(a.advance(again), Some(again.plus_us(20_000)));
    let request = Arp::parse(&frames(&mut wire)[0]).unwrap();
    assert_eq!(
        (request.operation, request.target_ip),
        (Operation::Request, host(2).ip)
    );
    let mut now = again;
    while let Some(deadline) = a.advance(now) {
        now = deadline;
    }
    assert_eq!(frames(&mut wire).len(), 4, "six questions in all");
    assert_eq!(a.counters().drops[DropReason::Unresolved], 1);
}

#[test]
fn only_so_many_datagrams_wait_for_an_answer() {
    let (mut a, _wire) = host_and_wire(Neighbours::Arp);
    for _ in 0..20 {
        a.send(host(2), b"waiting");
    }
    assert_eq!(a.counters().drops[DropReason::Unresolved], 4);
}

#[test]
fn group_addresses_need_no_question() {
    let (mut a, mut wire) = host_and_wire(Neighbours::Arp);
    let group = HostAddress {
        ip: [239, 77, 1, 2],
        port: 9_770,
    };
    a.send(group, b"request");
    a.flush().unwrap();
    let sent = frames(&mut wire);
    let datagram = frame::parse(&sent[0]).unwrap();
    assert_eq!(
        datagram.addresses.destination_mac.to_string(),
        "01:00:5e:4d:01:02"
    );
    assert_eq!(datagram.addresses.destination, group);
    assert_eq!(datagram.time_to_live, 64);
}

#[test]
fn a_members_own_stamped_copy_is_accepted() {
    let (mut a, mut wire) = host_and_wire(Neighbours::Arp);
    let addresses = Addresses {
        source_mac: mac(9),
        destination_mac: mac(1),
        source: host(1),
        destination: host(1),
    };
    let mut copy = Vec::new();
    frame::build(&mut copy, &addresses, b"mine").unwrap();
    copy[40..42].fill(0);
    wire.send(&copy);
    assert_eq!(received(&mut a), [(host(1), b"mine".to_vec())]);
}

#[test]
fn what_is_not_for_us_is_dropped_and_counted() {
    let (mut a, mut wire) = host_and_wire(Neighbours::Arp);
    let right = Addresses {
        source_mac: mac(2),
        destination_mac: mac(1),
        source: host(2),
        destination: host(1),
    };
    let other_port = HostAddress { port: 1, ..host(1) };
    let group = HostAddress {
        ip: [239, 77, 0, 1],
        port: 9_770,
    };
    let wrong = [
        Addresses {
            destination_mac: mac(3),
            ..right
        },
        Addresses {
            destination_mac: MacAddress::of_group(group.ip),
            ..right
        },
        Addresses {
            destination: host(3),
            ..right
        },
        Addresses {
            destination: group,
            ..right
        },
        Addresses {
            destination: other_port,
            ..right
        },
        Addresses {
            destination_mac: MacAddress::BROADCAST,
            ..right
        },
    ];
    let mut frame = Vec::new();
    for addresses in wrong {
        frame::build(&mut frame, &addresses, b"payload").unwrap();
        wire.send(&frame);
    }
    let last = frame.len() - 1;
    frame[last] ^= 1;
    wire.send(&frame);
    let mut ipv6 = vec![0; 60];
    ipv6[..6].copy_from_slice(&mac(1).0);
    ipv6[12..14].copy_from_slice(&[0x86, 0xdd]);
    wire.send(&ipv6);
    assert_eq!(received(&mut a).len(), 1, "the broadcast one");
    assert_eq!(
        a.counters().drops.to_string(),
        "wrong-mac 2, ipv6 1, wrong-address 2, bad-udp-checksum 1, wrong-port 1"
    );
}

#[test]
fn questions_for_others_are_not_answered_and_not_remembered() {
    let (mut a, mut wire) = host_and_wire(Neighbours::Arp);
    let question = Arp {
        operation: Operation::Request,
        sender_mac: mac(2),
        sender_ip: host(2).ip,
        target_mac: MacAddress::default(),
        target_ip: host(3).ip,
    };
    wire.send(&question.frame(MacAddress::BROADCAST));
    let group_sender = Arp {
        sender_mac: MacAddress::BROADCAST,
        target_ip: host(1).ip,
        ..question
    };
    wire.send(&group_sender.frame(MacAddress::BROADCAST));
    assert_eq!(received(&mut a), []);
    assert_eq!(frames(&mut wire).len(), 0);
    assert_eq!(a.counters().drops[DropReason::NotIpv4], 1);
    a.send(host(2), b"held");
    assert_eq!(a.counters().sent.frames, 0);
}

#[test]
fn a_fixed_table_still_answers_questions() {
    let (mut a, mut wire) = host_and_wire(table());
    let question = Arp {
        operation: Operation::Request,
        sender_mac: mac(2),
        sender_ip: host(2).ip,
        target_mac: MacAddress::default(),
        target_ip: host(1).ip,
    };
    for _ in 0..ANSWER_LIMIT + 5 {
        wire.send(&question.frame(MacAddress::BROADCAST));
    }
    assert_eq!(received(&mut a), []);
    let answers = frames(&mut wire);
    assert_eq!(answers.len(), ANSWER_LIMIT);
    let answer = Arp::parse(&answers[0]).unwrap();
    assert_eq!(
        (answer.operation, answer.sender_mac),
        (Operation::Reply, mac(1))
    );
    assert_eq!(frame::destination_mac(&answers[0]), Some(mac(2)));
}

#[test]
fn payloads_are_limited_by_the_mtu() {
    let [mut a, mut b] = two_hosts(&table());
    assert_eq!(a.payload_limit(), 1_472);
    a.send(host(2), &[1; 1_473]);
    a.send(host(2), &[1; 1_472]);
    a.flush().unwrap();
    assert_eq!(received(&mut b), [(host(1), vec![1; 1_472])]);
    assert_eq!(a.counters().drops[DropReason::Oversize], 1);
    assert_eq!(a.link().counters().sent.bytes, 1_514);
}

#[test]
fn jumbo_payloads_cross_a_ring() {
    let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
    let mtu = Mtu::new(9_000).unwrap();
    let mut a = FrameEndpoint::new(
        a,
        FrameSettings {
            mtu,
            ..settings(1, table())
        },
    )
    .unwrap();
    let mut b = FrameEndpoint::new(
        b,
        FrameSettings {
            mtu,
            ..settings(2, table())
        },
    )
    .unwrap();
    a.send(host(2), &[7; 8_972]);
    assert_eq!(received(&mut b), [(host(1), vec![7; 8_972])]);
}

#[test]
fn settings_are_checked() {
    let refused = |change: &dyn Fn(&mut FrameSettings)| {
        let (link, _) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let mut settings = settings(1, Neighbours::Arp);
        change(&mut settings);
        FrameEndpoint::new(link, settings)
            .err()
            .unwrap()
            .to_string()
    };
    let error = refused(&|settings| settings.address.port = 0);
    assert!(
        error.starts_with("the address of a host is 10.0.0.1:0, valid are "),
        "{error}"
    );
    let error = refused(&|settings| settings.address.ip = [239, 77, 0, 1]);
    assert!(
        error.starts_with("the address of a host is 239.77.0.1:9770, "),
        "{error}"
    );
    let error = refused(&|settings| settings.mac = MacAddress::BROADCAST);
    assert!(
        error.starts_with("the Ethernet address of a host is ff:ff:"),
        "{error}"
    );
}
