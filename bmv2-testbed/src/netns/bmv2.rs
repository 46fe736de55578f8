//! `simple_switch_grpc`, the public reference switch, in the switch namespace of a lab.
//!
//! It starts without a program (`--no-p4`); the controller pushes one through P4Runtime. Options
//! follow `simple_switch_grpc --help` of bmv2 1.15. What is known of it and matters here:
//! - its log level is `trace` unless told otherwise, which costs most of its speed;
//! - Thrift listens on all addresses, which the namespace keeps harmless;
//! - an egress queue holds 64 packets, and only Thrift can change that: of a burst of 1,000 group
//!   packets a member lost 60 to 253 at that depth (three runs) and none at 8,192;
//! - device id and notification address must differ between two of them on one machine.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::command::{find_program, is_executable, run};
use super::error::LabError;
use super::inside::inside;
use super::lab::Lab;
use super::process::{Ending, Process, ProcessIdentity};
use super::thrift::{ThriftError, read_reply, set_depths_call};

/// Environment variable that names the binary.
const PROGRAM_VARIABLE: &str = "DOWNBEAT_BMV2";
const PROGRAM: &str = "simple_switch_grpc";

/// How long bmv2 may take until P4Runtime accepts connections. It took
/// 0.2 s on two cores.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long its Thrift server may take after that; a build without Thrift never has one.
const THRIFT_PATIENCE: Duration = Duration::from_secs(5);
/// How long one attempt to connect or one reply may take.
const ATTEMPT: Duration = Duration::from_secs(1);
/// How often an attempt is made.
const POLL: Duration = Duration::from_millis(10);
/// How long it may take to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// The depth that it starts with, in packets.
const DEFAULT_DEPTH: u32 = 64;
/// How much of its log goes into an error, in bytes.
const LOG_TAIL: usize = 600;

/// The binary that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bmv2Program {
    /// Where it is.
    pub path: PathBuf,
    /// What it says its version is, such as `1.15.0`.
    pub version: String,
}

/// How to start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bmv2Options {
    /// P4Runtime device id, not 0.
    pub device_id: u64,
    /// TCP port of P4Runtime on the switch namespace's loopback.
    pub grpc_port: u16,
    /// TCP port of Thrift, on all addresses of the switch namespace.
    pub thrift_port: u16,
    /// Its ports with their interfaces in the switch namespace; the lab's hosts if empty.
    pub interfaces: Vec<(u16, String)>,
    /// Packets that an egress queue holds.
    pub egress_queue_depth: u32,
    /// Strict-priority queues on every port, 1 to 8.
    pub priority_queues: u8,
    /// Write a pcap file for each interface and direction into the run folder.
    pub pcap: bool,
    /// `trace`, `debug`, `info`, `warn`, `error` or `off`.
    pub log_level: &'static str,
}

impl Default for Bmv2Options {
    fn default() -> Self {
        Self {
            device_id: 1,
            grpc_port: 9559,
            thrift_port: 9090,
            interfaces: Vec::new(),
            egress_queue_depth: 8192,
            priority_queues: 1,
            pcap: false,
            log_level: "info",
        }
    }
}

/// How deep the egress queues are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueDepth {
    /// As deep as asked for, in packets.
    Raised(u32),
    /// 64 packets, as at the start.
    Unchanged {
        /// Why it could not be raised.
        reason: String,
    },
}

impl std::fmt::Display for QueueDepth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Raised(depth) => write!(f, "egress queues hold {depth} packets"),
            Self::Unchanged { reason } => write!(
                f,
                "egress queues stay at {DEFAULT_DEPTH} packets and will drop at a few thousand \
                 packets/s: {reason}"
            ),
        }
    }
}

/// Why bmv2 could not be found, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Bmv2Error {
    /// No binary.
    #[error(
        "simple_switch_grpc was not found in {searched}: distributions do not package it; \
         install it as https://github.com/p4lang/behavioral-model describes (packages of \
         p4lang-bmv2, or built with PI), then put it into PATH or set DOWNBEAT_BMV2 \
         to its path"
    )]
    NotFound {
        /// Where it was looked for.
        searched: String,
    },
    /// An option is out of range.
    #[error("bmv2 option {option} `{value}` cannot be used: {valid}")]
    Option {
        /// Which one.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is valid.
        valid: &'static str,
    },
    /// Something listens on one of its ports already.
    #[error(
        "port {port} in {namespace} is taken: stop what listens there, or give bmv2 another one"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The switch namespace.
        namespace: String,
    },
    /// It ended before it was ready.
    #[error("bmv2 ended at start ({status}); its last words: {log}")]
    EndedAtStart {
        /// Exit status.
        status: String,
        /// The end of its output and log.
        log: String,
    },
    /// P4Runtime did not accept a connection in time.
    #[error(
        "bmv2 did not accept connections on {address} within {waited_s} s; its last words: {log}"
    )]
    NotReady {
        /// Where it should listen, inside the switch namespace.
        address: SocketAddr,
        /// How long was waited, in seconds.
        waited_s: u64,
        /// The end of its output and log.
        log: String,
    },
    /// The lab, or a command run for it.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// A running bmv2. Dropping it does not stop it; taking the lab down does.
