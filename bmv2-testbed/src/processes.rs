//! One process a role: started, watched, and ended by who they are, not by name.
//!
//! What was started is written down with each process's start time, so that taking a deployment
//! down, also after whoever brought it up was killed, ends only the very same processes.

use crate::deployment::{Caller, Deployment, DeploymentError, Fabric};
use crate::lab;
use crate::netns::{self, ProcessIdentity};
use crate::roles::{identity, replica_name, state_folder};
use crate::status;
use replica::driver::{StateError, StateFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The file that lists a deployment's processes.
const FILE: &str = "processes.json";
/// How long a deployment may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A deployment that did not come up or go down.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A process could not be started.
    #[error("cannot start {name}: {source}")]
    Start {
        /// The role.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A process ended before the deployment was ready.
    #[error(
        "{name} ended with {status} before the deployment was ready; its log {log} ends with:\n{tail}"
    )]
    Ended {
        /// The role.
        name: String,
        /// Its exit status.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Something was never ready.
    #[error("{name} was not ready within {READY:?}: {state}; its log is {log}")]
    NotReady {
        /// The role.
        name: String,
        /// What it last said.
        state: String,
        /// Its log.
        log: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No deployment there.
    #[error("{path} holds no deployment that was brought up")]
    NoDeployment {
        /// The folder.
        path: PathBuf,
    },
    /// The deployment's file.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// A replica's state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Namespaces or bmv2.
    #[error(transparent)]
    Fabric(#[from] lab::FabricError),
    /// Taking namespaces away.
    #[error(transparent)]
    Netns(#[from] netns::LabError),
}

/// A process that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its role: `s1`, `controller`, `r0`, …, `front`, or `embedded`.
    pub name: String,
    /// Its process id.
    pub pid: i32,
    /// When it started, in the kernel's units: with the pid, its identity.
    pub start_time: u64,
}

impl Started {
    fn new(name: &str, identity: ProcessIdentity) -> Self {
        let ProcessIdentity { pid, start_time } = identity;
        Self {
            name: name.to_owned(),
            pid,
            start_time,
        }
    }

    fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.pid,
            start_time: self.start_time,
        }
    }

    /// Whether this very process still runs.
    pub fn is_running(&self) -> bool {
        self.identity().is_running()
    }
}

/// A running deployment.
pub struct Processes {
    deployment: Deployment,
    children: Vec<(Started, Child)>,
    /// bmv2, one a switch, which its namespaces' manifest owns.
    bmv2: Vec<Started>,
    lab: Option<netns::Lab>,
}

/// Starts every role of `deployment` with `program`, the `downbeat` binary, and waits until it
/// serves. On failure everything that was started is ended.
pub fn up(deployment: Deployment, program: &Path) -> Result<Processes, ProcessError> {
    deployment.write()?;
    if deployment.fabric != Fabric::Embedded {
        for index in 0..deployment.replicas {
            let folder = state_folder(&deployment, index);
            StateFile::format(&folder, &identity(&deployment, index))?;
        }
    }
    let mut processes = Processes {
        deployment,
        children: Vec::new(),
        bmv2: Vec::new(),
        lab: None,
    };
    match processes
        .start_all(program)
        .and_then(|()| processes.wait_until_ready())
    {
        Ok(()) => Ok(processes),
        Err(error) => {
            processes.end();
            Err(error)
        }
    }
}

impl Processes {
    /// The deployment.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What runs.
    pub fn started(&self) -> impl Iterator<Item = &Started> {
        self.children
            .iter()
            .map(|(started, _)| started)
            .chain(&self.bmv2)
    }

    /// Leaves the processes running; [`down`] ends them.
    pub fn leave(mut self) {
        self.children.clear();
        if let Some(lab) = self.lab.take() {
            lab.leave();
        }
    }

    /// The processes that have ended, with their exit statuses.
    pub fn ended(&mut self) -> Vec<(String, String)> {
        let ended = |(started, child): &mut (Started, Child)| {
            let status = child.try_wait().ok()??;
            Some((started.name.clone(), status.to_string()))
        };
        self.children.iter_mut().filter_map(ended).collect()
    }

