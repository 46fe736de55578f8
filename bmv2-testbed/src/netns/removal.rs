//! Taking a lab down: exactly what its manifest names, and nothing that is not marked as its own.
//!
//! Order: processes first (a namespace lives as long as one is in it), then links (which otherwise
//! vanish some time after their namespace), then the names.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::carriers::{all_pids, carriers_of};
use super::command::{run, tokened};
use super::error::LabError;
use super::inside::{inside, namespace_path};
use super::manifest::{Manifest, Stage, boot_identity};
use super::plan::Link;
use super::process::{Ending, ProcessIdentity, end_all};

/// How long processes may take to heed SIGTERM before they are killed.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// How often processes are looked for by their token: one that starts others while it is being
/// ended can escape a round, but not the one that follows its end.
const MAX_ROUNDS: usize = 8;

/// What taking down found and did; each list in the manifest's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Namespaces that were removed.
    pub namespaces: Vec<String>,
    /// Links that were removed, by the host's interface.
    pub links: Vec<String>,
    /// Processes that were ended, as `name (pid)`.
    pub processes: Vec<String>,
    /// Namespaces, links and processes of the manifest that were gone already.
    pub gone_already: Vec<String>,
    /// What bears the lab's names but not its token, or stayed in its namespaces without having
    /// been started by it: a sentence each. None of it was touched.
    pub left_alone: Vec<String>,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "removed {} namespaces, {} links, {} processes",
            self.namespaces.len(),
            self.links.len(),
            self.processes.len()
        )?;
        if !self.gone_already.is_empty() {
            write!(f, "; gone already: {}", self.gone_already.join(", "))?;
        }
        if !self.left_alone.is_empty() {
            write!(f, "; left alone: {}", self.left_alone.join(", "))?;
        }
        Ok(())
    }
}

/// Whose a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    Lab,
    Stranger,
}

/// One taking down.
struct Removal<'a> {
    manifest: &'a Manifest,
    ip: PathBuf,
    same_boot: bool,
    removed: Removed,
    remains: Vec<String>,
}

/// Removes what the manifest names. The caller holds the lock, and notes in the file that the lab
/// is down.
pub(super) fn remove(manifest: &Manifest, ip: &Path) -> Result<Removed, LabError> {
    let mut removal = Removal {
        manifest,
        ip: ip.to_owned(),
        same_boot: boot_identity()? == manifest.boot,
        removed: Removed::default(),
        remains: Vec::new(),
    };
    removal.end_recorded();
    removal.end_carriers()?;
    let owned: Vec<(&String, Owner)> = manifest
        .namespaces
        .iter()
        .map(|name| (name, removal.owner_of(name)))
        .collect();
    removal.note_strays(&owned)?;
    for link in &manifest.links {
        removal.remove_link(link, &owned);
    }
    for (name, owner) in owned {
        removal.remove_namespace(name, owner);
    }
    if !removal.remains.is_empty() {
        return Err(LabError::Remains {
            remains: removal.remains,
        });
    }
    Ok(removal.removed)
}

