//! What a replica keeps on disk: who it is, how often it has started, which view it promised.
//!
//! The log is not kept, so a replica that has run before comes back `recovering`. A first boot
//! is an explicit act, `format`: an empty folder is a lost disk, not a new replica.

use crate::Persistent;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::string::String;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::{GroupId, ReplicaId, ViewNumber};

const FILE: &str = "replica.json";
const SCHEMA: u64 = 2;

/// Whose state a folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The group.
    pub group: GroupId,
    /// The replica.
    pub replica: ReplicaId,
    /// The protocol's name.
    pub protocol: String,
}

/// Which boot this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// The first since `format`.
    First,
    /// Not the first.
    Again {
        /// What survived.
        persistent: Persistent,
        /// How often the replica has started before.
        starts: u64,
    },
}

/// Why a replica's state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No state where some was expected.
    #[error(
        "{path} holds no replica; for a first boot run `downbeat replica format`, after the loss of a disk `downbeat replica format-lost`"
    )]
    NotFormatted {
        /// The folder.
        path: PathBuf,
    },
    /// State where none was expected.
    #[error("{path} holds replica {} of group {} already; formatting it would forget its votes", .found.replica, .found.group)]
    Formatted {
        /// The folder.
        path: PathBuf,
        /// Whose state it is.
        found: Identity,
    },
    /// The state of another replica.
    #[error("{path} holds replica {} of group {} under {}, not replica {} of group {} under {}", .found.replica, .found.group, .found.protocol, .wanted.replica, .wanted.group, .wanted.protocol)]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose state it is.
        found: Identity,
        /// Whose state was expected.
        wanted: Identity,
    },
    /// A file that is not what this program writes.
    #[error("{path} is not a replica's state: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
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
}

/// An open state file.
#[derive(Debug)]
pub struct StateFile {
    folder: PathBuf,
    identity: Identity,
    starts: u64,
}

impl StateFile {
    /// Marks `folder` as a replica's before its first boot.
    pub fn format(folder: &Path, identity: &Identity) -> Result<(), StateError> {
        Self::mark(folder, identity, 0)
    }

    /// Marks `folder` as that of a replica which has run before and lost its disk. How often it
    /// has started is forgotten too: the time of day, in microseconds, is larger than any count,
    /// and than the time at which a disk was lost before, unless the clock was set back.
    pub fn format_lost(folder: &Path, identity: &Identity) -> Result<(), StateError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let starts = now.map_or(1, |now| u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
        Self::mark(folder, identity, starts)
    }

    fn mark(folder: &Path, identity: &Identity, starts: u64) -> Result<(), StateError> {
        fs::create_dir_all(folder).map_err(|source| io_error("create", folder, source))?;
        if let Some((found, _, _)) = read(folder)? {
            return Err(StateError::Formatted {
                path: folder.into(),
                found,
            });
        }
        write(folder, identity, starts, Persistent::default())
    }

    /// Opens a formatted folder for this boot; from now on the replica has run before.
    pub fn open(folder: &Path, identity: Identity) -> Result<(Self, Boot), StateError> {
        let Some((found, starts, persistent)) = read(folder)? else {
            return Err(StateError::NotFormatted {
                path: folder.into(),
            });
        };
        if found != identity {
            return Err(StateError::Foreign {
                path: folder.into(),
                found,
                wanted: identity,
            });
        }
        write(folder, &identity, starts + 1, persistent)?;
        let boot = match starts {
            0 => Boot::First,
            _ => Boot::Again { persistent, starts },
        };
        Ok((
            Self {
                folder: folder.into(),
                identity,
                starts: starts + 1,
            },
            boot,
        ))
    }

    /// Returns once `persistent` would survive a crash of the machine.
    pub fn persist(&self, persistent: Persistent) -> Result<(), StateError> {
        write(&self.folder, &self.identity, self.starts, persistent)
    }
}

fn io_error(operation: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Io {
        operation,
        path: path.into(),
        source,
    }
}

