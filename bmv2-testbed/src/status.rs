//! How a role tells what it is doing: one JSON object per connection on a Unix socket in the
//! deployment's folder. Sockets are files, so this works across network namespaces.

use link::StopFlag;
use replica::protocol::{Mode, RoundsStatus};
use replica::quorum::MAX_REPLICAS;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use wire::message::rounds::{Change, Membership};
use wire::{Members, ReplicaId};

/// How long a role has to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer.
const ANSWER_LIMIT: u64 = 1 << 20;
/// The longest command.
const COMMAND_LIMIT: u64 = 1 << 10;

/// A socket that cannot be opened or does not answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}: {source}")]
pub struct StatusError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Answers everyone who connects to `path` with what `report` returns, until `stop`.
pub fn serve(
    path: &Path,
    stop: &StopFlag,
    report: impl Fn() -> Value + Send + 'static,
) -> Result<thread::JoinHandle<()>, StatusError> {
    serve_streams(path, stop, move |stream| answer(stream, &report()))
}

fn serve_streams(
    path: &Path,
    stop: &StopFlag,
    serve: impl Fn(&UnixStream) -> io::Result<()> + Send + 'static,
) -> Result<thread::JoinHandle<()>, StatusError> {
    let error = |operation| {
        let path = path.to_path_buf();
        move |source| StatusError {
            operation,
            path,
            source,
        }
    };
    // The name is left over when the process was killed; nobody can be listening on it then.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).map_err(error("listen on"))?;
    listener.set_nonblocking(true).map_err(error("listen on"))?;
    let stop = stop.clone();
    let path = path.to_path_buf();
    let work = move || {
        while !stop.is_raised() {
            let mut waiting = [
                PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
            ];
            if poll(&mut waiting, None).is_ok()
                && let Ok((stream, _)) = listener.accept()
            {
                // Whoever asked may have gone.
                let _ = serve(&stream);
            }
        }
        let _ = fs::remove_file(path);
    };
    let builder = thread::Builder::new().name("status".into());
    builder.spawn(work).map_err(|source| StatusError {
        operation: "start a thread for",
        path: PathBuf::new(),
        source,
    })
}

/// The same, and carries out what is asked for: `command` gets the text of whoever sends one.
pub fn serve_commands(
    path: &Path,
    stop: &StopFlag,
    report: impl Fn() -> Value + Send + 'static,
    command: impl Fn(&str) -> Value + Send + 'static,
) -> Result<thread::JoinHandle<()>, StatusError> {
    serve_streams(path, stop, move |stream| {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = String::new();
        stream.take(COMMAND_LIMIT).read_to_string(&mut text)?;
        let said = if text.is_empty() {
            report()
        } else {
            command(&text)
        };
        answer(stream, &said)
    })
}

/// The text by which a replica is told to propose a change of the members.
pub fn change_text(change: Change) -> String {
    let Change(Membership { version, members }) = change;
    format!("members {version} {}", members.0)
}

/// The change that a text asks for.
pub fn parse_change(text: &str) -> Option<Change> {
    let mut words = text.split_whitespace();
    let membership = match (words.next()?, words.next()?, words.next()?, words.next()) {
        ("members", version, members, None) => Membership {
            version: version.parse().ok()?,
            members: Members(members.parse().ok()?),
        },
        _ => return None,
    };
    Some(Change(membership))
}

fn answer(mut stream: &UnixStream, report: &Value) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{report}\n").as_bytes())
}

/// Asks the role behind `path`; a role that does not answer is reported as such.
pub fn ask(path: &Path) -> Value {
    match read(path) {
        Ok(value) => value,
        Err(error) => json!({ "state": "unreachable", "reason": error.to_string() }),
    }
}

/// Has the role behind `path` carry something out; returns what it says.
pub fn command(path: &Path, text: &str) -> io::Result<Value> {
    exchange(path, text)
}

fn read(path: &Path) -> io::Result<Value> {
    exchange(path, "")
}

