//! A lab: namespaces for one switch and its hosts, the links between them, and their programs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::command::{find_program, tokened};
use super::error::LabError;
use super::inside::namespace_path;
use super::manifest::{Entry, Manifest, Stage, boot_identity, manifest_path};
use super::plan::{self, HostSpec, JUMBO_MTU, Plan, TrunkSpec};
use super::preflight::{Missing, preflight};
use super::process::{Process, ProcessIdentity};
use super::removal::{Removed, remove};
use super::steps::{Tools, steps};

/// Held while a lab is brought up or taken down, so that looking whether a name is free and taking
/// it are one. It stays, empty: a lock file that is removed can be locked twice.
const LOCK_PATH: &str = "/run/downbeat-netns.lock";

/// How long to wait for that lock, in seconds: several labs of a hundred hosts.
const LOCK_PATIENCE_S: u64 = 60;

/// How often the lock is tried.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Namespaces and links that are up. Dropping a lab takes it down; [`Lab::leave`] does not.
#[derive(Debug)]
pub struct Lab {
    plan: Plan,
    folder: PathBuf,
    tools: Tools,
    stays: bool,
}

impl Lab {
    /// Checks privileges and programs without changing anything.
    pub fn preflight() -> Result<(), Missing> {
        preflight()
    }

    /// Brings up a switch namespace and one namespace for each host, with their links.
    ///
    /// `run` is short (lower-case letters, digits, hyphens) and names everything: `db-<run>-s1`,
    /// `db-<run>-h1`, … `folder` exists and receives the manifest. The MTU is 9,000 bytes, enough
    /// for messages of 8,900. If a step fails, what was made is removed again.
    pub fn up(run: &str, hosts: &[HostSpec], folder: &Path) -> Result<Self, LabError> {
        Self::up_with_mtu(run, hosts, folder, JUMBO_MTU)
    }

    /// As [`Lab::up`], with an MTU of 1,500 to 9,000 bytes.
    ///
    /// Choose 1,500 for bmv2 unless long messages are needed: the ring through which it receives
    /// has slots for the longest packet of its port, however short the packets are. With 9,000
    /// bytes it has 231 slots and of bursts of 1,000 group packets between 294 and 452 came
    /// through (the rest was lost before the stamp, so without a hole in the sequence); with 1,500
    /// bytes it has 1,310 and none was lost. `ss -0 -e -i` in the switch namespace shows the ring.
    pub fn up_with_mtu(
        run: &str,
        hosts: &[HostSpec],
        folder: &Path,
        mtu: u16,
    ) -> Result<Self, LabError> {
        Self::up_with_trunks(run, hosts, &[], folder, mtu)
    }

    /// As [`Lab::up_with_mtu`], with further switches, which share the namespace of the first: it
    /// has all hosts, and they are wired to it by veth pairs inside.
    pub fn up_with_trunks(
        run: &str,
        hosts: &[HostSpec],
        trunks: &[TrunkSpec],
        folder: &Path,
        mtu: u16,
    ) -> Result<Self, LabError> {
        let plan = Plan::new(run, hosts, mtu)?.with_trunks(trunks)?;
        Self::up_observed(plan, folder, &mut |_| ())
    }

    /// Brings the plan up; `observe` is told the number of each step before it is taken, so that
    /// tests can die at every one of them.
    fn up_observed(
        plan: Plan,
        folder: &Path,
        observe: &mut dyn FnMut(usize),
    ) -> Result<Self, LabError> {
        preflight()?;
        let folder = folder
            .canonicalize()
            .map_err(LabError::io("find the run folder", folder))?;
        let boot = boot_identity()?;
        let tools = tools(new_token(&plan.run, &boot)?)?;
        let lock = lock()?;
        refuse_if_there(&plan, &folder, &boot)?;
        let manifest = Manifest::new(&plan, &tools.token, &boot);
        manifest.write(&folder)?;
        let made = steps(&plan, &tools.token)
            .iter()
            .enumerate()
            .try_for_each(|(number, step)| {
                observe(number);
                step.take(&tools)
            })
            .and_then(|()| Entry::Ready.append(&folder));
        if let Err(up) = made {
            return Err(match take_down(&folder, &manifest, &tools.ip) {
                Ok(_) => up,
                Err(down) => LabError::UpAndDown {
                    up: Box::new(up),
                    down: Box::new(down),
                },
            });
        }
        drop(lock);
        Ok(Self {
            plan,
            folder,
            tools,
            stays: false,
        })
    }

    /// The run's name.
    pub fn run(&self) -> &str {
        &self.plan.run
    }

    /// The run folder, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The hosts, as given.
    pub fn hosts(&self) -> &[HostSpec] {
        &self.plan.hosts
    }

    /// Name of the namespace of the switch and the controller.
    pub fn switch_namespace(&self) -> &str {
        &self.plan.switch_namespace
    }

    /// Name of the namespace of a host, by its place in [`Lab::hosts`].
    pub fn host_namespace(&self, host: usize) -> &str {
        &self.plan.links[host].host_namespace
    }

    /// Name of a host's interface, inside its namespace.
    pub fn host_interface(&self, host: usize) -> &str {
        &self.plan.links[host].host_interface
    }

    /// Name of the first switch's interface behind a port, inside the switch namespace.
    pub fn switch_interface(port: u16) -> String {
        plan::switch_interface(port)
    }

    /// Name of a switch's interface behind a port, inside the switch namespace.
    pub fn interface_of(switch: &str, port: u16) -> String {
        plan::interface_of(switch, port)
    }

