//! The file in the run folder that says what a lab is made of.
//!
//! Written before anything is made and appended to afterwards, so that a lab can be taken down by
//! somebody else when its bringer was killed. Plain lines, a keyword and its values:
//!
//! ```text
//! downbeat-netns 1
//! token quick.4711.123456.0b3f6a1e.0
//! boot 0b3f6a1e-…
//! namespace db-quick-s1
//! namespace db-quick-h1
//! link db-quick-h1 h1-eth0 db-quick-s1 s1-eth1
//! ready
//! process 4720 123460 simple_switch_grpc
//! down
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::error::LabError;
use super::plan::{Link, Plan, is_plain_name};
use super::process::ProcessIdentity;

const FILE_NAME: &str = "netns.manifest";
const HEADING: &str = "downbeat-netns 1";

/// No lab comes near this, in bytes: 510 hosts are 60 KiB. A larger file is not ours.
const MAX_BYTES: u64 = 4 << 20;

/// How far a lab has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Being made: some of what is named may not be there, or not be marked yet.
    Rising,
    /// All of it was made and marked.
    Ready,
    /// All of it was removed.
    Down,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) token: String,
    pub(super) boot: String,
    pub(super) namespaces: Vec<String>,
    pub(super) links: Vec<Link>,
    pub(super) processes: Vec<(ProcessIdentity, String)>,
    pub(super) stage: Stage,
}

/// A line that is added later.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    Ready,
    Down,
    Process(ProcessIdentity, &'a str),
}

/// Where the manifest of a run folder is.
pub(super) fn manifest_path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

/// This boot of this machine: what ran in another one is gone, whatever its pid.
pub(super) fn boot_identity() -> Result<String, LabError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(path).map_err(LabError::io("read", path))?;
    Ok(text.trim().to_owned())
}

impl Manifest {
    pub(super) fn new(plan: &Plan, token: &str, boot: &str) -> Self {
        Self {
            token: token.to_owned(),
            boot: boot.to_owned(),
            namespaces: plan.namespaces().map(str::to_owned).collect(),
            links: plan.links.clone(),
            processes: Vec::new(),
            stage: Stage::Rising,
        }
    }

    /// Writes the file in one piece: it is there whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), LabError> {
        let path = manifest_path(folder);
        let new = folder.join(format!("{FILE_NAME}.new"));
        std::fs::write(&new, self.render()).map_err(LabError::io("write", &new))?;
        std::fs::rename(&new, &path).map_err(LabError::io("replace", &path))
    }

    /// Reads the file; `None` if the folder has none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, LabError> {
        let path = manifest_path(folder);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LabError::io("open", &path)(error)),
        };
        let mut text = String::new();
        file.take(MAX_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(LabError::io("read", &path))?;
        if text.len() as u64 > MAX_BYTES {
            let reason = format!("more than {MAX_BYTES} bytes");
            return Err(LabError::Manifest {
                path,
                line: 0,
                reason,
            });
        }
        Self::parse(&text)
            .map(Some)
            .map_err(|(line, reason)| LabError::Manifest { path, line, reason })
    }

    pub(super) fn render(&self) -> String {
        let mut lines = vec![
            HEADING.to_owned(),
            format!("token {}", self.token),
            format!("boot {}", self.boot),
        ];
        lines.extend(
            self.namespaces
                .iter()
                .map(|name| format!("namespace {name}")),
        );
        lines.extend(self.links.iter().map(|link| {
            format!(
                "link {} {} {} {}",
                link.host_namespace,
                link.host_interface,
                link.switch_namespace,
                link.switch_interface
            )
        }));
        let stages: &[Entry<'_>] = match self.stage {
            Stage::Rising => &[],
            Stage::Ready => &[Entry::Ready],
            Stage::Down => &[Entry::Down],
        };
        let processes = self
            .processes
            .iter()
            .map(|(identity, program)| Entry::Process(*identity, program));
        lines.extend(processes.chain(stages.iter().copied()).map(Entry::line));
        lines.join("\n") + "\n"
    }

    /// Reads the lines; the error is a line number from 1 and what is wrong there.
    ///
    /// Bytes behind the last line end are what a killed writer had not finished, and are left out:
    /// the process they speak of carries the token and is found by it.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole
            .split('\n')
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        if lines.next().is_none_or(|(_, line)| line != HEADING) {
            return Err((1, format!("does not begin with `{HEADING}`")));
        }
        let mut manifest = Self {
            token: String::new(),
            boot: String::new(),
            namespaces: Vec::new(),
            links: Vec::new(),
            processes: Vec::new(),
            stage: Stage::Rising,
        };
        for (number, line) in lines {
            manifest
                .take_line(line)
                .map_err(|reason| (number, reason))?;
        }
        if manifest.token.is_empty() || manifest.boot.is_empty() {
            return Err((1, "has no token or no boot line".to_owned()));
        }
        Ok(manifest)
    }

    fn take_line(&mut self, line: &str) -> Result<(), String> {
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        match keyword {
            "token" if is_word(rest) => rest.clone_into(&mut self.token),
            "boot" if is_word(rest) => rest.clone_into(&mut self.boot),
            "namespace" => self.namespaces.push(namespace_name(rest)?),
            "link" => self.links.push(link(rest)?),
            "process" => self.processes.push(process(rest)?),
            "ready" if rest.is_empty() => self.stage = Stage::Ready,
            "down" if rest.is_empty() => self.stage = Stage::Down,
            _ => return Err(format!("`{line}` is not a line of a manifest")),
        }
        Ok(())
    }
}

