//! Each setting of a host interface, shown by what goes wrong without it. They need root.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use super::super::command::run;
use super::super::inside::inside;
use super::super::steps::write_setting;
use super::super::testing::{Capture, PATIENCE, hosts, lab, possible, run_name};
use super::*;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 77, 0, 1);
const PORT: u16 = 9770;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Runs `ip` in a namespace.
fn ip(lab: &Lab, namespace: &str, words: &[&str]) -> String {
    let mut command = lab.command_in(namespace, &lab.tools.ip).unwrap();
    command.args(words);
    run(command).unwrap()
}

fn ethtool(lab: &Lab, namespace: &str, words: &[&str]) {
    let mut command = lab.command_in(namespace, &lab.tools.ethtool).unwrap();
    command.args(words);
    run(command).unwrap();
}

fn socket(namespace: &str, address: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = inside(namespace, || UdpSocket::bind((address, port)))
        .unwrap()
        .unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn is_udp(frame: &[u8]) -> bool {
    frame.len() >= 42 && frame[12..14] == IPV4 && frame[23] == 17
}

/// Adds a neighbour, so that no ARP is needed: nobody answers on the switch side here.
fn neighbour(lab: &Lab) {
    let words = [
        "neighbour",
        "add",
        "10.0.0.2",
        "lladdr",
        "02:00:00:00:00:02",
    ];
    ip(
        lab,
        lab.host_namespace(0),
        &[&words[..], &["dev", "h1-eth0"]].concat(),
    );
}

/// A receiver in host 1 that is a member of the group, and the same packet with a given source
/// address from the switch's side, as a switch would deliver it.
struct GroupReceiver {
    receiver: UdpSocket,
    switch_namespace: String,
}

impl GroupReceiver {
    fn new(lab: &Lab) -> Self {
        let receiver = socket(lab.host_namespace(0), GROUP, PORT);
        receiver
            .join_multicast_v4(&GROUP, &Ipv4Addr::from(lab.hosts()[0].ip))
            .unwrap();
        Self {
            receiver,
            switch_namespace: lab.switch_namespace().to_owned(),
        }
    }

    fn deliver(&self, lab: &Lab, source: Ipv4Addr, payload: &[u8]) {
        let address = format!("{source}/32");
        let namespace = self.switch_namespace.as_str();
        ip(
            lab,
            namespace,
            &["address", "replace", &address, "dev", "s1-eth1"],
        );
        let sender = socket(namespace, source, 0);
        sender.set_multicast_ttl_v4(64).unwrap();
        sender.set_multicast_loop_v4(false).unwrap();
        sender.send_to(payload, (GROUP, PORT)).unwrap();
    }

    fn next(&self) -> Vec<u8> {
        let mut payload = vec![0; 64];
        let length = self.receiver.recv(&mut payload).unwrap();
        payload.truncate(length);
        payload
    }
}

#[test]
fn names_and_commands_are_those_of_the_run() {
    let Some((folder, lab)) = lab("namespace names", 2) else {
        return;
    };
    let run_name = lab.run().to_owned();
    assert_eq!(lab.switch_namespace(), format!("db-{run_name}-s1"));
    assert_eq!(lab.host_namespace(1), format!("db-{run_name}-h2"));
    assert_eq!(lab.host_interface(1), "h2-eth0");
    assert_eq!(Lab::switch_interface(2), "s1-eth2");
    assert_eq!(lab.folder(), folder.path().canonicalize().unwrap());
    let links = ip(&lab, lab.switch_namespace(), &["-o", "link", "show", "up"]);
    assert!(
        links.contains("s1-eth1@") && links.contains("s1-eth2@"),
        "{links}"
    );
    let addresses = ip(&lab, lab.host_namespace(1), &["-o", "address", "show"]);
    assert!(
        addresses.contains("10.0.0.2/24") && addresses.contains("127.0.0.1/8"),
        "{addresses}"
    );
    let refused = lab
        .command_in("db-other-h1", Path::new("/bin/true"))
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("db-other-h1 is not a namespace of this lab"),
        "{refused}"
    );
}

