//! The machine and the source that a result depends on. Linux; elsewhere facts are absent.

use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Facts about a machine. Those that could not be found out are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: Option<u64>,
    /// What the first processor calls itself.
    pub cpu_model: Option<String>,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Main memory in bytes.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// The machine that this runs on.
    pub fn detect() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        Self {
            cores: std::thread::available_parallelism()
                .ok()
                .and_then(|cores: NonZero<usize>| u64::try_from(cores.get()).ok()),
            cpu_model: read("/proc/cpuinfo").and_then(|text| cpu_model(&text)),
            kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            memory_bytes: read("/proc/meminfo").and_then(|text| memory_bytes(&text)),
        }
    }
}

/// The commit of the source tree at `directory`, with `-dirty` when files differ from it; `None`
/// without git or outside of a repository.
pub fn source_commit(directory: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(arguments)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit}-dirty")
    })
}

/// The value of a `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    // ARM kernels name the part in "Processor" or "Hardware", if at all.
    ["model name", "Processor", "Hardware"]
        .into_iter()
        .find_map(|name| field(cpuinfo, name))
        .map(str::to_owned)
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kibibytes: u64 = field(meminfo, "MemTotal")?
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_proc() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nmodel name\t: Other\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Some CPU @ 2.00GHz"));
        assert_eq!(cpu_model("processor : 0\n"), None);
        assert_eq!(
            memory_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"),
            Some(16_384)
        );
        assert_eq!(memory_bytes("MemTotal:       much\n"), None);
        assert_eq!(memory_bytes("MemTotal: 18446744073709551615 kB\n"), None);
    }

    #[test]
    fn this_machine_has_cores() {
        let machine = Machine::detect();
        assert!(machine.cores.is_some_and(|cores| cores > 0));
        let text = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&text).unwrap(), machine);
    }

    #[test]
    fn a_folder_without_repository_has_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(source_commit(folder.path()), None);
    }
}