#[derive(Debug)]
pub struct Bmv2 {
    process: Process,
    namespace: String,
    address: SocketAddr,
    device_id: u64,
    queue_depth: QueueDepth,
}

impl Bmv2Program {
    /// Looks where `DOWNBEAT_BMV2` points, or else in `PATH`, and asks it for its version.
    pub fn find() -> Result<Self, Bmv2Error> {
        let set = std::env::var_os(PROGRAM_VARIABLE).filter(|value| !value.is_empty());
        let searched = set.as_ref().map_or_else(
            || "PATH".to_owned(),
            |value| format!("{PROGRAM_VARIABLE}={}", value.to_string_lossy()),
        );
        let found = match set {
            Some(value) => Some(PathBuf::from(value)).filter(|path| is_executable(path)),
            None => find_program(PROGRAM),
        };
        Self::at(&found.ok_or(Bmv2Error::NotFound { searched })?)
    }

    /// Takes the binary at this path.
    pub fn at(path: &Path) -> Result<Self, Bmv2Error> {
        let path = path.canonicalize().map_err(LabError::io("find", path))?;
        let mut command = Command::new(&path);
        command.arg("--version").stdin(Stdio::null());
        let version = run(command)?.trim().to_owned();
        Ok(Self { path, version })
    }
}

impl Bmv2Options {
    fn check(&self) -> Result<(), Bmv2Error> {
        let refuse = |option, value: &dyn ToString, valid| {
            Err(Bmv2Error::Option {
                option,
                value: value.to_string(),
                valid,
            })
        };
        if self.device_id == 0 {
            return refuse("device id", &0, "P4Runtime has no device 0");
        }
        if self.grpc_port == 0 || self.grpc_port == self.thrift_port || self.thrift_port == 0 {
            let ports = format!("{}, {}", self.grpc_port, self.thrift_port);
            return refuse("ports", &ports, "two different ports, not 0, are valid");
        }
        if !(1..=8).contains(&self.priority_queues) {
            return refuse("priority queues", &self.priority_queues, "1 to 8 are valid");
        }
        if self.egress_queue_depth == 0 || i32::try_from(self.egress_queue_depth).is_err() {
            let valid = "1 to 2147483647 packets are valid";
            return refuse("egress queue depth", &self.egress_queue_depth, valid);
        }
        if !["trace", "debug", "info", "warn", "error", "off"].contains(&self.log_level) {
            let valid = "trace, debug, info, warn, error and off are valid";
            return refuse("log level", &self.log_level, valid);
        }
        Ok(())
    }

    /// The words of the command line; options of the target come after `--`.
    fn words(&self, lab: &Lab, files: &Files) -> Vec<String> {
        let mut words = vec!["--no-p4".to_owned()];
        let of_hosts = || {
            let ports = lab.hosts().iter().map(|host| host.switch_port);
            ports.map(|port| (port, Lab::switch_interface(port)))
        };
        let interfaces = if self.interfaces.is_empty() {
            of_hosts().collect()
        } else {
            self.interfaces.clone()
        };
        for (port, interface) in interfaces {
            words.extend(["-i".to_owned(), format!("{port}@{interface}")]);
        }
        let mut pair = |option: &str, value: String| words.extend([option.to_owned(), value]);
        pair("--device-id", self.device_id.to_string());
        pair("--thrift-port", self.thrift_port.to_string());
        pair(
            "--notifications-addr",
            format!("ipc://{}", files.notifications.display()),
        );
        pair("--log-file", files.log.display().to_string());
        pair("--log-level", self.log_level.to_owned());
        words.push("--log-flush".to_owned());
        if self.pcap {
            words.push(format!("--pcap={}", lab.folder().display()));
        }
        words.push("--".to_owned());
        words.extend(["--grpc-server-addr".to_owned(), self.address().to_string()]);
        words.extend([
            "--priority-queues".to_owned(),
            self.priority_queues.to_string(),
        ]);
        words
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.grpc_port))
    }
}

/// What a bmv2 leaves in the run folder.
#[derive(Debug)]
struct Files {
    /// Its log; it adds `.txt` to the name by itself.
    log: PathBuf,
    /// What it writes to stdout and stderr.
    output: PathBuf,
    /// Its notification socket.
    notifications: PathBuf,
}

impl Files {
    fn of(folder: &Path, device_id: u64) -> Self {
        let file = |end: &str| folder.join(format!("bmv2-{device_id}{end}"));
        Self {
            log: file(""),
            output: file(".out"),
            notifications: file(".ipc"),
        }
    }

    /// The end of what it said: output first, then log.
    fn last_words(&self) -> String {
        let mut text = String::new();
        for path in [&self.output, &self.log.with_extension("txt")] {
            let all = std::fs::read(path).unwrap_or_default();
            let tail = &all[all.len().saturating_sub(LOG_TAIL)..];
            text += String::from_utf8_lossy(tail).trim();
            text.push('\n');
        }
        text.trim().replace('\n', " | ")
    }
}

