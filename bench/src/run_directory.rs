//! Where a run keeps its results: `runs/<time>-<name>/`, and `runs/latest` which points to it.
//!
//! Files appear whole or not at all: they are written under another name and renamed. The same
//! goes for `latest`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::recorder::Recorder;
use crate::summary::Summary;

/// Version of the form of `run.json`.
pub const SCHEMA: u32 = 1;

/// Longest name of a run, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Runs of one name that may start in one second.
const MAX_RUNS_PER_SECOND: u32 = 1_000;

/// What a run depends on besides its configuration: the contents of `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// Name of the run.
    pub name: String,
    /// When it started, in UTC: `2026-01-17T10:15:30Z`.
    pub started: String,
    /// The seed of everything random in it.
    pub seed: u64,
    /// The commit that the program was built from, if it is known.
    pub commit: Option<String>,
    /// The machine that it ran on.
    pub machine: Machine,
}

/// What can go wrong with the files of a run.
#[derive(Debug, thiserror::Error)]
pub enum RunDirectoryError {
    /// A name that is no good as part of a path.
    #[error(
        "`{name}` cannot name a run or a file: give 1 to {MAX_NAME_BYTES} of a-z A-Z 0-9 . _ - \
             and no dot first"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A start before 1970 or after 9999.
    #[error("the clock shows a time that no calendar has: set it, then run again")]
    Time,
    /// Too many runs with the same name in one second.
    #[error("{MAX_RUNS_PER_SECOND} runs `{name}` have started in this second: give another name")]
    TooMany {
        /// The name, with its time.
        name: String,
    },
    /// `latest` exists and is no symbolic link.
    #[error("{} is not a symbolic link: move it away", path.display())]
    LatestTaken {
        /// Its path.
        path: PathBuf,
    },
    /// A value that JSON cannot hold.
    #[error("{file} could not be written as JSON: {source}")]
    Json {
        /// Name of the file.
        file: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The file system refused.
    #[error("{} could not be written: {source}", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
    name: String,
    started: String,
}

impl RunDirectory {
    /// Makes the folder for a run under `root` (made too if need be) and points `latest` at it.
    pub fn create(root: &Path, name: &str, start: SystemTime) -> Result<Self, RunDirectoryError> {
        check_name(name)?;
        let (stamp, started) = utc(start).ok_or(RunDirectoryError::Time)?;
        fs::create_dir_all(root).map_err(refused(root))?;
        let folder = create_unused(root, &format!("{stamp}-{name}"))?;
        point_latest(root, &folder)?;
        Ok(Self {
            path: root.join(folder),
            name: name.to_owned(),
            started,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `run.json`: the seed, the commit and this machine.
    pub fn write_facts(&self, seed: u64, commit: Option<String>) -> Result<(), RunDirectoryError> {
        let (name, started) = (self.name.clone(), self.started.clone());
        let machine = Machine::detect();
        let facts = RunFacts {
            schema: SCHEMA,
            name,
            started,
            seed,
            commit,
            machine,
        };
        self.write_json("run.json", &facts)
    }

    /// Writes `config.json`: the configuration in force.
    pub fn write_config(&self, config: &impl Serialize) -> Result<(), RunDirectoryError> {
        self.write_json("config.json", config)
    }

    /// Writes `summary.json`.
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RunDirectoryError> {
        self.write_json("summary.json", summary)
    }

    /// Writes `latencies.csv`: the histograms of `recorder`.
    pub fn write_latencies(&self, recorder: &Recorder) -> Result<(), RunDirectoryError> {
        self.write_with("latencies.csv", |writer| recorder.write_csv(writer))
    }

    /// Writes `value` as JSON to `file`, a plain name.
    pub fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), RunDirectoryError> {
        let json = |source| RunDirectoryError::Json {
            file: file.to_owned(),
            source,
        };
        let text = serde_json::to_string_pretty(value).map_err(json)?;
        self.write_with(file, |writer| writeln!(writer, "{text}"))
    }

    /// Writes what `fill` gives to `file`, a plain name.
    pub fn write_with(
        &self,
        file: &str,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), RunDirectoryError> {
        check_name(file)?;
        let path = self.path.join(file);
        let partial = self.path.join(format!(".{file}.partial"));
        let write = || {
            let mut writer = io::BufWriter::new(fs::File::create(&partial)?);
            fill(&mut writer)?;
            writer.into_inner()?.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().map_err(refused(&path))
    }
}

/// Makes a folder that was not there before, with a number after the name if need be.
fn create_unused(root: &Path, name: &str) -> Result<String, RunDirectoryError> {
    for number in 1..=MAX_RUNS_PER_SECOND {
        let folder = if number == 1 {
            name.to_owned()
        } else {
            format!("{name}-{number}")
        };
        let path = root.join(&folder);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&path)(error)),
        }
    }
    Err(RunDirectoryError::TooMany {
        name: name.to_owned(),
    })
}

/// Makes `latest` point to `folder`, whatever it pointed to. Whoever follows it meanwhile finds
/// the old run or the new one, never nothing.
fn point_latest(root: &Path, folder: &str) -> Result<(), RunDirectoryError> {
    let latest = root.join("latest");
    if latest
        .symlink_metadata()
        .is_ok_and(|found| !found.is_symlink())
    {
        return Err(RunDirectoryError::LatestTaken { path: latest });
    }
    // Nobody else uses this name: the folder is new and ours.
    let fresh = root.join(format!(".latest-{folder}"));
    let point = || {
        symlink(folder, &fresh)?;
        fs::rename(&fresh, &latest)
    };
    point().map_err(refused(&latest))
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> RunDirectoryError {
    let path = path.to_owned();
    |source| RunDirectoryError::Write { path, source }
}

fn check_name(name: &str) -> Result<(), RunDirectoryError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
    if fits && name.bytes().all(good) && !name.starts_with('.') {
        return Ok(());
    }
    Err(RunDirectoryError::Name {
        name: name.to_owned(),
    })
}

/// A time in UTC, for names of folders and for people.
fn utc(time: SystemTime) -> Option<(String, String)> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    if time < jiff::Timestamp::UNIX_EPOCH {
        return None;
    }
    let name = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    Some((name, time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_768_644_930_900)
    }

