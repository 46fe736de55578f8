//! The binary in a folder of its own, and deployments that end with their test.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

pub mod load;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for a test, in memory where the machine has such. Replicas and the controller wait for
/// the disk before they go on, and a disk to which others write may take seconds for what usually
/// takes milliseconds: a test would measure that. Processes are killed here, not machines, and
/// what a process has written outlives it in memory as well.
pub fn folder() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

/// The binary, ready to run in `folder` with nothing from the environment's settings.
pub fn downbeat(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_downbeat"));
    command.current_dir(folder);
    for (name, _) in std::env::vars() {
        if name.starts_with("DOWNBEAT_") && name != "DOWNBEAT_BMV2" {
            command.env_remove(name);
        }
    }
    command
}

/// What tests in namespaces need.
pub const NAMESPACES: &str = "run as root with iproute2 and ethtool installed";

/// Whether tests in namespaces can run.
pub fn may_use_namespaces() -> bool {
    rustix::process::geteuid().is_root() && has("ip") && has("ethtool")
}

/// What tests on bmv2 need.
pub const BMV2: &str = "run as root with iproute2, ethtool and bmv2's simple_switch_grpc in the \
                        path, see https://github.com/p4lang/behavioral-model";

/// Whether tests on bmv2 can run.
pub fn may_use_bmv2() -> bool {
    may_use_namespaces() && has("simple_switch_grpc")
}

/// The same in a network namespace.
pub fn downbeat_in(namespace: &str, folder: &Path) -> Command {
    let plain = downbeat(folder);
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", namespace])
        .arg(plain.get_program())
        .current_dir(folder);
    for (name, value) in plain.get_envs() {
        match value {
            None => command.env_remove(name),
            Some(value) => command.env(name, value),
        };
    }
    command
}

/// Runs the binary to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    downbeat(folder)
        .args(arguments)
        .output()
        .expect("the binary runs")
}

/// Standard output, with everything shown when the exit code is another than expected.
pub fn output(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}\n{text}\n{errors}"
    );
    text
}

/// The last line of standard output as JSON.
pub fn json(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let text = output(folder, arguments, code);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

/// Says on the real standard error that a part of the suite did not run.
pub fn skip(what: &str, how: &str) {
    let _ = writeln!(std::io::stderr(), "skip: {what}: {how}");
}

/// Whether a program is in the path.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Ends a process as a power failure would, and waits until it holds nothing any more: on a busy
/// machine its ports are still taken for a while, and who is started in its place could not have
/// them.
pub fn kill_9(pid: u64) {
    let killed = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + PATIENCE;
    while !has_ended(pid) {
        assert!(Instant::now() < deadline, "process {pid} does not end");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Whether all threads of a process have ended; somebody may still have to ask how.
fn has_ended(pid: u64) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    threads == 0 || (threads == 1 && status.contains("State:\tZ"))
}

/// A detached deployment; taken down when dropped.
pub struct Deployment {
    /// The folder it was brought up in.
    pub folder: tempfile::TempDir,
    /// Port of its front door: the first one's, if there are several.
    pub resp: u16,
    /// Ports of all its front doors.
    pub doors: Vec<u16>,
}

impl Deployment {
    /// `downbeat up --detach` with these flags.
    pub fn up(flags: &[&str]) -> Self {
        let folder = folder();
        let mut arguments = vec!["up", "--detach", "--resp-port=0", "--json"];
        arguments.extend(flags);
        let up = json(folder.path(), &arguments, 0);
        let port = |address: &Value| {
            let address = address.as_str().expect("an address");
            let port = address.rsplit(':').next().expect("a port");
            port.parse().expect("a port")
        };
        let doors = up["doors"].as_array().expect("addresses");
        Self {
            folder,
            resp: port(&up["resp"]),
            doors: doors.iter().map(port).collect(),
        }
    }

    /// The network namespace of a replica, if it has one.
    pub fn namespace(&self, replica: usize) -> Option<String> {
        let status = self.status();
        let name = status["deployment"].as_str().expect("a name");
        let spaces = ["netns", "bmv2"].map(Value::from);
        let has_one = spaces.contains(&status["fabric"]);
        has_one.then(|| format!("db-{name}-h{}", replica + 1))
    }

    /// `downbeat members` with these words, which must end well with these members in force.
    pub fn members(&self, words: &[&str], expected: &[u64]) {
        let all = [&["members", "--json"], words].concat();
        let said = json(self.folder.path(), &all, 0);
        let members = said["members"].as_array().expect("members");
        let numbers: Vec<u64> = members.iter().filter_map(Value::as_u64).collect();
        assert_eq!(numbers, expected, "{words:?}: {said}");
    }

    /// Ends the process of a role as a power failure would.
    pub fn kill(&self, role: &str) {
        let pid = self.status()["roles"][role]["pid"].as_u64();
        kill_9(pid.expect("a process"));
    }

    /// `downbeat status --json`.
    pub fn status(&self) -> Value {
        json(self.folder.path(), &["status", "--json"], 0)
    }

    /// The fields of every replica that says it is normal.
    pub fn normal_replicas(&self) -> Vec<Value> {
        let status = self.status();
        let roles = status["roles"].as_object().expect("roles").clone();
        roles
            .into_iter()
            .filter(|(name, said)| name.starts_with('r') && said["state"] == "normal")
            .map(|(_, said)| said)
            .collect()
    }

    /// Waits until `expected` replicas are normal with everything committed, and returns their
    /// digests.
    pub fn settled_digests(&self, expected: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let replicas = self.normal_replicas();
            let settled = replicas.iter().all(|r| r["slot"] == r["committed"])
                && replicas
                    .windows(2)
                    .all(|pair| pair[0]["hash"] == pair[1]["hash"]);
            if settled && replicas.len() == expected {
                let digest = |r: &Value| r["digest"].as_str().expect("a digest").to_owned();
                return replicas.iter().map(digest).collect();
            }
            assert!(
                Instant::now() < deadline,
                "replicas did not settle: {:#}",
                self.status()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Runs a program of redis-tools against the front door.
    pub fn redis(&self, program: &str, arguments: &[&str]) -> Output {
        let port = self.resp.to_string();
        Command::new(program)
            .args(["-p", &port])
            .args(arguments)
            .output()
            .expect("it runs")
    }

    /// The folder of the deployment itself.
    pub fn run_folder(&self) -> PathBuf {
        self.folder.path().join("runs/up")
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let down = run(self.folder.path(), &["down"]);
        if !std::thread::panicking() {
            assert!(
                down.status.success(),
                "{}",
                String::from_utf8_lossy(&down.stderr)
            );
        }
    }
}

/// A tiny RESP client: enough to tell an answer from an error.
pub struct Resp(TcpStream);

impl Resp {
    /// Connects to a front door.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends a command as an inline one and returns the first line of the answer.
    pub fn ask(&mut self, command: &str) -> String {
        self.0
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        self.line()
    }

    /// One line, without its end.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "closed after {line:?}");
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).unwrap()
    }
}