#[test]
fn nothing_of_a_lab_is_in_the_namespace_of_the_machine() {
    let links = || -> Vec<String> {
        let names = std::fs::read_dir("/sys/class/net").unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let Some((_folder, _lab)) = lab("separation of namespaces", 1) else {
        return;
    };
    let seen = links();
    assert!(
        !seen
            .iter()
            .any(|name| name == "h1-eth0" || name == "s1-eth1"),
        "{seen:?}"
    );
}

#[test]
fn a_member_receives_its_own_copy_only_with_accept_local() {
    let Some((_folder, lab)) = lab("own multicast copies", 1) else {
        return;
    };
    let own = Ipv4Addr::from(lab.hosts()[0].ip);
    let other = Ipv4Addr::new(10, 0, 0, 99);
    let member = GroupReceiver::new(&lab);
    member.deliver(&lab, own, b"own");
    assert_eq!(member.next(), b"own");
    for scope in ["all", "h1-eth0"] {
        let key = format!("ipv4/conf/{scope}/accept_local");
        write_setting(lab.host_namespace(0), &key, "0").unwrap();
    }
    member.deliver(&lab, own, b"own again");
    // The link keeps order: once this one is here, the other was dropped.
    member.deliver(&lab, other, b"another's");
    assert_eq!(member.next(), b"another's");
}

#[test]
fn a_source_without_a_route_is_received_only_without_rp_filter() {
    let Some((_folder, lab)) = lab("sources without a route", 1) else {
        return;
    };
    let far = Ipv4Addr::new(192, 0, 2, 1);
    let near = Ipv4Addr::new(10, 0, 0, 99);
    let member = GroupReceiver::new(&lab);
    member.deliver(&lab, far, b"far");
    assert_eq!(member.next(), b"far");
    write_setting(lab.host_namespace(0), "ipv4/conf/all/rp_filter", "1").unwrap();
    member.deliver(&lab, far, b"far again");
    member.deliver(&lab, near, b"near");
    assert_eq!(member.next(), b"near");
}

#[test]
fn a_datagram_reaches_the_switch_with_a_good_checksum_only_with_offload_off() {
    let Some((_folder, lab)) = lab("UDP checksums", 2) else {
        return;
    };
    neighbour(&lab);
    let capture = Capture::in_namespace(lab.switch_namespace());
    let sender = socket(lab.host_namespace(0), Ipv4Addr::from(lab.hosts()[0].ip), 0);
    sender.send_to(b"checked", "10.0.0.2:9770").unwrap();
    // The frame is for host 2's address: the switch's interface sees it without promiscuous mode.
    let frame = capture.next(is_udp);
    assert_eq!(frame[..6], lab.hosts()[1].mac);
    assert_eq!(frame[6..12], lab.hosts()[0].mac);
    assert!(udp_checksum_is_good(&frame), "{frame:02x?}");
    ethtool(&lab, lab.host_namespace(0), &["-K", "h1-eth0", "tx", "on"]);
    sender.send_to(b"not checked", "10.0.0.2:9770").unwrap();
    let frame = capture.next(is_udp);
    assert!(
        !udp_checksum_is_good(&frame),
        "offload does no harm here: {frame:02x?}"
    );
}

#[test]
fn a_jumbo_datagram_passes_in_one_frame_only_with_the_large_mtu() {
    let Some((_folder, lab)) = lab("jumbo datagrams", 2) else {
        return;
    };
    neighbour(&lab);
    let capture = Capture::in_namespace(lab.switch_namespace());
    let sender = socket(lab.host_namespace(0), Ipv4Addr::from(lab.hosts()[0].ip), 0);
    let payload = vec![7; 8_900];
    sender.send_to(&payload, "10.0.0.2:9770").unwrap();
    assert_eq!(capture.next(is_udp).len(), 14 + 20 + 8 + 8_900);
    ip(
        &lab,
        lab.host_namespace(0),
        &["link", "set", "dev", "h1-eth0", "mtu", "1500"],
    );
    sender.send_to(&payload, "10.0.0.2:9770").unwrap();
    assert!(capture.next(is_udp).len() <= 1514, "it went in one piece");
}

#[test]
fn another_mtu_is_that_of_both_ends() {
    if !possible("a smaller MTU") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::up_with_mtu(&run_name(), &hosts(1), folder.path(), 1_600).unwrap();
    for (namespace, interface) in [
        (lab.host_namespace(0), "h1-eth0"),
        (lab.switch_namespace(), "s1-eth1"),
    ] {
        let shown = ip(&lab, namespace, &["-o", "link", "show", "dev", interface]);
        assert!(shown.contains(" mtu 1600 "), "{shown}");
    }
}

#[test]
fn a_silent_host_sends_no_ipv6() {
    let Some((_folder, lab)) = lab("IPv6 silence", 2) else {
        return;
    };
    let capture = Capture::in_namespace(lab.switch_namespace());
    let control = lab.host_namespace(1);
    for scope in ["all", "default", "h2-eth0"] {
        let key = format!("ipv6/conf/{scope}/disable_ipv6");
        if let Err(error) = write_setting(control, &key, "0") {
            panic!("{error}");
        }
    }
    for state in ["down", "up"] {
        ip(
            &lab,
            lab.host_namespace(0),
            &["link", "set", "dev", "h1-eth0", state],
        );
        ip(&lab, control, &["link", "set", "dev", "h2-eth0", state]);
    }
    // Host 2 has IPv6 for this test and is the clock: by the time it has reported its listeners
    // and probed its address, a host 1 with IPv6 would have begun to.
    let mut senders = Vec::new();
    for _ in 0..3 {
        let frame = capture.next(|frame| frame.len() >= 14 && frame[12..14] == IPV6);
        senders.push(frame[6..12].to_vec());
    }
    let quiet = lab.hosts()[0].mac;
    assert!(
        senders.iter().all(|sender| sender[..] != quiet),
        "{senders:02x?}"
    );
    let addresses = ip(&lab, lab.host_namespace(0), &["-6", "address", "show"]);
    assert_eq!(addresses, "");
}

#[test]
fn a_group_can_be_sent_to_without_naming_an_interface_only_by_the_route() {
    let Some((_folder, lab)) = lab("multicast route", 1) else {
        return;
    };
    let capture = Capture::in_namespace(lab.switch_namespace());
    let sender = socket(lab.host_namespace(0), Ipv4Addr::UNSPECIFIED, 0);
    sender.send_to(b"hello", (GROUP, PORT)).unwrap();
    let frame = capture.next(is_udp);
    assert_eq!(frame[..6], [0x01, 0x00, 0x5e, 77, 0, 1]);
    assert_eq!(frame[26..30], lab.hosts()[0].ip);
    ip(
        &lab,
        lab.host_namespace(0),
        &["route", "delete", "239.77.0.0/16"],
    );
    let error = sender.send_to(b"hello", (GROUP, PORT)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
}

#[test]
fn loopback_of_each_namespace_is_up_and_its_own() {
    let Some((_folder, lab)) = lab("loopback", 1) else {
        return;
    };
    for namespace in [lab.host_namespace(0), lab.switch_namespace()] {
        let receiver = socket(namespace, Ipv4Addr::LOCALHOST, PORT);
        let sender = socket(namespace, Ipv4Addr::LOCALHOST, 0);
        sender
            .send_to(namespace.as_bytes(), ("127.0.0.1", PORT))
            .unwrap();
        let mut bytes = [0; 64];
        let length = receiver.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], namespace.as_bytes());
    }
}

