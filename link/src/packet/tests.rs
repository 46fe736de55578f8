//! Packet sockets on the two ends of a veth pair in a network namespace of their own.

use std::fs::File;
use std::process::{Command, id};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::*;
use crate::{Clock, DropReason, testing};

/// EtherType for local experiments (IEEE 802), so that the kernel's own traffic is told apart.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
/// The second such EtherType.
const PROBE: [u8; 2] = [0x88, 0xb6];
/// Nobody waits longer than this for anything in these tests.
const PATIENCE_US: u64 = 60_000_000;

/// A namespace with the interfaces `left` and `right`, taken down when dropped.
struct Namespace(String);

impl Namespace {
    /// Makes one, or says why the test is skipped.
    fn new(purpose: &str) -> Option<Self> {
        let name = format!("downbeat-link-{purpose}-{}", id());
        if !ip(&["netns", "add", &name]) {
            testing::skip(
                "AF_PACKET over veth",
                "run as root, with iproute2 installed",
            );
            return None;
        }
        let namespace = Self(name);
        let made = namespace.ip(&[
            "link", "add", "left", "type", "veth", "peer", "name", "right",
        ]) && namespace.ip(&["link", "set", "left", "mtu", "9000", "up"])
            && namespace.ip(&["link", "set", "right", "mtu", "9000", "up"]);
        if !made {
            testing::skip(
                "AF_PACKET over veth",
                "use a kernel that has the veth driver",
            );
            return None;
        }
        Some(namespace)
    }

    fn ip(&self, arguments: &[&str]) -> bool {
        ip(&[&["-n", &self.0], arguments].concat())
    }

    /// Runs `test` on a thread of its own within the namespace.
    fn run(&self, test: impl FnOnce() + Send + 'static) {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        let thread = thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            test();
        });
        thread.join().unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip")
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn frame(number: usize, length: usize) -> Vec<u8> {
    let mut frame = vec![number.to_le_bytes()[0]; length];
    frame[..6].copy_from_slice(&[2, 9, 9, 9, 9, 9]);
    frame[12..14].copy_from_slice(&EXPERIMENT);
    frame
}

/// Receives until `count` frames of ours are there.
fn receive_all(link: &mut PacketLink, count: usize) -> Vec<Vec<u8>> {
    let give_up = Clock.now().plus_us(PATIENCE_US);
    let mut frames = Vec::new();
    while frames.len() < count {
        wait_for_frames(link);
        link.receive(64, &mut |frame| {
            if frame[12..14] == EXPERIMENT {
                frames.push(frame.to_vec());
            }
        })
        .unwrap();
        let missing = count.saturating_sub(frames.len());
        assert!(
            Clock.now() < give_up,
            "{missing} of {count} frames miss on {}",
            link.name()
        );
    }
    frames
}

/// Waits until something can be received, for 10 ms at most.
fn wait_for_frames(link: &PacketLink) {
    let mut fds = [PollFd::from_borrowed_fd(
        link.readiness().unwrap(),
        PollFlags::IN,
    )];
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    poll(&mut fds, Some(&timeout)).unwrap();
}

/// Opens both ends and waits until frames cross both ways: for up to a second after an interface
/// was set up, the kernel drops what is sent on it.
fn open_both() -> (PacketLink, PacketLink) {
    let mut left = PacketLink::open("left").unwrap();
    let mut right = PacketLink::open("right").unwrap();
    wait_until_crossing(&mut left, &mut right);
    wait_until_crossing(&mut right, &mut left);
    (left, right)
}

fn wait_until_crossing(from: &mut PacketLink, to: &mut PacketLink) {
    let give_up = Clock.now().plus_us(PATIENCE_US);
    let mut probe = frame(0, 60);
    probe[12..14].copy_from_slice(&PROBE);
    let mut crossed = false;
    while !crossed {
        assert!(
            Clock.now() < give_up,
            "nothing crosses from {} to {}",
            from.name(),
            to.name()
        );
        from.send(&probe);
        from.flush().unwrap();
        wait_for_frames(to);
        to.receive(64, &mut |frame| crossed |= frame == probe)
            .unwrap();
    }
}

#[test]
fn frames_cross_a_veth_pair_and_own_ones_are_not_seen() {
    let Some(namespace) = Namespace::new("cross") else {
        return;
    };
    namespace.run(|| {
        let (mut left, mut right) = open_both();
        assert!(left.mac().is_some());
        assert_eq!(left.name(), "left");
        let before = left.counters();
        let frames: Vec<_> = (0..100).map(|n| frame(n, 60 + n * 80)).collect();
        for frame in &frames {
            left.send(frame);
        }
        left.flush().unwrap();
        assert_eq!(receive_all(&mut right, frames.len()), frames);
        let after = left.counters();
        assert_eq!(after.sent.frames - before.sent.frames, 100);
        assert_eq!(after.drops, before.drops);
        // What another socket sends on the interface, the kernel shows to this one as well; had
        // it not been skipped, it would come first.
        let mut other = PacketLink::open("left").unwrap();
        other.send(&frames[5]);
        other.flush().unwrap();
        assert_eq!(receive_all(&mut right, 1), [frames[5].clone()]);
        right.send(&frames[7]);
        right.flush().unwrap();
        assert_eq!(receive_all(&mut left, 1), [frames[7].clone()]);
    });
}

/// A veth pair filters no addresses, so that frames to strangers arrive proves nothing; the
/// interface's own count of those who want everything does.
#[test]
fn an_open_interface_is_promiscuous() {
    let Some(namespace) = Namespace::new("promiscuous") else {
        return;
    };
    let name = namespace.0.clone();
    namespace.run(move || {
        let describe = || {
            let arguments = ["-n", &name, "-d", "link", "show", "left"];
            let output = Command::new("ip").args(arguments).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(describe().contains("promiscuity 0 "), "{}", describe());
        let link = PacketLink::open("left").unwrap();
        assert!(describe().contains("promiscuity 1 "), "{}", describe());
        drop(link);
        assert!(describe().contains("promiscuity 0 "), "{}", describe());
    });
}

#[test]
fn wrong_lengths_and_an_interface_that_goes_down_lose_frames_only() {
    let Some(namespace) = Namespace::new("down") else {
        return;
    };
    let name = namespace.0.clone();
    namespace.run(move || {
        let (mut left, mut right) = open_both();
        let before = left.counters();
        left.send(&[0; 13]);
        left.send(&[0; FRAME_LIMIT + 1]);
        // Longer than the interface takes, but not than a link does.
        left.send(&frame(1, 9_100));
        left.send(&frame(2, 60));
        left.flush().unwrap();
        assert_eq!(receive_all(&mut right, 1), [frame(2, 60)]);
        let new = |reason| left.counters().drops[reason] - before.drops[reason];
        assert_eq!(
            (new(DropReason::Oversize), new(DropReason::Undersize)),
            (2, 1)
        );
        assert!(ip(&["-n", &name, "link", "set", "left", "down"]));
        left.send(&frame(3, 60));
        left.flush().unwrap();
        assert_eq!(left.counters().drops[DropReason::Refused], 1);
        for _ in 0..3 {
            left.receive(10, &mut |_| {}).unwrap();
        }
    });
}

#[test]
fn an_unknown_interface_is_named() {
    let error = PacketLink::open("nosuch0").err().unwrap().to_string();
    assert_eq!(
        error,
        "there is no network interface named \"nosuch0\"; `ip link` lists them"
    );
}