    /// Ends every process and takes away what was made for them.
    pub fn end(&mut self) {
        end_in_reverse(self.children.iter().map(|(started, _)| started));
        for (_, child) in &mut self.children {
            // It has ended; only its exit status is still to be taken.
            let _ = child.wait();
        }
        self.children.clear();
        if let Some(lab) = self.lab.take() {
            // What could not be removed stays in the manifest for `down`.
            let _ = lab.down();
        }
        let _ = fs::remove_file(self.deployment.folder.join(FILE));
    }

    fn start_all(&mut self, program: &Path) -> Result<(), ProcessError> {
        let file = self.deployment.folder.join(crate::deployment::FILE);
        let argument = format!("--deployment={}", file.display());
        if self.deployment.fabric == Fabric::Embedded {
            return self.start("embedded", program, &["embedded", &argument], None);
        }
        self.start_fabric()?;
        let namespaces = self.lab.as_ref().map(|lab| {
            let hosts =
                (0..self.deployment.replicas).map(|index| lab.host_namespace(index).to_owned());
            (lab.switch_namespace().to_owned(), hosts.collect::<Vec<_>>())
        });
        let switch = namespaces.as_ref().map(|(switch, _)| switch.as_str());
        let host = |index: usize| namespaces.as_ref().map(|(_, hosts)| hosts[index].as_str());
        if self.deployment.fabric != Fabric::Bmv2 {
            for name in self.deployment.switches() {
                let which = format!("--switch={name}");
                self.start(&name, program, &["switch", &argument, &which], switch)?;
            }
        }
        self.start("controller", program, &["controller", &argument], switch)?;
        for index in 0..self.deployment.replicas {
            let which = format!("--index={index}");
            let arguments = ["replica", &argument, &which];
            self.start(&replica_name(index), program, &arguments, host(index))?;
        }
        if self.deployment.caller == Caller::Load {
            return Ok(());
        }
        // The front door listens where people are, outside of all namespaces; its endpoint is
        // opened inside its host's.
        self.start("front", program, &["front", &argument], None)
    }

    /// Namespaces, and bmv2 where it is the switch.
    fn start_fabric(&mut self) -> Result<(), ProcessError> {
        if !matches!(self.deployment.fabric, Fabric::Netns | Fabric::Bmv2) {
            return Ok(());
        }
        let lab::Running { lab, bmv2 } = lab::up(&self.deployment)?;
        self.lab = Some(lab);
        for (name, (identity, queues)) in self.deployment.switches().zip(bmv2) {
            let path = self.log(&name);
            fs::write(&path, queues + "\n").map_err(|source| ProcessError::Io {
                operation: "write",
                path,
                source,
            })?;
            self.bmv2.push(Started::new(&name, identity));
        }
        Ok(())
    }