#[test]
fn the_switch_namespace_forwards_nothing_by_itself() {
    let Some((_folder, lab)) = lab("kernel forwarding", 1) else {
        return;
    };
    let namespace = lab.switch_namespace();
    let path = "/proc/sys/net/ipv4/ip_forward";
    let forward = inside(namespace, || std::fs::read_to_string(path))
        .unwrap()
        .unwrap();
    assert_eq!(forward, "0\n");
    assert_eq!(
        ip(
            &lab,
            namespace,
            &["-4", "-o", "address", "show", "dev", "s1-eth1"]
        ),
        ""
    );
}

#[test]
fn a_run_that_is_up_is_not_brought_up_again() {
    let Some((folder, lab)) = lab("occupied names", 1) else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let error = Lab::up(lab.run(), &hosts(1), elsewhere.path()).unwrap_err();
    assert!(matches!(&error, LabError::Occupied { name } if name == lab.switch_namespace()));
    assert!(
        !manifest_path(elsewhere.path()).exists(),
        "a lab that was not made has a manifest"
    );
    let error = Lab::up(&run_name(), &hosts(1), folder.path()).unwrap_err();
    assert!(matches!(error, LabError::NotDown { .. }), "{error}");
    lab.down().unwrap();
}

#[test]
fn a_step_that_fails_leaves_nothing() {
    if !possible("clearing up after a failed step") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run_name = run_name();
    let plan = Plan::new(&run_name, &hosts(2), JUMBO_MTU).unwrap();
    // A namespace of the name of the last host appears behind the bringer's back.
    let stranger = format!("db-{run_name}-h2");
    let ip = find_program("ip").unwrap();
    let netns = |word: &str| {
        let mut command = tokened(&ip, "");
        command.args(["netns", word, &stranger]);
        run(command).unwrap();
        let mut command = tokened(&ip, "");
        command.args([
            "-n",
            &stranger,
            "link",
            "set",
            "dev",
            "lo",
            "alias",
            "a stranger",
        ]);
        let _ = run(command);
    };
    let mut observe = |number: usize| {
        if number == 0 {
            netns("add");
        }
    };
    let error = Lab::up_observed(plan, folder.path(), &mut observe).unwrap_err();
    assert!(error.to_string().contains("File exists"), "{error}");
    assert!(
        namespace_path(&stranger).exists(),
        "it removed what it had not made"
    );
    netns("delete");
    for name in ["s1", "h1"] {
        assert!(
            !namespace_path(&format!("db-{run_name}-{name}")).exists(),
            "{name} is left"
        );
    }
}

#[test]
fn a_dropped_lab_is_taken_down() {
    let Some((_folder, lab)) = lab("dropping a lab", 1) else {
        return;
    };
    let name = lab.switch_namespace().to_owned();
    drop(lab);
    assert!(!namespace_path(&name).exists());
}

/// The Internet checksum over pseudo header and datagram is all ones when it is good.
fn udp_checksum_is_good(frame: &[u8]) -> bool {
    let datagram = &frame[34..];
    if datagram[6..8] == [0, 0] {
        return false;
    }
    let length = u16::from_be_bytes([datagram[4], datagram[5]]);
    let mut bytes = frame[26..34].to_vec();
    bytes.extend([0, 17]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(&datagram[..usize::from(length)]);
    let sum: u64 = bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) + (folded >> 16) == 0xffff
}