fn read(folder: &Path) -> Result<Option<(Identity, u64, Persistent)>, StateError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("read", &path, source)),
    };
    let malformed = |reason: &str| StateError::Malformed {
        path: path.clone(),
        reason: reason.into(),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let reason = std::format!("{error}");
        malformed(&reason)
    })?;
    let number = |name: &str| {
        value.get(name).and_then(Value::as_u64).ok_or_else(|| {
            let reason = std::format!("`{name}` is missing or not a number");
            malformed(&reason)
        })
    };
    if number("schema")? != SCHEMA {
        return Err(malformed(
            "`schema` is not 2, the only one this version reads",
        ));
    }
    let identity = Identity {
        group: GroupId(
            u32::try_from(number("group")?).map_err(|_| malformed("`group` is over 32 bits"))?,
        ),
        replica: ReplicaId(
            u8::try_from(number("replica")?).map_err(|_| malformed("`replica` is over 255"))?,
        ),
        protocol: value
            .get("protocol")
            .and_then(Value::as_str)
            .ok_or_else(|| malformed("`protocol` is missing or not a string"))?
            .into(),
    };
    let starts = number("starts")?;
    let persistent = Persistent {
        view: ViewNumber(number("view")?),
        last_normal_view: ViewNumber(number("last_normal_view")?),
    };
    Ok(Some((identity, starts, persistent)))
}

/// Writes a new file beside the old one and puts it in its place: a crash leaves one or the other.
fn write(
    folder: &Path,
    identity: &Identity,
    starts: u64,
    persistent: Persistent,
) -> Result<(), StateError> {
    let text = json!({
        "schema": SCHEMA,
        "group": identity.group.0,
        "replica": identity.replica.0,
        "protocol": identity.protocol,
        "starts": starts,
        "view": persistent.view.0,
        "last_normal_view": persistent.last_normal_view.0,
    });
    let new = folder.join("replica.json.new");
    let write_new = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(std::format!("{text:#}\n").as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, folder.join(FILE))?;
        File::open(folder)?.sync_all()
    };
    write_new().map_err(|source| io_error("write", &new, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn identity(replica: u8) -> Identity {
        Identity {
            group: GroupId(1),
            replica: ReplicaId(replica),
            protocol: "spec-paxos".into(),
        }
    }

    #[test]
    fn a_first_boot_is_explicit_and_happens_once() {
        let folder = tempfile::tempdir().unwrap();
        let open = || StateFile::open(folder.path(), identity(0));
        assert!(matches!(open(), Err(StateError::NotFormatted { .. })));
        StateFile::format(folder.path(), &identity(0)).unwrap();
        let (state, boot) = open().unwrap();
        assert_eq!(boot, Boot::First);
        let promised = Persistent {
            view: ViewNumber(5),
            last_normal_view: ViewNumber(4),
        };
        state.persist(promised).unwrap();
        let again = Boot::Again {
            persistent: promised,
            starts: 1,
        };
        assert_eq!(open().unwrap().1, again);
        let again = StateFile::format(folder.path(), &identity(0));
        assert!(matches!(again, Err(StateError::Formatted { .. })));
    }

    #[test]
    fn a_lost_disk_makes_a_later_life() {
        let folder = tempfile::tempdir().unwrap();
        StateFile::format_lost(folder.path(), &identity(0)).unwrap();
        let (_, boot) = StateFile::open(folder.path(), identity(0)).unwrap();
        let Boot::Again { persistent, starts } = boot else {
            panic!("{boot:?}");
        };
        assert_eq!(persistent, Persistent::default());
        assert!(starts > 1_000_000_000_000_000, "{starts}");
    }

    #[test]
    fn foreign_and_broken_state_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        StateFile::format(folder.path(), &identity(0)).unwrap();
        let foreign = StateFile::open(folder.path(), identity(1))
            .unwrap_err()
            .to_string();
        assert!(
            foreign.contains("holds replica 0") && foreign.contains("not replica 1"),
            "{foreign}"
        );
        let file = folder.path().join(FILE);
        for (text, reason) in [
            ("", "EOF"),
            ("{}", "`schema` is missing"),
            (r#"{"schema":1}"#, "`schema` is not 2"),
            (
                r#"{"schema":2,"group":4294967296}"#,
                "`group` is over 32 bits",
            ),
            (
                r#"{"schema":2,"group":1,"replica":0,"protocol":7}"#,
                "`protocol` is missing",
            ),
        ] {
            fs::write(&file, text).unwrap();
            let error = StateFile::open(folder.path(), identity(0))
                .unwrap_err()
                .to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