    /// A command that will run inside a namespace of this lab, with stdin closed.
    ///
    /// Add words to it, then give it to [`Lab::spawn`] (or run it to its end). Its process is the
    /// program itself, not a wrapper: `ip netns exec` replaces itself. It carries the lab's token
    /// in its environment and is ended when the lab is taken down.
    pub fn command_in(&self, namespace: &str, program: &Path) -> Result<Command, LabError> {
        if !self.plan.namespaces().any(|known| known == namespace) {
            let known: Vec<&str> = self.plan.namespaces().collect();
            let known = known.join(", ");
            return Err(LabError::UnknownNamespace {
                name: namespace.to_owned(),
                known,
            });
        }
        let mut command = tokened(&self.tools.ip, &self.tools.token);
        command.args(["netns", "exec", namespace]).arg(program);
        Ok(command)
    }

    /// Starts a command of [`Lab::command_in`] and records its process in the manifest; `name` is
    /// for people.
    pub fn spawn(&self, command: &mut Command, name: &str) -> Result<Process, LabError> {
        // 1. the process starts, 2. this process is killed before the line is written, 3. the
        // manifest does not know the process. It is then found by its token.
        let program = PathBuf::from(name);
        let child = command.spawn().map_err(LabError::io("start", &program))?;
        let process = Process::new(child).map_err(LabError::io("identify", &program))?;
        match Entry::Process(process.identity(), name).append(&self.folder) {
            Ok(()) => Ok(process),
            Err(error) => {
                process.kill().map_err(LabError::io("end", &program))?;
                Err(error)
            }
        }
    }

    /// Lets go of the lab without taking it down; [`Lab::down_by_manifest`] does it later.
    pub fn leave(mut self) {
        self.stays = true;
    }

    /// Ends the lab's processes and removes its links and namespaces.
    pub fn down(mut self) -> Result<Removed, LabError> {
        self.stays = true;
        self.take_down()
    }

    /// Takes down this very lab. The file may be gone with its folder, or be of a later lab in the
    /// same folder after somebody else took this one down; then what is known here must do, and
    /// the processes are found by their token.
    fn take_down(&self) -> Result<Removed, LabError> {
        let _lock = lock()?;
        let token = &self.tools.token;
        let in_file = Manifest::read(&self.folder)?.filter(|manifest| manifest.token == *token);
        if let Some(manifest) = in_file {
            return take_down(&self.folder, &manifest, &self.tools.ip);
        }
        let manifest = Manifest::new(&self.plan, token, &boot_identity()?);
        remove(
            &Manifest {
                stage: Stage::Ready,
                ..manifest
            },
            &self.tools.ip,
        )
    }

    /// Takes down the lab whose manifest is in the folder, whoever brought it up and however far
    /// it got. May be repeated: what is gone already is reported as such.
    pub fn down_by_manifest(folder: &Path) -> Result<Removed, LabError> {
        preflight()?;
        let _lock = lock()?;
        let manifest = Manifest::read(folder)?.ok_or_else(|| LabError::NoManifest {
            path: manifest_path(folder),
        })?;
        take_down(folder, &manifest, &tools(String::new())?.ip)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        if let Err(error) = self.take_down() {
            // Nobody is left to return it to; if stderr is gone too, it cannot be told at all.
            let _ = writeln!(io::stderr(), "taking down run {}: {error}", self.plan.run);
        }
    }
}

/// Removes everything and notes in the manifest that the lab is down. The caller holds the lock.
fn take_down(folder: &Path, manifest: &Manifest, ip: &Path) -> Result<Removed, LabError> {
    let removed = remove(manifest, ip)?;
    if manifest.stage != Stage::Down {
        Entry::Down.append(folder)?;
    }
    Ok(removed)
}

fn tools(token: String) -> Result<Tools, LabError> {
    let program = |name: &str| {
        find_program(name).ok_or_else(|| {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            LabError::io("find the program", Path::new(name))(missing)
        })
    };
    Ok(Tools {
        ip: program("ip")?,
        ethtool: program("ethtool")?,
        token,
    })
}

/// A word that no other lab has or had: run, bringer's pid and start time, boot, and a count.
fn new_token(run: &str, boot: &str) -> Result<String, LabError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let own = i32::try_from(std::process::id())
        .ok()
        .and_then(ProcessIdentity::of)
        .ok_or_else(|| {
            let unreadable = io::Error::from(io::ErrorKind::NotFound);
            LabError::io("read", Path::new("/proc/self/stat"))(unreadable)
        })?;
    let boot: String = boot.chars().take(8).collect();
    Ok(format!(
        "{run}.{}.{}.{boot}.{count}",
        own.pid, own.start_time
    ))
}

/// A name that is taken, or a folder whose lab is still up, is not touched.
fn refuse_if_there(plan: &Plan, folder: &Path, boot: &str) -> Result<(), LabError> {
    if let Some(old) = Manifest::read(folder)?
        && old.stage != Stage::Down
        && old.boot == boot
    {
        return Err(LabError::NotDown {
            path: manifest_path(folder),
        });
    }
    match plan
        .namespaces()
        .find(|name| namespace_path(name).symlink_metadata().is_ok())
    {
        Some(name) => Err(LabError::Occupied {
            name: name.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Waits for the lock; it is let go when the file is dropped or the process dies.
fn lock() -> Result<File, LabError> {
    let path = Path::new(LOCK_PATH);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(LabError::io("open the lock file", path))?;
    let deadline = Instant::now() + Duration::from_secs(LOCK_PATIENCE_S);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(LabError::Busy {
                    path: path.to_owned(),
                    waited_s: LOCK_PATIENCE_S,
                });
            }
            Err(TryLockError::Error(error)) => return Err(LabError::io("lock", path)(error)),
        }
    }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
