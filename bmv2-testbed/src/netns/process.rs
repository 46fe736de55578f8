//! Processes that a lab started: known again for certain, and ended.
//!
//! A pid alone is not enough: after a crash of the bringer it may belong to somebody else. Pid and
//! start time (field 22 of `/proc/<pid>/stat`, proc_pid_stat(5)) name one process of one boot.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The environment variable by which a process of a lab is known; its value is the lab's token.
/// Children inherit it.
pub const TOKEN_VARIABLE: &str = "DOWNBEAT_NETNS_TOKEN";

/// How long a process may take to go after SIGKILL. Only a kernel in trouble needs longer.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// One process of this boot and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
}

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It had ended before.
    GoneAlready,
    /// It ended after SIGTERM.
    Terminated,
    /// It did not heed SIGTERM and was killed.
    Killed,
}

/// A process that a lab started and recorded. Dropping it does not end it; the lab does.
#[derive(Debug)]
pub struct Process {
    child: Child,
    identity: ProcessIdentity,
}

impl ProcessIdentity {
    /// The process that has this pid now; `None` if there is none, or it is a zombie.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, start_time) = parse_stat(&stat)?;
        (!matches!(state, 'Z' | 'X' | 'x')).then_some(Self { pid, start_time })
    }

    /// Whether this very process is still running.
    pub fn is_running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Ends it: SIGTERM, then SIGKILL when `patience` is over.
    pub fn end(self, patience: Duration) -> io::Result<Ending> {
        end_all(&[self], patience)
            .pop()
            .expect("one ending for one process")
    }
}

impl Process {
    /// Takes over a child that was just spawned.
    pub(super) fn new(child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        // A child that has ended is a zombie until it is waited for, so its pid cannot have gone
        // to another process and its start time can still be read.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, start_time) =
            parse_stat(&stat).ok_or_else(|| io::Error::other("malformed /proc/<pid>/stat"))?;
        Ok(Self {
            child,
            identity: ProcessIdentity { pid, start_time },
        })
    }

    /// Pid and start time.
    pub fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    /// Its exit status if it has ended.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// SIGTERM, then SIGKILL when `patience` is over; returns when it has ended.
    pub fn stop(mut self, patience: Duration) -> io::Result<Ending> {
        let ending = self.identity.end(patience)?;
        self.child.wait()?;
        Ok(ending)
    }

    /// SIGKILL at once, as a crash would; returns when it has ended.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

/// Ends all of them at the same time; one result for each, in order.
pub(crate) fn end_all(
    processes: &[ProcessIdentity],
    patience: Duration,
) -> Vec<io::Result<Ending>> {
    let asked: Vec<io::Result<Option<OwnedFd>>> = processes
        .iter()
        .map(|process| ask_to_end(*process))
        .collect();
    let deadline = Instant::now() + patience;
    asked
        .into_iter()
        .map(|asked| match asked? {
            None => Ok(Ending::GoneAlready),
            Some(process) if ended_by(&process, deadline)? => Ok(Ending::Terminated),
            Some(process) => kill(&process),
        })
        .collect()
}

/// SIGTERM to the process if it is the very one; a handle to wait on, or `None` if it is gone.
fn ask_to_end(process: ProcessIdentity) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return Ok(None);
    };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // The identity is checked after the handle was opened. The other way round it could go:
    // 1. the start time is read and fits, 2. the process ends and is reaped, 3. a stranger gets
    // its pid, 4. the handle is opened on the stranger, who then receives the signal.
    if !process.is_running() {
        return Ok(None);
    }
    match pidfd_send_signal(&handle, Signal::TERM) {
        Ok(()) => Ok(Some(handle)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn kill(process: &OwnedFd) -> io::Result<Ending> {
    match pidfd_send_signal(process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error.into()),
    }
    if ended_by(process, Instant::now() + KILL_PATIENCE)? {
        return Ok(Ending::Killed);
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        "still there 10 s after SIGKILL",
    ))
}

/// Waits until the process has ended, at most until the deadline; a zombie has ended.
fn ended_by(process: &OwnedFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut polled = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// State (field 3) and start time (field 22) of `/proc/<pid>/stat`.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = after_name(stat)?.split(' ');
    let state = fields.next()?.chars().next()?;
    // The state was field 3, so 18 fields lie between it and field 22.
    let start_time = fields.nth(18)?.parse().ok()?;
    Some((state, start_time))
}

/// What follows the program name, which stands in parentheses and may itself hold any of them.
pub(super) fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Process::new(child).unwrap()
    }

    /// Waits for the line that the script writes when it is under way.
    fn await_line(process: &mut Process) {
        let mut line = String::new();
        BufReader::new(process.child().stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
    }

    #[test]
    fn a_program_name_full_of_parentheses_is_no_trouble() {
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("77 (a) Z ) (b)) S {}", fields.join(" "));
        assert_eq!(parse_stat(&stat), Some(('S', 22)));
        assert_eq!(parse_stat("77 (a) S 1 2"), None);
    }

    #[test]
    fn an_obedient_process_is_terminated_and_a_stubborn_one_killed() {
        let mut obedient = shell("echo ready; read x");
        await_line(&mut obedient);
        assert_eq!(
            obedient.stop(Duration::from_secs(20)).unwrap(),
            Ending::Terminated
        );
        let mut stubborn = shell("trap '' TERM; echo ready; read x");
        await_line(&mut stubborn);
        assert_eq!(
            stubborn.stop(Duration::from_millis(50)).unwrap(),
            Ending::Killed
        );
    }

    #[test]
    fn another_process_with_the_same_pid_is_left_alone() {
        let mut process = shell("echo ready; read x");
        await_line(&mut process);
        let identity = process.identity();
        let other = ProcessIdentity {
            start_time: identity.start_time + 1,
            ..identity
        };
        assert!(!other.is_running());
        assert_eq!(
            other.end(Duration::from_secs(20)).unwrap(),
            Ending::GoneAlready
        );
        assert!(identity.is_running());
        process.kill().unwrap();
        assert!(!identity.is_running());
        assert_eq!(
            identity.end(Duration::from_secs(20)).unwrap(),
            Ending::GoneAlready
        );
    }

    #[test]
    fn a_zombie_counts_as_ended() {
        let mut process = shell("echo ready; read x");
        await_line(&mut process);
        let identity = process.identity();
        assert_eq!(
            identity.end(Duration::from_secs(20)).unwrap(),
            Ending::Terminated
        );
        // Nobody has waited for it yet.
        assert!(!identity.is_running());
        process.kill().unwrap();
    }

    proptest! {
        #[test]
        fn no_stat_makes_it_panic(stat in ".{0,200}") {
            let _ = parse_stat(&stat);
        }
    }
}