impl Removal<'_> {
    fn ip(&self, words: &[&str]) -> Command {
        let mut command = tokened(&self.ip, "");
        command.args(words);
        command
    }

    /// Ends the processes that the manifest names, if they are still the very same.
    fn end_recorded(&mut self) {
        let processes = &self.manifest.processes;
        let names: Vec<String> = processes
            .iter()
            .map(|(identity, name)| format!("{name} ({})", identity.pid))
            .collect();
        if !self.same_boot {
            self.removed.gone_already.extend(names);
            return;
        }
        let identities: Vec<ProcessIdentity> =
            processes.iter().map(|(identity, _)| *identity).collect();
        for (name, ending) in names.into_iter().zip(end_all(&identities, STOP_PATIENCE)) {
            match ending {
                Ok(Ending::GoneAlready) => self.removed.gone_already.push(name),
                Ok(Ending::Terminated | Ending::Killed) => self.removed.processes.push(name),
                Err(error) => self.remains.push(format!("process {name}: {error}")),
            }
        }
    }

    /// Ends what the lab started but could not record, and what those processes started: it all
    /// carries the token. This includes an `ip` of a bringer that was killed while it waited for
    /// it, which otherwise might make a namespace after it was looked for here.
    fn end_carriers(&mut self) -> Result<(), LabError> {
        let token = &self.manifest.token;
        let proc = Path::new("/proc");
        for _ in 0..MAX_ROUNDS {
            let carriers = carriers_of(token).map_err(LabError::io("list", proc))?;
            if carriers.is_empty() {
                return Ok(());
            }
            let endings = end_all(&carriers, STOP_PATIENCE);
            for (carrier, ending) in carriers.iter().zip(endings) {
                if matches!(ending, Ok(Ending::Terminated | Ending::Killed)) {
                    self.removed
                        .processes
                        .push(format!("unrecorded ({})", carrier.pid));
                }
            }
        }
        let left = carriers_of(token).map_err(LabError::io("list", proc))?;
        self.remains.extend(
            left.iter()
                .map(|carrier| format!("process {}", carrier.pid)),
        );
        Ok(())
    }

    /// Whose the namespace of that name is now.
    fn owner_of(&self, name: &str) -> Owner {
        if namespace_path(name).symlink_metadata().is_err() {
            return Owner::Nobody;
        }
        let shown = run(self.ip(&["-n", name, "link", "show", "dev", "lo"])).unwrap_or_default();
        let alias = shown
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("alias "));
        match alias {
            Some(alias) if alias.trim_end() == self.manifest.token => Owner::Lab,
            // 1. the bringer makes the namespace, 2. it is killed before it marks it. Only while
            // the lab was rising can this be: the bringer had seen under the lock that the name
            // was free.
            None if self.same_boot && self.manifest.stage == Stage::Rising => Owner::Lab,
            _ => Owner::Stranger,
        }
    }

    /// Notes processes that others put into the lab's namespaces. They keep a namespace without a
    /// name and without links, which goes when they do.
    fn note_strays(&mut self, owned: &[(&String, Owner)]) -> Result<(), LabError> {
        let inodes: Vec<(u64, &String)> = owned
            .iter()
            .filter(|(_, owner)| *owner == Owner::Lab)
            .filter_map(|(name, _)| Some((namespace_path(name).metadata().ok()?.ino(), *name)))
            .collect();
        for pid in all_pids().map_err(LabError::io("list", Path::new("/proc")))? {
            let Ok(data) = std::fs::metadata(format!("/proc/{pid}/ns/net")) else {
                continue;
            };
            if let Some((_, name)) = inodes.iter().find(|(inode, _)| *inode == data.ino()) {
                let sentence = format!("process {pid} in {name}, which this lab did not start");
                self.removed.left_alone.push(sentence);
            }
        }
        Ok(())
    }

    /// Removes a veth pair by whichever end is still in a namespace of this lab.
    fn remove_link(&mut self, link: &Link, owned: &[(&String, Owner)]) {
        let ends = [
            (&link.host_namespace, &link.host_interface),
            (&link.switch_namespace, &link.switch_interface),
        ];
        let there = ends.into_iter().find(|(namespace, interface)| {
            owned.contains(&(*namespace, Owner::Lab)) && has_interface(namespace, interface)
        });
        let Some((namespace, interface)) = there else {
            self.removed.gone_already.push(link.host_interface.clone());
            return;
        };
        match run(self.ip(&["-n", namespace, "link", "delete", "dev", interface])) {
            Ok(_) => self.removed.links.push(link.host_interface.clone()),
            // 1. somebody removed the namespace of one end, 2. the other end was still seen above,
            // 3. the kernel, which clears up in its own time, removed it before this command did.
            Err(_) if !has_interface(namespace, interface) => {
                self.removed.gone_already.push(link.host_interface.clone());
            }
            Err(error) => self.remains.push(error.to_string()),
        }
    }

    fn remove_namespace(&mut self, name: &str, owner: Owner) {
        match owner {
            Owner::Nobody => self.removed.gone_already.push(name.to_owned()),
            Owner::Stranger => {
                let sentence = format!("namespace {name}, which this lab did not make");
                self.removed.left_alone.push(sentence);
            }
            Owner::Lab => match run(self.ip(&["netns", "delete", name])) {
                Ok(_) => self.removed.namespaces.push(name.to_owned()),
                Err(error) => self.remains.push(error.to_string()),
            },
        }
    }
}

/// Whether the namespace has the interface; false if it cannot be entered, because it was killed
/// half made and is a file without a namespace behind it.
fn has_interface(namespace: &str, interface: &str) -> bool {
    let path = Path::new("/proc/sys/net/ipv4/conf").join(interface);
    inside(namespace, || path.exists()).unwrap_or(false)
}