    fn start(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        namespace: Option<&str>,
    ) -> Result<(), ProcessError> {
        let log_path = self.log(name);
        let log = File::create(&log_path).map_err(|source| ProcessError::Io {
            operation: "create",
            path: log_path,
            source,
        })?;
        let error = |source| ProcessError::Start {
            name: name.to_owned(),
            source,
        };
        let errors = log.try_clone().map_err(error)?;
        let mut command = match (namespace, &self.lab) {
            (Some(namespace), Some(lab)) => lab.command_in(namespace, program)?,
            _ => Command::new(program),
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A group of its own: Ctrl-C at the terminal is for whoever brought this up, who
            // then ends the roles in order.
            .process_group(0)
            .spawn()
            .map_err(error)?;
        let pid = i32::try_from(child.id()).expect("a pid is positive and small");
        // One that has ended already is found by `ended`.
        let nobody = ProcessIdentity { pid, start_time: 0 };
        let identity = ProcessIdentity::of(pid).unwrap_or(nobody);
        self.children.push((Started::new(name, identity), child));
        self.write_list()
    }

    fn write_list(&self) -> Result<(), ProcessError> {
        let path = self.deployment.folder.join(FILE);
        let list: Vec<_> = self.started().collect();
        let text = serde_json::to_string_pretty(&list).expect("plain data");
        fs::write(&path, text + "\n").map_err(|source| ProcessError::Io {
            operation: "write",
            path,
            source,
        })
    }

    fn log(&self, name: &str) -> PathBuf {
        self.deployment.folder.join(format!("{name}.log"))
    }

    /// Polls every role until all serve.
    fn wait_until_ready(&mut self) -> Result<(), ProcessError> {
        let deadline = Instant::now() + READY;
        for name in roles(&self.deployment) {
            loop {
                let said = status::ask(&self.deployment.socket(&name));
                if is_ready(&said) {
                    break;
                }
                if let Some((name, status)) = self.ended().pop() {
                    let log = self.log(&name);
                    let tail = tail_of(&log);
                    return Err(ProcessError::Ended {
                        name,
                        status,
                        log,
                        tail,
                    });
                }
                if Instant::now() >= deadline {
                    let log = self.log(&name);
                    return Err(ProcessError::NotReady {
                        name,
                        state: said.to_string(),
                        log,
                    });
                }
                thread::park_timeout(LOOK_AGAIN);
            }
        }
        Ok(())
    }
}

/// The roles that answer on a control socket.
pub fn roles(deployment: &Deployment) -> Vec<String> {
    let mut roles = Vec::new();
    if deployment.fabric != Fabric::Bmv2 {
        roles.extend(deployment.switches());
    }
    roles.push("controller".to_owned());
    roles.extend((0..deployment.replicas).map(replica_name));
    if deployment.caller == Caller::Front {
        roles.push("front".to_owned());
    }
    roles
}

fn is_ready(said: &Value) -> bool {
    let ready = [
        "serving",
        "verified",
        "normal",
        "reconciling",
        "recovering",
        "outside",
    ];
    said["state"]
        .as_str()
        .is_some_and(|state| ready.contains(&state))
}

/// What `folder`'s deployment has started, still running or not.
pub fn started(folder: &Path) -> Result<Vec<Started>, ProcessError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ProcessError::NoDeployment {
                path: folder.into(),
            });
        }
        Err(source) => {
            return Err(ProcessError::Io {
                operation: "read",
                path,
                source,
            });
        }
    };
    serde_json::from_str(&text).map_err(|error| ProcessError::Io {
        operation: "read",
        path,
        source: error.into(),
    })
}

/// Ends the deployment in `folder`, whoever brought it up. Returns what was still running.
pub fn down(folder: &Path) -> Result<Vec<Started>, ProcessError> {
    let all = started(folder)?;
    let running: Vec<_> = all.into_iter().filter(Started::is_running).collect();
    end_in_reverse(running.iter());
    lab::down(folder)?;
    let path = folder.join(FILE);
    fs::remove_file(&path).map_err(|source| ProcessError::Io {
        operation: "remove",
        path,
        source,
    })?;
    Ok(running)
}

/// Ends processes, the last started first; kills those that do not end in time.
fn end_in_reverse<'a>(started: impl DoubleEndedIterator<Item = &'a Started>) {
    let identities: Vec<_> = started.rev().map(Started::identity).collect();
    // A process that cannot be ended is not ours to end.
    let _ = netns::end_all(&identities, GRACE);
}

/// The last lines of a log.
fn tail_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(10);
    lines[from..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_time_too() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let me = Started::new("me", ProcessIdentity::of(pid).unwrap());
        assert!(me.is_running());
        let other = Started {
            start_time: me.start_time + 1,
            ..me
        };
        assert!(!other.is_running(), "another process with the same pid");
    }

    #[test]
    fn a_folder_without_a_deployment_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            down(folder.path()),
            Err(ProcessError::NoDeployment { .. })
        ));
    }
}
