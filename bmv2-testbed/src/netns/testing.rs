//! What the tests of this folder share: hosts, a lab or a `skip:` line, and a look at the frames.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with};
use tempfile::TempDir;

use super::inside::inside;
use super::{HostSpec, Lab};

/// Every wait of a test ends after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Hosts `h1`, `h2`, … with 10.0.0.1/24, … on ports 1, …
pub(super) fn hosts(count: u8) -> Vec<HostSpec> {
    (1..=count)
        .map(|number| HostSpec {
            name: format!("h{number}"),
            ip: [10, 0, 0, number],
            prefix_length: 24,
            mac: [2, 0, 0, 0, 0, number],
            switch_port: u16::from(number),
        })
        .collect()
}

/// A run name that no other test has.
pub(super) fn run_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!(
        "t{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Says that a test was skipped and how to get what it needs.
pub(super) fn skip(what: &str, get: &dyn std::fmt::Display) {
    writeln!(io::stderr(), "skip: {what}: {get}").expect("stderr can be written to");
}

/// Whether labs can be made here; says so if not.
pub(super) fn possible(what: &str) -> bool {
    Lab::preflight()
        .map_err(|missing| skip(what, &missing))
        .is_ok()
}

/// A run folder and a lab with this many hosts, or nothing and a `skip:` line. The lab stands last
/// in the pair and so is taken down before its folder goes.
pub(super) fn lab(what: &str, count: u8) -> Option<(TempDir, Lab)> {
    if !possible(what) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::up(&run_name(), &hosts(count), folder.path()).unwrap();
    Some((folder, lab))
}

/// All frames that pass any interface of one namespace, in order.
pub(super) struct Capture {
    socket: OwnedFd,
}

impl Capture {
    pub(super) fn in_namespace(namespace: &str) -> Self {
        // ETH_P_ALL, in network byte order as packet(7) wants it.
        let all = Protocol::from_raw(u32::from(3_u16.to_be()).try_into().unwrap());
        let opened = inside(namespace, || {
            socket_with(
                AddressFamily::PACKET,
                SocketType::RAW,
                SocketFlags::CLOEXEC,
                Some(all),
            )
        });
        Self {
            socket: opened.unwrap().unwrap(),
        }
    }

    /// The next frame that `wanted` accepts.
    pub(super) fn next(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap();
            let mut polled = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
            let ready = poll(&mut polled, Some(&left)).unwrap();
            assert!(ready > 0, "no such frame within {PATIENCE:?}");
            let mut frame = vec![0; 1 << 16];
            let (length, _) = recv(&self.socket, &mut frame, RecvFlags::empty()).unwrap();
            frame.truncate(length);
            if wanted(&frame) {
                return frame;
            }
        }
    }
}