fn exchange(path: &Path, said: &str) -> io::Result<Value> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(said.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut text = String::new();
    stream.take(ANSWER_LIMIT).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// A replica's state as operators see it.
pub fn of_replica(report: &replica::driver::Report) -> Value {
    let status = report.status;
    let counters = status.counters;
    let mut said = json!({
        "state": status.mode.word(),
        "replica": status.replica.0,
        "view": status.view.0,
        "degraded": status.degraded,
        "slot": status.last_speculative.0,
        "committed": status.last_committed.0,
        "hash": hex(&status.hash.0),
        "digest": hex(&status.digest.0),
        "executed": counters.executed,
        "reads": counters.reads,
        "rolled_back": counters.rolled_back,
        "view_changes": counters.view_changes,
        "deferred": counters.deferred,
        "resent": counters.resent,
        "gaps": {
            "filled": counters.gaps_filled,
            "given_up": counters.gaps_given_up,
        },
        "degraded_views": counters.degraded_views,
        "snapshots": {
            "sent": counters.snapshots_sent,
            "installed": counters.snapshots_installed,
        },
        "dropped": {
            "unstamped": counters.unstamped,
            "stale": counters.stale,
            "deferred": counters.deferred_dropped,
            "throttled": counters.throttled,
            "copies": counters.copies,
            "rejected": counters.rejected,
            "bad_stamp": report.node.bad_stamp,
            "other_group": report.node.other_group,
            "bad_message": report.node.bad_message,
            "wrong_channel": report.node.wrong_channel,
            "bulk": report.node.bulk_dropped,
            "link": report.link.drops.total(),
        },
    });
    if let Some(rounds) = status.rounds {
        said["epoch"] = rounds.epoch.to_string().into();
        said["rounds"] = of_rounds(&rounds);
        // Who has never been a member waits like one that has restarted.
        if status.mode == Mode::Recovering && !rounds.members.contains(status.replica) {
            said["state"] = "outside".into();
        }
    }
    said
}

/// The set that a list of replicas' numbers in a report stands for, if it is one and has anybody.
pub fn members_in(numbers: &Value) -> Option<Members> {
    let mut members = Members::default();
    for number in numbers.as_array()? {
        let id = u8::try_from(number.as_u64()?).ok()?;
        if usize::from(id) >= MAX_REPLICAS {
            return None;
        }
        members = members.with(ReplicaId(id));
    }
    (!members.is_empty()).then_some(members)
}

/// Who was heard in the rounds of late.
fn of_rounds(rounds: &RoundsStatus) -> Value {
    let numbers = |set: Members| set.iter().map(|member| member.0).collect::<Vec<_>>();
    let silent_us = |member: ReplicaId| rounds.silent_us[usize::from(member.0)];
    json!({
        "closed": rounds.closed_round.0,
        "members": numbers(rounds.members),
        "decided": {
            "version": rounds.decided.version,
            "members": numbers(rounds.decided.members),
        },
        "heard": numbers(rounds.closed_members.common(rounds.members)),
        "silent_us": rounds.members.iter().map(silent_us).collect::<Vec<_>>(),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_members_is_a_set_of_possible_ones() {
        let members = members_in(&json!([4, 0, 3])).unwrap();
        assert_eq!(members.to_string(), "r0 r3 r4");
        for bad in [
            json!([]),
            json!([0, 15]),
            json!([300]),
            json!(["0"]),
            json!(3),
        ] {
            assert_eq!(members_in(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_role_answers_until_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r0.sock");
        let stop = StopFlag::new().unwrap();
        let server = serve(&path, &stop, || json!({ "state": "normal" })).unwrap();
        assert_eq!(ask(&path), json!({ "state": "normal" }));
        assert_eq!(ask(&path), json!({ "state": "normal" }));
        stop.stop();
        server.join().unwrap();
        assert_eq!(ask(&path)["state"], "unreachable");
        assert!(!path.exists());
    }
}