    #[test]
    fn folder_has_time_and_name_and_latest_points_to_it() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        let latest = runs.join("latest");
        let names = [
            "20260117T101530Z-bench",
            "20260117T101530Z-bench-2",
            "20260117T101530Z-x",
        ];
        for (name, expected) in ["bench", "bench", "x"].into_iter().zip(names) {
            let run = RunDirectory::create(&runs, name, start()).unwrap();
            assert_eq!(run.path(), runs.join(expected));
            assert_eq!(fs::read_link(&latest).unwrap(), Path::new(expected));
            run.write_config(&names).unwrap();
            assert!(latest.join("config.json").is_file());
        }
        // Nothing else is left lying about.
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 4);
    }

    #[test]
    fn results_can_be_read_back() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(root.path(), "bench", start()).unwrap();
        let read = |file: &str| fs::read_to_string(run.path().join(file)).unwrap();

        run.write_facts(42, Some("abc".into())).unwrap();
        let facts: RunFacts = serde_json::from_str(&read("run.json")).unwrap();
        assert_eq!(
            (facts.schema, facts.seed, facts.name.as_str()),
            (1, 42, "bench")
        );
        assert_eq!(facts.started, "2026-01-17T10:15:30Z");
        assert_eq!(facts.commit.as_deref(), Some("abc"));
        assert_eq!(facts.machine, Machine::detect());

        let recorder = Recorder::new(0);
        let summary = recorder.summary(crate::summary::Labels::default(), 5);
        run.write_summary(&summary).unwrap();
        assert_eq!(
            serde_json::from_str::<Summary>(&read("summary.json")).unwrap(),
            summary
        );
        run.write_latencies(&recorder).unwrap();
        assert_eq!(read("latencies.csv"), "class,latency_us,count\n");
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(root.path(), "bench", start()).unwrap();
        run.write_with("log", |writer| writer.write_all(b"old"))
            .unwrap();
        let error = run
            .write_with("log", |writer| {
                writer.write_all(b"new")?;
                Err(io::Error::other("disk on fire"))
            })
            .unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("log could not be written: disk on fire")
        );
        assert_eq!(fs::read(run.path().join("log")).unwrap(), b"old");
    }

    #[test]
    fn bad_names_and_places_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for name in ["", "..", ".hidden", "a/b", "a b", "ü", &long] {
            let error = RunDirectory::create(root.path(), name, start()).unwrap_err();
            assert!(matches!(error, RunDirectoryError::Name { .. }), "{name}");
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let error = RunDirectory::create(root.path(), "bench", before).unwrap_err();
        assert!(matches!(error, RunDirectoryError::Time));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);

        fs::create_dir(root.path().join("latest")).unwrap();
        let error = RunDirectory::create(root.path(), "bench", start()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("latest is not a symbolic link: move it away")
        );
    }
}
