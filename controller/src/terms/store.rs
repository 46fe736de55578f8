//! The state file of the terms: written and synced before a term is handed out.
//!
//! Each step is read, change, write under an exclusive lock on a file beside it, so that two
//! controllers that share the file never take the same term:
//!
//! 1. Without the lock, A reads counter 7.
//! 2. B reads counter 7.
//! 3. A writes 8 and uses term 7; B writes 8 and uses term 7 as well.
//!
//! The write goes to a temporary file, which is synced and renamed over the old one; then the
//! folder is synced. A crash leaves either the old state or the new one. Calls block for a few
//! milliseconds; do not make them from an async task.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use wire::{EpochNumber, GroupId};

use super::{BadState, CONTROLLERS, TakenTerm, TermError, TermState};

/// A state file is not read beyond this: 65,535 groups fit.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// Where terms come from.
#[derive(Clone, Debug)]
pub struct TermStore {
    path: PathBuf,
    controller: u8,
}

impl TermStore {
    /// The terms of controller `controller`, 0 to 3, in this file. A file that is not there is
    /// made with the first term; one that cannot be read is an error at once.
    pub fn open(path: impl Into<PathBuf>, controller: u8) -> Result<Self, TermError> {
        if controller >= CONTROLLERS {
            return Err(TermError::ControllerNumber(controller));
        }
        let store = Self {
            path: path.into(),
            controller,
        };
        let _lock = store.lock()?;
        store.load()?;
        Ok(store)
    }

    /// Takes a term for the groups of a switch, at Unix time `now_us`. It is greater than
    /// `observed`, the greatest one seen anywhere, and than all that were taken from this file.
    /// When this returns, the term is on disk as used.
    pub fn take(
        &self,
        switch: &str,
        groups: &[GroupId],
        observed: EpochNumber,
        now_us: u64,
    ) -> Result<TakenTerm, TermError> {
        let _lock = self.lock()?;
        let mut state = match self.load()? {
            Some(state) => state,
            None => TermState::new(self.controller, now_us)?,
        };
        let taken = state.take(switch, groups, observed, now_us)?;
        self.save(&state.to_json())?;
        Ok(taken)
    }

    /// The newest terms of the groups whose root is this switch. Whether the switch ever got them
    /// is not known here.
    pub fn recorded(&self, switch: &str) -> Result<BTreeMap<GroupId, TakenTerm>, TermError> {
        let _lock = self.lock()?;
        Ok(self
            .load()?
            .map(|state| state.recorded(switch))
            .unwrap_or_default())
    }

    /// The root for which each group's newest term was taken.
    pub fn roots(&self) -> Result<BTreeMap<GroupId, String>, TermError> {
        let _lock = self.lock()?;
        Ok(self.load()?.map(|state| state.roots()).unwrap_or_default())
    }

    fn lock(&self) -> Result<File, TermError> {
        let path = self.beside(".lock");
        if let Some(folder) = folder_of(&path) {
            fs::create_dir_all(folder).map_err(|source| failed("make folder", folder, source))?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| failed("open lock file", &path, source))?;
        file.lock()
            .map_err(|source| failed("lock", &path, source))?;
        Ok(file)
    }

    fn load(&self) -> Result<Option<TermState>, TermError> {
        let fail = |source| failed("read state file", &self.path, source);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        match TermState::from_json(&bytes, self.controller) {
            Ok(state) => Ok(Some(state)),
            Err(BadState::Damaged(reason)) => Err(TermError::Damaged {
                path: self.path.clone(),
                reason,
            }),
            Err(BadState::OtherController(found)) => Err(TermError::OtherController {
                path: self.path.clone(),
                found,
                ours: self.controller,
            }),
        }
    }

    fn save(&self, bytes: &[u8]) -> Result<(), TermError> {
        let temporary = self.beside(".new");
        let fail = |source| failed("write state file", &temporary, source);
        let mut file = File::create(&temporary).map_err(fail)?;
        file.write_all(bytes).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        drop(file);
        fs::rename(&temporary, &self.path)
            .map_err(|source| failed("replace state file", &self.path, source))?;
        let folder = folder_of(&self.path).unwrap_or(Path::new("."));
        let sync = File::open(folder).and_then(|folder| folder.sync_all());
        sync.map_err(|source| failed("sync folder", folder, source))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> TermError {
    TermError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