impl Entry<'_> {
    fn line(self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Down => "down".to_owned(),
            Self::Process(ProcessIdentity { pid, start_time }, program) => {
                // A name is for people only; it must not be able to end the line.
                let program = program.replace(char::is_control, "?");
                format!("process {pid} {start_time} {program}")
            }
        }
    }

    /// Adds the line to the manifest, with one write.
    pub(super) fn append(self, folder: &Path) -> Result<(), LabError> {
        let path = manifest_path(folder);
        let mut file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(LabError::io("open to append to", &path))?;
        let line = self.line() + "\n";
        file.write_all(line.as_bytes())
            .map_err(LabError::io("append to", &path))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn namespace_name(text: &str) -> Result<String, String> {
    if text.starts_with("db-") && is_plain_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a namespace that a lab makes"))
}

fn interface_name(text: &str) -> Result<String, String> {
    if is_plain_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not an interface that a lab makes"))
}

fn link(text: &str) -> Result<Link, String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [
        host_namespace,
        host_interface,
        switch_namespace,
        switch_interface,
    ] = words[..]
    else {
        return Err(format!("a link has 4 names, not {}", words.len()));
    };
    Ok(Link {
        host_namespace: namespace_name(host_namespace)?,
        host_interface: interface_name(host_interface)?,
        switch_namespace: namespace_name(switch_namespace)?,
        switch_interface: interface_name(switch_interface)?,
    })
}

fn process(text: &str) -> Result<(ProcessIdentity, String), String> {
    let mut words = text.splitn(3, ' ');
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
    let pid = number(words.next())
        .and_then(|pid| i32::try_from(pid).ok())
        .filter(|pid| *pid > 1)
        .ok_or_else(|| format!("`{text}` has no process id above 1"))?;
    let start_time = number(words.next()).ok_or_else(|| format!("`{text}` has no start time"))?;
    let program = words.next().unwrap_or_default().to_owned();
    Ok((ProcessIdentity { pid, start_time }, program))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plan::JUMBO_MTU;
    use super::super::testing::hosts;
    use super::*;

    fn sample() -> Manifest {
        let plan = Plan::new("quick", &hosts(2), JUMBO_MTU).unwrap();
        let mut manifest = Manifest::new(&plan, "quick.1.2.3", "boot-id");
        let identity = ProcessIdentity {
            pid: 77,
            start_time: 123,
        };
        manifest.processes.push((identity, "a program".to_owned()));
        manifest
    }

    #[test]
    fn what_is_written_is_read_again() {
        for stage in [Stage::Rising, Stage::Ready, Stage::Down] {
            let manifest = Manifest { stage, ..sample() };
            assert_eq!(Manifest::parse(&manifest.render()), Ok(manifest));
        }
    }

    #[test]
    fn an_unfinished_last_line_is_left_out() {
        let text = sample().render() + "process 99 1234";
        assert_eq!(Manifest::parse(&text), Ok(sample()));
    }

    #[test]
    fn names_that_a_lab_does_not_make_are_refused() {
        for line in [
            "namespace ../../etc",
            "namespace production",
            "namespace db-x -all",
            "link db-x-h1 eth0;reboot db-x-s1 s1-eth1",
            "link db-x-h1 h1-eth0",
            "process 1 5 init",
            "process -5 5 all",
            "process 77",
            "remove /",
            "",
        ] {
            let text = sample().render() + line + "\n";
            let (number, _) = Manifest::parse(&text).unwrap_err();
            assert_eq!(number, text.lines().count(), "{line}");
        }
    }

    #[test]
    fn a_program_name_cannot_forge_a_line() {
        let identity = ProcessIdentity {
            pid: 88,
            start_time: 9,
        };
        let folder = tempfile::tempdir().unwrap();
        sample().write(folder.path()).unwrap();
        Entry::Process(identity, "evil\nnamespace db-other")
            .append(folder.path())
            .unwrap();
        let read = Manifest::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.namespaces, sample().namespaces);
        assert_eq!(
            read.processes[1],
            (identity, "evil?namespace db-other".to_owned())
        );
    }

    #[test]
    fn a_folder_without_a_manifest_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Manifest::read(folder.path()).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}", cut in 0_usize..200) {
            let _ = Manifest::parse(&text);
            let rendered = sample().render();
            let end = cut.min(rendered.len());
            let _ = Manifest::parse(&format!("{}{text}\n", &rendered[..end]));
        }
    }
}