impl Bmv2 {
    /// Starts it on all ports of the lab's switch; returns when P4Runtime accepts connections and
    /// the egress queues are as deep as they can be made.
    pub fn start(
        lab: &Lab,
        program: &Bmv2Program,
        options: &Bmv2Options,
    ) -> Result<Self, Bmv2Error> {
        options.check()?;
        refuse_taken_ports(lab.switch_namespace(), options)?;
        let files = Files::of(lab.folder(), options.device_id);
        let output = File::create(&files.output).map_err(LabError::io("create", &files.output))?;
        let errors = output
            .try_clone()
            .map_err(LabError::io("share", &files.output))?;
        let namespace = lab.switch_namespace();
        let mut command = lab.command_in(namespace, &program.path)?;
        command
            .args(options.words(lab, &files))
            .current_dir(lab.folder());
        let process = lab.spawn(command.stdout(output).stderr(errors), PROGRAM)?;
        let mut bmv2 = Self {
            process,
            namespace: namespace.to_owned(),
            address: options.address(),
            device_id: options.device_id,
            queue_depth: QueueDepth::Unchanged {
                reason: "not tried yet".to_owned(),
            },
        };
        if let Err(error) = bmv2.await_p4runtime(&files) {
            bmv2.process
                .kill()
                .map_err(LabError::io("end", &program.path))?;
            return Err(error);
        }
        bmv2.queue_depth = bmv2.raise_queue_depth(options);
        Ok(bmv2)
    }

    /// Where P4Runtime listens, inside [`Bmv2::namespace`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The switch namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// P4Runtime device id.
    pub fn device_id(&self) -> u64 {
        self.device_id
    }

    /// How deep its egress queues are; to be told to people when they could not be raised.
    pub fn queue_depth(&self) -> &QueueDepth {
        &self.queue_depth
    }

    /// Pid and start time.
    pub fn identity(&self) -> ProcessIdentity {
        self.process.identity()
    }

    /// Its exit status if it has ended by itself.
    pub fn try_wait(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.process.try_wait()
    }

    /// Stops it: SIGTERM, and SIGKILL if it has not ended within 5 s.
    pub fn stop(self) -> io::Result<Ending> {
        self.process.stop(STOP_PATIENCE)
    }

    /// Kills it at once, as a power failure would.
    pub fn kill(self) -> io::Result<std::process::ExitStatus> {
        self.process.kill()
    }

    fn await_p4runtime(&mut self, files: &Files) -> Result<(), Bmv2Error> {
        let program = Path::new(PROGRAM);
        let deadline = Instant::now() + START_PATIENCE;
        while connect(&self.namespace, self.address).is_err() {
            if let Some(status) = self.try_wait().map_err(LabError::io("wait for", program))? {
                let (status, log) = (status.to_string(), files.last_words());
                return Err(Bmv2Error::EndedAtStart { status, log });
            }
            if Instant::now() >= deadline {
                let (address, waited_s) = (self.address, START_PATIENCE.as_secs());
                return Err(Bmv2Error::NotReady {
                    address,
                    waited_s,
                    log: files.last_words(),
                });
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// bmv2 opens Thrift after P4Runtime, and its service for queues after that, so an attempt may
    /// be refused or broken off at first.
    fn raise_queue_depth(&self, options: &Bmv2Options) -> QueueDepth {
        let depth = i32::try_from(options.egress_queue_depth).expect("checked with the options");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.thrift_port));
        let deadline = Instant::now() + THRIFT_PATIENCE;
        loop {
            match set_depths(&self.namespace, address, depth) {
                Ok(()) => return QueueDepth::Raised(options.egress_queue_depth),
                Err(error) if Instant::now() >= deadline => {
                    let reason = format!("its Thrift server on {address}: {error}");
                    return QueueDepth::Unchanged { reason };
                }
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }
}

/// Looks before the start: bmv2 does not always end when it cannot have its Thrift port, and an
/// accepted connection would otherwise be taken for its readiness.
fn refuse_taken_ports(namespace: &str, options: &Bmv2Options) -> Result<(), Bmv2Error> {
    for port in [options.grpc_port, options.thrift_port] {
        if connect(namespace, SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok() {
            return Err(Bmv2Error::PortTaken {
                port,
                namespace: namespace.to_owned(),
            });
        }
    }
    Ok(())
}

/// A connection that was made inside the namespace and can be used anywhere.
fn connect(namespace: &str, address: SocketAddr) -> io::Result<TcpStream> {
    let stream = inside(namespace, || TcpStream::connect_timeout(&address, ATTEMPT))??;
    // A connection to an unused port may come from that very port, and then TCP connects it to
    // itself: nobody listens.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

fn set_depths(namespace: &str, address: SocketAddr, depth: i32) -> Result<(), ThriftError> {
    let mut stream = connect(namespace, address)?;
    stream.set_read_timeout(Some(ATTEMPT))?;
    io::Write::write_all(&mut stream, &set_depths_call(depth))?;
    read_reply(&mut stream)
}

#[cfg(test)]
mod tests;
